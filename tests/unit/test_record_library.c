// SPDX-License-Identifier: Apache-2.0
/* Readers of src/read/records.def over synthetic images: types of libraries. */
#include "records.h"

static const char deque[] = "[m.Deque]\nbasicsize = 96\nreader = deque\n"
			    ".leftblock = address @ 64\n.leftindex = i64 @ 72\n"
			    ".maxlen = i64 @ 80\n.block_items = const 2\n"
			    ".block_data = const 8\n.block_right = const 24\n";

static void deques(struct world *w)
{
	const uint64_t one[] = { 0, 1, BASE, 0 };
	uint64_t two[] = { 0, BASE + 8, BASE + 16, 0 };
	const uint64_t items[] = { BASE, BASE + 8, BASE + 16 };
	pyd_addr at = make(w, "m.Deque", 96), first = put_words(w, one, 4);
	pyd_addr second = put_words(w, two, 4);

	put64(&w->m, first, 24, second);
	SET(&w->m, w->lay, at, object, ob_size, 3);
	set(w, at, 0, first);
	set(w, at, 8, 1);
	set(w, at, 16, (uint64_t)-1);
	read_ok(w, at, PYD_KIND_record);
	has_refs(w, items, 3);
	cr_assert_lt(find_field(w, "maxlen"), 0);
	set(w, at, 16, 9);
	read_ok(w, at, PYD_KIND_record);
	has_number(w, "maxlen", PYD_ORIGIN_INT, 9);
	survives(w, at);
	set(w, at, 8, 2);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 8, 1);
	/* More items than blocks; blocks in a ring. */
	SET(&w->m, w->lay, at, object, ob_size, 5);
	read_fails(w, at, PYD_FAULT);
	put64(&w->m, second, 24, first);
	SET(&w->m, w->lay, at, object, ob_size, 1ULL << 39);
	read_fails(w, at, PYD_CORRUPT);
}

Test(record_library, deque)
{
	for_each_table(deque, deques);
}

static const char array[] = "[m.Array]\nbasicsize = 80\nreader = array\n"
			    ".items = address @ 64\nitemsize = i32 @ 72\n";

static void arrays(struct world *w)
{
	pyd_addr at = make(w, "m.Array", 80);

	set(w, at, 8, 2);
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, "", 0);
	SET(&w->m, w->lay, at, object, ob_size, 3);
	set(w, at, 0, put_text(&w->m, "abcdefgh"));
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "data", PYD_ORIGIN_BYTES, "abcdef", 6);
	survives(w, at);
	SET(&w->m, w->lay, at, object, ob_size, 1ULL << 35);
	read_fails(w, at, PYD_FAULT);
	set(w, at, 8, 0);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 8, 17);
	read_fails(w, at, PYD_CORRUPT);
}

Test(record_library, array)
{
	for_each_table(array, arrays);
}

static const char buffered[] =
	"[m.Buffered]\nbasicsize = 144\nreader = buffered\n"
	".buffer = address @ 64\nbuffer_size = i64 @ 72\n"
	"abs_pos = i64 @ 80\nraw_pos = i64 @ 88\npos = i64 @ 96\n"
	"read_end = i64 @ 104\nwrite_pos = i64 @ 112\nwrite_end = i64 @ 120\n"
	"readable = bool32 @ 128\nwritable = bool32 @ 132\n";

