// SPDX-License-Identifier: Apache-2.0
#include "dump/json.h"
#include "dump/traceback.h"
#include "dump/vars.h"

struct render {
	struct pyd_dump *d;
	const struct pyd_render_options *opts;
	struct json_object *frames;
	uint64_t shown;
	struct pyd_err *err;
};

static struct json_object *repr(struct render *r, uint64_t ref)
{
	struct pyd_text t = { .err = r->err };
	struct json_object *ret = NULL;

	pyd_repr(r->d, ref, &r->opts->limits, &t);
	if (!t.code)
		ret = pyd_json_text((const char *)t.buf.data, t.buf.len);
	pyd_text_deinit(&t);
	return ret;
}

static struct json_object *type_name(struct render *r, uint64_t ref)
{
	struct pyd_text t = { .err = r->err };
	struct pyd_dump_object o;
	struct json_object *ret = NULL;
	int64_t small;

	if (pyd_dump_ref_is_int(ref, &small))
		return pyd_json_string("int");
	if (!ref || pyd_dump_object_get(r->d, ref, &o, NULL))
		return NULL;
	pyd_repr_type(r->d, o.type, &t);
	if (!t.code)
		ret = pyd_json_text((const char *)t.buf.data, t.buf.len);
	pyd_text_deinit(&t);
	pyd_dump_object_release(r->d, &o);
	return ret;
}

/* {address, type, repr}, with more in front of it by the caller. */
static void describe(struct render *r, struct json_object *to, uint64_t ref)
{
	json_object_object_add(to, "address", json_object_new_uint64(ref));
	json_object_object_add(to, "type", type_name(r, ref));
	json_object_object_add(to, "repr", repr(r, ref));
}

static struct json_object *kind_name(uint64_t kind)
{
	static const char *const kinds[] = {
		[PYD_VAR_ARG] = "argument",  [PYD_VAR_LOCAL] = "local",
		[PYD_VAR_CELL] = "cell",     [PYD_VAR_FREE] = "free",
		[PYD_VAR_HIDDEN] = "hidden", [PYD_VAR_CELLARG] = "argument",
	};

	return kind < sizeof(kinds) / sizeof(kinds[0])
		       ? pyd_json_string(kinds[kind])
		       : NULL;
}

static struct json_object *variable(struct render *r, struct pyd_dump_value var)
{
	struct pyd_dump_iter it = pyd_dump_value_iter(var);
	struct json_object *ret = json_object_new_object();
	struct pyd_dump_value name = { 0 }, v = { 0 };
	uint64_t kind = 0, ref = 0;
	bool cell;

	(void)pyd_dump_iter_next(&it, NULL, &name);
	if (pyd_dump_iter_next(&it, NULL, &v))
		(void)pyd_dump_value_u64(v, &kind);
	if (pyd_dump_iter_next(&it, NULL, &v))
		(void)pyd_dump_value_u64(v, &ref);
	cell = kind == PYD_VAR_CELL || kind == PYD_VAR_FREE ||
	       kind == PYD_VAR_CELLARG;
	json_object_object_add(ret, "name", pyd_json_value(name));
	json_object_object_add(ret, "kind", kind_name(kind));
	if (cell)
		json_object_object_add(ret, "cell",
				       json_object_new_uint64(ref));
	if (cell)
		(void)pyd_vars_cell(r->d, ref, &ref);
	describe(r, ret, ref);
	return ret;
}

/* The text of a str; what else it is, as its repr. */
static struct json_object *text_of(struct render *r, uint64_t ref)
{
	struct json_object *ret = NULL;
	struct pyd_dump_object o;

	if (!ref)
		return NULL;
	if (pyd_dump_object_get(r->d, ref, &o, NULL))
		return repr(r, ref);
	if (o.kind == PYD_KIND_str && !o.mark)
		ret = pyd_json_text((const char *)o.value, o.value_len);
	pyd_dump_object_release(r->d, &o);
	return ret ? ret : repr(r, ref);
}

struct list {
	struct render *r;
	struct json_object *to;
};

