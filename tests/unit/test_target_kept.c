// SPDX-License-Identifier: Apache-2.0
/* What is kept of a process that stands still, and what is not read later. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "child.h"
#include "target/kept.h"
#include "target/process.h"
#include "target/procfs.h"

enum { PAGE = 4096, BLOCK = PYD_WINDOW_BYTES, BASE = 0x10000000 };

static struct pyd_err err;

/* Eight blocks of memory; the second page of the third block is not there. */
struct fake {
	struct pyd_target base;
	struct pyd_region regions[2];
	uint8_t bytes[8 * BLOCK];
	size_t calls, asked;
	enum pyd_code fails;
};

static enum pyd_code fake_read(struct pyd_target *t, pyd_addr addr, void *buf,
			       size_t len, struct pyd_err *e)
{
	struct fake *f = (struct fake *)t;
	const pyd_addr hole = BASE + 2 * BLOCK + PAGE;

	f->calls++;
	f->asked += len;
	if (f->fails)
		return pyd_err_set(e, f->fails, "gone");
	if (addr < BASE || addr - BASE > sizeof(f->bytes) ||
	    len > sizeof(f->bytes) - (addr - BASE) ||
	    (addr < hole + PAGE && addr + len > hole))
		return pyd_err_at(e, PYD_FAULT, addr, "a hole");
	memcpy(buf, f->bytes + (addr - BASE), len);
	return PYD_OK;
}

static void fake_destroy(struct pyd_target *t)
{
	free(t);
}

static const struct pyd_target_ops fake_ops = {
	.name = "fake",
	.read = fake_read,
	.destroy = fake_destroy,
};

static struct fake *make_fake(void)
{
	struct fake *f = calloc(1, sizeof(*f));

	cr_assert(f);
	for (size_t i = 0; i < sizeof(f->bytes); i++)
		f->bytes[i] = (uint8_t)(i * 7 + i / 251);
	f->regions[0] = (struct pyd_region) {
		.start = BASE,
		.end = BASE + sizeof(f->bytes),
		.prot = PYD_PROT_R | PYD_PROT_W,
		.path = "",
	};
	f->base.ops = &fake_ops;
	f->base.regions = f->regions;
	f->base.nregions = 1;
	return f;
}

static struct pyd_target *make_kept(size_t bytes, struct fake *f)
{
	struct pyd_target *t = NULL;

	memset(&err, 0, sizeof(err));
	cr_assert_eq(pyd_target_kept_create(bytes, &t, &err), PYD_OK);
	pyd_target_kept_open(t, &f->base, 0, 0);
	return t;
}

static void expect(struct pyd_target *t, const uint8_t *want, pyd_addr addr,
		   size_t len)
{
	static uint8_t got[8 * BLOCK];

	cr_assert_eq(pyd_target_read(t, addr, got, len, &err), PYD_OK, "%s",
		     err.msg);
	cr_assert_eq(memcmp(got, want + (addr - BASE), len), 0);
}

