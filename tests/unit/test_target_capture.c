// SPDX-License-Identifier: Apache-2.0
#include "child.h"
#include <fcntl.h>
#include <sys/stat.h>

#include "target/capture.h"
#include "target/image.h"
#include "target/outside.h"
#include "target/stop.h"

#define MIB ((size_t)1 << 20)
#define SMALL (3 * MIB)
#define MORE (64 * MIB)

static struct pyd_err err;
static size_t page;

static void setup(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	memset(&err, 0, sizeof(err));
}

TestSuite(capture, .init = setup, .timeout = 60);

/* Constant text in the file of this program, and data that is written. */
static const char constant[] = "a constant of the test program";
static char variable[64] = "as it was";

enum { SPARSE, HUGE, RELRO, GUARD, GROWN, FILED };

static uint8_t *fresh(size_t len, int flags)
{
	uint8_t *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (p == MAP_FAILED)
		_exit(73);
	return p;
}

static void memory(struct child *c)
{
	uint8_t *p[8];
	char path[] = "/tmp/pydumpd-unit-XXXXXX";
	int fd = mkstemp(path);
	uint8_t *block = malloc(16 * page);

	/* Every third page is written; the others were never touched. */
	p[SPARSE] = fresh(SMALL, 0);
	for (size_t i = 0; i < SMALL / page; i += 3)
		memset(p[SPARSE] + i * page, (int)(i % 251 + 1), page);
	/* A reservation of a terabyte with two pages in use. */
	p[HUGE] = fresh((size_t)1 << 40, MAP_NORESERVE);
	p[HUGE][0] = 7;
	p[HUGE][((size_t)1 << 40) - 1] = 9;
	/* Written, then made read-only. */
	p[RELRO] = fresh(2 * page, 0);
	memset(p[RELRO], 0x5a, 2 * page);
	mprotect(p[RELRO], 2 * page, PROT_READ);
	p[GUARD] = fresh(3 * page, 0);
	memset(p[GUARD], 3, 3 * page);
	mprotect(p[GUARD] + page, page, PROT_NONE);
	/* A private mapping of a file, one page changed. */
	memset(block, 0xf1, 16 * page);
	if (write(fd, block, 16 * page) != (ssize_t)(16 * page))
		_exit(74);
	p[FILED] = mmap(NULL, 16 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			fd, 0);
	p[FILED][5 * page] = 0xee;
	mprotect(p[FILED], 16 * page, PROT_READ);
	unlink(path);
	p[GROWN] = fresh(MORE, 0);
	for (size_t i = 0; i < 6; i++)
		c->shared->addr[i] = (uint64_t)(uintptr_t)p[i];
	child_tell(c);

	/* After the preparation: it has grown. */
	child_wait(c);
	memset(p[GROWN], 0x77, MORE);
	snprintf(variable, sizeof(variable), "before the stop");
	child_tell(c);

	/* After the release: all is changed. */
	child_wait(c);
	memset(p[GROWN], 0x11, MORE);
	memset(p[SPARSE], 0x22, SMALL);
	munmap(p[RELRO], 2 * page);
	snprintf(variable, sizeof(variable), "after the stop");
	child_tell(c);
	child_wait(c);
}

static uint8_t byte_at(struct pyd_target *t, pyd_addr addr)
{
	uint8_t b = 0xbd;

	cr_assert_eq(pyd_target_read(t, addr, &b, 1, &err), PYD_OK, "%s",
		     err.msg);
	return b;
}

static bool filled(const uint8_t *buf, size_t len, uint8_t value)
{
	return buf[0] == value && !memcmp(buf, buf + 1, len - 1);
}

