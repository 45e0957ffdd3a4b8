// SPDX-License-Identifier: Apache-2.0
#include "read/long.h"

#include <assert.h>
#include <stdlib.h>

#include "read/chars.h"
#include "target/target.h"

enum {
	READ_BYTES = 64 << 10, /* that are read of the target at once */
	/* A character has no more bytes in UTF-8. */
	CHAR_MAX_BYTES = 4,
};

static bool is_tail(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

/* Units are the bytes of the value. */
static bool is_plain(const struct pyd_long *l)
{
	return !l->limit || l->limit == PYD_CHARS_ASCII;
}

void pyd_long_deinit(struct pyd_long *l)
{
	free(l->starts);
	free(l->masks);
	pyd_buf_deinit(&l->decoded);
	*l = (struct pyd_long) { 0 };
}

/* -- the raw value -- */

/* Step k as UTF-8 becomes l->decoded. */
static enum pyd_code decode(struct pyd_long *l, size_t k, pyd_addr addr,
			    struct pyd_err *err)
{
	uint8_t raw[READ_BYTES];
	uint64_t first = (uint64_t)k * l->step;
	size_t n = l->units - first < l->step ? (size_t)(l->units - first)
					      : l->step;
	uint32_t bad = 0;
	enum pyd_code code;

	l->which = SIZE_MAX;
	pyd_buf_clear(&l->decoded);
	code = pyd_buf_reserve(&l->decoded, n * CHAR_MAX_BYTES, err);
	if (!code)
		code = pyd_target_read(l->target, l->at + first * l->width, raw,
				       n * l->width, err);
	if (code)
		return code;
	l->decoded.len = pyd_chars_utf8(raw, n, l->width, l->limit,
					l->decoded.data, &bad);
	if (l->decoded.len == SIZE_MAX) {
		l->decoded.len = 0;
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "a str has the impossible character 0x%x",
				  bad);
	}
	l->which = k;
	return PYD_OK;
}

static enum pyd_code open_plain(struct pyd_long *l, pyd_addr addr,
				struct pyd_err *err)
{
	uint8_t raw[READ_BYTES];

	for (uint64_t done = 0; done < l->units;) {
		uint64_t left = l->units - done;
		size_t n = left < READ_BYTES ? (size_t)left : READ_BYTES;
		enum pyd_code code =
			pyd_target_read(l->target, l->at + done, raw, n, err);

		if (code)
			return code;
		if (l->limit && !pyd_chars_ascii(raw, n))
			return pyd_err_at(err, PYD_CORRUPT, addr,
					  "an ASCII str has other bytes");
		done += n;
	}
	l->raw = l->units;
	return PYD_OK;
}

enum pyd_code pyd_long_open(struct pyd_long *l, pyd_addr addr,
			    struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	l->which = SIZE_MAX;
	l->step = READ_BYTES / l->width;
	if (is_plain(l)) {
		code = open_plain(l, addr, err);
	} else {
		l->nsteps = (size_t)((l->units + l->step - 1) / l->step);
		l->starts = calloc(l->nsteps, sizeof(*l->starts));
		if (!l->starts)
			code = pyd_err_set(err, PYD_NOMEM, "out of memory");
		for (size_t k = 0; k < l->nsteps && !code; k++) {
			code = decode(l, k, addr, err);
			l->starts[k] = l->raw;
			l->raw += l->decoded.len;
		}
	}
	if (code)
		pyd_long_deinit(l);
	l->len = l->raw;
	return code;
}

static enum pyd_code changed(struct pyd_err *err)
{
	return pyd_err_set(err, PYD_IO,
			   "memory of the target changed while it was read; "
			   "dump it again");
}

enum pyd_code pyd_long_read(struct pyd_long *l, uint64_t at, uint8_t *to,
			    size_t n, struct pyd_err *err)
{
	size_t low = 0, high = l->nsteps;

	assert(at <= l->raw && n <= l->raw - at);
	if (is_plain(l))
		return pyd_target_read(l->target, l->at + at, to, n, err);
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (l->starts[middle] <= at)
			low = middle;
		else
			high = middle;
	}
	for (size_t k = low; n; k++) {
		size_t from, some;
		enum pyd_code code = k < l->nsteps ? PYD_OK : changed(err);

		if (!code && l->which != k)
			code = decode(l, k, l->at, err);
		if (code)
			return code;
		from = (size_t)(at - l->starts[k]);
		if (from >= l->decoded.len)
			code = changed(err);
		if (code)
			return code;
		some = l->decoded.len - from < n ? l->decoded.len - from : n;
		memcpy(to, l->decoded.data + from, some);
		to += some;
		at += some;
		n -= some;
	}
	return PYD_OK;
}

/* -- masks -- */

/* Makes the mask one of whole characters, behind `least`; *ret_tails: bytes of
 * it that are no first ones. */
