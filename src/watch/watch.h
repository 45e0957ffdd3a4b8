/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standing by: a process of ours traces a program and dumps it when a trigger
 * fires. What is traced runs on when that process, or we, end in any way.
 */
#ifndef PYD_WATCH_WATCH_H
#define PYD_WATCH_WATCH_H

#include "walk/snapshot.h"

enum pyd_watch_trigger {
	PYD_ON_SIGNAL = 1,    /* a signal that ends the program */
	PYD_ON_EXCEPTION = 2, /* that nobody catches */
	PYD_ON_HANG = 4,
	PYD_ON_TIMEOUT = 8,
	PYD_ON_RSS = 16,
	PYD_ON_REQUEST = 32, /* SIGUSR2 to us */
	PYD_ON_EXIT = 64,    /* with a status other than 0 */
};

struct pyd_watch_options {
	/* Of each dump; pid, path, trigger and stop are set for it. */
	const struct pyd_snapshot_options *snapshot;
	const char *dir;       /* NULL: the current directory */
	unsigned int triggers; /* enum pyd_watch_trigger, ored */
	uint64_t signals;      /* bit n - 1 for number n */
	uint64_t hang_ns;      /* of PYD_ON_HANG */
	const char *thread;    /* whose hang counts; NULL: the main one's */
	uint64_t timeout_ns;   /* of PYD_ON_TIMEOUT */
	uint64_t rss;	       /* bytes, of PYD_ON_RSS */
	bool kill;	       /* after a hang or timeout */
	/* Types of exceptions, by name. Of a type and what it is derived from
	 * the nearest that is named in either decides. */
	struct pyd_patterns exclude, include;
	bool follow;	      /* processes that are started too */
	uint64_t max_dumps;   /* 0: no limit */
	uint64_t cooldown_ns; /* between the beginnings of two dumps */
	uint64_t keep;	      /* the newest; 0: all */
	const char *log;      /* file for messages; NULL: standard error */
};

/*
 * Runs argv (NULL at its end) and watches it. Returns when it has ended, with
 * the exit status that we are to end with: its own; when a signal ended it,
 * *ret_signal is set, and we are to end by it. Failures before it ran are
 * logged, and give 126 or 127 as a shell does, or 1.
 */
int pyd_watch_run(const struct pyd_watch_options *o, char **argv,
		  int *ret_signal);
/* Watches n processes until all have ended or we are told to end. */
int pyd_watch_pids(const struct pyd_watch_options *o, const pid_t *pids,
		   size_t n);

#endif