/* What the memory was at the stop. */
static void check(struct pyd_target *t, const struct child *c)
{
	const _Atomic uint64_t *a = c->shared->addr;
	uint8_t *buf = malloc(MORE);
	char text[64];

	cr_assert_eq(pyd_target_read(t, a[SPARSE], buf, SMALL, &err), PYD_OK,
		     "%s", err.msg);
	for (size_t i = 0; i < SMALL / page; i++)
		cr_assert(filled(buf + i * page, page,
				 (uint8_t)(i % 3 ? 0 : i % 251 + 1)),
			  "page %zu", i);
	cr_expect_eq(byte_at(t, a[HUGE]), 7);
	cr_expect_eq(byte_at(t, a[HUGE] + ((size_t)1 << 40) - 1), 9);
	cr_expect_eq(byte_at(t, a[HUGE] + ((size_t)1 << 39)), 0);
	cr_expect_eq(byte_at(t, a[RELRO]), 0x5a);
	cr_expect_eq(byte_at(t, a[RELRO] + 2 * page - 1), 0x5a);
	cr_expect_eq(byte_at(t, a[GUARD] + page - 1), 3);
	cr_expect_eq(byte_at(t, a[GUARD] + 2 * page), 3);
	cr_expect_eq(pyd_target_read(t, a[GUARD] + page - 1, buf, 2, &err),
		     PYD_FAULT);
	cr_expect_eq(byte_at(t, a[FILED] + 5 * page), 0xee);
	cr_expect_eq(byte_at(t, a[FILED] + 5 * page + 1), 0xf1);
	cr_expect_eq(byte_at(t, a[FILED] + 6 * page), 0xf1);
	cr_assert_eq(pyd_target_read(t, a[GROWN], buf, MORE, &err), PYD_OK,
		     "%s", err.msg);
	cr_assert(filled(buf, MORE, 0x77));
	cr_assert_eq(pyd_target_read_cstr(t, (pyd_addr)(uintptr_t)variable,
					  text, sizeof(text), NULL, &err),
		     PYD_OK);
	cr_expect_str_eq(text, "before the stop");
	cr_assert_eq(pyd_target_read_cstr(t, (pyd_addr)(uintptr_t)constant,
					  text, sizeof(text), NULL, &err),
		     PYD_OK, "%s", err.msg);
	cr_expect_str_eq(text, constant);
	cr_expect_eq(pyd_target_read(t, 8, buf, 8, &err), PYD_FAULT);
	free(buf);
}

struct taken {
	struct child c;
	struct pyd_process p;
	struct pyd_target *copy;
	struct pyd_capture_stats stats;
};

static struct taken take(int no_vm_readv)
{
	struct taken x = { .c = child_start(memory) };
	struct pyd_capture *cap;
	struct pyd_stop *s;
	uint64_t estimate;

	child_listen(&x.c);
	cr_assert_eq(pyd_process_open(x.c.pid, &x.p, &err), PYD_OK);
	x.p.no_vm_readv = (uint8_t)no_vm_readv;
	cr_assert_eq(pyd_capture_estimate(&x.p, &estimate, &err), PYD_OK, "%s",
		     err.msg);
	cr_expect_gt(estimate, SMALL / 3);
	cr_expect_lt(estimate, SMALL + 200 * MIB);
	cr_assert_eq(pyd_capture_prepare(&x.p, &cap, &err), PYD_OK, "%s",
		     err.msg);
	child_go(&x.c);
	child_listen(&x.c);
	cr_assert_eq(pyd_stop_all(&x.p, NULL, &s, &err), PYD_OK, "%s", err.msg);
	cr_assert_eq(pyd_capture_take(cap, &err), PYD_OK, "%s", err.msg);
	cr_assert_eq(pyd_capture_target(cap, &x.copy, &x.stats, &err), PYD_OK,
		     "%s", err.msg);
	pyd_capture_destroy(cap);
	pyd_stop_destroy(s);
	child_go(&x.c);
	child_listen(&x.c);
	cr_expect_gt(x.stats.bytes, MORE);
	cr_expect_lt(x.stats.bytes, MORE + SMALL + 200 * MIB);
	cr_expect_eq(x.stats.unreadable, 0);
	cr_expect_gt(x.stats.end_ns, x.stats.begin_ns);
	return x;
}