static void add(struct list *l, const struct pyd_variable *var,
		struct json_object *kind)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "name", text_of(l->r, var->name));
	json_object_object_add(o, "kind", kind);
	if (var->cell)
		json_object_object_add(o, "cell",
				       json_object_new_uint64(var->cell));
	describe(l->r, o, var->value);
	json_object_array_add(l->to, o);
}

static void add_variable(void *ctx, const struct pyd_variable *var)
{
	add(ctx, var, kind_name(var->kind));
}

/* An entry of a module's or class body's mapping. */
static void add_name(void *ctx, const struct pyd_variable *var)
{
	add(ctx, var, pyd_json_string("name"));
}

static struct json_object *values(struct render *r, struct pyd_dump_value list)
{
	struct pyd_dump_iter it = pyd_dump_value_iter(list);
	struct json_object *ret;
	struct pyd_dump_value v;

	if (pyd_dump_value_type(list) != PYD_DUMP_LIST)
		return NULL;
	ret = json_object_new_array();
	while (pyd_dump_iter_next(&it, NULL, &v)) {
		struct json_object *o = json_object_new_object();
		uint64_t ref = 0;

		(void)pyd_dump_value_u64(v, &ref);
		describe(r, o, ref);
		json_object_array_add(ret, o);
	}
	return ret;
}

static enum pyd_code add_frame(void *ctx, uint64_t number,
			       struct pyd_dump_value frame, struct pyd_err *err)
{
	static const char *const special[] = { "vars", "stack" };
	struct render *r = ctx;
	struct pyd_dump_value v = pyd_dump_value_get(frame, "vars");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);
	struct json_object *o;

	(void)err;
	if (r->opts->max_frames && r->shown >= r->opts->max_frames)
		return PYD_OK;
	r->shown++;
	o = pyd_json_map(frame, special, 2);
	json_object_object_add(o, "number", json_object_new_uint64(number));
	if (!r->opts->no_locals) {
		struct list vars = { .r = r, .to = json_object_new_array() };
		uint64_t mapping = 0;

		while (!it.map && pyd_dump_iter_next(&it, NULL, &v))
			json_object_array_add(vars.to, variable(r, v));
		if (pyd_dump_value_u64(pyd_dump_value_get(frame, "locals"),
				       &mapping) &&
		    mapping)
			json_object_object_add(
				o, "vars_complete",
				json_object_new_boolean(pyd_vars_names(
					r->d, mapping, add_name, &vars)));
		json_object_object_add(o, "vars", vars.to);
		json_object_object_add(
			o, "stack",
			values(r, pyd_dump_value_get(frame, "stack")));
	}
	json_object_array_add(r->frames, o);
	return PYD_OK;
}

/* -- exceptions -- */

static struct json_object *position(int32_t v)
{
	return v < 0 ? NULL : json_object_new_int(v);
}

static void add_traceback_frame(void *ctx, const struct pyd_traceback_frame *f)
{
	struct list *l = ctx;
	struct render *r = l->r;
	struct json_object *o = json_object_new_object();
	struct list vars = { .r = r };
	bool all = false;

	json_object_array_add(l->to, o);
	json_object_object_add(o, "frame", json_object_new_uint64(f->ref));
	json_object_object_add(o, "lasti", position(f->lasti));
	json_object_object_add(o, "line", position(f->line));
	json_object_object_add(o, "end_line", position(f->end_line));
	json_object_object_add(o, "col", position(f->col));
	json_object_object_add(o, "end_col", position(f->end_col));
	for (size_t i = 0; i < 3; i++) {
		static const char *const keys[] = { "name", "qualname",
						    "file" };
		static const char *const fields[] = { "name", "qualname",
						      "filename" };

		json_object_object_add(
			o, keys[i],
			f->code ? text_of(r, pyd_dump_object_field(
						     r->d, f->code, fields[i]))
				: NULL);
	}
	if (r->opts->no_locals)
		return;
	vars.to = json_object_new_array();
	json_object_object_add(o, "vars", vars.to);
	if (f->code) {
		uint64_t mapping = pyd_vars_mapping(r->d, f->frame, f->code);

		all = pyd_vars_slots(r->d, f->frame, f->code, add_variable,
				     &vars);
		if (mapping)
			all &= pyd_vars_names(r->d, mapping, add_name, &vars);
	}
	json_object_object_add(o, "vars_complete",
			       json_object_new_boolean(all));
}

