/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving watched threads their hardware breakpoints.
 */
#ifndef PYD_WATCH_ARMING_H
#define PYD_WATCH_ARMING_H

#include "watch/tracing.h"

/* For the guard: threads of the process may have some in their debug
 * registers, or have none. */
void pyd_armed_mark(struct pyd_tracing *w, pid_t pid, bool armed);
/* Of a stopped thread; fresh: it was started just now. */
void pyd_arm(struct pyd_tracing *w, struct pyd_watched_thread *th, bool fresh);
/* Of all threads of a process; running ones are stopped for it. */
void pyd_arm_all(struct pyd_tracing *w, struct pyd_watched *p);
/* The breakpoint of hang.h, in one thread. */
void pyd_arm_progress(struct pyd_tracing *w, struct pyd_watched_thread *th);
/* The slot that register i of the thread is for. */
unsigned int pyd_arm_slot(const struct pyd_watched_thread *th, unsigned int i);
/* Which thread state is that of the main thread? If it is th, and stopped. */
void pyd_arm_find_main(struct pyd_watched_thread *th);
/* A thread is stopped with a breakpoint's signal: it stays stopped without it,
 * so that nothing comes to it when we die. False: it has ended, or something
 * else has come. */
bool pyd_arm_calm(struct pyd_watched_thread *th);
#endif
