// SPDX-License-Identifier: Apache-2.0
/* int, bool, float, complex. Include/cpython/longintrepr.h */
#include "read/family.h"

enum {
	DIGIT_BITS = 30, /* PYLONG_BITS_IN_DIGIT of every LP64 build */
	DIGITS_MAX = 1 << 26,
};

static enum pyd_code shape(struct pyd_reader *r, const struct pyd_obj *o,
			   uint64_t *ret_digits, bool *ret_negative,
			   struct pyd_err *err)
{
	*ret_digits = pyd_obj_nitems(r, o);
	switch (r->lay->model_int) {
	case PYD_M_int_size:
		*ret_negative = PYD_OBJ_I64(r, o, object, ob_size) < 0;
		break;
	case PYD_M_int_tag: {
		/* 0 positive, 1 zero, 2 negative; bit 2 is immortality. */
		unsigned int sign =
			(unsigned int)PYD_OBJ_U64(r, o, long, lv_tag) & 3;

		if (sign == 3 || (sign == 1) != (*ret_digits == 0))
			return pyd_err_at(err, PYD_CORRUPT, o->addr,
					  "impossible sign of an int");
		*ret_negative = sign == 2;
		break;
	}
	}
	if (*ret_digits > DIGITS_MAX)
		return pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "impossible size of an int: %llu digits",
				  (unsigned long long)*ret_digits);
	return PYD_OK;
}

static enum pyd_code digits(struct pyd_reader *r, const struct pyd_obj *o,
			    uint64_t n, uint32_t *out, struct pyd_err *err)
{
	enum pyd_code code = pyd_target_read(
		r->target, o->addr + (uint64_t)PYD_OFF(r->lay, long, ob_digit),
		out, n * sizeof(*out), err);

	if (code)
		return code;
	for (uint64_t i = 0; i < n; i++)
		if (out[i] >> DIGIT_BITS)
			return pyd_err_at(err, PYD_CORRUPT, o->addr,
					  "impossible digit of an int");
	if (n && !out[n - 1])
		return pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "an int's highest digit is 0");
	return PYD_OK;
}

enum pyd_code pyd_obj_int(struct pyd_reader *r, const struct pyd_obj *o,
			  int64_t *ret, struct pyd_err *err)
{
	uint32_t d[3];
	uint64_t n;
	bool negative;
	enum pyd_code code = shape(r, o, &n, &negative, err);

	if (code)
		return code;
	if (n > 3)
		return pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "an int does not fit 64 bits");
	code = digits(r, o, n, d, err);
	if (code)
		return code;
	if (n == 3 && d[2] >= 8)
		return pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "an int does not fit 64 bits");

	uint64_t v = 0;

	for (uint64_t i = n; i > 0; i--)
		v = v << DIGIT_BITS | d[i - 1];
	*ret = negative ? -(int64_t)v : (int64_t)v;
	return PYD_OK;
}

/* Two's complement, little-endian, shortest form. */
static enum pyd_code append_int(struct pyd_buf *out, const uint32_t *d,
				uint64_t n, bool negative, struct pyd_err *err)
{
	enum pyd_code code = pyd_buf_reserve(out, n * 4 + 2, err);

	if (code)
		return code;

	uint64_t acc = 0;
	unsigned int bits = 0;
	size_t start = out->len;

	for (uint64_t i = 0; i < n; i++) {
		acc |= (uint64_t)d[i] << bits;
		for (bits += DIGIT_BITS; bits >= 8; bits -= 8) {
			out->data[out->len++] = (uint8_t)acc;
			acc >>= 8;
		}
	}
	out->data[out->len++] = (uint8_t)acc;
	out->data[out->len++] = 0;
	if (negative) {
		unsigned int carry = 1;

		for (size_t i = start; i < out->len; i++) {
			carry += (uint8_t)~out->data[i];
			out->data[i] = (uint8_t)carry;
			carry >>= 8;
		}
	}
	while (out->len > start + 1) {
		uint8_t last = out->data[out->len - 1];
		uint8_t below = out->data[out->len - 2] & 0x80;

		if (!((last == 0 && !below) || (last == 0xff && below)))
			break;
		out->len--;
	}
	if (out->len == start + 1 && out->data[start] == 0)
		out->len--;
	return PYD_OK;
}

enum pyd_code pyd_read_int(struct pyd_reader *r, const struct pyd_obj *o,
			   struct pyd_node *n, struct pyd_err *err)
{
	uint32_t small[16];
	uint32_t *d = small;
	uint64_t count;
	bool negative;
	enum pyd_code code = shape(r, o, &count, &negative, err);

	if (code)
		return code;
	/* tp_basicsize counts one digit from 3.12 on and none before. */
	n->size = (uint64_t)PYD_OFF(r->lay, long, ob_digit) +
		  (count ? count : 1) * sizeof(*d);
	if (count > sizeof(small) / sizeof(small[0])) {
		pyd_buf_clear(&r->bytes);
		code = pyd_buf_reserve(&r->bytes, count * sizeof(*d), err);
		if (code)
			return code;
		d = (uint32_t *)(void *)r->bytes.data;
	}
	code = digits(r, o, count, d, err);
	if (code)
		return code;
	return append_int(&n->value, d, count, negative, err);
}

enum pyd_code pyd_read_bool(struct pyd_reader *r, const struct pyd_obj *o,
			    struct pyd_node *n, struct pyd_err *err)
{
	uint64_t count;
	bool negative;
	enum pyd_code code = shape(r, o, &count, &negative, err);

	if (code)
		return code;
	if (count > 1 || negative)
		return pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "a bool is neither True nor False");

	uint8_t value = count != 0;

	return pyd_buf_append(&n->value, &value, 1, err);
}

static enum pyd_code append_bytes(const struct pyd_obj *o, int32_t off,
				  size_t len, struct pyd_node *n,
				  struct pyd_err *err)
{
	if (off < 0 || (size_t)off + len > o->len)
		return pyd_err_at(err, PYD_CORRUPT, o->addr,
				  "a %s is too small", o->type->name);
	return pyd_buf_append(&n->value, o->bytes + off, len, err);
}

enum pyd_code pyd_read_float(struct pyd_reader *r, const struct pyd_obj *o,
			     struct pyd_node *n, struct pyd_err *err)
{
	return append_bytes(o, PYD_OFF(r->lay, float, ob_fval), 8, n, err);
}

enum pyd_code pyd_read_complex(struct pyd_reader *r, const struct pyd_obj *o,
			       struct pyd_node *n, struct pyd_err *err)
{
	return append_bytes(o, PYD_OFF(r->lay, complex, cval), 16, n, err);
}
