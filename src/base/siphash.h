/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-2-4: a keyed hash. Without the key nothing can be learned from it
 * about what was hashed, not even by trying all likely texts.
 */
#ifndef PYD_BASE_SIPHASH_H
#define PYD_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct pyd_siphash_key {
	uint64_t k0, k1;
};

uint64_t pyd_siphash(const struct pyd_siphash_key *key, const void *data,
		     size_t len);

#endif
