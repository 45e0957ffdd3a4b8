// SPDX-License-Identifier: Apache-2.0
#include "target/hwbreak.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2U
#endif
enum { FILES_MAX = 1 << 16 };

void pyd_hwbreaker_init(struct pyd_hwbreaker *b)
{
	struct rlimit files = { 1024, 1024 };

	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur =
			files.rlim_max < FILES_MAX ? files.rlim_max : FILES_MAX;
		if (setrlimit(RLIMIT_NOFILE, &files))
			(void)getrlimit(RLIMIT_NOFILE, &files);
	}
	*b = (struct pyd_hwbreaker) {
		.events = pyd_arch_has_hwbreaks,
		.first = (int)(files.rlim_cur < FILES_MAX ? files.rlim_cur / 2
							  : FILES_MAX / 2),
	};
}

void pyd_hwbreaker_leave(const struct pyd_hwbreaker *b)
{
	/* Before Linux 5.9 there is none: they end with the dump. */
	(void)syscall(SYS_close_range, (unsigned int)b->first, ~0U,
		      CLOSE_RANGE_UNSHARE);
}

/* Has the thread get SIGURG when its event is hit. */
static bool send_signal(int fd, pid_t tid)
{
	const struct f_owner_ex owner = { .type = F_OWNER_TID, .pid = tid };

	return !fcntl(fd, F_SETOWN_EX, &owner) &&
	       !fcntl(fd, F_SETSIG, SIGURG) && !fcntl(fd, F_SETFL, O_ASYNC);
}

/* An fd, or -1 with errno. */
static int open_event(const struct pyd_hwbreaker *b, pid_t tid,
		      const struct pyd_hwbreak *v)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.sample_period = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.bp_type = v->write ? HW_BREAKPOINT_W : HW_BREAKPOINT_X,
		.bp_addr = v->addr,
		.bp_len = v->write ? HW_BREAKPOINT_LEN_8 : sizeof(long),
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1,
			      PERF_FLAG_FD_CLOEXEC);
	int moved, e;

	if (fd < 0)
		return -1;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, b->first);
	e = errno;
	close(fd);
	if (moved >= 0 && !send_signal(moved, tid)) {
		e = errno;
		close(moved);
		moved = -1;
	}
	errno = e;
	return moved;
}

enum pyd_code pyd_hwbreak_open(struct pyd_hwbreaker *b, pid_t tid,
			       const struct pyd_hwbreak *v, int *ret,
			       struct pyd_err *err)
{
	int e = ENOSYS;

	if (b->events) {
		int fd = open_event(b, tid, v);

		if (fd >= 0) {
			*ret = fd;
			return PYD_OK;
		}
		e = errno;
		if (e == ESRCH)
			return pyd_err_set(err, PYD_GONE, "thread %d has ended",
					   tid);
		/* All are taken: the registers have no more. */
		b->events = e == ENOSPC;
	}
	return pyd_err_errno(err, PYD_UNSUPPORTED, e,
			     "thread %d takes no hardware breakpoint", tid);
}

bool pyd_hwbreak_is_hit(const struct pyd_hwbreaker *b, pid_t tid,
			const siginfo_t *info, const int fds[PYD_HWBREAKS],
			unsigned int *ret_hits)
{
	*ret_hits = 0;
	if (info->si_signo == SIGTRAP && info->si_code == TRAP_HWBKPT) {
		*ret_hits = pyd_arch_hwbreaks_hit(tid);
		return true;
	}
	/* The number is that of our file. */
	if (info->si_signo != SIGURG || info->si_code != POLL_IN ||
	    info->si_fd < b->first)
		return false;
	for (unsigned int i = 0; i < PYD_HWBREAKS; i++)
		if (fds[i] == info->si_fd)
			*ret_hits |= 1U << i;
	return true;
}
