// SPDX-License-Identifier: Apache-2.0
#include "dump/render.h"

#include <string.h>

struct render {
	struct pyd_dump *d;
	const struct pyd_render_options *opts;
	const struct pyd_sink *sink;
	struct pyd_text t;
	uint64_t shown; /* frames of this thread */
	/* Of the thread that is shown; its native is NULL when there is no
	 * stack, or one that is not merged. */
	struct pyd_native_cursor native;
	uint64_t index;
	bool found; /* a native stack of that thread */
};

static void put(struct pyd_text *t, const char *s)
{
	pyd_text_raw(t, s, strlen(s));
}

static enum pyd_code flush(struct render *r, struct pyd_err *err)
{
	enum pyd_code code = r->t.code;

	if (!code && r->t.buf.len)
		code = r->sink->write(r->sink->ctx, (const char *)r->t.buf.data,
				      r->t.buf.len, err);
	pyd_buf_clear(&r->t.buf);
	return code;
}

/* -- frames -- */

static enum pyd_code put_frame(void *ctx, uint64_t number,
			       struct pyd_dump_value frame, struct pyd_err *err)
{
	struct render *r = ctx;
	struct pyd_dump_value name = pyd_dump_value_get(frame, "qualname");

	if (r->opts->max_frames && r->shown >= r->opts->max_frames)
		return PYD_OK;
	r->shown++;
	if (r->native.native)
		pyd_render_native(&r->native, number, &r->t);
	if (pyd_dump_value_type(name) == PYD_DUMP_NIL)
		name = pyd_dump_value_get(frame, "name");
	pyd_text_printf(&r->t, "  #%-4llu ", (unsigned long long)number);
	pyd_render_value(name, &r->t);
	put(&r->t, "  ");
	pyd_render_value(pyd_dump_value_get(frame, "file"), &r->t);
	put(&r->t, ":");
	if (!pyd_render_value(pyd_dump_value_get(frame, "line"), &r->t))
		put(&r->t, "?");
	put(&r->t, "\n");
	pyd_render_labelled(
		&r->t, "         note: ", pyd_dump_value_get(frame, "note"));
	if (pyd_dump_value_type(pyd_dump_value_get(frame, "note")) !=
	    PYD_DUMP_NIL)
		put(&r->t, "\n");
	if (!r->opts->no_locals)
		pyd_render_vars(r->d, frame, r->opts, &r->t);
	return flush(r, err);
}

/* -- threads -- */

static void put_exceptions(struct render *r, struct pyd_dump_value thread)
{
	struct pyd_dump_value v = pyd_dump_value_get(thread, "exceptions");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);

	while (!it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		uint64_t ref = 0, traceback = 0;
		const char *role;
		size_t len;

		(void)pyd_dump_value_u64(pyd_dump_value_get(v, "value"), &ref);
		if (!ref)
			(void)pyd_dump_value_u64(pyd_dump_value_get(v, "type"),
						 &ref);
		(void)pyd_dump_value_u64(pyd_dump_value_get(v, "traceback"),
					 &traceback);
		put(&r->t, "  exception");
		pyd_render_labelled(&r->t, ", ", pyd_dump_value_get(v, "role"));
		put(&r->t, ": ");
		pyd_repr(r->d, ref, &r->opts->limits, &r->t);
		put(&r->t, "\n");
		if (pyd_dump_value_text(pyd_dump_value_get(v, "role"), &role,
					&len) &&
		    len == 6 && !memcmp(role, "raised", 6))
			pyd_render_raised(r->d, ref, traceback, r->opts, &r->t);
	}
}

/* The frames, and what is in the way of them. */
static enum pyd_code put_frames(struct render *r, struct pyd_err *err)
{
	enum pyd_code code =
		pyd_dump_frames_each(r->d, r->index, 0, put_frame, r, err);

	if (code != PYD_FORMAT || !err)
		return code;
	put(&r->t, "  ");
	pyd_text_escaped(&r->t, err->msg, strlen(err->msg), 0, 400);
	put(&r->t, "\n");
	return PYD_OK;
}

static enum pyd_code put_native(void *ctx, const struct pyd_dump_native *native,
				struct pyd_err *err)
{
	struct render *r = ctx;
	struct pyd_native_cursor all = { .native = native };
	enum pyd_code code = PYD_OK;

	r->found = true;
	pyd_render_native_head(native, &r->t);
	if (native->merged) {
		r->native = all;
		code = put_frames(r, err);
		/* What is older than the frames that were asked for is not
		 * told. */
		if (!code &&
		    (!r->opts->max_frames || r->shown < r->opts->max_frames))
			pyd_render_native(&r->native, UINT64_MAX, &r->t);
		r->native.native = NULL;
	} else {
		pyd_render_native(&all, UINT64_MAX, &r->t);
		put(&r->t, "  Python stack\n");
		code = put_frames(r, err);
	}
	return code;
}

/* A thread that runs no Python. */
static enum pyd_code put_other(void *ctx, const struct pyd_dump_native *native,
			       struct pyd_err *err)
{
	struct render *r = ctx;
	struct pyd_native_cursor all = { .native = native };
	struct pyd_text *t = &r->t;

	if (native->index >= 0)
		return PYD_OK;
	put(t, "\nNative thread");
	pyd_render_labelled(t, " ",
			    pyd_dump_value_get(native->thread, "native_id"));
	pyd_render_labelled(t, ", ",
			    pyd_dump_value_get(native->thread, "os_name"));
	pyd_render_labelled(t, ", state ",
			    pyd_dump_value_get(native->thread, "state"));
	put(t, "\n");
	pyd_render_native_head(native, t);
	pyd_render_native(&all, UINT64_MAX, t);
	return flush(r, err);
}

