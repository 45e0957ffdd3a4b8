/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers out of a value's bytes, and as Python's repr() writes them. */
#ifndef PYD_DUMP_NUMBER_H
#define PYD_DUMP_NUMBER_H

#include "dump/text.h"
#include "pydumpd/dump.h"

/* The little-endian int32_t at a value's byte; -1 where it has none. */
int32_t pyd_value_i32(const struct pyd_dump_object *o, size_t at);
/* Two's complement, little-endian, len bytes; a very large one is told by its
 * size. */
void pyd_text_int(struct pyd_text *t, const uint8_t *value, size_t len);
/* The fewest digits that give v back; with ".0" when integral. */
void pyd_text_double(struct pyd_text *t, double v, bool integral);

#endif
