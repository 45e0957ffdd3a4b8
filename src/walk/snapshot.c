// SPDX-License-Identifier: Apache-2.0
#include "walk/snapshot.h"

#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/pace.h"
#include "target/kept.h"
#include "walk/meta.h"
#include "walk/snapshot_private.h"

enum {
	TAKE_TRIES = 10,
	WRITE_TRIES = 3,
	BESIDE_BYTES = 64 << 20,
};

/* What --native=auto may take when the target runs. */
#define NATIVE_NS 1000000000ULL

static void snapshot_deinit(struct pyd_snapshot *s)
{
	/* First of all: the target runs. */
	if (s->subject && s->subject->ops->abandon)
		s->subject->ops->abandon(s->subject);
	pyd_collect_deinit(s);
	pyd_walk_deinit(&s->walk);
	pyd_gcroots_deinit(&s->gcroots);
	pyd_redact_destroy(s->redact);
	pyd_sources_deinit(&s->sources);
	pyd_native_deinit(&s->native);
	pyd_stacks_deinit(&s->stacks);
	pyd_waits_deinit(&s->waits);
	pyd_writer_destroy(s->writer);
	pyd_reader_deinit(&s->reader);
	pyd_runtime_deinit(&s->runtime);
	pyd_modules_deinit(&s->modules);
	pyd_subject_destroy(s->subject);
	pyd_ctypes_deinit(&s->ctypes);
	pyd_layouts_deinit(&s->layouts);
}

/* Everything that needs no stop. */
static enum pyd_code find(struct pyd_snapshot *s, struct pyd_err *err)
{
	struct pyd_err ignored;
	enum pyd_code code;

	code = pyd_layouts_load(s->opts->offsets, &s->layouts, err);
	if (code)
		return code;
	code = pyd_ctypes_load(s->opts->types, &s->ctypes, err);
	if (code)
		return code;
	code = s->opts->core ? pyd_subject_core(s->opts, &s->subject, err)
			     : pyd_subject_live(s->opts, &s->subject, err);
	if (code)
		return code;
	code = pyd_runtime_find(s->subject->target, s->subject->process,
				&s->layouts, &s->runtime, err);
	if (s->subject->lacks &&
	    (code == PYD_NOTPYTHON || code == PYD_UNSUPPORTED))
		pyd_err_prefix(err, "%s, and in what is left",
			       s->subject->lacks);
	if (pyd_code_is_local(code))
		pyd_err_prefix(err,
			       "what Python says of itself cannot be read");
	if (code)
		return code;
	code = pyd_ctypes_select(&s->ctypes, s->runtime.hex,
				 s->runtime.lay.flags, err);
	if (code)
		return code;
	/* Only for the header. */
	if (pyd_modules_load(s->subject->target, s->subject->process,
			     &s->modules, &ignored))
		pyd_log_debug("no list of modules: %s", ignored.msg);
	return PYD_OK;
}

enum pyd_code pyd_snapshot_threads(struct pyd_snapshot *s, struct pyd_err *err)
{
	enum pyd_code code = pyd_reader_init(&s->reader, s->subject->frozen,
					     &s->runtime.lay, err);

	if (code)
		return code;
	s->reader.ctypes = &s->ctypes;
	return pyd_runtime_threads(&s->runtime, &s->reader, s->subject->threads,
				   err);
}

/* Memory, and the list of threads in it. What is torn may not hold up; the
 * next copy may. */
static enum pyd_code capture(struct pyd_snapshot *s, struct pyd_err *err)
{
	struct pyd_subject *subject = s->subject;

	for (int tries = TAKE_TRIES;; tries--) {
		enum pyd_code code =
			subject->ops->take(subject, s->deadline_ns, err);

		pyd_collect_end(s);
		if (!code)
			code = pyd_snapshot_threads(s, err);
		if (!code || !pyd_code_is_local(code) || tries == 1 ||
		    !subject->torn || !subject->ops->drop)
			return code;
		pyd_reader_deinit(&s->reader);
		subject->ops->drop(subject);
	}
}

enum pyd_code pyd_snapshot_files(
	struct pyd_snapshot *s,
	enum pyd_code (*fn)(struct pyd_sources *s, const struct pyd_runtime *rt,
			    const char *file, struct pyd_err *err),
	struct pyd_err *err)
{
	struct pyd_reader *r = &s->reader;
	enum pyd_code code = PYD_OK;

