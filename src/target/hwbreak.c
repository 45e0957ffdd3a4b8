// SPDX-License-Identifier: Apache-2.0
#include "target/hwbreak.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
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
#ifndef TRAP_PERF
#define TRAP_PERF 6
#endif

/* What our SIGTRAPs say, with the number of the slot in the last byte. */
#define COOKIE 0x7079645f62726b00ULL

enum {
	FILES_MAX = 1 << 16,
	PENDING_MAX = 32, /* signals that are looked at */
};

/* include/uapi/linux/perf_event.h of Linux 5.13; older headers lack some. */
#define ATTR_INHERIT_THREAD (1ULL << 35)
#define ATTR_REMOVE_ON_EXEC (1ULL << 36)
#define ATTR_SIGTRAP (1ULL << 37)

struct attr {
	uint32_t type, size;
	uint64_t config, sample_period, sample_type, read_format, flags;
	uint32_t wakeup_events, bp_type;
	uint64_t bp_addr, bp_len, branch_sample_type, sample_regs_user;
	uint32_t sample_stack_user;
	int32_t clockid;
	uint64_t sample_regs_intr;
	uint32_t aux_watermark;
	uint16_t sample_max_stack, reserved;
	uint32_t aux_sample_size, reserved_too;
	uint64_t sig_data;
};
_Static_assert(sizeof(struct attr) == 128, "PERF_ATTR_SIZE_VER7");

#define ATTR_INHERIT (1ULL << 1)
#define ATTR_EXCLUDE_KERNEL (1ULL << 5)
#define ATTR_EXCLUDE_HV (1ULL << 6)

/* Sends the thread that it runs in SIGURG; 0: no sample is wanted. */
static int load_program(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K,
		  .dst_reg = BPF_REG_1,
		  .imm = SIGURG },
		{ .code = BPF_JMP | BPF_CALL,
		  .imm = BPF_FUNC_send_signal_thread },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_PERF_EVENT;
	attr.insns = (uint64_t)(uintptr_t)insns;
	attr.insn_cnt = sizeof(insns) / sizeof(insns[0]);
	attr.license = (uint64_t)(uintptr_t) "Apache-2.0";
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

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
		.way = PYD_HWBREAK_NO_EVENT,
		.program = -1,
		.first = (int)(files.rlim_cur < FILES_MAX ? files.rlim_cur / 2
							  : FILES_MAX / 2),
	};
	if (!pyd_arch_has_hwbreaks)
		return;
	b->program = load_program();
	b->way = b->program < 0 ? PYD_HWBREAK_SIGTRAP : PYD_HWBREAK_SIGURG;
}

void pyd_hwbreaker_deinit(struct pyd_hwbreaker *b)
{
	if (b->program >= 0)
		close(b->program);
	b->program = -1;
}

void pyd_hwbreaker_leave(const struct pyd_hwbreaker *b)
{
	/* Before Linux 5.9 there is none, nor are there such events. */
	(void)syscall(SYS_close_range, (unsigned int)b->first, ~0U,
		      CLOSE_RANGE_UNSHARE);
}

/* An fd, or -1 with errno. */
static int open_event(const struct pyd_hwbreaker *b, pid_t tid,
		      unsigned int slot, const struct pyd_hwbreak *v,
		      bool inherit)
{
	struct attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.sample_period = 1,
		.flags = ATTR_EXCLUDE_KERNEL | ATTR_EXCLUDE_HV |
			 ATTR_REMOVE_ON_EXEC |
			 (inherit ? ATTR_INHERIT | ATTR_INHERIT_THREAD : 0) |
			 (b->way == PYD_HWBREAK_SIGTRAP ? ATTR_SIGTRAP : 0),
		.bp_type = v->write ? HW_BREAKPOINT_W : HW_BREAKPOINT_X,
		.bp_addr = v->addr,
		.bp_len = v->write ? HW_BREAKPOINT_LEN_8 : sizeof(long),
		.sig_data = b->way == PYD_HWBREAK_SIGTRAP ? COOKIE | slot : 0,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1,
			      PERF_FLAG_FD_CLOEXEC);
	int moved, e;

	if (fd < 0)
		return -1;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, b->first);
	e = errno;
	close(fd);
	if (moved >= 0 && b->way == PYD_HWBREAK_SIGURG &&
	    ioctl(moved, PERF_EVENT_IOC_SET_BPF, b->program)) {
		e = errno;
		close(moved);
		moved = -1;
	}
	errno = e;
	return moved;
}