Test(capture, is_frozen)
{
	struct taken x = take(0);

	cr_expect(x.stats.grown);
	check(x.copy, &x.c);
	/* The process is not needed any more. */
	pyd_process_close(&x.p);
	kill(x.c.pid, SIGKILL);
	waitpid(x.c.pid, NULL, 0);
	check(x.copy, &x.c);
	pyd_target_destroy(x.copy);
}

Test(capture, without_process_vm_readv)
{
	struct taken x = take(1);

	check(x.copy, &x.c);
	pyd_target_destroy(x.copy);
	pyd_process_close(&x.p);
	child_end(&x.c);
}

/* A file that has become shorter than its mapping, and guard pages within a
 * region (from Linux 6.13 on). */
static void with_holes(struct child *c)
{
	char path[] = "/tmp/pydumpd-unit-XXXXXX";
	int fd = mkstemp(path);
	uint8_t *file;
	uint8_t *guarded = fresh(16 * page, 0);

	unlink(path);
	if (ftruncate(fd, (off_t)(16 * page)))
		_exit(74);
	file = mmap(NULL, 16 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd,
		    0);
	memset(file, 0x44, 2 * page);
	if (ftruncate(fd, (off_t)(4 * page)))
		_exit(74);
	memset(guarded, 0x55, 16 * page);
	c->shared->addr[2] = !madvise(guarded + 3 * page, 2 * page, 102);
	c->shared->addr[0] = (uint64_t)(uintptr_t)file;
	c->shared->addr[1] = (uint64_t)(uintptr_t)guarded;
	child_tell(c);
	child_wait(c);
}

Test(capture, pages_that_cannot_be_read)
{
	struct child c = child_start(with_holes);
	struct pyd_process p;
	struct pyd_capture *cap;
	struct pyd_capture_stats stats;
	struct pyd_target *copy;
	struct pyd_stop *s;
	uint8_t buf[8];

	child_listen(&c);
	cr_assert_eq(pyd_process_open(c.pid, &p, &err), PYD_OK);
	cr_assert_eq(pyd_capture_prepare(&p, &cap, &err), PYD_OK);
	cr_assert_eq(pyd_stop_all(&p, NULL, &s, &err), PYD_OK);
	cr_assert_eq(pyd_capture_take(cap, &err), PYD_OK, "%s", err.msg);
	cr_assert_eq(pyd_capture_target(cap, &copy, &stats, &err), PYD_OK, "%s",
		     err.msg);
	pyd_capture_destroy(cap);
	pyd_stop_destroy(s);

	pyd_addr a = c.shared->addr[0];

	cr_expect_geq(stats.unreadable, 12 * page);
	cr_expect_eq(byte_at(copy, a + 2 * page - 1), 0x44);
	cr_expect_eq(byte_at(copy, a + 4 * page - 1), 0);
	cr_expect_eq(pyd_target_read(copy, a + 4 * page - 4, buf, 8, &err),
		     PYD_FAULT);
	cr_expect_eq(pyd_target_read(copy, a + 16 * page - 8, buf, 8, &err),
		     PYD_FAULT);
	a = c.shared->addr[1];
	cr_expect_eq(byte_at(copy, a + 3 * page - 1), 0x55);
	cr_expect_eq(byte_at(copy, a + 5 * page), 0x55);
	if (c.shared->addr[2]) {
		cr_expect_eq(pyd_target_read(copy, a + 3 * page, buf, 8, &err),
			     PYD_FAULT, "a guard page was read");
		cr_expect_eq(
			pyd_target_read(copy, a + 5 * page - 8, buf, 8, &err),
			PYD_FAULT, "a guard page was read");
	}
	pyd_target_destroy(copy);
	pyd_process_close(&p);
	child_end(&c);
}

