// SPDX-License-Identifier: Apache-2.0
/*
 * A dump that limits keep small is made twice: the first time nothing is
 * written, but all that is read is kept, while the process stands still
 * (live_keep.c); the second time, when it runs, all comes out of that.
 */
#include <string.h>

#include "base/log.h"
#include "target/capture.h"
#include "target/kept.h"
#include "walk/meta.h"
#include "walk/snapshot_private.h"

/* Beyond the stacks that a thread uses: what the compiler may put below the
 * stack pointer, and of a stack of which the end is not known. */
enum { RED_ZONE = 256, UNKNOWN_STACK = 256 << 10 };
/* Each may find what has the dump written anew. */
enum { LOOKS_MAX = 2 };
/* Processor time of each: some 8,000 objects. */
enum { AHEAD_NS = 12 * 1000 * 1000 };
/* All stacks together. More is unwound while the process stands. */
#define STACKS_MAX ((uint64_t)16 << 20)

/* -- what stacks hold -- */

/* Of one thread: from the stack pointer to its oldest frame. */
static bool stack_of(const struct pyd_target *t, const struct pyd_regs *regs,
		     pyd_addr *ret_start, pyd_addr *ret_end)
{
	const struct pyd_region *r = pyd_target_region(t, regs->sp);
	pyd_addr end;

	if (!r || !(r->prot & PYD_PROT_R))
		return false;
	end = r->end;
	/* A C library has what is the thread's own behind its stack. */
	if (regs->thread_pointer > regs->sp && regs->thread_pointer < end)
		end = regs->thread_pointer;
	else if (strcmp(r->path, "[stack]") && end - regs->sp > UNKNOWN_STACK)
		end = regs->sp + UNKNOWN_STACK;
	*ret_start =
		regs->sp - r->start > RED_ZONE ? regs->sp - RED_ZONE : r->start;
	*ret_end = end;
	return true;
}

/* Code that is in no file is read by unwinding, and may change. */
static bool has_loose_code(const struct pyd_target *t)
{
	for (size_t i = 0; i < t->nregions; i++) {
		const struct pyd_region *r = &t->regions[i];

		if (r->prot & PYD_PROT_X && strncmp(r->path, "[v", 2) &&
		    (!r->inode || r->prot & PYD_PROT_W))
			return true;
	}
	return false;
}

static enum pyd_code keep_stacks(struct pyd_snapshot *s, struct pyd_err *err)
{
	struct pyd_target *t = s->subject->frozen;
	const struct pyd_threads *os = s->subject->threads;
	bool loose = has_loose_code(t);
	uint64_t bytes = 0, budget = PYD_NATIVE_STOP_NS;
	pyd_addr start, end;

	if (s->opts->native == PYD_NATIVE_OFF || !os)
		return PYD_OK;
	for (size_t i = 0; i < os->n; i++)
		if (!os->v[i].asleep &&
		    stack_of(t, &os->v[i].regs, &start, &end))
			bytes += end - start;
	if (s->subject->pause_end_ns && s->opts->stop.max_pause_ns / 4 < budget)
		budget = s->opts->stop.max_pause_ns / 4;
	if (loose || bytes > STACKS_MAX) {
		pyd_log_debug("native stacks are unwound while it stands: %s",
			      loose ? "there is code that is in no file"
				    : "they are large");
		return pyd_native_take(
			&s->native, t, s->subject->process, os, &s->runtime,
			&s->stacks,
			s->opts->native == PYD_NATIVE_ALL ? 0 : budget, err);
	}
	for (size_t i = 0; i < os->n; i++) {
		enum pyd_code code = PYD_OK;

		if (!os->v[i].asleep &&
		    stack_of(t, &os->v[i].regs, &start, &end))
			code = pyd_target_touch(t, start, end - start, err);
		if (code && !pyd_code_is_local(code))
			return code;
	}
	return PYD_OK;
}

/* Locks, times and the like that a system call was given. */
static bool add_arguments(struct pyd_target *kept, const struct pyd_regs *regs)
{
	struct pyd_syscall call;

	pyd_call_of_regs(regs, &call);
	if (call.state != PYD_CALL_WAITS)
		return true;
	for (size_t i = 0; i < sizeof(call.args) / sizeof(call.args[0]); i++) {
		const struct pyd_region *r =
			pyd_target_region(kept, call.args[i]);

		if (r && r->prot & PYD_PROT_W &&
		    !pyd_target_kept_add(kept, call.args[i], 1))
			return false;
	}
	return true;
}

static enum pyd_code add_threads(void *ctx, struct pyd_target *kept,
				 const struct pyd_threads *threads,
				 struct pyd_err *err)
{
	const struct pyd_snapshot *s = ctx;
	uint64_t bytes = 0;
	pyd_addr start, end;

