// SPDX-License-Identifier: Apache-2.0
#include "dump/render.h"

#include <string.h>

/* Entries shown of the mapping of a module or class body. */
#define MAX_NAMES 40

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

/* -- values -- */

bool pyd_render_value(struct pyd_dump_value v, struct pyd_text *t)
{
	const char *s;
	size_t len;
	uint64_t u;
	int64_t i;

	if (pyd_dump_value_text(v, &s, &len))
		pyd_text_escaped(t, s, len, 0, 400);
	else if (pyd_dump_value_u64(v, &u))
		pyd_text_printf(t, "%llu", (unsigned long long)u);
	else if (pyd_dump_value_i64(v, &i))
		pyd_text_printf(t, "%lld", (long long)i);
	else
		return false;
	return true;
}

/* " label value", when there is one. */
static void labelled(struct pyd_text *t, const char *label,
		     struct pyd_dump_value v)
{
	if (pyd_dump_value_type(v) == PYD_DUMP_NIL)
		return;
	put(t, label);
	if (!pyd_render_value(v, t))
		put(t, "?");
}

void pyd_render_size(uint64_t bytes, struct pyd_text *t)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB" };
	double v = (double)bytes / 1000;
	size_t i = 0;

	if (bytes < 1000) {
		pyd_text_printf(t, "%llu B", (unsigned long long)bytes);
		return;
	}
	while (v >= 999.95 && i < 3) {
		v /= 1000;
		i++;
	}
	pyd_text_printf(t, "%.1f %s", v, units[i]);
}

void pyd_render_program(struct pyd_dump_value header, struct pyd_text *t)
{
	struct pyd_dump_value process = pyd_dump_value_get(header, "process");
	struct pyd_dump_value v = pyd_dump_value_get(process, "argv");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);
	size_t start = t->buf.len;
	size_t n = 0;

	while (!it.map && t->buf.len - start < 200 &&
	       pyd_dump_iter_next(&it, NULL, &v)) {
		if (n++)
			put(t, " ");
		pyd_render_value(v, t);
	}
	if (!n && !pyd_render_value(pyd_dump_value_get(process, "exe"), t))
		pyd_render_value(pyd_dump_value_get(process, "comm"), t);
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

/* -- the head -- */

static double seconds(struct pyd_dump_value map, const char *key)
{
	uint64_t ns;

	if (!pyd_dump_value_u64(pyd_dump_value_get(map, key), &ns))
		return -1;
	return (double)ns / 1e9;
}

/* Ranges of memory: what each is, and why it is not in the capture. */
static void put_not_captured(struct render *r, struct pyd_dump_value list)
{
	static const struct {
		const char *why, *text;
	} texts[] = {
		{ "shared", "shared memory that others may change" },
		{ "dontfork", "a fork does not get it (MADV_DONTFORK)" },
		{ "wipeonfork", "a fork gets zeros (MADV_WIPEONFORK)" },
		{ "device", "memory of a device" },
	};
	struct pyd_dump_iter it = pyd_dump_value_iter(list);
	struct pyd_dump_value v;
	size_t shown = 0;

	while (!it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		uint64_t start = 0, end = 0;
		const char *why = "", *path = "", *text = "unreadable";
		size_t nwhy = 0, npath = 0;

		if (shown++ == 8)
			break;
		pyd_dump_value_u64(pyd_dump_value_get(v, "start"), &start);
		pyd_dump_value_u64(pyd_dump_value_get(v, "end"), &end);
		pyd_dump_value_text(pyd_dump_value_get(v, "why"), &why, &nwhy);
		pyd_dump_value_text(pyd_dump_value_get(v, "path"), &path,
				    &npath);
		for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
			if (nwhy == strlen(texts[i].why) &&
			    !memcmp(why, texts[i].why, nwhy))
				text = texts[i].text;
		pyd_text_printf(&r->t, "  not captured: 0x%llx, ",
				(unsigned long long)start);
		pyd_render_size(end > start ? end - start : 0, &r->t);
		if (npath)
			labelled(&r->t, ", ", pyd_dump_value_get(v, "path"));
		pyd_text_printf(&r->t, ": %s\n", text);
	}
	if (pyd_dump_value_len(list) > 8 && shown > 8)
		pyd_text_printf(&r->t, "  not captured: %zu more\n",
				pyd_dump_value_len(list) - 8);
}

