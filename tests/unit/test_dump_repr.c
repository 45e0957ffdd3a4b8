// SPDX-License-Identifier: Apache-2.0
/* What pydumpd show makes of values, and the parts beneath it. */
#include <criterion/criterion.h>
#include <math.h>
#include <unistd.h>

#include "../tools/dumpgen.h"
#include "base/utf8.h"
#include "dump/column.h"
#include "dump/mp.h"
#include "dump/radix.h"
#include "dump/repr.h"
#include "dump/run.h"
#include "target/target.h"

#define TYPE 0x100000ULL
#define STR_TYPE 0x100100ULL
#define LIST_TYPE 0x100200ULL
#define INT_TYPE 0x100300ULL

static char path[64];
static struct pyd_writer *writer;
static struct pyd_dump *dump;
static struct pyd_node node;
static msgpack_sbuffer map;

static void begin(void)
{
	struct pyd_writer_options opts = { .path = path };
	struct gen g = GEN_DEFAULT;
	struct pyd_err err;

	strcpy(path, "/tmp/pydumpd-repr-XXXXXX");
	close(mkstemp(path));
	unlink(path);
	g.frames = 0;
	msgpack_sbuffer_init(&map);
	cr_assert_eq(pyd_writer_create(&opts, &writer, &err), PYD_OK);
	gen_meta(&g, writer, &map);
}

static void end(void)
{
	pyd_dump_close(dump);
	unlink(path);
	pyd_node_deinit(&node);
	msgpack_sbuffer_destroy(&map);
}

TestSuite(repr, .init = begin, .fini = end);

static void start(uint64_t addr, enum pyd_kind kind, uint64_t type)
{
	pyd_node_clear(&node);
	node.addr = addr;
	node.kind = kind;
	node.type = type;
}

static void value(const void *data, size_t len)
{
	struct pyd_err err;

	cr_assert_eq(pyd_buf_append(&node.value, data, len, &err), PYD_OK);
}

static void ref(uint64_t to)
{
	struct pyd_err err;

	cr_assert_eq(pyd_vec_push(&node.refs, to, &err), PYD_OK);
}

static void put(void)
{
	struct pyd_err err;

	cr_assert_eq(pyd_writer_object(writer, &node, 0, NULL, &err), PYD_OK);
}

static void put_value(uint64_t addr, enum pyd_kind kind, const void *data,
		      size_t len)
{
	start(addr, kind, 0);
	value(data, len);
	put();
}

static void put_type(uint64_t addr, const char *names, size_t len)
{
	static const char zeros[24];

	start(addr, PYD_KIND_type, 0);
	value(names, len);
	value(zeros, sizeof(zeros));
	put();
}

static void finish(void)
{
	struct pyd_err err;

	cr_assert_eq(gen_end(writer, &map, &err), PYD_OK, "%s", err.msg);
	pyd_writer_destroy(writer);
	cr_assert_eq(pyd_dump_open(path, &dump, &err), PYD_OK, "%s", err.msg);
}

static void expect_limited(uint64_t to, const char *want,
			   const struct pyd_repr_limits *limits)
{
	struct pyd_text t = { 0 };

	pyd_repr(dump, to, limits, &t);
	cr_assert_eq(t.code, PYD_OK);
	cr_assert(t.buf.len == strlen(want) &&
			  !memcmp(t.buf.data, want, t.buf.len),
		  "%.*s, not %s", (int)t.buf.len, (const char *)t.buf.data,
		  want);
	pyd_text_deinit(&t);
}

static void expect(uint64_t to, const char *want)
{
	expect_limited(to, want, &pyd_repr_default);
}

/* -- references that are not in memory -- */

#define TABLE 0x7e0000000000ULL

/* The word at addr. Five of its bytes differ from others'. */
static uint64_t word_of(uint64_t addr)
{
	return 0x7f0000000000 |
	       ((addr - TABLE) * 0x9E3779B97F4A7C15ULL >> 24 & 0xfffffffff8);
}

