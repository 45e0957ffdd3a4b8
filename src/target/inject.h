/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One system call, made by a stopped thread of the target at an instruction
 * that is there already. Afterwards it is stopped as before, and goes on as if
 * nothing had been; what is written to its memory is a frame below its stack
 * pointer (frame.h), which is taken away again. In the tracer thread only.
 */
#ifndef PYD_TARGET_INJECT_H
#define PYD_TARGET_INJECT_H

#include "target/frame.h"
#include "target/tracee.h"

/* Whether the thread can be made to do it: it is stopped by us alone, not in
 * the middle of a restartable sequence, and has no shadow stack. */
bool pyd_inject_can(const struct pyd_process *p, const struct pyd_tracee *e);
/*
 * Makes the call. t is the process, live. *ret is its result, or -errno.
 * *ret_child (may be NULL) is the process that it started, which is traced and
 * has not run yet, or 0. PYD_GONE: the thread died. On other failures too it is
 * as it was.
 */
PYD_MUST_CHECK enum pyd_code pyd_inject(struct pyd_target *t,
					struct pyd_tracee *e,
					const struct pyd_gadgets *gadgets,
					long nr, const uint64_t args[6],
					int64_t *ret, pid_t *ret_child,
					struct pyd_err *err);

#endif
