/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that differs between processors, and nothing else: registers of a
 * stopped thread, the thread pointer, the ELF machine. x86-64 and aarch64.
 */
#ifndef PYD_TARGET_ARCH_H
#define PYD_TARGET_ARCH_H

#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/err.h"

struct pyd_regs {
	/* As PTRACE_GETREGSET NT_PRSTATUS gives it. On x86-64 orig_rax >= 0
	 * means that the thread is inside a system call. */
	struct user_regs_struct user;
	pyd_addr pc;
	pyd_addr sp;
	pyd_addr fp;
	/* What pthread_self() is computed from: fs_base, tpidr_el0. On glibc
	 * x86-64 it is pthread_self() itself; see pyd_arch_pthread_self(). */
	pyd_addr thread_pointer;
};

/* "x86_64", "aarch64" */
extern const char *const pyd_arch_name;
/* EM_X86_64, EM_AARCH64 */
extern const uint16_t pyd_arch_elf_machine;

/* tid must be in a ptrace stop. PYD_GONE when it died. */
PYD_MUST_CHECK enum pyd_code pyd_arch_get_regs(pid_t tid, struct pyd_regs *ret,
					       struct pyd_err *err);
/* True when pthread_self() of a thread with these registers is ident. Both
 * glibc and musl put struct pthread at the thread pointer on x86-64; on
 * aarch64 it ends there, so only the distance is known to be small. */
int pyd_arch_is_pthread_self(const struct pyd_regs *regs, uint64_t ident);

#endif
