// SPDX-License-Identifier: Apache-2.0
/*
 * What is cut keeps its true total, and what is impossible is not called cut:
 * over synthetic images, once for every table.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "read/limit.h"
#include "world.h"

static pyd_addr make_tuple(struct world *w, size_t n)
{
	const struct pyd_layout *lay = w->lay;
	const uint32_t one[] = { 1 };
	pyd_addr item = make_int(w, one, 1, false);
	pyd_addr at = take(&w->m, (size_t)PYD_OFF(lay, tuple, ob_item) + n * 8);

	header(&w->m, lay, at, w->tuple);
	SET(&w->m, lay, at, object, ob_size, n);
	for (size_t i = 0; i < n; i++)
		put64(&w->m, at, PYD_OFF(lay, tuple, ob_item) + (int32_t)i * 8,
		      item);
	return at;
}

static void check_cut(struct world *w, size_t refs, uint64_t total)
{
	cr_assert_eq(w->n.refs.len, refs, "%s: %zu references", w->lay->name,
		     w->n.refs.len);
	cr_assert_eq(w->n.mark, total ? PYD_MARK_TRUNCATED : 0);
	cr_assert_eq(w->n.mark_total, total);
	cr_assert_str_empty(w->n.mark_text);
}

static void check_bad(struct world *w, pyd_addr at, enum pyd_code want,
		      const char *text)
{
	enum pyd_code code = pyd_read_node(&w->r, at, &w->n, &w->err);

	cr_assert_eq(code, want, "%s: %d", w->lay->name, code);
	cr_assert(strstr(w->err.msg, text), "%s: '%s' has no '%s'",
		  w->lay->name, w->err.msg, text);
	cr_assert_eq(w->n.kind, PYD_KIND_placeholder);
	cr_assert_eq(w->n.mark, 0);
	cr_assert_eq(w->n.refs.len, 0);
	cr_assert_eq(w->n.value.len, 0);
}

static void cut_items(struct world *w)
{
	const struct pyd_layout *lay = w->lay;
	pyd_addr tuple = make_tuple(w, 5);
	const uint32_t one[] = { 1 }, two[] = { 2 };
	pyd_addr a = make_int(w, one, 1, false), b = make_int(w, two, 1, false);
	const pyd_addr pairs[] = { a, b, b, a, a, a };

	w->r.max_items = 5;
	read_ok(w, tuple, PYD_KIND_tuple);
	check_cut(w, 5, 0);
	w->r.max_items = 2;
	read_ok(w, tuple, PYD_KIND_tuple);
	check_cut(w, 2, 5);
	/* What things are known by is not cut. */
	w->r.whole = true;
	read_ok(w, tuple, PYD_KIND_tuple);
	check_cut(w, 5, 0);
	w->r.whole = false;

	pyd_addr dict = make_dict(w, pairs, 3, false);

	read_ok(w, dict, PYD_KIND_dict);
	check_cut(w, 4, 3);
	cr_assert(!memcmp(w->n.refs.data, pairs, 4 * sizeof(*pairs)));
	/* A deleted entry is not counted. */
	read_ok(w, make_dict(w, pairs, 3, true), PYD_KIND_dict);
	check_cut(w, 4, 0);
	w->r.max_items = 1;
	read_ok(w, make_dict(w, pairs, 3, true), PYD_KIND_dict);
	check_cut(w, 2, 2);

	pyd_addr set = take(&w->m, (size_t)PYD_OFF(lay, set, table) + 8);
	pyd_addr table = take(&w->m, 8 * 16);
	const uint64_t entries[16] = { 0, 0, a, 1, 0, 0, b, 7, a, 9 };

	header(&w->m, lay, set, w->set);
	put(&w->m, table, entries, sizeof(entries));
	SET(&w->m, lay, set, set, mask, 7);
	SET(&w->m, lay, set, set, used, 3);
	SET(&w->m, lay, set, set, table, table);
	w->r.max_items = 2;
	read_ok(w, set, PYD_KIND_set);
	check_cut(w, 2, 3);
	cr_assert_eq(w->n.refs.data[1], b);
	/* More than there should be is noticed, without a limit and with one
	 * that is not reached. */
	SET(&w->m, lay, set, set, used, 2);
	read_ok(w, set, PYD_KIND_set);
	cr_assert_eq(w->n.mark, PYD_MARK_TORN);
	cr_assert_eq(w->n.mark_total, 2);
	w->r.max_items = 0;
}

Test(read_limits, items)
{
	for_each_table(cut_items);
}

