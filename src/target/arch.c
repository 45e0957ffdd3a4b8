// SPDX-License-Identifier: Apache-2.0
#include "target/arch.h"

#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#if defined(__x86_64__)

const char *const pyd_arch_name = "x86_64";
const uint16_t pyd_arch_elf_machine = EM_X86_64;
const uint32_t pyd_arch_audit = AUDIT_ARCH_X86_64;

static int fill(pid_t tid, struct pyd_regs *r)
{
	(void)tid;
	r->pc = r->user.rip;
	r->sp = r->user.rsp;
	r->fp = r->user.rbp;
	r->thread_pointer = r->user.fs_base;
	return 0;
}

int pyd_arch_is_pthread_self(const struct pyd_regs *regs, uint64_t ident)
{
	return regs->thread_pointer && regs->thread_pointer == ident;
}

const size_t pyd_arch_syscall_len = 2;

void pyd_arch_set_call(struct pyd_regs *regs, pyd_addr insn, pyd_addr sp,
		       long nr, const uint64_t args[6])
{
	regs->user.rip = insn;
	regs->user.rsp = sp;
	regs->user.rax = (unsigned long)nr;
	regs->user.orig_rax = (unsigned long)-1;
	regs->user.rdi = args[0];
	regs->user.rsi = args[1];
	regs->user.rdx = args[2];
	regs->user.r10 = args[3];
	regs->user.r8 = args[4];
	regs->user.r9 = args[5];
}

int64_t pyd_arch_call_result(const struct pyd_regs *regs)
{
	return (int64_t)regs->user.rax;
}

int pyd_arch_in_call(const struct pyd_regs *regs)
{
	return (int64_t)regs->user.orig_rax >= 0;
}

static int put_call(pid_t tid, const struct pyd_regs *regs)
{
	(void)tid;
	(void)regs;
	return 0;
}

#elif defined(__aarch64__)

const char *const pyd_arch_name = "aarch64";
const uint16_t pyd_arch_elf_machine = EM_AARCH64;
const uint32_t pyd_arch_audit = AUDIT_ARCH_AARCH64;

static int fill(pid_t tid, struct pyd_regs *r)
{
	uint64_t tls = 0;
	struct iovec iov = { &tls, sizeof(tls) };

	r->pc = r->user.pc;
	r->sp = r->user.sp;
	r->fp = r->user.regs[29];
	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_ARM_TLS, &iov))
		return -1;
	r->thread_pointer = tls;

	struct iovec call = { &r->call, sizeof(r->call) };

	return (int)ptrace(PTRACE_GETREGSET, tid, (void *)NT_ARM_SYSTEM_CALL,
			   &call);
}

int pyd_arch_is_pthread_self(const struct pyd_regs *regs, uint64_t ident)
{
	/* struct pthread lies right below the thread pointer: some 1800
	 * bytes in glibc, 200 in musl. */
	return regs->thread_pointer && ident < regs->thread_pointer &&
	       regs->thread_pointer - ident < 4096;
}

const size_t pyd_arch_syscall_len = 4;

void pyd_arch_set_call(struct pyd_regs *regs, pyd_addr insn, pyd_addr sp,
		       long nr, const uint64_t args[6])
{
	regs->user.pc = insn;
	regs->user.sp = sp;
	regs->user.regs[8] = (unsigned long)nr;
	for (int i = 0; i < 6; i++)
		regs->user.regs[i] = args[i];
	regs->call = -1;
}

int64_t pyd_arch_call_result(const struct pyd_regs *regs)
{
	return (int64_t)regs->user.regs[0];
}

int pyd_arch_in_call(const struct pyd_regs *regs)
{
	return regs->call >= 0;
}

static int put_call(pid_t tid, const struct pyd_regs *regs)
{
	int32_t call = regs->call;
	struct iovec iov = { &call, sizeof(call) };

	return (int)ptrace(PTRACE_SETREGSET, tid, (void *)NT_ARM_SYSTEM_CALL,
			   &iov);
}

#else
#error "pydumpd knows x86-64 and aarch64; add the processor here"
#endif

enum pyd_code pyd_arch_get_regs(pid_t tid, struct pyd_regs *ret,
				struct pyd_err *err)
{
	struct pyd_regs r = { 0 };
	struct iovec iov = { &r.user, sizeof(r.user) };

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &iov) ||
	    fill(tid, &r))
		return pyd_err_errno(err, errno == ESRCH ? PYD_GONE : PYD_PERM,
				     errno, "cannot read registers of %d", tid);
	if (iov.iov_len != sizeof(r.user))
		return pyd_err_set(err, PYD_UNSUPPORTED,
				   "thread %d is not a 64-bit one", tid);
	*ret = r;
	return PYD_OK;
}

enum pyd_code pyd_arch_set_regs(pid_t tid, const struct pyd_regs *regs,
				struct pyd_err *err)
{
	struct user_regs_struct user = regs->user;
	struct iovec iov = { &user, sizeof(user) };

	if (ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &iov) ||
	    put_call(tid, regs))
		return pyd_err_errno(err, errno == ESRCH ? PYD_GONE : PYD_PERM,
				     errno, "cannot set registers of %d", tid);
	return PYD_OK;
}
