// SPDX-License-Identifier: Apache-2.0
#include "child.h"
#include <sys/syscall.h>

#include "target/process.h"
#include "target/stop.h"

static struct pyd_err err;
static size_t page;

static void setup(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	memset(&err, 0, sizeof(err));
}

TestSuite(process, .init = setup);

static void idle(struct child *c)
{
	child_tell(c);
	child_wait(c);
}

Test(process, that_is_not_there)
{
	struct child c = child_start(idle);
	struct pyd_process p;
	pid_t pid = c.pid;

	child_listen(&c);
	child_end(&c);
	cr_assert_eq(pyd_process_open(pid, &p, &err), PYD_NOTFOUND);
	cr_expect(strstr(err.msg, "no such process"), "%s", err.msg);
	cr_expect_eq(pyd_process_open(-1, &p, &err), PYD_USAGE);
	cr_expect_eq(pyd_process_open(0, &p, &err), PYD_USAGE);
	cr_expect_eq(pyd_process_open(getpid(), &p, &err), PYD_USAGE);
}

static void end_at_once(struct child *c)
{
	(void)c;
	_exit(3);
}

Test(process, zombie)
{
	struct child c = child_start(end_at_once);
	struct pyd_process p;
	siginfo_t info;

	cr_assert_eq(waitid(P_PID, (id_t)c.pid, &info, WEXITED | WNOWAIT), 0);
	cr_assert_eq(pyd_process_open(c.pid, &p, &err), PYD_GONE);
	cr_expect(strstr(err.msg, "zombie"), "%s", err.msg);
	child_end(&c);
}

Test(process, kernel_thread)
{
	struct pyd_proc_stat s;
	struct pyd_process p;

	if (pyd_procfs_stat(2, 0, &s, &err) || strcmp(s.comm, "kthreadd"))
		cr_skip_test("no kernel threads to be seen here");
	cr_assert_eq(pyd_process_open(2, &p, &err), PYD_UNSUPPORTED);
	cr_expect(strstr(err.msg, "kernel thread"), "%s", err.msg);
}

static void *thread_id(void *arg)
{
	struct child *c = arg;

	c->shared->count[0] = (uint64_t)syscall(SYS_gettid);
	child_tell(c);
	pause();
	return NULL;
}

static void with_thread(struct child *c)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_id, c);
	pthread_join(t, NULL);
}

Test(process, id_of_a_thread)
{
	struct child c = child_start(with_thread);
	struct pyd_process p;

	child_listen(&c);
	cr_assert_eq(pyd_process_open((pid_t)c.shared->count[0], &p, &err),
		     PYD_NOTFOUND);
	cr_expect(strstr(err.msg, "is a thread of process"), "%s", err.msg);
	child_end(&c);
}

