// SPDX-License-Identifier: Apache-2.0
/* What threads wait for, by mutexes in synthetic memory: who holds them,
 * circles, and the words for it. */
#include <criterion/criterion.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "walk/waits.h"
#include "world.h"

enum { MUTEX = 40, THREADS = 1000, FIRST_TID = 5000 };

/* A process of n threads; those of Python have names. */
struct scene {
	struct world w;
	struct pyd_runtime rt;
	struct pyd_waits waits;
	struct pyd_thread os[THREADS];
	struct pyd_pythread py[THREADS];
	struct pyd_err err;
	char text[PYD_WAITS_SENTENCE];
};

static struct scene *scene(const struct pyd_layout *lay, size_t n, size_t npy)
{
	struct scene *s = calloc(1, sizeof(*s));

	cr_assert(s);
	world_init(&s->w, lay);
	s->rt.lay = *lay;
	s->waits = (struct pyd_waits) { .r = &s->w.r, .rt = &s->rt };
	s->waits.v = calloc(n, sizeof(*s->waits.v));
	cr_assert(s->waits.v);
	s->waits.n = n;
	s->waits.npy = npy;
	for (size_t i = 0; i < n; i++) {
		struct pyd_waiter *t = &s->waits.v[i];

		s->os[i].tid = s->os[i].ns_tid = FIRST_TID + (pid_t)i;
		snprintf(s->os[i].comm, sizeof(s->os[i].comm), "c%zu", i);
		snprintf(s->py[i].name, sizeof(s->py[i].name), "t%zu", i);
		s->py[i].ident = 7000 + i;
		t->os = &s->os[i];
		t->py = i < npy ? &s->py[i] : NULL;
		t->lock = t->on = PYD_WAITS_NONE;
	}
	return s;
}

static void end(struct scene *s)
{
	pyd_waits_deinit(&s->waits);
	world_deinit(&s->w);
	free(s);
}

/* A pthread_mutex_t that is waited for, of the thread with that id. */
static pyd_addr mutex(struct scene *s, uint32_t owner)
{
	const uint32_t words[MUTEX / 4] = { 2, 1, owner, 1 };
	pyd_addr at = take(&s->w.m, MUTEX);

	put(&s->w.m, at, words, sizeof(words));
	return at;
}

static void wait_at(struct scene *s, size_t i, pyd_addr word, bool timed)
{
	s->waits.v[i].call = (struct pyd_syscall) {
		.state = PYD_CALL_WAITS,
		.nr = SYS_futex,
		.args = { word, FUTEX_WAIT_PRIVATE, 2, timed ? 1 : 0 },
	};
}

/* Thread i waits for a mutex that another holds. */
static void wait_for(struct scene *s, size_t i, size_t holder)
{
	wait_at(s, i, mutex(s, FIRST_TID + (uint32_t)holder), false);
}

static void find(struct scene *s)
{
	cr_assert_eq(pyd_waits_find(&s->waits, &s->err), PYD_OK);
	cr_assert_eq(pyd_waits_circles(&s->waits, &s->err), PYD_OK);
}

static const char *deadlock(struct scene *s, size_t k)
{
	cr_assert_lt(k, s->waits.ndeadlocks);
	pyd_waits_say_deadlock(&s->waits, &s->waits.deadlocks[k], s->text,
			       sizeof(s->text));
	return s->text;
}

static const char *wait_of(struct scene *s, size_t i)
{
	pyd_waits_say_wait(&s->waits, i, s->text, sizeof(s->text));
	return s->text;
}

static void assert_matches(const char *text, const char *pattern)
{
	/* "#" stands for an address. */
	for (; *pattern; pattern++) {
		if (*pattern != '#') {
			cr_assert_eq(*text++, *pattern, "at \"%s\", \"%s\"",
				     text - 1, pattern);
			continue;
		}
		cr_assert(!strncmp(text, "0x", 2));
		text += 2 + strspn(text + 2, "0123456789abcdef");
	}
	cr_assert_str_empty(text);
}