static void put_capture(struct render *r, struct pyd_dump_value header)
{
	struct pyd_dump_value capture = pyd_dump_value_get(header, "capture");
	struct pyd_dump_value end = pyd_dump_end(r->d);
	double pause = seconds(end, "pause_ns");
	double total = seconds(end, "total_ns");
	bool torn = false;

	put(&r->t, "  capture:");
	labelled(&r->t, " ", pyd_dump_value_get(capture, "mode"));
	if (pause >= 0)
		pyd_text_printf(&r->t, ", paused %.1f ms", pause * 1e3);
	if (total >= 0)
		pyd_text_printf(&r->t, ", %.2f s in all", total);
	if (pyd_dump_value_bool(pyd_dump_value_get(capture, "torn"), &torn) &&
	    torn)
		put(&r->t, "; the program ran meanwhile, values may be torn");
	put(&r->t, "\n");
	put_not_captured(r, pyd_dump_value_get(capture, "not_captured"));
}

/* What the limit of that name did. */
static const char *cut_word(struct pyd_dump_value key)
{
	static const struct {
		const char *limit, *word;
	} inside[] = {
		{ "max_string", " values cut\n" },
		{ "max_items", " values cut\n" },
		{ "max_blob", " values cut\n" },
		{ "exclude", " values left out\n" },
		{ "include", " values left out\n" },
	};
	const char *name;
	size_t len;

	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++)
		if (pyd_dump_value_text(key, &name, &len) &&
		    len == strlen(inside[i].limit) &&
		    !memcmp(name, inside[i].limit, len))
			return inside[i].word;
	return " references not followed\n";
}

static void put_cut(struct render *r)
{
	struct pyd_dump_value v = pyd_dump_value_get(pyd_dump_end(r->d), "cut");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);
	struct pyd_dump_value key;
	bool timeout = false;

	while (it.map && pyd_dump_iter_next(&it, &key, &v)) {
		put(&r->t, "  limit ");
		pyd_render_value(key, &r->t);
		put(&r->t, ": ");
		pyd_render_value(v, &r->t);
		put(&r->t, cut_word(key));
	}
	if (pyd_dump_value_bool(
		    pyd_dump_value_get(pyd_dump_end(r->d), "timeout"),
		    &timeout) &&
	    timeout)
		put(&r->t, "  the time allowed ran out: not all was dumped\n");
}

void pyd_render_trigger(struct pyd_dump_value trigger, struct pyd_text *t)
{
	uint64_t address;

	labelled(t, ": ", pyd_dump_value_get(trigger, "signal"));
	labelled(t, " ", pyd_dump_value_get(trigger, "code"));
	if (pyd_dump_value_u64(pyd_dump_value_get(trigger, "address"),
			       &address))
		pyd_text_printf(t, " at 0x%llx", (unsigned long long)address);
	labelled(t, ": ", pyd_dump_value_get(trigger, "type"));
	labelled(t, ", thread ", pyd_dump_value_get(trigger, "thread"));
	labelled(t, ", of ", pyd_dump_value_get(trigger, "core"));
}

