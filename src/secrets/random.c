// SPDX-License-Identifier: Apache-2.0
#include "secrets/random.h"

#include <string.h>

enum { NONE, LOWER, UPPER, DIGIT, MARK };
#define LETTER_A 0x61U

const uint8_t pyd_token_class[256] = {
	['a' ... 'z'] = LOWER, ['A' ... 'Z'] = UPPER, ['0' ... '9'] = DIGIT,
	['_'] = MARK,	       ['-'] = MARK,	      ['+'] = MARK,
	['/'] = MARK,	       ['='] = MARK,
};

/* Pairs of letters that words are made of: bit j of row i stands for the pair
 * (i, j). Counted in the identifiers and texts of Python's standard library:
 * the most frequent pairs, 94 of 100 that occur. By chance 3 of 10 are. */
static const uint32_t common[26] = {
	0x1febd4e, 0x1164b15, 0x01e5d95, 0x0164919, 0x1eff97f, 0x01e4931,
	0x0166991, 0x00a4111, 0x2aef87f, 0x0000000, 0x0040110, 0x11cc919,
	0x014d11b, 0x03ced7d, 0x07efd6f, 0x11ec991, 0x0100000, 0x11efd7d,
	0x11ccd95, 0x11ed9bd, 0x00eb937, 0x0000111, 0x0066191, 0x0088114,
	0x00ca010, 0x0000010,
};

static bool is_letter(uint8_t c)
{
	return c == LOWER || c == UPPER;
}

/* Digits of a digest, a UUID or a number, however grouped. */
static bool is_hex(const uint8_t *s, size_t n)
{
	bool lower = false, upper = false;

	for (size_t i = 0; i < n; i++) {
		if (pyd_token_class[s[i]] == DIGIT ||
		    pyd_token_class[s[i]] == MARK)
			continue;
		if (s[i] >= 'a' && s[i] <= 'f')
			lower = true;
		else if (s[i] >= 'A' && s[i] <= 'F')
			upper = true;
		else
			return false;
	}
	return !(lower && upper);
}

/* Leaves out the parts between marks that are digits of a digest or UUID.
 * Returns the new length. */
static size_t without_hex(const uint8_t *s, size_t n, uint8_t *out)
{
	size_t to = 0;

	for (size_t i = 0; i < n;) {
		size_t end = i;

		while (end < n && pyd_token_class[s[end]] != MARK)
			end++;
		if (end - i < 4 || !is_hex(s + i, end - i)) {
			memcpy(out + to, s + i, end - i);
			to += end - i;
			if (end < n)
				out[to++] = s[end];
		}
		i = end + 1;
	}
	return to;
}

bool pyd_is_random(const uint8_t *s, size_t n)
{
	uint8_t own[PYD_RANDOM_MAX + 1];
	uint64_t seen[2] = { 0, 0 };
	size_t count[5] = { 0 };
	size_t pairs = 0, usual = 0, changes = 0, steps = 0;
	int classes, distinct;
	uint64_t evidence;

	while (n && s[n - 1] == '=')
		n--;
	if (n < PYD_RANDOM_MIN || n > PYD_RANDOM_MAX)
		return false;
	n = without_hex(s, n, own);
	s = own;
	if (n < PYD_RANDOM_MIN)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t a, b = pyd_token_class[s[i]];

		seen[s[i] >> 6 & 1] |= 1ULL << (s[i] & 63);
		count[b]++;
		if (!i)
			continue;
		a = pyd_token_class[s[i - 1]];
		steps += s[i] == s[i - 1] + 1 || s[i] == s[i - 1];
		if (is_letter(a) && is_letter(b)) {
			unsigned int x = (s[i - 1] | 0x20U) - LETTER_A;
			unsigned int y = (s[i] | 0x20U) - LETTER_A;

			if (a == LOWER && b == UPPER) {
				changes++;
				continue;
			}
			pairs++;
			usual += common[x] >> y & 1;
		} else if ((a == DIGIT && is_letter(b)) ||
			   (is_letter(a) && b == DIGIT)) {
			changes++;
		}
	}
	classes = (count[LOWER] > 0) + (count[UPPER] > 0) + (count[DIGIT] > 0);
	distinct =
		__builtin_popcountll(seen[0]) + __builtin_popcountll(seen[1]);
	if (classes < 2 || distinct < 10 || count[MARK] * 7 > n)
		return false;
	/* An alphabet is no key. */
	if (steps * 3 > n)
		return false;
	/* Pairs that no word has and changes of the kind of character speak
	 * for chance, pairs as words have them against it. Weights and
	 * threshold: 97 of 100 random tokens of 20 characters and all of 40,
	 * 2 of 1,000 runs in sources, 1 of 50,000 in paths. */
	evidence = 100 * (pairs - usual) + 60 * changes;
	return evidence > 35 * usual + 22 * n;
}
