// SPDX-License-Identifier: Apache-2.0
#include "target/inject.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#ifndef PTRACE_GET_RSEQ_CONFIGURATION
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f /* Linux 5.13 */
#endif

/* -- whether -- */

/* A restartable sequence (rseq) is restarted when its thread was interrupted
 * in it, which the kernel tells by the program counter: while that is ours it
 * would not see it. Inside a system call there is none. */
static bool in_sequence(const struct pyd_process *p, const struct pyd_tracee *e)
{
	struct {
		uint64_t pointer;
		uint32_t size, signature, flags, pad;
	} conf = { 0 };
	uint64_t cs = 0;
	size_t got = 0;
	struct pyd_err ignored;

	if (pyd_arch_in_call(&e->t.regs))
		return false;
	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, e->t.tid,
		   (void *)sizeof(conf), &conf) <= 0 ||
	    !conf.pointer)
		return false;
	/* struct rseq: cpu_id_start, cpu_id, rseq_cs */
	if (pyd_process_read_some((struct pyd_process *)(uintptr_t)p,
				  conf.pointer + 8, &cs, sizeof(cs), &got,
				  &ignored) ||
	    got != sizeof(cs))
		return true;
	return cs != 0;
}

/* With a shadow stack it could not return to where it had not called. */
static bool has_shadow_stack(const struct pyd_process *p,
			     const struct pyd_tracee *e)
{
	struct pyd_buf buf = { 0 };
	struct pyd_err ignored;
	const char *line = NULL;
	char name[64];
	bool ret;

	snprintf(name, sizeof(name), "task/%d/status", e->t.tid);
	if (!pyd_procfs_read(p->pid, name, 16384, &buf, &ignored))
		line = strstr((const char *)buf.data, "\nx86_Thread_features:");
	ret = line && memmem(line, strcspn(line + 1, "\n") + 1, "shstk", 5);
	pyd_buf_deinit(&buf);
	return ret;
}

bool pyd_inject_can(const struct pyd_process *p, const struct pyd_tracee *e)
{
	return e->state == PYD_TRACEE_STOPPED && !e->sig && !e->t.in_job_stop &&
	       !in_sequence(p, e) && !has_shadow_stack(p, e);
}

/* -- how -- */

enum stop_kind {
	STOP_CALL,  /* at a system call's entry or exit */
	STOP_CHILD, /* it made a process */
	STOP_TRAP,  /* our interrupt */
	STOP_OTHER,
	STOP_END,
};

static enum stop_kind await_stop(struct pyd_tracee *e)
{
	int status;
	pid_t got;

	do
		got = waitpid(e->t.tid, &status, __WALL);
	while (got < 0 && errno == EINTR);
	if (got < 0 || !WIFSTOPPED(status)) {
		e->state = PYD_TRACEE_GONE;
		return STOP_END;
	}
	if (status >> 8 == (SIGTRAP | 0x80))
		return STOP_CALL;
	switch (status >> 16) {
	case PTRACE_EVENT_CLONE:
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
		return STOP_CHILD;
	case PTRACE_EVENT_STOP:
		e->t.in_job_stop = WSTOPSIG(status) != SIGTRAP;
		return STOP_TRAP;
	case 0:
		/* One that cannot be blocked: it is delivered when the thread
		 * is let go. */
		if (!e->sig) {
			e->sig = WSTOPSIG(status);
			memset(&e->info, 0, sizeof(e->info));
			(void)ptrace(PTRACE_GETSIGINFO, e->t.tid, NULL,
				     &e->info);
		}
		return STOP_OTHER;
	default:
		return STOP_OTHER;
	}
}

static enum pyd_code gone(const struct pyd_tracee *e, struct pyd_err *err)
{
	return pyd_err_set(err, PYD_GONE, "thread %d has ended", e->t.tid);
}

/* From before the instruction to behind it. */
static enum pyd_code run_call(struct pyd_tracee *e, pid_t *child,
			      struct pyd_err *err)
{
	int calls = 0; /* stops at its entry, then at its exit */

	while (calls < 2) {
		unsigned long msg = 0;

		if (ptrace(PTRACE_SYSCALL, e->t.tid, NULL, NULL))
			return gone(e, err);
		switch (await_stop(e)) {
		case STOP_CALL:
			calls++;
			break;
		case STOP_CHILD:
			if (!ptrace(PTRACE_GETEVENTMSG, e->t.tid, NULL, &msg))
				*child = (pid_t)msg;
			break;
		case STOP_END:
			return gone(e, err);
		default:
			break;
		}
	}
	return PYD_OK;
}

/* Behind the call the kernel would not look at a restart of the interrupted
 * one any more. It does after a stop of the kind that we found it in. */
static enum pyd_code stop_again(struct pyd_tracee *e, struct pyd_err *err)
{
	if (ptrace(PTRACE_INTERRUPT, e->t.tid, NULL, NULL))
		return gone(e, err);
	for (;;) {
		if (ptrace(PTRACE_CONT, e->t.tid, NULL, NULL))
			return gone(e, err);
		switch (await_stop(e)) {
		case STOP_TRAP:
			e->state = PYD_TRACEE_STOPPED;
			return PYD_OK;
		case STOP_END:
			return gone(e, err);
		default:
			break;
		}
	}
}

/* -- the thread's stack -- */

/* True when len bytes at addr are writable private memory, in the region that
 * the thread's stack pointer is in. */
static bool is_stack(const struct pyd_target *t, const struct pyd_regs *regs,
		     pyd_addr addr)
{
	const struct pyd_region *r = pyd_target_region(t, regs->sp);

	return r && addr >= r->start && addr < regs->sp &&
	       r->prot & PYD_PROT_W && !(r->prot & PYD_PROT_SHARED);
}

