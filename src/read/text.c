// SPDX-License-Identifier: Apache-2.0
/* str, bytes, bytearray. Include/cpython/unicodeobject.h */
#include "read/family.h"
#include "read/limit.h"

/* Characters read at once. */
enum { CHUNK = 1 << 16 };

size_t pyd_utf8_put(uint8_t *p, uint32_t c)
{
	if (c < 0x80) {
		p[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		p[0] = (uint8_t)(0xc0 | c >> 6);
		p[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		/* Lone surrogates too: "surrogatepass". */
		p[0] = (uint8_t)(0xe0 | c >> 12);
		p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		p[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	p[0] = (uint8_t)(0xf0 | c >> 18);
	p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	p[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

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
	t->limit = ascii	   ? 0x7f
		   : t->width == 1 ? 0xff
		   : t->width == 2 ? 0xffff
				   : 0x10ffff;
	return PYD_OK;
}

static uint32_t char_at(const uint8_t *p, unsigned int width)
{
	uint16_t u16;
	uint32_t u32;

	switch (width) {
	case 1:
		return *p;
	case 2:
		memcpy(&u16, p, sizeof(u16));
		return u16;
	default:
		memcpy(&u32, p, sizeof(u32));
		return u32;
	}
}

static bool all_ascii(const uint8_t *p, size_t n)
{
	uint64_t bits = 0;
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t w;

		memcpy(&w, p + i, sizeof(w));
		bits |= w;
	}
	for (; i < n; i++)
		bits |= p[i];
	return !(bits & 0x8080808080808080ULL);
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
		uint8_t *from = t.limit == 0x7f ? to : to + room;

		code = pyd_target_read(r->target, t.data + done * t.width, from,
				       raw, err);
		if (code)
			return code;
		if (t.limit == 0x7f) {
			if (!all_ascii(from, raw))
				return pyd_err_at(err, PYD_CORRUPT, o->addr,
						  "an ASCII str has other "
						  "bytes");
			out->len += raw;
		} else {
			for (uint64_t i = 0; i < n; i++) {
				uint32_t c =
					char_at(from + i * t.width, t.width);

				if (c > t.limit)
					return pyd_err_at(
						err, PYD_CORRUPT, o->addr,
						"a str has the impossible "
						"character 0x%x",
						c);
				to += pyd_utf8_put(to, c);
			}
			out->len = (size_t)(to - out->data);
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

enum pyd_code pyd_read_unicode(struct pyd_reader *r, const struct pyd_obj *o,
			       struct pyd_node *n, struct pyd_err *err)
{
	uint64_t total;
	bool cut;
	enum pyd_code code = pyd_obj_utf8(r, o, pyd_limit_string(r), &n->value,
					  &total, &cut, err);

	if (code)
		return code;
	mark_cut(n, cut, total);

	struct text t;

	code = locate(r, o, &t, err);
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
	mark_cut(n, want < len, len);
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