/* What of secrets was taken out. */
static void put_redaction(struct render *r, struct pyd_dump_value header)
{
	struct pyd_dump_value v = pyd_dump_value_get(header, "redaction");
	struct pyd_dump_iter it = pyd_dump_value_iter(
		pyd_dump_value_get(pyd_dump_end(r->d), "redacted"));
	uint64_t total = 0, n;
	bool on = false;

	if (!pyd_dump_value_bool(pyd_dump_value_get(v, "on"), &on))
		return;
	while (it.map && pyd_dump_iter_next(&it, NULL, &v))
		if (pyd_dump_value_u64(v, &n) && n <= UINT64_MAX - total)
			total += n;
	if (!on)
		put(&r->t, "  secrets were not redacted\n");
	else if (total)
		pyd_text_printf(&r->t, "  secrets redacted: %llu values\n",
				(unsigned long long)total);
}

/* Deadlocks, and what else all threads are to know of. */
static void put_deadlocks(struct render *r)
{
	struct pyd_dump_value waits = pyd_dump_waits(r->d);
	struct pyd_dump_value v = pyd_dump_value_get(waits, "deadlocks");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);

	while (!it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		labelled(&r->t, "  DEADLOCK: ", pyd_dump_value_get(v, "text"));
		put(&r->t, "\n");
	}
	it = pyd_dump_value_iter(pyd_dump_value_get(waits, "notes"));
	while (!it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		labelled(&r->t, "  waits: ", v);
		put(&r->t, "\n");
	}
}

static void put_head(struct render *r, const char *name)
{
	struct pyd_dump_value h = pyd_dump_header(r->d);
	struct pyd_dump_value python = pyd_dump_value_get(h, "python");
	struct pyd_dump_value process = pyd_dump_value_get(h, "process");
	struct pyd_dump_value host = pyd_dump_value_get(h, "host");
	struct pyd_dump_value trigger = pyd_dump_value_get(h, "trigger");
	struct pyd_text *t = &r->t;
	struct pyd_dump_info info;
	bool debug = false;

	pyd_dump_get_info(r->d, &info);
	pyd_text_escaped(t, name, strlen(name), 0, 4096);
	labelled(t, ": Python ", pyd_dump_value_get(python, "version"));
	if (pyd_dump_value_bool(pyd_dump_value_get(python, "debug"), &debug) &&
	    debug)
		put(t, " (debug build)");
	labelled(t, ", pid ", pyd_dump_value_get(process, "pid"));
	labelled(t, " on ", pyd_dump_value_get(host, "hostname"));
	labelled(t, ", ", pyd_dump_value_get(h, "time"));
	put(t, "\n  program: ");
	pyd_render_program(h, t);
	labelled(t, "\n  trigger: ", pyd_dump_value_get(trigger, "kind"));
	pyd_render_trigger(trigger, t);
	labelled(t, "\n  description: ", pyd_dump_value_get(h, "description"));
	put(t, "\n");
	put_capture(r, h);
	pyd_text_printf(t, "  %llu threads, %llu frames, %llu objects, ",
			(unsigned long long)info.threads,
			(unsigned long long)info.frames,
			(unsigned long long)info.objects);
	pyd_render_size(info.size, t);
	put(t, "\n");
	put_cut(r);
	put_redaction(r, h);
	put_deadlocks(r);
	if (!info.complete || *info.damage) {
		put(t, "  incomplete: ");
		pyd_text_escaped(t, info.damage, strlen(info.damage), 0, 400);
		put(t, "; what can be read is shown\n");
	}
}

/* -- frames -- */

static void put_ref(struct render *r, uint64_t ref)
{
	pyd_repr(r->d, ref, &r->opts->limits, &r->t);
}

/* The contents of a cell; 0 and false when it is empty or none. */
static bool open_cell(struct render *r, uint64_t ref, uint64_t *ret)
{
	struct pyd_dump_object o;
	bool ok;

	if (!ref || pyd_dump_object_get(r->d, ref, &o, NULL))
		return false;
	ok = o.kind == PYD_KIND_cell;
	if (ok)
		*ret = pyd_dump_object_field(r->d, &o, "contents");
	pyd_dump_object_release(r->d, &o);
	return ok;
}

