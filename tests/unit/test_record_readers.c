// SPDX-License-Identifier: Apache-2.0
/* Readers of src/read/records.def over synthetic images, once for every table:
 * what they find, and that nothing that is corrupt leads them on. */
#include "records.h"

static const char ordered_dict[] =
	"[m.Ordered]\nbasicsize = 192\nreader = ordereddict\n"
	".first = address @ 160\n.node_key = const 8\n.node_next = const 16\n";

static void ordered(struct world *w)
{
	const uint64_t pairs[] = { BASE, 1, BASE + 8, 2, BASE + 16, 3 };
	const uint64_t turned[] = { BASE + 16, 3, BASE, 1, BASE + 8, 2 };
	pyd_addr type =
		make_type(&w->m, w->lay, w->type, "m.Ordered", 192, 0, 0);
	pyd_addr at = take(&w->m, 192), nodes[3];

	SET(&w->m, w->lay, type, type, tp_base, w->dict);
	header(&w->m, w->lay, at, type);
	put_dict(w, at, pairs, 3);
	for (size_t i = 0; i < 3; i++) {
		nodes[i] = take(&w->m, 24);
		put64(&w->m, nodes[i], 8, turned[2 * i]);
		put64(&w->m, i ? nodes[i - 1] : at, i ? 16 : 160, nodes[i]);
	}
	read_ok(w, at, PYD_KIND_dict);
	has_refs(w, turned, 6);
	cr_assert_eq(w->n.mark, 0);
	/* Its first ones, not those of the table. */
	w->r.max_items = 1;
	read_ok(w, at, PYD_KIND_dict);
	has_refs(w, turned, 2);
	cr_assert_eq(w->n.mark, PYD_MARK_TRUNCATED);
	cr_assert_eq(w->n.mark_total, 3);
	w->r.max_items = 0;

	survives(w, at);

	/* A cycle, a key that is not there, an end too early, a bad pointer. */
	const struct {
		pyd_addr at;
		int32_t off;
		uint64_t v;
	} wrong[] = {
		{ nodes[2], 16, nodes[0] }, { nodes[1], 16, nodes[0] },
		{ nodes[1], 8, BASE + 24 }, { nodes[1], 16, 0 },
		{ nodes[0], 16, 8 },	    { at, 160, 0 },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint64_t kept;

		memcpy(&kept, w->m.bytes + (wrong[i].at - BASE) + wrong[i].off,
		       8);
		put64(&w->m, wrong[i].at, wrong[i].off, wrong[i].v);
		read_ok(w, at, PYD_KIND_dict);
		has_refs(w, pairs, 6);
		cr_assert_eq(w->n.mark, PYD_MARK_TORN, "case %zu", i);
		put64(&w->m, wrong[i].at, wrong[i].off, kept);
	}

	/* Empty. */
	set(w, at, 160 - F, 0);
	SET(&w->m, w->lay, at, dict, ma_used, 0);
	put_dict(w, at, pairs, 0);
	read_ok(w, at, PYD_KIND_dict);
	has_refs(w, pairs, 0);
	cr_assert_eq(w->n.mark, 0);
}

Test(record_readers, ordereddict)
{
	for_each_table(ordered_dict, ordered);
}

static const char decimal[] =
	"[m.Decimal]\nbasicsize = 128\nreader = decimal\n"
	".flags = u8 @ 64\n.exp = i64 @ 72\n.digits = i64 @ 80\n"
	".len = i64 @ 88\n.data = address @ 96\n.word_digits = const 19\n";

static pyd_addr put_decimal(struct world *w, uint64_t flags, int64_t exp,
			    uint64_t digits, uint64_t low, uint64_t high)
{
	const uint64_t words[] = { low, high };
	pyd_addr at = make(w, "m.Decimal", 128);

	set(w, at, 0, flags);
	set(w, at, 8, (uint64_t)exp);
	set(w, at, 16, digits);
	set(w, at, 24, (digits + 18) / 19);
	set(w, at, 32, put_words(w, words, 2));
	return at;
}

