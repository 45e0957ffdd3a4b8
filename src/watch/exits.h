/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SystemExit that is about to end the main program.
 */
#ifndef PYD_WATCH_EXITS_H
#define PYD_WATCH_EXITS_H

#include "watch/python.h"

struct pyd_exits {
	pyd_addr value;	    /* 0: an instance has not been made */
	pyd_addr class;	    /* SystemExit, or a type derived from it */
	pyd_addr traceback; /* 0: there is none, or it is not certain */
};

/*
 * The thread of tstate has no frames, and is stopped with these registers where
 * fflush() begins. False: no such exception has ended its program. Up to 3.11
 * only C code has it by then, and all that is found must be so by itself.
 */
bool pyd_exits_find(struct pyd_reader *r, pyd_addr tstate,
		    const struct pyd_regs *regs, struct pyd_exits *ret);

#endif
