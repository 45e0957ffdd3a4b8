// SPDX-License-Identifier: Apache-2.0
/* Which capture mode "auto" takes, and the memory that there is for it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "target/cgroup.h"
#include "walk/snapshot.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

Test(capture_choice, modes)
{
	static const struct {
		uint64_t estimate, max_objects, depth, ours, targets;
		bool may_fork, kills_all;
		enum pyd_capture_mode want;
	} cases[] = {
		/* Small ones are copied. */
		{ 8 * MIB, 0, 0, GIB, UINT64_MAX, true, false,
		  PYD_CAPTURE_COPY },
		{ 8 * MIB, 0, 0, 10 * MIB, UINT64_MAX, true, false,
		  PYD_CAPTURE_STOP },
		/* Large ones are forked, where that can be. */
		{ GIB, 0, 0, 8 * GIB, UINT64_MAX, true, false,
		  PYD_CAPTURE_FORK },
		{ GIB, 0, 0, MIB, UINT64_MAX, true, false, PYD_CAPTURE_FORK },
		{ GIB, 0, 0, 8 * GIB, UINT64_MAX, false, false,
		  PYD_CAPTURE_COPY },
		{ GIB, 0, 0, GIB, UINT64_MAX, false, false, PYD_CAPTURE_STOP },
		/* A fork must not push its control group over the limit. */
		{ GIB, 0, 0, 8 * GIB, 300 * MIB, true, false,
		  PYD_CAPTURE_FORK },
		{ GIB, 0, 0, 8 * GIB, 200 * MIB, true, false,
		  PYD_CAPTURE_COPY },
		{ GIB, 0, 0, GIB, 200 * MIB, true, false, PYD_CAPTURE_STOP },
		{ GIB, 0, 0, 8 * GIB, 0, true, false, PYD_CAPTURE_COPY },
		/* Where that would end all of it there is to be room for all.
		 */
		{ GIB, 0, 0, 8 * GIB, 800 * MIB, true, true, PYD_CAPTURE_COPY },
		{ GIB, 0, 0, 8 * GIB, GIB, true, true, PYD_CAPTURE_FORK },
		/* Shallow walks of large ones are over before a copy is, or a
		 * fork of very large ones. */
		{ GIB, 1000, 0, 8 * GIB, UINT64_MAX, false, false,
		  PYD_CAPTURE_STOP },
		{ GIB, 0, 1, 8 * GIB, UINT64_MAX, true, false,
		  PYD_CAPTURE_FORK },
		{ 5 * GIB, 0, 1, 8 * GIB, UINT64_MAX, true, false,
		  PYD_CAPTURE_STOP },
		{ GIB, 0, 2, 8 * GIB, UINT64_MAX, true, false,
		  PYD_CAPTURE_FORK },
		{ 8 * MIB, 1000, 0, GIB, GIB, true, false, PYD_CAPTURE_COPY },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct pyd_limits limits = {
			.max_objects = cases[i].max_objects,
			.depth = cases[i].depth,
		};
		const struct pyd_capture_room room = {
			.ours = cases[i].ours,
			.targets = cases[i].targets,
			.kills_all = cases[i].kills_all,
		};
		const char *why = NULL;

		cr_assert_eq(pyd_capture_choose(cases[i].estimate, &limits,
						cases[i].may_fork, &room, NULL,
						&why),
			     cases[i].want, "case %zu: %s", i, why);
		cr_assert(why && *why);
	}
}