/* [0] two pages, then nothing; [1] three pages, the middle one a guard. */
static void mapped(struct child *c)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	/* A hole before it too, whatever else is mapped. */
	uint8_t *a = mmap(NULL, 4 * size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *b = mmap(NULL, 5 * size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(a, size);
	a += size;
	memset(a, 1, 2 * size);
	memcpy(a + 2 * size - 8, "the end\0", 8);
	memcpy(a + size - 4, "across", 7);
	munmap(a + 2 * size, size);
	memset(b, 2, 5 * size);
	munmap(b, size);
	munmap(b + 4 * size, size);
	mprotect(b + 2 * size, size, PROT_NONE);
	c->shared->addr[0] = (uint64_t)(uintptr_t)a;
	c->shared->addr[1] = (uint64_t)(uintptr_t)(b + size);
	child_tell(c);
	child_wait(c);
}

static void check_reads(struct pyd_target *t, pyd_addr a, pyd_addr b)
{
	uint8_t buf[5 * 65536];
	char text[16];
	uint64_t word;
	uint8_t cut;

	cr_assert_eq(pyd_target_read(t, a, buf, 2 * page, &err), PYD_OK);
	cr_expect_eq(buf[0], 1);
	cr_expect_arr_eq(buf + 2 * page - 8, "the end", 8);
	cr_assert_eq(pyd_target_read_u64(t, a + 2 * page - 8, &word, &err),
		     PYD_OK);
	word = 77;
	cr_expect_eq(pyd_target_read_u64(t, a + 2 * page - 7, &word, &err),
		     PYD_FAULT);
	cr_expect_eq(word, 77, "written to on failure");
	cr_expect_eq(pyd_target_read(t, a, buf, 2 * page + 1, &err), PYD_FAULT);
	cr_expect_eq(err.addr, a + 2 * page);
	cr_expect_eq(pyd_target_read(t, a - 1, buf, 2, &err), PYD_FAULT);
	cr_expect_eq(pyd_target_read(t, UINT64_MAX - 3, buf, 8, &err),
		     PYD_FAULT);
	cr_expect_eq(pyd_target_read(t, 0, buf, 8, &err), PYD_FAULT);
	cr_expect_eq(pyd_target_read(t, UINT64_MAX, buf, 0, &err), PYD_OK);

	cr_assert_eq(pyd_target_read_cstr(t, a + 2 * page - 8, text,
					  sizeof(text), &cut, &err),
		     PYD_OK);
	cr_expect_str_eq(text, "the end");
	cr_expect_not(cut);
	cr_assert_eq(pyd_target_read_cstr(t, a + page - 4, text, 4, &cut, &err),
		     PYD_OK);
	cr_expect_str_eq(text, "acr");
	cr_expect(cut);
	cr_assert_eq(pyd_target_read_cstr(t, a + page - 4, text, sizeof(text),
					  &cut, &err),
		     PYD_OK);
	cr_expect_str_eq(text, "across");
	/* Ones up to the end of memory, but for the text at its end. */
	cr_expect_eq(pyd_target_read_cstr(t, a + 2 * page - 1, text,
					  sizeof(text), NULL, &err),
		     PYD_OK);
	cr_expect_str_eq(text, "");

	cr_expect_eq(pyd_target_read(t, b, buf, page, &err), PYD_OK);
	cr_expect_eq(pyd_target_read(t, b + 2 * page, buf, page, &err), PYD_OK);
	cr_expect_eq(pyd_target_read(t, b + page - 8, buf, 8, &err), PYD_OK);
}

Test(process, reads_at_ends)
{
	struct child c = child_start(mapped);
	struct pyd_process p;
	struct pyd_target *t;
	uint8_t buf[8];

	child_listen(&c);
	cr_assert_eq(pyd_process_open(c.pid, &p, &err), PYD_OK);
	cr_assert_eq(pyd_target_process_create(&p, &t, &err), PYD_OK);
	check_reads(t, c.shared->addr[0], c.shared->addr[1]);
	cr_expect_eq(
		pyd_target_read(t, c.shared->addr[1] + page - 4, buf, 8, &err),
		PYD_FAULT, "read a guard page");
	/* The other way of reading; it does not heed protection. */
	p.no_vm_readv = 1;
	check_reads(t, c.shared->addr[0], c.shared->addr[1]);
	cr_expect(pyd_target_region(t, c.shared->addr[0]));
	pyd_target_destroy(t);
	pyd_process_close(&p);
	child_end(&c);
}

Test(process, that_ends)
{
	struct child c = child_start(mapped);
	struct pyd_process p;
	struct pyd_target *t;
	uint8_t buf[8];
	pyd_addr a;

	child_listen(&c);
	a = c.shared->addr[0];
	cr_assert_eq(pyd_process_open(c.pid, &p, &err), PYD_OK);
	cr_assert_eq(pyd_target_process_create(&p, &t, &err), PYD_OK);
	cr_assert_eq(pyd_process_check(&p, &err), PYD_OK);
	child_end(&c);
	cr_expect_eq(pyd_process_check(&p, &err), PYD_GONE);
	cr_expect_eq(pyd_target_read(t, a, buf, 8, &err), PYD_GONE);
	p.no_vm_readv = 1;
	cr_expect_eq(pyd_target_read(t, a, buf, 8, &err), PYD_GONE);
	pyd_target_destroy(t);
	pyd_process_close(&p);
	pyd_process_close(&p);
}

static void exec_later(struct child *c)
{
	child_tell(c);
	child_wait(c);
	dup2(c->from, 9);
	execl("/bin/sh", "sh", "-c", "echo x >&9; exec sleep 100", NULL);
	_exit(71);
}

Test(process, that_becomes_another_program)
{
	struct child c = child_start(exec_later);
	struct pyd_process p;
	struct pyd_target *t;

	child_listen(&c);
	cr_assert_eq(pyd_process_open(c.pid, &p, &err), PYD_OK);
	cr_assert_eq(pyd_target_process_create(&p, &t, &err), PYD_OK);
	child_go(&c);
	child_listen(&c);
	cr_expect_eq(pyd_process_check(&p, &err), PYD_GONE);
	cr_expect(strstr(err.msg, "exec"), "%s", err.msg);

	struct pyd_stop *s;

	cr_expect_eq(pyd_stop_all(&p, NULL, &s, &err), PYD_GONE);
	pyd_target_destroy(t);
	pyd_process_close(&p);
	child_end(&c);
}

/* Reasons, as the user "nobody" gets them. */
Test(process, of_another_user)
{
	struct child c = child_start(idle);
	struct pyd_process p;

	child_listen(&c);
	if (getuid())
		cr_skip_test("needs root");
	cr_assert_eq(setresgid(65534, 65534, 65534), 0);
	cr_assert_eq(setresuid(65534, 65534, 65534), 0);
	cr_assert_eq(pyd_process_open(c.pid, &p, &err), PYD_OK, "%s", err.msg);
	cr_assert_eq(pyd_process_access(&p, &err), PYD_PERM);
	cr_expect(strstr(err.msg, "belongs to user 0"), "%s", err.msg);
	cr_expect(strstr(err.msg, "as root"), "%s", err.msg);
	pyd_process_close(&p);
	close(c.to); /* it ends by itself: we may not kill it */
}
