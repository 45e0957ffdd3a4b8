// SPDX-License-Identifier: Apache-2.0
#include "walk/peers.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "base/say.h"
#include "target/procfs.h"

enum {
	NAMED_MAX = 4,
	PIDS_MAX = 256, /* relatives that are looked at */
	FDS_MAX = 4096, /* of one of them */
	LOCKS_MAX = 4 << 20,
};

/* -- processes -- */

struct pids {
	pid_t v[PIDS_MAX];
	size_t n;
};

static void add(struct pids *s, pid_t pid)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i] == pid)
			return;
	if (pid > 0 && s->n < PIDS_MAX)
		s->v[s->n++] = pid;
}

static void add_children(struct pids *s, pid_t pid)
{
	char path[64];
	const struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		struct pyd_buf buf = { 0 };
		struct pyd_err ignored;
		char name[300];
		char *at, *end;

		snprintf(name, sizeof(name), "task/%s/children", e->d_name);
		if (isdigit((unsigned char)e->d_name[0]) &&
		    !pyd_procfs_read(pid, name, 1 << 16, &buf, &ignored))
			for (at = (char *)buf.data;; at = end) {
				long v = strtol(at, &end, 10);

				if (end == at)
					break;
				add(s, (pid_t)v);
			}
		pyd_buf_deinit(&buf);
	}
	if (dir)
		closedir(dir);
}

static void say_process(struct pyd_say *t, pid_t pid)
{
	struct pyd_proc_stat stat;
	struct pyd_err ignored;

	pyd_say(t, "process %d", pid);
	if (!pyd_procfs_stat(pid, pid, &stat, &ignored))
		pyd_say(t, " (%s)", stat.comm);
}

static void say_processes(struct pyd_say *t, const struct pids *s)
{
	for (size_t i = 0; i < s->n && i < NAMED_MAX; i++) {
		pyd_say(t, i ? ", " : "");
		say_process(t, s->v[i]);
	}
	if (s->n > NAMED_MAX)
		pyd_say(t, " and %zu more", s->n - NAMED_MAX);
}

/* -- children -- */

/* The child that the process knows under a number. */
static pid_t child_of(const struct pids *children, pid_t number)
{
	for (size_t i = 0; i < children->n; i++) {
		struct pyd_proc_status status;
		struct pyd_err ignored;

		if (!pyd_procfs_status(children->v[i], 0, &status, &ignored) &&
		    status.n_ns_pids &&
		    status.ns_pids[status.n_ns_pids - 1] == number)
			return children->v[i];
	}
	return 0;
}

/* Of a pidfd, as the process sees it. */
static pid_t pid_of_fd(const struct pyd_process *p, int fd)
{
	struct pyd_buf buf = { 0 };
	struct pyd_err ignored;
	const char *at = NULL;
	char name[64];
	pid_t ret = 0;

	snprintf(name, sizeof(name), "fdinfo/%d", fd);
	if (!pyd_procfs_read(p->pid, name, 4096, &buf, &ignored))
		at = strstr((const char *)buf.data, "\nPid:");
	if (at)
		ret = (pid_t)strtol(at + 5, NULL, 10);
	pyd_buf_deinit(&buf);
	return ret;
}

static void say_child(const struct pyd_process *p, const struct pyd_syscall *c,
		      struct pyd_say *t)
{
	struct pids children = { 0 };
	int id = (int)c->args[0];
	bool any = id == -1;
	pid_t child = 0;

	if (c->nr == SYS_waitid) {
		id = (int)c->args[1];
		any = c->args[0] == P_ALL;
		if (c->args[0] == P_PIDFD)
			child = pid_of_fd(p, id);
		else if (!any && c->args[0] != P_PID)
			return;
	}
	add_children(&children, p->pid);
	if (any) {
		if (!children.n)
			return;
		pyd_say(t, children.n == 1 ? "the end of its only child, "
					   : "the end of any child: ");
		say_processes(t, &children);
		return;
	}
	if (c->nr == SYS_waitid && c->args[0] == P_PIDFD) {
		if (child <= 0)
			return;
	} else {
		child = id > 0 ? child_of(&children, id) : 0;
	}
	if (child <= 0)
		return;
	pyd_say(t, "the end of ");
	say_process(t, child);
}

/* -- locks of files -- */

/* A lock that is asked for. */
struct wanted {
	dev_t device;
	uint64_t inode;
	bool shared;	     /* others may have shared ones */
	uint64_t start, end; /* bytes of the file, both included */
};

/* Who holds locks that are in the way, as /proc/locks tells: "1: FLOCK
 * ADVISORY  WRITE 21843 fe:00:9978095 0 EOF". */
static void holders(const struct wanted *w, const char *kind, pid_t self,
		    struct pids *ret)
{
	FILE *f = fopen("/proc/locks", "re");
	char line[512];
	size_t bytes = 0;

	while (f && fgets(line, sizeof(line), f) && bytes < LOCKS_MAX) {
		unsigned int major_, minor_;
		unsigned long long inode, start;
		char what[16], how[16], end[32];
		int pid;

		bytes += strlen(line);
		/* Those that wait have an arrow before the kind; those of open
		 * files have -1 for the process. */
		if (sscanf(line, "%*d: %15s %*s %15s %d %x:%x:%llu %llu %31s",
			   what, how, &pid, &major_, &minor_, &inode, &start,
			   end) != 8 ||
		    strcmp(what, kind) != 0 || inode != w->inode ||
		    makedev(major_, minor_) != w->device ||
		    (w->shared && !strcmp(how, "READ")) || start > w->end ||
		    (strcmp(end, "EOF") != 0 &&
		     strtoull(end, NULL, 10) < w->start))
			continue;
		if (pid != self || !strcmp(kind, "FLOCK"))
			add(ret, pid);
	}
	if (f)
		fclose(f);
}