static void files(struct world *w)
{
	pyd_addr at = make(w, "m.Buffered", 144);

	/* Closed. */
	read_ok(w, at, PYD_KIND_record);
	cr_assert_lt(find_field(w, "position"), 0);
	/* Eight bytes were read at 100, three of them given out. */
	set(w, at, 0, put_text(&w->m, "abcdefgh"));
	set(w, at, 8, 8);
	set(w, at, 16, 108);
	set(w, at, 24, 8);
	set(w, at, 32, 3);
	set(w, at, 40, 8);
	set(w, at, 56, (uint64_t)-1);
	set(w, at, 64, 1);
	read_ok(w, at, PYD_KIND_record);
	has_number(w, "position", PYD_ORIGIN_INT, 103);
	has_bytes(w, "read_ahead", PYD_ORIGIN_BYTES, "defgh", 5);
	cr_assert_lt(find_field(w, "pending"), 0);
	survives(w, at);
	/* A pipe has no position. */
	set(w, at, 16, (uint64_t)-1);
	read_ok(w, at, PYD_KIND_record);
	cr_assert_lt(find_field(w, "position"), 0);
	has_bytes(w, "read_ahead", PYD_ORIGIN_BYTES, "defgh", 5);
	set(w, at, 40, 9);
	read_fails(w, at, PYD_CORRUPT);
	/* Two bytes wait to be written. */
	set(w, at, 40, (uint64_t)-1);
	set(w, at, 64, 1ULL << 32);
	set(w, at, 16, 20);
	set(w, at, 24, 0);
	set(w, at, 32, 2);
	set(w, at, 48, 0);
	set(w, at, 56, 2);
	read_ok(w, at, PYD_KIND_record);
	has_number(w, "position", PYD_ORIGIN_INT, 22);
	has_bytes(w, "pending", PYD_ORIGIN_BYTES, "ab", 2);
	cr_assert_lt(find_field(w, "read_ahead"), 0);
	set(w, at, 48, 3);
	read_fails(w, at, PYD_CORRUPT);
}

Test(record_library, buffered)
{
	for_each_table(buffered, files);
}

static const char element[] =
	"[m.Element]\nbasicsize = 96\nreader = element\n"
	".text = address @ 64\n.tail = address @ 72\n"
	".length = i64 @ 80 > 0\n.children = address @ 80 > 8\n";

static void elements(struct world *w)
{
	const uint64_t children[] = { BASE, BASE + 8 };
	uint64_t extra[] = { 2, 0 };
	pyd_addr at = make(w, "m.Element", 96), more;

	set(w, at, 0, w->str);
	set(w, at, 8, w->list | 1);
	read_ok(w, at, PYD_KIND_record);
	has_number(w, "text", PYD_ORIGIN_FIELD, w->str);
	has_number(w, "tail", PYD_ORIGIN_FIELD, w->list);
	has_number(w, "tail_in_pieces", PYD_ORIGIN_BOOL, 1);
	cr_assert_lt(find_field(w, "text_in_pieces"), 0);
	has_refs(w, children, 0);
	extra[1] = put_words(w, children, 2);
	more = put_words(w, extra, 2);
	set(w, at, 16, more);
	read_ok(w, at, PYD_KIND_record);
	has_refs(w, children, 2);
	survives(w, at);
	put64(&w->m, more, 0, UINT64_MAX);
	read_fails(w, at, PYD_CORRUPT);
	put64(&w->m, more, 0, 1ULL << 35);
	read_fails(w, at, PYD_FAULT);
}

Test(record_library, element)
{
	for_each_table(element, elements);
}

static const char cache[] =
	"[m.Cache]\nbasicsize = 96\nreader = lru_cache\n"
	".root = const 0\n.root_next = address @ 64\n.link_next = const 8\n"
	"maxsize = i64 @ 72\ncache = object @ 80\n";

static void caches(struct world *w)
{
	pyd_addr at = make(w, "m.Cache", 96), links[2];
	pyd_addr dict =
		take(&w->m, (size_t)PYD_OFF(w->lay, dict, ma_values) + 8);

	links[0] = take(&w->m, 16);
	links[1] = take(&w->m, 16);
	header(&w->m, w->lay, dict, w->dict);
	SET(&w->m, w->lay, dict, dict, ma_used, 2);
	put64(&w->m, links[0], 8, links[1]);
	put64(&w->m, links[1], 8, at);
	set(w, at, 0, links[0]);
	set(w, at, 8, 5);
	set(w, at, 16, dict);
	read_ok(w, at, PYD_KIND_record);
	has_refs(w, links, 2);
	survives(w, at);
	w->r.max_items = 1;
	read_ok(w, at, PYD_KIND_record);
	has_refs(w, links, 1);
	cr_assert_eq(w->n.mark_total, 2);
	w->r.max_items = 0;
	/* A ring that does not come back to the root. */
	put64(&w->m, links[1], 8, links[0]);
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 16, at);
	read_fails(w, at, PYD_CORRUPT);
	/* Without a bound there are no links. */
	set(w, at, 8, (uint64_t)-1);
	read_ok(w, at, PYD_KIND_record);
	has_refs(w, links, 0);
}

