// SPDX-License-Identifier: Apache-2.0
#include "target/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "target/maps.h"

#define PF_KTHREAD 0x00200000U
#define CAP_SYS_PTRACE_BIT 19

static int open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static enum pyd_code refuse(const struct pyd_process *p, struct pyd_err *err)
{
	pid_t pid = p->pid;

	if (p->status.tgid && p->status.tgid != pid)
		return pyd_err_set(err, PYD_NOTFOUND,
				   "%d is a thread of process %d; give %d", pid,
				   p->status.tgid, p->status.tgid);
	if (p->stat.state == 'Z' && p->stat.threads > 1)
		return pyd_err_set(
			err, PYD_UNSUPPORTED,
			"the main thread of process %d (%s) has ended while "
			"others run; such a process cannot be read",
			pid, p->stat.comm);
	if (p->stat.state == 'Z' || p->stat.state == 'X')
		return pyd_err_set(
			err, PYD_GONE,
			"process %d (%s) is a zombie: it has ended and has no "
			"memory any more; its parent %d has not waited for it",
			pid, p->stat.comm, p->stat.ppid);
	if (p->status.kthread || p->stat.flags & PF_KTHREAD)
		return pyd_err_set(err, PYD_UNSUPPORTED,
				   "process %d (%s) is a kernel thread, not a "
				   "program",
				   pid, p->stat.comm);
	return PYD_OK;
}

enum pyd_code pyd_process_open(pid_t pid, struct pyd_process *ret,
			       struct pyd_err *err)
{
	struct pyd_process p = { .pid = pid, .pidfd = -1, .memfd = -1 };
	struct pyd_proc_stat again;

	if (pid <= 0)
		return pyd_err_set(err, PYD_USAGE, "%d is not a process id",
				   pid);
	if (pid == getpid())
		return pyd_err_set(err, PYD_USAGE,
				   "%d is pydumpd itself; give the id of "
				   "another process",
				   pid);

	/* First the descriptor, then what it is: a PID that is recycled in
	 * between shows in the check at the end. */
	p.pidfd = open_pidfd(pid);

	enum pyd_code code = pyd_procfs_stat(pid, 0, &p.stat, err);

	if (!code)
		code = pyd_procfs_status(pid, 0, &p.status, err);
	if (code == PYD_GONE)
		code = pyd_err_set(err, PYD_NOTFOUND,
				   "no such process: %d; 'pydumpd ps' lists "
				   "those that can be dumped",
				   pid);
	if (code == PYD_PERM)
		code = pyd_err_set(err, PYD_PERM,
				   "process %d is hidden from you (/proc is "
				   "mounted with hidepid); run as its owner or "
				   "as root",
				   pid);
	if (!code)
		code = refuse(&p, err);
	if (!code)
		code = pyd_procfs_stat(pid, 0, &again, err);
	if (!code && again.start_time != p.stat.start_time)
		code = pyd_err_set(err, PYD_GONE, "process %d is gone", pid);
	if (code) {
		pyd_process_close(&p);
		return code;
	}

	char ours[64];
	char theirs[64];
	struct pyd_err ignored;

	/* NSpid alone is not enough: in a sibling namespace that we see
	 * through a foreign /proc it has one entry too. */
	p.other_pid_ns = p.status.n_ns_pids > 1 ||
			 (!pyd_procfs_link(getpid(), "ns/pid", ours,
					   sizeof(ours), &ignored) &&
			  !pyd_procfs_link(pid, "ns/pid", theirs,
					   sizeof(theirs), &ignored) &&
			  strcmp(ours, theirs));
	*ret = p;
	return PYD_OK;
}

void pyd_process_close(struct pyd_process *p)
{
	/* A zeroed struct has 0 as descriptors, but no pid. */
	if (p->pid) {
		if (p->pidfd >= 0)
			close(p->pidfd);
		if (p->memfd >= 0)
			close(p->memfd);
	}
	*p = (struct pyd_process) { .pidfd = -1, .memfd = -1 };
}

