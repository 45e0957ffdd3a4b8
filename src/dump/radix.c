// SPDX-License-Identifier: Apache-2.0
#include "dump/radix.h"

#include <string.h>

/* One pass over the byte at shift of the key, or of major when shift is 64 or
 * more. */
static unsigned int digit(const struct pyd_radix_item *it, unsigned int shift)
{
	if (shift < 64)
		return (unsigned int)(it->key >> shift) & 0xff;
	return it->major >> (shift - 64) & 0xff;
}

static void pass(const struct pyd_radix_item *from, struct pyd_radix_item *to,
		 size_t n, unsigned int shift)
{
	size_t at[256] = { 0 };
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		at[digit(&from[i], shift)]++;
	for (size_t d = 0; d < 256; d++) {
		size_t c = at[d];

		at[d] = sum;
		sum += c;
	}
	for (size_t i = 0; i < n; i++)
		to[at[digit(&from[i], shift)]++] = from[i];
}

void pyd_radix_sort(struct pyd_radix_item *items, struct pyd_radix_item *tmp,
		    size_t n)
{
	uint64_t key_bits = 0;
	uint32_t major_bits = 0;
	struct pyd_radix_item *from = items;
	struct pyd_radix_item *to = tmp;

	/* Bytes that are the same everywhere need no pass; of an address,
	 * that is three of eight or more. */
	for (size_t i = 1; i < n; i++) {
		key_bits |= items[i].key ^ items[0].key;
		major_bits |= items[i].major ^ items[0].major;
	}
	for (unsigned int shift = 0; shift < 96; shift += 8) {
		uint64_t bits = shift < 64 ? key_bits >> shift
					   : major_bits >> (shift - 64);

		if (!(bits & 0xff))
			continue;
		pass(from, to, n, shift);

		struct pyd_radix_item *swap = from;

		from = to;
		to = swap;
	}
	if (from != items)
		memcpy(items, from, n * sizeof(*items));
}
