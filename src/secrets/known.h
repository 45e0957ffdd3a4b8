/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrets that were found so far, as keyed hashes and not as texts: to
 * find them again where no rule would, alone or inside longer texts.
 */
#ifndef PYD_SECRETS_KNOWN_H
#define PYD_SECRETS_KNOWN_H

#include "base/map.h"
#include "base/siphash.h"
#include "secrets/match.h"
#include "secrets/pieces.h"

enum { PYD_KNOWN_LENGTHS = 4096 };

struct pyd_known_entry {
	uint64_t hash;
	uint32_t len;
	uint8_t first, last; /* characters; looked at before the hash */
};

/* Five bytes of a secret at one of four offsets that follow one another: a
 * look at every fourth place of a text meets one of them. */
struct pyd_known_gram {
	uint64_t bytes;
	uint32_t entry;
	uint32_t offset;
	uint32_t next; /* + 1, of those with the same bytes */
};

struct pyd_known {
	struct pyd_siphash_key key;
	struct pyd_known_entry *v;
	size_t n, cap;
	struct pyd_map by_hash;
	uint64_t lengths[PYD_KNOWN_LENGTHS / 64];
	struct pyd_known_gram *grams;
	size_t ngrams, grams_cap;
	struct pyd_map chains; /* bytes + 1 -> gram + 1 */
	uint64_t *bloom;
	unsigned int bits; /* log2 of its bits; 0: none */
};

/* With a key of its own. */
PYD_MUST_CHECK enum pyd_code pyd_known_init(struct pyd_known *k,
					    struct pyd_err *err);
void pyd_known_deinit(struct pyd_known *k);

/* Adds a secret. What is short, or a plain word, is only found alone. */
PYD_MUST_CHECK enum pyd_code pyd_known_add(struct pyd_known *k,
					   const uint8_t *s, size_t n,
					   struct pyd_err *err);
/* True when the text is one, as a whole. */
bool pyd_known_is(const struct pyd_known *k, const uint8_t *s, size_t n);
/* Appends the places of known secrets in the text. In one that is all but made
 * of a long one, a place that only looks like it may be among them: the time
 * for a text is bounded. */
PYD_MUST_CHECK enum pyd_code pyd_known_find(const struct pyd_known *k,
					    const uint8_t *s, size_t n,
					    size_t rule, struct pyd_spans *out,
					    struct pyd_err *err);

/* The same for texts that are not in memory. More than PYD_MATCH_SPANS places
 * are one that is all of it. */
PYD_MUST_CHECK enum pyd_code pyd_known_add_in(struct pyd_known *k,
					      const struct pyd_pieces *p,
					      bool words, struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_known_is_in(const struct pyd_known *k,
					     const struct pyd_pieces *p,
					     bool *ret, struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_known_find_in(const struct pyd_known *k,
					       const struct pyd_pieces *p,
					       size_t rule,
					       struct pyd_spans *out,
					       struct pyd_err *err);

#endif