	/* Of the threads' frames first, in their order. */
	for (size_t i = 0; i < s->stacks.codes.len && !code; i++) {
		const struct pyd_codeobj *c;
		struct pyd_err ignored;

		if (!pyd_codeobj_get(r, s->stacks.codes.data[i], &c, &ignored))
			code = fn(&s->sources, &s->runtime, c->filename_text,
				  err);
	}
	/* Of frames that only objects have: generators, tracebacks. */
	for (size_t i = 0; i < r->codes.cap && !code; i++) {
		const struct pyd_codeobj *c;

		if (!r->codes.slots[2 * i])
			continue;
		c = (const struct pyd_codeobj *)(uintptr_t)
			    r->codes.slots[2 * i + 1];
		if (!c->bad)
			code = fn(&s->sources, &s->runtime, c->filename_text,
				  err);
	}
	return code;
}

static enum pyd_code globals_beyond(struct pyd_snapshot *s, struct pyd_err *err)
{
	const struct pyd_vec *globals = &s->stacks.globals;
	enum pyd_code code = PYD_OK;

	for (size_t i = 0; s->opts->limits.no_globals && i < globals->len; i++)
		code = code ? code
			    : pyd_walk_beyond(&s->walk, globals->data[i], err);
	return code;
}

enum pyd_code pyd_snapshot_ahead(struct pyd_snapshot *s, struct pyd_err *err)
{
	enum pyd_code code =
		s->walk.few_ahead ? PYD_OK : globals_beyond(s, err);

	return code ? code : pyd_walk_ahead(&s->walk, err);
}

/* What of secrets is still to be found. */
static enum pyd_code learn(struct pyd_snapshot *s, struct pyd_err *err)
{
	const struct pyd_vec *files = pyd_redact_files(s->redact);
	enum pyd_code code = s->subject->kept ? pyd_collect_ahead(s, err)
					      : pyd_snapshot_ahead(s, err);

	if (!code)
		code = pyd_snapshot_files(s, pyd_sources_learn, err);
	for (size_t i = 0; i < files->len && !code; i++)
		code = pyd_sources_learn(
			&s->sources, &s->runtime,
			(const char *)(uintptr_t)files->data[i], err);
	return code ? code
		    : pyd_redact_collect(s->redact, &s->reader, &s->runtime,
					 err);
}

static enum pyd_code add_roots(struct pyd_snapshot *s,
			       const struct pyd_vec *roots, struct pyd_err *err)
{
	for (size_t i = 0; i < roots->len; i++) {
		enum pyd_code code =
			pyd_walk_root(&s->walk, roots->data[i], err);

		if (code)
			return code;
	}
	return PYD_OK;
}

static enum pyd_code add_variable(void *ctx, pyd_addr key, pyd_addr value,
				  struct pyd_err *err)
{
	struct pyd_walk *w = ctx;
	enum pyd_code code = pyd_walk_root(w, key, err);

	return code ? code : pyd_walk_root(w, value, err);
}

/* The variables of a module or class body that a frame runs are as near as
 * those of a function, but lie in a dict. */
static enum pyd_code add_bodies(struct pyd_snapshot *s, struct pyd_err *err)
{
	struct pyd_walk *w = &s->walk;

	for (size_t i = 0; i < s->stacks.spaces.len; i++) {
		pyd_addr space = s->stacks.spaces.data[i];
		struct pyd_err why = { 0 };
		enum pyd_code code = pyd_walk_names(w, space, err);

		if (code)
			return code;
		/* A module may be what is to be left out. */
		if (pyd_filter_is_on(&w->filter))
			continue;
		code = pyd_read_dict_each(&s->reader, space, add_variable, w,
					  &why);
		if (code && !pyd_code_is_local(code)) {
			*err = why;
			return code;
		}
	}
	return PYD_OK;
}

/* Globals and what else is a namespace; what is to be left out of it. */
static enum pyd_code add_globals(struct pyd_snapshot *s, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	for (size_t i = 0; i < s->runtime.ninterps && !code; i++)
		code = pyd_filter_modules(&s->walk.filter, &s->reader,
					  s->runtime.interps[i].modules, err);
	if (code || s->opts->limits.no_globals) {
		s->walk.cuts.globals += s->stacks.globals.len;
		return code;
	}
	for (size_t i = 0; i < s->stacks.globals.len && !code; i++)
		code = pyd_walk_names(&s->walk, s->stacks.globals.data[i], err);
	return code;
}

