// SPDX-License-Identifier: Apache-2.0
#include "target/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)

#include <cpuid.h>
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum {
	SCAN_MAX = 64 << 20, /* bytes of text that are looked at */
	SCAN_STEP = 1 << 20,
	OVERLAP = 16, /* no pattern is longer */
};

/* Errors that are the kernel's own: the call is to be made again. */
enum {
	ERESTARTSYS = 512,
	ERESTARTNOINTR = 513,
	ERESTARTNOHAND = 514,
	ERESTART_RESTARTBLOCK = 516,
};

/* arch/x86/include/uapi/asm/ucontext.h, sigcontext.h and asm/sigframe.h; the
 * C library's own headers of the same names leave out what is needed. */
enum {
	UC_FP_XSTATE = 1,
	UC_SIGCONTEXT_SS = 2,
	UC_STRICT_RESTORE_SS = 4,
};
#define XSTATE_MAGIC1 0x46505853U
#define XSTATE_MAGIC2 0x46505845U

struct context {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2;
	uint64_t fpstate;
	uint64_t reserved[8];
};

struct frame {
	uint64_t pretcode;
	uint64_t uc_flags;
	uint64_t uc_link;
	struct {
		uint64_t sp;
		int32_t flags;
		uint32_t pad;
		uint64_t size;
	} uc_stack;
	struct context uc;
	uint64_t uc_sigmask;
	uint8_t siginfo[128];
};
_Static_assert(sizeof(struct context) == 256, "struct sigcontext");

/* The last bytes of the legacy state, by which the kernel knows that more
 * follows. */
struct xstate_note {
	uint32_t magic1;
	uint32_t extended_size;
	uint64_t features;
	uint32_t size;
	uint32_t pad[7];
};
enum { XSTATE_NOTE_AT = 464 };

/* Extended state that is as large as it is only for who asked for it (AMX). */
#define XFEATURES_DYNAMIC (3ULL << 17)

/* -- text -- */

static const uint8_t call_ret[] = { 0x0f, 0x05, 0xc3 };
/* mov $15, %rax; syscall, of glibc and musl; mov $15, %eax; syscall */
static const uint8_t sigreturn_a[] = { 0x48, 0xc7, 0xc0, 0x0f, 0,
				       0,    0,	   0x0f, 0x05 };
static const uint8_t sigreturn_b[] = { 0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05 };

static void find(const uint8_t *buf, size_t n, pyd_addr at,
		 const uint8_t *pattern, size_t len, pyd_addr *ret)
{
	const uint8_t *found = *ret ? NULL : memmem(buf, n, pattern, len);

	if (found)
		*ret = at + (pyd_addr)(found - buf);
}

static enum pyd_code scan(struct pyd_target *t, const struct pyd_region *r,
			  uint8_t *buf, struct pyd_gadgets *g,
			  struct pyd_err *err)
{
	for (pyd_addr at = r->start; at < r->end && at - r->start < SCAN_MAX &&
				     !(g->call && g->sigreturn);
	     at += SCAN_STEP - OVERLAP) {
		size_t n = r->end - at < SCAN_STEP ? (size_t)(r->end - at)
						   : SCAN_STEP;
		struct pyd_err why = { 0 };
		enum pyd_code code = pyd_target_read(t, at, buf, n, &why);

		if (code && !pyd_code_is_local(code)) {
			*err = why;
			return code;
		}
		if (code)
			continue;
		find(buf, n, at, call_ret, sizeof(call_ret), &g->call);
		find(buf, n, at, sigreturn_a, sizeof(sigreturn_a),
		     &g->sigreturn);
		find(buf, n, at, sigreturn_b, sizeof(sigreturn_b),
		     &g->sigreturn);
	}
	return PYD_OK;
}

/* The C library first, which has both; nobody unmaps it. */
static bool is_libc(const struct pyd_region *r)
{
	const char *name = strrchr(r->path, '/');

	return name &&
	       (!strncmp(name, "/libc.", 6) || !strncmp(name, "/libc-", 6) ||
		!strncmp(name, "/ld-", 4));
}

enum pyd_code pyd_gadgets_find(struct pyd_target *t, struct pyd_gadgets *ret,
			       struct pyd_err *err)
{
	struct pyd_gadgets g = { 0 };
	uint8_t *buf = malloc(SCAN_STEP);
	enum pyd_code code = PYD_OK;

	if (!buf)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (int libc = 1; libc >= 0 && !code; libc--)
		for (size_t i = 0; i < t->nregions && !code; i++) {
			const struct pyd_region *r = &t->regions[i];

			if (r->prot & PYD_PROT_X && r->prot & PYD_PROT_R &&
			    r->inode && is_libc(r) == libc)
				code = scan(t, r, buf, &g, err);
		}
	free(buf);
	if (code)
		return code;
	if (!g.call || !g.sigreturn)
		return pyd_err_set(err, PYD_NOTFOUND,
				   "process %d cannot be forked: the "
				   "instructions for it are not in its text",
				   t->pid);
	*ret = g;
	return PYD_OK;
}

/* -- the frame -- */

/* Bytes of the extended state with these features, as XSAVE lays it out. */
static size_t xstate_size(uint64_t features)
{
	size_t size = 576; /* what all have: x87, SSE, and the header */

	for (unsigned int i = 2; i < 63; i++) {
		unsigned int a, b, c, d;

		if (!(features >> i & 1) ||
		    !__get_cpuid_count(0xd, i, &a, &b, &c, &d))
			continue;
		if ((size_t)a + b > size)
			size = (size_t)a + b;
	}
	return size;
}