/* What the dump's "waits" has of thread number index. */
static struct pyd_dump_value waits_of(struct render *r, uint64_t index)
{
	struct pyd_dump_value v =
		pyd_dump_value_get(pyd_dump_waits(r->d), "threads");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);
	uint64_t n;

	while (!it.map && pyd_dump_iter_next(&it, NULL, &v))
		if (pyd_dump_value_u64(pyd_dump_value_get(v, "thread"), &n) &&
		    n == index)
			return v;
	return (struct pyd_dump_value) { 0 };
}

static void put_waits(struct render *r, uint64_t index)
{
	struct pyd_dump_value waits = waits_of(r, index);
	struct pyd_dump_value call = pyd_dump_value_get(waits, "syscall");
	struct pyd_dump_value v = pyd_dump_value_get(waits, "text");
	struct pyd_dump_iter it;

	if (pyd_dump_value_type(v) != PYD_DUMP_NIL) {
		pyd_render_labelled(&r->t, "  ", v);
		put(&r->t, "\n");
	}
	if (pyd_dump_value_type(call) != PYD_DUMP_MAP)
		return;
	pyd_render_labelled(&r->t, "  in ", pyd_dump_value_get(call, "text"));
	v = pyd_dump_value_get(call, "peers");
	if (pyd_dump_value_len(v))
		pyd_render_labelled(&r->t, "\n     for ", v);
	it = pyd_dump_value_iter(pyd_dump_value_get(call, "fds"));
	while (!it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		pyd_render_labelled(&r->t, "\n     file ",
				    pyd_dump_value_get(v, "fd"));
		pyd_render_labelled(&r->t, ": ",
				    pyd_dump_value_get(v, "target"));
	}
	put(&r->t, "\n");
}

static enum pyd_code put_thread(struct render *r, struct pyd_dump_value thread,
				uint64_t index, struct pyd_err *err)
{
	struct pyd_dump_value v = pyd_dump_value_get(thread, "name");
	struct pyd_text *t = &r->t;
	uint64_t total = 0;
	bool gil = false;
	enum pyd_code code;

	pyd_text_printf(t, "\nThread %llu", (unsigned long long)index);
	if (pyd_dump_value_type(v) == PYD_DUMP_NIL)
		v = pyd_dump_value_get(thread, "os_name");
	if (pyd_dump_value_type(v) != PYD_DUMP_NIL) {
		put(t, " \"");
		pyd_render_value(v, t);
		put(t, "\"");
	}
	pyd_render_labelled(t, ", ident ", pyd_dump_value_get(thread, "ident"));
	pyd_render_labelled(t, ", native id ",
			    pyd_dump_value_get(thread, "native_id"));
	pyd_render_labelled(t, ", state ", pyd_dump_value_get(thread, "state"));
	if (pyd_dump_value_u64(pyd_dump_value_get(thread, "interpreter"),
			       &total) &&
	    total)
		pyd_text_printf(t, ", interpreter %llu",
				(unsigned long long)total);
	if (pyd_dump_value_bool(pyd_dump_value_get(thread, "gil"), &gil) && gil)
		put(t, ", holds the GIL");
	put(t, "\n");
	v = pyd_dump_value_get(thread, "note");
	if (pyd_dump_value_type(v) != PYD_DUMP_NIL) {
		pyd_render_labelled(t, "  note: ", v);
		put(t, "\n");
	}
	put_waits(r, index);
	put_exceptions(r, thread);
	r->shown = 0;
	r->index = index;
	r->found = false;
	code = r->opts->native
		       ? pyd_dump_native_get(r->d, index, put_native, r, err)
		       : PYD_OK;
	if (code == PYD_FORMAT)
		code = PYD_OK; /* its Python stack is still there */
	if (!code && !r->found)
		code = put_frames(r, err);
	if (code)
		return code;
	total = 0;
	(void)pyd_dump_value_u64(pyd_dump_value_get(thread, "nframes"), &total);
	if (total > r->shown)
		pyd_text_printf(t, "  %llu frames more\n",
				(unsigned long long)(total - r->shown));
	return flush(r, err);
}

enum pyd_code pyd_render_text(struct pyd_dump *d, const char *name,
			      const struct pyd_render_options *opts,
			      const struct pyd_sink *sink, struct pyd_err *err)
{
	struct pyd_err local = { .code = PYD_OK };
	struct render r = { .d = d, .opts = opts, .sink = sink };
	struct pyd_dump_value v =
		pyd_dump_value_get(pyd_dump_threads(d), "threads");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);
	uint64_t index = 0;
	enum pyd_code code;

	if (!err)
		err = &local;
	r.t.err = err;
	pyd_render_head(d, name, &r.t);
	code = flush(&r, err);
	for (; !code && !it.map && pyd_dump_iter_next(&it, NULL, &v); index++)
		if (opts->thread < 0 || (uint64_t)opts->thread == index)
			code = put_thread(&r, v, index, err);
	if (!code && opts->native && opts->thread < 0)
		code = pyd_dump_native_each(d, put_other, &r, err);
	if (!code && opts->thread >= 0 && (uint64_t)opts->thread >= index)
		code = pyd_err_set(err, PYD_USAGE,
				   "%s has %llu threads, numbered from 0; "
				   "there is no thread %lld",
				   name, (unsigned long long)index,
				   (long long)opts->thread);
	pyd_text_deinit(&r.t);
	return code;
}