static enum pyd_code write_words(pid_t tid, pyd_addr addr, const uint8_t *buf,
				 size_t len, struct pyd_err *err)
{
	for (size_t i = 0; i < len; i += sizeof(long)) {
		long word;

		memcpy(&word, buf + i, sizeof(word));
		if (ptrace(PTRACE_POKEDATA, tid, (void *)(addr + i),
			   (void *)word))
			return pyd_err_errno(
				err,
				errno == ESRCH ? PYD_GONE : PYD_UNSUPPORTED,
				errno, "the stack of thread %d is full", tid);
	}
	return PYD_OK;
}

/* In one call, or, where that one is refused, word by word. */
static enum pyd_code write_bytes(pid_t tid, pyd_addr addr, uint8_t *buf,
				 size_t len, struct pyd_err *err)
{
	struct iovec local = { buf, len };
	struct iovec remote = { (void *)(uintptr_t)addr, len };
	ssize_t n = process_vm_writev(tid, &local, 1, &remote, 1, 0);

	return n == (ssize_t)len ? PYD_OK
				 : write_words(tid, addr, buf, len, err);
}

/* What is there before and is put back after. */
struct guard {
	uint8_t frame[PYD_FRAME_MAX];
	uint8_t before[PYD_FRAME_MAX];
	pyd_addr addr;
	size_t len;
};

static enum pyd_code put_guard(struct pyd_target *t, const struct pyd_tracee *e,
			       const struct pyd_regs *regs, uint64_t mask,
			       const struct pyd_gadgets *gadgets,
			       struct guard *g, struct pyd_err *err)
{
	enum pyd_code code = pyd_frame_make(e->t.tid, regs, mask, gadgets,
					    g->frame, &g->len, &g->addr, err);

	if (code)
		return code;
	g->len = (g->len + 7) / 8 * 8;
	if (!is_stack(t, regs, g->addr) ||
	    pyd_target_read(t, g->addr, g->before, g->len, NULL))
		return pyd_err_set(err, PYD_UNSUPPORTED,
				   "the stack of thread %d is full", e->t.tid);
	return write_bytes(e->t.tid, g->addr, g->frame, g->len, err);
}

/*
 * At every moment of this the thread would go on as it should, if we were
 * gone: with the registers that it had, or from the frame, which holds them
 * and its signal mask.
 */
static enum pyd_code call_and_back(struct pyd_tracee *e,
				   const struct pyd_regs *saved, uint64_t mask,
				   const struct pyd_regs *call,
				   struct guard *guard, int64_t *ret,
				   pid_t *ret_child, struct pyd_err *err)
{
	const uint64_t all = UINT64_MAX;
	const uintptr_t options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
				  PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
	struct pyd_regs regs;
	enum pyd_code code = pyd_arch_set_regs(e->t.tid, call, err);

	if (code)
		return code;
	/* No signal may come between. Should the thread be in a call that has
	 * a mask of its own (ppoll, sigsuspend), then the one that was got and
	 * is put back is the thread's, and the call puts its own on again. */
	if (ptrace(PTRACE_SETSIGMASK, e->t.tid, (void *)sizeof(all), &all) ||
	    ptrace(PTRACE_SETOPTIONS, e->t.tid, NULL, (void *)options))
		code = gone(e, err);
	if (!code)
		code = run_call(e, ret_child, err);
	if (!code)
		code = pyd_arch_get_regs(e->t.tid, &regs, err);
	if (!code)
		*ret = pyd_arch_call_result(&regs);
	if (e->state == PYD_TRACEE_GONE)
		return code;

	/* Whatever happened: as it was. */
	struct pyd_err *e_back = code ? NULL : err;
	enum pyd_code back;

	(void)ptrace(PTRACE_SETSIGMASK, e->t.tid, (void *)sizeof(mask), &mask);
	back = pyd_arch_set_regs(e->t.tid, saved, e_back);
	(void)ptrace(PTRACE_SETOPTIONS, e->t.tid, NULL, NULL);
	if (!back)
		back = write_bytes(e->t.tid, guard->addr, guard->before,
				   guard->len, e_back);
	if (!back)
		back = stop_again(e, e_back);
	return code ? code : back;
}

enum pyd_code pyd_inject(struct pyd_target *t, struct pyd_tracee *e,
			 const struct pyd_gadgets *gadgets, long nr,
			 const uint64_t args[6], int64_t *ret, pid_t *ret_child,
			 struct pyd_err *err)
{
	struct pyd_regs saved, call;
	struct guard *guard;
	uint64_t mask = 0;
	pid_t child = 0;
	int64_t result = 0;
	enum pyd_code code = pyd_arch_get_regs(e->t.tid, &saved, err);

	if (code)
		return code;
	if (ptrace(PTRACE_GETSIGMASK, e->t.tid, (void *)sizeof(mask), &mask))
		return pyd_err_errno(err, PYD_UNSUPPORTED, errno,
				     "thread %d does not tell its signal mask",
				     e->t.tid);
	guard = malloc(sizeof(*guard));
	if (!guard)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	code = put_guard(t, e, &saved, mask, gadgets, guard, err);
	if (!code) {
		call = saved;
		pyd_arch_set_call(&call, gadgets->call, guard->addr, nr, args);
		code = call_and_back(e, &saved, mask, &call, guard, &result,
				     &child, err);
	}
	free(guard);
	if (ret_child)
		*ret_child = child;
	*ret = result;
	return code;
}