/* {frames, frames_complete}. */
static void add_traceback(struct render *r, struct json_object *to,
			  uint64_t traceback)
{
	struct list l = { .r = r, .to = json_object_new_array() };
	bool all;

	json_object_object_add(to, "frames", l.to);
	all = pyd_traceback_each(r->d, traceback, add_traceback_frame, &l);
	json_object_object_add(to, "frames_complete",
			       json_object_new_boolean(all));
}

static void add_linked(void *ctx, bool cause, uint64_t exception,
		       uint64_t traceback)
{
	struct list *l = ctx;
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "role",
			       pyd_json_string(cause ? "cause" : "context"));
	describe(l->r, o, exception);
	add_traceback(l->r, o, traceback);
	json_object_array_add(l->to, o);
}

static struct json_object *exceptions(struct render *r,
				      struct pyd_dump_value list)
{
	struct pyd_dump_iter it = pyd_dump_value_iter(list);
	struct json_object *ret = json_object_new_array();
	struct pyd_dump_value v;

	while (!it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		struct json_object *o = pyd_json_map(v, NULL, 0);
		struct list chain = { .r = r, .to = json_object_new_array() };
		uint64_t ref = 0, traceback = 0;

		(void)pyd_dump_value_u64(pyd_dump_value_get(v, "value"), &ref);
		if (!ref)
			(void)pyd_dump_value_u64(pyd_dump_value_get(v, "type"),
						 &ref);
		(void)pyd_dump_value_u64(pyd_dump_value_get(v, "traceback"),
					 &traceback);
		json_object_object_add(o, "repr", repr(r, ref));
		add_traceback(r, o, traceback);
		json_object_object_add(o, "chain", chain.to);
		pyd_traceback_chain(r->d, ref, add_linked, &chain);
		json_object_array_add(ret, o);
	}
	return ret;
}

/* -- native stacks -- */

static const char *how_name(uint64_t how)
{
	static const char *const names[] = {
		[PYD_NATIVE_REGS] = "registers",
		[PYD_NATIVE_TABLE] = "table",
		[PYD_NATIVE_FP] = "frame pointer",
		[PYD_NATIVE_TOP] = "top of stack",
		[PYD_NATIVE_END] = "last instructions",
	};

	return how < sizeof(names) / sizeof(names[0]) ? names[how] : "unknown";
}

static struct json_object *native_stack(const struct pyd_dump_native *n)
{
	static const char *const special[] = { "frames" };
	struct json_object *o = pyd_json_map(n->thread, special, 1);
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < n->nframes; i++) {
		const struct pyd_dump_native_frame *f = &n->frames[i];
		struct json_object *e = pyd_json_map(f->place, NULL, 0);
		struct json_object *runs = NULL;

		json_object_object_add(e, "pc", json_object_new_uint64(f->pc));
		json_object_object_add(e, "sp", json_object_new_uint64(f->sp));
		json_object_object_add(e, "how",
				       pyd_json_string(how_name(f->how)));
		json_object_object_add(e, "signal",
				       json_object_new_boolean(f->signal));
		if (f->runs) {
			runs = json_object_new_array();
			json_object_array_add(runs,
					      json_object_new_uint64(f->first));
			json_object_array_add(runs,
					      json_object_new_uint64(f->n));
		}
		json_object_object_add(e, "python", runs);
		json_object_array_add(list, e);
	}
	json_object_object_add(o, "frames", list);
	return o;
}

struct natives {
	struct json_object *threads;
	struct json_object *others;
	int64_t only; /* -1: all */
};

static enum pyd_code add_native(void *ctx, const struct pyd_dump_native *n,
				struct pyd_err *err)
{
	struct natives *to = ctx;
	struct json_object *o;
	int64_t at = to->only < 0 ? n->index : 0;

