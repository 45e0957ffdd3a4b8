// SPDX-License-Identifier: Apache-2.0
#include <json.h>
#include <string.h>

#include "dump/mp.h"
#include "dump/render.h"
#include "dump/utf8.h"

struct render {
	struct pyd_dump *d;
	const struct pyd_render_options *opts;
	struct json_object *frames;
	uint64_t shown;
	struct pyd_err *err;
};

/* JSON is Unicode: what is none becomes U+FFFD. */
static struct json_object *text(const char *s, size_t len)
{
	struct pyd_text t = { 0 };
	struct json_object *ret;

	for (size_t n; len; s += n, len -= n) {
		uint32_t c;

		n = pyd_utf8_char((const uint8_t *)s, len, &c);
		if (n && !(c >= 0xd800 && c < 0xe000)) {
			pyd_text_raw(&t, s, n);
			continue;
		}
		n = n ? n : 1;
		pyd_text_raw(&t, "\xef\xbf\xbd", 3);
	}
	ret = t.code ? NULL
		     : json_object_new_string_len((const char *)t.buf.data,
						  (int)t.buf.len);
	pyd_text_deinit(&t);
	return ret;
}

static struct json_object *string(const char *s)
{
	return text(s, strlen(s));
}

/* Without what is in it. */
static struct json_object *shallow(struct pyd_dump_value v)
{
	const char *s;
	size_t len;
	uint64_t u;
	int64_t i;
	double f;
	bool b;

	switch (pyd_dump_value_type(v)) {
	case PYD_DUMP_BOOL:
		return pyd_dump_value_bool(v, &b) ? json_object_new_boolean(b)
						  : NULL;
	case PYD_DUMP_INT:
		if (pyd_dump_value_u64(v, &u))
			return json_object_new_uint64(u);
		return pyd_dump_value_i64(v, &i) ? json_object_new_int64(i)
						 : NULL;
	case PYD_DUMP_FLOAT:
		return pyd_dump_value_float(v, &f) && f - f == 0
			       ? json_object_new_double(f)
			       : NULL;
	case PYD_DUMP_TEXT:
	case PYD_DUMP_BYTES:
		return pyd_dump_value_text(v, &s, &len) ? text(s, len) : NULL;
	case PYD_DUMP_LIST:
		return json_object_new_array();
	case PYD_DUMP_MAP:
		return json_object_new_object();
	default:
		return NULL;
	}
}

static bool is_container(struct pyd_dump_value v)
{
	enum pyd_dump_type type = pyd_dump_value_type(v);

	return type == PYD_DUMP_LIST || type == PYD_DUMP_MAP;
}

static void add_member(struct json_object *to, struct pyd_dump_value key,
		       struct json_object *member)
{
	struct json_object *k = shallow(key);
	const char *name = json_object_get_string(k);

	json_object_object_add(to, name ? name : "null", member);
	json_object_put(k);
}

static struct json_object *value(struct pyd_dump_value v)
{
	/* The reader has refused what nests deeper. */
	struct {
		struct pyd_dump_iter it;
		struct json_object *to;
	} open[PYD_MP_DEPTH + 1];
	struct json_object *ret = shallow(v);
	size_t depth = 0;

	if (!ret || !is_container(v))
		return ret;
	open[0].it = pyd_dump_value_iter(v);
	open[0].to = ret;
	for (depth = 1; depth;) {
		struct pyd_dump_value key, e;
		struct json_object *to = open[depth - 1].to, *o;

		if (!pyd_dump_iter_next(&open[depth - 1].it, &key, &e)) {
			depth--;
			continue;
		}
		o = shallow(e);
		if (open[depth - 1].it.map)
			add_member(to, key, o);
		else
			json_object_array_add(to, o);
		if (!o || !is_container(e) || depth > PYD_MP_DEPTH)
			continue;
		open[depth].it = pyd_dump_value_iter(e);
		open[depth++].to = o;
	}
	return ret;
}

static struct json_object *repr(struct render *r, uint64_t ref)
{
	struct pyd_text t = { .err = r->err };
	struct json_object *ret = NULL;

