// SPDX-License-Identifier: Apache-2.0
#include "dump/radix.h"

#include <assert.h>
#include <string.h>

enum {
	DIGIT_MAX = 11,
	FIRST_MAX = 12, /* of words, at first */
	FEW = 96,
};

/* One pass over the byte at shift of the key, or of major when shift is 64 or
 * more. */
static unsigned int byte_of(const struct pyd_radix_item *it, unsigned int shift)
{
	if (shift < 64)
		return (unsigned int)(it->key >> shift) & 0xff;
	return it->major >> (shift - 64) & 0xff;
}

static void byte_pass(const struct pyd_radix_item *from,
		      struct pyd_radix_item *to, size_t n, unsigned int shift)
{
	size_t at[256] = { 0 };
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		at[byte_of(&from[i], shift)]++;
	for (size_t d = 0; d < 256; d++) {
		size_t c = at[d];

		at[d] = sum;
		sum += c;
	}
	for (size_t i = 0; i < n; i++)
		to[at[byte_of(&from[i], shift)]++] = from[i];
}

/* For keys that are too far apart for one word: any addresses at all. */
static void sort_bytes(struct pyd_radix_item *items, struct pyd_radix_item *tmp,
		       size_t n)
{
	struct pyd_radix_item *from = items;
	struct pyd_radix_item *to = tmp;

	for (unsigned int shift = 0; shift < 96; shift += 8) {
		struct pyd_radix_item *swap = from;

		byte_pass(from, to, n, shift);
		from = to;
		to = swap;
	}
	if (from != items)
		memcpy(items, from, n * sizeof(*items));
}

static void pass(const struct pyd_radix_item *from, struct pyd_radix_item *to,
		 size_t n, unsigned int shift, unsigned int bits)
{
	uint32_t at[1 << DIGIT_MAX];
	uint64_t mask = (1ULL << bits) - 1;
	uint32_t sum = 0;

	memset(at, 0, sizeof(*at) << bits);
	for (size_t i = 0; i < n; i++)
		at[from[i].key >> shift & mask]++;
	for (size_t d = 0; d <= mask; d++) {
		uint32_t c = at[d];

		at[d] = sum;
		sum += c;
	}
	for (size_t i = 0; i < n; i++)
		to[at[from[i].key >> shift & mask]++] = from[i];
}

/* By the lowest bits of the key, in as few passes as may be. Returns where the
 * result is: items or tmp. */
static struct pyd_radix_item *sort_words(struct pyd_radix_item *items,
					 struct pyd_radix_item *tmp, size_t n,
					 unsigned int bits)
{
	unsigned int passes = (bits + DIGIT_MAX - 1) / DIGIT_MAX;

	for (unsigned int shift = 0; passes; passes--) {
		unsigned int digit = (bits - shift + passes - 1) / passes;
		struct pyd_radix_item *swap = items;

		pass(items, tmp, n, shift, digit);
		items = tmp;
		tmp = swap;
		shift += digit;
	}
	return items;
}

void pyd_radix_sort(struct pyd_radix_item *items, struct pyd_radix_item *tmp,
		    size_t n)
{
	uint64_t low = UINT64_MAX, high = 0, differ = 0;
	uint32_t major = 0;
	const struct pyd_radix_item *from;

	for (size_t i = 0; i < n; i++) {
		low = items[i].key < low ? items[i].key : low;
		high = items[i].key > high ? items[i].key : high;
		differ |= items[i].key ^ items[0].key;
		major |= items[i].major;
	}
	if (n < 2)
		return;

	/* What lies together is told apart by few bits: all of the order fits
	 * into one small number. */
	unsigned int shift = differ ? (unsigned int)__builtin_ctzll(differ) : 0;
	unsigned int width = pyd_radix_width((high - low) >> shift);
	unsigned int bits = width + pyd_radix_width(major);

	if (bits > 64 || width == 64 || n > UINT32_MAX) {
		sort_bytes(items, tmp, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		items[i].key = (uint64_t)items[i].major << width |
			       (items[i].key - low) >> shift;
	from = sort_words(items, tmp, n, bits);
	for (size_t i = 0; i < n; i++) {
		uint64_t key = from[i].key & ((1ULL << width) - 1);

		items[i] = (struct pyd_radix_item) {
			.key = (key << shift) + low,
			.major = from[i].major,
			.tag = from[i].tag,
		};
	}
}

static void word_pass(const uint64_t *from, uint64_t *to, size_t n,
		      unsigned int shift, unsigned int bits)
{
	uint32_t at[1 << DIGIT_MAX];
	uint64_t mask = (1ULL << bits) - 1;
	uint32_t sum = 0;

	memset(at, 0, sizeof(*at) << bits);
	for (size_t i = 0; i < n; i++)
		at[from[i] >> shift & mask]++;
	for (size_t d = 0; d <= mask; d++) {
		uint32_t c = at[d];

		at[d] = sum;
		sum += c;
	}
	for (size_t i = 0; i < n; i++)
		to[at[from[i] >> shift & mask]++] = from[i];
}

/* Many words that have the bits above end in common; in place. */
static void sort_bucket(uint64_t *words, uint64_t *tmp, size_t n,
			unsigned int end)
{
	unsigned int passes = (end + DIGIT_MAX - 1) / DIGIT_MAX;
	uint64_t *from = words, *to = tmp;

	for (unsigned int shift = 0; passes; passes--) {
		unsigned int digit = (end - shift + passes - 1) / passes;
		uint64_t *swap = from;

		word_pass(from, to, n, shift, digit);
		from = to;
		to = swap;
		shift += digit;
	}
	if (from != words)
		memcpy(words, from, n * sizeof(*words));
}

/* Few of them, nearly in order. */
static void insert_each(uint64_t *words, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		uint64_t word = words[i];
		size_t k = i;

		for (; k && words[k - 1] > word; k--)
			words[k] = words[k - 1];
		words[k] = word;
	}
}

/* What lies together was met together, mostly in order: so the highest bits
 * come first. Words go to few places at a time, and what is left to do in
 * each bucket is little. */
uint64_t *pyd_radix_words(uint64_t *words, uint64_t *tmp, size_t n,
			  unsigned int bits)
{
	uint32_t ends[1 << FIRST_MAX] = { 0 };
	unsigned int digit = bits < FIRST_MAX ? bits : FIRST_MAX;
	unsigned int shift = bits - digit;
	uint32_t begin = 0, sum = 0;

	assert(n <= UINT32_MAX && bits <= 64);
	if (!bits)
		return words;
	for (size_t i = 0; i < n; i++)
		ends[words[i] >> shift]++;
	for (size_t d = 0; d < 1U << digit; d++) {
		uint32_t c = ends[d];

		ends[d] = sum;
		sum += c;
	}
	for (size_t i = 0; i < n; i++)
		tmp[ends[words[i] >> shift]++] = words[i];
	for (size_t d = 0; d < 1U << digit; begin = ends[d++]) {
		uint32_t len = ends[d] - begin;

		if (len > FEW)
			sort_bucket(tmp + begin, words + begin, len, shift);
		else if (len > 1)
			insert_each(tmp + begin, len);
	}
	return tmp;
}