/* The target stands still until all is read. */
static bool stands(const struct pyd_snapshot *s)
{
	return !s->subject->kept &&
	       !strcmp(s->subject->capture,
		       pyd_capture_mode_name(PYD_CAPTURE_STOP));
}

enum pyd_code pyd_snapshot_walk(struct pyd_snapshot *s, struct pyd_err *err)
{
	enum pyd_code code;

	pyd_walk_init(&s->walk, &s->reader, s->writer, &s->opts->limits);
	s->walk.torn = s->subject->torn;
	s->walk.redact = s->redact;
	s->walk.shapes.redact = s->redact;
	/* What does not change can be read more than once. */
	if (!s->subject->torn &&
	    (!s->redact || pyd_redact_in_pieces(s->redact)))
		s->walk.long_min = PYD_LONG_MIN;
	if (s->redact)
		pyd_redact_long_min(s->redact, s->walk.long_min);
	if (!s->collect.on) {
		s->walk.progress = s->opts->progress;
		s->walk.progress_ctx = s->opts->progress_ctx;
	}
	/* A person wants to know, a program that stands still does not wait. */
	if (!s->collect.on && (!stands(s) || s->opts->progress))
		s->walk.memory = s->subject->ops->memory(s->subject);
	s->walk.deadline_ns = s->deadline_ns;
	s->reader.deadline_ns = s->deadline_ns;
	pyd_collect_walk(s);
	/* Where few are looked at, the names of constants are the first. */
	code = s->walk.few_ahead ? globals_beyond(s, err) : PYD_OK;
	if (!code)
		code = add_roots(s, &s->stacks.near, err);
	if (code)
		return code;
	code = add_bodies(s, err);
	if (code)
		return code;
	code = add_roots(s, &s->stacks.far, err);
	if (code)
		return code;
	code = add_globals(s, err);
	if (code)
		return code;
	code = pyd_walk_run(&s->walk, err);
	if (code || !s->opts->limits.gc)
		return code;
	code = pyd_gcroots_read(&s->gcroots, &s->runtime, &s->reader,
				s->walk.torn, err);
	if (code)
		return code;
	if (s->gcroots.note[0])
		pyd_log_notice("--gc: %s", s->gcroots.note);
	return pyd_walk_more(&s->walk, &s->gcroots.objects, err);
}

/* Once, also when the dump is written anew. A target that was not stopped has
 * no registers. */
static enum pyd_code take_native(struct pyd_snapshot *s, struct pyd_err *err)
{
	const struct pyd_subject *subject = s->subject;
	enum pyd_code code;
	uint64_t while_it_stands = PYD_NATIVE_STOP_NS;

	if (subject->pause_end_ns &&
	    s->opts->stop.max_pause_ns / 4 < while_it_stands)
		while_it_stands = s->opts->stop.max_pause_ns / 4;
	if (s->opts->native == PYD_NATIVE_OFF || s->native.taken ||
	    subject->torn || !subject->threads)
		return PYD_OK;
	/* Unwind tables do not change. */
	if (subject->kept)
		pyd_target_kept_code(subject->kept, true);
	code = pyd_native_take(&s->native, subject->frozen, subject->process,
			       subject->threads, &s->runtime, &s->stacks,
			       s->opts->native == PYD_NATIVE_ALL ? 0
			       : stands(s) ? while_it_stands
					   : NATIVE_NS,
			       err);
	if (code || !subject->kept || pyd_target_kept_is_true(subject->kept))
		return code;
	/* A library was unloaded, say. */
	pyd_log_notice("native stacks are left out: what is mapped changed "
		       "while they were unwound");
	pyd_native_deinit(&s->native);
	return PYD_OK;
}

/* Native stacks are named beside the walk where it takes no longer than that,
 * and both have memory at the same time. */
static bool names_beside(const struct pyd_snapshot *s)
{
	uint64_t rss = s->subject->facts.rss;

	return s->subject->process && rss && rss < BESIDE_BYTES && !stands(s);
}

/* All that comes before the end. Sets *ret_again when something of it holds a
 * secret that was found only later. */
