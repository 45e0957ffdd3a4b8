/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving watched threads their hardware breakpoints.
 */
#ifndef PYD_WATCH_ARMING_H
#define PYD_WATCH_ARMING_H

#include "watch/tracing.h"

/* For the guard: threads of the process may have some, or have none. */
void pyd_armed_mark(struct pyd_tracing *w, pid_t pid, bool armed);
/* Of a stopped thread. */
void pyd_arm(struct pyd_tracing *w, struct pyd_watched_thread *th);
/* Of all threads of a process; running ones are stopped for it. */
void pyd_arm_all(struct pyd_tracing *w, struct pyd_watched *p);

#endif
