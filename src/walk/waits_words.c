// SPDX-License-Identifier: Apache-2.0
/* What is known of waits, in words. */
#include <stdio.h>
#include <string.h>

#include "walk/waits.h"

enum { NAMED_MAX = 8 }; /* threads of one circle or pool, by their names */

void pyd_waits_thread_text(const struct pyd_waits *w, int i, char *buf,
			   size_t cap)
{
	const struct pyd_waiter *t = &w->v[i];

	if (!t->py)
		snprintf(buf, cap, "native thread %d (%s)", t->os->tid,
			 t->os->comm);
	else if (*t->py->name || *t->py->os_name)
		snprintf(buf, cap, "thread %d (%s)", i,
			 *t->py->name ? t->py->name : t->py->os_name);
	else
		snprintf(buf, cap, "thread %d", i);
}

void pyd_waits_lock_text(const struct pyd_lock *l, char *buf, size_t cap)
{
	const char *word = l->kind == PYD_LOCK_PLAIN	? "Lock"
			   : l->kind == PYD_LOCK_RLOCK	? "RLock"
			   : l->kind == PYD_LOCK_OBJECT ? l->type
			   : l->kind == PYD_LOCK_MUTEX	? "native mutex"
							: "a lock of Python";

	if (l->kind == PYD_LOCK_GIL)
		snprintf(buf, cap, "the GIL");
	else if (*l->name)
		snprintf(buf, cap, "%s %s", word, l->name);
	else
		snprintf(buf, cap, "%s at 0x%llx", word,
			 (unsigned long long)(l->object ? l->object : l->word));
}

/* "Lock ledger_lock", "the end of thread 2 (x)": after "waits for". */
static void say_object(const struct pyd_waits *w, const struct pyd_waiter *t,
		       struct pyd_say *out)
{
	char text[PYD_WAITS_TEXT];

	if (*t->what) {
		pyd_say(out, "%s", t->what);
	} else if (t->lock != PYD_WAITS_NONE &&
		   w->locks[t->lock].kind != PYD_LOCK_END) {
		pyd_waits_lock_text(&w->locks[t->lock], text, sizeof(text));
		pyd_say(out, "%s", text);
	} else if (t->on != PYD_WAITS_NONE) {
		pyd_waits_thread_text(w, t->on, text, sizeof(text));
		pyd_say(out, "the end of %s", text);
	} else {
		pyd_say(out, "a futex at 0x%llx, of which nothing is known",
			(unsigned long long)t->call.args[0]);
	}
}

/* What the one that is waited for does with it. */
static const char *relation(const struct pyd_waiter *t)
{
	switch (t->wait) {
	case PYD_WAIT_FUTURE:
		return "run by";
	case PYD_WAIT_IMPORT:
		return "imported by";
	default:
		return "held by";
	}
}

/* All of it in one sentence without a subject; "" for nothing to say. */
static void say_wait(const struct pyd_waits *w, size_t i, struct pyd_say *out)
{
	const struct pyd_waiter *t = &w->v[i];
	const struct pyd_lock *l =
		t->lock == PYD_WAITS_NONE ? NULL : &w->locks[t->lock];
	char text[256];

	if (t->wait == PYD_WAIT_NOTHING || t->wait == PYD_WAIT_SYSCALL)
		return;
	pyd_say(out, "waits for ");
	say_object(w, t, out);
	if (t->on == (int)i) {
		pyd_say(out, ", which it holds itself");
	} else if (t->on != PYD_WAITS_NONE && t->wait != PYD_WAIT_JOIN) {
		pyd_waits_thread_text(w, t->on, text, sizeof(text));
		pyd_say(out, ", %s %s", relation(t), text);
	} else if (l && !*t->what && l->kind <= PYD_LOCK_OBJECT) {
		pyd_say(out, l->many ? ", held by one of several threads"
			     : l->orphan
				     ? ", held by a thread that is not there "
				       "(it ended, or was left by a fork)"
			     : l->locked ? ", holder not known"
					 : ", which is free by now");
	}
	if (t->timed)
		pyd_say(out, ", with a timeout");
}

void pyd_waits_say_wait(const struct pyd_waits *w, size_t i, char *buf,
			size_t cap)
{
	struct pyd_say out = { buf, cap, 0 };

	buf[0] = '\0';
	say_wait(w, i, &out);
}

/* "all threads of a pool ...: thread 1 (a), thread 2 (b)" */
static void say_pool(const struct pyd_waits *w, const struct pyd_deadlock *d,
		     struct pyd_say *out)
{
	char name[256];