Test(target_kept, comes_from_what_was_read)
{
	struct fake *f = make_fake();
	struct pyd_target *t = make_kept(8 * BLOCK, f);
	uint8_t *was = malloc(sizeof(f->bytes)), byte;
	size_t calls;

	memcpy(was, f->bytes, sizeof(f->bytes));
	expect(t, was, BASE + 10, 3);
	expect(t, was, BASE + BLOCK - 5, 10);
	/* Many at once: one read for all that lack. */
	calls = f->calls;
	expect(t, was, BASE + 4 * BLOCK + 1, 2 * BLOCK);
	cr_assert_eq(f->calls, calls + 1);
	/* Of the second block a page is there. */
	cr_assert_eq(pyd_target_kept_bytes(t), 4 * BLOCK + PAGE);
	calls = f->calls;
	expect(t, was, BASE, 2 * BLOCK);
	cr_assert_eq(f->calls, calls + 1);
	calls = f->calls;
	expect(t, was, BASE, 2 * BLOCK);
	expect(t, was, BASE + 5, 6);
	cr_assert_eq(f->calls, calls, "nothing is read twice");
	cr_assert_eq(pyd_target_kept_bytes(t), 5 * BLOCK);
	pyd_target_kept_close(t);
	/* The process runs, and changes all. */
	memset(f->bytes, 0xee, sizeof(f->bytes));
	expect(t, was, BASE, 2 * BLOCK);
	expect(t, was, BASE + 4 * BLOCK, 3 * BLOCK);
	cr_assert_eq(pyd_target_kept_missed(t), 0);
	cr_assert_eq(pyd_target_read(t, BASE + 3 * BLOCK, &byte, 1, &err),
		     PYD_FAULT);
	cr_assert(strstr(err.msg, "was not read while the process stood"));
	/* Also at the end of one that begins in what is kept. */
	cr_assert_eq(pyd_target_read(t, BASE + 2 * BLOCK - 1, was, 2, &err),
		     PYD_FAULT);
	cr_assert_eq(pyd_target_kept_missed(t), 2);
	cr_assert_eq(f->calls, calls);
	/* Anew: nothing is left. */
	pyd_target_kept_open(t, &f->base, 0, 0);
	expect(t, f->bytes, BASE, 16);
	cr_assert_eq(f->calls, calls + 1);
	cr_assert_eq(pyd_target_kept_bytes(t), PAGE);
	cr_assert_eq(pyd_target_kept_missed(t), 0);
	pyd_target_destroy(t);
	pyd_target_destroy(&f->base);
	free(was);
}

Test(target_kept, pages_that_are_not_there)
{
	struct fake *f = make_fake();
	struct pyd_target *t = make_kept(8 * BLOCK, f);
	pyd_addr third = BASE + 2 * BLOCK;
	uint8_t byte, buf[BLOCK];

	for (int closed = 0; closed < 2; closed++) {
		expect(t, f->bytes, third, PAGE);
		expect(t, f->bytes, third + 2 * PAGE, 2 * PAGE);
		cr_assert_eq(pyd_target_read(t, third + PAGE, &byte, 1, &err),
			     PYD_FAULT);
		cr_assert_str_eq(err.msg, "a hole");
		cr_assert_eq(pyd_target_read(t, third - 8, buf, BLOCK, &err),
			     PYD_FAULT);
		pyd_target_kept_close(t);
	}
	pyd_target_kept_open(t, &f->base, 0, 0);
	/* A touch keeps all there is, and says that something is not. */
	cr_assert_eq(pyd_target_touch(t, BASE, 4 * BLOCK, &err), PYD_FAULT);
	cr_assert_eq(pyd_target_touch(t, third + 2 * PAGE, 10, &err), PYD_OK);
	cr_assert_eq(pyd_target_touch(t, BASE, 2 * BLOCK, &err), PYD_OK);
	cr_assert_eq(pyd_target_touch(t, UINT64_MAX - 5, 10, &err), PYD_FAULT);
	cr_assert_eq(pyd_target_kept_bytes(t), 4 * BLOCK - PAGE);
	pyd_target_kept_close(t);
	expect(t, f->bytes, BASE, 2 * BLOCK);
	expect(t, f->bytes, third + 2 * PAGE, BLOCK);
	pyd_target_destroy(t);
	pyd_target_destroy(&f->base);
}

Test(target_kept, bounds)
{
	struct fake *f = make_fake();
	struct pyd_target *t = make_kept(2 * BLOCK, f);
	uint8_t byte;

	expect(t, f->bytes, BASE, 1);
	cr_assert_not(pyd_target_kept_is_full(t));
	cr_assert_eq(pyd_target_touch(t, BASE, 3 * BLOCK, &err), PYD_BUSY);
	cr_assert(pyd_target_kept_is_full(t));
	cr_assert_eq(pyd_target_touch(t, BASE, SIZE_MAX / 2, &err), PYD_BUSY);
	/* What was kept is there all the same. */
	expect(t, f->bytes, BASE, BLOCK);
	pyd_target_kept_open(t, &f->base, 0, 0);
	cr_assert_not(pyd_target_kept_is_full(t));
	/* The time is over. */
	pyd_target_kept_open(t, &f->base, 1, 0);
	cr_assert_eq(pyd_target_read(t, BASE, &byte, 1, &err), PYD_BUSY);
	cr_assert_not(pyd_target_kept_is_full(t));
	pyd_target_kept_open(t, &f->base, 0, 1);
	while (pyd_target_read(t, BASE, &byte, 1, &err) != PYD_BUSY)
		pyd_target_kept_open(t, &f->base, 0, 1);
	/* What ends a run is passed on, and keeps nothing. */
	pyd_target_kept_open(t, &f->base, 0, 0);
	f->fails = PYD_GONE;
	cr_assert_eq(pyd_target_read(t, BASE, &byte, 1, &err), PYD_GONE);
	f->fails = PYD_OK;
	expect(t, f->bytes, BASE, 1);
	pyd_target_destroy(t);
	pyd_target_destroy(&f->base);
}

