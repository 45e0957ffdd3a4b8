// SPDX-License-Identifier: Apache-2.0
/* Stopping the live process and taking its memory. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "walk/live_private.h"

/* Copied in milliseconds. */
enum { BRIEF_BYTES = 64 << 20 };

/* Who asked for a stop has no other way that it is to be faster than. */
#define REHEARSE_NS 200000000U

/* -- taking its memory -- */

/* What is read is kept, and read again when the process runs. */
static bool keeps(const struct pyd_live *s)
{
	return s->mode == PYD_CAPTURE_STOP && s->rehearsal.done;
}

/* The mode that takes the least time, where none is asked for. */
static enum pyd_code choose(struct pyd_live *s, const char **ret_why,
			    struct pyd_err *err)
{
	const struct pyd_limits *limits = &s->opts->limits;
	bool may_fork = !s->opts->no_inject && !s->no_fork;
	struct pyd_capture_room room;
	uint64_t estimate = 0;
	enum pyd_code code = pyd_capture_estimate(&s->process, &estimate, err);

	if (code)
		return code;
	pyd_capture_room(s->process.pid, &room);
	s->mode = pyd_capture_choose(estimate, limits, may_fork, &room,
				     s->rehearsed ? &s->rehearsal : NULL,
				     ret_why);
	if (!s->base.collect || s->rehearsed)
		return PYD_OK;
	pyd_live_rehearse(s,
			  s->mode == PYD_CAPTURE_STOP
				  ? REHEARSE_NS
				  : pyd_capture_expect_ns(s->mode, estimate));
	s->mode = pyd_capture_choose(estimate, limits, may_fork, &room,
				     &s->rehearsal, ret_why);
	return PYD_OK;
}

static enum pyd_code prepare(struct pyd_live *s, struct pyd_err *err)
{
	struct pyd_err why = { 0 };
	const char *reason = "as asked for";
	enum pyd_code code;

	s->mode = s->opts->capture;
	if (s->mode == PYD_CAPTURE_AUTO) {
		code = choose(s, &reason, err);
		if (code)
			return code;
	} else if (s->mode == PYD_CAPTURE_STOP && s->base.collect) {
		pyd_live_rehearse(s, REHEARSE_NS);
	}
	if (!keeps(s)) {
		pyd_target_destroy(s->kept);
		s->kept = NULL;
	}
	if (s->mode == PYD_CAPTURE_FORK) {
		code = pyd_gadgets_find(s->base.target, &s->gadgets, err);
		if (code)
			return code;
	}
	pyd_log_debug("capture: %s (%s)", pyd_capture_mode_name(s->mode),
		      reason);
	if (s->mode != PYD_CAPTURE_COPY && s->mode != PYD_CAPTURE_LIVE)
		return PYD_OK;
	code = pyd_capture_prepare(&s->process, &s->capture, &why);
	if (!code)
		return PYD_OK;
	if (code == PYD_NOMEM && s->opts->capture == PYD_CAPTURE_AUTO) {
		pyd_log_notice("capture: stop, since %s", why.msg);
		s->mode = PYD_CAPTURE_STOP;
		return PYD_OK;
	}
	*err = why;
	return code;
}

/* -- while it stands still -- */

