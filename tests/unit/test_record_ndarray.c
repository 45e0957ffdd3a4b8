// SPDX-License-Identifier: Apache-2.0
/* Arrays of numpy over synthetic images, once for every table: items in C
 * order whatever the strides are, limits, and structs that cannot be right. */
#include "records.h"

static const char arrays[] =
	"[n.array]\nbasicsize = 128\nreader = ndarray\n"
	".data = address @ 64\n.ndim = i32 @ 72\n"
	"shape = i64s @ 80 > 0 count .ndim\n"
	"strides = i64s @ 88 > 0 count .ndim\n"
	"dtype = object @ 96\nflags = i32 @ 104\n"
	"[n.dtype]\nbasicsize = 128\n"
	"byteorder = char @ 64\nnum = i32 @ 72\nflags = u64 @ 80\n"
	"itemsize = i64 @ 88\n.subdtype = address @ 96 > 0\n"
	".subshape = address @ 96 > 8\n.fields = address @ 104\n"
	".names = address @ 112\n";

enum { DATA = 0, NDIM = 8, SHAPE = 16, STRIDES = 24, DTYPE = 32, FLAGS = 40 };

static pyd_addr put_dtype(struct world *w, uint64_t num, uint64_t itemsize,
			  uint64_t flags)
{
	pyd_addr at = make(w, "n.dtype", 128);

	set(w, at, 0, '=');
	set(w, at, 8, num);
	set(w, at, 16, flags);
	set(w, at, 24, itemsize);
	return at;
}

static pyd_addr put_array(struct world *w, pyd_addr dtype, pyd_addr data,
			  uint64_t ndim, const uint64_t *shape,
			  const uint64_t *strides)
{
	pyd_addr at = make(w, "n.array", 128);

	set(w, at, DATA, data);
	set(w, at, NDIM, ndim);
	set(w, at, SHAPE, put_words(w, shape, ndim));
	set(w, at, STRIDES, put_words(w, strides, ndim));
	set(w, at, DTYPE, dtype);
	return at;
}

static void marked(struct world *w, pyd_addr at, uint8_t mark, uint64_t total)
{
	read_ok(w, at, PYD_KIND_record);
	cr_assert_eq(w->n.mark, mark, "%s: mark %d %s", w->lay->name, w->n.mark,
		     w->n.mark_text);
	cr_assert_eq(w->n.mark_total, total);
	if (mark && mark != PYD_MARK_TRUNCATED)
		cr_assert_eq(find_field(w, "data"), -1);
}

static void orders(struct world *w)
{
	const uint64_t items[6] = { 10, 11, 12, 13, 14, 15 };
	const uint64_t backwards[6] = { 15, 14, 13, 12, 11, 10 };
	const uint64_t turned[6] = { 10, 13, 11, 14, 12, 15 };
	const uint64_t second[2] = { 11, 14 };
	const uint64_t m8 = (uint64_t)-8, m24 = (uint64_t)-24;
	pyd_addr data = put_words(w, items, 6);
	pyd_addr i8 = put_dtype(w, 7, 8, 0);
	pyd_addr at = put_array(w, i8, data, 2, (uint64_t[]) { 2, 3 },
				(uint64_t[]) { 24, 8 });

	marked(w, at, 0, 0);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, items, 48);
	has_bytes(w, "shape", PYD_ORIGIN_INTS, (uint64_t[]) { 2, 3 }, 16);
	survives(w, at);
	/* What it owns is its size. */
	uint64_t size = w->n.size;

	set(w, at, FLAGS, 4);
	read_ok(w, at, PYD_KIND_record);
	cr_assert_eq(w->n.size, size + 48);

	at = put_array(w, i8, data + 40, 2, (uint64_t[]) { 2, 3 },
		       (uint64_t[]) { m24, m8 });
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, backwards, 48);
	at = put_array(w, i8, data, 2, (uint64_t[]) { 3, 2 },
		       (uint64_t[]) { 8, 24 });
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, turned, 48);
	at = put_array(w, i8, data + 8, 1, (uint64_t[]) { 2 },
		       (uint64_t[]) { 24 });
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, second, 16);

	/* An axis that repeats counts once, however long it is. */
	at = put_array(w, i8, data, 3, (uint64_t[]) { 1ULL << 40, 2, 3 },
		       (uint64_t[]) { 0, 24, 8 });
	marked(w, at, 0, 0);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, items, 48);
	/* Of no dimension, and of no item. */
	at = put_array(w, i8, data + 16, 0, NULL, NULL);
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, items + 2, 8);
	at = put_array(w, i8, 8, 2, (uint64_t[]) { 3, 0 },
		       (uint64_t[]) { 8, 8 });
	marked(w, at, 0, 0);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, NULL, 0);
}

Test(record_ndarray, orders)
{
	for_each_table(arrays, orders);
}