static enum pyd_code whole_chars(struct pyd_long *l, uint64_t least,
				 struct pyd_long_mask *m, uint64_t *ret_tails,
				 struct pyd_err *err)
{
	uint8_t buf[PYD_LONG_STEP];
	uint64_t from = m->at, end = m->at + m->len, tails = 0;
	enum pyd_code code = PYD_OK;

	for (; from > least; from--) {
		code = pyd_long_read(l, from, buf, 1, err);
		if (code)
			return code;
		if (!is_tail(buf[0]))
			break;
	}
	for (; end < l->raw; end++) {
		code = pyd_long_read(l, end, buf, 1, err);
		if (code)
			return code;
		if (!is_tail(buf[0]))
			break;
	}
	from = from < least ? least : from;
	end = end < from ? from : end;
	for (uint64_t at = from; at < end;) {
		size_t n = end - at < sizeof(buf) ? (size_t)(end - at)
						  : sizeof(buf);

		code = pyd_long_read(l, at, buf, n, err);
		if (code)
			return code;
		for (size_t i = 0; i < n; i++)
			tails += is_tail(buf[i]);
		at += n;
	}
	*m = (struct pyd_long_mask) { from, end - from };
	*ret_tails = tails;
	return PYD_OK;
}

enum pyd_code pyd_long_mask(struct pyd_long *l, struct pyd_long_mask *masks,
			    size_t n, struct pyd_err *err)
{
	uint64_t last = 0;

	free(l->masks);
	l->masks = masks;
	l->nmasks = 0;
	l->len = l->raw;
	for (size_t i = 0; i < n && masks[i].at < l->raw; i++) {
		struct pyd_long_mask m = masks[i];
		uint64_t tails = 0;
		enum pyd_code code = PYD_OK;

		if (m.len > l->raw - m.at)
			m.len = l->raw - m.at;
		if (!is_plain(l))
			code = whole_chars(l, last, &m, &tails, err);
		if (code)
			return code;
		last = m.at + m.len;
		l->len -= tails;
		masks[l->nmasks++] = m;
	}
	return PYD_OK;
}

/* -- as it is written -- */

/* What n bytes at s, which are those from `at` on, become; in place. */
static size_t apply(const struct pyd_long *l, struct pyd_long_pos *pos,
		    uint64_t at, uint8_t *s, size_t n)
{
	size_t to = 0;

	for (size_t i = 0; i < n;) {
		const struct pyd_long_mask *m = &l->masks[pos->mask];
		uint64_t here = at + i, end = at + n;

		if (pos->mask == l->nmasks || m->at >= end) {
			memmove(s + to, s + i, n - i);
			return to + n - i;
		}
		if (here >= m->at + m->len) {
			pos->mask++;
			continue;
		}
		if (here < m->at) {
			memmove(s + to, s + i, (size_t)(m->at - here));
			to += (size_t)(m->at - here);
			i += (size_t)(m->at - here);
			continue;
		}
		end = end < m->at + m->len ? end : m->at + m->len;
		for (; at + i < end; i++)
			if (s[i] == '\n')
				s[to++] = '\n';
			else if (is_plain(l) || !is_tail(s[i]))
				s[to++] = '*';
	}
	return to;
}

enum pyd_code pyd_long_next(struct pyd_long *l, struct pyd_long_pos *pos,
			    uint8_t *to, size_t *ret, struct pyd_err *err)
{
	size_t made = 0;

	/* All of a piece may be the rest of a character. */
	while (!made && pos->written < l->len) {
		uint64_t left = l->raw - pos->read;
		size_t n = left < PYD_LONG_STEP ? (size_t)left : PYD_LONG_STEP;
		enum pyd_code code = n ? pyd_long_read(l, pos->read, to, n, err)
				       : changed(err);

		if (code)
			return code;
		made = l->nmasks ? apply(l, pos, pos->read, to, n) : n;
		pos->read += n;
		if (made > l->len - pos->written)
			made = (size_t)(l->len - pos->written);
		pos->written += made;
	}
	*ret = made;
	return PYD_OK;
}

enum pyd_code pyd_long_cut(struct pyd_long *l, uint64_t max,
			   struct pyd_err *err)
{
	uint8_t buf[PYD_LONG_STEP];
	struct pyd_long_pos pos = { 0 };
	uint64_t at = 0, cut = 0;

	if (l->len <= max)
		return PYD_OK;
	if (is_plain(l)) {
		l->len = max;
		return PYD_OK;
	}
	while (at <= max) {
		size_t n;
		enum pyd_code code = pyd_long_next(l, &pos, buf, &n, err);

		if (code)
			return code;
		if (!n)
			break;
		/* The last place up to there where a character begins. */
		for (size_t i = 0; i < n && at + i <= max; i++)
			cut = is_tail(buf[i]) ? cut : at + i;
		at += n;
	}
	l->len = cut;
	return PYD_OK;
}
