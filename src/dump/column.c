// SPDX-License-Identifier: Apache-2.0
/* Loops that a compiler makes vectors of (see the Makefile). */
#include "dump/column.h"

void pyd_column_put32(uint8_t *restrict to, const uint32_t *restrict from,
		      size_t n)
{
	for (unsigned int k = 0; k < 4; k++)
		for (size_t i = 0; i < n; i++)
			to[k * n + i] = (uint8_t)(from[i] >> (8 * k));
}

void pyd_column_put64(uint8_t *restrict to, uint64_t *restrict from, size_t n,
		      bool delta)
{
	if (delta)
		for (size_t i = n; i-- > 1;)
			from[i] -= from[i - 1];
	for (unsigned int k = 0; k < 8; k++)
		for (size_t i = 0; i < n; i++)
			to[k * n + i] = (uint8_t)(from[i] >> (8 * k));
}

void pyd_column_plane64(uint8_t *restrict to, const uint64_t *restrict from,
			size_t n, unsigned int k)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(from[i] >> (8 * k));
}