static const char constant[] = "a constant of the test program";

static void run_with_code(struct child *c)
{
	c->shared->addr[0] = (uint64_t)(uintptr_t)constant;
	c->shared->addr[1] = (uint64_t)(uintptr_t)&err;
	child_tell(c);
	child_wait(c);
	/* It goes, and something else comes to its place. */
	c->shared->addr[2] =
		mmap((void *)((uintptr_t)constant & ~(uintptr_t)(PAGE - 1)),
		     PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		     -1, 0) != MAP_FAILED;
	child_tell(c);
	child_wait(c);
}

/* Of code alone more is read when the process runs, and whether it is still
 * what it was is asked. */
Test(target_kept, code)
{
	struct child c = child_start(run_with_code);
	struct pyd_process p;
	struct pyd_target *live, *t;
	char text[sizeof(constant)];

	child_listen(&c);
	cr_assert_eq(pyd_process_open(c.pid, &p, &err), PYD_OK);
	cr_assert_eq(pyd_target_process_create(&p, &live, &err), PYD_OK);
	cr_assert_eq(pyd_target_kept_create(1 << 20, &t, &err), PYD_OK);
	pyd_target_kept_open(t, live, 0, 0);
	pyd_target_kept_close(t);
	cr_assert_eq(
		pyd_target_read(t, c.shared->addr[0], text, sizeof(text), &err),
		PYD_FAULT);
	cr_assert(pyd_target_kept_is_true(t));
	pyd_target_kept_code(t, true);
	cr_assert_eq(
		pyd_target_read(t, c.shared->addr[0], text, sizeof(text), &err),
		PYD_OK);
	cr_assert_str_eq(text, constant);
	cr_assert_eq(pyd_target_read(t, c.shared->addr[1], text, 1, &err),
		     PYD_FAULT, "what can change is not read");
	cr_assert(pyd_target_kept_is_true(t));
	pyd_target_kept_code(t, false);
	cr_assert_eq(pyd_target_read(t, c.shared->addr[0], text, 1, &err),
		     PYD_FAULT);
	child_go(&c);
	child_listen(&c);
	cr_assert(c.shared->addr[2]);
	cr_assert_not(pyd_target_kept_is_true(t));
	pyd_target_destroy(t);
	pyd_target_destroy(live);
	pyd_process_close(&p);
	child_end(&c);
}

