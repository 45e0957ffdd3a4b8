/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Noticing that a thread makes no progress: it is at the same instruction of
 * the same frame each time it is looked at, without a stop, and has not begun
 * another one in between. The latter a hardware breakpoint at the place in
 * which the frame keeps its instruction tells: slot 3.
 */
#ifndef PYD_WATCH_HANG_H
#define PYD_WATCH_HANG_H

#include "watch/python.h"

struct pyd_watch_options;

struct pyd_hang {
	pyd_addr frame, code;
	uint64_t instruction; /* what its slot holds; code: likewise */
	bool checked;	      /* the frame is one of Python code */
	uint64_t since_ns;    /* at this place; 0: nowhere */
	uint64_t looked_ns;
	pid_t tid;    /* of the thread, 0: not known */
	bool guarded; /* its breakpoint is set */
	bool told;
};

enum pyd_hang_look {
	PYD_HANG_FINE,
	PYD_HANG_GUARD, /* set slot 3 of thread h->tid, to *ret */
	PYD_HANG_HUNG,
};

/* When a look is due again; the same for all processes. */
uint64_t pyd_hang_period(const struct pyd_watch_options *o);
/* y is READY. *ret is what slot 3 is to be. */
enum pyd_hang_look pyd_hang_look(struct pyd_hang *h, struct pyd_python *y,
				 const struct pyd_watch_options *o,
				 struct pyd_hwbreak *ret);
/* Slot 3 was hit: it goes on. */
void pyd_hang_progress(struct pyd_hang *h);

#endif
