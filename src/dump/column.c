// SPDX-License-Identifier: Apache-2.0
/* Loops that a compiler makes vectors of (see the Makefile). */
#include "dump/column.h"

#include <string.h>

static void planes32(uint8_t *restrict to, const uint32_t *restrict from,
		     size_t begin, size_t n)
{
	for (unsigned int k = 0; k < 4; k++)
		for (size_t i = begin; i < n; i++)
			to[k * n + i] = (uint8_t)(from[i] >> (8 * k));
}

static void planes64(uint8_t *restrict to, const uint64_t *restrict from,
		     size_t begin, size_t n)
{
	for (unsigned int k = 0; k < 8; k++)
		for (size_t i = begin; i < n; i++)
			to[k * n + i] = (uint8_t)(from[i] >> (8 * k));
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLES
#endif
#endif

#ifdef SHUFFLES
typedef uint8_t bytes __attribute__((vector_size(16)));

/* Byte by byte of both, by turns: the first half, the second half. */
static inline bytes low(bytes a, bytes b)
{
	return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20,
				       5, 21, 6, 22, 7, 23);
}

static inline bytes high(bytes a, bytes b)
{
	return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12,
				       28, 13, 29, 14, 30, 15, 31);
}

/* One step of a transposition: vectors that are half of n apart become
 * neighbours, byte by byte. As often as a byte's place has bits, and byte k of
 * each number stands in a row. */
static inline void zip(const bytes *from, bytes *to, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		to[2 * i] = low(from[i], from[n / 2 + i]);
		to[2 * i + 1] = high(from[i], from[n / 2 + i]);
	}
}

/* Planes of 16 numbers of so many vectors at once. Returns how many of n
 * numbers are done. */
static inline size_t transpose(uint8_t *restrict to,
			       const uint8_t *restrict from, size_t n,
			       size_t width)
{
	bytes a[8], b[8];
	size_t i = 0;

	for (; i + 16 <= n; i += 16) {
		memcpy(a, from + i * width, 16 * width);
		zip(a, b, width);
		zip(b, a, width);
		zip(a, b, width);
		zip(b, a, width);
		for (size_t k = 0; k < width; k++)
			memcpy(to + k * n + i, &a[k], 16);
	}
	return i;
}

void pyd_column_put32(uint8_t *restrict to, const uint32_t *restrict from,
		      size_t n)
{
	size_t done = transpose(to, (const uint8_t *)from, n, 4);

	planes32(to, from, done, n);
}

static void put64(uint8_t *restrict to, const uint64_t *restrict from, size_t n)
{
	size_t done = transpose(to, (const uint8_t *)from, n, 8);

	planes64(to, from, done, n);
}
#else
void pyd_column_put32(uint8_t *restrict to, const uint32_t *restrict from,
		      size_t n)
{
	planes32(to, from, 0, n);
}

static void put64(uint8_t *restrict to, const uint64_t *restrict from, size_t n)
{
	planes64(to, from, 0, n);
}
#endif

void pyd_column_put64(uint8_t *restrict to, uint64_t *restrict from, size_t n,
		      bool delta)
{
	if (delta)
		for (size_t i = n; i-- > 1;)
			from[i] -= from[i - 1];
	put64(to, from, n);
}

void pyd_column_plane64(uint8_t *restrict to, const uint64_t *restrict from,
			size_t n, unsigned int k)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(from[i] >> (8 * k));
}
