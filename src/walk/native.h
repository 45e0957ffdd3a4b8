/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Native stacks of all threads, merged with the Python ones, for the "native"
 * part of a dump. Taken from registers saved at the stop and from frozen
 * memory; named and written later, when the target may run again.
 */
#ifndef PYD_WALK_NATIVE_H
#define PYD_WALK_NATIVE_H

#include <pthread.h>

#include "native/place.h"
#include "target/stop.h"
#include "walk/merge.h"
#include "walk/redact.h"
#include "walk/stacks.h"

enum pyd_native_mode {
	PYD_NATIVE_AUTO, /* all threads, while it takes little time */
	PYD_NATIVE_ALL,
	PYD_NATIVE_OFF,
};
const char *pyd_native_mode_name(enum pyd_native_mode mode);

struct pyd_native_call {
	pyd_addr pc;
	pyd_addr sp;
	uint8_t how; /* enum pyd_call_how */
	bool exact;
	bool signal;
	bool runs; /* it runs Python frames first to first + n - 1 */
	uint64_t first;
	uint64_t n;
};

/* The stack of one thread, or what is kept of it. */
struct pyd_native_stack {
	int64_t thread;	      /* position in the runtime's list, -1: none */
	struct pyd_thread os; /* without registers */
	struct pyd_native_call *v;
	size_t n;
	uint64_t total; /* frames that there were */
	size_t cut_at;	/* total - n frames are left out before v[cut_at] */
	bool whole;
	bool merged;
	char note[340];
};

struct pyd_native {
	bool taken;
	struct pyd_target *target; /* not owned */
	struct pyd_nmodules modules;
	struct pyd_native_stack *v;
	size_t n;
	size_t cap;
	struct pyd_places *places;
	uint64_t frames;
	uint64_t took_ns;
	uint64_t budget_ns;
	/* Of pyd_native_begin(). */
	bool begun;
	pthread_t thread;
	enum pyd_code code;
	struct pyd_err err;
};

/*
 * Unwinds. t: the frozen target; p: the process, or NULL. os: threads with
 * registers. budget_ns: after that time the rest is left out, with a note; 0:
 * no limit.
 */
PYD_MUST_CHECK enum pyd_code pyd_native_take(
	struct pyd_native *s, struct pyd_target *t, const struct pyd_process *p,
	const struct pyd_threads *os, const struct pyd_runtime *rt,
	const struct pyd_stacks *stacks, uint64_t budget_ns,
	struct pyd_err *err);
/*
 * Begins to look the names up in a thread of its own, which reads files and no
 * memory of the target. s stays where it is until pyd_native_write() or
 * pyd_native_deinit(), which wait for it. Where there can be no thread it is
 * left to pyd_native_write(), as it is without this.
 */
PYD_MUST_CHECK enum pyd_code pyd_native_begin(struct pyd_native *s,
					      struct pyd_err *err);
/* Names and writes. redact may be NULL. Nothing when nothing was taken. */
PYD_MUST_CHECK enum pyd_code pyd_native_write(struct pyd_native *s,
					      struct pyd_redact *redact,
					      struct pyd_writer *w,
					      struct pyd_err *err);
void pyd_native_deinit(struct pyd_native *s);

#endif
