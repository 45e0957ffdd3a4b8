/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system call that a thread sits in: from its registers when it is
 * stopped, from /proc when it is not.
 */
#ifndef PYD_TARGET_SYSCALL_H
#define PYD_TARGET_SYSCALL_H

#include "target/stop.h"
#include "target/target.h"

enum pyd_call_state {
	PYD_CALL_UNKNOWN, /* nothing tells */
	PYD_CALL_NONE,	  /* it runs code of its own, or is about to */
	PYD_CALL_WAITS,	  /* it sits in a system call */
};

struct pyd_syscall {
	enum pyd_call_state state;
	/* What follows is valid in PYD_CALL_WAITS only. */
	long nr; /* -1: not known, see pyd_call_restarted() */
	uint64_t args[6];
	/* The kernel resumed it under another number, and nr was told by its
	 * arguments. */
	bool guessed;
};

/* Of a stopped thread. A call that has its result already is none. */
void pyd_call_of_regs(const struct pyd_regs *regs, struct pyd_syscall *ret);
/* Of a running one. *ret_switches (may be NULL) is how often it has gone to
 * sleep or lost the processor so far, 0 when that is not told. */
void pyd_call_of_proc(pid_t pid, pid_t tid, struct pyd_syscall *ret,
		      uint64_t *ret_switches);
/*
 * A call that was interrupted while it waited for a time goes on as
 * restart_syscall, which does not tell what it is. By what its arguments can
 * be, futex, poll, clock_nanosleep or nanosleep is put in its place.
 */
void pyd_call_restarted(struct pyd_syscall *c, const struct pyd_target *t);

/* "futex", or "?" */
void pyd_call_name(long nr, char *buf, size_t cap);

#endif