/* A file that is mapped to be read; some of its pages are written to. */
static void with_patches(struct child *c)
{
	char path[] = "/tmp/pydumpd-unit-XXXXXX";
	int fd = mkstemp(path);
	uint8_t *at, *data = calloc(16, page);

	unlink(path);
	memset(data, 0x31, 16 * page);
	if (write(fd, data, 16 * page) != (ssize_t)(16 * page))
		_exit(74);
	at = mmap(NULL, 16 * page, PROT_READ, MAP_PRIVATE, fd, 0);
	c->shared->addr[0] = (uint64_t)(uintptr_t)at;
	for (size_t i = 0; i < 4; i++) {
		volatile uint8_t *patched = at + (2 + 3 * i) * page;

		mprotect(at, 16 * page, PROT_READ | PROT_WRITE);
		*patched = (uint8_t)(i + 1);
		mprotect(at, 16 * page, PROT_READ);
		child_tell(c);
		child_wait(c);
	}
}

/* What was written to before is copied. Whether what else was written to was
 * that when it stood is not certain: it is left out. */
Test(capture, files_that_are_only_read)
{
	struct child c = child_start(with_patches);
	struct pyd_process p;
	struct pyd_capture *cap;
	struct pyd_target *copy;
	struct pyd_stop *s;
	const struct pyd_vec *unread;
	pyd_addr at;

	child_listen(&c);
	at = c.shared->addr[0];
	child_go(&c);
	child_listen(&c);
	cr_assert_eq(pyd_process_open(c.pid, &p, &err), PYD_OK);
	cr_assert_eq(pyd_capture_prepare(&p, &cap, &err), PYD_OK);
	cr_assert_eq(pyd_stop_all(&p, NULL, &s, &err), PYD_OK);
	cr_assert_eq(pyd_capture_take(cap, &err), PYD_OK, "%s", err.msg);
	pyd_stop_destroy(s);
	for (int i = 0; i < 2; i++) {
		child_go(&c);
		child_listen(&c);
	}
	cr_assert_eq(pyd_capture_target(cap, &copy, NULL, &err), PYD_OK, "%s",
		     err.msg);
	unread = pyd_capture_unread(cap);
	cr_assert_eq(unread->len, 4);
	for (size_t i = 0; i < 2; i++) {
		cr_expect_eq(unread->data[2 * i], at + (8 + 3 * i) * page);
		cr_expect_eq(unread->data[2 * i + 1], at + (9 + 3 * i) * page);
	}
	cr_expect_eq(byte_at(copy, at + 2 * page), 1);
	cr_expect_eq(byte_at(copy, at + 5 * page), 2);
	cr_expect_eq(byte_at(copy, at + 6 * page), 0x31);
	cr_expect_eq(byte_at(copy, at + 15 * page), 0x31);
	pyd_capture_destroy(cap);
	pyd_target_destroy(copy);
	pyd_process_close(&p);
	child_end(&c);
}

Test(capture, cache)
{
	struct child c = child_start(memory);
	struct pyd_process p;
	struct pyd_target *live;
	struct pyd_target *cache;
	struct pyd_stop *s;

	child_listen(&c);
	child_go(&c);
	child_listen(&c);
	cr_assert_eq(pyd_process_open(c.pid, &p, &err), PYD_OK);
	cr_assert_eq(pyd_target_process_create(&p, &live, &err), PYD_OK);
	cr_assert_eq(pyd_stop_all(&p, NULL, &s, &err), PYD_OK);
	/* Three blocks only: they are pushed out all the time. */
	cr_assert_eq(pyd_target_cache_create(live, 3 * 65536, &cache, &err),
		     PYD_OK);
	check(cache, &c);

	pyd_addr a = c.shared->addr[SPARSE];

	for (unsigned int i = 0; i < 20000; i++) {
		size_t at = (size_t)rand() % (SMALL - 64);
		uint8_t one[64];
		uint8_t two[64];

		cr_assert_eq(pyd_target_read(live, a + at, one, 64, &err), 0);
		cr_assert_eq(pyd_target_read(cache, a + at, two, 64, &err), 0);
		cr_assert_arr_eq(one, two, 64);
	}
	pyd_target_destroy(cache);
	pyd_stop_destroy(s);
	pyd_target_destroy(live);
	pyd_process_close(&p);
	child_end(&c);
}

