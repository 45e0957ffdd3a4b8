/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes that are watched, and their threads, as their tracer has them.
 * In the tracer thread only.
 */
#ifndef PYD_WATCH_TREE_H
#define PYD_WATCH_TREE_H

#include "base/buf.h"
#include "base/map.h"
#include "target/tracee.h"
#include "watch/hang.h"
#include "watch/python.h"

struct pyd_dumping;
struct pyd_watched;

enum { PYD_FORWARDS = 8 };

struct pyd_watched_thread {
	struct pyd_tracee e;
	struct pyd_watched *p;
	size_t at;		      /* in p->threads */
	bool parked;		      /* it waits until a dump is done */
	bool awaits;		      /* and is to have one of its own then */
	siginfo_t kept;		      /* its signal, which the kernel has
				       * again meanwhile; si_signo 0: none */
	struct pyd_uncaught uncaught; /* for which; value 0: it is none */
	int status;	/* or that ends the process; 0: for its signal */
	char what[192]; /* that, for messages */
	bool rearm;	/* its hardware breakpoints are to be set */
	int events[PYD_HWBREAKS]; /* fds of those (hwbreak.h); -1: none */
};

struct pyd_watched {
	pid_t pid;
	struct pyd_watched *next;
	struct pyd_watched_thread **threads;
	size_t nthreads, cap;
	struct pyd_python python;
	struct pyd_hang hang;
	struct pyd_dumping *job; /* NULL: none */
	char name[128];		 /* for messages */
	bool hold;		 /* its threads stay stopped for the job */
	unsigned int looks;	 /* for Python, where nothing tells of it */
	bool ended;		 /* it is kept for its job alone */
	bool borrows;	      /* its memory is its parent's, until it execs */
	bool by_thread;	      /* its main thread may be a copy of another one */
	bool reported;	      /* why it ends has been dumped */
	bool crashed;	      /* a signal that ends it has been dumped */
	bool rss_over;	      /* it was too large when last looked at */
	unsigned int later;   /* triggers that fired while it was dumped */
	uint64_t released_ns; /* when all were let go last; 0: never */
	/* Signals for the process that another thread took then, and the main
	 * one is to have; see release.c. */
	siginfo_t forwards[PYD_FORWARDS];
	size_t nforwards;
};

struct pyd_tree {
	struct pyd_watched *first;
	struct pyd_map by_tid; /* tid -> struct pyd_watched_thread * */
	size_t n;	       /* processes that have not ended */
};

/* NULL when it is not known. */
struct pyd_watched *pyd_tree_process(const struct pyd_tree *t, pid_t pid);
struct pyd_watched_thread *pyd_tree_thread(const struct pyd_tree *t, pid_t tid);
/* A new one. NULL: out of memory. */
struct pyd_watched *pyd_tree_add(struct pyd_tree *t, pid_t pid);
struct pyd_watched_thread *pyd_tree_add_thread(struct pyd_tree *t,
					       struct pyd_watched *p,
					       pid_t tid);
/* Takes away the breakpoints of a thread that are events; it may run. */
void pyd_tree_close_events(struct pyd_watched_thread *th);
/* It has ended; with its last thread the process has, too. */
void pyd_tree_drop_thread(struct pyd_tree *t, struct pyd_watched_thread *th);
/* Frees a process that has ended and has no job. */
void pyd_tree_sweep(struct pyd_tree *t);
void pyd_tree_deinit(struct pyd_tree *t);

#endif