	(void)err;
	if (n->index < 0) {
		if (to->only < 0)
			json_object_array_add(to->others, native_stack(n));
		return PYD_OK;
	}
	if ((to->only >= 0 && to->only != n->index) ||
	    (size_t)at >= json_object_array_length(to->threads))
		return PYD_OK;
	o = json_object_array_get_idx(to->threads, (size_t)at);
	json_object_object_add(o, "native", native_stack(n));
	return PYD_OK;
}

static enum pyd_code add_thread(struct render *r, struct json_object *to,
				struct pyd_dump_value thread, uint64_t index)
{
	static const char *const special[] = { "exceptions" };
	struct json_object *o = pyd_json_map(thread, special, 1);
	enum pyd_code code;

	json_object_array_add(to, o);
	json_object_object_add(
		o, "exceptions",
		exceptions(r, pyd_dump_value_get(thread, "exceptions")));
	r->frames = json_object_new_array();
	json_object_object_add(o, "frames", r->frames);
	r->shown = 0;
	code = pyd_dump_frames_each(r->d, index, 0, add_frame, r, r->err);
	if (code != PYD_FORMAT)
		return code;
	json_object_object_add(o, "damage", pyd_json_string(r->err->msg));
	return PYD_OK;
}

enum pyd_code pyd_render_json(struct pyd_dump *d, const char *name,
			      const struct pyd_render_options *opts,
			      const struct pyd_sink *sink, struct pyd_err *err)
{
	static const char *const special[] = { "kind", "columns", "kinds" };
	struct pyd_err local = { .code = PYD_OK };
	struct render r = { .d = d, .opts = opts, .err = err ? err : &local };
	struct pyd_dump_value v = pyd_dump_threads(d);
	struct pyd_dump_iter it;
	struct json_object *o = json_object_new_object();
	struct json_object *threads = json_object_new_array();
	struct pyd_dump_info info;
	uint64_t index = 0;
	enum pyd_code code = PYD_OK;

	pyd_dump_get_info(d, &info);
	json_object_object_add(o, "file", pyd_json_string(name));
	json_object_object_add(o, "complete",
			       json_object_new_boolean(info.complete));
	if (*info.damage)
		json_object_object_add(o, "damage",
				       pyd_json_string(info.damage));
	json_object_object_add(o, "size", json_object_new_uint64(info.size));
	json_object_object_add(o, "objects",
			       json_object_new_uint64(info.objects));
	json_object_object_add(o, "header",
			       pyd_json_map(pyd_dump_header(d), special, 3));
	json_object_object_add(
		o, "interpreters",
		pyd_json_value(pyd_dump_value_get(v, "interpreters")));
	json_object_object_add(o, "threads", threads);
	it = pyd_dump_value_iter(pyd_dump_value_get(v, "threads"));
	for (; !code && !it.map && pyd_dump_iter_next(&it, NULL, &v); index++)
		if (opts->thread < 0 || (uint64_t)opts->thread == index)
			code = add_thread(&r, threads, v, index);
	if (!code && opts->thread >= 0 && (uint64_t)opts->thread >= index)
		code = pyd_err_set(r.err, PYD_USAGE,
				   "%s has %llu threads, numbered from 0; "
				   "there is no thread %lld",
				   name, (unsigned long long)index,
				   (long long)opts->thread);
	struct natives natives = {
		.threads = threads,
		.others = json_object_new_array(),
		.only = opts->thread,
	};

	json_object_object_add(o, "native_threads", natives.others);
	if (!code)
		code = pyd_dump_native_each(d, add_native, &natives, r.err);
	if (code == PYD_FORMAT)
		code = PYD_OK;
	json_object_object_add(o, "waits",
			       pyd_json_map(pyd_dump_waits(d), special, 1));
	json_object_object_add(o, "end",
			       pyd_json_map(pyd_dump_end(d), special, 1));
	if (!code)
		code = pyd_json_write(o, sink, r.err);
	json_object_put(o);
	return code;
}
