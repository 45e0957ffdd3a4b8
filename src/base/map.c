// SPDX-License-Identifier: Apache-2.0
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

static size_t slot_of(const struct pyd_map *m, uint64_t key)
{
	/* Fibonacci hashing: addresses differ in their middle bits. */
	uint64_t h = key * 0x9E3779B97F4A7C15ULL;
	size_t i = (size_t)(h >> 20) & (m->cap - 1);

	while (m->slots[2 * i] && m->slots[2 * i] != key)
		i = (i + 1) & (m->cap - 1);
	return i;
}

bool pyd_map_get(const struct pyd_map *m, uint64_t key, uint64_t *ret)
{
	if (!m->cap || !key)
		return false;

	size_t i = slot_of(m, key);

	if (!m->slots[2 * i])
		return false;
	*ret = m->slots[2 * i + 1];
	return true;
}

static enum pyd_code grow(struct pyd_map *m, struct pyd_err *err)
{
	struct pyd_map next = { .cap = m->cap ? m->cap * 2 : 64,
				.len = m->len };

	next.slots = calloc(next.cap, 2 * sizeof(*next.slots));
	if (!next.slots)
		return pyd_err_set(err, PYD_NOMEM,
				   "out of memory for a table of %zu entries",
				   next.cap);
	for (size_t i = 0; i < m->cap; i++) {
		if (!m->slots[2 * i])
			continue;
		size_t j = slot_of(&next, m->slots[2 * i]);
		next.slots[2 * j] = m->slots[2 * i];
		next.slots[2 * j + 1] = m->slots[2 * i + 1];
	}
	free(m->slots);
	*m = next;
	return PYD_OK;
}

enum pyd_code pyd_map_put(struct pyd_map *m, uint64_t key, uint64_t value,
			  struct pyd_err *err)
{
	if (!key)
		return pyd_err_set(err, PYD_CORRUPT, "a map has no key 0");
	if (m->len + 1 > m->cap - m->cap / 3) {
		enum pyd_code code = grow(m, err);

		if (code)
			return code;
	}

	size_t i = slot_of(m, key);

	if (!m->slots[2 * i]) {
		m->slots[2 * i] = key;
		m->len++;
	}
	m->slots[2 * i + 1] = value;
	return PYD_OK;
}

void pyd_map_clear(struct pyd_map *m)
{
	if (m->cap)
		memset(m->slots, 0, m->cap * 2 * sizeof(*m->slots));
	m->len = 0;
}

void pyd_map_deinit(struct pyd_map *m)
{
	free(m->slots);
	*m = (struct pyd_map) { 0 };
}
