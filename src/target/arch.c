// SPDX-License-Identifier: Apache-2.0
#include "target/arch.h"

#include <elf.h>
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#if defined(__x86_64__)

const char *const pyd_arch_name = "x86_64";
const uint16_t pyd_arch_elf_machine = EM_X86_64;

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

#elif defined(__aarch64__)

const char *const pyd_arch_name = "aarch64";
const uint16_t pyd_arch_elf_machine = EM_AARCH64;

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
	return 0;
}

int pyd_arch_is_pthread_self(const struct pyd_regs *regs, uint64_t ident)
{
	/* struct pthread lies right below the thread pointer: some 1800
	 * bytes in glibc, 200 in musl. */
	return regs->thread_pointer && ident < regs->thread_pointer &&
	       regs->thread_pointer - ident < 4096;
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
