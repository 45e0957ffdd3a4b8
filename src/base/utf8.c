// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <string.h>

size_t pyd_utf8_char(const uint8_t *s, size_t n, uint32_t *ret)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c = s[0];
	size_t len;

	if (c < 0x80) {
		*ret = c;
		return 1;
	}
	if (c >= 0xc2 && c < 0xe0) {
		len = 2;
		c &= 0x1f;
	} else if (c >= 0xe0 && c < 0xf0) {
		len = 3;
		c &= 0x0f;
	} else if (c >= 0xf0 && c < 0xf5) {
		len = 4;
		c &= 0x07;
	} else {
		return 0;
	}
	if (n < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff)
		return 0;
	*ret = c;
	return len;
}

void pyd_utf8_scrub(char *s)
{
	uint8_t *p = (uint8_t *)s;
	size_t n = strlen(s);

	while (n) {
		uint32_t c;
		size_t len = pyd_utf8_char(p, n, &c);

		if (!len || (c >= 0xd800 && c < 0xe000)) {
			*p = '?';
			len = 1;
		}
		p += len;
		n -= len;
	}
}

size_t pyd_utf8_cut(const uint8_t *s, size_t n, size_t max)
{
	if (n <= max)
		return n;
	/* Three bytes back at most: then it is no UTF-8, and any cut does. */
	for (size_t back = 0; back < 4 && back <= max; back++)
		if ((s[max - back] & 0xc0) != 0x80)
			return max - back;
	return max;
}