static enum pyd_code read_words(struct pyd_target *t, pyd_addr addr, void *buf,
				size_t len, struct pyd_err *err)
{
	uint64_t word;

	(void)t;
	if (addr < TABLE || addr % 8 || len % 8)
		return pyd_err_at(err, PYD_FAULT, addr, "not mapped");
	for (size_t i = 0; i < len; i += 8) {
		word = word_of(addr + i);
		memcpy((uint8_t *)buf + i, &word, 8);
	}
	return PYD_OK;
}

Test(repr, references_in_pieces)
{
	static const struct pyd_target_ops ops = { .name = "words",
						   .read = read_words };
	/* With memory for all bytes of them, and for two of five at a time. */
	static const uint64_t counts[] = { 300000, 9000000 };
	struct pyd_target t = { .ops = &ops };
	struct pyd_attr_name name = { .origin = PYD_ORIGIN_DICT };
	msgpack_sbuffer shape;
	msgpack_packer pk;
	struct pyd_dump_object o;
	struct pyd_err err;

	msgpack_sbuffer_init(&shape);
	msgpack_packer_init(&pk, &shape, msgpack_sbuffer_write);
	msgpack_pack_array(&pk, 1);
	msgpack_pack_array(&pk, 2);
	msgpack_pack_int(&pk, PYD_ORIGIN_DICT);
	msgpack_pack_str_with_body(&pk, "__dict__", 8);
	for (size_t k = 0; k < 2; k++) {
		start(0x9000 + 16 * k, PYD_KIND_list, LIST_TYPE);
		node.more = (struct pyd_more) {
			.target = &t,
			.at = TABLE,
			.entries = counts[k],
			.words = 1,
		};
		cr_assert(!pyd_more_count(&node.more, &err));
		cr_assert_eq(node.more.n, counts[k]);
		cr_assert(!pyd_node_attr(&node, name.origin, PYD_NAME_CSTR, 0,
					 0x7777, &err));
		cr_assert(!pyd_writer_object(writer, &node, 1, &shape, &err));
		cr_assert_eq(node.more.n, 0);
	}
	put_value(0x9100, PYD_KIND_int, "\x07", 1);
	finish();
	for (size_t k = 0; k < 2; k++) {
		cr_assert(
			!pyd_dump_object_get(dump, 0x9000 + 16 * k, &o, &err));
		cr_assert_eq(o.nrefs, counts[k]);
		for (uint64_t i = 0; i < o.nrefs; i++)
			if (o.refs[i] != word_of(TABLE + 8 * i))
				cr_assert_fail("reference %zu", (size_t)i);
		cr_assert_eq(o.nattrs, 1);
		cr_assert_eq(o.refs[o.nrefs], 0x7777);
		pyd_dump_object_release(dump, &o);
	}
	expect(0x9100, "7");
	msgpack_sbuffer_destroy(&shape);
}

Test(repr, numbers)
{
	/* What Python's repr() gives for each. */
	static const struct {
		double v;
		const char *want;
	} floats[] = {
		{ 0.0, "0.0" },
		{ -0.0, "-0.0" },
		{ 0.1, "0.1" },
		{ 1e16, "1e+16" },
		{ 123456789.5, "123456789.5" },
		{ 9999999999999998.0, "9999999999999998.0" },
		{ 0.0001, "0.0001" },
		{ 0.00001, "1e-05" },
		{ 5e-324, "5e-324" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" },
		{ 2.0 / 3, "0.6666666666666666" },
		{ 100.0, "100.0" },
	};
	static const struct {
		const char *bytes;
		size_t len;
		const char *want;
	} ints[] = {
		{ "", 0, "0" },
		{ "\xff", 1, "-1" },
		{ "\x80", 1, "-128" },
		{ "\x7f", 1, "127" },
		{ "\x00\x80", 2, "-32768" },
		{ "\x00\x00\x00\x80", 4, "-2147483648" },
		{ "\xff\xff\xff\xff\xff\xff\xff\xff\x00", 9,
		  "18446744073709551615" },
		{ "\x00\x00\x00\x00\x00\x00\x00\x00\x01", 9,
		  "18446744073709551616" },
		{ "\x00\x00\x00\x00\x00\x00\x00\x00\xff", 9,
		  "-18446744073709551616" },
	};
	static const double complexes[][2] = { { 0, 1 }, { 1.5, -2 } };
	char huge[300];
	uint64_t at = 0x1000;

	memset(huge, 1, sizeof(huge));
	for (size_t i = 0; i < sizeof(floats) / sizeof(floats[0]); i++)
		put_value(at + 16 * i, PYD_KIND_float, &floats[i].v, 8);
	for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++)
		put_value(at + 0x1000 + 16 * i, PYD_KIND_int, ints[i].bytes,
			  ints[i].len);
	put_value(0x9000, PYD_KIND_complex, complexes[0], 16);
	put_value(0x9010, PYD_KIND_complex, complexes[1], 16);
	put_value(0x9020, PYD_KIND_int, huge, sizeof(huge));
	put_value(0x9030, PYD_KIND_bool, "\1", 1);
	put_value(0x9040, PYD_KIND_none, "", 0);
	finish();
	for (size_t i = 0; i < sizeof(floats) / sizeof(floats[0]); i++)
		expect(at + 16 * i, floats[i].want);
	for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++)
		expect(at + 0x1000 + 16 * i, ints[i].want);
	expect(0x9000, "1j");
	expect(0x9010, "(1.5-2j)");
	expect(0x9020, "<int of 2400 bits>");
	expect(0x9030, "True");
	expect(0x9040, "None");
	expect((uint64_t)-5 << 2 | 3, "-5");
	expect(0, "<NULL>");
	expect(0x777770, "<not dumped: 0x777770>");
}

