/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hardware breakpoints that end with their owner, for a tracer that may be
 * killed at any moment: events of perf_event_open(2), one for each thread and
 * place. A thread that meets one gets SIGURG, which the event's file sends as
 * files that are ready do (F_SETSIG, F_SETOWN_EX), and stops with it at the
 * very instruction. To a thread that nobody traces any more SIGURG does
 * nothing. It takes kernel.perf_event_paranoid of 2 or less, or CAP_PERFMON.
 */
#ifndef PYD_TARGET_HWBREAK_H
#define PYD_TARGET_HWBREAK_H

#include <signal.h>

#include "target/arch.h"

/* What this kernel lets this process do. */
struct pyd_hwbreaker {
	bool events; /* else only pyd_arch_set_hwbreaks() does */
	int first;   /* fds of events are no smaller */
};

/* Raises the limit of open files. */
void pyd_hwbreaker_init(struct pyd_hwbreaker *b);
/* For another thread of the owner, which is not to keep events open when the
 * owner dies: gives it a table of files of its own, without them. */
void pyd_hwbreaker_leave(const struct pyd_hwbreaker *b);

/*
 * Sets v in a thread, until *ret is closed. PYD_UNSUPPORTED: b->events tells
 * whether the debug registers may be tried. PYD_GONE.
 */
PYD_MUST_CHECK enum pyd_code pyd_hwbreak_open(struct pyd_hwbreaker *b,
					      pid_t tid,
					      const struct pyd_hwbreak *v,
					      int *ret, struct pyd_err *err);

/*
 * A thread is stopped with a signal. True: a breakpoint's, of either kind.
 * *ret_hits has bit i where it is that of fds[i]; 0: of one that was closed
 * meanwhile.
 */
bool pyd_hwbreak_is_hit(const struct pyd_hwbreaker *b, pid_t tid,
			const siginfo_t *info, const int fds[PYD_HWBREAKS],
			unsigned int *ret_hits);

#endif