static void put_var(struct render *r, struct pyd_dump_value var)
{
	struct pyd_dump_iter it = pyd_dump_value_iter(var);
	struct pyd_dump_value name, v;
	uint64_t kind = 0, ref = 0;

	if (it.map || !pyd_dump_iter_next(&it, NULL, &name) ||
	    !pyd_dump_iter_next(&it, NULL, &v) ||
	    !pyd_dump_value_u64(v, &kind) ||
	    !pyd_dump_iter_next(&it, NULL, &v) || !pyd_dump_value_u64(v, &ref))
		return;
	put(&r->t, "         ");
	pyd_render_value(name, &r->t);
	put(&r->t, " = ");
	if ((kind == PYD_VAR_CELL || kind == PYD_VAR_FREE ||
	     kind == PYD_VAR_CELLARG) &&
	    open_cell(r, ref, &ref) && !ref)
		put(&r->t, "<unset>");
	else
		put_ref(r, ref);
	put(&r->t, "\n");
}

/* What is to be said in place of the names. */
static void put_no_names(struct render *r, uint64_t ref)
{
	put(&r->t, "         <names> = ");
	put_ref(r, ref);
	put(&r->t, "\n");
}

/* The names of a module or class body, but for those of the machinery. */
static void put_names(struct render *r, uint64_t ref)
{
	struct pyd_dump_object o, key;
	const uint64_t *items;
	uint32_t n, shown = 0;

	if (!ref)
		return;
	if (pyd_dump_object_get(r->d, ref, &o, NULL)) {
		put_no_names(r, ref);
		return;
	}
	if (o.mark)
		put_no_names(r, ref);
	items = pyd_dump_object_rest(r->d, &o, &n);
	for (uint32_t i = 0; o.kind == PYD_KIND_dict && i + 1 < n; i += 2) {
		bool named;

		if (pyd_dump_object_get(r->d, items[i], &key, NULL)) {
			if (shown++ < MAX_NAMES) {
				pyd_text_printf(&r->t,
						"         <name not dumped: "
						"0x%llx> = ",
						(unsigned long long)items[i]);
				put_ref(r, items[i + 1]);
				put(&r->t, "\n");
			}
			continue;
		}
		named = key.kind == PYD_KIND_str &&
			!(key.value_len >= 2 && !memcmp(key.value, "__", 2));
		if (named && shown++ < MAX_NAMES) {
			put(&r->t, "         ");
			pyd_text_escaped(&r->t, (const char *)key.value,
					 key.value_len, 0, 200);
			put(&r->t, " = ");
			put_ref(r, items[i + 1]);
			put(&r->t, "\n");
		}
		pyd_dump_object_release(r->d, &key);
	}
	if (shown > MAX_NAMES)
		pyd_text_printf(&r->t, "         ... %u names more\n",
				shown - MAX_NAMES);
	pyd_dump_object_release(r->d, &o);
}

static void put_locals(struct render *r, struct pyd_dump_value frame)
{
	struct pyd_dump_value v = pyd_dump_value_get(frame, "vars");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);
	uint64_t ref = 0;
	size_t i = 0;

	while (!it.map && pyd_dump_iter_next(&it, NULL, &v))
		put_var(r, v);
	if (pyd_dump_value_u64(pyd_dump_value_get(frame, "locals"), &ref))
		put_names(r, ref);
	it = pyd_dump_value_iter(pyd_dump_value_get(frame, "stack"));
	while (!it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		if (!pyd_dump_value_u64(v, &ref))
			continue;
		pyd_text_printf(&r->t, "         [stack %zu] = ", i++);
		put_ref(r, ref);
		put(&r->t, "\n");
	}
}

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
	labelled(&r->t, "         note: ", pyd_dump_value_get(frame, "note"));
	if (pyd_dump_value_type(pyd_dump_value_get(frame, "note")) !=
	    PYD_DUMP_NIL)
		put(&r->t, "\n");
	if (!r->opts->no_locals)
		put_locals(r, frame);
	return flush(r, err);
}

