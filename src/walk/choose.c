// SPDX-License-Identifier: Apache-2.0
/* Which capture mode "auto" takes. */
#include "target/capture.h"
#include "target/cgroup.h"
#include "walk/snapshot.h"

enum {
	/* A walk this shallow is over before a copy of much memory is, or a
	 * fork of very much. */
	SHALLOW_OBJECTS = 20000,
	SMALL_BYTES = 64 << 20,
	/* A copy of this much takes longer than a fork, which in turn needs
	 * threads of the process to run four times. */
	FORK_BYTES = 8 << 20,
	/* Of its memory a busy process may change one part in so many while
	 * there is a snapshot. */
	FORK_SHARE = 4,
	/* What they take, in about (doc/PERFORMANCE.md). */
	COPY_NS = 1000000,
	COPY_NS_MIB = 200000,
	FORK_NS = 1500000,
	FORK_NS_MIB = 35000,
	GLANCE_NS = 300000,
	GLANCE_NS_MIB = 400000,
};

#define HUGE_BYTES ((uint64_t)4 << 30)

const char *pyd_capture_mode_name(enum pyd_capture_mode mode)
{
	static const char *const names[] = {
		[PYD_CAPTURE_AUTO] = "auto", [PYD_CAPTURE_COPY] = "copy",
		[PYD_CAPTURE_FORK] = "fork", [PYD_CAPTURE_STOP] = "stop",
		[PYD_CAPTURE_LIVE] = "live",
	};

	return names[mode];
}

void pyd_capture_room(pid_t pid, struct pyd_capture_room *ret)
{
	ret->ours = pyd_capture_memory();
	ret->targets = pyd_cgroup_memory(pid, &ret->kills_all);
}

bool pyd_limits_are_near(const struct pyd_limits *l)
{
	return !l->gc && (l->depth || (l->max_objects &&
				       l->max_objects <= SHALLOW_OBJECTS));
}

uint64_t pyd_capture_expect_ns(enum pyd_capture_mode mode, uint64_t estimate)
{
	uint64_t mib = estimate >> 20;

	switch (mode) {
	case PYD_CAPTURE_COPY:
		return COPY_NS + mib * COPY_NS_MIB;
	case PYD_CAPTURE_FORK:
		return FORK_NS + mib * FORK_NS_MIB;
	default:
		return 0;
	}
}

/* About how long it stands for what was rehearsed. */
static uint64_t expect_rehearsed_ns(const struct pyd_rehearsal *r)
{
	uint64_t glance = GLANCE_NS + (r->glance_bytes * GLANCE_NS_MIB >> 20);

	return r->glance_bytes && glance < r->ns ? glance : r->ns;
}

/* By memory alone. */
static enum pyd_capture_mode by_memory(uint64_t estimate, bool may_fork,
				       const struct pyd_capture_room *room,
				       const char **ret_why)
{
	if (may_fork && estimate > FORK_BYTES &&
	    room->targets >= estimate / (room->kills_all ? 1 : FORK_SHARE)) {
		*ret_why = "a fork takes less time than a copy";
		return PYD_CAPTURE_FORK;
	}
	if (estimate > room->ours / 2) {
		*ret_why = "a copy would take more than half of the free "
			   "memory";
		return PYD_CAPTURE_STOP;
	}
	*ret_why = may_fork && estimate > FORK_BYTES
			   ? "its control group has no memory for a fork"
			   : "a copy fits into memory";
	return PYD_CAPTURE_COPY;
}

enum pyd_capture_mode pyd_capture_choose(uint64_t estimate,
					 const struct pyd_limits *limits,
					 bool may_fork,
					 const struct pyd_capture_room *room,
					 const struct pyd_rehearsal *rehearsal,
					 const char **ret_why)
{
	enum pyd_capture_mode mode =
		by_memory(estimate, may_fork, room, ret_why);
	bool shallow =
		limits->depth == 1 ||
		(limits->max_objects && limits->max_objects <= SHALLOW_OBJECTS);

	if (mode == PYD_CAPTURE_STOP)
		return mode;
	if (rehearsal && rehearsal->done &&
	    expect_rehearsed_ns(rehearsal) <=
		    pyd_capture_expect_ns(mode, estimate)) {
		*ret_why = mode == PYD_CAPTURE_FORK
				   ? "to read what the limits leave takes less "
				     "time than a fork"
				   : "to read what the limits leave takes less "
				     "time than a copy";
		return PYD_CAPTURE_STOP;
	}
	if (!rehearsal && shallow &&
	    estimate > (may_fork ? HUGE_BYTES : SMALL_BYTES)) {
		*ret_why = "the walk is shallow and the memory large";
		return PYD_CAPTURE_STOP;
	}
	return mode;
}
