// SPDX-License-Identifier: Apache-2.0
/*
 * The runtime of real interpreters: every one that is at hand outside of
 * chroots (tests/e2e has those too), beside what it says of itself.
 */
#include <fcntl.h>
#include <glob.h>

#include "child.h"
#include "runtime/runtime.h"
#include "target/capture.h"
#include "target/image.h"

static struct pyd_err err;
static struct pyd_layouts tables;

static void setup(void)
{
	memset(&err, 0, sizeof(err));
	cr_assert_eq(pyd_layouts_load(NULL, &tables, &err), PYD_OK);
}

static void teardown(void)
{
	pyd_layouts_deinit(&tables);
}

TestSuite(runtime, .init = setup, .fini = teardown, .timeout = 120);

/* Prints hexversion, debug, and ident and native id of each thread by name. */
static const char program[] =
	"import sys, threading, time\n"
	"def work(): time.sleep(1000)\n"
	"for i in range(3):\n"
	"    t = threading.Thread(target=work, name='worker %d' % i)\n"
	"    t.daemon = True\n"
	"    t.start()\n"
	"print(sys.hexversion, int(hasattr(sys, 'gettotalrefcount')), "
	"flush=True)\n"
	"for t in sorted(threading.enumerate(), key=lambda t: t.ident != "
	"threading.main_thread().ident):\n"
	"    print(t.ident, getattr(t, 'native_id', 0), id(t), "
	"t.name.replace(' ', "
	"'_'), flush=True)\n"
	"print('.', flush=True)\n"
	"sys.stdin.read()\n";

struct said {
	unsigned long long ident;
	int native;
	unsigned long long object;
	char name[64];
};

struct python {
	pid_t pid;
	int to;
	FILE *from;
	uint32_t hex;
	int debug;
	struct said threads[8];
	size_t nthreads;
};