enum pyd_code pyd_process_access(struct pyd_process *p, struct pyd_err *err)
{
	char path[64];

	if (p->memfd >= 0)
		return PYD_OK;
	snprintf(path, sizeof(path), "/proc/%d/mem", p->pid);

	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return pyd_process_explain(p, errno, err);
	if (fd < 0 && (errno == ENOENT || errno == ESRCH))
		return pyd_err_set(err, PYD_GONE, "process %d is gone", p->pid);
	if (fd < 0)
		return pyd_err_errno(err, PYD_IO, errno, "cannot open %s",
				     path);
	p->memfd = fd;
	return pyd_process_check(p, err);
}

enum pyd_code pyd_process_check(const struct pyd_process *p,
				struct pyd_err *err)
{
	struct pollfd poll_fd = { .fd = p->pidfd, .events = POLLIN };
	struct pyd_proc_stat now;

	if (p->pidfd >= 0 && poll(&poll_fd, 1, 0) > 0)
		return pyd_err_set(err, PYD_GONE, "process %d has ended",
				   p->pid);

	enum pyd_code code = pyd_procfs_stat(p->pid, 0, &now, err);

	if (code)
		return code;
	if (now.start_time != p->stat.start_time)
		return pyd_err_set(err, PYD_GONE,
				   "process %d has ended, and its id was given "
				   "to another",
				   p->pid);
	return pyd_process_check_memory(p, err);
}

enum pyd_code pyd_process_check_memory(const struct pyd_process *p,
				       struct pyd_err *err)
{
	char byte;

	/* 0 and not EIO: that address space is no more. */
	if (p->memfd < 0 || !p->probe ||
	    pread(p->memfd, &byte, 1, (off_t)p->probe))
		return PYD_OK;
	return pyd_err_set(err, PYD_GONE,
			   "process %d has ended or replaced itself by exec",
			   p->pid);
}

static void tracer_name(pid_t tracer, char *buf, size_t cap)
{
	struct pyd_proc_stat s;
	struct pyd_err ignored;

	if (pyd_procfs_stat(tracer, 0, &s, &ignored))
		snprintf(buf, cap, "unknown");
	else
		snprintf(buf, cap, "%s", s.comm);
}

enum pyd_code pyd_process_untraced(const struct pyd_process *p,
				   struct pyd_err *err)
{
	struct pyd_proc_status s;
	enum pyd_code code = pyd_procfs_status(p->pid, 0, &s, err);

	if (code || !s.tracer || s.tracer == getpid())
		return code;

	char name[80];

	tracer_name(s.tracer, name, sizeof(name));
	return pyd_err_set(err, PYD_BUSY,
			   "process %d is traced already, by process %d (%s), "
			   "and a process has one tracer at most; end that one "
			   "first, or use --capture=live, which needs no trace",
			   p->pid, s.tracer, name);
}

enum pyd_code pyd_process_ptrace(const struct pyd_process *p,
				 struct pyd_err *err)
{
	/* Of a process that we do not trace: ESRCH when we may ask at all. */
	errno = 0;
	if (ptrace(PTRACE_PEEKDATA, p->pid, NULL, NULL) != -1 || !errno ||
	    errno == ESRCH || errno == EIO)
		return PYD_OK;
	return pyd_err_set(err, PYD_PERM,
			   "cannot attach to %d: ptrace is refused to pydumpd "
			   "by a seccomp filter; start its container with "
			   "--cap-add SYS_PTRACE, run outside of it, or use "
			   "--capture=live, which needs no trace",
			   p->pid);
}

static bool read_int_file(const char *path, long *ret)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fscanf(f, "%ld", ret) == 1;

	if (f)
		fclose(f);
	return ok;
}

