/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One crash, as the kernel's core_pattern hands it to us: the dying process
 * waits in the kernel, its memory and /proc are as they were, and its core
 * comes on a pipe. The dump is made from the process; of the core only the
 * notes are read, which have the registers of all threads.
 */
#ifndef PYD_WATCH_HANDLER_H
#define PYD_WATCH_HANDLER_H

#include "walk/snapshot.h"
#include "watch/core_pattern.h"
#include "watch/quota.h"

#define PYD_HANDLER_DIR "/var/lib/pydumpd"

enum pyd_pass {
	PYD_PASS_OTHERS, /* what has no dump goes to the previous pattern */
	PYD_PASS_ALL,
	PYD_PASS_NONE,
};

struct pyd_handler_options {
	struct pyd_quota quota;
	uint64_t deadline_ns; /* of the whole dump */
	enum pyd_pass pass;
	const char *previous; /* pattern */
};

/*
 * Dumps the process in a process of its own, or logs why not; then hands the
 * crash on as asked for. Neither takes longer than the deadline and some
 * seconds, whatever happens.
 * snapshot: limits and the like; pid, path, trigger, stop and capture are set.
 * NULL: no dump.
 * False when neither was done.
 */
bool pyd_handler_crash(const struct pyd_handler_options *o,
		       const struct pyd_snapshot_options *snapshot,
		       struct pyd_crash *c, int core);

#endif
