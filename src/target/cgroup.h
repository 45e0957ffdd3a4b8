/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory control groups leave a process, versions 1 and 2
 * (Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of Linux).
 */
#ifndef PYD_TARGET_CGROUP_H
#define PYD_TARGET_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes that may still be used below the limits of the process's group and all
 * groups above it; cached files that would give way count as free.
 * UINT64_MAX: there is no limit, or none that can be seen from here.
 * *ret_kills_all (may be NULL): when memory is out the kernel ends all of a
 * group at once, and not the one that it chooses (memory.oom.group). */
uint64_t pyd_cgroup_memory(pid_t pid, bool *ret_kills_all);
/* The same for the text of /proc/PID/cgroup, with what is mounted at mount
 * ("/sys/fs/cgroup"). */
uint64_t pyd_cgroup_memory_of(const char *groups, const char *mount,
			      bool *ret_kills_all);

#endif
