// SPDX-License-Identifier: Apache-2.0
/* Native stacks: of a child that is stopped, and of stacks that are none. */
#include "child.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "native/demangle.h"
#include "native/perfmap.h"
#include "native/place.h"
#include "native/regs.h"
#include "native/symtab.h"
#include "native/unwind.h"
#include "target/stop.h"
#include "target/syscall.h"

static struct pyd_err err;
static volatile int kept;

/* -- a child whose stack is known -- */

enum { WAITED_LINE = __LINE__ + 4 };
static inline __attribute__((always_inline)) void pyd_test_inlined(
	struct child *c)
{
	child_wait(c);
	kept = 2;
}

enum { CALLED_LINE = __LINE__ + 4 };
__attribute__((noinline)) void pyd_test_innermost(struct child *c)
{
	child_tell(c);
	pyd_test_inlined(c);
	kept = 1;
}

enum { RECURSION_LINE = __LINE__ + 1, RECURSION_LINES = 8 };
__attribute__((noinline)) void pyd_test_recursion(struct child *c, int n)
{
	if (n)
		pyd_test_recursion(c, n - 1);
	else
		pyd_test_innermost(c);
	kept = n;
}

static void shallow(struct child *c)
{
	pyd_test_recursion(c, 3);
}

static void deep(struct child *c)
{
	pyd_test_recursion(c, 20000);
}

struct stopped {
	struct child c;
	struct pyd_process p;
	struct pyd_target *t;
	struct pyd_nmodules m;
	struct pyd_stop *stop;
	struct pyd_regs regs; /* of the main thread */
};

/* True when it is stopped in child_wait(). */
static bool waits(const struct stopped *s)
{
	struct pyd_syscall call;

	if (!s->stop)
		return false;
	pyd_call_of_regs(&s->regs, &call);
	return call.state == PYD_CALL_WAITS && call.nr == SYS_read;
}

static struct stopped *stop_child(void (*fn)(struct child *c))
{
	struct stopped *s = calloc(1, sizeof(*s));

	s->c = child_start(fn);
	child_listen(&s->c);
	cr_assert_eq(pyd_process_open(s->c.pid, &s->p, &err), PYD_OK);
	cr_assert_eq(pyd_target_process_create(&s->p, &s->t, &err), PYD_OK);
	/* What it told was heard, but it may still be telling. */
	for (int tries = 0; !waits(s); tries++) {
		cr_assert_lt(tries, 10000);
		nap_ms(tries ? 1 : 0);
		pyd_stop_destroy(s->stop);
		s->stop = NULL;
		cr_assert_eq(pyd_stop_all(&s->p, NULL, &s->stop, &err), PYD_OK,
			     "%s", err.msg);
		s->regs = pyd_stop_threads(s->stop)->v[0].regs;
	}
	cr_assert_eq(pyd_nmodules_load(s->t, &s->p, &s->m, &err), PYD_OK);
	return s;
}

static void end_child(struct stopped *s)
{
	pyd_stop_destroy(s->stop);
	pyd_nmodules_deinit(&s->m);
	pyd_target_destroy(s->t);
	pyd_process_close(&s->p);
	child_end(&s->c);
	free(s);
}

static const char *name_of(struct pyd_places *p, const struct pyd_call *c)
{
	const struct pyd_place *at;

	cr_assert_eq(pyd_places_find(p, c->pc, c->exact, &at, &err), PYD_OK);
	return at->function ? at->function : "";
}

static size_t count(struct pyd_places *p, const struct pyd_calls *c,
		    const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += !strcmp(name_of(p, &c->v[i]), name);
	return n;
}

/* As a stack may have it that something wrote over. */
Test(native, addresses_of_nothing)
{
	static const pyd_addr nowhere[] = { 0, INT64_MAX, UINT64_MAX - 1,
					    UINT64_MAX };
	pyd_addr somewhere = (pyd_addr)(uintptr_t)name_of + 4;
	struct stopped *s = stop_child(shallow);
	const struct pyd_place *at, *odd;
	struct pyd_places *p;

	cr_assert_eq(pyd_places_create(s->t, &s->m, &p, &err), PYD_OK);
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		for (int exact = 0; exact < 2; exact++) {
			cr_assert_eq(pyd_places_find(p, nowhere[i], exact, &at,
						     &err),
				     PYD_OK, "%s", err.msg);
			cr_assert_null(at->function);
		}
	}
	/* No other address is taken for it. */
	cr_assert_eq(pyd_places_find(p, somewhere, true, &at, &err), PYD_OK);
	cr_assert_str_eq(at->function, "name_of");
	cr_assert_eq(
		pyd_places_find(p, somewhere | 1ULL << 63, true, &odd, &err),
		PYD_OK);
	cr_assert_null(odd->function);
	pyd_places_destroy(p);
	end_child(s);
}

