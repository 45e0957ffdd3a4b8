// SPDX-License-Identifier: Apache-2.0
#include "target/seccomp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

#include "target/arch.h"

#ifndef SECCOMP_RET_LOG
#define SECCOMP_RET_LOG 0x7ffc0000U
#endif
#ifndef SECCOMP_RET_ACTION_FULL
#define SECCOMP_RET_ACTION_FULL 0xffff0000U
#endif

enum {
	MAX_FILTERS = 256,
	WORDS = sizeof(struct seccomp_data) / 4,
};

struct machine {
	uint32_t a, x;
	uint32_t mem[BPF_MEMWORDS];
};

static enum pyd_code corrupt(size_t pc, struct pyd_err *err)
{
	return pyd_err_set(err, PYD_CORRUPT,
			   "instruction %zu of the filter makes no sense", pc);
}

/* *ret_zero: divided by 0, by which the kernel ends the program with 0. */
static bool compute(struct machine *m, uint16_t code, uint32_t v,
		    bool *ret_zero)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		m->a += v;
		return true;
	case BPF_SUB:
		m->a -= v;
		return true;
	case BPF_MUL:
		m->a *= v;
		return true;
	case BPF_DIV:
		*ret_zero = !v;
		m->a = v ? m->a / v : 0;
		return true;
	case BPF_OR:
		m->a |= v;
		return true;
	case BPF_AND:
		m->a &= v;
		return true;
	case BPF_XOR:
		m->a ^= v;
		return true;
	case BPF_LSH: /* by the processor's rule: modulo 32 */
		m->a <<= v & 31;
		return true;
	case BPF_RSH:
		m->a >>= v & 31;
		return true;
	case BPF_NEG:
		m->a = 0 - m->a;
		return true;
	default:
		return false;
	}
}

/* How many instructions are passed over; SIZE_MAX: no such jump. */
static size_t jump(const struct machine *m, const struct sock_filter *i)
{
	uint32_t v = BPF_SRC(i->code) == BPF_X ? m->x : i->k;

	switch (BPF_OP(i->code)) {
	case BPF_JA:
		return i->k;
	case BPF_JEQ:
		return m->a == v ? i->jt : i->jf;
	case BPF_JGT:
		return m->a > v ? i->jt : i->jf;
	case BPF_JGE:
		return m->a >= v ? i->jt : i->jf;
	case BPF_JSET:
		return m->a & v ? i->jt : i->jf;
	default:
		return SIZE_MAX;
	}
}

static enum pyd_code load(const struct machine *m, const struct sock_filter *i,
			  const struct seccomp_data *data, unsigned int unknown,
			  size_t pc, uint32_t *ret, struct pyd_err *err)
{
	switch (i->code & ~BPF_CLASS(0xff)) {
	case BPF_W | BPF_ABS:
		if (BPF_CLASS(i->code) != BPF_LD || i->k % 4 ||
		    i->k / 4 >= WORDS)
			return corrupt(pc, err);
		if (unknown >> i->k / 4 & 1)
			return pyd_err_set(err, PYD_UNSUPPORTED,
					   "it depends on an argument that is "
					   "not known");
		memcpy(ret, (const uint8_t *)data + i->k, sizeof(*ret));
		return PYD_OK;
	case BPF_W | BPF_LEN:
		*ret = sizeof(*data);
		return PYD_OK;
	case BPF_W | BPF_IMM:
		*ret = i->k;
		return PYD_OK;
	case BPF_W | BPF_MEM:
		if (i->k >= BPF_MEMWORDS)
			return corrupt(pc, err);
		*ret = m->mem[i->k];
		return PYD_OK;
	default:
		return corrupt(pc, err);
	}
}

enum pyd_code pyd_seccomp_run(const struct sock_filter *prog, size_t n,
			      const struct seccomp_data *data,
			      unsigned int unknown, uint32_t *ret,
			      struct pyd_err *err)
{
	struct machine m = { 0 };

