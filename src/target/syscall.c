// SPDX-License-Identifier: Apache-2.0
#include "target/syscall.h"

#include <inttypes.h>
#include <linux/futex.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "target/procfs.h"

/* Results that the kernel keeps to itself: the call goes on, or ends with
 * EINTR, when the thread runs again. include/linux/errno.h */
enum {
	RESULT_EINTR = -4,
	RESULT_RESTART_FIRST = -516, /* ERESTART_RESTARTBLOCK */
	RESULT_RESTART_LAST = -512,  /* ERESTARTSYS */
	CLOCK_IDS = 12,
	POLL_MAX = 1 << 16,
};

void pyd_call_of_regs(const struct pyd_regs *regs, struct pyd_syscall *ret)
{
	int64_t result = pyd_arch_call_result(regs);
	struct pyd_syscall c = { .state = PYD_CALL_NONE };

	c.nr = pyd_arch_call(regs, c.args);
	if (c.nr >= 0 &&
	    (result == RESULT_EINTR ||
	     (result >= RESULT_RESTART_FIRST && result <= RESULT_RESTART_LAST)))
		c.state = PYD_CALL_WAITS;
	*ret = c;
}

static uint64_t switches(pid_t pid, pid_t tid)
{
	static const char *const lines[] = {
		"\nvoluntary_ctxt_switches:",
		"\nnonvoluntary_ctxt_switches:",
	};
	struct pyd_buf buf = { 0 };
	struct pyd_err ignored;
	uint64_t sum = 0;
	char name[64];

	snprintf(name, sizeof(name), "task/%d/status", tid);
	if (!pyd_procfs_read(pid, name, 1U << 20, &buf, &ignored))
		for (size_t i = 0; i < 2; i++) {
			const char *at =
				strstr((const char *)buf.data, lines[i]);

			if (at)
				sum += strtoull(at + strlen(lines[i]), NULL,
						10);
		}
	pyd_buf_deinit(&buf);
	return sum;
}

void pyd_call_of_proc(pid_t pid, pid_t tid, struct pyd_syscall *ret,
		      uint64_t *ret_switches)
{
	struct pyd_syscall c = { .state = PYD_CALL_UNKNOWN };
	struct pyd_buf buf = { 0 };
	struct pyd_err ignored;
	char name[64];

	if (ret_switches)
		*ret_switches = switches(pid, tid);
	snprintf(name, sizeof(name), "task/%d/syscall", tid);
	if (!pyd_procfs_read(pid, name, 4096, &buf, &ignored)) {
		const char *text = (const char *)buf.data;

		/* "running", "-1 SP PC": not in a call; else its number, six
		 * arguments, SP and PC. */
		if (sscanf(text,
			   "%ld 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64
			   " 0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64,
			   &c.nr, &c.args[0], &c.args[1], &c.args[2],
			   &c.args[3], &c.args[4], &c.args[5]) == 7)
			c.state = PYD_CALL_WAITS;
		else if (*text)
			c.state = PYD_CALL_NONE;
	}
	pyd_buf_deinit(&buf);
	*ret = c;
}

static bool is_mapped(const struct pyd_target *t, uint64_t addr)
{
	return addr && pyd_target_region(t, addr);
}

static bool is_timed_futex(const struct pyd_syscall *c,
			   const struct pyd_target *t)
{
	uint32_t op = (uint32_t)c->args[1] & (uint32_t)FUTEX_CMD_MASK;

	return c->args[0] % 4 == 0 && is_mapped(t, c->args[0]) &&
	       is_mapped(t, c->args[3]) &&
	       c->args[1] < (FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME) * 2 &&
	       (op == FUTEX_WAIT ||
		(op == FUTEX_WAIT_BITSET &&
		 (uint32_t)c->args[5] == FUTEX_BITSET_MATCH_ANY));
}

void pyd_call_restarted(struct pyd_syscall *c, const struct pyd_target *t)
{
	if (c->state != PYD_CALL_WAITS || c->nr != SYS_restart_syscall)
		return;
	c->guessed = true;
	if (is_timed_futex(c, t))
		c->nr = SYS_futex;
	else if (c->args[0] < CLOCK_IDS && c->args[1] <= 1 &&
		 is_mapped(t, c->args[2]))
		c->nr = SYS_clock_nanosleep;
#ifdef SYS_poll
	else if (c->args[1] < POLL_MAX && (int32_t)c->args[2] > 0 &&
		 !is_mapped(t, c->args[2]) && is_mapped(t, c->args[0]))
		c->nr = SYS_poll;
#endif
	else
		c->nr = -1;
}

void pyd_call_name(long nr, char *buf, size_t cap)
{
	char *name = nr < 0 ? NULL
			    : seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE,
							       (int)nr);

	snprintf(buf, cap, "%s", name ? name : "?");
	free(name);
}