Test(record_library, lru_cache)
{
	for_each_table(cache, caches);
}

static const char hash[] = "[_hashlib.HASHXOF]\nbasicsize = 72\n"
			   "reader = hashlib\n.ctx = address @ 64\n\n"
			   "[m.Hash]\nbasicsize = 80\nreader = hashlib\n"
			   ".ctx = address @ 64\n";

static pyd_addr put_md(struct world *w, uint32_t nid, uint32_t size)
{
	const uint32_t md[] = { nid, 8, size };
	pyd_addr at = take(&w->m, sizeof(md));

	put(&w->m, at, md, sizeof(md));
	return at;
}

static void hashes(struct world *w)
{
	pyd_addr at = make(w, "m.Hash", 80), xof;
	uint64_t ctx[] = { put_md(w, 672, 32), 0 };
	pyd_addr where = put_words(w, ctx, 2);

	read_ok(w, at, PYD_KIND_record);
	cr_assert_eq(w->n.attrs.len, 0);
	set(w, at, 0, where);
	read_ok(w, at, PYD_KIND_record);
	has_text(w, "name", "sha256");
	has_number(w, "digest_size", PYD_ORIGIN_INT, 32);
	has_number(w, "block_size", PYD_ORIGIN_INT, 64);
	/* OpenSSL 3: behind what was asked for. */
	put64(&w->m, where, 8, put_md(w, 672, 32));
	read_ok(w, at, PYD_KIND_record);
	has_text(w, "name", "sha256");
	put64(&w->m, where, 0, 8);
	read_ok(w, at, PYD_KIND_record);
	has_text(w, "name", "sha256");
	survives(w, at);
	/* They contradict each other; a size that is not the algorithm's; an
	 * algorithm that nobody knows: nothing is told. */
	put64(&w->m, where, 0, put_md(w, 4, 16));
	read_ok(w, at, PYD_KIND_record);
	cr_assert_eq(w->n.attrs.len, 0);
	put64(&w->m, where, 0, put_md(w, 4, 20));
	put64(&w->m, where, 8, put_md(w, 5000, 20));
	read_ok(w, at, PYD_KIND_record);
	cr_assert_eq(w->n.attrs.len, 0);
	/* The caller chooses how long it is. */
	xof = make(w, "_hashlib.HASHXOF", 72);
	set(w, xof, 0, where);
	put64(&w->m, where, 8, put_md(w, 1100, 0));
	read_ok(w, xof, PYD_KIND_record);
	has_text(w, "name", "shake_128");
	has_number(w, "digest_size", PYD_ORIGIN_INT, 0);
}

Test(record_library, hashlib)
{
	for_each_table(hash, hashes);
}

static const char sqlite[] = "[m.Connection]\nbasicsize = 80\n"
			     "reader = sqlite\n.db = address @ 64\n";