/* Each page has its number; then one more, and page 2 is gone. */
static void run_with_pages(struct child *c)
{
	uint8_t *at = mmap(NULL, 64 * BLOCK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		_exit(71);
	for (size_t i = 0; i < 64 * BLOCK; i += PAGE)
		at[i] = (uint8_t)(i / PAGE);
	c->shared->addr[0] = (uint64_t)(uintptr_t)at;
	child_tell(c);
	child_wait(c);
	for (size_t i = 0; i < 64 * BLOCK; i += PAGE)
		at[i]++;
	if (munmap(at + 2 * PAGE, PAGE))
		_exit(72);
	child_tell(c);
	child_wait(c);
}

/* What was asked for before is kept anew by one call, as it is now; what is not
 * there any more is not. What was missed then is wanted too. */
Test(target_kept, ahead)
{
	struct child c = child_start(run_with_pages);
	struct pyd_process p;
	struct pyd_target *live, *t;
	pyd_addr at;
	uint8_t byte;

	child_listen(&c);
	at = c.shared->addr[0];
	cr_assert_eq(pyd_process_open(c.pid, &p, &err), PYD_OK);
	cr_assert_eq(pyd_target_process_create(&p, &live, &err), PYD_OK);
	cr_assert_eq(pyd_target_kept_create(32 * BLOCK, &t, &err), PYD_OK);
	/* Nothing was asked for before. */
	pyd_target_kept_open(t, live, 0, 0);
	pyd_target_kept_note(t, true);
	cr_assert_not(pyd_target_kept_ahead(t, &p, 0), "there is no plan");
	pyd_target_kept_plan(t, false);
	cr_assert(pyd_target_kept_ahead(t, &p, 0));
	cr_assert_eq(pyd_target_kept_bytes(t), 0);
	cr_assert_eq(pyd_target_touch(t, at + 5, 3 * PAGE, &err), PYD_OK);
	cr_assert_eq(pyd_target_touch(t, at + 40 * BLOCK, 8 * BLOCK, &err),
		     PYD_OK);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(
			pyd_target_read(t, at + 50 * BLOCK, &byte, 1, &err),
			PYD_OK);
	cr_assert_eq(pyd_target_kept_wanted(t), 8 * BLOCK + 5 * PAGE);
	child_go(&c);
	child_listen(&c);
	cr_assert_eq(pyd_target_process_refresh(live, &err), PYD_OK);
	pyd_target_kept_open(t, live, 0, 0);
	pyd_target_kept_note(t, true);
	pyd_target_kept_plan(t, true);
	cr_assert(pyd_target_kept_add(t, at + 52 * BLOCK + PAGE, PAGE + 1));
	cr_assert(pyd_target_kept_add(t, at + 52 * BLOCK, 3 * PAGE));
	cr_assert_not(pyd_target_kept_add(t, at, 40 * BLOCK));
	cr_assert_not(pyd_target_kept_add(t, UINT64_MAX - 5, 10));
	cr_assert(pyd_target_kept_ahead(t, &p, 0));
	cr_assert_eq(pyd_target_kept_bytes(t), 8 * BLOCK + 7 * PAGE);
	pyd_target_kept_close(t);
	for (size_t i = 0; i < 4; i++)
		if (i != 2) {
			cr_assert_eq(pyd_target_read(t, at + i * PAGE, &byte, 1,
						     &err),
				     PYD_OK);
			cr_assert_eq(byte, i + 1);
		}
	for (size_t i = 40 * BLOCK; i < 48 * BLOCK; i += PAGE) {
		cr_assert_eq(pyd_target_read(t, at + i, &byte, 1, &err),
			     PYD_OK);
		cr_assert_eq(byte, (uint8_t)(i / PAGE + 1));
	}
	cr_assert_eq(pyd_target_read(t, at + 52 * BLOCK, &byte, 1, &err),
		     PYD_OK);
	/* It is not there, which is known: nothing was missed. */
	cr_assert_eq(pyd_target_read(t, at + 2 * PAGE, &byte, 1, &err),
		     PYD_FAULT);
	cr_assert_eq(pyd_target_kept_missed(t), 0);
	cr_assert_eq(pyd_target_read(t, at + 50 * BLOCK + PAGE, &byte, 1, &err),
		     PYD_FAULT);
	cr_assert_eq(pyd_target_touch(t, at + 51 * BLOCK, 1, &err), PYD_FAULT);
	cr_assert_eq(pyd_target_kept_missed(t), 2);
	cr_assert_eq(pyd_target_kept_wanted(t), 8 * BLOCK + 7 * PAGE);
	/* The time is over: nothing is read ahead. */
	pyd_target_kept_open(t, live, 1, 0);
	pyd_target_kept_plan(t, true);
	cr_assert_not(pyd_target_kept_ahead(t, &p, 1));
	cr_assert_eq(pyd_target_kept_bytes(t), 0);
	cr_assert_eq(pyd_target_read(t, at, &byte, 1, &err), PYD_BUSY);
	pyd_target_destroy(t);
	pyd_target_destroy(live);
	pyd_process_close(&p);
	child_end(&c);
}
