/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 as Python has it: lone surrogates may occur, as three bytes each. */
#ifndef PYD_BASE_UTF8_H
#define PYD_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The character at s (n bytes are there, at least 1): its length, 1 to 4, with
 * *ret its code point (surrogates too); 0 when it is none. */
size_t pyd_utf8_char(const uint8_t *s, size_t n, uint32_t *ret);
/* Replaces bytes that belong to no character, or to a surrogate, by '?'. */
void pyd_utf8_scrub(char *s);
/* The longest prefix of at most max bytes that ends between characters. */
size_t pyd_utf8_cut(const uint8_t *s, size_t n, size_t max);

#endif