	bool native = s->opts->native != PYD_NATIVE_OFF;

	if (!threads)
		return native && has_loose_code(kept)
			       ? pyd_err_set(err, PYD_UNSUPPORTED,
					     "there is code that is in no file")
			       : PYD_OK;
	for (size_t i = 0; i < threads->n; i++) {
		const struct pyd_regs *regs = &threads->v[i].regs;

		if (threads->v[i].asleep)
			continue;
		start = end = 0;
		if (native && stack_of(kept, regs, &start, &end))
			bytes += end - start;
		if (bytes > STACKS_MAX ||
		    !pyd_target_kept_add(kept, start, end - start) ||
		    !add_arguments(kept, regs))
			return pyd_err_set(err, PYD_LIMIT,
					   "the stacks are large");
	}
	return PYD_OK;
}

/* -- the first time -- */

static enum pyd_code learn(struct pyd_snapshot *s, struct pyd_err *err)
{
	const struct pyd_vec *files = pyd_redact_files(s->redact);
	enum pyd_code code = pyd_snapshot_ahead(s, err);

	for (size_t i = 0; i < files->len && !code; i++)
		code = pyd_sources_touch(
			&s->sources, &s->runtime,
			(const char *)(uintptr_t)files->data[i], err);
	return code ? code
		    : pyd_redact_collect(s->redact, &s->reader, &s->runtime,
					 err);
}

/* As write_once() of snapshot.c, but for what reads no memory. */
static enum pyd_code read_all(struct pyd_snapshot *s, bool rehearses,
			      struct pyd_err *err)
{
	struct pyd_collect *c = &s->collect;
	enum pyd_code code = pyd_snapshot_threads(s, err);

	if (code)
		return code;
	c->view = *s->subject;
	c->ops = *s->subject->ops;
	c->ops.fd_text = NULL;
	c->ops.peers_text = NULL;
	c->view.ops = &c->ops;
	c->view.process = NULL;
	if (rehearses)
		c->view.threads = NULL;
	s->sources = (struct pyd_sources) {
		.reader = &s->reader,
		.writer = s->writer,
		.redact = s->redact,
	};
	s->stacks.redact = s->redact;
	s->stacks.trigger = s->opts->trigger;
	code = pyd_meta_touch(&s->runtime, &s->reader, err);
	if (!code)
		code = pyd_waits_begin(&s->waits, &c->view, &s->runtime,
				       &s->reader, err);
	if (code)
		return code;
	s->stacks.waits = &s->waits;
	code = pyd_stacks_write(&s->stacks, &s->runtime, &s->reader, s->writer,
				err);
	if (!code && !rehearses)
		code = keep_stacks(s, err);
	if (!code)
		code = pyd_waits_write(&s->waits, s->redact, s->writer, err);
	if (!code)
		code = pyd_snapshot_walk(s, err);
	if (code)
		return code;
	s->reader.deadline_ns = 0;
	if (s->redact)
		code = learn(s, err);
	if (!code)
		code = pyd_snapshot_files(s, pyd_sources_touch, err);
	return code;
}

/* What the walk took is forgotten. */
static void forget(struct pyd_snapshot *s)
{
	struct pyd_collect *c = &s->collect;

	pyd_node_deinit(&c->node);
	c->node = s->walk.node;
	s->walk.node = (struct pyd_node) { 0 };
	pyd_walk_deinit(&s->walk);
	pyd_sources_deinit(&s->sources);
	pyd_stacks_deinit(&s->stacks);
	s->stacks = (struct pyd_stacks) { 0 };
	pyd_waits_deinit(&s->waits);
	pyd_reader_deinit(&s->reader);
}

/* What secrets are, as far as it is known before the walk. */
static enum pyd_code begin_secrets(struct pyd_snapshot *s, struct pyd_err *err)
{
	enum pyd_code code;

	if (!s->opts->rules)
		return PYD_OK;
	pyd_redact_destroy(s->redact);
	s->redact = NULL;
	code = pyd_redact_create(s->opts->rules, &s->redact, err);
	if (code)
		return code;
	pyd_redact_only_reads(s->redact);
	return pyd_redact_process(s->redact, s->subject, err);
}

static enum pyd_code collect(void *ctx, bool rehearses, struct pyd_err *err)
{
	struct pyd_snapshot *s = ctx;
	struct pyd_collect *c = &s->collect;
	struct pyd_writer *writer = s->writer;
	uint64_t deadline_ns = s->deadline_ns;
	enum pyd_code code;

