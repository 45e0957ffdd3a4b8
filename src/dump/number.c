// SPDX-License-Identifier: Apache-2.0
#include "dump/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of an int that is given in decimal; Python itself stops at 4300
 * digits, which is about 1800 bytes. */
enum { MAX_INT = 256 };

static void put(struct pyd_text *t, const char *s)
{
	pyd_text_raw(t, s, strlen(s));
}

void pyd_text_int(struct pyd_text *t, const uint8_t *value, size_t len)
{
	/* Sixteen bits at a time, least first; the quotients stay in place. */
	uint32_t limbs[MAX_INT / 2 + 1] = { 0 };
	char digits[MAX_INT * 5 / 2 + 8];
	size_t n = sizeof(digits), nlimbs = (len + 1) / 2;
	bool negative = len && value[len - 1] & 0x80;

	if (len > MAX_INT) {
		pyd_text_printf(t, "<%sint of %zu bits>",
				negative ? "negative " : "", len * 8);
		return;
	}
	for (size_t i = 0; i < 2 * nlimbs; i++) {
		uint32_t byte = i < len ? value[i] : negative ? 0xff : 0;

		limbs[i / 2] |= byte << (8 * (i % 2));
	}
	if (negative) {
		uint32_t carry = 1;

		for (size_t i = 0; i < nlimbs; i++) {
			limbs[i] = (~limbs[i] & 0xffff) + carry;
			carry = limbs[i] >> 16;
			limbs[i] &= 0xffff;
		}
		limbs[nlimbs] = carry; /* the lowest of its width */
		nlimbs++;
	}
	while (nlimbs && !limbs[nlimbs - 1])
		nlimbs--;
	while (nlimbs) {
		uint32_t rest = 0;

		for (size_t i = nlimbs; i-- > 0;) {
			rest = rest << 16 | limbs[i];
			limbs[i] = rest / 10;
			rest %= 10;
		}
		digits[--n] = (char)('0' + rest);
		if (!limbs[nlimbs - 1])
			nlimbs--;
	}
	if (n == sizeof(digits))
		digits[--n] = '0';
	if (negative)
		digits[--n] = '-';
	pyd_text_raw(t, digits + n, sizeof(digits) - n);
}

/* The fewest digits that give the number back, laid out as repr() does. */
void pyd_text_double(struct pyd_text *t, double v, bool integral)
{
	char sci[40];
	char *e;
	int precision = 0;
	long exp;

	if (isnan(v) || isinf(v)) {
		put(t, isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
		return;
	}
	do
		snprintf(sci, sizeof(sci), "%.*e", precision, v);
	while (strtod(sci, NULL) != v && ++precision < 17);
	e = strchr(sci, 'e');
	exp = e ? strtol(e + 1, NULL, 10) : 0;
	if (exp < -4 || exp >= 16) {
		/* 1e+16 and 1.5e-05 are what Python writes too. */
		put(t, sci);
		return;
	}
	precision = precision > exp ? precision - (int)exp : 0;

	char fixed[64];

	snprintf(fixed, sizeof(fixed), "%.*f", precision, v);
	put(t, fixed);
	if (!precision && integral)
		put(t, ".0");
}

int32_t pyd_value_i32(const struct pyd_dump_object *o, size_t at)
{
	uint32_t v = 0;

	if (o->value_len < 4 || at > o->value_len - 4)
		return -1;
	for (size_t k = 0; k < 4; k++)
		v |= (uint32_t)o->value[at + k] << (8 * k);
	return (int32_t)v;
}
