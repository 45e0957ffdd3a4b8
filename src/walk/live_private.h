/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the live process as a subject share: live.c, live_take.c,
 * live_keep.c, live_glance.c. */
#ifndef PYD_WALK_LIVE_PRIVATE_H
#define PYD_WALK_LIVE_PRIVATE_H

#include "target/capture.h"
#include "target/frame.h"
#include "walk/fds.h"
#include "walk/subject.h"

struct pyd_live {
	struct pyd_subject base;
	const struct pyd_snapshot_options *opts;
	struct pyd_process process;
	enum pyd_capture_mode mode;
	struct pyd_capture *capture;
	struct pyd_stop *stop;
	uint64_t deadline_ns; /* of the copy; 0: none */
	/* Of what was done while it stood still. */
	enum pyd_code code;
	struct pyd_err err;
	/* Mode live. */
	struct pyd_threads listed;
	struct pyd_syscall *calls;
	struct pyd_socks *socks; /* once asked for */
	uint64_t *switches;	 /* of context, before the memory was taken */
	/* Mode fork. */
	struct pyd_gadgets gadgets;
	bool no_fork; /* it was refused */
	pid_t snapshot;
	struct pyd_process child;
	struct pyd_target *child_live;
	bool has_shared; /* memory that others can change */
	struct pyd_outside outside;
	struct pyd_target *inner; /* that frozen stands on, if any */
	/* Mode stop, where what is read is kept. */
	struct pyd_target *kept;
	struct pyd_rehearsal rehearsal;
	bool rehearsed;	   /* tried, at least */
	bool no_glance;	   /* they did not see all */
	uint64_t stood_ns; /* it stood before, in vain */
};

/* -- live_take.c -- */

PYD_MUST_CHECK enum pyd_code pyd_live_take(struct pyd_subject *base,
					   uint64_t deadline_ns,
					   struct pyd_err *err);
void pyd_live_note_time(struct pyd_live *s);
void pyd_live_drop(struct pyd_subject *base);
void pyd_live_release(struct pyd_subject *base);
void pyd_live_abandon(struct pyd_subject *base);

/* -- live_keep.c -- */

/* Reads what the dump will read while the process runs, to see how long that
 * takes, and to have all at hand that it needs; for at most that long. Sets
 * s->rehearsal. */
void pyd_live_rehearse(struct pyd_live *s, uint64_t most_ns);
/* The same while it stands: s->base.kept tells whether it may go on. False:
 * there is more than can be kept, or it failed, which s->code tells. */
bool pyd_live_keep(struct pyd_live *s, uint64_t end_ns);
/* Opens what is kept, as pyd_target_kept_open(), and makes it frozen. */
PYD_MUST_CHECK enum pyd_code pyd_live_open_kept(struct pyd_live *s,
						uint64_t until_ns,
						uint64_t own_ns,
						struct pyd_err *err);
/* It is not frozen any more. */
void pyd_live_close_kept(struct pyd_live *s);

/* -- live_glance.c -- */

bool pyd_live_may_glance(const struct pyd_live *s);
/* After rehearsals: stops the process for what they have found, once or a few
 * times. s->base.kept is set, and it runs; or it is not, and it is to be
 * stopped in another way. */
PYD_MUST_CHECK enum pyd_code pyd_live_glance(struct pyd_live *s,
					     struct pyd_err *err);

#endif