/* -- tracebacks -- */

/* The value bytes hold little-endian int32_t. */
static int32_t number_at(const struct pyd_dump_object *o, uint32_t at)
{
	uint32_t v = 0;

	if (at + 4 > o->value_len)
		return -1;
	for (uint32_t k = 0; k < 4; k++)
		v |= (uint32_t)o->value[at + k] << (8 * k);
	return (int32_t)v;
}

/* The text of a str; what else it is, as its repr. */
static void put_text(struct render *r, uint64_t ref)
{
	struct pyd_dump_object o;

	if (!ref || pyd_dump_object_get(r->d, ref, &o, NULL)) {
		put_ref(r, ref);
		return;
	}
	if (o.kind == PYD_KIND_str && !o.mark)
		pyd_text_escaped(&r->t, (const char *)o.value, o.value_len, 0,
				 1000);
	else
		put_ref(r, ref);
	pyd_dump_object_release(r->d, &o);
}

/* CO_FAST_CELL and CO_FAST_FREE of CPython's pycore_code.h, 3.11 and later. */
enum { IN_CELL = 0x40 | 0x80 };

/* Puts the variables of which a tuple of code has the names, the first of them
 * in slot *at, which is moved behind them. kinds: a byte for each, or NULL,
 * when cells tells it of all. False when not all names are there: what is
 * behind them has no name that is certain. */
static bool put_slots(struct render *r, uint64_t names, const uint64_t *slots,
		      uint32_t n, uint32_t *at,
		      const struct pyd_dump_object *kinds, bool cells)
{
	struct pyd_dump_object o;
	const uint64_t *items;
	uint32_t count;
	bool whole;

	if (!names || pyd_dump_object_get(r->d, names, &o, NULL))
		return false;
	whole = o.kind == PYD_KIND_tuple && !o.mark;
	items = pyd_dump_object_rest(r->d, &o, &count);
	for (uint32_t i = 0; i < count && *at < n; i++, ++*at) {
		uint64_t ref = slots[*at];

		if (kinds)
			cells = i < kinds->value_len &&
				kinds->value[i] & IN_CELL;
		if (!ref || (cells && open_cell(r, ref, &ref) && !ref))
			continue;
		put(&r->t, "         ");
		put_text(r, items[i]);
		put(&r->t, " = ");
		put_ref(r, ref);
		put(&r->t, "\n");
	}
	pyd_dump_object_release(r->d, &o);
	return whole;
}

/* The variables of a function's frame. */
static void put_fast(struct render *r, const struct pyd_dump_object *frame,
		     const struct pyd_dump_object *code)
{
	static const char *const fields[] = { "varnames", "cellvars",
					      "freevars" };
	struct pyd_dump_object kinds;
	uint32_t n, at = 0;
	const uint64_t *slots = pyd_dump_object_rest(r->d, frame, &n);
	uint64_t names = pyd_dump_object_field(r->d, code, "localsplusnames");
	uint64_t ref = pyd_dump_object_field(r->d, code, "localspluskinds");
	bool known = !names;

	if (names && ref && !pyd_dump_object_get(r->d, ref, &kinds, NULL)) {
		known = put_slots(r, names, slots, n, &at, &kinds, false);
		pyd_dump_object_release(r->d, &kinds);
	}
	for (size_t i = 0; i < 3 && !names && known; i++)
		known = put_slots(r,
				  pyd_dump_object_field(r->d, code, fields[i]),
				  slots, n, &at, NULL, i > 0);
	if (!known || frame->mark)
		put(&r->t, "         <not all variables are dumped>\n");
}