	s->writer = c->nowhere;
	c->on = true;
	s->deadline_ns = pyd_snapshot_hasten(s);
	code = read_all(s, rehearses, err);
	s->writer = writer;
	c->on = false;
	s->deadline_ns = deadline_ns;
	c->ended = !code && s->walk.ended_by == &s->walk.cuts.timeout;
	c->objects = s->walk.objects;
	c->begun = true;
	if (rehearses && c->ended)
		code = pyd_err_set(err, PYD_BUSY, "there was too little time");
	return code;
}

static enum pyd_code anew(void *ctx, struct pyd_err *err)
{
	struct pyd_snapshot *s = ctx;

	pyd_collect_end(s);
	return begin_secrets(s, err);
}

enum pyd_code pyd_collect_begin(struct pyd_snapshot *s, struct pyd_err *err)
{
	const struct pyd_writer_options nowhere = { 0 };
	enum pyd_code code;

	if (!s->subject->process || !pyd_limits_are_near(&s->opts->limits) ||
	    (s->opts->capture != PYD_CAPTURE_AUTO &&
	     s->opts->capture != PYD_CAPTURE_STOP))
		return PYD_OK;
	code = pyd_writer_create(&nowhere, &s->collect.nowhere, err);
	if (!code)
		code = begin_secrets(s, err);
	if (code)
		return code;
	s->subject->collect = collect;
	s->subject->collect_threads = add_threads;
	s->subject->collect_anew = anew;
	s->subject->collect_ctx = s;
	return PYD_OK;
}

void pyd_collect_end(struct pyd_snapshot *s)
{
	if (!s->collect.begun)
		return;
	s->collect.begun = false;
	forget(s);
	if (s->subject->kept)
		return;
	/* What was unwound may have stopped in the middle. */
	pyd_native_deinit(&s->native);
	s->collect.ended = false;
}

void pyd_collect_walk(struct pyd_snapshot *s)
{
	struct pyd_collect *c = &s->collect;
	struct pyd_walk *w = &s->walk;

	w->only_reads = c->on;
	/* What an owner lets go ends. */
	w->few_ahead = c->on || (s->subject->kept && s->opts->stop.owner);
	if (c->on) {
		pyd_node_deinit(&w->node);
		w->node = c->node;
		c->node = (struct pyd_node) { 0 };
		return;
	}
	pyd_node_deinit(&c->node);
	if (!s->subject->kept)
		return;
	/* All of it has been read in time. */
	w->deadline_ns = s->reader.deadline_ns = 0;
	w->ends = c->ended;
	w->ends_at = c->objects;
}

static enum pyd_code look_ahead(struct pyd_snapshot *s, struct pyd_reader *r,
				struct pyd_err *err)
{
	struct pyd_walk *w = &s->walk;
	struct pyd_reader *kept = w->reader;
	struct pyd_shapes shapes = w->shapes;
	size_t found = pyd_redact_found(s->redact);
	enum pyd_code code;

	r->ctypes = &s->ctypes;
	r->max_string = kept->max_string;
	r->max_items = kept->max_items;
	r->max_blob = kept->max_blob;
	w->reader = r;
	w->ahead_ns = AHEAD_NS;
	w->shapes = (struct pyd_shapes) { .redact = s->redact };
	code = pyd_snapshot_ahead(s, err);
	if (!code)
		code = pyd_redact_take(s->redact, r, found, err);
	pyd_shapes_deinit(&w->shapes);
	w->shapes = shapes;
	w->ahead_ns = 0;
	w->reader = kept;
	return code;
}

enum pyd_code pyd_collect_ahead(struct pyd_snapshot *s, struct pyd_err *err)
{
	struct pyd_err why = { 0 };
	struct pyd_target *cache;
	struct pyd_reader r;
	enum pyd_code code;

	if (s->opts->stop.owner)
		return pyd_snapshot_ahead(s, err);
	if (s->collect.looks++ == LOOKS_MAX)
		return PYD_OK;
	code = pyd_target_cache_look(s->subject->target, &cache, err);
	if (code)
		return code;
	code = pyd_reader_init(&r, cache, &s->runtime.lay, err);
	if (code) {
		pyd_target_destroy(cache);
		return code;
	}
	code = look_ahead(s, &r, &why);
	pyd_reader_deinit(&r);
	pyd_target_destroy(cache);
	if (code == PYD_NOMEM || code == PYD_INTERRUPTED) {
		*err = why;
		return code;
	}
	if (code)
		pyd_log_debug("secrets: not all was looked at: %s", why.msg);
	return PYD_OK;
}

void pyd_collect_deinit(struct pyd_snapshot *s)
{
	pyd_collect_end(s);
	pyd_node_deinit(&s->collect.node);
	pyd_writer_destroy(s->collect.nowhere);
}