Test(repr, text)
{
	put_value(0x1000, PYD_KIND_str, "it's", 4);
	put_value(0x1010, PYD_KIND_str, "'\"\\\n\x1b[0m", 8);
	put_value(0x1020, PYD_KIND_str, "\xed\xa0\x80\xe2\x80\xae\xc3\xa9", 8);
	put_value(0x1030, PYD_KIND_str, "\xff\xc2", 2);
	put_value(0x1040, PYD_KIND_bytes, "a\0\xff'", 4);
	put_value(0x1050, PYD_KIND_bytearray, "x", 1);
	put_value(0x1070, PYD_KIND_bytearray, "it's", 4);
	start(0x1060, PYD_KIND_str, 0);
	value("abcdefghij", 10);
	node.mark = PYD_MARK_TRUNCATED;
	node.mark_total = 5000;
	put();
	finish();
	expect(0x1000, "\"it's\"");
	expect(0x1010, "'\\'\"\\\\\\n\\x1b[0m'");
	expect(0x1020, "'\\ud800\\u202e\xc3\xa9'");
	expect(0x1030, "'\\xff\\xc2'");
	expect(0x1040, "b\"a\\x00\\xff'\"");
	expect(0x1050, "bytearray(b'x')");
	expect(0x1070, "bytearray(b\"it\\'s\")"); /* as up to 3.14 */
	expect(0x1060, "'abcdefghij'... (truncated, of 5000)");
}

Test(repr, containers_cycles_and_classes)
{
	struct pyd_repr_limits two = pyd_repr_default;

	two.items = 2;
	put_type(TYPE, "shop\0Cart\0", 10);
	put_type(LIST_TYPE, "builtins\0list\0", 14);
	put_type(INT_TYPE, "builtins\0int\0", 13);
	start(0x1000, PYD_KIND_list, LIST_TYPE); /* holds itself */
	for (int i = 0; i < 4; i++)
		ref(i == 1 ? 0x1000 : 0x1100);
	put();
	start(0x1100, PYD_KIND_int, INT_TYPE);
	value("\7", 1);
	put();
	start(0x1200, PYD_KIND_list, TYPE); /* of a class of its own */
	ref(0x1100);
	put();
	start(0x1300, PYD_KIND_dict, 0);
	ref(0x1100);
	ref(0x1300);
	put();
	start(0x1400, PYD_KIND_tuple, 0);
	ref(0x1100);
	put();
	start(0x1500, PYD_KIND_set, 0);
	put();
	start(0x1600, PYD_KIND_object, TYPE);
	put();
	start(0x1700, PYD_KIND_cell, 0); /* cells round about */
	ref(0x1700);
	put();
	start(0x1800, PYD_KIND_placeholder, TYPE);
	value("it was \x1b away", 13);
	node.mark = PYD_MARK_UNREADABLE;
	strcpy(node.mark_text, "cannot read 8 bytes");
	put();
	start(0x1900, PYD_KIND_int, INT_TYPE);
	value("\7", 1);
	node.mark = PYD_MARK_TORN;
	put();
	finish();
	expect(0x1000, "[7, [...], 7, 7]");
	expect_limited(0x1000, "[7, [...], ... 2 more]", &two);
	expect(0x1200, "Cart([7])");
	expect(0x1300, "{7: {...}}");
	expect(0x1400, "(7,)");
	expect(0x1500, "set()");
	expect(0x1600, "<shop.Cart at 0x1600>");
	expect(0x1700, "<cell at 0x1700: <cell at 0x1700: ...>>");
	expect(0x1800, "<unreadable: cannot read 8 bytes: it was \\x1b away at "
		       "0x1800>");
	expect(0x1900, "7 <torn>");
	expect(TYPE, "<class 'shop.Cart'>");
	expect(INT_TYPE, "<class 'int'>");
}

