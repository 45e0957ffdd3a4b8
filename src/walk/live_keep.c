// SPDX-License-Identifier: Apache-2.0
/*
 * A dump that limits keep small reads little: all of that is read while the
 * process stands and kept, and the dump is made of it when the process runs.
 * How long it takes is tried before, while it runs: what is read then is thrown
 * away, and chooses the mode.
 */
#include <pthread.h>
#include <signal.h>

#include "base/log.h"
#include "target/kept.h"
#include "target/procfs.h"
#include "walk/live_private.h"

enum {
	KEEP_BYTES = 64 << 20,
	/* The first one has to bring everything to memory; lists may have
	 * changed while they were read. */
	REHEARSALS = 3,
	/* Processor time is what counts, but the clock ends it. */
	SLOWER = 16,
};

/* What the first one may take more: 4 ms or twice as long. */
#define FIRST_NS 4000000U
/* Of one that the process runs for. */
#define GLANCE_NS 20000000U

enum pyd_code pyd_live_open_kept(struct pyd_live *s, uint64_t until_ns,
				 uint64_t own_ns, struct pyd_err *err)
{
	struct pyd_target *live = s->base.target;
	enum pyd_code code = PYD_OK;

	if (!s->kept)
		code = pyd_target_kept_create(KEEP_BYTES, &s->kept, err);
	if (!code)
		code = pyd_target_process_refresh(live, err);
	if (!code)
		code = pyd_outside_list(live, true, &s->outside, err);
	if (!code && s->outside.n) {
		code = pyd_target_outside_create(&s->outside, live, &s->inner,
						 err);
		live = s->inner;
	}
	if (code)
		return code;
	pyd_target_kept_open(s->kept, live, until_ns, own_ns);
	s->base.frozen = s->kept;
	return PYD_OK;
}

void pyd_live_close_kept(struct pyd_live *s)
{
	s->base.frozen = NULL;
	pyd_target_destroy(s->inner);
	s->inner = NULL;
	pyd_outside_deinit(&s->outside);
}

struct rehearsal {
	struct pyd_live *s;
	uint64_t most_ns;
};

/* In a thread that ends: the one that stops the process gets the memory that
 * it leaves. */
static void *rehearse(void *arg)
{
	const struct rehearsal *r = arg;
	struct pyd_live *s = r->s;
	struct pyd_rehearsal *got = &s->rehearsal;
	uint64_t first = r->most_ns > FIRST_NS ? r->most_ns : FIRST_NS;
	struct pyd_err why = { 0 };

	for (int i = 0; i < REHEARSALS && !pyd_interrupted; i++) {
		uint64_t now = pyd_now_ns(), began = pyd_thread_ns(), took;
		uint64_t until = now + r->most_ns * SLOWER;
		uint64_t left = s->deadline_ns > now ? s->deadline_ns - now : 0;
		enum pyd_code code;

		/* --timeout is for the dump. */
		if (s->deadline_ns && until > now + left / 8)
			until = now + left / 8;
		code = pyd_live_open_kept(s, until,
					  r->most_ns + (i ? 0 : first), &why);
		if (!code) {
			pyd_target_kept_note(s->kept, true);
			pyd_target_kept_plan(s->kept, false);
			(void)pyd_target_kept_ahead(s->kept, &s->process, 0);
		}
		if (!code)
			code = s->base.collect(s->base.collect_ctx, true, &why);
		took = pyd_thread_ns() - began;
		if (s->base.collect_anew(s->base.collect_ctx, &why) && !code)
			code = PYD_NOMEM;
		if (!code && (!got->done || took < got->ns)) {
			got->done = true;
			got->ns = took;
			got->bytes = pyd_target_kept_bytes(s->kept);
		}
		got->glance_bytes = pyd_live_may_glance(s)
					    ? pyd_target_kept_wanted(s->kept)
					    : 0;
		pyd_live_close_kept(s);
		if (!code && i)
			break;
		if (!code)
			continue;
		pyd_log_debug("rehearsed: %s", why.msg);
		if (!pyd_code_is_local(code))
			break;
	}
	return NULL;
}

void pyd_live_rehearse(struct pyd_live *s, uint64_t most_ns)
{
	struct rehearsal r = { .s = s, .most_ns = most_ns };

	/* It does not stand for what the first time takes. */
	if (pyd_live_may_glance(s) && r.most_ns < GLANCE_NS)
		r.most_ns = GLANCE_NS;
	sigset_t all, old;
	pthread_t thread;
	int e;

	if (s->rehearsed)
		return;
	s->rehearsed = true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = pthread_create(&thread, NULL, rehearse, &r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (e)
		return;
	pthread_join(thread, NULL);
	if (s->rehearsal.done)
		pyd_log_debug("rehearsed: %.1f MB are read in %.1f ms; %.1f MB "
			      "are wanted",
			      (double)s->rehearsal.bytes / 1e6,
			      (double)s->rehearsal.ns / 1e6,
			      (double)s->rehearsal.glance_bytes / 1e6);
}

bool pyd_live_keep(struct pyd_live *s, uint64_t end_ns)
{
	struct pyd_subject *base = &s->base;

	s->code = pyd_live_open_kept(s, end_ns, 0, &s->err);
	if (!s->code && s->rehearsal.done) {
		pyd_target_kept_plan(s->kept, false);
		(void)pyd_target_kept_ahead(s->kept, &s->process, end_ns);
	}
	if (!s->code)
		s->code = base->collect(base->collect_ctx, false, &s->err);
	if (!s->code) {
		pyd_target_kept_close(s->kept);
		base->outside = s->outside.n ? &s->outside : NULL;
		base->kept = s->kept;
		s->kept = NULL; /* frozen is it */
		return true;
	}
	if (pyd_target_kept_is_full(s->kept))
		s->code = PYD_OK;
	else if (end_ns && pyd_now_ns() >= end_ns)
		s->code = pyd_err_set(
			&s->err, PYD_BUSY,
			"process %d went on, as --max-pause says, before all "
			"was read; dump with --capture=fork or copy, with "
			"limits such as --depth, or give it more",
			s->process.pid);
	pyd_live_close_kept(s);
	return false;
}
