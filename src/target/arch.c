// SPDX-License-Identifier: Apache-2.0
#include "target/arch.h"

#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

struct reg {
	const char *name;
	size_t offset; /* in struct user_regs_struct; 8 bytes each */
};

#if defined(__x86_64__)

#define DEBUG_REGISTER(n) (void *)offsetof(struct user, u_debugreg[n])

const char *const pyd_arch_name = "x86_64";
const uint16_t pyd_arch_elf_machine = EM_X86_64;
const uint32_t pyd_arch_audit = AUDIT_ARCH_X86_64;

static void name_regs(struct pyd_regs *r, uint64_t tls)
{
	(void)tls;
	r->pc = r->user.rip;
	r->sp = r->user.rsp;
	r->fp = r->user.rbp;
	r->thread_pointer = r->user.fs_base;
}

static int fill(pid_t tid, struct pyd_regs *r)
{
	(void)tid;
	name_regs(r, 0);
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

long pyd_arch_call(const struct pyd_regs *regs, uint64_t ret_args[6])
{
	ret_args[0] = regs->user.rdi;
	ret_args[1] = regs->user.rsi;
	ret_args[2] = regs->user.rdx;
	ret_args[3] = regs->user.r10;
	ret_args[4] = regs->user.r8;
	ret_args[5] = regs->user.r9;
	return (long)(int64_t)regs->user.orig_rax;
}

static int put_call(pid_t tid, const struct pyd_regs *regs)
{
	(void)tid;
	(void)regs;
	return 0;
}

const bool pyd_arch_has_hwbreaks = true;

/* DR7: an enabling bit for each, then type and length. */
static enum pyd_code set_hwbreaks(pid_t tid, const struct pyd_hwbreak *v,
				  struct pyd_err *err)
{
	unsigned long control = 0;

	/* Off first: an address is checked against the type that is set. */
	if (ptrace(PTRACE_POKEUSER, tid, DEBUG_REGISTER(7), NULL))
		goto failed;
	for (unsigned int i = 0; v && i < PYD_HWBREAKS; i++) {
		if (!v[i].addr)
			continue;
		if (ptrace(PTRACE_POKEUSER, tid, DEBUG_REGISTER(i),
			   (void *)v[i].addr))
			goto failed;
		control |= 1UL << (2 * i);
		/* Write, 8 bytes: 01 and 10; execute: 00 and 00. */
		if (v[i].write)
			control |= 0x9UL << (16 + 4 * i);
	}
	if (!control ||
	    !ptrace(PTRACE_POKEUSER, tid, DEBUG_REGISTER(7), (void *)control))
		return PYD_OK;
failed:
	return pyd_err_errno(err, errno == ESRCH ? PYD_GONE : PYD_UNSUPPORTED,
			     errno, "thread %d takes no hardware breakpoint",
			     tid);
}

unsigned int pyd_arch_hwbreaks_hit(pid_t tid)
{
	long status;

	errno = 0;
	status = ptrace(PTRACE_PEEKUSER, tid, DEBUG_REGISTER(6), NULL);
	if (errno)
		return 0;
	(void)ptrace(PTRACE_POKEUSER, tid, DEBUG_REGISTER(6), NULL);
	return (unsigned int)status & 0xf;
}

uint64_t pyd_arch_arg(const struct pyd_regs *regs, int i)
{
	return i ? regs->user.rsi : regs->user.rdi;
}

bool pyd_arch_is_vfork(const struct pyd_regs *regs)
{
	return regs->user.orig_rax == SYS_vfork ||
	       (regs->user.orig_rax == SYS_clone &&
		regs->user.rdi & CLONE_VFORK) ||
	       regs->user.orig_rax == SYS_clone3;
}

#define REG(name)                                                              \
	{                                                                      \
#name, offsetof(struct user_regs_struct, name)                 \
	}
static const struct reg regs_known[] = {
	REG(rip), REG(rsp),	REG(rbp),     REG(rax),	     REG(rbx),
	REG(rcx), REG(rdx),	REG(rsi),     REG(rdi),	     REG(r8),
	REG(r9),  REG(r10),	REG(r11),     REG(r12),	     REG(r13),
	REG(r14), REG(r15),	REG(eflags),  REG(orig_rax), REG(cs),
	REG(ss),  REG(fs_base), REG(gs_base),
};

#elif defined(__aarch64__)

const char *const pyd_arch_name = "aarch64";
const uint16_t pyd_arch_elf_machine = EM_AARCH64;
const uint32_t pyd_arch_audit = AUDIT_ARCH_AARCH64;

static void name_regs(struct pyd_regs *r, uint64_t tls)
{
	r->pc = r->user.pc;
	r->sp = r->user.sp;
	r->fp = r->user.regs[29];
	r->thread_pointer = tls;
}

static int fill(pid_t tid, struct pyd_regs *r)
{
	uint64_t tls = 0;
	struct iovec iov = { &tls, sizeof(tls) };

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_ARM_TLS, &iov))
		return -1;
	name_regs(r, tls);

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