static enum pyd_code perm(struct pyd_err *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static enum pyd_code perm(struct pyd_err *err, int errnum, const char *fmt, ...)
{
	char why[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	pyd_err_set(err, PYD_PERM, "%s", why);
	if (err)
		err->errnum = errnum;
	return PYD_PERM;
}

enum pyd_code pyd_process_explain(const struct pyd_process *p, int errnum,
				  struct pyd_err *err)
{
	struct pyd_proc_status me;
	struct pyd_proc_status it;
	enum pyd_code code = pyd_process_check(p, err);
	pid_t pid = p->pid;

	if (!code)
		code = pyd_procfs_status(getpid(), 0, &me, err);
	if (!code)
		code = pyd_procfs_status(pid, 0, &it, err);
	if (!code)
		code = pyd_process_untraced(p, err);
	if (!code)
		code = pyd_process_ptrace(p, err);
	if (code)
		return code;

	struct stat st = { 0 };
	char path[64];
	char ours[64];
	char theirs[64];
	struct pyd_err ignored;
	bool capable = me.cap_effective >> CAP_SYS_PTRACE_BIT & 1;
	long scope = 0;

	read_int_file("/proc/sys/kernel/yama/ptrace_scope", &scope);
	if (scope == 3)
		return perm(err, errnum,
			    "cannot attach to %d: kernel.yama.ptrace_scope is "
			    "3, which forbids it to everybody until the next "
			    "boot; set it lower in /etc/sysctl.d and reboot",
			    pid);
	if (!capable &&
	    (me.uid != it.uid || me.uid != it.euid || me.uid != it.suid))
		return perm(err, errnum,
			    "cannot attach to %d: it belongs to user %u and "
			    "you are %u without CAP_SYS_PTRACE; run as that "
			    "user or as root (in a container: with --cap-add "
			    "SYS_PTRACE)",
			    pid, it.uid, me.euid);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (!capable && !stat(path, &st) && st.st_uid != it.euid)
		return perm(err, errnum,
			    "cannot attach to %d: it is marked not dumpable "
			    "(it changed its user, has file capabilities, an "
			    "unreadable program file or asked for it by "
			    "prctl); run as root",
			    pid);
	if (!capable && (it.cap_permitted & ~me.cap_permitted))
		return perm(err, errnum,
			    "cannot attach to %d: it has capabilities that you "
			    "lack (0x%llx); run as root",
			    pid,
			    (unsigned long long)(it.cap_permitted &
						 ~me.cap_permitted));
	if (!capable && scope == 1)
		return perm(err, errnum,
			    "cannot attach to %d: kernel.yama.ptrace_scope is "
			    "1, which allows it to a parent only; run as root, "
			    "or: sysctl kernel.yama.ptrace_scope=0",
			    pid);
	if (!capable && scope == 2)
		return perm(err, errnum,
			    "cannot attach to %d: kernel.yama.ptrace_scope is "
			    "2, which needs CAP_SYS_PTRACE; run as root, or: "
			    "sysctl kernel.yama.ptrace_scope=0",
			    pid);
	if (capable && !pyd_procfs_link(getpid(), "ns/user", ours, sizeof(ours),
					&ignored)) {
		bool known = !pyd_procfs_link(pid, "ns/user", theirs,
					      sizeof(theirs), &ignored);

		if (!known || strcmp(ours, theirs))
			return perm(
				err, errnum,
				"cannot attach to %d: it lives in another "
				"user namespace (a container), where your "
				"capabilities do not count%s; run on the "
				"host as root, or inside that container",
				pid,
				known ? ""
				      : ", or a security module forbids it");
	}
	return perm(err, errnum,
		    "cannot attach to %d: %s, though user and capabilities "
		    "would allow it; a security module or seccomp filter "
		    "(SELinux, AppArmor, container profile) forbids it; see "
		    "the kernel log, or run outside the container",
		    pid, strerror(errnum));
}

/* -- the live target -- */

struct live {
	struct pyd_target base;
	struct pyd_process *p;
	struct pyd_maps maps;
};

/* Container profiles have refused it where ptrace was allowed. */
static bool refused(int errnum)
{
	return errnum == EPERM || errnum == ENOSYS || errnum == EACCES;
}

static enum pyd_code gone(const struct pyd_process *p, struct pyd_err *err)
{
	return pyd_err_set(err, PYD_GONE,
			   "process %d ended, or replaced itself by exec, "
			   "while it was read",
			   p->pid);
}

static enum pyd_code read_mem(struct pyd_process *p, pyd_addr addr, void *buf,
			      size_t len, size_t *ret, struct pyd_err *err)
{
	ssize_t n;

	*ret = 0;
	if (addr > INT64_MAX)
		return PYD_OK; /* vsyscall page: no offset for it */
	do
		n = pread(p->memfd, buf, len, (off_t)addr);
	while (n < 0 && errno == EINTR);
	if (!n)
		return gone(p, err);
	if (n < 0 && (errno == EPERM || errno == EACCES))
		return pyd_process_explain(p, errno, err);
	if (n > 0)
		*ret = (size_t)n;
	return PYD_OK;
}

enum pyd_code pyd_process_read_some(struct pyd_process *p, pyd_addr addr,
				    void *buf, size_t len, size_t *ret,
				    struct pyd_err *err)
{
	if (!p->no_vm_readv) {
		struct iovec local = { buf, len };
		struct iovec remote = { (void *)(uintptr_t)addr, len };
		ssize_t n = process_vm_readv(p->pid, &local, 1, &remote, 1, 0);

		if (n > 0) {
			*ret = (size_t)n;
			return PYD_OK;
		}
		if (n < 0 && errno == ESRCH)
			return gone(p, err);
		if (n < 0 && refused(errno)) {
			pyd_log_debug("process_vm_readv: %s; reading "
				      "/proc/%d/mem instead",
				      strerror(errno), p->pid);
			p->no_vm_readv = 1;
		} else {
			/* EFAULT: nothing there, or an address space that
			 * is being torn down. */
			*ret = 0;
			return PYD_OK;
		}
	}
	return read_mem(p, addr, buf, len, ret, err);
}

static enum pyd_code live_read(struct pyd_target *t, pyd_addr addr, void *buf,
			       size_t len, struct pyd_err *err)
{
	struct live *l = (struct live *)t;
	size_t have = 0;

	while (have < len) {
		size_t n;
		enum pyd_code code = pyd_process_read_some(l->p, addr + have,
							   (char *)buf + have,
							   len - have, &n, err);

		if (code)
			return code;
		if (!n)
			return pyd_err_at(err, PYD_FAULT, addr + have,
					  "nothing is readable at 0x%llx",
					  (unsigned long long)(addr + have));
		have += n;
	}
	return PYD_OK;
}

static void live_destroy(struct pyd_target *t)
{
	struct live *l = (struct live *)t;

	pyd_maps_deinit(&l->maps);
	free(l);
}

static const struct pyd_target_ops live_ops = {
	.name = "process",
	.read = live_read,
	.destroy = live_destroy,
};

enum pyd_code pyd_target_process_refresh(struct pyd_target *t,
					 struct pyd_err *err)
{
	struct live *l = (struct live *)t;
	struct pyd_maps maps;
	enum pyd_code code;

	if (t->ops != &live_ops)
		return pyd_err_set(err, PYD_USAGE, "not a live target");
	code = pyd_maps_read(l->p->pid, &maps, err);
	if (code == PYD_PERM)
		return pyd_process_explain(l->p, EACCES, err);
	if (code)
		return code;
	pyd_maps_deinit(&l->maps);
	l->maps = maps;
	t->regions = maps.regions;
	t->nregions = maps.n;
	l->p->probe = maps.regions[0].start;
	return PYD_OK;
}

enum pyd_code pyd_target_process_create(struct pyd_process *p,
					struct pyd_target **ret,
					struct pyd_err *err)
{
	enum pyd_code code = pyd_process_access(p, err);

	if (code)
		return code;

	struct live *l = calloc(1, sizeof(*l));

	if (!l)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	l->base.ops = &live_ops;
	l->base.pid = p->pid;
	l->p = p;
	code = pyd_target_process_refresh(&l->base, err);
	if (code) {
		live_destroy(&l->base);
		return code;
	}
	*ret = &l->base;
	return PYD_OK;
}
