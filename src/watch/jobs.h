/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dumps as the tracer has them: begun, held and let go on, reported.
 */
#ifndef PYD_WATCH_JOBS_H
#define PYD_WATCH_JOBS_H

#include "watch/tracing.h"

/* NULL: there is to be none, and that has been said. */
struct pyd_dumping *pyd_job_begin(struct pyd_tracing *w, struct pyd_watched *p,
				  const char *kind, const char *what);
/* The stopped thread that it is about waits until the dump is done. */
void pyd_job_thread(struct pyd_dumping *j, struct pyd_watched_thread *th);
/* It waits for the dump that is made, to have one of its own: for u, for the
 * exit status, or (NULL, 0) for its signal. */
void pyd_job_await(struct pyd_watched_thread *th, const char *what,
		   const struct pyd_uncaught *u, int status);
/* SIGKILL, and a line about it. */
void pyd_job_kill(const struct pyd_watched *p);
/* Does what jobs wait for. */
void pyd_jobs_serve(struct pyd_tracing *w);

#endif
