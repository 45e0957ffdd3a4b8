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

/* The same of data that come in pieces: begin, add each, end. */
struct pyd_siphash_state {
	uint64_t a, b, c, d;
	uint64_t len;	 /* bytes so far */
	uint8_t tail[8]; /* the last len % 8 of them */
};
void pyd_siphash_begin(struct pyd_siphash_state *s,
		       const struct pyd_siphash_key *key);
void pyd_siphash_add(struct pyd_siphash_state *s, const void *data, size_t len);
uint64_t pyd_siphash_end(struct pyd_siphash_state *s);

uint64_t pyd_siphash(const struct pyd_siphash_key *key, const void *data,
		     size_t len);

#endif