static void two_circles(struct world *w)
{
	struct scene *s = scene(w->lay, 7, 6);

	/* 1 and 2; 3, 4 and the native thread 6; 0 waits for the first. */
	wait_for(s, 0, 1);
	wait_for(s, 1, 2);
	wait_for(s, 2, 1);
	wait_for(s, 3, 4);
	wait_for(s, 4, 6);
	wait_for(s, 6, 3);
	find(s);
	cr_assert_eq(s->waits.ndeadlocks, 2);
	assert_matches(deadlock(s, 0),
		       "thread 1 (t1) holds native mutex at # and waits for "
		       "native mutex at #, held by thread 2 (t2), which waits "
		       "for native mutex at #, held by thread 1 (t1)");
	assert_matches(deadlock(s, 1),
		       "thread 3 (t3) holds native mutex at # and waits for "
		       "native mutex at #, held by thread 4 (t4), which waits "
		       "for native mutex at #, held by native thread 5006 "
		       "(c6), which waits for native mutex at #, held by "
		       "thread 3 (t3)");
	assert_matches(wait_of(s, 0), "waits for native mutex at #, held by "
				      "thread 1 (t1)");
	cr_assert_str_empty(wait_of(s, 5));
	end(s);
}

static void alone(struct world *w)
{
	struct scene *s = scene(w->lay, 4, 4);
	const pyd_addr shared = mutex(s, FIRST_TID + 1);

	/* 0 for itself; 1 and 2 for each other, 2 not for ever; 3 for the
	 * mutex that 2 waits for. */
	wait_for(s, 0, 0);
	wait_for(s, 1, 2);
	wait_at(s, 2, shared, true);
	wait_at(s, 3, shared, false);
	find(s);
	cr_assert_eq(s->waits.ndeadlocks, 1);
	cr_assert_eq(s->waits.deadlocks[0].n, 1);
	assert_matches(deadlock(s, 0), "thread 0 (t0) waits for native mutex "
				       "at #, which it holds itself");
	assert_matches(wait_of(s, 2), "waits for native mutex at #, held by "
				      "thread 1 (t1), with a timeout");
	cr_assert_eq(s->waits.v[2].lock, s->waits.v[3].lock);
	cr_assert_eq(s->waits.nlocks, 3);
	end(s);
}

/* Ids that no thread has, and words that are no mutex: nothing is claimed. */
static void nothing_known(struct world *w)
{
	static const uint32_t ids[] = {
		0, 1, FIRST_TID - 1, FIRST_TID + 2, 0x7fffffff, UINT32_MAX
	};
	const size_t n = sizeof(ids) / sizeof(*ids);

	for (size_t k = 0; k < n + 4; k++) {
		struct scene *s = scene(w->lay, 2, 2);
		const uint32_t kind = 1 << 20, many = 1 << 21, taken = 1;
		pyd_addr at = mutex(s, k < n ? ids[k] : FIRST_TID + 1);

		if (k == n)
			put(&s->w.m, at + 16, &kind, 4);
		else if (k == n + 1)
			put(&s->w.m, at + 12, &many, 4);
		else if (k == n + 2)
			put(&s->w.m, at, &taken, 4);
		else if (k == n + 3)
			at = BASE + s->w.m.len - 4; /* it ends too early */
		wait_at(s, 0, at, false);
		find(s);
		cr_assert_eq(s->waits.nlocks, 0, "%zu", k);
		cr_assert_eq(s->waits.v[0].on, PYD_WAITS_NONE);
		cr_assert_eq(s->waits.v[0].wait, PYD_WAIT_FUTEX);
		assert_matches(wait_of(s, 0), "waits for a futex at #, of "
					      "which nothing is known");
		end(s);
	}
}

Test(waits, circles)
{
	for_each_table(two_circles);
	for_each_table(alone);
}

Test(waits, what_no_thread_holds)
{
	for_each_table(nothing_known);
}

static void thousand(struct scene *s, bool circle)
{
	for (size_t i = 0; i < THREADS; i++)
		if (circle)
			wait_for(s, i, (i + 1) % THREADS);
		else if (i)
			wait_at(s, i, BASE + s->w.m.len - MUTEX, false);
		else
			(void)mutex(s, FIRST_TID);
	find(s);
}