void pyd_live_note_time(struct pyd_live *live)
{
	struct pyd_subject *s = &live->base;
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	s->taken_real_ns =
		(uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
	s->taken_ns = pyd_now_ns();
}

/* In the thread that stopped it. True: it may go on. */
static bool while_stopped(void *ctx, const struct pyd_threads *threads,
			  uint64_t begin_ns, pid_t snapshot)
{
	struct pyd_live *s = ctx;
	uint64_t end_ns = s->opts->stop.max_pause_ns;

	if (end_ns) {
		end_ns += begin_ns;
		if (!s->deadline_ns || end_ns < s->deadline_ns)
			s->deadline_ns = end_ns;
	}
	pyd_live_note_time(s);
	s->snapshot = snapshot;
	s->code = PYD_OK;
	s->base.threads = threads;
	if (s->mode == PYD_CAPTURE_STOP) {
		s->base.pause_end_ns = end_ns;
		return pyd_live_keep(s, end_ns) || s->code;
	}
	if (s->has_shared)
		s->code = pyd_outside_shared(&s->process, &s->outside, &s->err);
	if (s->code)
		return true;
	if (s->mode == PYD_CAPTURE_FORK)
		s->code = pyd_outside_take(&s->process, snapshot, &s->outside,
					   &s->err);
	else if (s->mode == PYD_CAPTURE_COPY) {
		pyd_capture_deadline(s->capture, s->deadline_ns);
		s->code = pyd_capture_take(s->capture, &s->err);
	}
	if (s->code == PYD_LIMIT && end_ns && s->deadline_ns == end_ns) {
		s->code = pyd_err_set(&s->err, PYD_BUSY,
				      "a copy of process %d takes longer than "
				      "--max-pause lets it stand; dump with "
				      "--capture=fork or live, or give it more",
				      s->process.pid);
		return true;
	}
	/* Its time is over: the stacks can still be read. */
	return s->mode != PYD_CAPTURE_STOP &&
	       (s->code != PYD_LIMIT || s->mode != PYD_CAPTURE_COPY);
}

static enum pyd_code stop(struct pyd_live *s, struct pyd_err *err)
{
	const struct pyd_target *t = s->base.target;

	const struct pyd_stop_work work = {
		.fork = s->mode == PYD_CAPTURE_FORK ? s->base.target : NULL,
		.gadgets = &s->gadgets,
		.run = while_stopped,
		.ctx = s,
		.brief = s->mode == PYD_CAPTURE_FORK || keeps(s) ||
			 (s->mode == PYD_CAPTURE_COPY &&
			  pyd_capture_planned(s->capture) < BRIEF_BYTES),
		.yields = s->mode != PYD_CAPTURE_STOP,
	};
	struct pyd_stop_options opts = s->opts->stop;
	enum pyd_code code;

	s->has_shared = false;
	for (size_t i = 0; i < t->nregions; i++)
		s->has_shared |= pyd_region_is_shared(&t->regions[i]);
	if (s->mode != PYD_CAPTURE_STOP || keeps(s))
		opts.work = &work;
	code = pyd_stop_all(&s->process, &opts, &s->stop, err);
	if (code)
		return code;
	s->base.threads = pyd_stop_threads(s->stop);
	if (s->mode == PYD_CAPTURE_STOP)
		pyd_live_note_time(s);
	s->base.pause_end_ns = 0;
	if (opts.max_pause_ns && !opts.owner)
		s->base.pause_end_ns =
			pyd_stop_begin_ns(s->stop) + opts.max_pause_ns;
	return PYD_OK;
}

/* What does not change is read in blocks that are kept; what lies outside of
 * the capture is no part of them. */
static enum pyd_code freeze(struct pyd_live *s, struct pyd_target *live,
			    struct pyd_err *err)
{
	if (s->outside.n) {
		enum pyd_code code = pyd_target_outside_create(
			&s->outside, live, &s->inner, err);

		if (code)
			return code;
		s->base.outside = &s->outside;
		live = s->inner;
	}
	return pyd_target_cache_create(live, 0, &s->base.frozen, err);
}

/* Its memory is the snapshot's, which nobody changes. */
static enum pyd_code take_fork(struct pyd_live *s, struct pyd_err *err)
{
	enum pyd_code code = pyd_outside_look(s->snapshot, &s->outside, err);

	if (!code)
		code = pyd_process_open(s->snapshot, &s->child, err);
	if (code)
		return code;
	/* process_vm_readv would make a copy of every page, for the child. */
	s->child.no_vm_readv = 1;
	code = pyd_target_process_create(&s->child, &s->child_live, err);
	if (code)
		return code;
	return freeze(s, s->child_live, err);
}

static enum pyd_code take_stop(struct pyd_live *s, struct pyd_err *err)
{
	enum pyd_code code =
		pyd_outside_list(s->base.target, true, &s->outside, err);

	return code ? code : freeze(s, s->base.target, err);
}

/* The time was over before all was copied. The stacks are still read, out of
 * the process itself, so that the dump has frames at least. */
static enum pyd_code without_copy(struct pyd_live *s, struct pyd_err *err)
{
	pyd_log_notice("capture: --timeout ended the copy; only frames are "
		       "dumped");
	pyd_capture_destroy(s->capture);
	s->capture = NULL;
	pyd_outside_deinit(&s->outside);
	if (s->stop)
		s->mode = PYD_CAPTURE_STOP;
	return take_stop(s, err);
}

/* -- what threads do while nobody stops them -- */

static enum pyd_code look_at_calls(struct pyd_live *s, struct pyd_err *err)
{
	const struct pyd_threads *t = &s->listed;

	s->calls = calloc(t->n, sizeof(*s->calls));
	s->switches = calloc(t->n, sizeof(*s->switches));
	if (!s->calls || !s->switches)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; i < t->n; i++)
		pyd_call_of_proc(s->process.pid, t->v[i].tid, &s->calls[i],
				 &s->switches[i]);
	s->base.calls = s->calls;
	return PYD_OK;
}