/* -- images -- */

/* Which regions lie outside of a capture, by how they are mapped. */
Test(capture, outside_by_region)
{
	enum { R = PYD_PROT_R, W = PYD_PROT_W, S = PYD_PROT_SHARED };
	static struct pyd_region regions[] = {
		{ .start = 0x1000, .end = 0x2000, .prot = R | W, .path = "" },
		{ .start = 0x2000,
		  .end = 0x3000,
		  .prot = R | S,
		  .inode = 7,
		  .path = "/usr/lib/gconv-modules.cache" },
		{ .start = 0x3000,
		  .end = 0x4000,
		  .prot = R | S,
		  .inode = 8,
		  .path = "/dev/shm/psm_1" },
		{ .start = 0x4000,
		  .end = 0x5000,
		  .prot = R | W | S,
		  .inode = 9,
		  .path = "/srv/data" },
		{ .start = 0x5000,
		  .end = 0x6000,
		  .prot = R | W | S,
		  .inode = 10,
		  .path = "/dev/uio0" },
		{ .start = 0x6000,
		  .end = 0x7000,
		  .prot = R | W | S,
		  .inode = 11,
		  .path = "anon_inode:[vfio-device]" },
		{ .start = 0x7000, .end = 0x8000, .prot = R, .path = "[vvar]" },
		{ .start = 0x8000, .end = 0x9000, .prot = S, .path = "" },
	};
	struct pyd_target t = { .regions = regions, .nregions = 8 };
	struct pyd_outside o = { 0 };
	struct pyd_vec unread = { 0 };

	cr_assert_eq(pyd_outside_list(&t, false, &o, &err), PYD_OK);
	cr_assert_eq(o.n, 4);
	for (size_t i = 0; i < 4; i++) {
		cr_expect_eq(o.v[i].start, 0x3000 + i * 0x1000);
		cr_expect_eq(o.v[i].why,
			     i < 2 ? PYD_OUTSIDE_SHARED : PYD_OUTSIDE_DEVICE);
	}
	/* Two pages beside each other are one range. */
	for (pyd_addr at = 0x1000; at < 0x1800; at += 0x400) {
		cr_assert_eq(pyd_vec_push(&unread, at, &err), PYD_OK);
		cr_assert_eq(pyd_vec_push(&unread, at + 0x400, &err), PYD_OK);
	}
	cr_assert_eq(pyd_outside_unread(&t, &unread, &o, &err), PYD_OK);
	cr_assert_eq(o.n, 5);
	cr_expect_eq(o.v[0].why, PYD_OUTSIDE_UNREADABLE);
	cr_expect_eq(o.v[0].end, 0x1800);
	pyd_outside_deinit(&o);
	pyd_vec_deinit(&unread);
	/* While it stands still all but devices is read. */
	cr_assert_eq(pyd_outside_list(&t, true, &o, &err), PYD_OK);
	cr_assert_eq(o.n, 2);
	cr_expect_eq(o.v[0].start, 0x5000);
	pyd_outside_deinit(&o);
}

Test(capture, image_round_trip)
{
	struct taken x = take(0);
	char path[] = "/tmp/pydumpd-unit-XXXXXX";
	struct pyd_target *image;
	uint64_t hint = 0;
	struct stat st;

	close(mkstemp(path));
	cr_assert_eq(pyd_image_save(x.copy, 0x1234, path, &err), PYD_OK, "%s",
		     err.msg);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_lt((size_t)st.st_size, MORE + 300 * MIB);
	cr_assert_eq(pyd_image_load(path, &image, &hint, &err), PYD_OK, "%s",
		     err.msg);
	unlink(path);
	cr_expect_eq(hint, 0x1234);
	cr_assert_eq(image->nregions, x.copy->nregions);
	for (size_t i = 0; i < image->nregions; i++) {
		const struct pyd_region *r = &image->regions[i];
		const struct pyd_region *q = &x.copy->regions[i];

		cr_expect_eq(r->start, q->start);
		cr_expect_eq(r->end, q->end);
		cr_expect_eq(r->prot, q->prot);
		cr_expect_eq(r->inode, q->inode);
		cr_expect_eq(r->dev, q->dev);
		cr_expect_eq(r->file_offset, q->file_offset);
		cr_expect_str_eq(r->path, q->path);
	}
	check(image, &x.c);
	pyd_target_destroy(image);
	pyd_target_destroy(x.copy);
	pyd_process_close(&x.p);
	child_end(&x.c);
}

