// SPDX-License-Identifier: Apache-2.0
#include "walk/visited.h"

#include <stdlib.h>

enum {
	PIECE_SHIFT = 20,
	PIECE_WORDS = (1 << PIECE_SHIFT) / 8 / 64,
	WILD_MAX = 1 << 20,
};

static bool wild(struct pyd_visited *v, const struct pyd_target *t,
		 pyd_addr addr)
{
	if (addr % 8)
		return true;
	if (!t->nregions)
		return false;
	if (v->region && addr >= v->region->start && addr < v->region->end)
		return false;
	v->region = pyd_target_region(t, addr);
	return !v->region;
}

/* Which bit of which word of its piece an address is. */
static uint64_t *bit_of(uint64_t *piece, pyd_addr addr, uint64_t *ret_mask)
{
	uint64_t bit = addr >> 3 & ((1ULL << (PIECE_SHIFT - 3)) - 1);

	*ret_mask = 1ULL << (bit & 63);
	return &piece[bit >> 6];
}

enum pyd_code pyd_visited_add(struct pyd_visited *v, const struct pyd_target *t,
			      pyd_addr addr, bool *ret_new, struct pyd_err *err)
{
	uint64_t key = addr >> PIECE_SHIFT, found, mask, *word;
	enum pyd_code code;

	if (wild(v, t, addr)) {
		*ret_new = v->wild.len < WILD_MAX &&
			   !pyd_map_get(&v->wild, addr, &found);
		return *ret_new ? pyd_map_put(&v->wild, addr, 1, err) : PYD_OK;
	}
	if (!v->last || key != v->last_key) {
		/* Key 0 is the map's "empty": addresses below 1 MiB. */
		if (!pyd_map_get(&v->pieces, key + 1, &found)) {
			uint64_t *piece = calloc(PIECE_WORDS, sizeof(*piece));

			if (!piece)
				return pyd_err_set(err, PYD_NOMEM,
						   "out of memory for the "
						   "visited set");
			found = (uint64_t)(uintptr_t)piece;
			code = pyd_map_put(&v->pieces, key + 1, found, err);
			if (code) {
				free(piece);
				return code;
			}
		}
		v->last = (uint64_t *)(uintptr_t)found;
		v->last_key = key;
	}
	word = bit_of(v->last, addr, &mask);
	*ret_new = !(*word & mask);
	*word |= mask;
	return PYD_OK;
}

bool pyd_visited_has(const struct pyd_visited *v, pyd_addr addr)
{
	uint64_t found, mask, *word;

	if (pyd_map_get(&v->wild, addr, &found))
		return true;
	if (addr % 8 ||
	    !pyd_map_get(&v->pieces, (addr >> PIECE_SHIFT) + 1, &found))
		return false;
	word = bit_of((uint64_t *)(uintptr_t)found, addr, &mask);
	return *word & mask;
}

void pyd_visited_deinit(struct pyd_visited *v)
{
	for (size_t i = 0; i < v->pieces.cap; i++)
		if (v->pieces.slots[2 * i])
			free((void *)(uintptr_t)v->pieces.slots[2 * i + 1]);
	pyd_map_deinit(&v->pieces);
	pyd_map_deinit(&v->wild);
	*v = (struct pyd_visited) { 0 };
}
