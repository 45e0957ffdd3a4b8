/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a thread shares the processors: ahead of others while a program stands
 * still for it, behind them afterwards. All of it is for the calling thread,
 * is done where the system lets us, and is no error where it does not.
 */
#ifndef PYD_BASE_PACE_H
#define PYD_BASE_PACE_H

#include <stdbool.h>

struct pyd_pace {
	int policy;
	int priority; /* of a real-time policy */
	int nice;
	bool changed;
};

/* Ahead of others. brief: it takes milliseconds; then ahead of all that are
 * not real-time, whatever group they are in. was is for pyd_pace_restore(). */
void pyd_pace_hurry(bool brief, struct pyd_pace *was);
/* As it was; once, later calls do nothing. */
void pyd_pace_restore(struct pyd_pace *was);
/* From here on what others want to do comes first. */
void pyd_pace_yield(void);

#endif
