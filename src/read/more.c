// SPDX-License-Identifier: Apache-2.0
#include "read/more.h"

#include "read/object.h"

/* Has the references of n entries stand one behind the other in their place.
 * Returns how many. */
static size_t gather(const struct pyd_more *m, uint64_t *words, size_t n)
{
	const uint64_t *from = words;
	uint64_t *to = words;

	switch (m->kind) {
	case PYD_MORE_ITEMS:
		return n;
	case PYD_MORE_PAIRS:
		for (; n; n--, from += m->words) {
			uint64_t key = from[m->words - 2];
			uint64_t value = from[m->words - 1];

			if (!key || !value)
				continue;
			*to++ = key;
			*to++ = value;
		}
		break;
	case PYD_MORE_KEYS:
		for (; n; n--, from += m->words)
			if (from[0] && from[1] != UINT64_MAX)
				*to++ = from[0];
		break;
	}
	return (size_t)(to - words);
}

enum pyd_code pyd_more_next(const struct pyd_more *m, uint64_t *at,
			    uint64_t *words, size_t *ret, struct pyd_err *err)
{
	const uint64_t most = PYD_MORE_WORDS / m->words;
	size_t got = 0;

	/* There may be nothing in all of some entries. */
	while (!got && *at < m->entries) {
		uint64_t n = m->entries - *at;
		enum pyd_code code;

		n = n < most ? n : most;
		code = pyd_target_read(m->target, m->at + *at * m->words * 8,
				       words, n * m->words * 8, err);
		if (code)
			return code;
		got = gather(m, words, n);
		*at += n;
	}
	*ret = got;
	return PYD_OK;
}

enum pyd_code pyd_more_count(struct pyd_more *m, struct pyd_err *err)
{
	uint64_t words[PYD_MORE_WORDS], at = 0;
	uint64_t n = 0, all = UINT64_MAX, any = 0;
	size_t got;

	if (!pyd_is_mapped(m->target, m->at, m->entries * m->words * 8))
		return pyd_err_at(err, PYD_FAULT, m->at,
				  "items are not mapped");
	for (;;) {
		enum pyd_code code = pyd_more_next(m, &at, words, &got, err);

		if (code)
			return code;
		if (!got)
			break;
		for (size_t i = 0; i < got; i++) {
			all &= words[i];
			any |= words[i];
		}
		n += got;
	}
	m->n = n;
	m->all = all;
	m->any = any;
	return PYD_OK;
}
