/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of numbers, as doc/FORMAT.md has them. */
#ifndef PYD_DUMP_COLUMN_H
#define PYD_DUMP_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Byte planes of n numbers: all lowest bytes, then all second ones, ... */
void pyd_column_put32(uint8_t *restrict to, const uint32_t *restrict from,
		      size_t n);
/* delta: each number becomes its difference to the one before, in from too. */
void pyd_column_put64(uint8_t *restrict to, uint64_t *restrict from, size_t n,
		      bool delta);
/* One byte of each of n numbers: plane k alone. */
void pyd_column_plane64(uint8_t *restrict to, const uint64_t *restrict from,
			size_t n, unsigned int k);

#endif
