// SPDX-License-Identifier: Apache-2.0
/*
 * Readers over synthetic images, once for every table: the same objects are
 * laid out by hand as each layout says, in memory that ends right behind them.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout/layout.h"
#include "read/linetable.h"
#include "read/more.h"
#include "read/object.h"
#include "world.h"

static void ints(struct world *w)
{
	const uint32_t one[] = { 1 }, big[] = { 0, 0, 0, 1 },
		       top[] = { 0x3fffffff }, b128[] = { 128 };
	const uint8_t big_bytes[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4 };
	const uint8_t minus_big[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfc };

	read_ok(w, make_int(w, one, 0, false), PYD_KIND_int);
	check_value(w, "", 0);
	read_ok(w, make_int(w, one, 1, false), PYD_KIND_int);
	check_value(w, "\x01", 1);
	read_ok(w, make_int(w, one, 1, true), PYD_KIND_int);
	check_value(w, "\xff", 1);
	read_ok(w, make_int(w, b128, 1, false), PYD_KIND_int);
	check_value(w, "\x80\x00", 2);
	read_ok(w, make_int(w, b128, 1, true), PYD_KIND_int);
	check_value(w, "\x80", 1);
	read_ok(w, make_int(w, top, 1, false), PYD_KIND_int);
	check_value(w, "\xff\xff\xff\x3f", 4);
	/* 2**90, which some tool shows as 67108864. */
	read_ok(w, make_int(w, big, 4, false), PYD_KIND_int);
	check_value(w, big_bytes, sizeof(big_bytes));
	read_ok(w, make_int(w, big, 4, true), PYD_KIND_int);
	check_value(w, minus_big, sizeof(minus_big));
}

Test(read, ints)
{
	for_each_table(ints);
}

static void bad_ints(struct world *w)
{
	const uint32_t wide[] = { 0xffffffff }, padded[] = { 1, 0 };

	cr_assert_eq(pyd_read_node(&w->r, make_int(w, wide, 1, false), &w->n,
				   &w->err),
		     PYD_CORRUPT);
	cr_assert_eq(pyd_read_node(&w->r, make_int(w, padded, 2, false), &w->n,
				   &w->err),
		     PYD_CORRUPT);

	/* A count that no memory holds must not become an allocation. */
	pyd_addr at = make_int(w, wide, 1, false);

	if (w->lay->model_int == PYD_M_int_tag)
		SET(&w->m, w->lay, at, long, lv_tag, 1ULL << 60);
	else
		SET(&w->m, w->lay, at, object, ob_size, 1ULL << 60);
	cr_assert_eq(pyd_read_node(&w->r, at, &w->n, &w->err), PYD_CORRUPT);
	cr_assert_eq(w->n.value.len, 0);
}

Test(read, bad_ints)
{
	for_each_table(bad_ints);
}

static void strings(struct world *w)
{
	const uint8_t latin[] = { 'c', 'a', 'f', 0xe9 };
	const uint16_t lone[] = { 0x4e2d, 0xd800 };
	const uint32_t astral[] = { 0x1f40d };

	read_ok(w, make_str(w, "hello", 5, 1, true), PYD_KIND_str);
	check_value(w, "hello", 5);
	read_ok(w, make_str(w, "", 0, 1, true), PYD_KIND_str);
	check_value(w, "", 0);
	read_ok(w, make_str(w, latin, 4, 1, false), PYD_KIND_str);
	check_value(w, "caf\xc3\xa9", 5);
	read_ok(w, make_str(w, lone, 2, 2, false), PYD_KIND_str);
	check_value(w, "\xe4\xb8\xad\xed\xa0\x80", 6);
	read_ok(w, make_str(w, astral, 1, 4, false), PYD_KIND_str);
	check_value(w, "\xf0\x9f\x90\x8d", 4);
	cr_assert_eq(w->n.mark, 0);

	w->r.max_string = 3;
	read_ok(w, make_str(w, latin, 4, 1, false), PYD_KIND_str);
	check_value(w, "caf", 3);
	cr_assert_eq(w->n.mark, PYD_MARK_TRUNCATED);
	cr_assert_eq(w->n.mark_total, 4);
	w->r.max_string = 0;
}

Test(read, strings)
{
	for_each_table(strings);
}

static void bad_strings(struct world *w)
{
	const uint32_t beyond[] = { 0x110000 };
	pyd_addr at = make_str(w, "h\xe9", 2, 1, true);

	cr_assert_eq(pyd_read_node(&w->r, at, &w->n, &w->err), PYD_CORRUPT);
	at = make_str(w, beyond, 1, 4, false);
	cr_assert_eq(pyd_read_node(&w->r, at, &w->n, &w->err), PYD_CORRUPT);
	/* Longer than the memory that is there. */
	at = make_str(w, "hello", 5, 1, true);
	SET(&w->m, w->lay, at, unicode, length, ROOM);
	cr_assert_eq(pyd_read_node(&w->r, at, &w->n, &w->err), PYD_FAULT);
	cr_assert_eq(w->n.value.len, 0, "%s: a torn value is shown",
		     w->lay->name);
	SET(&w->m, w->lay, at, unicode, length, 1ULL << 62);
	cr_assert_eq(pyd_read_node(&w->r, at, &w->n, &w->err), PYD_CORRUPT);
}