static void decimals(struct world *w)
{
	/* After the specification: to-scientific-string. */
	static const struct {
		uint64_t flags;
		int64_t exp;
		uint64_t digits, low, high;
		const char *text;
	} cases[] = {
		{ 0, 0, 3, 123, 0, "123" },
		{ 1, 0, 3, 123, 0, "-123" },
		{ 0, 1, 3, 123, 0, "1.23E+3" },
		{ 0, 3, 3, 123, 0, "1.23E+5" },
		{ 0, -1, 3, 123, 0, "12.3" },
		{ 0, -5, 3, 123, 0, "0.00123" },
		{ 0, -10, 3, 123, 0, "1.23E-8" },
		{ 1, -12, 3, 123, 0, "-1.23E-10" },
		{ 0, 0, 1, 0, 0, "0" },
		{ 0, -2, 1, 0, 0, "0.00" },
		{ 0, 2, 1, 0, 0, "0E+2" },
		{ 1, 0, 1, 0, 0, "-0" },
		{ 0, -6, 1, 5, 0, "0.000005" },
		{ 0, -7, 2, 50, 0, "0.0000050" },
		{ 0, -7, 1, 5, 0, "5E-7" },
		{ 0, 0, 20, 7, 1, "10000000000000000007" },
		{ 0, -19, 20, 7, 1, "1.0000000000000000007" },
		{ 0, 5, 20, 7, 1, "1.0000000000000000007E+24" },
		{ 2, 0, 0, 0, 0, "Infinity" },
		{ 3, 0, 0, 0, 0, "-Infinity" },
		{ 4, 0, 0, 0, 0, "NaN" },
		{ 5, 0, 3, 123, 0, "-NaN123" },
		{ 8, 0, 0, 0, 0, "sNaN" },
		{ 24, -999999999999999999, 1, 1, 0, "sNaN1" },
		{ 0, -999999999999999999, 1, 1, 0, "1E-999999999999999999" },
	};
	pyd_addr at;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		read_ok(w,
			put_decimal(w, cases[i].flags, cases[i].exp,
				    cases[i].digits, cases[i].low,
				    cases[i].high),
			PYD_KIND_record);
		has_text(w, "text", cases[i].text);
	}
	survives(w, put_decimal(w, 1, -19, 20, 7, 1));
	at = put_decimal(w, 0, 0, 5, 1234, 0);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 16, 0);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 16, 1ULL << 62);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 16, 19ULL << 34);
	set(w, at, 24, 1ULL << 34);
	read_fails(w, at, PYD_FAULT);
	at = put_decimal(w, 0, INT64_MIN, 4, 1234, 0);
	read_fails(w, at, PYD_CORRUPT);
	at = put_decimal(w, 0, 0, 20, UINT64_MAX, 1);
	read_fails(w, at, PYD_CORRUPT);
	w->r.max_string = 5;
	read_ok(w, put_decimal(w, 1, -19, 20, 7, 1), PYD_KIND_record);
	has_text(w, "text", "-1.0000000000000000007");
	cr_assert_eq(w->n.mark, 0);

	/* 4100 digits in 216 words, the highest of 15 digits. */
	uint64_t words[216] = { [215] = 100000000000000 };
	char text[4096 + 1] = "1";

	memset(text + 1, '0', sizeof(text) - 2);
	at = put_decimal(w, 0, 0, 20, 7, 1);
	set(w, at, 16, 4100);
	set(w, at, 24, 216);
	set(w, at, 32, put_words(w, words, 216));
	read_ok(w, at, PYD_KIND_record);
	has_text(w, "text", text);
	cr_assert_eq(w->n.mark, PYD_MARK_TRUNCATED);
	cr_assert_eq(w->n.mark_total, 4100);
	w->r.max_string = 0;
}

Test(record_readers, decimal)
{
	for_each_table(decimal, decimals);
}

static const char queue[] = "[m.List]\nbasicsize = 96\nreader = simplequeue\n"
			    ".list = object @ 64\n.list_pos = i64 @ 72\n\n"
			    "[m.Ring]\nbasicsize = 96\nreader = simplequeue\n"
			    ".buf_items = address @ 64\n.buf_cap = i64 @ 72\n"
			    ".buf_get = i64 @ 80\n.buf_count = i64 @ 88\n";

