// SPDX-License-Identifier: Apache-2.0
#include "target/cgroup.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "target/procfs.h"

enum { GROUPS_MAX = 1 << 16, DEPTH_MAX = 64 };

static const struct flavour {
	const char *folders[2]; /* below the mount */
	const char *limit, *used;
	const char *cache; /* line of memory.stat */
	const char *all;   /* whether the kernel ends all of a group */
} flavours[] = {
	{ { "/memory", NULL },
	  "memory.limit_in_bytes",
	  "memory.usage_in_bytes",
	  "total_inactive_file",
	  NULL },
	{ { "", "/unified" },
	  "memory.max",
	  "memory.current",
	  "inactive_file",
	  "memory.oom.group" },
};

/* Version 1 has a number for "no limit", of about so much. */
#define NO_LIMIT ((uint64_t)1 << 60)

/* False: there is no such file, or it says "max". */
static bool read_number(const char *dir, const char *name, const char *key,
			uint64_t *ret)
{
	char path[4352], line[256];
	unsigned long long v = 0;
	size_t len = strlen(key);
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = !strncmp(line, key, len) &&
			(!len || line[len] == ' ') &&
			sscanf(line + len, "%llu", &v) == 1;
	if (f)
		fclose(f);
	*ret = v;
	return found;
}

static uint64_t left_in(const char *dir, const struct flavour *f)
{
	uint64_t limit, used, cache;

	if (!read_number(dir, f->limit, "", &limit) || limit >= NO_LIMIT ||
	    !read_number(dir, f->used, "", &used))
		return UINT64_MAX;
	if (read_number(dir, "memory.stat", f->cache, &cache))
		used -= cache < used ? cache : used;
	return limit > used ? limit - used : 0;
}

/* A limit of any group above counts. */
static uint64_t least_above(const char *mount, const char *folder,
			    const char *group, const struct flavour *f,
			    bool *kills_all)
{
	char dir[4096];
	uint64_t least = UINT64_MAX, value;
	int n = snprintf(dir, sizeof(dir), "%s%s", mount, folder);
	size_t top = (size_t)n;

	if (n < 0 || top + strlen(group) >= sizeof(dir) || strstr(group, "/.."))
		return least;
	strcpy(dir + top, strcmp(group, "/") ? group : "");
	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		uint64_t left = left_in(dir, f);
		char *slash = strrchr(dir + top, '/');

		least = left < least ? left : least;
		/* The kernel goes up from the group of the one that it chose
		 * to the one whose limit was hit. */
		*kills_all |=
			f->all && read_number(dir, f->all, "", &value) && value;
		if (!slash)
			break;
		*slash = '\0';
	}
	return least;
}

/* Is it in a list "cpu,memory"? */
static bool lists_memory(const char *list, size_t len)
{
	const char *end = list + len;

	while (list < end) {
		size_t n = strcspn(list, ",:");

		if (n == 6 && !strncmp(list, "memory", n))
			return true;
		list += n + 1;
	}
	return false;
}

uint64_t pyd_cgroup_memory_of(const char *groups, const char *mount,
			      bool *ret_kills_all)
{
	uint64_t least = UINT64_MAX;
	bool kills_all = false;

	for (const char *line = groups; *line;) {
		size_t len = strcspn(line, "\n");
		const char *list = memchr(line, ':', len);
		const char *path =
			list ? memchr(list + 1, ':',
				      len - (size_t)(list + 1 - line))
			     : NULL;
		char group[4096];

		if (path && len - (size_t)(path - line) < sizeof(group)) {
			size_t n = (size_t)(path - list) - 1;
			bool second = !n; /* version 2 names no controllers */

			snprintf(group, sizeof(group), "%.*s",
				 (int)(line + len - path - 1), path + 1);
			for (int k = 0;
			     k < 2 && (second || lists_memory(list + 1, n));
			     k++) {
				const struct flavour *f = &flavours[second];
				uint64_t left =
					f->folders[k]
						? least_above(
							  mount, f->folders[k],
							  group, f, &kills_all)
						: UINT64_MAX;

				least = left < least ? left : least;
			}
		}
		line += len + (line[len] == '\n');
	}
	*ret_kills_all = kills_all;
	return least;
}

uint64_t pyd_cgroup_memory(pid_t pid, bool *ret_kills_all)
{
	struct pyd_buf groups = { 0 };
	struct pyd_err ignored;
	uint64_t left = UINT64_MAX;
	bool kills_all = false;

	if (!pyd_procfs_read(pid, "cgroup", GROUPS_MAX, &groups, &ignored))
		left = pyd_cgroup_memory_of((const char *)groups.data,
					    "/sys/fs/cgroup", &kills_all);
	pyd_buf_deinit(&groups);
	if (ret_kills_all)
		*ret_kills_all = kills_all;
	return left;
}