	pyd_repr(r->d, ref, &r->opts->limits, &t);
	if (!t.code)
		ret = text((const char *)t.buf.data, t.buf.len);
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
		return string("int");
	if (!ref || pyd_dump_object_get(r->d, ref, &o, NULL))
		return NULL;
	pyd_repr_type(r->d, o.type, &t);
	if (!t.code)
		ret = text((const char *)t.buf.data, t.buf.len);
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

static uint64_t through_cell(struct render *r, uint64_t ref)
{
	struct pyd_dump_object o;

	if (!ref || pyd_dump_object_get(r->d, ref, &o, NULL))
		return ref;
	if (o.kind == PYD_KIND_cell)
		ref = pyd_dump_object_field(r->d, &o, "contents");
	pyd_dump_object_release(r->d, &o);
	return ref;
}

static struct json_object *variable(struct render *r, struct pyd_dump_value var)
{
	static const char *const kinds[] = {
		[PYD_VAR_ARG] = "argument",  [PYD_VAR_LOCAL] = "local",
		[PYD_VAR_CELL] = "cell",     [PYD_VAR_FREE] = "free",
		[PYD_VAR_HIDDEN] = "hidden", [PYD_VAR_CELLARG] = "argument",
	};
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
	json_object_object_add(ret, "name", value(name));
	json_object_object_add(ret, "kind",
			       kind < sizeof(kinds) / sizeof(kinds[0])
				       ? string(kinds[kind])
				       : NULL);
	if (cell)
		json_object_object_add(ret, "cell",
				       json_object_new_uint64(ref));
	describe(r, ret, cell ? through_cell(r, ref) : ref);
	return ret;
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

/* All keys of a map but those named, which are shown otherwise. */
static struct json_object *map_but(struct pyd_dump_value map,
				   const char *const *names, size_t n)
{
	struct pyd_dump_iter it = pyd_dump_value_iter(map);
	struct json_object *ret = json_object_new_object();
	struct pyd_dump_value key, v;

	while (it.map && pyd_dump_iter_next(&it, &key, &v)) {
		struct json_object *k = shallow(key);
		const char *s = json_object_get_string(k);
		bool skip = !s;

		for (size_t i = 0; i < n && !skip; i++)
			skip = !strcmp(s, names[i]);
		if (!skip)
			json_object_object_add(ret, s, value(v));
		json_object_put(k);
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
	struct json_object *o, *list;

	(void)err;
	if (r->opts->max_frames && r->shown >= r->opts->max_frames)
		return PYD_OK;
	r->shown++;
	o = map_but(frame, special, 2);
	json_object_object_add(o, "number", json_object_new_uint64(number));
	if (!r->opts->no_locals) {
		list = json_object_new_array();
		while (!it.map && pyd_dump_iter_next(&it, NULL, &v))
			json_object_array_add(list, variable(r, v));
		json_object_object_add(o, "vars", list);
		json_object_object_add(
			o, "stack",
			values(r, pyd_dump_value_get(frame, "stack")));
	}
	json_object_array_add(r->frames, o);
	return PYD_OK;
}

static struct json_object *exceptions(struct render *r,
				      struct pyd_dump_value list)
{
	struct pyd_dump_iter it = pyd_dump_value_iter(list);
	struct json_object *ret = json_object_new_array();
	struct pyd_dump_value v;

	while (!it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		struct json_object *o = map_but(v, NULL, 0);
		uint64_t ref = 0;

		(void)pyd_dump_value_u64(pyd_dump_value_get(v, "value"), &ref);
		json_object_object_add(o, "repr", repr(r, ref));
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
	struct json_object *o = map_but(n->thread, special, 1);
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < n->nframes; i++) {
		const struct pyd_dump_native_frame *f = &n->frames[i];
		struct json_object *e = map_but(f->place, NULL, 0);
		struct json_object *runs = NULL;

		json_object_object_add(e, "pc", json_object_new_uint64(f->pc));
		json_object_object_add(e, "sp", json_object_new_uint64(f->sp));
		json_object_object_add(e, "how", string(how_name(f->how)));
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
	struct json_object *o = map_but(thread, special, 1);
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
	json_object_object_add(o, "damage", string(r->err->msg));
	return PYD_OK;
}

/* Serialised, with what a terminal might obey as escapes of JSON: such
 * characters occur in strings only. */
static enum pyd_code emit(struct json_object *o, const struct pyd_sink *sink,
			  struct pyd_err *err)
{
	size_t len = 0;
	const char *s = json_object_to_json_string_length(
		o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE,
		&len);
	struct pyd_text t = { .err = err };
	enum pyd_code code;

	if (!s)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t n; len; s += n, len -= n) {
		uint32_t c;

		n = pyd_utf8_char((const uint8_t *)s, len, &c);
		n = n ? n : 1;
		if (n == 1 && c != 0x7f)
			pyd_text_raw(&t, s, 1);
		else if (!pyd_text_unprintable(c))
			pyd_text_raw(&t, s, n);
		else if (c < 0x10000)
			pyd_text_printf(&t, "\\u%04x", c);
		else
			pyd_text_printf(&t, "\\u%04x\\u%04x",
					0xd7c0 + (c >> 10),
					0xdc00 + (c & 0x3ff));
	}
	pyd_text_raw(&t, "\n", 1);
	code = t.code;
	if (!code)
		code = sink->write(sink->ctx, (const char *)t.buf.data,
				   t.buf.len, err);
	pyd_text_deinit(&t);
	return code;
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
	json_object_object_add(o, "file", string(name));
	json_object_object_add(o, "complete",
			       json_object_new_boolean(info.complete));
	if (*info.damage)
		json_object_object_add(o, "damage", string(info.damage));
	json_object_object_add(o, "size", json_object_new_uint64(info.size));
	json_object_object_add(o, "objects",
			       json_object_new_uint64(info.objects));
	json_object_object_add(o, "header",
			       map_but(pyd_dump_header(d), special, 3));
	json_object_object_add(o, "interpreters",
			       value(pyd_dump_value_get(v, "interpreters")));
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
			       map_but(pyd_dump_waits(d), special, 1));
	json_object_object_add(o, "end", map_but(pyd_dump_end(d), special, 1));
	if (!code)
		code = emit(o, sink, r.err);
	json_object_put(o);
	return code;
}
