// SPDX-License-Identifier: Apache-2.0
/*
 * decimal.Decimal: an mpd_t of libmpdec, as the text that str() gives.
 * Modules/_decimal/libmpdec/mpdecimal.h
 */
#include <inttypes.h>
#include <stdio.h>

#include "read/limit.h"
#include "read/record.h"

enum {
	READABLE_DIGITS = 4096,
	/* mpd_t.flags */
	NEGATIVE = 1,
	INFINITE = 2,
	QUIET_NAN = 4,
	SIGNALING_NAN = 8,
	WORD_DIGITS = 19, /* of a word, on every 64-bit machine */
	CHUNK = 512,	  /* words read at once */
	/* A number below one is written out with at most so many zeros behind
	 * the point (to-scientific-string of the General Decimal Arithmetic
	 * specification). */
	ZEROS_MAX = 6,
};

#define WORD_LIMIT UINT64_C(10000000000000000000)
/* What no exponent reaches, and no sum of two overflows. */
#define EXPONENT_MAX (INT64_C(1) << 61)

struct number {
	uint64_t flags;
	int64_t exponent; /* of the last digit */
	uint64_t digits;  /* of the coefficient */
	uint64_t words;	  /* least significant first */
	pyd_addr data;
};

static unsigned int count_digits(uint64_t w)
{
	unsigned int n = 1;

	while (w >= 10) {
		w /= 10;
		n++;
	}
	return n;
}

/* Appends the first `want` digits of the coefficient. */
static enum pyd_code put_digits(struct pyd_reader *r, const struct number *d,
				uint64_t want, struct pyd_buf *out,
				struct pyd_err *err)
{
	uint64_t words[CHUNK], left = d->words;
	size_t end = out->len + want;

	while (left && out->len < end) {
		uint64_t n = left < CHUNK ? left : CHUNK;
		enum pyd_code code;

		code = pyd_target_read(r->target, d->data + (left - n) * 8,
				       words, n * 8, err);
		if (code)
			return code;
		for (uint64_t i = n; i-- && out->len < end;) {
			bool first = left == d->words && i == n - 1;
			char text[WORD_DIGITS + 2];
			uint64_t len;

			if (words[i] >= WORD_LIMIT ||
			    (first &&
			     count_digits(words[i]) +
					     (d->words - 1) * WORD_DIGITS !=
				     d->digits))
				return pyd_err_at(err, PYD_CORRUPT, d->data,
						  "impossible digits of a "
						  "Decimal");
			len = (uint64_t)snprintf(
				text, sizeof(text),
				first ? "%" PRIu64 : "%019" PRIu64, words[i]);
			if (len > end - out->len)
				len = end - out->len;
			code = pyd_buf_append(out, text, len, err);
			if (code)
				return code;
		}
		left -= n;
	}
	return PYD_OK;
}

static enum pyd_code put(struct pyd_buf *out, const char *text,
			 struct pyd_err *err)
{
	return pyd_buf_append(out, text, strlen(text), err);
}

/* Puts a point, and zeros before it, into the digits that begin at `start`, so
 * that `whole` digits are before it (none or less: zeros behind it). */
static enum pyd_code put_point(struct pyd_buf *out, size_t start, int64_t whole,
			       struct pyd_err *err)
{
	static const char zeros[] = "0.00000000";
	size_t n = whole > 0 ? 1 : (size_t)(2 - whole);
	size_t at = whole > 0 ? start + (size_t)whole : start;
	enum pyd_code code = pyd_buf_reserve(out, n, err);

	if (code)
		return code;
	memmove(out->data + at + n, out->data + at, out->len - at);
	memcpy(out->data + at, whole > 0 ? "." : zeros, n);
	out->len += n;
	return PYD_OK;
}

static enum pyd_code put_finite(struct pyd_reader *r, const struct number *d,
				struct pyd_buf *out, struct pyd_err *err)
{
	int64_t adjusted = d->exponent + (int64_t)d->digits - 1;
	size_t start = out->len;
	char text[32];
	enum pyd_code code = put_digits(r, d, d->digits, out, err);

	if (code)
		return code;
	if (d->exponent <= 0 && adjusted >= -ZEROS_MAX) {
		if (!d->exponent)
			return PYD_OK;
		return put_point(out, start, adjusted + 1, err);
	}
	if (d->digits > 1) {
		code = put_point(out, start, 1, err);
		if (code)
			return code;
	}
	snprintf(text, sizeof(text), "E%+" PRId64, adjusted);
	return put(out, text, err);
}

static enum pyd_code check(const struct pyd_record *rec, const struct number *d,
			   struct pyd_err *err)
{
	bool finite = !(d->flags & (INFINITE | QUIET_NAN | SIGNALING_NAN));

	if (pyd_record_u64(rec, "word_digits") != WORD_DIGITS)
		return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
				  "a Decimal of words that are not known");
	if ((finite && !d->words) || d->digits > (1ULL << 40) ||
	    (d->digits + WORD_DIGITS - 1) / WORD_DIGITS != d->words ||
	    d->exponent > EXPONENT_MAX || d->exponent < -EXPONENT_MAX)
		return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
				  "impossible length or exponent of a Decimal");
	return PYD_OK;
}

/*
 * Fields: flags, exp, digits, len (words), data; constant: word_digits. Adds
 * "text". A cut one has the first digits alone, and their number as total;
 * numbers that a person could read are not cut.
 */
enum pyd_code pyd_record_decimal(struct pyd_reader *r,
				 const struct pyd_record *rec,
				 struct pyd_node *n, struct pyd_err *err)
{
	struct number d = {
		.flags = pyd_record_u64(rec, "flags"),
		.exponent = pyd_record_i64(rec, "exp"),
		.digits = pyd_record_u64(rec, "digits"),
		.words = pyd_record_u64(rec, "len"),
		.data = pyd_record_u64(rec, "data"),
	};
	uint64_t max = pyd_limit_string(r);
	struct pyd_buf *out = &r->bytes;
	bool infinite = d.flags & INFINITE;
	bool nan = d.flags & (QUIET_NAN | SIGNALING_NAN);
	enum pyd_code code = PYD_OK;

	if (!infinite) {
		code = check(rec, &d, err);
		if (code)
			return code;
		if (!pyd_is_mapped(r->target, d.data, d.words * 8))
			return pyd_err_at(err, PYD_FAULT, d.data,
					  "digits are not mapped");
	}
	if (max < READABLE_DIGITS)
		max = READABLE_DIGITS;
	pyd_buf_clear(out);
	if (d.flags & NEGATIVE)
		code = put(out, "-", err);
	if (code)
		return code;
	if (infinite)
		code = put(out, "Infinity", err);
	else if (nan)
		code = put(out, d.flags & SIGNALING_NAN ? "sNaN" : "NaN", err);
	if (code)
		return code;
	if (!infinite && d.digits > max) {
		code = put_digits(r, &d, max, out, err);
		pyd_record_cut(n, "text", d.digits);
	} else if (nan && d.digits) {
		code = put_digits(r, &d, d.digits, out, err);
	} else if (!infinite && !nan) {
		code = put_finite(r, &d, out, err);
	}
	if (code)
		return code;
	return pyd_node_blob(n, PYD_ORIGIN_TEXT, "text", out->data, out->len,
			     err);
}