Test(repr, is_bounded_in_every_direction)
{
	struct pyd_repr_limits wide = {
		.depth = 1000, .items = 1000, .chars = 1000, .bytes = 2000
	};
	struct pyd_text t = { 0 };

	/* 300 lists of 300 of the next, and so on: 300**300 paths. */
	for (uint64_t i = 0; i < 300; i++) {
		start(0x100000 + i * 16, PYD_KIND_list, 0);
		for (int k = 0; k < 300; k++)
			ref(0x100000 + (i + 1) * 16);
		put();
	}
	finish();
	pyd_repr(dump, 0x100000, &wide, &t);
	cr_assert_lt(t.buf.len, 8000);
	pyd_text_deinit(&t);
}

Test(parts, msgpack_heads_and_skips)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool whole;
	} cases[] = {
		{ "\xc0", 1, true },
		{ "\xc1", 1, false },
		{ "\x93\1\2\3", 4, true },
		{ "\x93\1\2", 3, false },
		{ "\x82\1\2\3\4", 5, true },
		{ "\xdd\xff\xff\xff\xff\1", 6, false },
		{ "\xc6\xff\xff\xff\xff", 5, false },
		{ "\xdb\0\0\0\1x", 6, true },
		{ "\xcf\1\2\3\4\5\6\7", 8, false },
		{ "\xd4\1\2", 3, true },
		{ "\xd8\1", 2, false },
		{ "\xc7\2\1xy", 5, true },
		{ "", 0, false },
	};
	uint8_t deep[64];
	const uint8_t *p;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		p = (const uint8_t *)cases[i].bytes;
		cr_assert_eq(pyd_mp_skip(&p, p + cases[i].len), cases[i].whole,
			     "case %zu", i);
		if (cases[i].whole)
			cr_assert_eq(p, (const uint8_t *)cases[i].bytes +
						cases[i].len);
	}
	memset(deep, 0x91, sizeof(deep));
	deep[PYD_MP_DEPTH] = 1;
	p = deep;
	cr_assert(pyd_mp_skip(&p, deep + sizeof(deep)));
	deep[PYD_MP_DEPTH] = 0x91;
	p = deep;
	cr_assert_not(pyd_mp_skip(&p, deep + sizeof(deep)));
}

Test(parts, msgpack_written_is_read)
{
	static const uint64_t numbers[] = { 0,	   127,	       128,
					    255,   256,	       65535,
					    65536, UINT32_MAX, UINT64_MAX };
	struct pyd_buf b = { 0 };
	struct pyd_mp_out o = { .buf = &b };
	struct pyd_mp_head h;
	const uint8_t *p;
	char text[300];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		pyd_mp_put_uint(&o, numbers[i]);
	pyd_mp_put_str(&o, "");
	pyd_mp_put_str(&o, text);
	pyd_mp_put_map(&o, 100);
	cr_assert_eq(o.code, PYD_OK);
	p = b.data;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		cr_assert(pyd_mp_head(&p, b.data + b.len, &h));
		cr_assert_eq(h.type, PYD_MP_UINT);
		cr_assert_eq(h.u, numbers[i]);
	}
	cr_assert(pyd_mp_head(&p, b.data + b.len, &h) && h.type == PYD_MP_STR &&
		  h.s.len == 0);
	cr_assert(pyd_mp_head(&p, b.data + b.len, &h) && h.type == PYD_MP_STR &&
		  h.s.len == 299);
	cr_assert(pyd_mp_head(&p, b.data + b.len, &h) && h.type == PYD_MP_MAP &&
		  h.n == 100);
	cr_assert_eq(p, b.data + b.len);
	pyd_buf_deinit(&b);
}