static void queues(struct world *w)
{
	const uint64_t v[] = { BASE, BASE + 8, BASE + 16, BASE + 24 };
	const uint64_t turned[] = { BASE + 24, BASE, BASE + 8 };
	pyd_addr at = make(w, "m.List", 96);

	set(w, at, 0, put_list(w, v, 4));
	set(w, at, 8, 1);
	read_ok(w, at, PYD_KIND_record);
	has_refs(w, v + 1, 3);
	survives(w, at);
	set(w, at, 8, 4);
	read_ok(w, at, PYD_KIND_record);
	has_refs(w, v, 0);
	set(w, at, 8, 5);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 8, (uint64_t)-1);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 8, 0);
	set(w, at, 0, put_str(w, "no list"));
	read_fails(w, at, PYD_CORRUPT);

	at = make(w, "m.Ring", 96);
	set(w, at, 0, put_words(w, v, 4));
	set(w, at, 8, 4);
	set(w, at, 16, 3);
	set(w, at, 24, 3);
	read_ok(w, at, PYD_KIND_record);
	has_refs(w, turned, 3);
	survives(w, at);
	w->r.max_items = 2;
	read_ok(w, at, PYD_KIND_record);
	has_refs(w, turned, 2);
	w->r.max_items = 0;
	set(w, at, 16, 4);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 16, (uint64_t)-8);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 16, 0);
	set(w, at, 24, 5);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 8, 1ULL << 62);
	set(w, at, 24, 1ULL << 61);
	read_fails(w, at, PYD_CORRUPT);
}

Test(record_readers, simplequeue)
{
	for_each_table(queue, queues);
}

static const char stringio[] =
	"[m.String]\nbasicsize = 128\nreader = stringio\n"
	".state = i32 @ 64\n.buf = address @ 72\n.string_size = i64 @ 80\n"
	".buf_size = u64 @ 88\n.accu_large = object @ 96\n"
	".accu_small = object @ 104\n.writer_buffer = object @ 112\n"
	".writer_pos = i64 @ 120\n.closed = bool @ 68\n";

static void string_files(struct world *w)
{
	static const uint32_t chars[] = { 'a', 0xe9, 0x20ac, 0x1f40d, 0xd800 };
	const uint32_t beyond = 0x110000;
	pyd_addr at = make(w, "m.String", 128), buf = take(&w->m, 32);
	const uint64_t large[] = { put_str(w, "one "), put_str(w, "two ") };
	const uint64_t small[] = { put_str(w, "three") };

	put(&w->m, buf, chars, sizeof(chars));
	set(w, at, 0, 1);
	set(w, at, 8, buf);
	set(w, at, 16, 5);
	set(w, at, 24, 6);
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "value", PYD_ORIGIN_TEXT,
		  "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8d\xed\xa0\x80", 13);
	survives(w, at);
	w->r.max_string = 2;
	read_ok(w, at, PYD_KIND_record);
	has_text(w, "value", "a\xc3\xa9");
	cr_assert_eq(w->n.mark, PYD_MARK_TRUNCATED);
	cr_assert_eq(w->n.mark_total, 5);
	w->r.max_string = 0;
	put(&w->m, buf, &beyond, 4);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 16, 7);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 16, 1ULL << 30);
	set(w, at, 24, 1ULL << 30);
	read_fails(w, at, PYD_FAULT);
	set(w, at, 16, (uint64_t)-1);
	read_fails(w, at, PYD_CORRUPT);

	at = make(w, "m.String", 128);
	set(w, at, 0, 2);
	read_ok(w, at, PYD_KIND_record);
	has_text(w, "value", "");
	set(w, at, 32, put_list(w, large, 2));
	set(w, at, 40, put_list(w, small, 1));
	read_ok(w, at, PYD_KIND_record);
	has_text(w, "value", "one two three");
	survives(w, at);
	w->r.max_string = 6;
	read_ok(w, at, PYD_KIND_record);
	has_text(w, "value", "one tw");
	cr_assert_eq(w->n.mark_total, 13);
	w->r.max_string = 0;
	set(w, at, 40, at);
	read_fails(w, at, PYD_CORRUPT);

	at = make(w, "m.String", 128);
	set(w, at, 0, 2);
	set(w, at, 48, put_str(w, "written, and room"));
	set(w, at, 56, 7);
	read_ok(w, at, PYD_KIND_record);
	has_text(w, "value", "written");
	survives(w, at);
	set(w, at, 0, 2 | 1ULL << 32);
	read_ok(w, at, PYD_KIND_record);
	cr_assert_lt(find_field(w, "value"), 0);
}

Test(record_readers, stringio)
{
	for_each_table(stringio, string_files);
}