	pyd_say(out, d->n == 1 ? "the only thread of a pool, "
			       : "all threads of a pool wait for work that "
				 "waits for one of them: ");
	for (size_t k = 0; k < d->n && k < NAMED_MAX; k++) {
		pyd_waits_thread_text(w, d->threads[k], name, sizeof(name));
		pyd_say(out, "%s%s", k ? ", " : "", name);
	}
	if (d->n > NAMED_MAX)
		pyd_say(out, " and %zu more", d->n - NAMED_MAX);
	if (d->n > 1)
		return;
	pyd_say(out, ", waits for ");
	say_object(w, &w->v[d->threads[0]], out);
	pyd_say(out, ", which waits for a thread of the pool");
}

/* "thread 1 (a) holds L and waits for M, held by thread 2 (b), which ..." */
static void say_circle(const struct pyd_waits *w, const struct pyd_deadlock *d,
		       struct pyd_say *out)
{
	const struct pyd_waiter *last = &w->v[d->threads[d->n - 1]];
	char name[256];

	pyd_waits_thread_text(w, d->threads[0], name, sizeof(name));
	pyd_say(out, "%s ", name);
	/* What the last one waits for. */
	if (d->n > 1 && last->lock != PYD_WAITS_NONE && !*last->what) {
		pyd_say(out, "holds ");
		say_object(w, last, out);
		pyd_say(out, " and ");
	}
	for (size_t k = 0; k < d->n; k++) {
		const struct pyd_waiter *t = &w->v[d->threads[k]];
		const bool goes_on = k + 1 < d->n;

		pyd_say(out, "waits for ");
		say_object(w, t, out);
		if (d->n == 1) {
			pyd_say(out, ", which it holds itself");
			break;
		}
		pyd_waits_thread_text(w, d->threads[(k + 1) % d->n], name,
				      sizeof(name));
		if (t->wait != PYD_WAIT_JOIN)
			pyd_say(out, ", %s %s", relation(t), name);
		if (goes_on && k + 1 >= NAMED_MAX) {
			pyd_say(out,
				", and so on, through %zu more threads back "
				"to the first",
				d->n - 1 - k);
			break;
		}
		if (goes_on)
			pyd_say(out, ", which ");
	}
}

void pyd_waits_say_deadlock(const struct pyd_waits *w,
			    const struct pyd_deadlock *d, char *buf, size_t cap)
{
	struct pyd_say out = { buf, cap, 0 };

	buf[0] = '\0';
	(d->pool ? say_pool : say_circle)(w, d, &out);
}

bool pyd_waits_say_gil(const struct pyd_waits *w, size_t k, char *buf,
		       size_t cap)
{
	struct pyd_say all = { buf, cap, 0 }, *out = &all;
	const struct pyd_lock *l = &w->locks[k];
	const struct pyd_region *region = NULL;
	const struct pyd_waiter *t;
	const char *base;
	char text[128];
	size_t n = 0;

	if (l->kind != PYD_LOCK_GIL || l->owner == PYD_WAITS_NONE)
		return false;
	t = &w->v[l->owner];
	for (size_t i = 0; i < w->n; i++)
		n += w->v[i].lock == (int)k;
	pyd_waits_thread_text(w, l->owner, text, sizeof(text));
	if (t->call.state == PYD_CALL_WAITS) {
		pyd_say(out, "%s holds the GIL while it ", text);
		if (t->wait != PYD_WAIT_SYSCALL && t->wait != PYD_WAIT_FUTEX)
			say_wait(w, (size_t)l->owner, out);
		else
			pyd_waits_say_call(w, t, out);
	} else if (t->call.state == PYD_CALL_NONE && t->os->regs.pc) {
		region = pyd_target_region(w->r->target, t->os->regs.pc);
		if (!region || !*region->path || region->path[0] != '/' ||
		    !strcmp(region->path, w->rt->module))
			return false;
		base = strrchr(region->path, '/') + 1;
		/* What Python calls all the time tells nothing. */
		if (!strncmp(base, "libc", 4) || !strncmp(base, "libm", 4) ||
		    !strncmp(base, "libpthread", 10) ||
		    !strncmp(base, "ld-", 3))
			return false;
		pyd_say(out, "%s holds the GIL and runs code of %s", text,
			base);
	} else {
		return false;
	}
	pyd_say(out, "; %zu thread%s wait%s for the GIL", n, n == 1 ? "" : "s",
		n == 1 ? "s" : "");
	return true;
}
