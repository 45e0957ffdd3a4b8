/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the seccomp filters of a stopped thread say of a system call, without
 * making it. A tracer with CAP_SYS_ADMIN may read them (Linux 4.4 on,
 * CONFIG_CHECKPOINT_RESTORE), and they are programs without loops.
 */
#ifndef PYD_TARGET_SECCOMP_H
#define PYD_TARGET_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "target/process.h"

#define PYD_CALL_ELSEWHERE (1U << 6)

struct pyd_call {
	long nr;
	uint64_t args[6];
	/* Bit n: argument n is not known yet. PYD_CALL_ELSEWHERE: nor which
	 * instruction makes the call. */
	unsigned int unknown;
};

/*
 * Runs one filter as the kernel would: *ret is SECCOMP_RET_* with its data.
 * Bit n of unknown: word n of data (4 bytes) is not known, and to look at it is
 * PYD_UNSUPPORTED. PYD_CORRUPT: not a program that the kernel would take.
 */
PYD_MUST_CHECK enum pyd_code pyd_seccomp_run(const struct sock_filter *prog,
					     size_t n,
					     const struct seccomp_data *data,
					     unsigned int unknown,
					     uint32_t *ret,
					     struct pyd_err *err);
/*
 * PYD_OK when thread tid of p, which we have stopped, may make all these calls
 * at the instruction whose end is ip. PYD_UNSUPPORTED: it may not, or that
 * cannot be told; the message says which.
 */
PYD_MUST_CHECK enum pyd_code pyd_seccomp_allows(const struct pyd_process *p,
						pid_t tid, pyd_addr ip,
						const struct pyd_call *calls,
						size_t n, struct pyd_err *err);

#endif
