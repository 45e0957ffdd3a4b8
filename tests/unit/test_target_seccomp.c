// SPDX-License-Identifier: Apache-2.0
#include "child.h"
#include <errno.h>
#include <linux/audit.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "target/arch.h"
#include "target/seccomp.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct pyd_err err;

static const struct seccomp_data data = {
	.nr = 56,
	.arch = AUDIT_ARCH_X86_64,
	.instruction_pointer = 0x7fff12345678,
	.args = { 0x400, 64, 1, 2, 3, 0xfedcba9876543210 },
};

static uint32_t run(const struct sock_filter *prog, size_t n)
{
	uint32_t ret = 0xdead;

	cr_assert_eq(pyd_seccomp_run(prog, n, &data, 0, &ret, &err), PYD_OK,
		     "%s", err.msg);
	return ret;
}

Test(seccomp, made_by_hand)
{
	const struct sock_filter words[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16 + 5 * 8 + 4),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	const struct sock_filter store[] = {
		BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0),
		BPF_STMT(BPF_STX, 3),
		BPF_STMT(BPF_LD | BPF_MEM, 3),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_IMM, 7),
		BPF_STMT(BPF_ALU | BPF_NEG, 0),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	const struct sock_filter zero[] = {
		BPF_STMT(BPF_LDX | BPF_IMM, 0),
		BPF_STMT(BPF_LD | BPF_IMM, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_filter jumps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 56, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 56, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 7, 1, 0),
		BPF_STMT(BPF_JMP | BPF_JA, 1),
		BPF_STMT(BPF_RET | BPF_K, 1),
		BPF_STMT(BPF_RET | BPF_K, 2),
	};

	cr_assert_eq(run(words, N(words)), 0xfedcba98);
	cr_assert_eq(run(store, N(store)), 64 * 64 - 7);
	cr_assert_eq(run(zero, N(zero)), 0);
	cr_assert_eq(run(jumps, N(jumps)), 2);
}

Test(seccomp, not_a_filter)
{
	const struct sock_filter bad[][2] = {
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64),
		  BPF_STMT(BPF_RET | BPF_A, 0) },
		{ BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2),
		  BPF_STMT(BPF_RET | BPF_A, 0) },
		{ BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		  BPF_STMT(BPF_RET | BPF_A, 0) },
		{ BPF_STMT(BPF_LD | BPF_MEM, 16),
		  BPF_STMT(BPF_RET | BPF_A, 0) },
		{ BPF_STMT(BPF_ST, 0xffffffff), BPF_STMT(BPF_RET | BPF_A, 0) },
		{ BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_RET | BPF_A, 0) },
		{ BPF_STMT(BPF_JMP | BPF_JA, 0xffffffff),
		  BPF_STMT(BPF_RET | BPF_A, 0) },
		{ BPF_STMT(BPF_LD | BPF_IMM, 0), BPF_STMT(BPF_ST, 0) },
		{ BPF_STMT(BPF_ALU | 0xf0, 0), BPF_STMT(BPF_RET | BPF_A, 0) },
	};
	uint32_t ret = 7;

	for (size_t i = 0; i < N(bad); i++)
		cr_assert_eq(pyd_seccomp_run(bad[i], 2, &data, 0, &ret, &err),
			     PYD_CORRUPT, "%zu", i);
	cr_assert_eq(ret, 7);
}

Test(seccomp, looks_at_what_is_not_known)
{
	const struct sock_filter prog[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 56, 1, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct seccomp_data other = data;
	uint32_t ret = 0;

	cr_assert_eq(pyd_seccomp_run(prog, N(prog), &data, 3 << 4, &ret, &err),
		     PYD_OK);
	cr_assert_eq(ret, SECCOMP_RET_ALLOW);
	other.nr = 1;
	cr_assert_eq(pyd_seccomp_run(prog, N(prog), &other, 3 << 4, &ret, &err),
		     PYD_UNSUPPORTED);
}

/* -- against the kernel -- */

static uint32_t random_of(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 32);
}

/* Everything that the kernel takes, but for the instruction pointer; the last
 * 8 bits of A become the call's error. */
