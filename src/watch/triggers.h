/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When there is to be a dump: one function for each trigger, called when what
 * it waits for may have happened.
 */
#ifndef PYD_WATCH_TRIGGERS_H
#define PYD_WATCH_TRIGGERS_H

#include "watch/tracing.h"

/* A thread is stopped with a signal, which is to be delivered. */
void pyd_trigger_fatal(struct pyd_tracing *w, struct pyd_watched_thread *th);
/* Nobody catches u, of a stopped thread. */
void pyd_trigger_uncaught(struct pyd_tracing *w, struct pyd_watched_thread *th,
			  const struct pyd_uncaught *u);
/* A thread has ended: if it waited for a dump, says that there is none. */
void pyd_trigger_lost(const struct pyd_watched_thread *th);
/* The dump of a process is done: those that waited for it have theirs, one by
 * one. */
void pyd_trigger_again(struct pyd_tracing *w, struct pyd_watched *p);
/* A stopped thread is about to end the process, with an exit status; 0: all is
 * well, or a signal ends it. */
void pyd_trigger_exit(struct pyd_tracing *w, struct pyd_watched_thread *th,
		      int status);
/* The process has ended, or is killed, before what is about all of it had a
 * dump: says so. */
void pyd_trigger_forget(const struct pyd_tracing *w, struct pyd_watched *p);
/* Somebody asked for dumps of all. */
void pyd_trigger_request(struct pyd_tracing *w);
/* Looks for what comes without an event: hangs, size, time. */
void pyd_triggers_look(struct pyd_tracing *w);
/* When to look again, CLOCK_MONOTONIC ns; UINT64_MAX: never. */
uint64_t pyd_triggers_next(const struct pyd_tracing *w);

#endif