/* A thread that was neither woken nor ran, as its switches of context tell,
 * has waited all the while: what was read of it holds together. */
static void look_again(struct pyd_live *s)
{
	for (size_t i = 0; i < s->listed.n; i++) {
		struct pyd_syscall now;
		uint64_t switches;

		pyd_call_of_proc(s->process.pid, s->listed.v[i].tid, &now,
				 &switches);
		if (!switches || switches != s->switches[i] ||
		    now.state != s->calls[i].state ||
		    now.nr != s->calls[i].nr ||
		    memcmp(now.args, s->calls[i].args, sizeof(now.args)) != 0)
			s->calls[i].state = PYD_CALL_UNKNOWN;
	}
}

/* What is read is the copy, but for what lies outside of it. */
static enum pyd_code leave_out(struct pyd_live *s, struct pyd_err *err)
{
	struct pyd_target *copy = s->base.frozen;
	enum pyd_code code = pyd_outside_list(copy, false, &s->outside, err);

	if (!code)
		code = pyd_outside_unread(copy, pyd_capture_unread(s->capture),
					  &s->outside, err);
	if (code || !s->outside.n)
		return code;
	code = pyd_target_outside_create(&s->outside, copy, &s->base.frozen,
					 err);
	if (code)
		return code;
	s->inner = copy;
	s->base.outside = &s->outside;
	/* What is read without a call is memory of the copy alone. */
	s->base.frozen->windows = copy->windows;
	return PYD_OK;
}

static enum pyd_code take_copy(struct pyd_live *s, struct pyd_err *err)
{
	struct pyd_capture_stats got = { 0 };
	enum pyd_code code =
		pyd_capture_target(s->capture, &s->base.frozen, &got, err);

	if (code)
		return code;
	s->base.captured_bytes = got.bytes;
	if (got.unreadable)
		pyd_log_notice("%llu bytes of memory could not be copied",
			       (unsigned long long)got.unreadable);
	return s->mode == PYD_CAPTURE_COPY ? leave_out(s, err) : PYD_OK;
}

static enum pyd_code take_live(struct pyd_live *s, struct pyd_err *err)
{
	enum pyd_code code = pyd_threads_list(&s->process, &s->listed, err);

	s->base.threads = &s->listed;
	if (!code)
		code = look_at_calls(s, err);
	if (code)
		return code;
	pyd_live_note_time(s);
	s->code = pyd_capture_take(s->capture, &s->err);
	look_again(s);
	return PYD_OK;
}

