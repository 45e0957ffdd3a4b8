// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layout/layout.h"
#include "layout/tables.h"

static struct pyd_layouts all;
static struct pyd_err err;

static void setup(void)
{
	memset(&err, 0, sizeof(err));
	cr_assert_eq(pyd_layouts_load(NULL, &all, &err), PYD_OK, "%s", err.msg);
}

static void teardown(void)
{
	pyd_layouts_deinit(&all);
}

TestSuite(layout, .init = setup, .fini = teardown);

/* The embedded text of a table, writable. */
static char *text_of(const char *file)
{
	for (size_t i = 0; i < pyd_ntable_texts; i++)
		if (!strcmp(pyd_table_texts[i].file, file))
			return strdup(pyd_table_texts[i].text);
	cr_assert(false, "no table %s", file);
	abort();
}

/* text with the first line that begins with "key =" made another, or
 * removed when line is NULL. */
static char *with_line(const char *text, const char *key, const char *line)
{
	char start[128];
	char *out = malloc(strlen(text) + 256);
	const char *at;
	const char *rest;

	snprintf(start, sizeof(start), "\n%s =", key);
	at = strstr(text, start);
	cr_assert(at, "no line of %s", key);
	rest = strchr(at + 1, '\n');
	sprintf(out, "%.*s%s%s%s", (int)(at - text), text, line ? "\n" : "",
		line ? line : "", rest);
	return out;
}

static enum pyd_code parse(const char *text, struct pyd_layout *ret)
{
	return pyd_layout_parse("t", text, strlen(text), ret, &err);
}

static void refused(const char *text, const char *message)
{
	struct pyd_layout lay;
	struct pyd_layout before;

	memset(&lay, 0x5a, sizeof(lay));
	before = lay;
	cr_assert_eq(parse(text, &lay), PYD_FORMAT, "taken, not: %s", message);
	cr_assert(strstr(err.msg, message), "said \"%s\", not \"%s\"", err.msg,
		  message);
	cr_assert_arr_eq(&lay, &before, sizeof(lay), "written to on failure");
}

static struct pyd_layout *nth(size_t i)
{
	struct pyd_layout *lay;

	cr_assert_eq(pyd_layouts_get(&all, i, &lay, &err), PYD_OK, "%s",
		     err.msg);
	return lay;
}

static struct pyd_layout *table(const char *name)
{
	for (size_t i = 0; i < all.n; i++)
		if (!strcmp(all.tables[i].name, name))
			return nth(i);
	cr_assert(false, "no table %s", name);
	abort();
}

/* -- the tables that are embedded -- */

Test(layout, every_table_is_valid)
{
	cr_assert_eq(all.n, pyd_ntable_texts);
	cr_assert_geq(all.n, 18);
	for (size_t i = 0; i < all.n; i++) {
		const struct pyd_layout *t = nth(i);
		const struct pyd_table *head = &all.tables[i];

		/* What was known before it was parsed. */
		cr_expect_str_eq(head->name, t->name);
		cr_expect_eq(head->hex_min, t->hex_min);
		cr_expect_eq(head->hex_max, t->hex_max);
		cr_expect_eq(head->flags, t->flags);
		cr_expect_eq(pyd_layout_validate(t, &err), PYD_OK, "%s: %s",
			     t->name, err.msg);
		cr_expect_gt(strlen(t->provenance), 10);
	}
}

Test(layout, every_version_has_release_and_debug)
{
	for (uint32_t minor = 7; minor <= 15; minor++)
		for (unsigned int flags = 0; flags < 2; flags++) {
			struct pyd_layout lay;
			uint32_t hex = 3U << 24 | minor << 16 | 0x9f0;
			char name[64];

			cr_assert_eq(
				pyd_layout_select(&all, hex, flags, &lay, &err),
				PYD_OK, "%s", err.msg);
			snprintf(name, sizeof(name), "cpython-3.%u%s", minor,
				 flags ? "-debug" : "");
			cr_expect_str_eq(lay.name, name);
		}
}

/* Facts that other sources state, so that a parser that mixes up fields or
 * models is noticed: CPython's headers, by hand. */