Test(waits, a_thousand)
{
	struct pyd_layouts all;
	struct pyd_layout *lay;
	struct pyd_err err;
	struct scene *s;

	cr_assert_eq(pyd_layouts_load(NULL, &all, &err), PYD_OK);
	cr_assert_eq(pyd_layouts_get(&all, 0, &lay, &err), PYD_OK);
	s = scene(lay, THREADS, THREADS);
	thousand(s, true);
	cr_assert_eq(s->waits.ndeadlocks, 1);
	cr_assert_eq(s->waits.deadlocks[0].n, THREADS);
	cr_assert(strstr(deadlock(s, 0),
			 "held by thread 8 (t8), and so on, through 992 more "
			 "threads back to the first"));
	end(s);

	/* For one mutex: one lock, no circle. */
	s = scene(lay, THREADS, THREADS);
	thousand(s, false);
	cr_assert_eq(s->waits.ndeadlocks, 0);
	cr_assert_eq(s->waits.nlocks, 1);
	for (size_t i = 1; i < THREADS; i++)
		cr_assert_eq(s->waits.v[i].on, 0);
	end(s);
	pyd_layouts_deinit(&all);
}

Test(waits, words)
{
	struct pyd_lock locks[] = {
		{ .kind = PYD_LOCK_PLAIN, .object = 0x10, .locked = true },
		{ .kind = PYD_LOCK_PLAIN, .object = 0x20, .name = "a" },
		{ .kind = PYD_LOCK_RLOCK, .object = 0x30, .many = true },
		{ .kind = PYD_LOCK_GIL },
		{ .kind = PYD_LOCK_OTHER, .word = 0x40, .locked = true },
		{ .kind = PYD_LOCK_END, .object = 0x50 },
		{ .kind = PYD_LOCK_RLOCK,
		  .object = 0x60,
		  .locked = true,
		  .orphan = true },
	};
	static const struct {
		int lock, on;
		enum pyd_wait wait;
		const char *what, *text;
	} all[] = {
		{ 0, -1, PYD_WAIT_LOCK, "",
		  "waits for Lock at 0x10, holder not known" },
		{ 1, -1, PYD_WAIT_LOCK, "",
		  "waits for Lock a, which is free by now" },
		{ 2, -1, PYD_WAIT_LOCK, "",
		  "waits for RLock at 0x30, held by one of several threads" },
		{ 3, 1, PYD_WAIT_GIL, "",
		  "waits for the GIL, held by thread 1 (t1)" },
		{ 4, -1, PYD_WAIT_LOCK, "",
		  "waits for a lock of Python at 0x40" },
		{ 5, 1, PYD_WAIT_JOIN, "",
		  "waits for the end of thread 1 (t1)" },
		{ 1, 1, PYD_WAIT_FUTURE, "the result of Future f",
		  "waits for the result of Future f, run by thread 1 (t1)" },
		{ 1, 1, PYD_WAIT_IMPORT, "the import of m",
		  "waits for the import of m, imported by thread 1 (t1)" },
		{ 0, 0, PYD_WAIT_LOCK, "",
		  "waits for Lock at 0x10, which it holds itself" },
		{ 6, -1, PYD_WAIT_LOCK, "",
		  "waits for RLock at 0x60, held by a thread that is not there "
		  "(it ended, or was left by a fork)" },
		{ -1, -1, PYD_WAIT_SYSCALL, "", "" },
		{ -1, -1, PYD_WAIT_NOTHING, "", "" },
	};
	struct pyd_layouts tables;
	struct pyd_layout *lay;
	struct pyd_err err;
	struct scene *s;

	cr_assert_eq(pyd_layouts_load(NULL, &tables, &err), PYD_OK);
	cr_assert_eq(pyd_layouts_get(&tables, 0, &lay, &err), PYD_OK);
	s = scene(lay, 2, 2);
	s->waits.locks = locks;
	s->waits.nlocks = sizeof(locks) / sizeof(*locks);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct pyd_waiter *t = &s->waits.v[0];
		char little[8];

		t->lock = all[i].lock;
		t->on = all[i].on;
		t->wait = all[i].wait;
		snprintf(t->what, sizeof(t->what), "%s", all[i].what);
		cr_assert_str_eq(wait_of(s, 0), all[i].text);
		/* Cut, not written beyond its end. */
		pyd_waits_say_wait(&s->waits, 0, little, sizeof(little));
		cr_assert_eq(strncmp(little, all[i].text, 7), 0);
		cr_assert_leq(strlen(little), 7);
	}
	s->waits.locks = NULL;
	s->waits.nlocks = 0;
	end(s);
	pyd_layouts_deinit(&tables);
}