	/* Jumps go forward only: n steps at most. */
	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &prog[pc];
		enum pyd_code code = PYD_OK;
		bool zero = false;
		size_t over;

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			code = load(&m, i, data, unknown, pc, &m.a, err);
			break;
		case BPF_LDX:
			code = load(&m, i, data, unknown, pc, &m.x, err);
			break;
		case BPF_ST:
		case BPF_STX:
			if (i->k >= BPF_MEMWORDS)
				return corrupt(pc, err);
			m.mem[i->k] = BPF_CLASS(i->code) == BPF_ST ? m.a : m.x;
			break;
		case BPF_ALU:
			if (!compute(&m, i->code,
				     BPF_SRC(i->code) == BPF_X ? m.x : i->k,
				     &zero))
				return corrupt(pc, err);
			break;
		case BPF_JMP:
			over = jump(&m, i);
			if (over >= n - pc)
				return corrupt(pc, err);
			pc += over;
			break;
		case BPF_RET:
			if (BPF_RVAL(i->code) == BPF_X)
				return corrupt(pc, err);
			*ret = BPF_RVAL(i->code) == BPF_A ? m.a : i->k;
			return PYD_OK;
		default: /* BPF_MISC */
			if (BPF_MISCOP(i->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
			break;
		}
		if (code)
			return code;
		if (zero) {
			*ret = 0;
			return PYD_OK;
		}
	}
	return corrupt(n, err);
}

/* -- of a thread -- */

static enum pyd_code judge(const struct sock_filter *prog, size_t n,
			   pyd_addr ip, const struct pyd_call *call, pid_t pid,
			   struct pyd_err *err)
{
	struct seccomp_data data = {
		.nr = (int)call->nr,
		.arch = pyd_arch_audit,
		.instruction_pointer = ip,
	};
	unsigned int unknown = call->unknown & PYD_CALL_ELSEWHERE ? 3U << 2 : 0;
	struct pyd_err why = { 0 };
	uint32_t verdict = 0;

	for (unsigned int i = 0; i < 6; i++) {
		data.args[i] = call->args[i];
		if (call->unknown >> i & 1)
			unknown |= 3U << (4 + 2 * i);
	}

	enum pyd_code code =
		pyd_seccomp_run(prog, n, &data, unknown, &verdict, &why);

	if (code)
		return pyd_err_set(err, PYD_UNSUPPORTED,
				   "process %d has a seccomp filter that does "
				   "not tell whether it may fork: %s",
				   pid, why.msg);
	verdict &= SECCOMP_RET_ACTION_FULL;
	if (verdict == SECCOMP_RET_ALLOW || verdict == SECCOMP_RET_LOG)
		return PYD_OK;
	return pyd_err_set(err, PYD_UNSUPPORTED,
			   "a seccomp filter of process %d does not allow "
			   "system call %ld, which a fork needs",
			   pid, call->nr);
}

/* Filter number index of a thread; *ret_n 0: there is none of that number. */
static enum pyd_code fetch(pid_t tid, size_t index, struct sock_filter *prog,
			   size_t *ret_n, pid_t pid, struct pyd_err *err)
{
	long n = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (void *)index, NULL);

	if (n < 0 && errno == ENOENT && index) {
		*ret_n = 0;
		return PYD_OK;
	}
	if (n > 0 && n <= BPF_MAXINSNS &&
	    ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (void *)index, prog) == n) {
		*ret_n = (size_t)n;
		return PYD_OK;
	}
	return pyd_err_set(err, PYD_UNSUPPORTED,
			   "process %d has a seccomp filter, which might not "
			   "let it fork; to read it takes CAP_SYS_ADMIN (%s)",
			   pid, n < 0 ? strerror(errno) : "it changed");
}

enum pyd_code pyd_seccomp_allows(const struct pyd_process *p, pid_t tid,
				 pyd_addr ip, const struct pyd_call *calls,
				 size_t n, struct pyd_err *err)
{
	struct pyd_proc_status status;
	enum pyd_code code = pyd_procfs_status(p->pid, tid, &status, err);

	if (code || !status.seccomp)
		return code;
	if (status.seccomp != SECCOMP_MODE_FILTER)
		return pyd_err_set(err, PYD_UNSUPPORTED,
				   "process %d is in strict seccomp mode and "
				   "may not fork",
				   p->pid);

	struct sock_filter *prog = malloc(BPF_MAXINSNS * sizeof(*prog));
	size_t len = 0;

	if (!prog)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; !code; i++) {
		if (i == MAX_FILTERS)
			code = pyd_err_set(err, PYD_UNSUPPORTED,
					   "process %d has too many seccomp "
					   "filters",
					   p->pid);
		else
			code = fetch(tid, i, prog, &len, p->pid, err);
		if (code || !len)
			break;
		for (size_t k = 0; k < n && !code; k++)
			code = judge(prog, len, ip, &calls[k], p->pid, err);
	}
	free(prog);
	return code;
}
