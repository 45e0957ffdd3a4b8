/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hardware breakpoints that end with their owner, for a tracer that may be
 * killed at any moment: events of perf_event_open(2), Linux 5.13 on. Threads
 * that a thread starts have those that it had; programs that it executes have
 * none. Of all of them the tracer hears by a signal, with which the thread
 * stops at the very instruction:
 *
 * - SIGURG, which does nothing to a thread that nobody traces any more. It is
 *   sent by a BPF program of four instructions, which takes CAP_BPF and
 *   CAP_PERFMON.
 * - SIGTRAP elsewhere, which ends a process if its tracer is killed between
 *   the instruction and the moment in which the tracer has taken it.
 */
#ifndef PYD_TARGET_HWBREAK_H
#define PYD_TARGET_HWBREAK_H

#include <signal.h>

#include "target/arch.h"

enum pyd_hwbreak_way {
	PYD_HWBREAK_SIGURG,
	PYD_HWBREAK_SIGTRAP,
	PYD_HWBREAK_NO_EVENT, /* only pyd_arch_set_hwbreaks() does */
};

/* What this kernel lets this process do. */
struct pyd_hwbreaker {
	enum pyd_hwbreak_way way;
	int program; /* fd; -1: none */
	int first;   /* fds of events are no smaller */
};

/* Raises the limit of open files. */
void pyd_hwbreaker_init(struct pyd_hwbreaker *b);
void pyd_hwbreaker_deinit(struct pyd_hwbreaker *b);
/* For another thread of the owner, which is not to keep events open when the
 * owner dies: gives it a table of files of its own, without them. */
void pyd_hwbreaker_leave(const struct pyd_hwbreaker *b);

/*
 * Sets v as number slot of a thread, and of threads that it starts if these
 * are to inherit it, until *ret is closed. PYD_UNSUPPORTED: not in any way
 * that is left; b->way tells whether the debug registers may be tried.
 * PYD_GONE.
 */
PYD_MUST_CHECK enum pyd_code pyd_hwbreak_open(struct pyd_hwbreaker *b,
					      pid_t tid, unsigned int slot,
					      const struct pyd_hwbreak *v,
					      bool inherit, int *ret,
					      struct pyd_err *err);

/*
 * A thread is stopped with a signal. True: a breakpoint's, of whatever way,
 * also one that is closed by now. *ret_hits has bit i for the i-th of v;
 * *ret_sure is false when it may have been another's SIGURG after all, of which
 * pyd_hwbreak_hits() of those that wait for writes tells.
 */
bool pyd_hwbreak_is_hit(pid_t tid, const siginfo_t *info,
			const struct pyd_hwbreak v[PYD_HWBREAKS],
			unsigned int *ret_hits, bool *ret_sure);
/* How often one that pyd_hwbreak_open() opened, and that is not inherited, has
 * been hit. */
uint64_t pyd_hwbreak_hits(int fd);
/* Of a thread in a stop without a signal: true if one of ours waits for it,
 * which is not blocked any more; it comes next. *ret_mask is what was blocked,
 * for pyd_hwbreak_block(). */
bool pyd_hwbreak_pending(pid_t tid, uint64_t *ret_mask);
void pyd_hwbreak_block(pid_t tid, uint64_t mask);

#endif