static enum pyd_code write_once(struct pyd_snapshot *s, struct pyd_meta *meta,
				bool *ret_again, struct pyd_err *err)
{
	bool beside = names_beside(s);
	enum pyd_code code;

	s->sources = (struct pyd_sources) {
		.subject = s->subject,
		.reader = &s->reader,
		.writer = s->writer,
		.redact = s->redact,
	};
	s->stacks.redact = s->redact;
	s->stacks.trigger = s->opts->trigger;
	code = s->redact ? pyd_redact_process(s->redact, s->subject, err)
			 : pyd_writer_settle(s->writer, err);
	if (code)
		return code;
	code = pyd_meta_write_header(meta, &s->reader, s->writer, err);
	if (code)
		return code;
	code = pyd_waits_begin(&s->waits, s->subject, &s->runtime, &s->reader,
			       err);
	if (code)
		return code;
	s->stacks.waits = &s->waits;
	code = pyd_stacks_write(&s->stacks, &s->runtime, &s->reader, s->writer,
				err);
	if (code)
		return code;
	code = take_native(s, err);
	/* Names take a while to look up; a target that stands waits for no
	 * more than it has to. */
	if (!code && beside)
		code = pyd_native_begin(&s->native, err);
	else if (!code && !stands(s))
		code = pyd_native_write(&s->native, s->redact, s->writer, err);
	if (s->subject->kept)
		pyd_target_kept_code(s->subject->kept, false);
	if (code)
		return code;
	if (s->subject->ops->fds) {
		code = s->subject->ops->fds(s->subject, s->redact, s->writer,
					    err);
		if (code)
			return code;
	}
	code = pyd_waits_write(&s->waits, s->redact, s->writer, err);
	if (code)
		return code;
	code = pyd_snapshot_walk(s, err);
	if (code)
		return code;
	/* What the walk met is written, however long that takes. */
	s->reader.deadline_ns = 0;
	if (s->redact) {
		code = learn(s, err);
		if (code)
			return code;
		*ret_again = pyd_redact_leaked(s->redact);
		if (*ret_again)
			return PYD_OK;
		code = pyd_writer_settle(s->writer, err);
		if (code)
			return code;
	}
	code = pyd_snapshot_files(s, pyd_sources_add, err);
	if (!code && beside)
		code = pyd_native_write(&s->native, s->redact, s->writer, err);
	if (code || !s->redact)
		return code;
	return pyd_walk_texts(&s->walk, err);
}

/* Throws away what was written, but for the secrets found. */
static enum pyd_code rewind_dump(struct pyd_snapshot *s,
				 const struct pyd_writer_options *wopts,
				 struct pyd_err *err)
{
	pyd_walk_deinit(&s->walk);
	pyd_gcroots_deinit(&s->gcroots);
	pyd_sources_deinit(&s->sources);
	pyd_stacks_deinit(&s->stacks);
	pyd_waits_deinit(&s->waits);
	pyd_writer_destroy(s->writer);
	s->writer = NULL;
	pyd_redact_restart(s->redact);
	return pyd_writer_create(wopts, &s->writer, err);
}

static enum pyd_code write_all(struct pyd_snapshot *s, struct pyd_meta *meta,
			       const struct pyd_writer_options *wopts,
			       struct pyd_snapshot_stats *stats, uint64_t began,
			       struct pyd_err *err)
{
	uint64_t toc, walk_began = pyd_now_ns();
	struct pyd_writer_totals totals;
	enum pyd_code code;

	for (int tries = 1;; tries++) {
		uint64_t try_began = pyd_now_ns();
		bool again = false;

		code = write_once(s, meta, &again, err);
		if (code)
			return code;
		if (!again)
			break;
		/* A running target may go on for ever. */
		if (tries == WRITE_TRIES)
			return pyd_err_set(err, PYD_BUSY,
					   "new secrets turn up in names and "
					   "arguments as fast as they are "
					   "masked; dump with another "
					   "--capture, or with --no-redact");
		code = rewind_dump(s, wopts, err);
		if (code)
			return code;
		if (s->deadline_ns)
			s->deadline_ns += pyd_now_ns() - try_began;
	}