Test(parts, radix_sort)
{
	enum { N = 5000 };
	static struct pyd_radix_item items[N], tmp[N];
	uint64_t rng = 3;

	for (uint32_t i = 0; i < N; i++) {
		uint64_t r = gen_next(&rng);

		items[i].key = i % 3 ? r : r & 0xff00;
		items[i].major = (uint32_t)(r >> 60) << 20 | (i & 1);
		items[i].tag = i;
	}
	pyd_radix_sort(items, tmp, N);
	for (uint32_t i = 1; i < N; i++) {
		const struct pyd_radix_item *a = &items[i - 1], *b = &items[i];

		cr_assert(a->major < b->major ||
			  (a->major == b->major &&
			   (a->key < b->key ||
			    (a->key == b->key && a->tag < b->tag))));
	}
	pyd_radix_sort(items, tmp, 0);
}

Test(parts, radix_words)
{
	enum { N = 5000 };
	static uint64_t items[N], tmp[N];

	for (unsigned int bits = 0; bits <= 64; bits++) {
		uint64_t rng = bits, sum = 0;
		const uint64_t *v;

		/* Some of them near each other, some equal. */
		for (uint64_t i = 0; i < N; i++) {
			items[i] = bits ? gen_next(&rng) >> (64 - bits) : 0;
			if (i % 3)
				items[i] &= 0xff;
			sum += items[i];
		}
		v = pyd_radix_words(items, tmp, N, bits);
		for (size_t i = 1; i < N; i++) {
			cr_assert_leq(v[i - 1], v[i]);
			sum -= v[i];
		}
		cr_assert_eq(sum, v[0]);
		cr_assert_eq(pyd_radix_words(items, tmp, 1, bits)[0], items[0]);
	}
}

Test(parts, columns)
{
	enum { N = 100 };
	uint64_t words[N];
	uint32_t numbers[N];
	uint8_t to[8 * N + 1];
	uint64_t rng = 9;

	for (size_t n = 0; n <= N; n++) {
		for (size_t i = 0; i < n; i++) {
			words[i] = gen_next(&rng);
			numbers[i] = (uint32_t)words[i];
		}
		to[8 * n] = to[4 * n] = 0x5a;
		pyd_column_put32(to, numbers, n);
		for (size_t i = 0; i < 4 * n; i++)
			cr_assert_eq(to[i],
				     numbers[i % n] >> (8 * (i / n)) & 0xff);
		cr_assert_eq(to[4 * n], 0x5a);
		to[8 * n] = 0x5a;
		pyd_column_put64(to, words, n, false);
		for (size_t i = 0; i < 8 * n; i++)
			cr_assert_eq(to[i],
				     words[i % n] >> (8 * (i / n)) & 0xff);
		cr_assert_eq(to[8 * n], 0x5a);
	}
}

/* Addresses of a packed batch: by type, then ascending. */
static void pack_batch(uint64_t spread)
{
	enum { N = 1000 };
	struct pyd_batch *b = pyd_batch_create();
	struct pyd_batch_scratch scratch = { 0 };
	struct pyd_buf out = { 0 };
	struct pyd_node n = { .kind = PYD_KIND_int, .refcnt = 1 };
	const uint8_t *at;
	uint64_t rng = 4, last = 0;
	unsigned int types = 0;
	struct pyd_err err;

	cr_assert(b && !pyd_buf_reserve(&n.value, PYD_BATCH_LEAF, &err));
	for (uint64_t i = 0; i < N; i++) {
		n.addr = gen_next(&rng) % spread * 8;
		n.type = INT_TYPE + i % 3;
		n.value.len = i % 5;
		if (i % 2)
			cr_assert(!pyd_batch_add_leaf(b, &n, &err));
		else
			cr_assert(!pyd_batch_add(b, &n, 0, NULL, &err));
	}
	cr_assert(!pyd_batch_pack(b, &scratch, &out, &err));
	at = memmem(out.data, out.len,
		    "\xa4"
		    "addr",
		    5);
	cr_assert(at && at[5] == 0xc6);
	at += 10; /* the head of the bin */
	for (size_t i = 0; i < N; i++) {
		uint64_t delta = 0;

		for (size_t k = 0; k < 8; k++)
			delta |= (uint64_t)at[k * N + i] << (8 * k);
		/* Down is where another type begins. */
		types += !i || last + delta < last;
		last += delta;
		cr_assert_lt(last, spread * 8);
	}
	cr_assert_eq(types, 3);
	pyd_buf_deinit(&n.value);
	pyd_buf_deinit(&out);
	pyd_batch_scratch_deinit(&scratch);
	pyd_batch_destroy(b);
}

