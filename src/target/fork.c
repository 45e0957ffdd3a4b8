// SPDX-License-Identifier: Apache-2.0
#include "target/fork.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "target/seccomp.h"

/* Where the child's stack pointer points: below what can be mapped. */
#define NOWHERE 64U

/* Threads whose filters are asked: most often all have the same. */
enum { MAX_ASKED = 16 };

static enum pyd_code refused(const struct pyd_process *p, int errnum,
			     struct pyd_err *err)
{
	const char *hint = "";

	if (errnum == EAGAIN)
		hint = ", which is a limit on processes (RLIMIT_NPROC, "
		       "pids.max)";
	else if (errnum == ENOMEM)
		hint = ", which is a limit on memory (overcommit, cgroup)";
	return pyd_err_set(err, errnum == ENOMEM ? PYD_NOMEM : PYD_UNSUPPORTED,
			   "process %d cannot be forked: %s%s", p->pid,
			   strerror(errnum), hint);
}

/* The one that is chosen first when memory is short. */
static void offer_to_oom(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "1000", 4) != 4)
		pyd_log_debug("the snapshot keeps its oom_score_adj");
	close(fd);
}

/* Ends the child; the target still has it as a zombie. */
static void end_child(struct pyd_fork *f)
{
	int st;

	if (kill(f->child, SIGKILL))
		return;
	while (waitpid(f->child, &st, __WALL) < 0 && errno == EINTR)
		;
}

static enum pyd_code hold(struct pyd_fork *f, struct pyd_err *err)
{
	int st;
	pid_t got;

	do
		got = waitpid(f->child, &st, __WALL);
	while (got < 0 && errno == EINTR);
	if (got != f->child || !WIFSTOPPED(st) ||
	    ptrace(PTRACE_SETOPTIONS, f->child, NULL,
		   (void *)(uintptr_t)PTRACE_O_EXITKILL))
		return pyd_err_set(err, PYD_UNSUPPORTED,
				   "the snapshot was killed when it was made");
	return PYD_OK;
}

void pyd_fork_settle(struct pyd_fork *f)
{
	struct pyd_proc_status status;
	struct pyd_err ignored;

	offer_to_oom(f->child);
	/* To end it takes the kernel a while, as much as to make it, of the
	 * processor time of the program's own control group. */
	(void)setpriority(PRIO_PROCESS, (id_t)f->child, 19);
	f->ns_child = f->child;
	if (!pyd_procfs_status(f->child, 0, &status, &ignored) &&
	    status.n_ns_pids)
		f->ns_child = status.ns_pids[status.n_ns_pids - 1];
}

enum pyd_code pyd_fork_may(const struct pyd_process *p,
			   const struct pyd_fork *f, const struct pyd_tracee *e,
			   struct pyd_err *err)
{
	const struct pyd_call calls[] = {
		{ .nr = SYS_clone, .args = { CLONE_FILES, NOWHERE } },
		{
			.nr = SYS_wait4,
			.args = { 0, 0, WNOHANG | __WALL, 0 },
			.unknown = 1,
		},
		/* By which a thread that was left alone comes back; its
		 * arguments are whatever registers hold. */
		{ .nr = SYS_rt_sigreturn,
		  .unknown = 0x3f | PYD_CALL_ELSEWHERE },
	};

	if (!pyd_inject_can(p, e))
		return pyd_err_set(err, PYD_BUSY,
				   "thread %d of process %d can make no call",
				   e->t.tid, p->pid);
	return pyd_seccomp_allows(p, e->t.tid,
				  f->gadgets.call + pyd_arch_syscall_len, calls,
				  sizeof(calls) / sizeof(calls[0]), err);
}

/* Best one that waits in the kernel. */
static enum pyd_code choose(const struct pyd_process *p, struct pyd_tracee *v,
			    size_t n, const struct pyd_fork *f,
			    struct pyd_tracee **ret, struct pyd_err *err)
{
	struct pyd_err why = { 0 };
	enum pyd_code code = PYD_BUSY;
	int asked = 0;

	for (int in_call = 1; in_call >= 0; in_call--)
		for (size_t i = 0; i < n && asked < MAX_ASKED; i++) {
			if (v[i].state != PYD_TRACEE_STOPPED ||
			    pyd_arch_in_call(&v[i].t.regs) != in_call)
				continue;
			code = pyd_fork_may(p, f, &v[i], &why);
			if (!code) {
				*ret = &v[i];
				return PYD_OK;
			}
			/* Told from there on: what the filters say. */
			if (code != PYD_BUSY) {
				asked++;
				*err = why;
			}
		}
	if (asked)
		return PYD_UNSUPPORTED;
	return pyd_err_set(err, PYD_BUSY,
			   "no thread of process %d can fork it: all are "
			   "stopped, asleep in the kernel, or about to take a "
			   "signal",
			   p->pid);
}

enum pyd_code pyd_fork_make(const struct pyd_process *p, struct pyd_tracee *v,
			    size_t n, struct pyd_fork *f, struct pyd_err *err)
{
	const uint64_t args[6] = { CLONE_FILES, NOWHERE };
	struct pyd_tracee *e = NULL;
	int64_t result;
	enum pyd_code code = choose(p, v, n, f, &e, err);

	if (code)
		return code;
	code = pyd_inject(f->target, e, &f->gadgets, SYS_clone, args, &result,
			  &f->child, err);
	if (!code && (result < 0 || !f->child))
		code = refused(p, result < 0 ? (int)-result : ECHILD, err);
	if (!code)
		code = hold(f, err);
	if (code && f->child) {
		struct pyd_err ignored;

		pyd_fork_settle(f);
		end_child(f);
		if (e->state == PYD_TRACEE_STOPPED &&
		    pyd_fork_reap(f, e, &ignored))
			pyd_log_debug("%s", ignored.msg);
		f->child = 0;
	}
	return code;
}

enum pyd_code pyd_fork_reap(const struct pyd_fork *f, struct pyd_tracee *e,
			    struct pyd_err *err)
{
	const uint64_t args[6] = { (uint64_t)f->ns_child, 0, WNOHANG | __WALL,
				   0 };
	int64_t result;
	enum pyd_code code = pyd_inject(f->target, e, &f->gadgets, SYS_wait4,
					args, &result, NULL, err);

	if (code)
		return code;
	/* Somebody else of the target may have waited for any child. */
	if (result != f->ns_child && result != -ECHILD)
		return pyd_err_set(err, PYD_UNSUPPORTED,
				   "process %d did not collect the snapshot: "
				   "%lld",
				   e->t.tid, (long long)result);
	return PYD_OK;
}