static bool python_start(const char *path, struct python *ret)
{
	struct python py = { 0 };
	char line[256];
	int down[2];
	int up[2];

	cr_assert_eq(pipe2(down, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(up, O_CLOEXEC), 0);
	py.pid = fork();
	if (!py.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(down[0], 0);
		dup2(up[1], 1);
		execl(path, path, "-c", program, NULL);
		_exit(127);
	}
	close(down[0]);
	close(up[1]);
	py.to = down[1];
	py.from = fdopen(up[0], "r");
	if (!fgets(line, sizeof(line), py.from) ||
	    sscanf(line, "%u %d", &py.hex, &py.debug) != 2) {
		waitpid(py.pid, NULL, 0);
		fclose(py.from);
		close(py.to);
		return false;
	}
	while (fgets(line, sizeof(line), py.from) && line[0] != '.') {
		struct said *s = &py.threads[py.nthreads++];

		cr_assert_leq(py.nthreads, 8);
		cr_assert_eq(sscanf(line, "%llu %d %llu %63s", &s->ident,
				    &s->native, &s->object, s->name),
			     4);
		for (char *p = s->name; *p; p++)
			if (*p == '_')
				*p = ' ';
	}
	*ret = py;
	return true;
}

static void python_end(struct python *py)
{
	close(py->to);
	waitpid(py->pid, NULL, 0);
	fclose(py->from);
}

static void check_threads(const struct python *py, const struct pyd_runtime *rt,
			  bool stopped)
{
	cr_assert_eq(rt->nthreads, py->nthreads);
	cr_expect(rt->threads[0].main);
	cr_expect_str_eq(rt->threads[0].name, "MainThread");
	for (size_t i = 0; i < py->nthreads; i++) {
		const struct said *s = &py->threads[i];
		size_t found = 0;

		for (size_t j = 0; j < rt->nthreads; j++) {
			const struct pyd_pythread *t = &rt->threads[j];

			if (t->ident != s->ident)
				continue;
			found++;
			cr_expect_str_eq(t->name, s->name);
			cr_expect_eq(t->thread, s->object);
			cr_expect_eq(t->main, !i);
			cr_expect_not(t->gil, "%s holds the GIL", t->name);
			if (stopped || t->native_id)
				cr_expect(!s->native ||
						  t->native_id == s->native,
					  "%s is %d, not %d", s->name,
					  t->native_id, s->native);
			cr_expect(!stopped || t->native_id);
		}
		cr_expect_eq(found, 1, "%zu threads are %s", found, s->name);
	}
}

static void list_threads(struct pyd_runtime *rt, struct pyd_target *t,
			 const struct pyd_threads *os)
{
	struct pyd_reader r;

	cr_assert_eq(pyd_reader_init(&r, t, &rt->lay, &err), PYD_OK);
	cr_assert_eq(pyd_runtime_threads(rt, &r, os, &err), PYD_OK, "%s",
		     err.msg);
	pyd_reader_deinit(&r);
}

static void check_runtime(const struct python *py, const struct pyd_runtime *rt)
{
	cr_expect_eq(rt->hex, py->hex);
	cr_expect_eq(rt->debug, py->debug);
	cr_assert_eq(rt->ninterps, 1);
	cr_expect(rt->interps[0].main);
	cr_expect_eq(rt->debug_offsets, py->hex >= 0x030d0000);
	cr_expect(strstr(rt->full_version, rt->version), "%s", rt->version);
}

static void check_one(const char *path)
{
	struct python py;
	struct pyd_process p;
	struct pyd_target *live;
	struct pyd_target *copy;
	struct pyd_target *image;
	struct pyd_runtime rt;
	struct pyd_runtime again;
	struct pyd_threads os;
	struct pyd_capture *cap;
	struct pyd_stop *s;
	uint64_t hint;
	char file[] = "/tmp/pydumpd-unit-XXXXXX";

	if (!python_start(path, &py))
		return;
	if (py.hex < 0x03070000) {
		python_end(&py);
		return;
	}
	cr_assert_eq(pyd_process_open(py.pid, &p, &err), PYD_OK);
	cr_assert_eq(pyd_target_process_create(&p, &live, &err), PYD_OK);
	cr_assert_eq(pyd_runtime_find(live, &p, &tables, &rt, &err), PYD_OK,
		     "%s: %s", path, err.msg);
	check_runtime(&py, &rt);

	cr_assert_eq(pyd_threads_list(&p, &os, &err), PYD_OK);
	list_threads(&rt, live, &os);
	check_threads(&py, &rt, false);
	pyd_threads_deinit(&os);

	cr_assert_eq(pyd_capture_prepare(&p, &cap, &err), PYD_OK);
	cr_assert_eq(pyd_stop_all(&p, NULL, &s, &err), PYD_OK, "%s", err.msg);
	cr_assert_eq(pyd_capture_take(cap, &err), PYD_OK);
	cr_assert_eq(pyd_capture_target(cap, &copy, NULL, &err), PYD_OK);
	pyd_stop_release(s);
	pyd_capture_destroy(cap);
	list_threads(&rt, copy, pyd_stop_threads(s));
	check_threads(&py, &rt, true);
	pyd_stop_destroy(s);

	/* The same out of a recorded image, without the process. */
	close(mkstemp(file));
	cr_assert_eq(pyd_image_save(copy, rt.addr, file, &err), PYD_OK);
	pyd_target_destroy(copy);
	pyd_target_destroy(live);
	pyd_process_close(&p);
	cr_assert_eq(pyd_image_load(file, &image, &hint, &err), PYD_OK);
	unlink(file);
	cr_assert_eq(pyd_runtime_find(image, NULL, &tables, &again, &err),
		     PYD_OK, "%s: %s", path, err.msg);
	cr_expect_eq(again.addr, hint);
	check_runtime(&py, &again);
	cr_expect_str_eq(again.lay.name, rt.lay.name);
	list_threads(&again, image, NULL);
	check_threads(&py, &again, false);
	pyd_target_destroy(image);
	pyd_runtime_deinit(&again);
	pyd_runtime_deinit(&rt);
	python_end(&py);
}

Test(runtime, of_every_interpreter_here)
{
	static const char *const patterns[] = {
		"~/.pyenv/versions/*/bin/python3",
		"/usr/bin/python3.[0-9]*",
		"/usr/local/bin/python3.[0-9]*",
	};
	size_t found = 0;

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		glob_t g = { 0 };

		if (glob(patterns[i], GLOB_TILDE, NULL, &g))
			continue;
		for (size_t j = 0; j < g.gl_pathc; j++) {
			if (strstr(g.gl_pathv[j], "config"))
				continue;
			check_one(g.gl_pathv[j]);
			found++;
		}
		globfree(&g);
	}
	if (!found)
		cr_skip_test("no Python here");
}

/* -- refusals -- */

static void idle(struct child *c)
{
	child_tell(c);
	child_wait(c);
}

Test(runtime, that_is_not_there)
{
	struct child c = child_start(idle);
	struct pyd_process p;
	struct pyd_target *t;
	struct pyd_runtime rt;

	child_listen(&c);
	cr_assert_eq(pyd_process_open(c.pid, &p, &err), PYD_OK);
	cr_assert_eq(pyd_target_process_create(&p, &t, &err), PYD_OK);
	cr_expect_eq(pyd_runtime_find(t, &p, &tables, &rt, &err),
		     PYD_NOTPYTHON);
	cr_expect(strstr(err.msg, "not Python"), "%s", err.msg);
	pyd_target_destroy(t);
	pyd_process_close(&p);
	child_end(&c);
}

/* -- memory that lies -- */

/* A runtime that is nothing but a cookie and pointers: an image by hand. */
struct fake {
	uint8_t page[4096 * 4];
	struct pyd_target target;
	struct pyd_region region;
};

static enum pyd_code fake_read(struct pyd_target *t, pyd_addr addr, void *buf,
			       size_t len, struct pyd_err *e)
{
	struct fake *f =
		(struct fake *)((char *)t - offsetof(struct fake, target));

	if (addr < 0x10000 || addr - 0x10000 > sizeof(f->page) ||
	    len > sizeof(f->page) - (addr - 0x10000))
		return pyd_err_at(e, PYD_FAULT, addr, "fault");
	memcpy(buf, f->page + (addr - 0x10000), len);
	return PYD_OK;
}

