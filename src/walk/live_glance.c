// SPDX-License-Identifier: Apache-2.0
/*
 * A dump that limits keep small, and of which the rehearsals have found what it
 * reads: the process stands for that to be read by one call and for nothing
 * else. Whether it was all is seen when the process runs. If not, it is stopped
 * once more, for what is known by then.
 */
#include <string.h>

#include "base/log.h"
#include "target/kept.h"
#include "target/maps.h"
#include "walk/live_private.h"

enum { GLANCES = 3, LONG_NS = 10000000 };

bool pyd_live_may_glance(const struct pyd_live *s)
{
	/* An owner lets threads go that are about to end. */
	return s->base.collect && s->base.collect_threads && !s->no_glance &&
	       !s->opts->stop.owner;
}

/* In the thread that stopped it. */
static bool look(void *ctx, const struct pyd_threads *threads,
		 uint64_t begin_ns, pid_t snapshot)
{
	struct pyd_live *s = ctx;
	uint64_t until = s->opts->stop.max_pause_ns;

	(void)snapshot;
	until = until ? begin_ns + until : 0;
	if (s->deadline_ns && (!until || s->deadline_ns < until))
		until = s->deadline_ns;
	pyd_live_note_time(s);
	s->code = s->base.collect_threads(s->base.collect_ctx, s->kept, threads,
					  &s->err);
	if (!s->code && !pyd_target_kept_ahead(s->kept, &s->process, until))
		s->code = pyd_err_set(&s->err, PYD_BUSY,
				      "it could not be read at once");
	return true;
}

/* Whether the process has mapped what it had when it stood, so that what was
 * taken for unmapped was. */
static bool is_mapped_the_same(const struct pyd_target *t)
{
	struct pyd_maps now = { 0 };
	struct pyd_err ignored;
	bool same;

	if (pyd_maps_read(t->pid, &now, &ignored))
		return false;
	same = now.n == t->nregions;
	for (size_t i = 0; i < now.n && same; i++)
		same = pyd_region_is_same(&now.regions[i], &t->regions[i]);
	pyd_maps_deinit(&now);
	return same;
}

/* When it runs: whether all that the dump needs is there. */
static bool has_all(struct pyd_live *s, enum pyd_code *ret_code,
		    struct pyd_err *err)
{
	struct pyd_subject *base = &s->base;
	struct pyd_err why = { 0 };
	enum pyd_code code = s->code;
	uint64_t missed;

	*ret_code = PYD_OK;
	if (code) {
		pyd_log_debug("not read at once: %s", s->err.msg);
		/* It would be the next time. */
		if (code == PYD_LIMIT)
			*ret_code = pyd_err_set(err, code, "%s", s->err.msg);
		return false;
	}
	base->pause_end_ns = 0;
	pyd_target_kept_close(s->kept);
	code = base->collect(base->collect_ctx, false, &why);
	if (code && !pyd_code_is_local(code)) {
		*ret_code = code;
		*err = why;
		return false;
	}
	missed = pyd_target_kept_missed(s->kept);
	if (!code && !missed && is_mapped_the_same(s->base.target)) {
		pyd_log_debug("all that is needed was read at once");
		return true;
	}
	pyd_log_debug("not all that is needed was read at once: %s",
		      code	? why.msg
		      : !missed ? "what is mapped has changed"
				: "something is elsewhere by now");
	return false;
}

static enum pyd_code glance(struct pyd_live *s, struct pyd_err *err)
{
	const struct pyd_stop_work work = {
		.run = look,
		.ctx = s,
		.brief = true,
		.yields = true,
	};
	struct pyd_stop_options opts = s->opts->stop;
	struct pyd_subject *base = &s->base;
	enum pyd_code code = pyd_live_open_kept(s, 0, 0, err);

	if (!code)
		code = base->collect_threads(base->collect_ctx, s->kept, NULL,
					     err);
	if (code)
		return code;
	pyd_target_kept_note(s->kept, true);
	pyd_target_kept_plan(s->kept, true);
	opts.work = &work;
	s->code = PYD_OK;
	code = pyd_stop_all(&s->process, &opts, &s->stop, err);
	if (code)
		return code;
	base->threads = pyd_stop_threads(s->stop);
	if (has_all(s, &code, err)) {
		pyd_target_kept_note(s->kept, false);
		base->outside = s->outside.n ? &s->outside : NULL;
		base->kept = s->kept;
		s->kept = NULL; /* frozen is it */
		return PYD_OK;
	}
	s->stood_ns += pyd_stop_end_ns(s->stop) - pyd_stop_begin_ns(s->stop);
	pyd_stop_destroy(s->stop);
	s->stop = NULL;
	if (!code)
		code = base->collect_anew(base->collect_ctx, err);
	base->threads = NULL;
	return code;
}

enum pyd_code pyd_live_glance(struct pyd_live *s, struct pyd_err *err)
{
	struct pyd_err why = { 0 };
	enum pyd_code code = PYD_OK;
	uint64_t most = s->opts->stop.max_pause_ns;

	for (int i = 0; i < GLANCES && !s->base.kept && !code; i++) {
		/* --max-pause is for all of them; and a thread that sleeps in
		 * the kernel, say, keeps the others waiting each time. */
		if (s->stood_ns > LONG_NS || (most && s->stood_ns > most / 4))
			break;
		code = glance(s, &why);
		if (!s->base.kept)
			pyd_live_close_kept(s);
	}
	/* There is code in no file, say. */
	if (code == PYD_UNSUPPORTED || code == PYD_LIMIT) {
		pyd_log_debug("not read at once: %s", why.msg);
		return PYD_OK;
	}
	if (code)
		*err = why;
	return code;
}
