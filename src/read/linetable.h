/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three line tables. Pure functions over local bytes: no table, however
 * broken, makes them read past its end or loop.
 */
#ifndef PYD_READ_LINETABLE_H
#define PYD_READ_LINETABLE_H

#include <stddef.h>
#include <stdint.h>

#include "read/code.h"

/* co_lnotab up to 3.9: Objects/lnotab_notes.txt. */
void pyd_linetable_lnotab(const uint8_t *p, size_t n, int32_t first,
			  int64_t lasti, struct pyd_position *ret);
/* co_linetable of 3.10: PEP 626. */
void pyd_linetable_deltas(const uint8_t *p, size_t n, int32_t first,
			  int64_t lasti, struct pyd_position *ret);
/* co_linetable from 3.11 on: PEP 657, Objects/locations.md. */
void pyd_linetable_locations(const uint8_t *p, size_t n, int32_t first,
			     int64_t lasti, struct pyd_position *ret);

#endif
