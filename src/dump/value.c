// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "dump/mp.h"
#include "pydumpd/dump.h"

static bool head(struct pyd_dump_value v, const uint8_t **p,
		 struct pyd_mp_head *ret)
{
	*p = v.at;
	return v.at && pyd_mp_head(p, v.end, ret);
}

enum pyd_dump_type pyd_dump_value_type(struct pyd_dump_value v)
{
	static const enum pyd_dump_type types[] = {
		[PYD_MP_NIL] = PYD_DUMP_NIL,	[PYD_MP_BOOL] = PYD_DUMP_BOOL,
		[PYD_MP_UINT] = PYD_DUMP_INT,	[PYD_MP_INT] = PYD_DUMP_INT,
		[PYD_MP_STR] = PYD_DUMP_TEXT,	[PYD_MP_BIN] = PYD_DUMP_BYTES,
		[PYD_MP_ARRAY] = PYD_DUMP_LIST, [PYD_MP_MAP] = PYD_DUMP_MAP,
		[PYD_MP_EXT] = PYD_DUMP_OTHER,	[PYD_MP_FLOAT] = PYD_DUMP_FLOAT,
	};
	struct pyd_mp_head h;
	const uint8_t *p;

	return head(v, &p, &h) ? types[h.type] : PYD_DUMP_NIL;
}

size_t pyd_dump_value_len(struct pyd_dump_value v)
{
	struct pyd_mp_head h;
	const uint8_t *p;

	if (!head(v, &p, &h))
		return 0;
	if (h.type == PYD_MP_ARRAY || h.type == PYD_MP_MAP)
		return h.n;
	if (h.type == PYD_MP_STR || h.type == PYD_MP_BIN)
		return h.s.len;
	return 0;
}

struct pyd_dump_value pyd_dump_value_get(struct pyd_dump_value v,
					 const char *key)
{
	struct pyd_dump_iter it = pyd_dump_value_iter(v);
	struct pyd_dump_value k, ret;
	size_t len = strlen(key);

	while (it.map && pyd_dump_iter_next(&it, &k, &ret)) {
		const char *s;
		size_t n;

		if (pyd_dump_value_text(k, &s, &n) && n == len &&
		    !memcmp(s, key, n))
			return ret;
	}
	return (struct pyd_dump_value) { 0 };
}

bool pyd_dump_value_u64(struct pyd_dump_value v, uint64_t *ret)
{
	struct pyd_mp_head h;
	const uint8_t *p;

	if (!head(v, &p, &h) || h.type != PYD_MP_UINT)
		return false;
	*ret = h.u;
	return true;
}

bool pyd_dump_value_i64(struct pyd_dump_value v, int64_t *ret)
{
	struct pyd_mp_head h;
	const uint8_t *p;

	if (!head(v, &p, &h))
		return false;
	if (h.type == PYD_MP_INT)
		*ret = h.i;
	else if (h.type == PYD_MP_UINT && h.u <= INT64_MAX)
		*ret = (int64_t)h.u;
	else
		return false;
	return true;
}

bool pyd_dump_value_bool(struct pyd_dump_value v, bool *ret)
{
	struct pyd_mp_head h;
	const uint8_t *p;

	if (!head(v, &p, &h) || h.type != PYD_MP_BOOL)
		return false;
	*ret = h.b;
	return true;
}

bool pyd_dump_value_float(struct pyd_dump_value v, double *ret)
{
	struct pyd_mp_head h;
	const uint8_t *p;

	if (!head(v, &p, &h) || h.type != PYD_MP_FLOAT)
		return false;
	*ret = h.d;
	return true;
}

bool pyd_dump_value_text(struct pyd_dump_value v, const char **ret,
			 size_t *ret_len)
{
	struct pyd_mp_head h;
	const uint8_t *p;

	if (!head(v, &p, &h) || (h.type != PYD_MP_STR && h.type != PYD_MP_BIN))
		return false;
	*ret = (const char *)h.s.data;
	*ret_len = h.s.len;
	return true;
}

struct pyd_dump_iter pyd_dump_value_iter(struct pyd_dump_value v)
{
	struct pyd_dump_iter it = { .end = v.end };
	struct pyd_mp_head h;

	if (!head(v, &it.at, &h) ||
	    (h.type != PYD_MP_ARRAY && h.type != PYD_MP_MAP))
		return it;
	it.left = h.n;
	it.map = h.type == PYD_MP_MAP;
	return it;
}

static bool take(struct pyd_dump_iter *it, struct pyd_dump_value *ret)
{
	const uint8_t *start = it->at;

	if (!pyd_mp_skip(&it->at, it->end))
		return false;
	*ret = (struct pyd_dump_value) { .at = start, .end = it->at };
	return true;
}

bool pyd_dump_iter_next(struct pyd_dump_iter *it, struct pyd_dump_value *key,
			struct pyd_dump_value *value)
{
	struct pyd_dump_value none = { 0 };

	if (!it->left)
		return false;
	it->left--;
	if ((it->map && !take(it, &none)) || !take(it, value)) {
		it->left = 0;
		return false;
	}
	if (key)
		*key = none;
	return true;
}
