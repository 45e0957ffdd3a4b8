// SPDX-License-Identifier: Apache-2.0
#include "target/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static enum pyd_code code_of(int errnum)
{
	switch (errnum) {
	case ENOENT:
	case ESRCH:
		return PYD_GONE;
	case EPERM:
	case EACCES:
		return PYD_PERM;
	case ENOMEM:
		return PYD_NOMEM;
	default:
		return PYD_IO;
	}
}

static enum pyd_code failed(struct pyd_err *err, pid_t pid, const char *name)
{
	int e = errno;
	enum pyd_code code = code_of(e);

	if (code == PYD_GONE)
		return pyd_err_set(err, code, "process %d is gone", pid);
	return pyd_err_errno(err, code, e, "cannot read /proc/%d/%s", pid,
			     name);
}

enum pyd_code pyd_procfs_read(pid_t pid, const char *name, size_t max,
			      struct pyd_buf *ret, struct pyd_err *err)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	pyd_buf_clear(ret);

	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return failed(err, pid, name);

	enum pyd_code code;

	for (;;) {
		code = pyd_buf_reserve(ret, 8192, err);
		if (code)
			break;

		ssize_t n =
			read(fd, ret->data + ret->len, ret->cap - ret->len - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			code = failed(err, pid, name);
			break;
		}
		if (!n)
			break;
		ret->len += (size_t)n;
		if (ret->len > max) {
			code = pyd_err_set(err, PYD_LIMIT,
					   "/proc/%d/%s is longer than %zu "
					   "bytes",
					   pid, name, max);
			break;
		}
	}
	close(fd);
	if (!code)
		ret->data[ret->len] = 0;
	return code;
}

enum pyd_code pyd_procfs_parse_stat(const char *text, struct pyd_proc_stat *ret,
				    struct pyd_err *err)
{
	struct pyd_proc_stat s = { 0 };
	/* The name may hold anything, also ") R 1 (". */
	const char *open = strchr(text, '(');
	const char *close = strrchr(text, ')');

	if (!open || !close || close < open || close[1] != ' ')
		goto bad;

	size_t n = (size_t)(close - open - 1);

	if (n >= sizeof(s.comm))
		n = sizeof(s.comm) - 1;
	memcpy(s.comm, open + 1, n);
	s.comm[n] = 0;

	/* Fields 3 to 24, see proc(5). */
	int64_t rss = 0;
	int got = sscanf(close + 2,
			 "%c %d %*d %*d %*d %*d %" SCNu64
			 " %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %" SCNu64
			 " %*d %" SCNu64 " %" SCNu64 " %" SCNd64,
			 &s.state, &s.ppid, &s.flags, &s.threads, &s.start_time,
			 &s.vsize, &rss);

	if (got != 7)
		goto bad;
	s.rss = rss > 0 ? (uint64_t)rss * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
	*ret = s;
	return PYD_OK;
bad:
	return pyd_err_set(err, PYD_IO, "/proc/PID/stat does not parse");
}

enum pyd_code pyd_procfs_stat(pid_t pid, pid_t tid, struct pyd_proc_stat *ret,
			      struct pyd_err *err)
{
	struct pyd_buf buf = { 0 };
	char name[64] = "stat";

	if (tid)
		snprintf(name, sizeof(name), "task/%d/stat", tid);

	enum pyd_code code = pyd_procfs_read(pid, name, 65536, &buf, err);

	if (!code)
		code = pyd_procfs_parse_stat((const char *)buf.data, ret, err);
	pyd_buf_deinit(&buf);
	return code;
}

static void parse_ns_pids(struct pyd_proc_status *s, const char *at)
{
	while (s->n_ns_pids < PYD_NS_DEPTH) {
		char *end;
		long v = strtol(at, &end, 10);

		if (end == at)
			break;
		s->ns_pids[s->n_ns_pids++] = (pid_t)v;
		at = end;
	}
}