Test(parts, pack_batch)
{
	pack_batch(1 << 20);
	pack_batch(1ULL << 44);
	/* Too far apart for one word with type and number. */
	pack_batch(1ULL << 60);
}

/* A run of three batches, the last of which has an object at extra. */
static void sort_run(pyd_addr extra, bool is_wide)
{
	enum { N = 3000 };
	struct pyd_job *job = pyd_job_create(PYD_JOB_INDEX);
	struct pyd_vec tmp = { 0 };
	struct pyd_run_order o;
	struct pyd_err err;
	uint64_t rng = 5;
	bool seen = false;

	cr_assert(job);
	for (uint64_t k = 0; k < 3; k++) {
		cr_assert(!pyd_vec_push(&job->batches, 100 + k, &err));
		cr_assert(!pyd_vec_push(&job->batches, N / 3, &err));
	}
	/* Each address tells its batch. */
	for (job->nrun = 0; job->nrun < N; job->nrun++)
		job->run[job->nrun] = 0x7f0000000000 +
				      gen_next(&rng) % 100000000 * 256 +
				      job->nrun / (N / 3) * 16;
	job->run[N - 1] = extra;
	cr_assert(!pyd_run_sort(job, &tmp, &o, &err));
	cr_assert_eq(o.wide != NULL, is_wide);
	for (size_t i = 0; i < N; i++) {
		pyd_addr addr = pyd_run_addr(&o, i);

		cr_assert(!i || pyd_run_addr(&o, i - 1) <= addr);
		if (addr == extra)
			seen = true;
		cr_assert_eq(pyd_run_batch(&o, i),
			     addr == extra ? 2 : (addr & 0xff) / 16);
	}
	cr_assert(seen);
	pyd_run_order_deinit(&o);
	pyd_vec_deinit(&tmp);
	pyd_job_destroy(job);
}

Test(parts, run_sort)
{
	sort_run(0x7f0000000020, false);
	sort_run(0x20, false);
	/* Too far apart for one word with the batch. */
	sort_run(UINT64_MAX, true);
	sort_run(1, false);
}

Test(parts, utf8)
{
	char text[] = "a\xc3\xa9\xff\xed\xa0\x80z";
	uint32_t c = 0;

	cr_assert_eq(pyd_utf8_char((const uint8_t *)"\xc0\x80", 2, &c), 0);
	cr_assert_eq(pyd_utf8_char((const uint8_t *)"\xe0\x80\x80", 3, &c), 0);
	cr_assert_eq(pyd_utf8_char((const uint8_t *)"\xf4\x90\x80\x80", 4, &c),
		     0);
	cr_assert_eq(pyd_utf8_char((const uint8_t *)"\xf0\x9f\x98\x80", 4, &c),
		     4);
	cr_assert_eq(c, 0x1f600);
	cr_assert_eq(pyd_utf8_char((const uint8_t *)"\xf0\x9f\x98", 3, &c), 0);
	pyd_utf8_scrub(text);
	cr_assert_str_eq(text, "a\xc3\xa9?\?\?\?z");
	cr_assert_eq(pyd_utf8_cut((const uint8_t *)"ab\xc3\xa9", 4, 3), 2);
	cr_assert_eq(pyd_utf8_cut((const uint8_t *)"ab\xc3\xa9", 4, 4), 4);
	cr_assert_eq(pyd_utf8_cut((const uint8_t *)"\xe2\x82\xac", 3, 2), 0);
}