/* A count that cannot be true is not a total. */
static void no_true_total(struct world *w)
{
	const struct pyd_layout *lay = w->lay;
	struct pyd_region region = { .start = BASE, .end = BASE + ROOM };
	pyd_addr tuple = make_tuple(w, 3);
	pyd_addr str = make_str(w, "hello", 5, 1, true);

	w->m.base.regions = &region;
	w->m.base.nregions = 1;
	w->r.max_items = 2;
	w->r.max_string = 2;
	read_ok(w, tuple, PYD_KIND_tuple);
	check_cut(w, 2, 3);
	SET(&w->m, lay, tuple, object, ob_size, ROOM);
	check_bad(w, tuple, PYD_FAULT, "not mapped");
	SET(&w->m, lay, tuple, object, ob_size, (uint64_t)-3);
	check_bad(w, tuple, PYD_CORRUPT, "impossible item count -3");
	SET(&w->m, lay, tuple, object, ob_size, 1ULL << 41);
	check_bad(w, tuple, PYD_CORRUPT, "impossible size");

	read_ok(w, str, PYD_KIND_str);
	cr_assert_eq(w->n.mark, PYD_MARK_TRUNCATED);
	cr_assert_eq(w->n.mark_total, 5);
	check_value(w, "he", 2);
	SET(&w->m, lay, str, unicode, length, ROOM);
	check_bad(w, str, PYD_FAULT, "not mapped");
	SET(&w->m, lay, str, unicode, length, (uint64_t)-2);
	check_bad(w, str, PYD_CORRUPT, "impossible length");
	w->m.base.regions = NULL;
	w->m.base.nregions = 0;
}

Test(read_limits, no_true_total)
{
	for_each_table(no_true_total);
}

/* Types whose bases lead back, and headers of what was freed. */
static void impossible_headers(struct world *w)
{
	const struct pyd_layout *lay = w->lay;
	pyd_addr own =
		make_type(&w->m, lay, w->type, "Own",
			  PYD_OFF(lay, object, size), 0, PYD_TPFLAG_HEAPTYPE);
	pyd_addr one =
		make_type(&w->m, lay, w->type, "One",
			  PYD_OFF(lay, object, size), 0, PYD_TPFLAG_HEAPTYPE);
	pyd_addr two =
		make_type(&w->m, lay, w->type, "Two",
			  PYD_OFF(lay, object, size), 0, PYD_TPFLAG_HEAPTYPE);
	pyd_addr at = take(&w->m, 64);

	take(&w->m, (size_t)PYD_OFF(lay, heaptype, size));
	SET(&w->m, lay, own, type, tp_base, own);
	SET(&w->m, lay, one, type, tp_base, two);
	SET(&w->m, lay, two, type, tp_base, one);
	header(&w->m, lay, at, own);
	check_bad(w, at, PYD_CORRUPT, "do not end");
	/* The same answer each time. */
	check_bad(w, at, PYD_CORRUPT, "do not end");
	header(&w->m, lay, at, two);
	check_bad(w, at, PYD_CORRUPT, "do not end");
	cr_assert_eq(w->n.type, 0);
	header(&w->m, lay, at, at);
	check_bad(w, at, PYD_CORRUPT, "its type");
	header(&w->m, lay, at, 0);
	check_bad(w, at, PYD_CORRUPT, "NULL");
	header(&w->m, lay, at, w->type + 4);
	check_bad(w, at, PYD_CORRUPT, "impossible address");
	header(&w->m, lay, at, BASE + ROOM + 64);
	check_bad(w, at, PYD_FAULT, "unreadable");
	if (lay->model_refcount == PYD_M_refcount_biased)
		return;
	header(&w->m, lay, at, w->floating);
	SET(&w->m, lay, at, object, ob_refcnt, 0);
	check_bad(w, at, PYD_CORRUPT, "freed");
	cr_assert_eq(w->n.type, w->floating);
	if (lay->model_refcount != PYD_M_refcount_plain)
		return;
	SET(&w->m, lay, at, object, ob_refcnt, (uint64_t)-1);
	check_bad(w, at, PYD_CORRUPT, "impossible reference count -1");
}

Test(read_limits, impossible_headers)
{
	for_each_table(impossible_headers);
}

/* The time is over inside of one object. */
static void no_time(struct world *w)
{
	w->r.deadline_ns = 1;
	cr_assert_eq(pyd_limit_time(&w->r, 0, &w->err), PYD_OK);
	cr_assert_eq(pyd_limit_time(&w->r, 5, &w->err), PYD_OK);
	cr_assert_eq(pyd_limit_time(&w->r, 1 << 20, &w->err), PYD_LIMIT);
	w->r.deadline_ns = 0;
	cr_assert_eq(pyd_limit_time(&w->r, 1 << 20, &w->err), PYD_OK);
}

Test(read_limits, no_time)
{
	for_each_table(no_time);
}