static void limits(struct world *w)
{
	const uint64_t items[4] = { 1, 2, 3, 4 };
	pyd_addr data = put_words(w, items, 4);
	pyd_addr i8 = put_dtype(w, 7, 8, 0);
	pyd_addr at = put_array(w, i8, data, 1, (uint64_t[]) { 4 },
				(uint64_t[]) { 8 });
	pyd_addr objects = put_dtype(w, 17, 8, 1);

	/* Whole items only. */
	w->r.max_blob = 20;
	marked(w, at, PYD_MARK_TRUNCATED, 32);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, items, 16);
	w->r.max_blob = 7;
	marked(w, at, PYD_MARK_TRUNCATED, 32);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, items, 0);
	w->r.max_blob = 0;

	const uint64_t refs[4] = { at, 0, i8, data };

	at = put_array(w, objects, put_words(w, refs, 4), 1, (uint64_t[]) { 4 },
		       (uint64_t[]) { 8 });
	marked(w, at, 0, 0);
	has_refs(w, refs, 4);
	cr_assert_eq(find_field(w, "data"), -1);
	w->r.max_items = 3;
	marked(w, at, PYD_MARK_TRUNCATED, 4);
	has_refs(w, refs, 3);
	w->r.max_items = 0;
	survives(w, at);
}

Test(record_ndarray, limits)
{
	for_each_table(arrays, limits);
}

static void texts(struct world *w)
{
	const uint32_t items[8] = { 'a', 0, 0x65e5, 0x1f600, 0, 0, 0xe9, 0 };
	const uint32_t odd[2] = { 0, 'b' }, wrong[2] = { 0x110000, 0 };
	pyd_addr str = put_dtype(w, 19, 8, 0);
	pyd_addr data = take(&w->m, 64);
	pyd_addr at = put_array(w, str, data, 1, (uint64_t[]) { 4 },
				(uint64_t[]) { 8 });

	put(&w->m, data, items, sizeof(items));
	marked(w, at, 0, 0);
	has_bytes(w, "text", PYD_ORIGIN_TEXT,
		  "a\0\xe6\x97\xa5\xf0\x9f\x98\x80\0\0\xc3\xa9\0", 14);
	cr_assert_eq(find_field(w, "data"), -1);
	survives(w, at);
	/* What is no text stays as it is. */
	put(&w->m, data, odd, sizeof(odd));
	read_ok(w, at, PYD_KIND_record);
	has_number(w, "data", PYD_ORIGIN_BYTES, 32);
	put(&w->m, data, wrong, sizeof(wrong));
	read_ok(w, at, PYD_KIND_record);
	has_number(w, "data", PYD_ORIGIN_BYTES, 32);
}

Test(record_ndarray, texts)
{
	for_each_table(arrays, texts);
}

static void impossible(struct world *w)
{
	const uint64_t shape[2] = { 2, 3 }, strides[2] = { 24, 8 };
	const uint64_t most = 1ULL << 62;
	pyd_addr data = take(&w->m, 48);
	pyd_addr i8 = put_dtype(w, 7, 8, 0);
	pyd_addr at = put_array(w, i8, data, 2, shape, strides);
	const struct {
		uint64_t shape[2], strides[2];
		uint8_t mark;
		uint64_t total;
	} cases[] = {
		{ { 2, (uint64_t)-3 }, { 24, 8 }, PYD_MARK_CORRUPT, 16 },
		{ { most, most }, { 8, 8 }, PYD_MARK_CORRUPT, most * 8 },
		{ { 2, 3 }, { most, 8 }, PYD_MARK_CORRUPT, 16 },
		{ { 2, 3 }, { 1ULL << 40, 8 }, PYD_MARK_UNREADABLE, 48 },
		{ { 2, 3 }, { 24, 1ULL << 63 }, PYD_MARK_CORRUPT, 48 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pyd_addr bad = put_array(w, i8, data, 2, cases[i].shape,
					 cases[i].strides);

		read_ok(w, bad, PYD_KIND_record);
		cr_assert_eq(w->n.mark, cases[i].mark, "%s: case %zu: %d %s",
			     w->lay->name, i, w->n.mark, w->n.mark_text);
		cr_assert_eq(find_field(w, "data"), -1);
	}
	set(w, at, DATA, 0x1000);
	marked(w, at, PYD_MARK_UNREADABLE, 48);
	set(w, at, DATA, data);
	set(w, at, DTYPE, at);
	marked(w, at, PYD_MARK_CORRUPT, 0);
	set(w, at, DTYPE, 16);
	marked(w, at, PYD_MARK_UNREADABLE, 0);
	set(w, at, DTYPE, put_dtype(w, 7, 1ULL << 40, 0));
	marked(w, at, PYD_MARK_CORRUPT, 0);
	set(w, at, DTYPE, i8);
	set(w, at, STRIDES, 0);
	marked(w, at, PYD_MARK_CORRUPT, 0);
	/* A structured dtype whose fields are not told: the bytes are. */
	set(w, at, STRIDES, put_words(w, strides, 2));
	set(w, at, DTYPE, put_dtype(w, 20, 8, 1));
	marked(w, at, 0, 0);
	has_number(w, "data", PYD_ORIGIN_BYTES, 48);
	has_refs(w, NULL, 0);
}

Test(record_ndarray, impossible)
{
	for_each_table(arrays, impossible);
}