/* A small image, made by hand. */
static size_t small_image(uint8_t *buf)
{
	static const uint64_t words[] = {
		5,	2,	2, 1, /* hint, regions, segments, bad */
		0x1000, 0x4000, 0, 0, 0, 3, 0, 0, /* anonymous */
		0x8000, 0x9000, 0, 1, 2, 1, 1, 4, /* a file: "/bin" */
	};
	static const uint64_t rest[] = { 0x1100, 8,	0x6867666564636261,
					 0x8000, 8,	0x1111111111111111,
					 0x2000, 0x3000 };
	size_t n = 8;

	memcpy(buf, "PYDIMG1\n", 8);
	memcpy(buf + n, words, sizeof(words));
	n += sizeof(words);
	memcpy(buf + n, "/bin", 4);
	n += 4;
	memcpy(buf + n, rest, sizeof(rest));
	return n + sizeof(rest);
}

Test(capture, image_by_hand)
{
	uint8_t buf[1024];
	size_t n = small_image(buf);
	struct pyd_target *t;
	uint64_t hint;
	char text[9] = "";

	cr_assert_eq(pyd_image_parse(buf, n, &t, &hint, &err), PYD_OK, "%s",
		     err.msg);
	cr_expect_eq(hint, 5);
	cr_expect_str_eq(t->regions[1].path, "/bin");
	cr_expect(t->regions[1].deleted);
	cr_assert_eq(pyd_target_read(t, 0x1100, text, 8, &err), PYD_OK);
	cr_expect_str_eq(text, "abcdefgh");
	cr_expect_eq(byte_at(t, 0x1108), 0);
	cr_expect_eq(byte_at(t, 0x10ff), 0);
	cr_expect_eq(byte_at(t, 0x3fff), 0);
	cr_expect_eq(byte_at(t, 0x8007), 0x11);
	cr_expect_eq(pyd_target_read(t, 0x1fff, text, 2, &err), PYD_FAULT);
	cr_expect_eq(pyd_target_read(t, 0x2fff, text, 1, &err), PYD_FAULT);
	cr_expect_eq(pyd_target_read(t, 0x3fff, text, 2, &err), PYD_FAULT);
	cr_expect_eq(pyd_target_read(t, 0x8008, text, 1, &err), PYD_FAULT);
	pyd_target_destroy(t);
}

Test(capture, bad_images)
{
	uint8_t good[1024];
	size_t n = small_image(good);
	struct pyd_target *t;
	uint8_t out[256];

	for (size_t cut = 0; cut < n; cut++)
		cr_expect_eq(pyd_image_parse(good, cut, &t, NULL, &err),
			     PYD_FORMAT, "cut at %zu", cut);
	for (int i = 0; i < 20000; i++) {
		uint8_t bad[1024];

		memcpy(bad, good, n);
		for (int j = rand() % 4; j >= 0; j--)
			bad[(size_t)rand() % n] = (uint8_t)rand();
		if (pyd_image_parse(bad, n, &t, NULL, &err))
			continue;
		for (int j = 0; j < 20; j++)
			(void)!pyd_target_read(t, (pyd_addr)rand() % 0xa000,
					       out, (size_t)rand() % 256, &err);
		for (size_t j = 0; j < t->nregions; j++)
			(void)!pyd_target_read(t, t->regions[j].end - 4, out,
					       (size_t)rand() % 256, &err);
		pyd_target_destroy(t);
	}
}