/* The extended state, as a signal frame has it. *ret is its size in all. */
static enum pyd_code put_xstate(pid_t tid, uint8_t *buf, size_t cap,
				size_t *ret, struct pyd_err *err)
{
	struct iovec iov = { buf, (cap - sizeof(uint64_t)) & ~7UL };
	const uint32_t magic2 = XSTATE_MAGIC2;
	struct xstate_note sw = { .magic1 = XSTATE_MAGIC1 };
	uint64_t xcr0, used;
	size_t size;

	if (ptrace(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &iov) ||
	    iov.iov_len < 576)
		return pyd_err_errno(err, PYD_UNSUPPORTED, errno,
				     "thread %d does not tell its extended "
				     "registers",
				     tid);
	memcpy(&xcr0, buf + XSTATE_NOTE_AT, sizeof(xcr0));
	memcpy(&used, buf + 512, sizeof(used));
	if (used & XFEATURES_DYNAMIC)
		return pyd_err_set(err, PYD_UNSUPPORTED,
				   "thread %d uses matrix registers", tid);
	xcr0 &= ~XFEATURES_DYNAMIC;
	size = xstate_size(xcr0);
	if (size > iov.iov_len)
		return pyd_err_set(err, PYD_UNSUPPORTED,
				   "thread %d has extended registers of an "
				   "unknown size",
				   tid);
	sw.extended_size = (uint32_t)(size + sizeof(magic2));
	sw.features = xcr0;
	sw.size = (uint32_t)size;
	memcpy(buf + XSTATE_NOTE_AT, &sw, sizeof(sw));
	memcpy(buf + size, &magic2, sizeof(magic2));
	*ret = size + sizeof(magic2);
	return PYD_OK;
}

static void put_regs(const struct user_regs_struct *u, struct context *sc)
{
	sc->r8 = u->r8;
	sc->r9 = u->r9;
	sc->r10 = u->r10;
	sc->r11 = u->r11;
	sc->r12 = u->r12;
	sc->r13 = u->r13;
	sc->r14 = u->r14;
	sc->r15 = u->r15;
	sc->di = u->rdi;
	sc->si = u->rsi;
	sc->bp = u->rbp;
	sc->bx = u->rbx;
	sc->dx = u->rdx;
	sc->ax = u->rax;
	sc->cx = u->rcx;
	sc->sp = u->rsp;
	sc->ip = u->rip;
	sc->flags = u->eflags;
	sc->cs = (uint16_t)u->cs;
	sc->ss = (uint16_t)u->ss;
	if ((int64_t)u->orig_rax < 0)
		return;
	/* It was in a call: that is made again, as after a signal. */
	switch (-(int64_t)u->rax) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
		sc->ax = u->orig_rax;
		sc->ip -= pyd_arch_syscall_len;
		break;
	case ERESTART_RESTARTBLOCK:
		sc->ax = SYS_restart_syscall;
		sc->ip -= pyd_arch_syscall_len;
		break;
	}
}

enum pyd_code pyd_frame_make(pid_t tid, const struct pyd_regs *regs,
			     uint64_t mask, const struct pyd_gadgets *g,
			     uint8_t buf[PYD_FRAME_MAX], size_t *ret_len,
			     pyd_addr *ret_addr, struct pyd_err *err)
{
	/* From low to high: the frame, then the extended state at a multiple
	 * of 64. */
	const size_t xstate_at = (sizeof(struct frame) + 127) / 64 * 64;
	struct frame f = {
		.pretcode = g->sigreturn,
		.uc_flags =
			UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
		/* One that the kernel does not take: the thread's own signal
		 * stack, which cannot be asked for, stays. */
		.uc_stack = { .flags = 0x7f },
		.uc_sigmask = mask,
	};
	size_t size = 0;
	pyd_addr xstate;
	enum pyd_code code;

	memset(buf, 0, PYD_FRAME_MAX);
	code = put_xstate(tid, buf + xstate_at, PYD_FRAME_MAX - xstate_at,
			  &size, err);
	if (code)
		return code;
	xstate = (regs->sp - PYD_FRAME_BELOW - size) & ~(pyd_addr)63;
	put_regs(&regs->user, &f.uc);
	f.uc.fpstate = xstate;
	memcpy(buf, &f, sizeof(f));
	*ret_addr = xstate - xstate_at;
	*ret_len = xstate_at + size;
	return PYD_OK;
}

#else

enum pyd_code pyd_gadgets_find(struct pyd_target *t, struct pyd_gadgets *ret,
			       struct pyd_err *err)
{
	(void)ret;
	return pyd_err_set(err, PYD_NOTFOUND,
			   "process %d cannot be forked on this processor",
			   t->pid);
}

enum pyd_code pyd_frame_make(pid_t tid, const struct pyd_regs *regs,
			     uint64_t mask, const struct pyd_gadgets *g,
			     uint8_t buf[PYD_FRAME_MAX], size_t *ret_len,
			     pyd_addr *ret_addr, struct pyd_err *err)
{
	(void)regs;
	(void)mask;
	(void)g;
	(void)buf;
	(void)ret_len;
	(void)ret_addr;
	return pyd_err_set(err, PYD_UNSUPPORTED,
			   "thread %d cannot be told to fork", tid);
}

#endif