static size_t random_filter(uint64_t *seed, struct sock_filter *v)
{
	static const uint16_t ops[] = {
		BPF_LD | BPF_IMM,
		BPF_LDX | BPF_IMM,
		BPF_LD | BPF_MEM,
		BPF_LDX | BPF_MEM,
		BPF_ST,
		BPF_STX,
		BPF_LD | BPF_W | BPF_LEN,
		BPF_LDX | BPF_W | BPF_LEN,
		BPF_LD | BPF_W | BPF_ABS,
		BPF_LD | BPF_W | BPF_ABS,
		BPF_ALU | BPF_ADD | BPF_K,
		BPF_ALU | BPF_ADD | BPF_X,
		BPF_ALU | BPF_SUB | BPF_K,
		BPF_ALU | BPF_SUB | BPF_X,
		BPF_ALU | BPF_MUL | BPF_K,
		BPF_ALU | BPF_MUL | BPF_X,
		BPF_ALU | BPF_DIV | BPF_K,
		BPF_ALU | BPF_AND | BPF_X,
		BPF_ALU | BPF_OR | BPF_K,
		BPF_ALU | BPF_XOR | BPF_X,
		BPF_ALU | BPF_LSH | BPF_K,
		BPF_ALU | BPF_LSH | BPF_X,
		BPF_ALU | BPF_RSH | BPF_K,
		BPF_ALU | BPF_RSH | BPF_X,
		BPF_ALU | BPF_NEG,
		BPF_MISC | BPF_TAX,
		BPF_MISC | BPF_TXA,
		BPF_JMP | BPF_JA,
		BPF_JMP | BPF_JEQ | BPF_K,
		BPF_JMP | BPF_JGT | BPF_X,
		BPF_JMP | BPF_JGE | BPF_K,
		BPF_JMP | BPF_JSET | BPF_X,
		BPF_JMP | BPF_JSET | BPF_K,
	};
	/* The call whose verdict is asked, and no other. */
	const struct sock_filter head[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_filter tail[] = {
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	size_t body = 10 + random_of(seed) % 60;
	size_t n = 0;

	for (size_t i = 0; i < N(head); i++)
		v[n++] = head[i];
	/* Memory is to be written before it is read. */
	for (uint32_t i = 0; i < BPF_MEMWORDS; i++)
		v[n++] = (struct sock_filter)BPF_STMT(BPF_ST, i);
	for (size_t i = 0; i < body; i++) {
		uint16_t op = ops[random_of(seed) % N(ops)];
		struct sock_filter f = { .code = op, .k = random_of(seed) };
		uint32_t left = (uint32_t)(body - i - 1);

		if (f.k & 1)
			f.k >>= random_of(seed) % 32;
		if (BPF_CLASS(op) == BPF_ST || BPF_CLASS(op) == BPF_STX ||
		    (BPF_CLASS(op) <= BPF_LDX && BPF_MODE(op) == BPF_MEM))
			f.k %= BPF_MEMWORDS;
		else if (op == (BPF_LD | BPF_W | BPF_ABS))
			f.k = 16 + f.k % 12 * 4;
		else if (BPF_CLASS(op) <= BPF_LDX && BPF_MODE(op) == BPF_LEN)
			f.k = 0;
		else if (op == (BPF_ALU | BPF_DIV | BPF_K))
			f.k |= 1;
		else if (op == (BPF_ALU | BPF_LSH | BPF_K) ||
			 op == (BPF_ALU | BPF_RSH | BPF_K))
			f.k %= 32;
		else if (op == (BPF_JMP | BPF_JA))
			f.k %= left + 1;
		else if (BPF_CLASS(op) == BPF_JMP) {
			f.jt = (uint8_t)(random_of(seed) % (left + 1));
			f.jf = (uint8_t)(random_of(seed) % (left + 1));
		}
		v[n++] = f;
	}
	for (size_t i = 0; i < N(tail); i++)
		v[n++] = tail[i];
	return n;
}

static const uint64_t call_args[6] = {
	0x1, 0xffffffff00000000, 0x123456789abcdef0, 42, 0x80000000, ~0ULL,
};

static void install(const struct sock_filter *v, size_t n)
{
	struct sock_fprog prog = { (unsigned short)n,
				   (struct sock_filter *)(uintptr_t)v };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		_exit(71);
}

Test(seccomp, as_the_kernel, .timeout = 60)
{
	uint64_t seed = 11;
	size_t refused = 0;

	for (int i = 0; i < 400; i++) {
		struct sock_filter v[128];
		size_t n = random_filter(&seed, v);
		struct seccomp_data d = { .nr = SYS_getppid,
					  .arch = pyd_arch_audit };
		uint32_t mine = 0;
		int status = 0;
		pid_t pid;

		memcpy(d.args, call_args, sizeof(d.args));
		cr_assert_eq(pyd_seccomp_run(v, n, &d, 3 << 2, &mine, &err),
			     PYD_OK, "%d: %s", i, err.msg);
		pid = fork();
		if (!pid) {
			long got;

			install(v, n);
			errno = 0;
			got = syscall(SYS_getppid, call_args[0], call_args[1],
				      call_args[2], call_args[3], call_args[4],
				      call_args[5]);
			_exit(got ? errno : 0);
		}
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		/* A division by 0 ends it, in the evaluator with 0 likewise. */
		if (!mine) {
			cr_assert(WIFSIGNALED(status), "%d", i);
			continue;
		}
		cr_assert(WIFEXITED(status), "%d: %x", i, status);
		cr_assert_neq(WEXITSTATUS(status), 71, "%d: refused", i);
		cr_assert_eq(WEXITSTATUS(status), mine & 0xff, "%d", i);
		refused += (mine & 0xff) != 0;
	}
	cr_assert_gt(refused, 100);
}

/* -- of a thread -- */

static void filtered(struct child *c)
{
	/* As container profiles have it: no clone of new namespaces. */
	const struct sock_filter clone_filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x7e020000, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	const struct sock_filter kill_filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mount, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	install(clone_filter, N(clone_filter));
	install(kill_filter, N(kill_filter));
	child_tell(c);
	child_wait(c);
}

Test(seccomp, filters_of_a_thread)
{
	const struct pyd_call fine[] = {
		{ .nr = SYS_clone, .args = { 0x400, 64 } },
		{ .nr = SYS_wait4, .unknown = 0x3f },
	};
	const struct pyd_call spaces = { .nr = SYS_clone,
					 .args = { 0x20000000 } };
	const struct pyd_call unsure = { .nr = SYS_clone, .unknown = 1 };
	const struct pyd_call mount = { .nr = SYS_mount };
	struct child c = child_start(filtered);
	struct pyd_process p;
	int status;

	if (getuid())
		cr_skip_test("needs CAP_SYS_ADMIN");
	child_listen(&c);
	cr_assert_eq(pyd_process_open(c.pid, &p, &err), PYD_OK);
	cr_assert_eq(ptrace(PTRACE_SEIZE, c.pid, NULL, NULL), 0);
	cr_assert_eq(ptrace(PTRACE_INTERRUPT, c.pid, NULL, NULL), 0);
	cr_assert_eq(waitpid(c.pid, &status, 0), c.pid);
	cr_assert_eq(pyd_seccomp_allows(&p, c.pid, 4096, fine, 2, &err), PYD_OK,
		     "%s", err.msg);
	cr_assert_eq(pyd_seccomp_allows(&p, c.pid, 4096, &spaces, 1, &err),
		     PYD_UNSUPPORTED);
	cr_assert(strstr(err.msg, "seccomp"));
	cr_assert_eq(pyd_seccomp_allows(&p, c.pid, 4096, &unsure, 1, &err),
		     PYD_UNSUPPORTED);
	cr_assert(strstr(err.msg, "argument"));
	cr_assert_eq(pyd_seccomp_allows(&p, c.pid, 4096, &mount, 1, &err),
		     PYD_UNSUPPORTED);
	pyd_process_close(&p);
	child_end(&c);
}