static void databases(struct world *w)
{
	pyd_addr at = make(w, "m.Connection", 80), db = take(&w->m, 64);
	pyd_addr dbs = take(&w->m, 32), tree = take(&w->m, 16);
	pyd_addr shared = take(&w->m, 16), pager = take(&w->m, 48 * 8);
	pyd_addr path = put_text(&w->m, "/var/lib/app.db");
	pyd_addr other = put_text(&w->m, "/var/lib/app.db-journal");

	put64(&w->m, db, 0, w->type);
	put64(&w->m, db, 32, dbs);
	put64(&w->m, dbs, 0, put_text(&w->m, "main"));
	put64(&w->m, dbs, 8, tree);
	put64(&w->m, tree, 0, db);
	put64(&w->m, tree, 8, shared);
	put64(&w->m, shared, 0, pager);
	put64(&w->m, shared, 8, db);
	put64(&w->m, pager, 0, w->type);
	put64(&w->m, pager, 176, path);
	put64(&w->m, pager, 184, other);
	read_ok(w, at, PYD_KIND_record);
	cr_assert_eq(w->n.attrs.len, 0);
	set(w, at, 0, db);
	read_ok(w, at, PYD_KIND_record);
	has_text(w, "path", "/var/lib/app.db");

	survives(w, at);
	/* One thing that does not hold together, and nothing is told. */
	const struct {
		pyd_addr at;
		int32_t off;
		uint64_t v;
	} wrong[] = {
		{ dbs, 0, path },   { tree, 0, at },	  { shared, 8, at },
		{ pager, 0, path }, { pager, 184, path }, { pager, 176, 8 },
		{ db, 32, 8 },	    { dbs, 8, 8 },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint64_t kept;

		memcpy(&kept, w->m.bytes + (wrong[i].at - BASE) + wrong[i].off,
		       8);
		put64(&w->m, wrong[i].at, wrong[i].off, wrong[i].v);
		read_ok(w, at, PYD_KIND_record);
		cr_assert_eq(w->n.attrs.len, 0, "case %zu", i);
		put64(&w->m, wrong[i].at, wrong[i].off, kept);
	}
	put64(&w->m, pager, 176, put_text(&w->m, ":memory:"));
	put64(&w->m, pager, 184, put_text(&w->m, ":memory:-journal"));
	read_ok(w, at, PYD_KIND_record);
	has_text(w, "path", ":memory:");
}

Test(record_library, sqlite)
{
	for_each_table(sqlite, databases);
}

static const char cdata[] = "[m.CData]\nbasicsize = 80\nreader = cdata\n"
			    "size = i64 @ 64\naddress = address @ 72\n";

static pyd_addr put_cdata(struct world *w, const char *code, pyd_addr to)
{
	const uint64_t pairs[] = { put_str(w, "_type_"), put_str(w, code) };
	pyd_addr dict =
		take(&w->m, (size_t)PYD_OFF(w->lay, dict, ma_values) + 8);
	pyd_addr base = make_type(&w->m, w->lay, w->type, "m.CData", 80, 0, 0);
	pyd_addr type = make_type(&w->m, w->lay, w->type, "m.Mine", 80, 0, 0);
	pyd_addr at = take(&w->m, 80);

	header(&w->m, w->lay, dict, w->dict);
	put_dict(w, dict, pairs, 1);
	SET(&w->m, w->lay, base, type, tp_dict, dict);
	SET(&w->m, w->lay, type, type, tp_base, base);
	header(&w->m, w->lay, at, type);
	set(w, at, 0, 8);
	set(w, at, 8, put_words(w, &to, 1));
	return at;
}

static void foreign(struct world *w)
{
	static const uint32_t wide[] = { 'w', 0x20ac, 0 };
	const uint32_t none = 0x110000;
	pyd_addr text = put_text(&w->m, "ch\xff"), chars = take(&w->m, 12), at;

	put(&w->m, chars, wide, sizeof(wide));
	at = put_cdata(w, "z", text);
	read_ok(w, at, PYD_KIND_record);
	has_bytes(w, "pointee", PYD_ORIGIN_BYTES, "ch\xff", 3);
	survives(w, at);
	at = put_cdata(w, "Z", chars);
	read_ok(w, at, PYD_KIND_record);
	has_text(w, "pointee", "w\xe2\x82\xac");
	survives(w, at);
	w->r.max_string = 1;
	read_ok(w, at, PYD_KIND_record);
	has_text(w, "pointee", "w");
	cr_assert_eq(w->n.mark, PYD_MARK_TRUNCATED);
	w->r.max_string = 0;
	/* What is no text, or nowhere, is not shown. */
	put(&w->m, chars, &none, 4);
	read_ok(w, at, PYD_KIND_record);
	cr_assert_lt(find_field(w, "pointee"), 0);
	read_ok(w, put_cdata(w, "z", 8), PYD_KIND_record);
	cr_assert_lt(find_field(w, "pointee"), 0);
	read_ok(w, put_cdata(w, "z", 0), PYD_KIND_record);
	cr_assert_lt(find_field(w, "pointee"), 0);
	read_ok(w, put_cdata(w, "P", text), PYD_KIND_record);
	cr_assert_lt(find_field(w, "pointee"), 0);
}

