// SPDX-License-Identifier: Apache-2.0
/*
 * io.StringIO: its text, which is an array of UCS4 or, as long as it was only
 * appended to, in an accumulator. Modules/_io/stringio.c
 */
#include "read/chars.h"
#include "read/limit.h"
#include "read/record.h"

enum {
	REALIZED = 1,	 /* state */
	CHUNK = 1 << 14, /* characters at once */
	CHAR_MAX = 0x10ffff,
};

struct text {
	struct pyd_buf utf8;
	uint64_t room;	/* characters that may still be added */
	uint64_t total; /* characters there are */
};

static enum pyd_code from_array(struct pyd_reader *r,
				const struct pyd_record *rec, struct text *t,
				struct pyd_err *err)
{
	pyd_addr at = pyd_record_u64(rec, "buf");
	uint64_t left;
	enum pyd_code code;

	t->total = pyd_record_u64(rec, "string_size");
	if (t->total > (1ULL << 40) ||
	    t->total * 4 > pyd_record_u64(rec, "buf_size") * 4)
		return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
				  "impossible length of a StringIO");
	left = t->total < t->room ? t->total : t->room;
	if (left && !pyd_is_mapped(r->target, at, left * 4))
		return pyd_err_at(err, PYD_FAULT, at, "text is not mapped");
	while (left) {
		uint64_t k = left < CHUNK ? left : CHUNK;
		uint8_t *to;

		pyd_buf_clear(&r->bytes);
		code = pyd_buf_reserve(&r->bytes, k * 4, err);
		if (!code)
			code = pyd_buf_reserve(&t->utf8, k * 4, err);
		if (!code)
			code = pyd_target_read(r->target, at, r->bytes.data,
					       k * 4, err);
		if (code)
			return code;
		to = t->utf8.data + t->utf8.len;
		for (uint64_t i = 0; i < k; i++) {
			uint32_t c;

			memcpy(&c, r->bytes.data + i * 4, 4);
			if (c > CHAR_MAX)
				return pyd_err_at(err, PYD_CORRUPT, at,
						  "impossible character of a "
						  "StringIO");
			to += pyd_utf8_put(to, c);
		}
		t->utf8.len = (size_t)(to - t->utf8.data);
		at += k * 4;
		left -= k;
	}
	return PYD_OK;
}

/* Adds at most `most` characters of a str object. */
static enum pyd_code add_str(struct pyd_reader *r, pyd_addr str, uint64_t most,
			     struct text *t, struct pyd_err *err)
{
	uint64_t want = most < t->room ? most : t->room, length = 0;
	struct pyd_obj o;
	bool cut;
	enum pyd_code code = pyd_obj_read(r, str, &o, err);

	if (code)
		return code;
	if (!pyd_obj_is(&o, PYD_KIND_str))
		return pyd_err_at(err, PYD_CORRUPT, str,
				  "the text of a StringIO is no str");
	length = PYD_OBJ_U64(r, &o, unicode, length);
	if (length > most)
		length = most;
	if (want) {
		uint64_t ignored;

		code = pyd_obj_utf8(r, &o, want, &t->utf8, &ignored, &cut, err);
		if (code)
			return code;
	}
	t->total += length;
	t->room -= length < t->room ? length : t->room;
	return PYD_OK;
}

static enum pyd_code add_list(struct pyd_reader *r, pyd_addr list,
			      struct text *t, struct pyd_err *err)
{
	struct pyd_obj o;
	enum pyd_code code = pyd_obj_read(r, list, &o, err);

	if (code)
		return code;
	if (!pyd_obj_is(&o, PYD_KIND_list))
		return pyd_err_at(err, PYD_CORRUPT, list,
				  "the text of a StringIO is no list");
	pyd_vec_clear(&r->pairs);
	code = pyd_read_pointers(r, PYD_OBJ_U64(r, &o, list, ob_item),
				 pyd_obj_nitems(r, &o), &r->pairs, err);
	for (size_t i = 0; i < r->pairs.len && !code; i++)
		code = add_str(r, r->pairs.data[i], UINT64_MAX, t, err);
	return code;
}

static enum pyd_code from_accumulator(struct pyd_reader *r,
				      const struct pyd_record *rec,
				      struct text *t, struct pyd_err *err)
{
	pyd_addr str = pyd_record_u64(rec, "writer_buffer");
	uint64_t used = pyd_record_u64(rec, "writer_pos");
	pyd_addr large = pyd_record_u64(rec, "accu_large");
	pyd_addr small = pyd_record_u64(rec, "accu_small");
	enum pyd_code code = PYD_OK;

	if (str && used)
		return add_str(r, str, used, t, err);
	if (large)
		code = add_list(r, large, t, err);
	if (small && !code)
		code = add_list(r, small, t, err);
	return code;
}

/*
 * Fields: state, closed, buf, string_size, buf_size; of the accumulator, by
 * version, accu_large and accu_small (lists of str) or writer_buffer (a str)
 * and writer_pos (how much of it counts). Adds "value", unless it is closed.
 */
enum pyd_code pyd_record_stringio(struct pyd_reader *r,
				  const struct pyd_record *rec,
				  struct pyd_node *n, struct pyd_err *err)
{
	struct text t = {
		.room = pyd_limit_string(r),
	};
	enum pyd_code code;

	if (pyd_record_u64(rec, "closed"))
		return PYD_OK;
	if (pyd_record_u64(rec, "state") == REALIZED)
		code = from_array(r, rec, &t, err);
	else
		code = from_accumulator(r, rec, &t, err);
	if (!code && t.total > pyd_limit_string(r))
		pyd_record_cut(n, "value", t.total);
	if (!code)
		code = pyd_node_blob(n, PYD_ORIGIN_TEXT, "value", t.utf8.data,
				     t.utf8.len, err);
	pyd_buf_deinit(&t.utf8);
	return code;
}
