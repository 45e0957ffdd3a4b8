/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files under /proc/PID. Every function fails with PYD_GONE when there
 * is no such process (any more) and PYD_PERM when it may not be read.
 */
#ifndef PYD_TARGET_PROCFS_H
#define PYD_TARGET_PROCFS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends a NUL that is not counted in ret->len. name is relative to
 * /proc/PID; longer than max bytes is PYD_LIMIT. ret is replaced. */
PYD_MUST_CHECK enum pyd_code pyd_procfs_read(pid_t pid, const char *name,
					     size_t max, struct pyd_buf *ret,
					     struct pyd_err *err);

/* Of /proc/PID/stat, or /proc/PID/task/TID/stat. */
struct pyd_proc_stat {
	char comm[68];
	char state; /* R S D T t Z X I */
	pid_t ppid;
	uint64_t flags;
	uint64_t threads;
	uint64_t start_time; /* clock ticks since boot */
	uint64_t vsize;	     /* bytes */
	uint64_t rss;	     /* bytes */
};
/* tid 0: of the process. */
PYD_MUST_CHECK enum pyd_code pyd_procfs_stat(pid_t pid, pid_t tid,
					     struct pyd_proc_stat *ret,
					     struct pyd_err *err);
/* The parser alone; text is NUL-terminated. */
PYD_MUST_CHECK enum pyd_code pyd_procfs_parse_stat(const char *text,
						   struct pyd_proc_stat *ret,
						   struct pyd_err *err);

#define PYD_NS_DEPTH 33 /* the kernel nests at most 32 */

/* Of /proc/PID/status, or /proc/PID/task/TID/status. */
struct pyd_proc_status {
	pid_t tgid;
	pid_t tracer; /* 0: none */
	uid_t uid;    /* real */
	uid_t euid;
	uid_t suid;
	gid_t gid;
	gid_t egid;
	pid_t ns_pids[PYD_NS_DEPTH]; /* NSpid: outer to inner */
	unsigned int n_ns_pids;	     /* 0: unknown */
	uint64_t rss_anon;	     /* bytes */
	uint64_t swap;		     /* bytes */
	uint64_t cap_permitted;
	uint64_t cap_effective;
	/* Signals, bit n - 1 for number n: sent to the process and taken by no
	 * thread yet, blocked by the thread, ignored, with a handler. */
	uint64_t sig_pending;
	uint64_t sig_blocked;
	uint64_t sig_ignored;
	uint64_t sig_caught;
	int seccomp; /* 0 none, 1 strict, 2 filter */
	int kthread;
};
PYD_MUST_CHECK enum pyd_code pyd_procfs_status(pid_t pid, pid_t tid,
					       struct pyd_proc_status *ret,
					       struct pyd_err *err);

/* Thread ids of the process, ascending, appended to ret (cleared first). */
PYD_MUST_CHECK enum pyd_code pyd_procfs_tasks(pid_t pid, struct pyd_vec *ret,
					      struct pyd_err *err);
/* How many they are, by one call: links of the folder, which are two more
 * (proc_task_getattr() of fs/proc/base.c). 0: not known. */
size_t pyd_procfs_count_tasks(pid_t pid);

/* A link such as "exe" or "ns/pid"; cut at cap - 1. */
PYD_MUST_CHECK enum pyd_code pyd_procfs_link(pid_t pid, const char *name,
					     char *buf, size_t cap,
					     struct pyd_err *err);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t pyd_now_ns(void);
/* Processor time of the calling thread, ns. */
uint64_t pyd_thread_ns(void);

#endif