Test(layout, known_offsets)
{
	const struct pyd_layout *t = table("cpython-3.7-debug");

	cr_expect_eq(PYD_OFF(t, object, ob_refcnt), 16);
	cr_expect_eq(PYD_OFF(t, object, ob_type), 24);
	cr_expect_eq(PYD_OFF(t, object, ob_size), 32);
	t = table("cpython-3.11");
	cr_expect_eq(PYD_OFF(t, iframe, localsplus), 72);
	cr_expect_eq(PYD_OFF(t, tstate, cframe), 56);
	cr_expect_eq(PYD_OFF(t, dictkeys, dk_kind), 10);
	cr_expect_eq(PYD_OFF(t, frameobj, f_code), PYD_ABSENT);
	cr_expect_eq(t->model_attrs, PYD_M_attrs_split311);
	cr_expect_eq(t->model_linetable, PYD_M_linetable_locations);
	cr_expect_eq(t->debug_size, 0);
	t = table("cpython-3.10");
	cr_expect_eq(t->model_lasti, PYD_M_lasti_units);
	cr_expect_eq(PYD_OFF(t, frameobj, f_code), 32);
	cr_expect_eq(PYD_OFF(t, tstate, cframe), 48);
	cr_expect_eq(PYD_OFF(t, cframe, current_frame), PYD_ABSENT);
	cr_expect_eq(PYD_OFF(t, cframe, previous), 8);
	cr_expect_eq(t->model_evalcall, PYD_M_evalcall_cframe);
	cr_expect_eq(PYD_OFF(t, iframe, previous), PYD_ABSENT);
	t = table("cpython-3.15");
	cr_expect_eq(t->model_int, PYD_M_int_tag);
	cr_expect_eq(t->model_dictvalues, PYD_M_dictvalues_header);
	cr_expect_eq(t->model_stackref, PYD_M_stackref_tagged);
	cr_expect_eq(t->model_genstate, PYD_M_genstate_v315);
	cr_expect_eq(t->model_refcount, PYD_M_refcount_split);
	cr_expect_eq(PYD_OFF(t, tuple, ob_item), 32);
	cr_expect_eq(PYD_OFF(t, heaptype, ht_cached_keys), 888);
	cr_expect_eq(t->debug_size, 888);
	cr_expect_eq(t->debug_pos[PYD_F_runtime_interpreters_head], 40);
	cr_expect_eq(t->debug_size_pos[PYD_F_runtime_interpreters_head], 24);
}