Test(read, bad_strings)
{
	for_each_table(bad_strings);
}

/* What was read is read again in pieces: the same references. */
static void same_in_pieces(struct world *w)
{
	pyd_addr at = w->n.addr;
	uint64_t refs[16], words[PYD_MORE_WORDS], entry = 0;
	uint64_t size = w->n.size;
	size_t len = w->n.refs.len, n = 0;
	uint8_t mark = w->n.mark;

	cr_assert(len && len <= 16);
	memcpy(refs, w->n.refs.data, 8 * len);
	w->r.pieces_min = 1;
	read_ok(w, at, w->n.kind);
	w->r.pieces_min = 0;
	cr_assert_eq(w->n.refs.len, 0);
	cr_assert_eq(w->n.more.n, len);
	cr_assert_eq(w->n.size, size);
	cr_assert_eq(w->n.mark, mark);
	cr_assert(!pyd_more_next(&w->n.more, &entry, words, &n, &w->err));
	cr_assert_eq(n, len);
	cr_assert(!memcmp(words, refs, 8 * len));
	for (size_t i = 0; i < len; i++) {
		cr_assert_eq(refs[i] & w->n.more.all, w->n.more.all);
		cr_assert_eq(refs[i] | w->n.more.any, w->n.more.any);
	}
	cr_assert(!pyd_more_next(&w->n.more, &entry, words, &n, &w->err));
	cr_assert_eq(n, 0);
	/* What lies nowhere is told at once. */
	w->n.more.at = 1ULL << 40;
	cr_assert_eq(pyd_more_count(&w->n.more, &w->err), PYD_FAULT);
	read_ok(w, at, w->n.kind);
	cr_assert_eq(w->n.more.n, 0);
}

static void containers(struct world *w)
{
	const struct pyd_layout *lay = w->lay;
	const uint32_t one[] = { 1 };
	pyd_addr a = make_int(w, one, 1, false), b = make_str(w, "b", 1, 1, 1);
	const pyd_addr pairs[] = { b, a, a, a, a, b };
	pyd_addr tuple = take(&w->m, (size_t)PYD_OFF(lay, tuple, ob_item) + 16);

	header(&w->m, lay, tuple, w->tuple);
	SET(&w->m, lay, tuple, object, ob_size, 2);
	put(&w->m, tuple + (uint64_t)PYD_OFF(lay, tuple, ob_item), pairs, 16);
	read_ok(w, tuple, PYD_KIND_tuple);
	cr_assert_eq(w->n.refs.len, 2);
	cr_assert_eq(w->n.refs.data[0], b);
	cr_assert_eq(w->n.refs.data[1], a);
	same_in_pieces(w);

	read_ok(w, make_dict(w, pairs, 3, false), PYD_KIND_dict);
	cr_assert_eq(w->n.refs.len, 6);
	cr_assert(!memcmp(w->n.refs.data, pairs, sizeof(pairs)));
	cr_assert_eq(w->n.mark, 0);
	same_in_pieces(w);
	read_ok(w, make_dict(w, pairs, 3, true), PYD_KIND_dict);
	same_in_pieces(w);
	cr_assert_eq(w->n.refs.len, 4);
	cr_assert_eq(w->n.refs.data[2], a);
	cr_assert_eq(w->n.refs.data[3], b);

	pyd_addr list = take(&w->m, (size_t)PYD_OFF(lay, list, allocated) + 8);

	header(&w->m, lay, list, w->list);
	SET(&w->m, lay, list, object, ob_size, 2);
	SET(&w->m, lay, list, list, allocated, 4);
	SET(&w->m, lay, list, list, ob_item,
	    tuple + (uint64_t)PYD_OFF(lay, tuple, ob_item));
	read_ok(w, list, PYD_KIND_list);
	cr_assert_eq(w->n.refs.len, 2);
	same_in_pieces(w);
	/* More items than room, and a count beyond all memory. */
	SET(&w->m, lay, list, object, ob_size, 5);
	cr_assert_eq(pyd_read_node(&w->r, list, &w->n, &w->err), PYD_CORRUPT);
	SET(&w->m, lay, list, list, allocated, 1ULL << 59);
	SET(&w->m, lay, list, object, ob_size, 1ULL << 58);
	cr_assert_eq(pyd_read_node(&w->r, list, &w->n, &w->err), PYD_CORRUPT);

	pyd_addr set = take(&w->m, (size_t)PYD_OFF(lay, set, table) + 8);
	pyd_addr table = take(&w->m, 8 * 16);
	const uint64_t entries[16] = { a, 1, 0, 0, b, UINT64_MAX, b, 7 };

	header(&w->m, lay, set, w->set);
	put(&w->m, table, entries, sizeof(entries));
	SET(&w->m, lay, set, set, mask, 7);
	SET(&w->m, lay, set, set, used, 2);
	SET(&w->m, lay, set, set, table, table);
	read_ok(w, set, PYD_KIND_set);
	cr_assert_eq(w->n.refs.len, 2);
	cr_assert_eq(w->n.refs.data[0], a);
	cr_assert_eq(w->n.refs.data[1], b);
	same_in_pieces(w);
	/* The table shows less than there should be. */
	SET(&w->m, lay, set, set, used, 3);
	read_ok(w, set, PYD_KIND_set);
	cr_assert_eq(w->n.mark, PYD_MARK_TORN);
	same_in_pieces(w);
	SET(&w->m, lay, set, set, used, 2);
	SET(&w->m, lay, set, set, mask, 6);
	cr_assert_eq(pyd_read_node(&w->r, set, &w->n, &w->err), PYD_CORRUPT);
}

