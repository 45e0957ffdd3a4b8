// SPDX-License-Identifier: Apache-2.0
/*
 * Described C types over synthetic images, once for every table: each kind of
 * value, what is left out, cut and refused; guesses where there is no
 * description.
 */
#include "records.h"

static const char every_value[] =
	"[m.All]\nbasicsize = 192\n"
	"object = object @ 64\nnull = object @ 72\n"
	"i8 = i8 @ 80\ni16 = i16 @ 82\ni32 = i32 @ 84\ni64 = i64 @ 88\n"
	"u8 = u8 @ 80\nu16 = u16 @ 82\nu32 = u32 @ 84\nu64 = u64 @ 88\n"
	"be16 = u16be @ 80\nbe24 = u24be @ 80\nbe32 = u32be @ 80\n"
	"f64 = f64 @ 96\nf32 = f32 @ 104\n"
	"yes = bool @ 80\nno = bool @ 81\nwide = bool32 @ 84\n"
	"bit0 = u8 @ 82 bit 0\nbit7 = u8 @ 82 bit 7\n"
	"char = char @ 112\nlatin = char @ 113\n"
	"cstr = cstr @ 120\nnocstr = cstr @ 72\n"
	".len = i64 @ 128\n"
	"text = text @ 120 > 0 length .len\n"
	"bytes = bytes @ 120 > 1 length .len * 2\n"
	"nothing = bytes @ 72 > 0 length .len\n"
	"ints = i64s @ 136 > 0 count .len\n"
	"far = i32 @ 136 > 8\ndeep = u64 @ 144 > 8 > 16\n"
	"broken = u64 @ 144 > 0 > 16\n"
	"address = address @ 120\n"
	"five = const 5\n.six = const 6\n"
	"if_len = i8 @ 80 if .len\nif_null = i8 @ 80 if null\n"
	"if_broken = i8 @ 80 if broken\n"
	"(items) = objects @ 152 > 0 count .len\n";

