/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's core_pattern: what a handler has to know to hand a crash on to
 * the one that was set before it, as the kernel would have (core(5),
 * fs/coredump.c of Linux 6.12).
 */
#ifndef PYD_WATCH_CORE_PATTERN_H
#define PYD_WATCH_CORE_PATTERN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* The kernel cuts what is longer (CORENAME_MAX_SIZE, with its NUL). */
#define PYD_CORE_PATTERN_MAX 128

/* A process that dumps core. */
struct pyd_crash {
	pid_t pid; /* of the initial PID namespace, as is tid */
	pid_t tid;
	pid_t ns_pid; /* as the process knows itself */
	pid_t ns_tid;
	int sig;
	int64_t time;  /* seconds since 1970 */
	int dump_mode; /* prctl(PR_GET_DUMPABLE): 1 ordinary, 2 root only */
	uid_t uid;
	gid_t gid;
	uint64_t core_limit; /* soft RLIMIT_CORE; UINT64_MAX: none */
	char comm[64];
	char exe[4096]; /* "" if not known */
	char host[256];
};

/* Fills in what /proc tells; pid, tid, sig, time and dump_mode are given.
 * PYD_GONE. */
PYD_MUST_CHECK enum pyd_code pyd_crash_describe(struct pyd_crash *c,
						struct pyd_err *err);

/* True for a program that gets the core on its standard input. */
static inline bool pyd_core_pattern_is_pipe(const char *pattern)
{
	return pattern[0] == '|';
}

/* One word of a pattern, or the pattern of a file, with its specifiers
 * replaced; NUL-terminated in *ret, which is replaced. What the program could
 * choose (its name) never adds a directory. */
PYD_MUST_CHECK enum pyd_code pyd_core_pattern_expand(const char *pattern,
						     const struct pyd_crash *c,
						     struct pyd_buf *ret,
						     struct pyd_err *err);
/* The command of a pipe: words first, then specifiers, so that no blank in a
 * name makes an argument. *ret ends with NULL; for
 * pyd_core_pattern_free(). PYD_USAGE: it names no program. */
PYD_MUST_CHECK enum pyd_code pyd_core_pattern_argv(const char *pattern,
						   const struct pyd_crash *c,
						   char ***ret,
						   struct pyd_err *err);
void pyd_core_pattern_free(char **argv);

/* A core as the kernel sends it: what was read already, then the rest. */
struct pyd_core_stream {
	const struct pyd_buf *read;
	int fd;
};

/*
 * Hands the crash on to a pattern: runs its program with the core on standard
 * input, or writes the core to the file that it names, with the rights of the
 * process that crashed, below its own root. ret_text gets what was done. Ends
 * with the program, or when it has read nothing, or not ended, for patience_ms;
 * it goes on alone then. SIGPIPE is to be ignored. Gives up this process's
 * groups and file system ids for a file.
 */
PYD_MUST_CHECK enum pyd_code pyd_core_pattern_pass(
	const char *pattern, const struct pyd_crash *c,
	const struct pyd_core_stream *core, uint64_t patience_ms,
	char *ret_text, size_t cap, struct pyd_err *err);
/* Waits for the end of a child, which is not reaped. False: not in time. */
bool pyd_wait_child(pid_t child, uint64_t ms);

#endif
