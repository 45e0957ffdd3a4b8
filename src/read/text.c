// SPDX-License-Identifier: Apache-2.0
/* str, bytes, bytearray. Include/cpython/unicodeobject.h */
#include "read/chars.h"
#include "read/family.h"
#include "read/limit.h"

/* Characters read at once. */
enum { CHUNK = 1 << 16 };

/* Where a str keeps its characters. */
struct text {
	pyd_addr data;
	uint64_t length;    /* characters */
	unsigned int width; /* bytes a character: 1, 2, 4 */
	uint32_t limit;	    /* no character is above it */
};

static enum pyd_code locate(struct pyd_reader *r, const struct pyd_obj *o,
			    struct text *t, struct pyd_err *err)
{
	const struct pyd_layout *lay = r->lay;
	uint32_t state = PYD_OBJ_U32(r, o, unicode, state);
	unsigned int kind = state >> PYD_OFF(lay, unicode, kind_bit) & 7;
	bool compact = state >> PYD_OFF(lay, unicode, compact_bit) & 1;
	bool ascii = state >> PYD_OFF(lay, unicode, ascii_bit) & 1;

	t->length = PYD_OBJ_U64(r, o, unicode, length);
	t->width = kind;
	if (ascii && kind != 1)
		return pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "impossible kind of a str");
	if (compact) {
		t->data =
			o->addr +
			(uint64_t)(ascii ? PYD_OFF(lay, unicode, ascii_size)
					 : PYD_OFF(lay, unicode, compact_size));
	} else {
		/* Past the part that a bare str has, inside what a subclass
		 * adds: read it from the object itself. */
		enum pyd_code code = pyd_target_read_u64(
			r->target,
			o->addr + (uint64_t)PYD_OFF(lay, unicode, data),
			&t->data, err);

		if (code)
			return code;
		if (kind == 0 && PYD_OFF(lay, unicode, wstr) != PYD_ABSENT) {
			/* Not "ready" (before 3.12): wchar_t alone. */
			t->data = PYD_OBJ_U64(r, o, unicode, wstr);
			t->length = PYD_OBJ_U64(r, o, unicode, wstr_length);
			t->width = 4;
		}
	}
	if (t->width != 1 && t->width != 2 && t->width != 4)
		return pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "impossible kind %u of a str", kind);
	if (t->length > (1ULL << 40))
		return pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "impossible length of a str");
	t->limit = ascii	   ? PYD_CHARS_ASCII
		   : t->width == 1 ? 0xff
		   : t->width == 2 ? 0xffff
				   : 0x10ffff;
	return PYD_OK;
}

enum pyd_code pyd_obj_utf8(struct pyd_reader *r, const struct pyd_obj *o,
			   uint64_t max, struct pyd_buf *out,
			   uint64_t *ret_total, bool *ret_cut,
			   struct pyd_err *err)
{
	struct text t;
	enum pyd_code code = locate(r, o, &t, err);

	if (code)
		return code;

	uint64_t want = t.length;

	if (!max || max > PYD_BLOB_MAX)
		max = PYD_BLOB_MAX;
	if (want > max)
		want = max;
	if (want < t.length &&
	    !pyd_is_mapped(r->target, t.data, t.length * t.width))
		return pyd_err_at(err, PYD_FAULT, t.data,
				  "the text of a str is not mapped");
	for (uint64_t done = 0; done < want;) {
		uint64_t n = want - done < CHUNK ? want - done : CHUNK;
		/* Characters are read to the end of the room that their
		 * UTF-8 form may need, and widened from the front. */
		size_t room = n * 4, raw = n * t.width;

		code = pyd_buf_reserve(out, room + raw, err);
		if (code)
			return code;

		uint8_t *to = out->data + out->len;
		uint8_t *from = t.limit == PYD_CHARS_ASCII ? to : to + room;

		code = pyd_target_read(r->target, t.data + done * t.width, from,
				       raw, err);
		if (code)
			return code;
		if (t.limit == PYD_CHARS_ASCII) {
			if (!pyd_chars_ascii(from, raw))
				return pyd_err_at(err, PYD_CORRUPT, o->addr,
						  "an ASCII str has other "
						  "bytes");
			out->len += raw;
		} else {
			uint32_t bad = 0;
			size_t k = pyd_chars_utf8(from, n, t.width, t.limit, to,
						  &bad);

			if (k == SIZE_MAX)
				return pyd_err_at(err, PYD_CORRUPT, o->addr,
						  "a str has the impossible "
						  "character 0x%x",
						  bad);
			out->len += k;
		}
		done += n;
	}
	*ret_total = t.length;
	*ret_cut = want < t.length;
	return PYD_OK;
}