static void values(struct world *w)
{
	pyd_addr at = make(w, "m.All", 192);
	pyd_addr text = put_text(&w->m, "ab\xff"
					"defgh");
	const uint64_t numbers[] = { 7, (uint64_t)-3, 9 };
	const uint64_t deep[] = { 0, put_words(w, numbers, 3), 0 };
	const uint8_t escaped[] = { 'a', 'b', 0xed, 0xb3, 0xbf };
	const uint64_t items[] = { at, 0, text };
	const double wide = -1.5;
	const float narrow = 0.25F;
	uint64_t bits;

	set(w, at, 0, at);
	set(w, at, 16, 0xfedcba98fffe00ffULL);
	set(w, at, 24, 0x8000000000000001ULL);
	put(&w->m, at + 96, &wide, 8);
	put(&w->m, at + 104, &narrow, 4);
	put(&w->m, at + 112, "a\xe9", 2);
	set(w, at, 56, text);
	set(w, at, 64, 3);
	set(w, at, 72, put_words(w, numbers, 3));
	set(w, at, 80, put_words(w, deep, 3));
	set(w, at, 88, put_words(w, items, 3));

	read_ok(w, at, PYD_KIND_record);
	has_number(w, "object", PYD_ORIGIN_FIELD, at);
	has_number(w, "null", PYD_ORIGIN_FIELD, 0);
	has_number(w, "i8", PYD_ORIGIN_INT, (uint64_t)-1);
	has_number(w, "i16", PYD_ORIGIN_INT, (uint64_t)-2);
	has_number(w, "i32", PYD_ORIGIN_INT, 0xfffffffffedcba98ULL);
	has_number(w, "i64", PYD_ORIGIN_INT, 0x8000000000000001ULL);
	has_number(w, "u8", PYD_ORIGIN_UINT, 0xff);
	has_number(w, "u16", PYD_ORIGIN_UINT, 0xfffe);
	has_number(w, "u32", PYD_ORIGIN_UINT, 0xfedcba98);
	has_number(w, "u64", PYD_ORIGIN_UINT, 0x8000000000000001ULL);
	has_number(w, "be16", PYD_ORIGIN_UINT, 0xff00);
	has_number(w, "be24", PYD_ORIGIN_UINT, 0xff00fe);
	has_number(w, "be32", PYD_ORIGIN_UINT, 0xff00feff);
	memcpy(&bits, &wide, 8);
	has_number(w, "f64", PYD_ORIGIN_FLOAT, bits);
	has_number(w, "f32", PYD_ORIGIN_FLOAT, 0x3fd0000000000000ULL);
	has_number(w, "yes", PYD_ORIGIN_BOOL, 1);
	has_number(w, "no", PYD_ORIGIN_BOOL, 0);
	has_number(w, "wide", PYD_ORIGIN_BOOL, 1);
	has_number(w, "bit0", PYD_ORIGIN_BOOL, 0);
	has_number(w, "bit7", PYD_ORIGIN_BOOL, 1);
	has_text(w, "char", "a");
	has_text(w, "latin", "\xc3\xa9");
	has_bytes(w, "cstr", PYD_ORIGIN_TEXT,
		  "ab\xed\xb3\xbf"
		  "defgh",
		  10);
	has_bytes(w, "text", PYD_ORIGIN_TEXT, escaped, 5);
	has_bytes(w, "bytes", PYD_ORIGIN_BYTES,
		  "b\xff"
		  "defg",
		  6);
	has_bytes(w, "ints", PYD_ORIGIN_INTS, numbers, 24);
	has_number(w, "far", PYD_ORIGIN_INT, (uint64_t)-3);
	has_number(w, "deep", PYD_ORIGIN_UINT, 9);
	has_number(w, "address", PYD_ORIGIN_ADDRESS, text);
	has_number(w, "five", PYD_ORIGIN_INT, 5);
	has_number(w, "if_len", PYD_ORIGIN_INT, (uint64_t)-1);
	has_refs(w, items, 3);
	cr_assert_eq(w->n.mark, 0);
	/* Hidden, behind a NULL pointer, or on a condition that fails. */
	cr_assert_lt(find_field(w, "six"), 0);
	cr_assert_lt(find_field(w, "len"), 0);
	cr_assert_lt(find_field(w, "nocstr"), 0);
	cr_assert_lt(find_field(w, "nothing"), 0);
	cr_assert_lt(find_field(w, "broken"), 0);
	cr_assert_lt(find_field(w, "if_null"), 0);
	cr_assert_lt(find_field(w, "if_broken"), 0);
	survives(w, at);
}

Test(record, every_kind_of_value)
{
	for_each_table(every_value, values);
}

static const char long_ones[] =
	"[m.Long]\nbasicsize = 128\n.n = i64 @ 64\n"
	"text = text @ 72 > 0 length .n\nbytes = bytes @ 80 > 0 length .n\n"
	"ints = i64s @ 88 > 0 count .n\n"
	"(items) = objects @ 96 > 0 count .n\n"
	"cstr = cstr @ 104\n";

enum { SHORT = 256 }; /* no longer fields are never cut */

