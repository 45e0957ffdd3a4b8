/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units of DWARF debug information, each in a libdw of its own. One libdw for
 * all would read the headers of all units up to one that is asked for, and keep
 * something of each: the C library has four thousand. So whatever is before a
 * unit stands as one other unit that nobody looks into.
 */
#ifndef PYD_NATIVE_UNIT_H
#define PYD_NATIVE_UNIT_H

#include <elfutils/libdw.h>

#include "base/buf.h"
#include "native/sections.h"

/* Where units begin. Starts as { .s = SECTIONS }, which must outlive it. */
struct pyd_units {
	struct pyd_sections *s;
	struct pyd_vec starts; /* of the first ones, in .debug_info */
	uint64_t known;	       /* all before this are in starts */
};

struct pyd_unit {
	uint64_t at, end;     /* in .debug_info */
	uint64_t abbrevs;     /* in .debug_abbrev */
	unsigned int version; /* of DWARF */
	bool wide;	      /* the 64-bit format */
	Dwarf *dw;	      /* NULL: none is open */
	Dwarf_Die die;	      /* the first entry */
};

void pyd_units_deinit(struct pyd_units *units);
/* Lists every unit up to that at upto, and loads its begin. False: it cannot
 * be had. */
bool pyd_units_list(struct pyd_units *units, uint64_t upto);
/* The begin of the unit that off lies in. */
bool pyd_units_find(struct pyd_units *units, uint64_t off, uint64_t *ret);
/*
 * Opens the unit that begins at that position, in the place of what u has, if
 * that is another one. Its begin is loaded, and its part of .debug_abbrev; the
 * rest is for the caller to load before libdw looks at it.
 */
bool pyd_unit_open(struct pyd_units *units, uint64_t at, struct pyd_unit *u);
/* Accepts one that is not open. */
void pyd_unit_close(struct pyd_unit *u);

#endif