static void mark_cut(struct pyd_node *n, bool cut, uint64_t total)
{
	if (!cut)
		return;
	n->mark = PYD_MARK_TRUNCATED;
	n->mark_total = total;
}

/* True when a value of so many bytes is read in pieces. */
static bool is_long(const struct pyd_reader *r, uint64_t bytes)
{
	return r->long_min && bytes >= r->long_min;
}

/* The first `want` characters of t, in pieces. */
static enum pyd_code open_long(struct pyd_reader *r, const struct pyd_obj *o,
			       const struct text *t, uint64_t want,
			       struct pyd_node *n, struct pyd_err *err)
{
	n->text = (struct pyd_long) {
		.target = r->target,
		.at = t->data,
		.units = want,
		.all = t->length,
		.width = t->width,
		.limit = t->limit,
	};
	if (want < t->length &&
	    !pyd_is_mapped(r->target, t->data, t->length * t->width)) {
		pyd_long_deinit(&n->text);
		return pyd_err_at(err, PYD_FAULT, t->data,
				  "the text of a str is not mapped");
	}
	mark_cut(n, want < t->length, t->length);
	return pyd_long_open(&n->text, o->addr, err);
}

enum pyd_code pyd_read_unicode(struct pyd_reader *r, const struct pyd_obj *o,
			       struct pyd_node *n, struct pyd_err *err)
{
	uint64_t max = pyd_limit_string(r), want;
	struct text t;
	enum pyd_code code = locate(r, o, &t, err);

	if (code)
		return code;
	want = t.length < max ? t.length : max;
	if (is_long(r, want * t.width)) {
		code = open_long(r, o, &t, want, n, err);
	} else {
		uint64_t total = 0;
		bool cut = false;

		code = pyd_obj_utf8(r, o, max, &n->value, &total, &cut, err);
		mark_cut(n, cut, total);
	}
	if (code)
		return code;
	/* A compact str's own characters, or those it points to. */
	n->size += (t.length + 1) * t.width;
	if (t.data == o->addr + (uint64_t)PYD_OFF(r->lay, unicode, ascii_size))
		n->size -= (uint64_t)PYD_OFF(r->lay, unicode, compact_size) -
			   (uint64_t)PYD_OFF(r->lay, unicode, ascii_size) + 8;
	else if (t.data ==
		 o->addr + (uint64_t)PYD_OFF(r->lay, unicode, compact_size))
		n->size -= 8;
	return PYD_OK;
}

static enum pyd_code read_blob(struct pyd_reader *r, const struct pyd_obj *o,
			       pyd_addr data, uint64_t len, struct pyd_node *n,
			       struct pyd_err *err)
{
	uint64_t max = pyd_limit_blob(r);
	uint64_t want = len < max ? len : max;

	if (len > (1ULL << 40))
		return pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "impossible length of a %s", o->type->name);
	if (want < len && !pyd_is_mapped(r->target, data, len))
		return pyd_err_at(err, PYD_FAULT, data,
				  "the bytes of a %s are not mapped",
				  o->type->name);
	mark_cut(n, want < len, len);
	if (is_long(r, want)) {
		n->text = (struct pyd_long) {
			.target = r->target,
			.at = data,
			.units = want,
			.all = len,
			.width = 1,
		};
		return pyd_long_open(&n->text, o->addr, err);
	}
	for (uint64_t done = 0; done < want;) {
		/* In pieces: a corrupt length ends at the first hole, before
		 * it has become our own memory. */
		uint64_t k = want - done;
		enum pyd_code code;

		if (k > (CHUNK << 4))
			k = CHUNK << 4;
		code = pyd_buf_reserve(&n->value, k, err);
		if (code)
			return code;
		code = pyd_target_read(r->target, data + done,
				       n->value.data + n->value.len, k, err);
		if (code)
			return code;
		n->value.len += k;
		done += k;
	}
	return PYD_OK;
}

enum pyd_code pyd_read_bytes(struct pyd_reader *r, const struct pyd_obj *o,
			     struct pyd_node *n, struct pyd_err *err)
{
	return read_blob(r, o,
			 o->addr + (uint64_t)PYD_OFF(r->lay, bytes, ob_sval),
			 PYD_OBJ_U64(r, o, object, ob_size), n, err);
}

enum pyd_code pyd_read_bytearray(struct pyd_reader *r, const struct pyd_obj *o,
				 struct pyd_node *n, struct pyd_err *err)
{
	uint64_t alloc = PYD_OBJ_U64(r, o, bytearray, ob_alloc);
	uint64_t len = PYD_OBJ_U64(r, o, object, ob_size);

	n->size += alloc <= (1ULL << 40) ? alloc : 0;
	return read_blob(r, o, PYD_OBJ_U64(r, o, bytearray, ob_start), len, n,
			 err);
}
