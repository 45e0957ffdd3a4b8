// SPDX-License-Identifier: Apache-2.0
#include "dump/mp.h"

#include <string.h>

/* A tag byte and a big-endian number of the given width. */
static void put(struct pyd_mp_out *o, uint8_t tag, uint64_t v,
		unsigned int width)
{
	struct pyd_buf *b = o->buf;

	if (o->code)
		return;
	o->code = pyd_buf_reserve(b, 9, o->err);
	if (o->code)
		return;
	b->data[b->len++] = tag;
	for (unsigned int i = width; i-- > 0;)
		b->data[b->len++] = (uint8_t)(v >> (8 * i));
}

void pyd_mp_put_map(struct pyd_mp_out *o, uint32_t n)
{
	if (n < 16)
		put(o, (uint8_t)(0x80 | n), 0, 0);
	else
		put(o, 0xdf, n, 4);
}

void pyd_mp_put_array(struct pyd_mp_out *o, uint32_t n)
{
	if (n < 16)
		put(o, (uint8_t)(0x90 | n), 0, 0);
	else
		put(o, 0xdd, n, 4);
}

void pyd_mp_put_uint(struct pyd_mp_out *o, uint64_t v)
{
	if (v < 0x80)
		put(o, (uint8_t)v, 0, 0);
	else if (v <= UINT8_MAX)
		put(o, 0xcc, v, 1);
	else if (v <= UINT16_MAX)
		put(o, 0xcd, v, 2);
	else if (v <= UINT32_MAX)
		put(o, 0xce, v, 4);
	else
		put(o, 0xcf, v, 8);
}

void pyd_mp_put_raw(struct pyd_mp_out *o, const void *data, size_t len)
{
	if (!o->code)
		o->code = pyd_buf_append(o->buf, data, len, o->err);
}

void pyd_mp_put_str(struct pyd_mp_out *o, const char *s)
{
	size_t len = strlen(s);

	if (len < 32)
		put(o, (uint8_t)(0xa0 | len), 0, 0);
	else
		put(o, 0xdb, (uint32_t)len, 4);
	pyd_mp_put_raw(o, s, len);
}

void pyd_mp_put_bin_head(struct pyd_mp_out *o, size_t len)
{
	if (!o->code && len > UINT32_MAX)
		o->code =
			pyd_err_set(o->err, PYD_LIMIT,
				    "a column of %zu bytes is too large", len);
	put(o, 0xc6, len, 4);
}

uint8_t *pyd_mp_put_bin(struct pyd_mp_out *o, size_t len)
{
	pyd_mp_put_bin_head(o, len);
	if (!o->code)
		o->code = pyd_buf_reserve(o->buf, len, o->err);
	if (o->code)
		return NULL;
	o->buf->len += len;
	return o->buf->data + o->buf->len - len;
}

static bool number(const uint8_t **p, const uint8_t *end, unsigned int width,
		   uint64_t *ret)
{
	uint64_t v = 0;

	if ((size_t)(end - *p) < width)
		return false;
	for (unsigned int i = 0; i < width; i++)
		v = v << 8 | (*p)[i];
	*p += width;
	*ret = v;
	return true;
}

static bool bytes(const uint8_t **p, const uint8_t *end, uint64_t len,
		  enum pyd_mp_type type, struct pyd_mp_head *ret)
{
	if ((uint64_t)(end - *p) < len)
		return false;
	ret->type = type;
	ret->s.data = *p;
	ret->s.len = (uint32_t)len;
	*p += len;
	return true;
}

static bool sint(uint64_t v, unsigned int width, struct pyd_mp_head *ret)
{
	unsigned int shift = 64 - 8 * width;
	int64_t i = (int64_t)(v << shift) >> shift;

	if (i >= 0) {
		ret->type = PYD_MP_UINT;
		ret->u = (uint64_t)i;
	} else {
		ret->type = PYD_MP_INT;
		ret->i = i;
	}
	return true;
}