Test(read, containers)
{
	for_each_table(containers);
}

static void at_the_end(struct world *w)
{
	/* A float that ends with its page, the last one; and one whose end
	 * is in the next. */
	size_t size = (size_t)PYD_OFF(w->lay, float, ob_fval) + 8;

	take(&w->m, 1);
	take(&w->m, 4096 - (w->m.len + 15 + size) % 4096);
	while ((w->m.len + size) % 4096)
		w->m.len++;

	pyd_addr at = take(&w->m, (size_t)PYD_OFF(w->lay, float, ob_fval) + 8);
	double v = -0.0;

	header(&w->m, w->lay, at, w->floating);
	put(&w->m, at + (uint64_t)PYD_OFF(w->lay, float, ob_fval), &v, 8);
	read_ok(w, at, PYD_KIND_float);
	check_value(w, &v, 8);
	w->m.len -= 1;
	cr_assert_eq(pyd_read_node(&w->r, at, &w->n, &w->err), PYD_FAULT);
	w->m.len += 1;
	cr_assert_eq(pyd_read_node(&w->r, at + 1, &w->n, &w->err), PYD_CORRUPT,
		     "%s: unaligned", w->lay->name);
}

Test(read, at_the_end)
{
	for_each_table(at_the_end);
}

static void nth_read(struct world *w)
{
	const uint32_t one[] = { 1 };
	pyd_addr a = make_int(w, one, 1, false);
	const pyd_addr pairs[] = { a, a, a, a };
	pyd_addr at = make_dict(w, pairs, 2, false);

	for (long n = 1; n < 200; n++) {
		struct pyd_reader r;
		enum pyd_code code;

		cr_assert_eq(pyd_reader_init(&r, &w->m.base, w->lay, &w->err),
			     PYD_OK);
		w->m.reads = 0;
		w->m.fail_at = n;
		code = pyd_read_node(&r, at, &w->n, &w->err);
		w->m.fail_at = 0;
		pyd_reader_deinit(&r);
		if (w->m.reads < n) {
			cr_assert_eq(code, PYD_OK);
			return;
		}
		/* Whole or not at all. */
		if (code)
			cr_assert_eq(w->n.refs.len, 0);
		else
			cr_assert_eq(w->n.refs.len, 4);
	}
	cr_assert_fail("%s: a dict takes 200 reads", w->lay->name);
}

Test(read, nth_read_fails)
{
	for_each_table(nth_read);
}

Test(read, line_tables_of_noise)
{
	uint32_t x = 1;

	for (int round = 0; round < 20000; round++) {
		uint8_t table[64];
		size_t n = (size_t)round % (sizeof(table) + 1);
		struct pyd_position p;

		for (size_t i = 0; i < n; i++) {
			x = x * 1664525 + 1013904223;
			table[i] = (uint8_t)(x >> 24);
		}
		for (int64_t lasti = -1; lasti < 300; lasti += 7) {
			p = (struct pyd_position) { -1, -1, -1, -1 };
			pyd_linetable_lnotab(table, n, 1, lasti, &p);
			cr_assert_geq(p.line, -1);
			p = (struct pyd_position) { -1, -1, -1, -1 };
			pyd_linetable_deltas(table, n, 1, lasti, &p);
			cr_assert_geq(p.line, -1);
			p = (struct pyd_position) { -1, -1, -1, -1 };
			pyd_linetable_locations(table, n, 1, lasti, &p);
			cr_assert_geq(p.line, -1);
			cr_assert_geq(p.col, -1);
		}
	}
}