static const char context[] = "[hamt_array_node]\nbasicsize = 336\n"
			      "(items) = objects @ 64 count 32\n\n"
			      "[hamt_bitmap_node]\nbasicsize = 64\n"
			      "(items) = objects @ 64 count ob_size\n\n"
			      "[hamt_collision_node]\nbasicsize = 64\n"
			      "(items) = objects @ 64 count ob_size\n\n"
			      "[m.Context]\nbasicsize = 80\nreader = context\n"
			      ".root = address @ 64\n.count = i64 @ 72\n";

static pyd_addr put_tree(struct world *w, pyd_addr type, const uint64_t *v,
			 size_t n, size_t size)
{
	pyd_addr at = take(&w->m, size);

	header(&w->m, w->lay, at, type);
	SET(&w->m, w->lay, at, object, ob_size, n);
	put(&w->m, at + F, v, n * 8);
	return at;
}

static void contexts(struct world *w)
{
	pyd_addr array =
		make_type(&w->m, w->lay, w->type, "hamt_array_node", 336, 0, 0);
	pyd_addr bitmap =
		make_type(&w->m, w->lay, w->type, "hamt_bitmap_node", 64, 8, 0);
	pyd_addr clash = make_type(&w->m, w->lay, w->type,
				   "hamt_collision_node", 64, 8, 0);
	pyd_addr at = make(w, "m.Context", 80), leaf, both, top, root;
	const uint64_t k = BASE;
	uint64_t in_array[32] = { 0 };
	const uint64_t collision[] = { k + 1, 1, k + 2, 2 };
	const uint64_t pairs[] = { k + 3, 3, k + 1, 1, k + 2, 2, k + 4, 4 };

	leaf = put_tree(w, clash, collision, 4, F + 32);
	{
		const uint64_t v[] = { k + 3, 3, 0, leaf };

		both = put_tree(w, bitmap, v, 4, F + 32);
	}
	{
		const uint64_t v[] = { k + 4, 4 };

		top = put_tree(w, bitmap, v, 2, F + 16);
	}
	in_array[5] = both;
	in_array[31] = top;
	root = put_tree(w, array, in_array, 32, 336);
	set(w, at, 0, root);
	set(w, at, 8, 4);
	read_ok(w, at, PYD_KIND_mapping);
	has_refs(w, pairs, 8);
	cr_assert_eq(w->n.mark, 0);
	survives(w, at);
	w->r.max_items = 2;
	read_ok(w, at, PYD_KIND_mapping);
	has_refs(w, pairs, 4);
	cr_assert_eq(w->n.mark, PYD_MARK_TRUNCATED);
	cr_assert_eq(w->n.mark_total, 4);
	w->r.max_items = 0;
	/* Fewer than it counts; more; a count that cannot be. */
	set(w, at, 8, 5);
	read_ok(w, at, PYD_KIND_mapping);
	has_refs(w, pairs, 8);
	cr_assert_eq(w->n.mark, PYD_MARK_TORN);
	set(w, at, 8, 3);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 8, UINT64_MAX);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 8, 4);
	/* A tree that leads back into itself, once deep and once wide. */
	put64(&w->m, root, F + 31 * 8, root);
	read_fails(w, at, PYD_CORRUPT);
	for (int32_t i = 0; i < 32; i++)
		put64(&w->m, root, F + i * 8, root);
	read_fails(w, at, PYD_CORRUPT);
	/* Half a pair, and what is no node. */
	SET(&w->m, w->lay, top, object, ob_size, 1);
	set(w, at, 0, top);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 0, at);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 0, 0);
	set(w, at, 8, 0);
	read_ok(w, at, PYD_KIND_mapping);
	has_refs(w, pairs, 0);
}

Test(record_readers, context)
{
	for_each_table(context, contexts);
}

static const char views[] =
	"[m.View]\nbasicsize = 160\nreader = memoryview\n"
	".flags = i32 @ 64\n.mbuf_flags = i32 @ 72 > 0\n.buf = address @ 80\n"
	".nbytes = i64 @ 88\n.itemsize = i64 @ 96\n.ndim = i32 @ 104\n"
	".readonly = i32 @ 108\n.format = address @ 112\n"
	".shape = address @ 120\n.strides = address @ 128\n"
	".suboffsets = address @ 136\n.obj = object @ 144\n";