/* What a call of fcntl() asks for; false: that depends on where in the file the
 * process is, or is not told. */
static bool read_wanted(struct pyd_target *t, pyd_addr at, struct wanted *ret)
{
	struct pyd_err ignored;
	struct flock l;

	if (pyd_target_read(t, at, &l, sizeof(l), &ignored) ||
	    l.l_whence != SEEK_SET || l.l_start < 0 || l.l_len < 0 ||
	    l.l_len > INT64_MAX - l.l_start)
		return false;
	ret->shared = l.l_type == F_RDLCK;
	ret->start = (uint64_t)l.l_start;
	ret->end = l.l_len ? (uint64_t)(l.l_start + l.l_len - 1) : INT64_MAX;
	return true;
}

static void say_lock(const struct pyd_process *p, struct pyd_target *mem,
		     const struct pyd_syscall *c, struct pyd_say *t)
{
	struct wanted w = { .end = INT64_MAX };
	char name[64], path[96], target[4096];
	struct pyd_err ignored;
	struct statx st;
	struct pids held = { 0 };

	snprintf(name, sizeof(name), "fd/%d", (int)c->args[0]);
	snprintf(path, sizeof(path), "/proc/%d/%s", p->pid, name);
	/* As it is known here: a file system of the network may not answer,
	 * which may be why the process waits. */
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &st) ||
	    pyd_procfs_link(p->pid, name, target, sizeof(target), &ignored))
		return;
	w.device = makedev(st.stx_dev_major, st.stx_dev_minor);
	w.inode = st.stx_ino;
	if (c->nr == SYS_flock) {
		w.shared = c->args[1] & LOCK_SH;
		holders(&w, "FLOCK", p->pid, &held);
	} else if (c->args[1] == F_SETLKW || c->args[1] == F_OFD_SETLKW) {
		if (!read_wanted(mem, c->args[2], &w))
			return;
		/* Both kinds keep each other out. */
		holders(&w, "POSIX", p->pid, &held);
		holders(&w, "OFDLCK", p->pid, &held);
	}
	if (!held.n)
		return;
	pyd_say(t, "a lock on %s, held by ", target);
	say_processes(t, &held);
}

/* -- pipes -- */

/* Whether the process has an end of that pipe to write to, or to read from. */
static bool has_end(pid_t pid, const char *pipe, bool writes)
{
	char path[64];
	const struct dirent *e;
	DIR *dir;
	bool ret = false;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && !ret && n++ < FDS_MAX && (e = readdir(dir))) {
		struct pyd_buf info = { 0 };
		struct pyd_err ignored;
		char name[300], target[64];
		unsigned int flags;
		ssize_t len = readlinkat(dirfd(dir), e->d_name, target,
					 sizeof(target) - 1);

		if (len <= 0)
			continue;
		target[len] = '\0';
		snprintf(name, sizeof(name), "fdinfo/%s", e->d_name);
		if (!strcmp(target, pipe) &&
		    !pyd_procfs_read(pid, name, 4096, &info, &ignored) &&
		    sscanf((const char *)info.data, "pos: %*d flags: %o",
			   &flags) == 1)
			ret = (flags & O_ACCMODE) == O_RDWR ||
			      ((flags & O_ACCMODE) == O_WRONLY) == writes;
		pyd_buf_deinit(&info);
	}
	if (dir)
		closedir(dir);
	return ret;
}

/* Those that a pipe is shared with: by whom it was started, and who was. */
static void say_pipe(const struct pyd_process *p, const struct pyd_syscall *c,
		     struct pyd_say *t)
{
	bool reads = c->nr == SYS_read || c->nr == SYS_readv;
	struct pids near = { 0 }, with = { 0 };
	struct pyd_proc_stat stat;
	struct pyd_err ignored;
	char name[64], pipe[64];

	snprintf(name, sizeof(name), "fd/%d", (int)c->args[0]);
	if (pyd_procfs_link(p->pid, name, pipe, sizeof(pipe), &ignored) ||
	    strncmp(pipe, "pipe:[", 6) != 0)
		return;
	add(&near, p->pid);
	add_children(&near, p->pid);
	if (!pyd_procfs_stat(p->pid, p->pid, &stat, &ignored)) {
		add(&near, stat.ppid);
		add_children(&near, stat.ppid);
	}
	for (size_t i = 0; i < near.n; i++)
		if (has_end(near.v[i], pipe, reads))
			add(&with, near.v[i]);
	if (!with.n)
		return;
	pyd_say(t, reads ? "data of a pipe, to be written by "
			 : "room in a pipe, to be read by ");
	if (with.n == 1 && with.v[0] == p->pid)
		pyd_say(t, "this process itself");
	else
		say_processes(t, &with);
}

void pyd_peers_text(const struct pyd_process *p, struct pyd_target *mem,
		    const struct pyd_syscall *c, char *buf, size_t cap)
{
	struct pyd_say t = { buf, cap, 0 };

	buf[0] = '\0';
	if (c->state != PYD_CALL_WAITS)
		return;
	switch (c->nr) {
	case SYS_wait4:
	case SYS_waitid:
		say_child(p, c, &t);
		break;
	case SYS_flock:
	case SYS_fcntl:
		say_lock(p, mem, c, &t);
		break;
	case SYS_read:
	case SYS_readv:
	case SYS_write:
	case SYS_writev:
		say_pipe(p, c, &t);
		break;
	default:
		break;
	}
}