static void limits(struct world *w)
{
	uint64_t words[64];
	pyd_addr at = make(w, "m.Long", 128), data;
	char text[520];

	memset(text, 'x', sizeof(text));
	text[512] = '\0';
	memcpy(words, text, sizeof(words));
	data = put_words(w, words, 64);

	set(w, at, 0, 512);
	set(w, at, 8, data);
	read_ok(w, at, PYD_KIND_record);
	has_text(w, "text", text);
	cr_assert_eq(w->n.mark, 0);
	w->r.max_string = 300;
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "text", PYD_ORIGIN_TEXT, text, 300);
	cr_assert_eq(w->n.mark, PYD_MARK_TRUNCATED);
	cr_assert_eq(w->n.mark_total, 512);
	cr_assert_str_eq(w->n.mark_text, "field text");

	set(w, at, 8, 0);
	set(w, at, 16, data);
	w->r.max_blob = 2;
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "bytes", PYD_ORIGIN_BYTES, text, SHORT);
	cr_assert_eq(w->n.mark_total, 512);
	cr_assert_str_eq(w->n.mark_text, "field bytes");

	/* Whole numbers only. */
	set(w, at, 0, 64);
	set(w, at, 16, 0);
	set(w, at, 24, data);
	w->r.max_blob = SHORT + 7;
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "ints", PYD_ORIGIN_INTS, text, SHORT);
	cr_assert_eq(w->n.mark_total, 512);

	set(w, at, 24, 0);
	set(w, at, 32, data);
	w->r.max_items = 2;
	read_ok(w, at, PYD_KIND_record);
	has_refs(w, words, 2);
	cr_assert_eq(w->n.mark, PYD_MARK_TRUNCATED);
	cr_assert_eq(w->n.mark_total, 64);

	set(w, at, 32, 0);
	set(w, at, 40, put_text(&w->m, text));
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "cstr", PYD_ORIGIN_TEXT, text, 300);
	cr_assert_eq(w->n.mark, PYD_MARK_TRUNCATED);
	cr_assert_str_eq(w->n.mark_text, "field cstr");
}

Test(record, limits_cut_and_say_so)
{
	for_each_table(long_ones, limits);
}

static void corrupt(struct world *w)
{
	pyd_addr at = make(w, "m.Long", 128);

	for (int32_t off = 8; off <= 32; off += 8) {
		set(w, at, off, at);
		set(w, at, 0, (uint64_t)-1);
		read_fails(w, at, PYD_CORRUPT);
		set(w, at, 0, 1ULL << 41);
		read_fails(w, at, PYD_CORRUPT);
		/* Longer than what is mapped: never our own memory. */
		set(w, at, 0, 1ULL << 34);
		read_fails(w, at, PYD_FAULT);
		set(w, at, 0, 1);
		set(w, at, off, 8);
		read_fails(w, at, PYD_FAULT);
		set(w, at, off, 0);
	}
	set(w, at, 40, 16);
	read_fails(w, at, PYD_FAULT);
	/* An object that ends where the memory does. */
	set(w, at, 40, 0);
	w->m.whole_pages = false;
	w->m.len = at - BASE + 72;
	read_fails(w, at, PYD_FAULT);
}

Test(record, impossible_lengths_are_refused)
{
	for_each_table(long_ones, corrupt);
}

static const char derived[] =
	"[m.Base]\nbasicsize = 80\n.n = i64 @ 64\nsame = i64 @ 64\n"
	"base = i64 @ 72\n\n"
	"[m.Derived]\nbasicsize = 96\n.n = i64 @ 64\nsame = i64 @ 64\n"
	"more = i64 @ 80\n\n"
	"[m.Mapping]\nbasicsize = 80\n"
	"(pairs) = objects @ 64 > 0 count ob_size * 2\n\n"
	"[m.Sized]\nbasicsize = 80\nfield = i64 @ 64\n";

static pyd_addr derive(struct world *w, const char *name, size_t size,
		       pyd_addr base)
{
	pyd_addr type =
		make_type(&w->m, w->lay, w->type, name, (int64_t)size, 0, 0);

	SET(&w->m, w->lay, type, type, tp_base, base);
	return type;
}