/* What was rehearsed is weighed against the other mode. */
Test(capture_choice, rehearsed)
{
	static const struct {
		uint64_t estimate;
		struct pyd_rehearsal rehearsal;
		enum pyd_capture_mode want;
	} cases[] = {
		{ 5 * MIB, { .ns = 500000, .done = true }, PYD_CAPTURE_STOP },
		{ 5 * MIB, { .ns = 5000000, .done = true }, PYD_CAPTURE_COPY },
		{ 5 * MIB, { .ns = 500000 }, PYD_CAPTURE_COPY },
		/* It stands for what is read at once, and no more. */
		{ 5 * MIB,
		  { .ns = 5000000, .glance_bytes = MIB, .done = true },
		  PYD_CAPTURE_STOP },
		{ 5 * MIB,
		  { .ns = 50000000, .glance_bytes = 5 * MIB, .done = true },
		  PYD_CAPTURE_COPY },
		{ 300 * MIB,
		  { .ns = 20000000, .done = true },
		  PYD_CAPTURE_FORK },
		{ 300 * MIB,
		  { .ns = 20000000, .glance_bytes = 8 * MIB, .done = true },
		  PYD_CAPTURE_STOP },
	};
	const struct pyd_limits limits = { .depth = 1 };
	const struct pyd_capture_room room = {
		.ours = 8 * GIB,
		.targets = UINT64_MAX,
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *why = NULL;

		cr_assert_eq(pyd_capture_choose(cases[i].estimate, &limits,
						true, &room,
						&cases[i].rehearsal, &why),
			     cases[i].want, "case %zu: %s", i, why);
	}
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[512], command[600];
	FILE *f;

	snprintf(command, sizeof(command), "mkdir -p '%s'", dir);
	cr_assert_eq(system(command), 0);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	cr_assert(f);
	fputs(text, f);
	fclose(f);
}

Test(capture_choice, control_groups)
{
	char top[] = "/tmp/pydumpd-unit-XXXXXX";
	char dir[256];
	bool kills = true;

	cr_assert(mkdtemp(top));
	/* Version 2: the group above is tighter, and has a cache. */
	snprintf(dir, sizeof(dir), "%s/a/b", top);
	put(dir, "memory.max", "max\n");
	put(dir, "memory.current", "5000\n");
	snprintf(dir, sizeof(dir), "%s/a", top);
	put(dir, "memory.max", "10000\n");
	put(dir, "memory.current", "9000\n");
	put(dir, "memory.stat", "anon 1\nfile 4000\ninactive_file 2500\n");
	cr_assert_eq(pyd_cgroup_memory_of("0::/a/b\n", top, &kills), 3500);
	cr_assert_not(kills);
	put(dir, "memory.oom.group", "0\n");
	cr_assert_eq(pyd_cgroup_memory_of("0::/a/b\n", top, &kills), 3500);
	cr_assert_not(kills);
	put(dir, "memory.oom.group", "1\n");
	cr_assert_eq(pyd_cgroup_memory_of("0::/a/b\n", top, &kills), 3500);
	cr_assert(kills);
	/* Version 1, among other controllers, and over its limit. */
	snprintf(dir, sizeof(dir), "%s/memory/x", top);
	put(dir, "memory.limit_in_bytes", "1000\n");
	put(dir, "memory.usage_in_bytes", "400\n");
	cr_assert_eq(pyd_cgroup_memory_of("5:cpu:/x\n4:memory:/x\n0::/\n", top,
					  &kills),
		     600);
	cr_assert_eq(pyd_cgroup_memory_of("4:hugetlb,memory:/x", top, &kills),
		     600);
	put(dir, "memory.usage_in_bytes", "1400\n");
	cr_assert_eq(pyd_cgroup_memory_of("4:memory:/x\n", top, &kills), 0);
	/* Nothing to be seen. */
	cr_assert_eq(pyd_cgroup_memory_of("", top, &kills), UINT64_MAX);
	cr_assert_eq(pyd_cgroup_memory_of("4:memory:/none\n", top, &kills),
		     UINT64_MAX);
	cr_assert_eq(pyd_cgroup_memory_of("0::/../a\n", top, &kills),
		     UINT64_MAX);
	cr_assert_eq(
		pyd_cgroup_memory_of("rubbish\n:\n::\n4:memory\n", top, &kills),
		UINT64_MAX);
	snprintf(dir, sizeof(dir), "rm -r '%s'", top);
	cr_assert_eq(system(dir), 0);
}