static const struct pyd_target_ops fake_ops = { .name = "fake",
						.read = fake_read };

static void put(struct fake *f, pyd_addr at, uint64_t value)
{
	memcpy(f->page + (at - 0x10000), &value, sizeof(value));
}

static const struct pyd_layout *table_of(const char *name)
{
	struct pyd_layout *lay;

	for (size_t i = 0; i < tables.n; i++)
		if (!strcmp(tables.tables[i].name, name)) {
			cr_assert_eq(pyd_layouts_get(&tables, i, &lay, &err),
				     PYD_OK);
			return lay;
		}
	cr_assert(false, "no table %s", name);
	abort();
}

static struct fake *fake_make(void)
{
	struct fake *f = calloc(1, sizeof(*f));

	f->target.ops = &fake_ops;
	return f;
}

enum { INTERP = 0x11000, TSTATE = 0x12800 };

static void fake_runtime(struct fake *f, struct pyd_runtime *rt)
{
	*rt = (struct pyd_runtime) { .addr = 0x10000,
				     .lay = *table_of("cpython-3.9") };
	put(f,
	    0x10000 + (pyd_addr)PYD_OFF(&rt->lay, runtime, interpreters_head),
	    INTERP);
	put(f, INTERP + (pyd_addr)PYD_OFF(&rt->lay, interp, threads_head),
	    TSTATE);
	put(f, TSTATE + (pyd_addr)PYD_OFF(&rt->lay, tstate, interp), INTERP);
}

static enum pyd_code threads_of(struct fake *f, struct pyd_runtime *rt)
{
	struct pyd_reader r;
	enum pyd_code code;

	cr_assert_eq(pyd_reader_init(&r, &f->target, &rt->lay, &err), PYD_OK);
	code = pyd_runtime_threads(rt, &r, NULL, &err);
	pyd_reader_deinit(&r);
	return code;
}

Test(runtime, lists_that_lie)
{
	struct fake *f = fake_make();
	struct pyd_runtime rt;

	fake_runtime(f, &rt);
	cr_assert_eq(threads_of(f, &rt), PYD_OK, "%s", err.msg);
	cr_expect_eq(rt.nthreads, 1);

	/* A thread that is its own successor. */
	put(f, TSTATE + (pyd_addr)PYD_OFF(&rt.lay, tstate, next), TSTATE);
	cr_expect_eq(threads_of(f, &rt), PYD_CORRUPT);
	/* One that leads nowhere, or to an odd address. */
	put(f, TSTATE + (pyd_addr)PYD_OFF(&rt.lay, tstate, next), 0x666000);
	cr_expect_eq(threads_of(f, &rt), PYD_FAULT);
	put(f, TSTATE + (pyd_addr)PYD_OFF(&rt.lay, tstate, next), TSTATE + 3);
	cr_expect_eq(threads_of(f, &rt), PYD_CORRUPT);
	put(f, TSTATE + (pyd_addr)PYD_OFF(&rt.lay, tstate, next), 0);
	/* A thread of another interpreter. */
	put(f, TSTATE + (pyd_addr)PYD_OFF(&rt.lay, tstate, interp), TSTATE);
	cr_expect_eq(threads_of(f, &rt), PYD_CORRUPT);
	put(f, TSTATE + (pyd_addr)PYD_OFF(&rt.lay, tstate, interp), INTERP);
	/* Interpreters in a ring. */
	put(f, INTERP + (pyd_addr)PYD_OFF(&rt.lay, interp, next), INTERP);
	cr_expect_eq(threads_of(f, &rt), PYD_CORRUPT);
	put(f, INTERP + (pyd_addr)PYD_OFF(&rt.lay, interp, next), 0);
	/* Not initialised. */
	put(f, 0x10000 + (pyd_addr)PYD_OFF(&rt.lay, runtime, interpreters_head),
	    0);
	cr_expect_eq(threads_of(f, &rt), PYD_NOTPYTHON);
	pyd_runtime_deinit(&rt);
	free(f);
}

Test(runtime, random_memory)
{
	for (int i = 0; i < 3000; i++) {
		struct fake *f = fake_make();
		struct pyd_runtime rt;

		fake_runtime(f, &rt);
		/* Words that are small, or point into the memory. */
		for (int j = 0; j < 400; j++)
			put(f, 0x10000 + 8 * ((pyd_addr)rand() % 2047),
			    rand() % 2
				    ? (uint64_t)rand()
				    : 0x10000 + 8 * ((uint64_t)rand() % 2048));
		put(f,
		    0x10000 + (pyd_addr)PYD_OFF(&rt.lay, runtime,
						interpreters_head),
		    INTERP);
		(void)!threads_of(f, &rt);
		pyd_runtime_deinit(&rt);
		free(f);
	}
}