static pyd_addr put_view(struct world *w, pyd_addr buf, uint64_t itemsize,
			 uint64_t ndim, const int64_t *shape,
			 const int64_t *strides)
{
	pyd_addr at = make(w, "m.View", 160);
	uint64_t n = itemsize;

	for (uint64_t i = 0; i < ndim; i++)
		n *= (uint64_t)shape[i];
	set(w, at, 8, take(&w->m, 8));
	set(w, at, 16, buf);
	set(w, at, 24, n);
	set(w, at, 32, itemsize);
	set(w, at, 40, ndim | 1ULL << 32);
	set(w, at, 56, put_words(w, (const uint64_t *)shape, ndim));
	set(w, at, 64, put_words(w, (const uint64_t *)strides, ndim));
	set(w, at, 80, w->type);
	return at;
}

static void memoryviews(struct world *w)
{
	const int64_t ten[] = { 10 }, one[] = { 1 }, back[] = { -3 };
	const int64_t four[] = { 4 }, two_by_three[] = { 2, 3 };
	const int64_t by_rows[] = { 3, 1 }, by_columns[] = { 1, 2 };
	const int64_t words[] = { 8 }, empty[] = { 0 };
	const int64_t follow[] = { 2 };
	pyd_addr buf = put_text(&w->m, "0123456789"), at;
	const uint64_t rows[] = { buf, buf + 4 };
	pyd_addr table = put_words(w, rows, 2);

	at = put_view(w, buf, 1, 1, ten, one);
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, "0123456789", 10);
	has_number(w, "released", PYD_ORIGIN_BOOL, 0);
	has_number(w, "readonly", PYD_ORIGIN_BOOL, 1);
	has_number(w, "obj", PYD_ORIGIN_FIELD, w->type);
	has_text(w, "format", "B");
	has_bytes(w, "shape", PYD_ORIGIN_INTS, ten, 8);
	has_bytes(w, "strides", PYD_ORIGIN_INTS, one, 8);
	set(w, at, 48, put_text(&w->m, "<h"));
	read_ok(w, at, PYD_KIND_record);
	has_text(w, "format", "<h");

	at = put_view(w, buf + 9, 1, 1, four, back);
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, "9630", 4);
	survives(w, at);
	w->r.max_blob = 3;
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, "963", 3);
	cr_assert_eq(w->n.mark, PYD_MARK_TRUNCATED);
	cr_assert_eq(w->n.mark_total, 4);
	w->r.max_blob = 0;

	read_ok(w, put_view(w, buf, 1, 2, two_by_three, by_rows),
		PYD_KIND_record);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, "012345", 6);
	read_ok(w, put_view(w, buf, 1, 2, two_by_three, by_columns),
		PYD_KIND_record);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, "024135", 6);
	read_ok(w, put_view(w, 8, 1, 1, empty, one), PYD_KIND_record);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, "", 0);

	/* Rows behind pointers, from their second byte on. */
	{
		const int64_t shape[] = { 2, 2 }, strides[] = { 8, 1 };
		const int64_t suboffsets[] = { 1, -1 };

		at = put_view(w, table, 1, 2, shape, strides);
		set(w, at, 72, put_words(w, (const uint64_t *)suboffsets, 2));
		read_ok(w, at, PYD_KIND_record);
		has_bytes(w, "data", PYD_ORIGIN_BYTES, "1256", 4);
		survives(w, at);
	}

	at = put_view(w, buf, 2, 1, four, follow);
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, "01234567", 8);
	set(w, at, 24, 9);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 24, UINT64_MAX);
	read_fails(w, at, PYD_CORRUPT);
	at = put_view(w, buf, 1, 1, four, words);
	set(w, at, 16, BASE + ROOM - 8);
	read_fails(w, at, PYD_FAULT);
	set(w, at, 40, 65);
	read_fails(w, at, PYD_CORRUPT);
	/* Released: what it points to may be anything. */
	set(w, at, 0, 1);
	read_ok(w, at, PYD_KIND_record);
	cr_assert_eq(w->n.attrs.len, 1);
	has_number(w, "released", PYD_ORIGIN_BOOL, 1);
	at = put_view(w, buf, 1, 1, ten, one);
	set(w, at, 8, 0);
	read_ok(w, at, PYD_KIND_record);
	has_number(w, "released", PYD_ORIGIN_BOOL, 1);
}

Test(record_readers, memoryview)
{
	for_each_table(views, memoryviews);
}
