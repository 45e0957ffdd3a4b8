/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash map from u64 to u64 (open addressing, no deletion). Keys may be any
 * value but 0. Zero-initialised is empty and valid. Used for per-type caches
 * and interning, not for the visited set.
 */
#ifndef PYD_BASE_MAP_H
#define PYD_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct pyd_map {
	uint64_t *slots; /* key, value pairs */
	size_t cap;	 /* power of two, or 0 */
	size_t len;
};

bool pyd_map_get(const struct pyd_map *m, uint64_t key, uint64_t *ret);
/* Inserts or replaces. */
PYD_MUST_CHECK enum pyd_code pyd_map_put(struct pyd_map *m, uint64_t key,
					 uint64_t value, struct pyd_err *err);
void pyd_map_clear(struct pyd_map *m);
void pyd_map_deinit(struct pyd_map *m);

#endif