Test(record_library, cdata)
{
	for_each_table(cdata, foreign);
}

static const char local[] = "[m.Local]\nbasicsize = 72\nreader = local\n"
			    "dicts = object @ 64\n";

static pyd_addr put_state(struct world *w, pyd_addr next, uint64_t ident,
			  uint64_t word)
{
	pyd_addr at = take(&w->m, 1024);

	SET(&w->m, w->lay, at, tstate, next, next);
	SET(&w->m, w->lay, at, tstate, thread_id, ident);
	/* Where nothing else is. */
	put64(&w->m, at, 704, word);
	return at;
}

static pyd_addr new_dict(struct world *w, const uint64_t *pairs, size_t n)
{
	pyd_addr at = take(&w->m, (size_t)PYD_OFF(w->lay, dict, ma_values) + 8);

	header(&w->m, w->lay, at, w->dict);
	put_dict(w, at, pairs, n);
	return at;
}

static void locals(struct world *w)
{
	pyd_addr at = make(w, "m.Local", 72), interp = take(&w->m, 1 << 15);
	const pyd_addr keys[] = { make(w, "m.Dummy", 32),
				  make(w, "m.Dummy", 32) };
	const uint64_t none[] = { 0, 0 };
	const pyd_addr mine = new_dict(w, none, 0),
		       other = new_dict(w, none, 0);
	const uint64_t both[] = { keys[0], mine, keys[1], other };
	const uint64_t state_dict[] = { w->str, keys[1] };
	const int64_t idents[] = { 22, 11 };
	const uint64_t dicts[] = { other, mine };
	pyd_addr state;

	if (PYD_OFF(w->lay, interp, threads_head) > (1 << 15) - 8)
		return;
	cr_assert_eq(pyd_vec_push(&w->r.interps, interp, &w->err), PYD_OK);
	/* One holds its stand-in itself, one in its own dict. */
	state = put_state(w, 0, 11, keys[0]);
	state = put_state(w, state, 22, new_dict(w, state_dict, 1));
	SET(&w->m, w->lay, interp, interp, threads_head, state);
	set(w, at, 0, new_dict(w, both, 2));
	read_ok(w, at, PYD_KIND_record);
	has_refs(w, dicts, 2);
	has_bytes(w, "threads", PYD_ORIGIN_INTS, idents, 16);
	for (size_t i = 0; i < w->n.attrs.len; i++)
		cr_assert_neq(w->n.names[i].origin, PYD_ORIGIN_DICT);
	survives(w, at);
	/* What is one thread's alone is the object's. */
	set(w, at, 0, new_dict(w, both, 1));
	read_ok(w, at, PYD_KIND_record);
	has_refs(w, dicts + 1, 1);
	cr_assert_eq(w->n.names[1].origin, PYD_ORIGIN_DICT);
	cr_assert_eq(w->n.attrs.data[1], mine);
	/* Threads in a ring: without a dict, and with one. */
	SET(&w->m, w->lay, state, tstate, next, state);
	read_ok(w, at, PYD_KIND_record);
	has_refs(w, dicts, 0);
	set(w, at, 0, new_dict(w, both, 2));
	read_fails(w, at, PYD_CORRUPT);
	set(w, at, 0, at);
	read_fails(w, at, PYD_CORRUPT);
}

Test(record_library, local)
{
	for_each_table(local, locals);
}
