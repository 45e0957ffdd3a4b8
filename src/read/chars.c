// SPDX-License-Identifier: Apache-2.0
#include "read/chars.h"

#include <string.h>

size_t pyd_utf8_put(uint8_t *p, uint32_t c)
{
	if (c < 0x80) {
		p[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		p[0] = (uint8_t)(0xc0 | c >> 6);
		p[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		/* Lone surrogates too: "surrogatepass". */
		p[0] = (uint8_t)(0xe0 | c >> 12);
		p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		p[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	p[0] = (uint8_t)(0xf0 | c >> 18);
	p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	p[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

static uint32_t char_at(const uint8_t *p, unsigned int width)
{
	uint16_t u16;
	uint32_t u32;

	switch (width) {
	case 1:
		return *p;
	case 2:
		memcpy(&u16, p, sizeof(u16));
		return u16;
	default:
		memcpy(&u32, p, sizeof(u32));
		return u32;
	}
}

bool pyd_chars_ascii(const uint8_t *p, size_t n)
{
	uint64_t bits = 0;
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t w;

		memcpy(&w, p + i, sizeof(w));
		bits |= w;
	}
	for (; i < n; i++)
		bits |= p[i];
	return !(bits & 0x8080808080808080ULL);
}

size_t pyd_chars_utf8(const uint8_t *from, size_t n, unsigned int width,
		      uint32_t limit, uint8_t *to, uint32_t *ret_bad)
{
	uint8_t *first = to;

	for (size_t i = 0; i < n; i++) {
		uint32_t c = char_at(from + i * width, width);

		if (c > limit) {
			*ret_bad = c;
			return SIZE_MAX;
		}
		to += pyd_utf8_put(to, c);
	}
	return (size_t)(to - first);
}
