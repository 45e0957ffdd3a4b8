// SPDX-License-Identifier: Apache-2.0
#include "base/pace.h"

#include <sched.h>
#include <sys/resource.h>

/* Idle processors are taken whole; of a busy one some 25 % are left to us,
 * since a snapshot that lives for long costs memory. */
enum { YIELD = 5 };

void pyd_pace_hurry(bool brief, struct pyd_pace *was)
{
	struct sched_param param = { 0 };

	*was = (struct pyd_pace) { .policy = sched_getscheduler(0) };
	if (was->policy < 0 || sched_getparam(0, &param))
		return;
	was->priority = param.sched_priority;
	was->nice = getpriority(PRIO_PROCESS, 0);
	was->changed = true;
	if (was->policy == SCHED_FIFO || was->policy == SCHED_RR)
		return;
	param.sched_priority = 1;
	if (!brief || sched_setscheduler(0, SCHED_RR, &param))
		(void)setpriority(PRIO_PROCESS, 0, -20);
}

void pyd_pace_restore(struct pyd_pace *was)
{
	const struct sched_param param = { .sched_priority = was->priority };

	if (!was->changed)
		return;
	was->changed = false;
	(void)sched_setscheduler(0, was->policy, &param);
	(void)setpriority(PRIO_PROCESS, 0, was->nice);
}

void pyd_pace_yield(void)
{
	const struct sched_param param = { 0 };
	int nice;

	/* Who started us with another policy wants that one. */
	if (sched_getscheduler(0) != SCHED_OTHER)
		return;
	(void)sched_setscheduler(0, SCHED_BATCH, &param);
	nice = getpriority(PRIO_PROCESS, 0);
	(void)setpriority(PRIO_PROCESS, 0, nice + YIELD);
}