Test(native, stack_of_a_child)
{
	struct stopped *s = stop_child(shallow);
	struct pyd_calls calls = { 0 };
	const struct pyd_place *at;
	struct pyd_unwinder *u;
	struct pyd_places *p;

	cr_assert_eq(pyd_unwinder_create(s->t, &s->m, &u, &err), PYD_OK);
	cr_assert_eq(pyd_places_create(s->t, &s->m, &p, &err), PYD_OK);
	/* The second time out of what libunwind has kept. */
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(pyd_unwind(u, &s->regs, 0, &calls, &err), PYD_OK);
		cr_assert(calls.whole, "%s", calls.note);
		cr_assert_str_empty(calls.note);
		cr_assert_eq(count(p, &calls, "pyd_test_innermost"), 1);
		cr_assert_eq(count(p, &calls, "pyd_test_recursion"), 4);
		cr_assert_eq(calls.v[0].how, PYD_CALL_REGS);
		for (size_t k = 1; k < calls.n; k++)
			cr_assert_gt(calls.v[k].sp, calls.v[k - 1].sp);
	}
	for (size_t i = 0; i < calls.n; i++) {
		if (strcmp(name_of(p, &calls.v[i]), "pyd_test_recursion") != 0)
			continue;
		cr_assert_eq(
			pyd_places_find(p, calls.v[i].pc, false, &at, &err),
			PYD_OK);
		cr_assert_gt(at->offset, 0);
		cr_assert_str_eq(at->file + strlen(at->file) - 13,
				 "test_native.c");
		cr_assert_geq(at->line, RECURSION_LINE);
		cr_assert_lt(at->line, RECURSION_LINE + RECURSION_LINES);
		cr_assert_eq(at->ninlined, 0);
	}
	for (size_t i = 0; i < calls.n; i++) {
		if (strcmp(name_of(p, &calls.v[i]), "pyd_test_innermost") != 0)
			continue;
		cr_assert_eq(
			pyd_places_find(p, calls.v[i].pc, false, &at, &err),
			PYD_OK);
		/* child_wait() may be inlined as well. */
		cr_assert_geq(at->ninlined, 1);
		cr_assert_str_eq(at->inlined[at->ninlined - 1].function,
				 "pyd_test_inlined");
		cr_assert_eq(at->line, CALLED_LINE);
		if (at->ninlined == 1)
			cr_assert_eq(at->inlined[0].line, WAITED_LINE);
	}
	pyd_places_destroy(p);
	pyd_unwinder_destroy(u);
	pyd_calls_deinit(&calls);
	end_child(s);
}

Test(native, deep_stack)
{
	struct stopped *s = stop_child(deep);
	struct pyd_calls calls = { 0 };
	struct pyd_unwinder *u;

	cr_assert_eq(pyd_unwinder_create(s->t, &s->m, &u, &err), PYD_OK);
	cr_assert_eq(pyd_unwind(u, &s->regs, 0, &calls, &err), PYD_OK);
	cr_assert(calls.whole, "%s", calls.note);
	cr_assert_gt(calls.n, 20000);
	/* A moment that has passed. */
	cr_assert_eq(pyd_unwind(u, &s->regs, 1, &calls, &err), PYD_OK);
	cr_assert(!calls.whole);
	cr_assert_lt(calls.n, 2000);
	cr_assert(strstr(calls.note, "time"), "%s", calls.note);
	pyd_unwinder_destroy(u);
	pyd_calls_deinit(&calls);
	end_child(s);
}

/* -- stacks that are none -- */

/* The child's memory, but for its stack, which holds what one likes. */
struct scribbled {
	struct pyd_target base;
	struct pyd_target *inner;
	pyd_addr start;
	uint64_t words[4096];
};

