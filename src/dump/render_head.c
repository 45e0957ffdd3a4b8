// SPDX-License-Identifier: Apache-2.0
/* What is said of a dump as a whole, as text. */
#include <string.h>

#include "dump/render.h"

struct head {
	struct pyd_dump *d;
	struct pyd_text *t;
};

static void put(struct pyd_text *t, const char *s)
{
	pyd_text_raw(t, s, strlen(s));
}

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

void pyd_render_labelled(struct pyd_text *t, const char *label,
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

static double seconds(struct pyd_dump_value map, const char *key)
{
	uint64_t ns;

	if (!pyd_dump_value_u64(pyd_dump_value_get(map, key), &ns))
		return -1;
	return (double)ns / 1e9;
}

/* Ranges of memory: what each is, and why it is not in the capture. */
static void put_not_captured(struct head *r, struct pyd_dump_value list)
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
		pyd_text_printf(r->t, "  not captured: 0x%llx, ",
				(unsigned long long)start);
		pyd_render_size(end > start ? end - start : 0, r->t);
		if (npath)
			pyd_render_labelled(r->t, ", ",
					    pyd_dump_value_get(v, "path"));
		pyd_text_printf(r->t, ": %s\n", text);
	}
	if (pyd_dump_value_len(list) > 8 && shown > 8)
		pyd_text_printf(r->t, "  not captured: %zu more\n",
				pyd_dump_value_len(list) - 8);
}

static void put_capture(struct head *r, struct pyd_dump_value header)
{
	struct pyd_dump_value capture = pyd_dump_value_get(header, "capture");
	struct pyd_dump_value end = pyd_dump_end(r->d);
	double pause = seconds(end, "pause_ns");
	double total = seconds(end, "total_ns");
	struct pyd_dump_value damaged = pyd_dump_value_get(capture, "damaged");
	bool torn = false;

	put(r->t, "  capture:");
	pyd_render_labelled(r->t, " ", pyd_dump_value_get(capture, "mode"));
	if (pause >= 0)
		pyd_text_printf(r->t, ", paused %.1f ms", pause * 1e3);
	if (total >= 0)
		pyd_text_printf(r->t, ", %.2f s in all", total);
	if (pyd_dump_value_bool(pyd_dump_value_get(capture, "torn"), &torn) &&
	    torn)
		put(r->t, "; the program ran meanwhile, values may be torn");
	if (pyd_dump_value_len(damaged)) {
		pyd_render_labelled(r->t, "; ", damaged);
		put(r->t, ": any value may be wrong");
	}
	put(r->t, "\n");
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

static void put_cut(struct head *r)
{
	struct pyd_dump_value v = pyd_dump_value_get(pyd_dump_end(r->d), "cut");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);
	struct pyd_dump_value key;
	bool timeout = false;

	while (it.map && pyd_dump_iter_next(&it, &key, &v)) {
		put(r->t, "  limit ");
		pyd_render_value(key, r->t);
		put(r->t, ": ");
		pyd_render_value(v, r->t);
		put(r->t, cut_word(key));
	}
	if (pyd_dump_value_bool(
		    pyd_dump_value_get(pyd_dump_end(r->d), "timeout"),
		    &timeout) &&
	    timeout)
		put(r->t, "  the time allowed ran out: not all was dumped\n");
}

/* ", SIGSEGV SEGV_MAPERR at 0x10, thread 4242" and the like, what is told of
 * it. */
static void put_trigger(struct pyd_dump_value trigger, struct pyd_text *t)
{
	uint64_t address;

	pyd_render_labelled(t, ": ", pyd_dump_value_get(trigger, "signal"));
	pyd_render_labelled(t, " ", pyd_dump_value_get(trigger, "code"));
	if (pyd_dump_value_u64(pyd_dump_value_get(trigger, "address"),
			       &address))
		pyd_text_printf(t, " at 0x%llx", (unsigned long long)address);
	pyd_render_labelled(t, ": ", pyd_dump_value_get(trigger, "type"));
	pyd_render_labelled(t, ", thread ",
			    pyd_dump_value_get(trigger, "thread"));
	pyd_render_labelled(t, ", of ", pyd_dump_value_get(trigger, "core"));
}

/* What of secrets was taken out. */
static void put_redaction(struct head *r, struct pyd_dump_value header)
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
		put(r->t, "  secrets were not redacted\n");
	else if (total)
		pyd_text_printf(r->t, "  secrets redacted: %llu values\n",
				(unsigned long long)total);
}

/* Deadlocks, and what else all threads are to know of. */
static void put_deadlocks(struct head *r)
{
	struct pyd_dump_value waits = pyd_dump_waits(r->d);
	struct pyd_dump_value v = pyd_dump_value_get(waits, "deadlocks");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);

	while (!it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		pyd_render_labelled(
			r->t, "  DEADLOCK: ", pyd_dump_value_get(v, "text"));
		put(r->t, "\n");
	}
	it = pyd_dump_value_iter(pyd_dump_value_get(waits, "notes"));
	while (!it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		pyd_render_labelled(r->t, "  waits: ", v);
		put(r->t, "\n");
	}
}

void pyd_render_head(struct pyd_dump *d, const char *name, struct pyd_text *t)
{
	struct head head = { .d = d, .t = t }, *r = &head;
	struct pyd_dump_value h = pyd_dump_header(r->d);
	struct pyd_dump_value python = pyd_dump_value_get(h, "python");
	struct pyd_dump_value process = pyd_dump_value_get(h, "process");
	struct pyd_dump_value host = pyd_dump_value_get(h, "host");
	struct pyd_dump_value trigger = pyd_dump_value_get(h, "trigger");
	struct pyd_dump_info info;
	bool debug = false;

	pyd_dump_get_info(r->d, &info);
	pyd_text_escaped(t, name, strlen(name), 0, 4096);
	pyd_render_labelled(t, ": Python ",
			    pyd_dump_value_get(python, "version"));
	if (pyd_dump_value_bool(pyd_dump_value_get(python, "debug"), &debug) &&
	    debug)
		put(t, " (debug build)");
	pyd_render_labelled(t, ", pid ", pyd_dump_value_get(process, "pid"));
	pyd_render_labelled(t, " on ", pyd_dump_value_get(host, "hostname"));
	pyd_render_labelled(t, ", ", pyd_dump_value_get(h, "time"));
	put(t, "\n  program: ");
	pyd_render_program(h, t);
	pyd_render_labelled(
		t, "\n  trigger: ", pyd_dump_value_get(trigger, "kind"));
	put_trigger(trigger, t);
	pyd_render_labelled(
		t, "\n  description: ", pyd_dump_value_get(h, "description"));
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