/* Lines of interest are few, and a stopped process may wait for them. */
static void parse_status_line(struct pyd_proc_status *s, const char *line)
{
	const struct {
		const char *name;
		void *to;
		enum { PID, HEX, INT, KB, UIDS, GIDS, NS } as;
	} known[] = {
		{ "Tgid", &s->tgid, PID },
		{ "TracerPid", &s->tracer, PID },
		{ "CapPrm", &s->cap_permitted, HEX },
		{ "CapEff", &s->cap_effective, HEX },
		{ "ShdPnd", &s->sig_pending, HEX },
		{ "SigBlk", &s->sig_blocked, HEX },
		{ "SigIgn", &s->sig_ignored, HEX },
		{ "SigCgt", &s->sig_caught, HEX },
		{ "Seccomp", &s->seccomp, INT },
		{ "Kthread", &s->kthread, INT },
		{ "Uid", NULL, UIDS },
		{ "Gid", NULL, GIDS },
		{ "RssAnon", &s->rss_anon, KB },
		{ "VmSwap", &s->swap, KB },
		{ "NSpid", NULL, NS },
	};
	size_t len = strcspn(line, ":");
	unsigned int u[3] = { 0 };
	char *at = (char *)(uintptr_t)line + len + 1;

	if (!line[len])
		return;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strncmp(line, known[i].name, len) || known[i].name[len])
			continue;
		switch (known[i].as) {
		case PID:
			*(pid_t *)known[i].to = (pid_t)strtol(at, NULL, 10);
			break;
		case INT:
			*(int *)known[i].to = (int)strtol(at, NULL, 10);
			break;
		case HEX:
			*(uint64_t *)known[i].to = strtoull(at, NULL, 16);
			break;
		case KB:
			*(uint64_t *)known[i].to =
				strtoull(at, NULL, 10) * 1024;
			break;
		case UIDS:
		case GIDS:
			for (int k = 0; k < 3; k++)
				u[k] = (unsigned int)strtoul(at, &at, 10);
			if (known[i].as == GIDS) {
				s->gid = u[0];
				s->egid = u[1];
				break;
			}
			s->uid = u[0];
			s->euid = u[1];
			s->suid = u[2];
			break;
		case NS:
			parse_ns_pids(s, at);
			break;
		}
		return;
	}
}

enum pyd_code pyd_procfs_status(pid_t pid, pid_t tid,
				struct pyd_proc_status *ret,
				struct pyd_err *err)
{
	struct pyd_buf buf = { 0 };
	char name[64] = "status";

	if (tid)
		snprintf(name, sizeof(name), "task/%d/status", tid);

	enum pyd_code code = pyd_procfs_read(pid, name, 1U << 20, &buf, err);

	if (!code) {
		struct pyd_proc_status s = { 0 };
		char *save = NULL;
		char *line = strtok_r((char *)buf.data, "\n", &save);

		for (; line; line = strtok_r(NULL, "\n", &save))
			parse_status_line(&s, line);
		*ret = s;
	}
	pyd_buf_deinit(&buf);
	return code;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

size_t pyd_procfs_count_tasks(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	return stat(path, &st) || st.st_nlink < 3 ? 0 : st.st_nlink - 2;
}

enum pyd_code pyd_procfs_tasks(pid_t pid, struct pyd_vec *ret,
			       struct pyd_err *err)
{
	char path[64];
	enum pyd_code code = PYD_OK;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	pyd_vec_clear(ret);

	DIR *dir = opendir(path);

	if (!dir)
		return failed(err, pid, "task");

	for (;;) {
		errno = 0;
		struct dirent *e = readdir(dir);

		if (!e) {
			if (errno)
				code = failed(err, pid, "task");
			break;
		}

		char *end;
		long tid = strtol(e->d_name, &end, 10);

		if (end == e->d_name || *end || tid <= 0)
			continue;
		code = pyd_vec_push(ret, (uint64_t)tid, err);
		if (code)
			break;
	}
	closedir(dir);
	if (!code && !ret->len)
		code = pyd_err_set(err, PYD_GONE, "process %d is gone", pid);
	if (!code)
		qsort(ret->data, ret->len, sizeof(*ret->data), by_value);
	return code;
}

enum pyd_code pyd_procfs_link(pid_t pid, const char *name, char *buf,
			      size_t cap, struct pyd_err *err)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);

	ssize_t n = readlink(path, buf, cap - 1);

	if (n < 0)
		return failed(err, pid, name);
	buf[n] = 0;
	return PYD_OK;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

uint64_t pyd_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t pyd_thread_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}