static bool real(uint64_t v, unsigned int width, struct pyd_mp_head *ret)
{
	ret->type = PYD_MP_FLOAT;
	if (width == 4) {
		uint32_t v32 = (uint32_t)v;
		float f;

		memcpy(&f, &v32, sizeof(f));
		ret->d = (double)f;
	} else {
		memcpy(&ret->d, &v, sizeof(ret->d));
	}
	return true;
}

static bool counted(uint64_t n, enum pyd_mp_type type, struct pyd_mp_head *ret)
{
	ret->type = type;
	ret->n = (uint32_t)n;
	return true;
}

bool pyd_mp_head(const uint8_t **p, const uint8_t *end, struct pyd_mp_head *ret)
{
	uint64_t v;

	if (!number(p, end, 1, &v))
		return false;

	uint8_t tag = (uint8_t)v;

	if (tag < 0x80 || tag >= 0xe0)
		return sint(tag, 1, ret);
	if (tag < 0x90)
		return counted(tag & 15, PYD_MP_MAP, ret);
	if (tag < 0xa0)
		return counted(tag & 15, PYD_MP_ARRAY, ret);
	if (tag < 0xc0)
		return bytes(p, end, tag & 31, PYD_MP_STR, ret);

	/* The number that follows the tag, by the tag's own table. */
	static const uint8_t widths[32] = {
		0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8, /* c0 */
		1, 2, 4, 8, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4, /* d0 */
	};
	unsigned int width = widths[tag - 0xc0];

	if (!number(p, end, width, &v))
		return false;
	switch (tag) {
	case 0xc0:
		ret->type = PYD_MP_NIL;
		return true;
	case 0xc2:
	case 0xc3:
		ret->type = PYD_MP_BOOL;
		ret->b = tag == 0xc3;
		return true;
	case 0xc4:
	case 0xc5:
	case 0xc6:
		return bytes(p, end, v, PYD_MP_BIN, ret);
	case 0xc7:
	case 0xc8:
	case 0xc9:
		return bytes(p, end, v + 1, PYD_MP_EXT, ret);
	case 0xca:
	case 0xcb:
		return real(v, width, ret);
	case 0xcc:
	case 0xcd:
	case 0xce:
	case 0xcf:
		ret->type = PYD_MP_UINT;
		ret->u = v;
		return true;
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3:
		return sint(v, width, ret);
	case 0xd4:
	case 0xd5:
	case 0xd6:
	case 0xd7:
	case 0xd8:
		return bytes(p, end, (1ULL << (tag - 0xd4)) + 1, PYD_MP_EXT,
			     ret);
	case 0xd9:
	case 0xda:
	case 0xdb:
		return bytes(p, end, v, PYD_MP_STR, ret);
	case 0xdc:
	case 0xdd:
		return counted(v, PYD_MP_ARRAY, ret);
	case 0xde:
	case 0xdf:
		return counted(v, PYD_MP_MAP, ret);
	default:
		return false; /* 0xc1, never used */
	}
}

bool pyd_mp_skip(const uint8_t **p, const uint8_t *end)
{
	/* Values still to come at each level. A loop of at most as many turns
	 * as there are bytes: every head takes one or more. */
	uint64_t left[PYD_MP_DEPTH + 1] = { 1 };
	unsigned int depth = 0;

	for (;;) {
		struct pyd_mp_head h;

		while (!left[depth]) {
			if (!depth)
				return true;
			depth--;
		}
		left[depth]--;
		if (!pyd_mp_head(p, end, &h))
			return false;
		if (h.type != PYD_MP_ARRAY && h.type != PYD_MP_MAP)
			continue;
		if (depth == PYD_MP_DEPTH)
			return false;
		left[++depth] = h.type == PYD_MP_MAP ? 2 * (uint64_t)h.n : h.n;
	}
}
