/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All that differs between processors, and nothing else: registers of a
 * stopped thread, the thread pointer, the ELF machine. x86-64 and aarch64.
 */
#ifndef PYD_TARGET_ARCH_H
#define PYD_TARGET_ARCH_H

#include <stdbool.h>
#include <stddef.h>
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
	/* On aarch64, where it is no register: the system call, or -1. */
	int32_t call;
};

/* "x86_64", "aarch64" */
extern const char *const pyd_arch_name;
/* EM_X86_64, EM_AARCH64 */
extern const uint16_t pyd_arch_elf_machine;
/* What seccomp filters see: AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64 */
extern const uint32_t pyd_arch_audit;

/* tid must be in a ptrace stop. PYD_GONE when it died. */
PYD_MUST_CHECK enum pyd_code pyd_arch_get_regs(pid_t tid, struct pyd_regs *ret,
					       struct pyd_err *err);
/* Out of a core: the general registers as pr_reg of NT_PRSTATUS has them, and
 * the thread pointer of a note of its own (aarch64). False: another size. */
bool pyd_arch_core_regs(const void *reg, size_t len, uint64_t tls,
			struct pyd_regs *ret);
/* Gives it registers that pyd_arch_get_regs() or pyd_arch_set_call() made. */
PYD_MUST_CHECK enum pyd_code pyd_arch_set_regs(pid_t tid,
					       const struct pyd_regs *regs,
					       struct pyd_err *err);

/* Bytes of the instruction that enters the kernel. */
extern const size_t pyd_arch_syscall_len;
/* Makes the registers those of a thread that is about to execute the
 * instruction at insn for system call nr, with that stack pointer, and that no
 * call is to be restarted for. */
void pyd_arch_set_call(struct pyd_regs *regs, pyd_addr insn, pyd_addr sp,
		       long nr, const uint64_t args[6]);
/* What the call gave: a number, or -errno. */
int64_t pyd_arch_call_result(const struct pyd_regs *regs);
/* The system call that the registers are those of, with its arguments; -1:
 * none. On aarch64 the first argument is lost when the call ends. */
long pyd_arch_call(const struct pyd_regs *regs, uint64_t ret_args[6]);
/* True when the thread is inside a system call, which goes on or is restarted
 * when it runs again. */
int pyd_arch_in_call(const struct pyd_regs *regs);

/* -- hardware breakpoints: nothing is written to the program -- */

enum { PYD_HWBREAKS = 4 };
/* False: pydumpd does not know this processor's. */
extern const bool pyd_arch_has_hwbreaks;

struct pyd_hwbreak {
	pyd_addr addr; /* 0: none; of a write: a multiple of 8 */
	bool write;    /* after a write to those 8 bytes; else before the
			* instruction there */
};
/* Sets all of a stopped thread's; v may be NULL: none is left. They are the
 * thread's alone, and outlive its tracer; those of hwbreak.h do not.
 * PYD_UNSUPPORTED: the processor, or
 * the machine that we are in, has none; PYD_GONE. */
PYD_MUST_CHECK enum pyd_code pyd_arch_set_hwbreaks(
	pid_t tid, const struct pyd_hwbreak v[PYD_HWBREAKS],
	struct pyd_err *err);
/* Which of them stopped a thread that has SIGTRAP: bit i for the i-th. Forgets
 * it. */
unsigned int pyd_arch_hwbreaks_hit(pid_t tid);
/* Argument i, 0 or 1, of a function at whose first instruction a thread is. */
uint64_t pyd_arch_arg(const struct pyd_regs *regs, int i);

/* True for the first stop of a process that vfork made: it has its parent's
 * memory, and runs no Python. */
bool pyd_arch_is_vfork(const struct pyd_regs *regs);

/* Name and value of register i; NULL behind the last. */
const char *pyd_arch_reg(const struct pyd_regs *regs, size_t i, uint64_t *ret);

/* True when pthread_self() of a thread with these registers is ident. Both
 * glibc and musl put struct pthread at the thread pointer on x86-64; on
 * aarch64 it ends there, so only the distance is known to be small. */
int pyd_arch_is_pthread_self(const struct pyd_regs *regs, uint64_t ident);

#endif
