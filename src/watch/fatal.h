/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a signal ends the program, told before it is delivered.
 */
#ifndef PYD_WATCH_FATAL_H
#define PYD_WATCH_FATAL_H

#include <signal.h>

#include "watch/python.h"

enum pyd_fate {
	PYD_FATE_HANDLED, /* ignored, or by a handler of the program's own */
	PYD_FATE_FATAL,	  /* nobody handles it */
	PYD_FATE_FAULTHANDLER,
};

/*
 * What the signal will do to a stopped thread. The kernel says whether there
 * is a handler. That it is faulthandler's is told by faulthandler's own table
 * of signals, which is found by its contents in the data of a mapped ELF file:
 * numbers, whether each is enabled, and pointers to the names ("Segmentation
 * fault") that its messages have. Modules/faulthandler.c of CPython 3.7 to
 * 3.15: faulthandler_handlers.
 */
enum pyd_fate pyd_fate_of(pid_t pid, pid_t tid, int sig);
/* An instruction was the cause, and has an address. */
bool pyd_is_fault(int sig, const siginfo_t *info);

#endif