long pyd_arch_call(const struct pyd_regs *regs, uint64_t ret_args[6])
{
	for (int i = 0; i < 6; i++)
		ret_args[i] = regs->user.regs[i];
	return regs->call;
}

static int put_call(pid_t tid, const struct pyd_regs *regs)
{
	int32_t call = regs->call;
	struct iovec iov = { &call, sizeof(call) };

	return (int)ptrace(PTRACE_SETREGSET, tid, (void *)NT_ARM_SYSTEM_CALL,
			   &iov);
}

const bool pyd_arch_has_hwbreaks = false;

/* A breakpoint has to be stepped over there by its tracer. */
static enum pyd_code set_hwbreaks(pid_t tid, const struct pyd_hwbreak *v,
				  struct pyd_err *err)
{
	if (!v)
		return PYD_OK;
	return pyd_err_set(err, PYD_UNSUPPORTED,
			   "thread %d: pydumpd does not know this processor's "
			   "hardware breakpoints",
			   tid);
}

unsigned int pyd_arch_hwbreaks_hit(pid_t tid)
{
	(void)tid;
	return 0;
}

uint64_t pyd_arch_arg(const struct pyd_regs *regs, int i)
{
	return regs->user.regs[i];
}

bool pyd_arch_is_vfork(const struct pyd_regs *regs)
{
	return (regs->call == SYS_clone && regs->user.regs[0] & CLONE_VFORK) ||
	       regs->call == SYS_clone3;
}

#define REG(name)                                                              \
	{                                                                      \
#name, offsetof(struct user_regs_struct, name)                 \
	}
#define X(n)                                                                   \
	{                                                                      \
		"x" #n, offsetof(struct user_regs_struct, regs[n])             \
	}
static const struct reg regs_known[] = {
	REG(pc), REG(sp), REG(pstate), X(0),  X(1),  X(2),  X(3),  X(4),  X(5),
	X(6),	 X(7),	  X(8),	       X(9),  X(10), X(11), X(12), X(13), X(14),
	X(15),	 X(16),	  X(17),       X(18), X(19), X(20), X(21), X(22), X(23),
	X(24),	 X(25),	  X(26),       X(27), X(28), X(29), X(30),
};

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

bool pyd_arch_core_regs(const void *reg, size_t len, uint64_t tls,
			struct pyd_regs *ret)
{
	struct pyd_regs r = { 0 };

	if (len != sizeof(r.user))
		return false;
	memcpy(&r.user, reg, len);
#ifdef __aarch64__
	r.call = -1;
#endif
	name_regs(&r, tls);
	*ret = r;
	return true;
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

enum pyd_code pyd_arch_set_hwbreaks(pid_t tid,
				    const struct pyd_hwbreak v[PYD_HWBREAKS],
				    struct pyd_err *err)
{
	return set_hwbreaks(tid, v, err);
}

const char *pyd_arch_reg(const struct pyd_regs *regs, size_t i, uint64_t *ret)
{
	if (i >= sizeof(regs_known) / sizeof(regs_known[0]))
		return NULL;
	memcpy(ret, (const char *)&regs->user + regs_known[i].offset,
	       sizeof(*ret));
	return regs_known[i].name;
}
