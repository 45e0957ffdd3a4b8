/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One dump of a watched process, made by a thread of its own, while the tracer
 * goes on with all other processes. The thread asks the tracer to hold the
 * process and to let it go; the tracer is woken by SIGCHLD, as by its tracees.
 */
#ifndef PYD_WATCH_DUMPING_H
#define PYD_WATCH_DUMPING_H

#include <pthread.h>

#include "target/hwbreak.h"
#include "watch/tree.h"
#include "watch/watch.h"

enum pyd_dumping_phase {
	PYD_DUMPING_QUEUED,
	PYD_DUMPING_RUNS,
	PYD_DUMPING_WANTS_HOLD, /* the tracer is to stop all threads */
	PYD_DUMPING_HELD,
	PYD_DUMPING_WANTS_RELEASE,
	PYD_DUMPING_RELEASED,
	PYD_DUMPING_DONE,
};

struct pyd_dumping {
	struct pyd_dumping *next;
	struct pyd_watched *p;
	const struct pyd_watch_options *o;
	const struct pyd_hwbreaker *breaker;
	struct pyd_trigger trigger;
	char what[256]; /* for messages: "SIGSEGV at 0x8" */
	char path[4096];
	bool final; /* the process ends after it */
	bool kill;  /* we end it after it */

	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t change;
	enum pyd_dumping_phase phase;
	/* What came of the hold. */
	struct pyd_threads threads;
	enum pyd_code hold_code;
	struct pyd_err hold_err;
	uint64_t deadline_ns; /* of the tracer: when a hold has failed */
	/* What came of it all. */
	struct pyd_snapshot_stats stats;
	enum pyd_code code;
	struct pyd_err err;
};

struct pyd_dumping *pyd_dumping_create(struct pyd_watched *p,
				       const struct pyd_watch_options *o,
				       const struct pyd_hwbreaker *breaker);
/* From QUEUED on. False: there is no thread for it; it is DONE. */
bool pyd_dumping_start(struct pyd_dumping *j);
enum pyd_dumping_phase pyd_dumping_phase(struct pyd_dumping *j);
/* The answer to WANTS_HOLD: HELD, with threads, which the job takes, or not,
 * with code and err. */
void pyd_dumping_held(struct pyd_dumping *j, struct pyd_threads *threads,
		      enum pyd_code code, const struct pyd_err *err);
/* The answer to WANTS_RELEASE. */
void pyd_dumping_released(struct pyd_dumping *j);
/* After DONE. */
void pyd_dumping_destroy(struct pyd_dumping *j);

#endif
