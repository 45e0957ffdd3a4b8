/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How texts of values differ from version to version of CPython. Knows
 * nothing else of this layer: a dump is shown where no table is.
 */
#ifndef PYD_LAYOUT_REPRS_H
#define PYD_LAYOUT_REPRS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether repr() of a bytearray has a backslash before each single quote, also
 * between double ones (Objects/bytearrayobject.c: up to 3.14; from 3.15 on it
 * is that of bytes). hex: sys.hexversion of the program's interpreter.
 */
static inline bool pyd_reprs_bytearray_escaped(uint64_t hex)
{
	return hex < 0x030f0000U;
}

#endif