Test(layout, version_text)
{
	static const struct {
		uint32_t hex;
		const char *text;
	} cases[] = {
		{ 0x030709f0, "3.7.9" },     { 0x030e08f0, "3.14.8" },
		{ 0x030f00c1, "3.15.0rc1" }, { 0x030f00b4, "3.15.0b4" },
		{ 0x031000a2, "3.16.0a2" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[32];

		pyd_version_text(cases[i].hex, buf, sizeof(buf));
		cr_expect_str_eq(buf, cases[i].text);
	}
}

Test(layout, field_names)
{
	cr_expect_str_eq(pyd_field_name(PYD_F_object_ob_type),
			 "object.ob_type");
	cr_expect_str_eq(pyd_field_name(PYD_F_excinfo_previous_item),
			 "excinfo.previous_item");
	cr_expect_str_eq(pyd_field_name(PYD_NFIELDS), "?");
}

/* -- selecting -- */

/* The interpreter state of 3.14 grew twice between releases. */
Test(layout, releases_of_one_version_may_differ)
{
	static const struct {
		uint32_t hex;
		int32_t modules;
		int32_t static_types;
	} cases[] = {
		{ 0x030e00f0, 7664, 180208 }, { 0x030e03f0, 7664, 180208 },
		{ 0x030e04f0, 7664, 180216 }, { 0x030e05c1, 7688, 180240 },
		{ 0x030e08f0, 7688, 180240 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pyd_layout lay;

		cr_assert_eq(
			pyd_layout_select(&all, cases[i].hex, 0, &lay, &err),
			PYD_OK);
		cr_expect_eq(PYD_OFF(&lay, interp, modules), cases[i].modules);
		cr_expect_eq(PYD_OFF(&lay, interp, static_types),
			     cases[i].static_types);
	}
}

Test(layout, refuses_what_has_no_table)
{
	struct pyd_layout lay;

	cr_expect_eq(pyd_layout_select(&all, 0x031000f0, 0, &lay, &err),
		     PYD_UNSUPPORTED);
	cr_expect(strstr(err.msg, "CPython 3.16.0 (0x031000f0), release"), "%s",
		  err.msg);
	cr_expect(strstr(err.msg, "3.15-debug"), "%s", err.msg);
	cr_expect_eq(pyd_layout_select(&all, 0x030e00a2, 0, &lay, &err),
		     PYD_UNSUPPORTED);
	cr_expect(strstr(err.msg, "3.14.0a2"), "%s", err.msg);
	cr_expect_eq(pyd_layout_select(&all, 0x030600f0, 0, &lay, &err),
		     PYD_UNSUPPORTED);
	cr_expect_eq(pyd_layout_select(&all, 0x020700f0, 0, &lay, &err),
		     PYD_UNSUPPORTED);
	cr_expect_eq(pyd_layout_select(&all, 0x030800f0,
				       PYD_LAYOUT_FREE_THREADED, &lay, &err),
		     PYD_UNSUPPORTED);
	cr_expect(strstr(err.msg, "free-threaded build"), "%s", err.msg);
}

Test(layout, an_invalid_table_is_not_selected)
{
	struct pyd_layout lay;

	PYD_OFF(table("cpython-3.9"), type, tp_name) = 25;
	cr_expect_eq(pyd_layout_select(&all, 0x030902f0, 0, &lay, &err),
		     PYD_FORMAT);
	cr_expect(strstr(err.msg, "cpython-3.9: type.tp_name = 25"), "%s",
		  err.msg);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	cr_assert(f);
	cr_assert_eq(fwrite(text, 1, strlen(text), f), strlen(text));
	cr_assert_eq(fclose(f), 0);
}

static void remove_file(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	cr_assert_eq(unlink(path), 0);
}

Test(layout, a_file_and_a_directory_override_and_add)
{
	char dir[] = "/tmp/pydumpd-unit-XXXXXX";
	struct pyd_layouts more = { 0 };
	struct pyd_layout lay;
	char path[256];

	cr_assert(mkdtemp(dir));
	char *old = text_of("cpython-3.9.offsets");
	char *other = with_line(old, "frameobj.f_back", "frameobj.f_back = 16");
	write_file(dir, "mine.offsets", other);
	char *named = with_line(old, "name", "name = cpython-3.9.9");
	char *low = with_line(named, "hex_min", "hex_min = 0x030909f0");
	char *one = with_line(low, "hex_max", "hex_max = 0x030909f0");
	write_file(dir, "exact.offsets", one);
	write_file(dir, "readme.txt", "no table\n");

	snprintf(path, sizeof(path), "%s/mine.offsets", dir);
	cr_assert_eq(pyd_layouts_load(path, &more, &err), PYD_OK, "%s",
		     err.msg);
	cr_expect_eq(more.n, all.n);
	cr_assert_eq(pyd_layout_select(&more, 0x030909f0, 0, &lay, &err),
		     PYD_OK);
	cr_expect_eq(PYD_OFF(&lay, frameobj, f_back), 16);
	pyd_layouts_deinit(&more);

	cr_assert_eq(pyd_layouts_load(dir, &more, &err), PYD_OK, "%s", err.msg);
	cr_expect_eq(more.n, all.n + 1);
	/* The one that is for 3.9.9 alone is closer than that for 3.9. */
	cr_assert_eq(pyd_layout_select(&more, 0x030909f0, 0, &lay, &err),
		     PYD_OK);
	cr_expect_str_eq(lay.name, "cpython-3.9.9");
	cr_assert_eq(pyd_layout_select(&more, 0x030908f0, 0, &lay, &err),
		     PYD_OK);
	cr_expect_str_eq(lay.name, "cpython-3.9");
	pyd_layouts_deinit(&more);

	remove_file(dir, "mine.offsets");
	remove_file(dir, "exact.offsets");
	more.n = 77;
	cr_expect_eq(pyd_layouts_load(dir, &more, &err), PYD_NOTFOUND);
	cr_expect_eq(more.n, 77, "written to on failure");
	remove_file(dir, "readme.txt");
	cr_assert_eq(rmdir(dir), 0);
	cr_expect_eq(pyd_layouts_load(dir, &more, &err), PYD_IO);
	cr_expect(strstr(err.msg, dir), "%s", err.msg);
	free(one);
	free(low);
	free(named);
	free(other);
	free(old);
}

/* -- parsing -- */

Test(layout, bad_lines_are_named_by_line_and_column)
{
	char *good = text_of("cpython-3.12.offsets");
	static const struct {
		const char *key;
		const char *line;
		const char *message;
	} cases[] = {
		{ "name", "nonsense", ":1: no \"=\" in \"nonsense\"" },
		{ "name", "  = 4", ":3: nothing before" },
		{ "name", "name =", ":6: nothing after" },
		{ "name", "nome = x", ":1: unknown key \"nome\"" },
		{ "flags", "flags = debug odd", ":15: unknown flag \"odd\"" },
		{ "hex_min", "hex_min = 0x0307zz",
		  ":11: not a value for this key" },
		{ "hex_min", "hex_min = 0x1ffffffff", ":11: not a value" },
		{ "hex_min", "hex_min = 0xffffffff", "hex_min is above" },
		{ "model.int", "model.int = siz", ":13: not a value of this" },
		{ "model.int", "model.int = size, tag", ":13: not a value" },
		{ "model.int", "model.inte = size", "unknown model \"inte\"" },
		{ "model.int", "model.lasti = units", "a second model" },
		{ "list.ob_item", "list.ob_itm = 24",
		  ":1: unknown field \"list.ob_itm\"" },
		{ "list.ob_item", "list.ob_item = -1",
		  ":16: neither an offset nor \"absent\": \"-1\"" },
		{ "list.ob_item", "list.ob_item = 24 ", NULL },
		{ "list.ob_item", "\tlist.ob_item=0x18\t", NULL },
		{ "list.ob_item", "list.ob_item = 24x", "neither an offset" },
		{ "list.ob_item", "list.ob_item = 99999999999",
		  "neither an offset" },
		{ "list.ob_item", "list.ob_item = 4294967320",
		  "neither an offset" },
		{ "list.ob_item", "list.allocated = 24",
		  "a second \"list.allocated\"" },
		{ "list.ob_item", "debug.list.ob_item = 24",
		  "\"list.ob_item\" is missing" },
		{ "list.ob_item", NULL, "\"list.ob_item\" is missing" },
		{ "made_by", NULL, "\"made_by\" is missing" },
		{ "model.typedict", NULL, "\"model.typedict\" is missing" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = with_line(good, cases[i].key, cases[i].line);
		struct pyd_layout lay;

		if (cases[i].message) {
			refused(text, cases[i].message);
		} else {
			cr_assert_eq(parse(text, &lay), PYD_OK, "%s", err.msg);
			cr_expect_eq(PYD_OFF(&lay, list, ob_item), 24);
		}
		free(text);
	}
	free(good);
}

Test(layout, debug_places_are_bounded)
{
	char *good = text_of("cpython-3.13.offsets");
	static const char *const lines[][2] = {
		{ "debug.type.tp_name = 1024", "not a place" },
		{ "debug.type.tp_name = 8 within 1017", "not a place" },
		{ "debug.type.tp_name = 8 within", "not a place" },
		{ "debug.type.tp_name = 8 within x", "not a place" },
		{ "debug.type.tp_name = 577", "beyond debug_size" },
		{ "debug.type.tp_name = 8 within 577",
		  "the size of \"debug.type.tp_name\"" },
		{ "debug.type.tp_flags = 8", "a second" },
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		char *text = with_line(good, "debug.type.tp_name", lines[i][0]);

		refused(text, lines[i][1]);
		free(text);
	}
	char *text = with_line(good, "debug_size", NULL);
	refused(text, "beyond debug_size");
	free(text);
	free(good);
}

Test(layout, no_text_and_binary_text)
{
	static const char bin[] = "\x00\xff\x80 = \x01\x02\nname = x\n";
	struct pyd_layout lay;

	refused("", "\"name\" is missing");
	refused("# only a comment", "\"name\" is missing");
	cr_expect_eq(pyd_layout_parse("t", bin, sizeof(bin) - 1, &lay, &err),
		     PYD_FORMAT);
	cr_expect(strstr(err.msg, "t:1:"), "%s", err.msg);
	for (const char *p = err.msg; *p; p++)
		cr_expect(*p >= ' ' && *p < 127, "unprintable in a message");
}

Test(layout, a_table_cut_anywhere_is_refused)
{
	char *good = text_of("cpython-3.15.offsets");
	size_t last = (size_t)(strstr(good, "\ndebug_size") - good);
	struct pyd_layout lay;

	/* Up to where only what may be missing is missing. */
	for (size_t len = 0; len < last - 4; len += 7) {
		char *cut = strndup(good, len);

		cr_expect_eq(pyd_layout_parse("t", cut, len, &lay, &err),
			     PYD_FORMAT, "cut at %zu", len);
		free(cut);
	}
	free(good);
}

/* -- validating -- */

Test(layout, absurd_offsets_are_refused)
{
	static const struct {
		enum pyd_field f;
		int32_t v;
		const char *message;
	} cases[] = {
		{ PYD_F_object_ob_type, PYD_ABSENT, "required" },
		{ PYD_F_object_ob_type, 16, "outside of the object header" },
		{ PYD_F_object_size, 8, "not a size" },
		{ PYD_F_object_size, 20, "not a size" },
		{ PYD_F_object_ob_size, 8, "inside of the object header" },
		{ PYD_F_list_ob_item, 8, "inside of the object header" },
		{ PYD_F_list_ob_item, 28, "not aligned" },
		{ PYD_F_list_ob_item, 1 << 20, "too large" },
		{ PYD_F_list_ob_item, -8, "too large" },
		{ PYD_F_list_ob_item, 32, "overlaps" },
		{ PYD_F_type_tp_name, 416, "beyond the size" },
		{ PYD_F_type_size, 100, "beyond the size" },
		{ PYD_F_interp_next, 64 << 20, "too large" },
		{ PYD_F_unicode_kind_bit, 30, "32-bit state" },
		{ PYD_F_unicode_ascii_size, 34, "size of a str header" },
		{ PYD_F_unicode_compact_size, 32, "size of a str header" },
		{ PYD_F_unicode_data, 40, "inside of the str header" },
		{ PYD_F_memberdef_size, 16, "too small" },
		{ PYD_F_tstate_next, 17, "not aligned" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pyd_layout lay = *table("cpython-3.8");
		const char *want = cases[i].message;

		lay.off[cases[i].f] = cases[i].v;
		cr_expect_eq(pyd_layout_validate(&lay, &err), PYD_FORMAT,
			     "%s = %d was taken", pyd_field_name(cases[i].f),
			     cases[i].v);
		cr_expect(strstr(err.msg, want), "\"%s\", not \"%s\"", err.msg,
			  want);
	}
}

/* -- the target's own offsets -- */

/* What a target whose layout is lay would have at _PyRuntime. */
static void debug_bytes(const struct pyd_layout *lay, uint64_t hex,
			uint8_t bytes[static PYD_DEBUG_OFFSETS_MAX])
{
	uint64_t none = 0;
	/* Larger than any offset in it, as a struct's size is. */
	uint64_t size = 1 << 20;

	memset(bytes, 0, PYD_DEBUG_OFFSETS_MAX);
	memcpy(bytes, "xdebugpy", 8);
	memcpy(bytes + 8, &hex, 8);
	for (size_t f = 0; f < PYD_NFIELDS; f++)
		if (lay->debug_size_pos[f] != PYD_ABSENT)
			memcpy(bytes + lay->debug_size_pos[f], &size, 8);
	for (size_t f = 0; f < PYD_NFIELDS; f++) {
		uint64_t v = (uint64_t)lay->off[f];

		if (lay->debug_pos[f] != PYD_ABSENT)
			memcpy(bytes + lay->debug_pos[f],
			       lay->off[f] == PYD_ABSENT ? &none : &v, 8);
	}
}

static void set_debug(const struct pyd_layout *lay, enum pyd_field f,
		      uint64_t v, uint8_t *bytes)
{
	cr_assert_neq(lay->debug_pos[f], PYD_ABSENT);
	memcpy(bytes + lay->debug_pos[f], &v, 8);
}

Test(layout, probe)
{
	uint8_t bytes[PYD_DEBUG_OFFSETS_MAX];
	bool ft = true;
	uint32_t hex = 0;
	uint64_t v;

	debug_bytes(table("cpython-3.13"), 0x030d01f0, bytes);
	cr_expect(pyd_debug_offsets_probe(bytes, sizeof(bytes), &hex, &ft));
	cr_expect_eq(hex, 0x030d01f0);
	cr_expect_not(ft);
	cr_expect(pyd_debug_offsets_probe(bytes, 24, &hex, &ft));
	cr_expect_not(pyd_debug_offsets_probe(bytes, 23, &hex, &ft));
	cr_expect_not(pyd_debug_offsets_probe(bytes, 0, &hex, &ft));
	bytes[16] = 1;
	cr_expect(pyd_debug_offsets_probe(bytes, sizeof(bytes), &hex, &ft));
	cr_expect(ft);
	bytes[16] = 2;
	cr_expect_not(pyd_debug_offsets_probe(bytes, sizeof(bytes), &hex, &ft));
	bytes[16] = 0;
	v = 0x1030d01f0;
	memcpy(bytes + 8, &v, 8);
	cr_expect_not(pyd_debug_offsets_probe(bytes, sizeof(bytes), &hex, &ft));
	v = 0x030c01f0;
	memcpy(bytes + 8, &v, 8);
	cr_expect_not(pyd_debug_offsets_probe(bytes, sizeof(bytes), &hex, &ft));
	bytes[0] = 'y';
	cr_expect_not(pyd_debug_offsets_probe(bytes, sizeof(bytes), &hex, &ft));
}

Test(layout, overlay_agrees)
{
	for (size_t i = 0; i < all.n; i++) {
		struct pyd_layout lay = *nth(i);
		uint8_t bytes[PYD_DEBUG_OFFSETS_MAX];
		char notes[64] = "x";

		debug_bytes(&lay, lay.hex_min, bytes);
		cr_expect_eq(pyd_layout_apply_debug_offsets(
				     &lay, bytes, sizeof(bytes), notes,
				     sizeof(notes), &err),
			     PYD_OK, "%s: %s", lay.name, err.msg);
		cr_expect_str_eq(notes, "");
		cr_expect_arr_eq(lay.off, nth(i)->off, sizeof(lay.off));
	}
}

Test(layout, overlay_wins_and_tells)
{
	struct pyd_layout lay = *table("cpython-3.14");
	const struct pyd_layout before = lay;
	uint8_t bytes[PYD_DEBUG_OFFSETS_MAX];
	char notes[512];
	char few[20];

	debug_bytes(&lay, 0x030e08f0, bytes);
	set_debug(&lay, PYD_F_interp_threads_head, 8000, bytes);
	set_debug(&lay, PYD_F_tstate_thread_id, 2000, bytes);
	/* Absent in this build: noted, and of no use to a reader. */
	set_debug(&lay, PYD_F_code_co_tlbc, 160, bytes);
	cr_assert_eq(pyd_layout_apply_debug_offsets(&lay, bytes, sizeof(bytes),
						    notes, sizeof(notes), &err),
		     PYD_OK, "%s", err.msg);
	cr_expect_eq(PYD_OFF(&lay, interp, threads_head), 8000);
	cr_expect_eq(PYD_OFF(&lay, tstate, thread_id), 2000);
	cr_expect_eq(PYD_OFF(&lay, code, co_tlbc), PYD_ABSENT);
	cr_expect_eq(PYD_OFF(&lay, interp, next),
		     PYD_OFF(&before, interp, next));
	cr_expect(strstr(notes, "interp.threads_head: table 7344, target 8000"),
		  "%s", notes);
	cr_expect(strstr(notes, "; tstate.thread_id: table 152, target 2000"),
		  "%s", notes);
	cr_expect(strstr(notes, "code.co_tlbc: table -1, target 160 (ignored)"),
		  "%s", notes);

	lay = before;
	memset(few, 'x', sizeof(few));
	cr_assert_eq(pyd_layout_apply_debug_offsets(&lay, bytes, sizeof(bytes),
						    few, 10, &err),
		     PYD_OK);
	cr_expect_eq(strlen(few), 9);
	cr_expect_eq(few[10], 'x');
	lay = before;
	cr_assert_eq(pyd_layout_apply_debug_offsets(&lay, bytes, sizeof(bytes),
						    NULL, 0, &err),
		     PYD_OK);
}

static void overlay_refused(const struct pyd_layout *lay, const uint8_t *bytes,
			    size_t len, const char *message)
{
	struct pyd_layout copy = *lay;
	char notes[256];

	cr_expect_eq(pyd_layout_apply_debug_offsets(&copy, bytes, len, notes,
						    sizeof(notes), &err),
		     PYD_CORRUPT, "taken, not: %s", message);
	cr_expect_eq(err.code, PYD_CORRUPT);
	cr_expect(strstr(err.msg, message), "\"%s\", not \"%s\"", err.msg,
		  message);
	cr_expect_arr_eq(&copy, lay, sizeof(copy), "layout changed: %s",
			 message);
}

Test(layout, overlay_refuses_and_leaves_the_layout)
{
	static const struct {
		enum pyd_field f;
		uint64_t v;
		const char *message;
	} cases[] = {
		{ PYD_F_object_size, 0, "beyond its struct's 0" },
		{ PYD_F_object_size, UINT64_MAX, "object.size" },
		{ PYD_F_object_ob_type, 64, "object.ob_type" },
		{ PYD_F_runtime_interpreters_head, 1 << 21, "beyond its" },
		{ PYD_F_runtime_interpreters_head, 941, "not aligned" },
		{ PYD_F_runtime_interpreters_head, UINT64_MAX, "beyond its" },
		{ PYD_F_interp_next, 0x8000000000000000, "beyond its" },
		{ PYD_F_interp_next, 0x100000000, "beyond its" },
		{ PYD_F_tstate_current_frame, 1 << 19, "too large" },
		{ PYD_F_list_ob_item, 0, "inside of the object header" },
		{ PYD_F_unicode_ascii_size, 300, "str header" },
		{ PYD_F_code_co_name, 112, "overlaps" },
	};
	const struct pyd_layout *lay = table("cpython-3.15");
	uint8_t bytes[PYD_DEBUG_OFFSETS_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		debug_bytes(lay, 0x030f00f0, bytes);
		set_debug(lay, cases[i].f, cases[i].v, bytes);
		overlay_refused(lay, bytes, sizeof(bytes), cases[i].message);
	}
	debug_bytes(lay, 0x030f00f0, bytes);
	overlay_refused(lay, bytes, lay->debug_size - 1, "888 are needed");
	overlay_refused(lay, bytes, 8, "no cookie");
	/* A struct's size that is smaller than what it holds. */
	memset(bytes + lay->debug_size_pos[PYD_F_interp_next], 0, 8);
	overlay_refused(lay, bytes, sizeof(bytes), "interp");
	debug_bytes(lay, 0x030e00f0, bytes);
	overlay_refused(lay, bytes, sizeof(bytes), "0x030e00f0");
	debug_bytes(lay, 0x030f00f0, bytes);
	bytes[16] = 1;
	overlay_refused(lay, bytes, sizeof(bytes), "free-threaded");
	bytes[0] = 0;
	overlay_refused(lay, bytes, sizeof(bytes), "no cookie");
}

/* Whatever the bytes are, what comes out is valid or nothing does. */
Test(layout, overlay_of_random_bytes)
{
	const struct pyd_layout *from[] = { table("cpython-3.13"),
					    table("cpython-3.14-debug"),
					    table("cpython-3.15") };
	unsigned int seed = 1;
	size_t taken = 0;

	for (int round = 0; round < 30000; round++) {
		struct pyd_layout lay = *from[round % 3];
		uint8_t bytes[PYD_DEBUG_OFFSETS_MAX];
		char notes[128];

		debug_bytes(&lay, lay.hex_min, bytes);
		for (int n = rand_r(&seed) % 3; n >= 0; n--) {
			size_t at = (size_t)rand_r(&seed) % lay.debug_size;

			bytes[at] ^= (uint8_t)(1 << rand_r(&seed) % 8);
		}
		if (pyd_layout_apply_debug_offsets(&lay, bytes, sizeof(bytes),
						   notes, sizeof(notes),
						   &err)) {
			cr_assert_arr_eq(&lay, from[round % 3], sizeof(lay));
		} else {
			taken++;
			cr_assert_eq(pyd_layout_validate(&lay, &err), PYD_OK);
		}
	}
	cr_expect_gt(taken, 100);
	cr_expect_lt(taken, 29900);
}