/* Stops the target as long as the mode needs it. */
static enum pyd_code take_once(struct pyd_live *s, uint64_t deadline_ns,
			       struct pyd_err *err)
{
	enum pyd_code code;

	s->deadline_ns = deadline_ns;
	if (s->capture)
		pyd_capture_deadline(s->capture, deadline_ns);
	s->code = PYD_OK;
	code = s->mode == PYD_CAPTURE_LIVE ? take_live(s, err) : stop(s, err);
	if (code)
		return code;
	if (s->mode == PYD_CAPTURE_STOP && !s->code) {
		if (s->base.kept)
			return PYD_OK;
		if (keeps(s))
			pyd_log_notice("capture: it stands until all is "
				       "written, since more is read than is "
				       "kept");
		pyd_target_destroy(s->kept);
		s->kept = NULL;
		return take_stop(s, err);
	}
	if (s->code == PYD_LIMIT && s->capture)
		return without_copy(s, err);
	if (s->code) {
		*err = s->err;
		return s->code;
	}
	return s->mode == PYD_CAPTURE_FORK ? take_fork(s, err)
					   : take_copy(s, err);
}

enum pyd_code pyd_live_take(struct pyd_subject *base, uint64_t deadline_ns,
			    struct pyd_err *err)
{
	struct pyd_live *s = (struct pyd_live *)base;
	enum pyd_code code;

	s->deadline_ns = deadline_ns;
	code = prepare(s, err);
	if (!code && keeps(s) && pyd_live_may_glance(s)) {
		code = pyd_live_glance(s, err);
		if (!code && !base->kept) {
			s->no_glance = true;
			s->rehearsal.glance_bytes = 0;
			code = prepare(s, err);
		}
	}
	if (!code && !base->kept)
		code = take_once(s, deadline_ns, err);
	/* A process that cannot be forked can be copied. */
	if (code && s->mode == PYD_CAPTURE_FORK &&
	    s->opts->capture == PYD_CAPTURE_AUTO && !s->child.pid &&
	    (code == PYD_UNSUPPORTED || code == PYD_NOMEM || code == PYD_BUSY ||
	     code == PYD_NOTFOUND)) {
		pyd_log_notice("capture: copy, since %s", err->msg);
		s->no_fork = true;
		pyd_stop_destroy(s->stop);
		s->stop = NULL;
		s->base.threads = NULL;
		pyd_outside_deinit(&s->outside);
		code = prepare(s, err);
		if (!code)
			code = take_once(s, deadline_ns, err);
	}
	base->capture = pyd_capture_mode_name(s->mode);
	base->torn = s->mode == PYD_CAPTURE_LIVE;
	return code;
}

/* A list that a running target changes while it is copied does not hold up;
 * the next copy may. */
void pyd_live_drop(struct pyd_subject *base)
{
	struct pyd_live *s = (struct pyd_live *)base;

	pyd_target_destroy(base->frozen);
	base->frozen = NULL;
	pyd_target_destroy(s->inner);
	s->inner = NULL;
	base->outside = NULL;
	pyd_outside_deinit(&s->outside);
	pyd_capture_destroy(s->capture);
	s->capture = NULL;
	pyd_threads_deinit(&s->listed);
	base->threads = NULL;
	free(s->calls);
	free(s->switches);
	s->calls = NULL;
	s->switches = NULL;
	base->calls = NULL;
}

void pyd_live_release(struct pyd_subject *base)
{
	struct pyd_live *s = (struct pyd_live *)base;

	if (!s->stop)
		return;
	pyd_stop_release(s->stop);
	base->pause_ns = pyd_stop_end_ns(s->stop) - pyd_stop_begin_ns(s->stop) +
			 s->stood_ns;
	base->expired = pyd_stop_expired(s->stop);
}

void pyd_live_abandon(struct pyd_subject *base)
{
	struct pyd_live *s = (struct pyd_live *)base;

	pyd_stop_destroy(s->stop);
	s->stop = NULL;
}