static void bases(struct world *w)
{
	const uint64_t pairs[] = { BASE, BASE + 16, BASE + 32, BASE + 48 };
	pyd_addr base = derive(w, "m.Base", 80, 0);
	pyd_addr type = derive(w, "m.Derived", 96, base);
	pyd_addr mine = derive(w, "mine.Own", 112, type), at;

	at = take(&w->m, 112);
	header(&w->m, w->lay, at, mine);
	set(w, at, 0, 1);
	set(w, at, 8, 2);
	set(w, at, 16, 3);
	read_ok(w, at, PYD_KIND_record);
	/* What both say is there once. */
	cr_assert_eq(w->n.attrs.len, 3);
	has_number(w, "same", PYD_ORIGIN_INT, 1);
	has_number(w, "base", PYD_ORIGIN_INT, 2);
	has_number(w, "more", PYD_ORIGIN_INT, 3);

	at = make(w, "m.Mapping", 80);
	SET(&w->m, w->lay, at, object, ob_size, 2);
	set(w, at, 0, put_words(w, pairs, 4));
	read_ok(w, at, PYD_KIND_mapping);
	has_refs(w, pairs, 4);
	w->r.max_items = 1;
	read_ok(w, at, PYD_KIND_mapping);
	has_refs(w, pairs, 2);
	cr_assert_eq(w->n.mark_total, 2);

	/* Of another size: another struct. */
	at = make(w, "m.Sized", 88);
	read_ok(w, at, PYD_KIND_object);
	cr_assert_eq(w->n.attrs.len, 0);
	at = make(w, "m.Sized", 80);
	read_ok(w, at, PYD_KIND_record);
	cr_assert_eq(w->n.attrs.len, 1);
}

Test(record, types_inherit_and_must_have_the_size)
{
	for_each_table(derived, bases);
}

static void guesses(struct world *w)
{
	pyd_addr other = make(w, "m.Other", 64);
	pyd_addr freed = make(w, "m.Freed", 64);
	pyd_addr at = make(w, "m.Opaque", 128);
	size_t n = 0;

	if (w->lay->model_refcount == PYD_M_refcount_biased)
		return;
	SET(&w->m, w->lay, freed, object, ob_refcnt, 0);
	set(w, at, 0, other);
	set(w, at, 8, freed);
	set(w, at, 16, other + 4);
	set(w, at, 24, 0x7fffffffffffULL);
	set(w, at, 32, BASE + ROOM - 8);
	set(w, at, 40, w->str);
	set(w, at, 48, put_text(&w->m, "no object at all, just text"));
	read_ok(w, at, PYD_KIND_object);
	for (size_t i = 0; i < w->n.attrs.len; i++) {
		cr_assert_eq(w->n.names[i].origin, PYD_ORIGIN_GUESS);
		cr_assert_eq(w->n.names[i].where, PYD_NAME_WORD);
		if (w->n.names[i].name == F) {
			cr_assert_eq(w->n.attrs.data[i], other);
			n++;
		} else {
			cr_assert_eq(w->n.names[i].name, F + 40);
			cr_assert_eq(w->n.attrs.data[i], w->str);
			n++;
		}
	}
	cr_assert_eq(n, 2, "%s: %zu guesses", w->lay->name, n);
}

Test(record, words_that_point_to_live_objects_are_guesses)
{
	for_each_table("", guesses);
}

static void faults(struct world *w)
{
	const uint64_t words[3] = { 0 };
	pyd_addr at = make(w, "m.All", 192);
	enum pyd_code code = PYD_FAULT;

	set(w, at, 56, put_text(&w->m, "abcdefgh"));
	set(w, at, 64, 3);
	set(w, at, 72, put_words(w, words, 3));
	set(w, at, 88, put_words(w, words, 3));
	read_ok(w, at, PYD_KIND_record);
	for (long k = 1; code; k++) {
		w->m.reads = 0;
		w->m.fail_at = k;
		code = pyd_read_node(&w->r, at, &w->n, &w->err);
		cr_assert_lt(k, 100);
		if (code)
			cr_assert_eq(w->n.attrs.len, 0);
	}
	w->m.fail_at = 0;
}

Test(record, any_read_may_fail)
{
	for_each_table(every_value, faults);
}
