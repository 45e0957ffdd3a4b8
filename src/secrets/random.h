/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long random tokens: whether a run of token characters was drawn by chance or
 * made of words, numbers and paths.
 */
#ifndef PYD_SECRETS_RANDOM_H
#define PYD_SECRETS_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PYD_RANDOM_MIN = 20,
	/* What is longer is a content in base64 and no key. */
	PYD_RANDOM_MAX = 512,
};

/* Letters, digits and "_-+/=". */
extern const uint8_t pyd_token_class[256];
static inline bool pyd_is_token(uint8_t c)
{
	return pyd_token_class[c] != 0;
}

/* A run of nothing but token characters. Hexadecimal digests and UUIDs are
 * none. */
bool pyd_is_random(const uint8_t *s, size_t n);

#endif
