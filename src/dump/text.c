// SPDX-License-Identifier: Apache-2.0
#include "dump/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

void pyd_text_raw(struct pyd_text *t, const char *s, size_t len)
{
	if (!t->code)
		t->code = pyd_buf_append(&t->buf, s, len, t->err);
}

void pyd_text_printf(struct pyd_text *t, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	pyd_text_raw(t, line,
		     (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

bool pyd_text_unprintable(uint32_t c)
{
	/* C0, DEL, C1; surrogates; separators of lines; marks and overrides
	 * of direction; the invisible and what has no meaning. */
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad ||
	       (c >= 0xd800 && c < 0xe000) || c == 0x61c ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       (c >= 0xfff0 && c <= 0xfffb) || (c & 0xfffe) == 0xfffe ||
	       c >= 0xe0000;
}

bool pyd_text_escaped(struct pyd_text *t, const char *s, size_t len, char quote,
		      size_t max)
{
	const uint8_t *p = (const uint8_t *)s;

	for (; len && max; max--) {
		uint32_t c;
		size_t n = pyd_utf8_char(p, len, &c);

		if (!n) {
			pyd_text_printf(t, "\\x%02x", *p);
			n = 1;
		} else if (c == '\n' || c == '\r' || c == '\t') {
			pyd_text_printf(t, "\\%c",
					c == '\n'   ? 'n'
					: c == '\r' ? 'r'
						    : 't');
		} else if (quote && (c == (uint32_t)quote || c == '\\')) {
			pyd_text_printf(t, "\\%c", (char)c);
		} else if (!pyd_text_unprintable(c)) {
			pyd_text_raw(t, (const char *)p, n);
		} else if (c < 0x100) {
			pyd_text_printf(t, "\\x%02x", c);
		} else if (c < 0x10000) {
			pyd_text_printf(t, "\\u%04x", c);
		} else {
			pyd_text_printf(t, "\\U%08x", c);
		}
		p += n;
		len -= n;
	}
	return !len;
}

void pyd_text_deinit(struct pyd_text *t)
{
	pyd_buf_deinit(&t->buf);
}