	/* In mode stop the target stood still until here. */
	if (s->subject->ops->release)
		s->subject->ops->release(s->subject);
	if (s->subject->expired)
		return pyd_err_set(err, PYD_BUSY,
				   "the process went on after %.0f ms, as "
				   "--max-pause says, before all was read; "
				   "dump with --capture=fork or copy, with "
				   "limits such as --depth, or give it more",
				   (double)s->subject->pause_ns / 1e6);
	if (s->subject->kept)
		pyd_log_debug("kept while it stood: %.1f MB; asked for and not "
			      "kept: %llu times",
			      (double)pyd_target_kept_bytes(s->subject->kept) /
				      1e6,
			      (unsigned long long)pyd_target_kept_missed(
				      s->subject->kept));
	stats->pause_ns = s->subject->pause_ns;
	stats->captured_bytes = s->subject->captured_bytes;
	if (stands(s)) {
		code = pyd_native_write(&s->native, s->redact, s->writer, err);
		if (code)
			return code;
	}
	code = pyd_writer_flush(s->writer, &toc, err);
	if (code)
		return code;
	pyd_writer_totals(s->writer, &totals);
	stats->capture = s->subject->capture;
	stats->threads = s->stacks.threads;
	stats->frames = s->stacks.frames;
	stats->objects = totals.objects;
	stats->bytes = totals.object_bytes;
	stats->placeholders = totals.placeholders;
	stats->timeout = s->walk.cuts.timeout != 0;
	stats->cuts = s->walk.cuts;
	stats->gc_roots = s->gcroots.objects.len;
	stats->gc_note = s->gcroots.note;
	stats->redacted = s->redact ? pyd_redact_total(s->redact) : 0;
	stats->walk_ns = pyd_now_ns() - walk_began;
	stats->total_ns = pyd_now_ns() - began;
	code = pyd_meta_write_end(stats, &s->walk.cuts, s->redact, toc,
				  s->writer, err);
	if (code)
		return code;
	code = pyd_writer_finish(s->writer, err);
	if (code)
		return code;
	pyd_writer_totals(s->writer, &totals);
	stats->file_bytes = totals.file_bytes;
	return PYD_OK;
}

uint64_t pyd_snapshot_hasten(const struct pyd_snapshot *s)
{
	uint64_t now = pyd_now_ns();
	uint64_t end = s->subject->pause_end_ns;

	if (!end)
		return s->deadline_ns;
	end = end > now ? now + (end - now) / 4 * 3 : now;
	return !s->deadline_ns || end < s->deadline_ns ? end : s->deadline_ns;
}

enum pyd_code pyd_snapshot_take(const struct pyd_snapshot_options *opts,
				struct pyd_snapshot_stats *ret,
				struct pyd_err *err)
{
	struct pyd_snapshot s = { .opts = opts };
	struct pyd_snapshot_stats stats = { 0 };
	uint64_t began = pyd_now_ns();
	struct timespec now;
	enum pyd_code code = find(&s, err);

	if (code)
		goto out;

	/* A file that cannot be made must not cost the target a pause. */
	const struct pyd_writer_options wopts = {
		.level = opts->level,
		.path = opts->path,
	};

	code = pyd_writer_create(&wopts, &s.writer, err);
	if (code)
		goto out;
	clock_gettime(CLOCK_REALTIME, &now);
	if (opts->limits.timeout_ns)
		s.deadline_ns = pyd_now_ns() + opts->limits.timeout_ns;
	code = pyd_collect_begin(&s, err);
	if (!code)
		code = capture(&s, err);
	if (code)
		goto out;
	if (stands(&s))
		s.deadline_ns = pyd_snapshot_hasten(&s);
	/* It runs, and has the processors first. */
	if (s.subject->process && !stands(&s)) {
		pyd_pace_yield();
		pyd_writer_yield(s.writer);
	}

	if (opts->rules) {
		pyd_redact_destroy(s.redact);
		s.redact = NULL;
		code = pyd_redact_create(opts->rules, &s.redact, err);
		if (code)
			goto out;
	}

	if (s.subject->facts.time_s) {
		now.tv_sec = s.subject->facts.time_s;
		now.tv_nsec = s.subject->facts.time_us * 1000;
	}

	struct pyd_meta meta = {
		.opts = opts,
		.redact = s.redact,
		.subject = s.subject,
		.runtime = &s.runtime,
		.modules = s.modules.n ? &s.modules : NULL,
		.begin_s = now.tv_sec,
		.begin_us = now.tv_nsec / 1000,
	};

	code = write_all(&s, &meta, &wopts, &stats, began, err);
	if (!code)
		*ret = stats;
out:
	snapshot_deinit(&s);
	return code;
}
