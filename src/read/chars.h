/* SPDX-License-Identifier: Apache-2.0 */
/* The characters of a str, as they lie in memory, as UTF-8. */
#ifndef PYD_READ_CHARS_H
#define PYD_READ_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PYD_CHARS_ASCII = 0x7f };

/* Puts a character (a lone surrogate too) and gives its length: 1 to 4. */
size_t pyd_utf8_put(uint8_t *p, uint32_t c);
/* True when no byte is above PYD_CHARS_ASCII. */
bool pyd_chars_ascii(const uint8_t *p, size_t n);
/* Puts n characters of width bytes each. `from` may be in `to`, as far behind
 * as they may become longer. Returns the length; SIZE_MAX, and the character in
 * *ret_bad, when one is above limit. */
size_t pyd_chars_utf8(const uint8_t *from, size_t n, unsigned int width,
		      uint32_t limit, uint8_t *to, uint32_t *ret_bad);

#endif