static void put_traceback_frame(struct render *r, uint64_t ref, int32_t line)
{
	struct pyd_dump_object frame, code;
	uint64_t names;

	if (!ref || pyd_dump_object_get(r->d, ref, &frame, NULL)) {
		pyd_text_printf(&r->t, "    <frame not dumped>, line %d\n",
				line);
		return;
	}
	ref = pyd_dump_object_field(r->d, &frame, "code");
	if (!ref || pyd_dump_object_get(r->d, ref, &code, NULL)) {
		pyd_text_printf(&r->t, "    <code not dumped>, line %d\n",
				line);
		goto out;
	}
	names = pyd_dump_object_field(r->d, &code, "qualname");
	put(&r->t, "    ");
	put_text(r, names ? names : pyd_dump_object_field(r->d, &code, "name"));
	put(&r->t, "  ");
	put_text(r, pyd_dump_object_field(r->d, &code, "filename"));
	pyd_text_printf(&r->t, ":%d\n", line);
	if (!r->opts->no_locals) {
		put_fast(r, &frame, &code);
		put_names(r, pyd_dump_object_field(r->d, &frame, "locals"));
	}
	pyd_dump_object_release(r->d, &code);
out:
	pyd_dump_object_release(r->d, &frame);
}

/* Of an exception that was raised: the frames that it came through hold what
 * their variables were, and are on no stack any more. */
static void put_traceback(struct render *r, uint64_t at)
{
	enum { TRACEBACKS_MAX = 1000 }; /* a file may have a circle */
	struct pyd_dump_object o;
	uint32_t shown = 0;

	while (at && !pyd_dump_object_get(r->d, at, &o, NULL)) {
		if (o.kind != PYD_KIND_traceback || shown++ == TRACEBACKS_MAX) {
			pyd_dump_object_release(r->d, &o);
			put(&r->t, "    ... more\n");
			return;
		}
		put_traceback_frame(r, pyd_dump_object_field(r->d, &o, "frame"),
				    number_at(&o, 4));
		at = pyd_dump_object_field(r->d, &o, "next");
		pyd_dump_object_release(r->d, &o);
	}
}

/* -- threads -- */

static void put_exceptions(struct render *r, struct pyd_dump_value thread)
{
	struct pyd_dump_value v = pyd_dump_value_get(thread, "exceptions");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);

	while (!it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		uint64_t ref = 0;
		const char *role;
		size_t len;

		(void)pyd_dump_value_u64(pyd_dump_value_get(v, "value"), &ref);
		put(&r->t, "  exception");
		labelled(&r->t, ", ", pyd_dump_value_get(v, "role"));
		put(&r->t, ": ");
		put_ref(r, ref);
		put(&r->t, "\n");
		if (pyd_dump_value_text(pyd_dump_value_get(v, "role"), &role,
					&len) &&
		    len == 6 && !memcmp(role, "raised", 6) &&
		    pyd_dump_value_u64(pyd_dump_value_get(v, "traceback"),
				       &ref))
			put_traceback(r, ref);
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
	labelled(t, " ", pyd_dump_value_get(native->thread, "native_id"));
	labelled(t, ", ", pyd_dump_value_get(native->thread, "os_name"));
	labelled(t, ", state ", pyd_dump_value_get(native->thread, "state"));
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
		labelled(&r->t, "  ", v);
		put(&r->t, "\n");
	}
	if (pyd_dump_value_type(call) != PYD_DUMP_MAP)
		return;
	labelled(&r->t, "  in ", pyd_dump_value_get(call, "text"));
	it = pyd_dump_value_iter(pyd_dump_value_get(call, "fds"));
	while (!it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		labelled(&r->t, "\n     file ", pyd_dump_value_get(v, "fd"));
		labelled(&r->t, ": ", pyd_dump_value_get(v, "target"));
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
	labelled(t, ", ident ", pyd_dump_value_get(thread, "ident"));
	labelled(t, ", native id ", pyd_dump_value_get(thread, "native_id"));
	labelled(t, ", state ", pyd_dump_value_get(thread, "state"));
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
		labelled(t, "  note: ", v);
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
	put_head(&r, name);
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