enum pyd_code pyd_hwbreak_open(struct pyd_hwbreaker *b, pid_t tid,
			       unsigned int slot, const struct pyd_hwbreak *v,
			       bool inherit, int *ret, struct pyd_err *err)
{
	int e = ENOSYS;

	while (b->way != PYD_HWBREAK_NO_EVENT) {
		int fd = open_event(b, tid, slot, v, inherit);

		if (fd >= 0) {
			*ret = fd;
			return PYD_OK;
		}
		e = errno;
		if (e == ESRCH)
			return pyd_err_set(err, PYD_GONE, "thread %d has ended",
					   tid);
		/* All are taken; no other way gives more. */
		if (e == ENOSPC)
			break;
		b->way++;
	}
	return pyd_err_errno(err, PYD_UNSUPPORTED, e,
			     "thread %d takes no hardware breakpoint", tid);
}

/* The slot of one of our SIGTRAPs; -1: it is none. */
static int trap_slot(const siginfo_t *info)
{
	uint64_t data;

	if (info->si_signo != SIGTRAP || info->si_code != TRAP_PERF)
		return -1;
	/* si_perf_data, which the headers of some C libraries lack. */
	memcpy(&data, (const char *)&info->si_addr + sizeof(info->si_addr),
	       sizeof(data));
	return (data & ~0xffULL) == COOKIE ? (int)(data & 0xff) : -1;
}

/* The signal says nothing: where the thread is does. */
static unsigned int hits_here(pid_t tid,
			      const struct pyd_hwbreak v[PYD_HWBREAKS],
			      bool *ret_sure)
{
	struct pyd_regs regs;
	struct pyd_err ignored;
	unsigned int at = 0, writes = 0;

	if (pyd_arch_get_regs(tid, &regs, &ignored))
		return 0;
	for (unsigned int i = 0; i < PYD_HWBREAKS; i++) {
		if (!v[i].addr)
			continue;
		if (v[i].write)
			writes |= 1U << i;
		else if (v[i].addr == regs.pc)
			at |= 1U << i;
	}
	*ret_sure = at;
	return at ? at : writes;
}

bool pyd_hwbreak_is_hit(pid_t tid, const siginfo_t *info,
			const struct pyd_hwbreak v[PYD_HWBREAKS],
			unsigned int *ret_hits, bool *ret_sure)
{
	const int slot = trap_slot(info);

	*ret_sure = true;
	if (slot >= 0) {
		*ret_hits = 1U << slot;
		return true;
	}
	if (info->si_signo == SIGTRAP && info->si_code == TRAP_HWBKPT) {
		*ret_hits = pyd_arch_hwbreaks_hit(tid);
		return true;
	}
	if (info->si_signo == SIGURG && info->si_code == SI_KERNEL) {
		*ret_hits = hits_here(tid, v, ret_sure);
		return true;
	}
	return false;
}

uint64_t pyd_hwbreak_hits(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

bool pyd_hwbreak_pending(pid_t tid, uint64_t *ret_mask)
{
	const struct __ptrace_peeksiginfo_args args = { .nr = PENDING_MAX };
	const uint64_t bit = 1ULL << (SIGTRAP - 1);
	siginfo_t v[PENDING_MAX];
	long n = ptrace(PTRACE_PEEKSIGINFO, tid, &args, v);
	bool found = false;
	uint64_t mask;

	for (long i = 0; i < n; i++)
		found = found || trap_slot(&v[i]) >= 0;
	if (!found ||
	    ptrace(PTRACE_GETSIGMASK, tid, sizeof(*ret_mask), ret_mask))
		return false;
	mask = *ret_mask & ~bit;
	return !(*ret_mask & bit) ||
	       !ptrace(PTRACE_SETSIGMASK, tid, sizeof(mask), &mask);
}

void pyd_hwbreak_block(pid_t tid, uint64_t mask)
{
	if (mask & 1ULL << (SIGTRAP - 1))
		(void)ptrace(PTRACE_SETSIGMASK, tid, sizeof(mask), &mask);
}