static enum pyd_code scribbled_read(struct pyd_target *t, pyd_addr addr,
				    void *buf, size_t len, struct pyd_err *e)
{
	struct scribbled *s = (struct scribbled *)(void *)t;
	pyd_addr end = s->start + sizeof(s->words);

	if (addr >= s->start && addr < end && len <= end - addr) {
		memcpy(buf, (const char *)s->words + (addr - s->start), len);
		return PYD_OK;
	}
	if (addr < end && addr + len > s->start)
		return pyd_err_at(e, PYD_FAULT, addr, "not readable");
	return pyd_target_read(s->inner, addr, buf, len, e);
}

static const struct pyd_target_ops scribbled_ops = {
	.name = "test",
	.read = scribbled_read,
};

static uint64_t state = 88172645463325252ULL;

static uint64_t chance(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* A word that leads somewhere more often than chance would have it. */
static uint64_t word(const struct scribbled *s, const struct pyd_calls *real)
{
	const struct pyd_region *r;

	switch (chance() % 8) {
	case 0:
		return chance();
	case 1:
		return 0;
	case 2:
	case 3:
		return real->v[chance() % real->n].pc;
	case 4:
		r = &s->base.regions[chance() % s->base.nregions];
		return r->start + chance() % (r->end - r->start);
	default:
		return s->start + chance() % sizeof(s->words) / 8 * 8;
	}
}

static void check_calls(const struct pyd_calls *c)
{
	cr_assert_geq(c->n, 1);
	cr_assert_leq(c->n, PYD_CALLS_MAX);
	cr_assert(c->whole || c->note[0]);
	for (size_t i = 1; i < c->n; i++)
		cr_assert(c->v[i].sp > c->v[i - 1].sp || c->v[i - 1].signal ||
			  !pyd_unw_call_pushes);
}

Test(native, stacks_of_chance)
{
	struct stopped *s = stop_child(shallow);
	struct scribbled *t = calloc(1, sizeof(*t));
	struct pyd_calls calls = { 0 }, real = { 0 };
	const struct pyd_region *r = pyd_target_region(s->t, s->regs.sp);
	struct pyd_unwinder *u;
	size_t steps = 0;

	cr_assert_eq(pyd_unwinder_create(s->t, &s->m, &u, &err), PYD_OK);
	cr_assert_eq(pyd_unwind(u, &s->regs, 0, &real, &err), PYD_OK);
	pyd_unwinder_destroy(u);
	t->base.ops = &scribbled_ops;
	t->base.regions = s->t->regions;
	t->base.nregions = s->t->nregions;
	t->inner = s->t;
	t->start = r->start & ~(pyd_addr)4095;
	for (int round = 0; round < 1000; round++) {
		struct pyd_regs regs = s->regs;
		uint64_t *user = (uint64_t *)(void *)&regs.user;

		for (size_t i = 0; i < 4096; i++)
			t->words[i] = word(t, &real);
		for (size_t i = 0; i < sizeof(regs.user) / 8; i++)
			user[i] = word(t, &real);
#ifdef __x86_64__
		regs.user.rsp = t->start + chance() % 2048 / 8 * 8;
		if (round % 4)
			regs.user.rip = real.v[chance() % real.n].pc;
#endif
		cr_assert_eq(pyd_unwinder_create(&t->base, &s->m, &u, &err),
			     PYD_OK);
		cr_assert_eq(pyd_unwind(u, &regs, 0, &calls, &err), PYD_OK);
		check_calls(&calls);
		steps += calls.n;
		pyd_unwinder_destroy(u);
	}
	/* It was not for nothing. */
	cr_assert_gt(steps, 1500);
	pyd_calls_deinit(&calls);
	pyd_calls_deinit(&real);
	end_child(s);
	free(t);
}

/* Unwind tables that are damaged in the target's memory. */
struct torn_tables {
	struct pyd_target base;
	struct pyd_target *inner;
	const struct pyd_nmodules *m;
};

static enum pyd_code torn_read(struct pyd_target *t, pyd_addr addr, void *buf,
			       size_t len, struct pyd_err *e)
{
	struct torn_tables *s = (struct torn_tables *)(void *)t;
	const struct pyd_region *r = pyd_target_region(s->inner, addr);
	enum pyd_code code = pyd_target_read(s->inner, addr, buf, len, e);
	uint8_t *bytes = buf;

	/* Constants of modules: there the tables are. */
	if (code || !r || !r->inode || r->prot & (PYD_PROT_W | PYD_PROT_X))
		return code;
	for (size_t i = 0; i < len; i++)
		if (chance() % 64 == 0)
			bytes[i] = (uint8_t)chance();
	return PYD_OK;
}

Test(native, damaged_tables)
{
	static const struct pyd_target_ops ops = { .name = "test",
						   .read = torn_read };
	struct stopped *s = stop_child(shallow);
	struct torn_tables t = {
		.base = { .ops = &ops,
			  .regions = s->t->regions,
			  .nregions = s->t->nregions },
		.inner = s->t,
	};
	struct pyd_calls calls = { 0 };

	for (int round = 0; round < 300; round++) {
		struct pyd_unwinder *u;

		cr_assert_eq(pyd_unwinder_create(&t.base, &s->m, &u, &err),
			     PYD_OK);
		cr_assert_eq(pyd_unwind(u, &s->regs, 0, &calls, &err), PYD_OK);
		check_calls(&calls);
		pyd_unwinder_destroy(u);
	}
	pyd_calls_deinit(&calls);
	end_child(s);
}

#ifdef __x86_64__
Test(native, a_call_of_no_code)
{
	struct stopped *s = stop_child(shallow);
	struct scribbled *t = calloc(1, sizeof(*t));
	struct pyd_calls calls = { 0 }, real = { 0 };
	struct pyd_regs regs = s->regs;
	struct pyd_unwinder *u;

	cr_assert_eq(pyd_unwinder_create(s->t, &s->m, &u, &err), PYD_OK);
	cr_assert_eq(pyd_unwind(u, &s->regs, 0, &real, &err), PYD_OK);
	/* As after a call through a NULL pointer. The word on top of the stack
	 * is where the call is to return to. */
	for (size_t i = 1; i < real.n; i++) {
		uint64_t top = 0;

		cr_assert_eq(
			pyd_target_read_u64(s->t, real.v[i].sp - 8, &top, &err),
			PYD_OK);
		if (top != real.v[i].pc)
			continue;
		regs.user.rip = 0;
		regs.user.rsp = real.v[i].sp - 8;
		regs.user.rbp = real.v[i].saved[1];
		regs.user.rbx = real.v[i].saved[0];
		regs.user.r12 = real.v[i].saved[2];
		regs.user.r13 = real.v[i].saved[3];
		regs.user.r14 = real.v[i].saved[4];
		regs.user.r15 = real.v[i].saved[5];
		cr_assert_eq(pyd_unwind(u, &regs, 0, &calls, &err), PYD_OK);
		cr_assert_eq(calls.v[0].pc, 0);
		cr_assert_eq(calls.v[1].how, PYD_CALL_TOP);
		cr_assert_eq(calls.n, real.n - i + 1);
		for (size_t k = 1; k < calls.n; k++)
			cr_assert_eq(calls.v[k].pc, real.v[i + k - 1].pc);
		cr_assert(calls.whole);
	}
	/* What is on top is no return address. */
	regs.user.rip = 0x1000;
	regs.user.rsp = s->regs.sp & ~4095ULL;
	regs.user.rbp = 0;
	cr_assert_eq(pyd_unwind(u, &regs, 0, &calls, &err), PYD_OK);
	cr_assert_leq(calls.n, 2);
	cr_assert(strstr(calls.note, "no code") || calls.n == 2, "%s",
		  calls.note);
	pyd_unwinder_destroy(u);
	pyd_calls_deinit(&calls);
	pyd_calls_deinit(&real);
	end_child(s);
	free(t);
}

Test(native, calls_are_told_from_other_code)
{
	static const struct {
		uint8_t bytes[7];
		bool call;
	} cases[] = {
		{ { 0x90, 0x90, 0xe8, 1, 2, 3, 4 }, true },
		{ { 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xd0 }, true },
		{ { 0x90, 0x90, 0x90, 0x90, 0x41, 0xff, 0xd4 }, true },
		{ { 0x90, 0xff, 0x15, 1, 2, 3, 4 }, true },
		{ { 0x90, 0x90, 0x90, 0x90, 0xff, 0x50, 8 }, true },
		{ { 0x90, 0x90, 0x90, 0xff, 0x54, 0x24, 8 }, true },
		{ { 0xff, 0x94, 0x24, 1, 2, 3, 4 }, true },
		{ { 0x90, 0xff, 0x90, 1, 2, 3, 4 }, true },
		{ { 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xe0 }, false },
		{ { 0x90, 0x90, 0xe9, 1, 2, 3, 4 }, false },
		{ { 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90 }, false },
		{ { 0, 0, 0, 0, 0, 0, 0 }, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(pyd_unw_is_call(cases[i].bytes, 7), cases[i].call,
			     "case %zu", i);
	cr_expect(!pyd_unw_is_call(cases[0].bytes, 0));
}
#endif

/* -- names -- */

Test(native, demangled)
{
	static const struct {
		const char *mangled, *text;
	} cases[] = {
		{ "_ZN3foo3barEi", "foo::bar(int)" },
		{ "_ZNSt6vectorIiSaIiEE9push_backERKi",
		  "std::vector<int, std::allocator<int> >::push_back(int "
		  "const&)" },
		{ "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE",
		  "core::fmt::Formatter::pad" },
		{ "_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar" },
	};
	char buf[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert(pyd_demangle(cases[i].mangled, buf, sizeof(buf)),
			  "%s", cases[i].mangled);
		cr_expect_str_eq(buf, cases[i].text);
	}
	cr_expect(!pyd_demangle("main", buf, sizeof(buf)));
	cr_expect(!pyd_demangle("_Zwhatever", buf, sizeof(buf)));
	cr_expect(!pyd_demangle("_start", buf, sizeof(buf)));
	cr_expect(!pyd_demangle("", buf, sizeof(buf)));
}

/* Each part of it stands for the part before it twice. */
Test(native, a_name_that_stands_for_gigabytes)
{
	char name[2048] = "_Z1f1aIS_S_E";
	char pointers[200];
	char buf[256];
	size_t n = strlen(name);

	memset(pointers, 'P', sizeof(pointers));

	for (int i = 0; i < 34; i++) {
		char c = i < 10 ? (char)('0' + i) : (char)('A' + i - 10);

		n += (size_t)snprintf(name + n, sizeof(name) - n,
				      "1aIS%c_S%c_E", c, c);
	}
	if (pyd_demangle(name, buf, sizeof(buf)))
		cr_expect_lt(strlen(buf), sizeof(buf));

	snprintf(name, sizeof(name), "_Z1f%.*si", 200, pointers);
	cr_assert(pyd_demangle(name, buf, 64));
	cr_expect_eq(strlen(buf), 63);
	cr_expect_str_eq(buf + 60, "...");
}

/* "" stands for none. */
static const char *symbol_at(struct pyd_symtab *s, uint64_t addr)
{
	struct pyd_function f;

	return pyd_symtab_find(s, addr, &f) ? f.name : "";
}

Test(native, symbols_cover_what_they_say)
{
	static const char names[] = "\0_one\0one\0bare\0two\0data\0$x\0uncut";
	enum { FUNC = STB_GLOBAL << 4 | STT_FUNC };
	static const Elf64_Sym syms[] = {
		{ 0 },
		{ .st_name = 10,
		  .st_info = FUNC,
		  .st_shndx = 1,
		  .st_value = 0x300,
		  .st_size = 8 },
		{ .st_name = 1,
		  .st_info = FUNC,
		  .st_shndx = 1,
		  .st_value = 0x100,
		  .st_size = 0x10 },
		{ .st_name = 6,
		  .st_info = FUNC,
		  .st_shndx = 1,
		  .st_value = 0x100,
		  .st_size = 0x10 },
		{ .st_name = 15,
		  .st_info = FUNC,
		  .st_shndx = 1,
		  .st_value = 0x200,
		  .st_size = 0x10 },
		/* These name no function: of data, undefined, a mark, names
		 * outside of the table. */
		{ .st_name = 19,
		  .st_info = STB_GLOBAL << 4 | STT_OBJECT,
		  .st_shndx = 1,
		  .st_value = 0x200,
		  .st_size = 0x10 },
		{ .st_name = 6,
		  .st_info = FUNC,
		  .st_value = 0x208,
		  .st_size = 0x10 },
		{ .st_name = 24,
		  .st_info = FUNC,
		  .st_shndx = 1,
		  .st_value = 0x208,
		  .st_size = 0x10 },
		{ .st_name = 27,
		  .st_info = FUNC,
		  .st_shndx = 1,
		  .st_value = 0x208,
		  .st_size = 0x10 },
		{ .st_name = 1 << 20,
		  .st_info = FUNC,
		  .st_shndx = 1,
		  .st_value = 0x208,
		  .st_size = 0x10 },
	};
	struct pyd_symtab s = { 0 };

	cr_assert(!pyd_symtab_any(&s));
	cr_assert_eq(pyd_symtab_add_symbols(&s, syms,
					    sizeof(syms) / sizeof(syms[0]),
					    names, sizeof(names) - 1, &err),
		     PYD_OK);
	cr_assert(pyd_symtab_any(&s));
	/* As they are in the table, and sorted. */
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(!s.v, s.asked < 8);
		cr_assert_str_empty(symbol_at(&s, 0xff));
		cr_assert_str_eq(symbol_at(&s, 0x100), "one");
		cr_assert_str_eq(symbol_at(&s, 0x10f), "one");
		/* In a stripped file another function begins here. */
		cr_assert_str_empty(symbol_at(&s, 0x110));
		cr_assert_str_eq(symbol_at(&s, 0x20f), "two");
		cr_assert_str_eq(symbol_at(&s, 0x307), "bare");
		cr_assert_str_empty(symbol_at(&s, 0x308));
		cr_assert_str_empty(symbol_at(&s, UINT64_MAX));
	}
	pyd_symtab_deinit(&s);
}

/* Each address of pydumpd's own code that begins or ends something, out of the
 * file's tables as they are and sorted. */
Test(native, symbols_of_a_file)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct pyd_symtab sorted = { 0 };
	Elf *elf;

	cr_assert_geq(fd, 0);
	cr_assert_neq(elf_version(EV_CURRENT), EV_NONE);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	cr_assert_not_null(elf);
	cr_assert_eq(pyd_symtab_add(&sorted, elf, &err), PYD_OK);
	cr_assert(sorted.whole && pyd_symtab_any(&sorted));
	while (!sorted.v)
		symbol_at(&sorted, 0);
	cr_assert_gt(sorted.n, 1000);
	for (size_t i = 0; i < sorted.n; i += 1 + i / 50) {
		const struct pyd_function *f = &sorted.v[i];
		uint64_t at[] = { f->addr - 1,		 f->addr,
				  f->addr + f->size - 1, f->addr + f->size,
				  f->addr + 4095,	 f->addr + 4096 };
		struct pyd_symtab plain = { 0 };

		cr_assert_eq(pyd_symtab_add(&plain, elf, &err), PYD_OK);
		for (size_t k = 0; k < sizeof(at) / sizeof(at[0]); k++)
			cr_assert_str_eq(symbol_at(&plain, at[k]),
					 symbol_at(&sorted, at[k]));
		cr_assert_null(plain.v);
		pyd_symtab_deinit(&plain);
	}
	pyd_symtab_deinit(&sorted);
	elf_end(elf);
	close(fd);
}

#ifdef __x86_64__
Test(native, ends_of_functions)
{
	static const struct {
		const char *bytes;
		size_t n;
		int64_t back; /* -1: it is none */
		int fp;	      /* where the frame pointer is; -1: as it was */
	} ends[] = {
		{ "\xc3", 1, 0, -1 },
		{ "\xf3\xc3", 2, 0, -1 },
		{ "\x48\x83\xc4\x18\xc3", 5, 24, -1 },
		{ "\x48\x81\xc4\x88\1\0\0\xc3", 8, 0x188, -1 },
		/* add $8, %rsp; pop %rbx; pop %rbp; pop %r12; ret */
		{ "\x48\x83\xc4\x08\x5b\x5d\x41\x5c\xc3", 9, 32, 16 },
		/* Cut off; a negative number; pop %rsp; something else. */
		{ "\x48\x83\xc4\x18", 4, -1, 0 },
		{ "\x48\x83\xc4", 3, -1, 0 },
		{ "\x41", 1, -1, 0 },
		{ "\x48\x83\xc4\xf8\xc3", 5, -1, 0 },
		{ "\x48\x81\xc4\xff\xff\xff\xff\xc3", 8, -1, 0 },
		{ "\x5c\xc3", 2, -1, 0 },
		{ "\x31\xc0\xc3", 3, -1, 0 },
		{ "", 0, -1, 0 },
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct pyd_unw_end end;
		bool is = pyd_unw_is_end((const uint8_t *)ends[i].bytes,
					 ends[i].n, &end);

		cr_assert_eq(is, ends[i].back >= 0, "%zu", i);
		if (!is)
			continue;
		cr_assert_eq(end.back, (uint64_t)ends[i].back, "%zu", i);
		for (size_t k = 0; k < pyd_unw_nsaved; k++)
			if (pyd_unw_saved[k] == pyd_unw_fp)
				cr_assert_eq(end.saved[k],
					     ends[i].fp < 0
						     ? UINT64_MAX
						     : (uint64_t)ends[i].fp);
	}
}
#endif

/* -- names of code in no file -- */

/* "" stands for none. */
static const char *perf_at(const struct pyd_perfmap *m, pyd_addr addr)
{
	struct pyd_perfname f;

	return pyd_perfmap_find(m, addr, &f) ? f.name : "";
}

Test(native, names_for_perf)
{
	char text[] = "1000 20 py::first:/a b/c.py\n"
		      "0x2000 0x10 hex\n"
		      "3000 0 nothing\n"
		      "junk\n"
		      "\n"
		      "4000 10\n"
		      "4000 10 \n"
		      "4000 zz name\n"
		      "4000 10 esc\033[1m\n"
		      "00000000000005000 10 long\n"
		      "fffffffffffffff0 20 beyond\n"
		      "6000 100 wide\n"
		      "6010 10 inside\n"
		      "1010 10 newer\n"
		      "7000 10 cut";
	struct pyd_perfmap *m = pyd_perfmap_parse(text, sizeof(text) - 1);
	struct pyd_perfname f;

	cr_assert_not_null(m);
	cr_assert_str_eq(perf_at(m, 0x1000), "py::first:/a b/c.py");
	cr_assert_str_eq(perf_at(m, 0x100f), "py::first:/a b/c.py");
	/* Memory is used again: what was written later is true. */
	cr_assert_str_eq(perf_at(m, 0x1010), "newer");
	cr_assert_str_eq(perf_at(m, 0x101f), "newer");
	cr_assert_str_empty(perf_at(m, 0x1020));
	cr_assert_str_empty(perf_at(m, 0xfff));
	cr_assert_str_eq(perf_at(m, 0x200f), "hex");
	cr_assert_str_empty(perf_at(m, 0x3000));
	cr_assert_str_empty(perf_at(m, 0x4000));
	cr_assert_str_empty(perf_at(m, 0x5000));
	cr_assert_str_empty(perf_at(m, UINT64_MAX));
	cr_assert_str_eq(perf_at(m, 0x600f), "wide");
	cr_assert_str_eq(perf_at(m, 0x6010), "inside");
	cr_assert_str_eq(perf_at(m, 0x60ff), "wide");
	/* It has no end yet. */
	cr_assert_str_empty(perf_at(m, 0x7000));
	cr_assert(pyd_perfmap_find(m, 0x6020, &f));
	cr_assert_eq(f.start, 0x6000);
	cr_assert_eq(f.size, 0x100);
	pyd_perfmap_close(m);
	cr_assert_null(pyd_perfmap_parse(text, (size_t)1 << 30));
}

/* Against a plain search through all lines. */
Test(native, names_for_perf_of_chance)
{
	for (int round = 0; round < 200; round++) {
		char text[64 * 40];
		uint64_t start[64], size[64];
		struct pyd_perfmap *m;
		size_t len = 0;

		for (int i = 0; i < 64; i++) {
			start[i] = 0x1000 + chance() % 256;
			size[i] = 1 + chance() % 32;
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						"%llx %llx n%d\n",
						(unsigned long long)start[i],
						(unsigned long long)size[i], i);
		}
		m = pyd_perfmap_parse(text, len);
		cr_assert_not_null(m);
		for (pyd_addr at = 0xff0; at < 0x1200; at++) {
			char want[16] = "";

			for (int i = 0; i < 64; i++)
				if (at - start[i] < size[i] && at >= start[i])
					snprintf(want, sizeof(want), "n%d", i);
			cr_assert_str_eq(perf_at(m, at), want);
		}
		pyd_perfmap_close(m);
	}
}
