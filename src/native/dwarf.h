/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source lines and inlined functions of addresses, as the DWARF debug
 * information of one file has them (libdw). Only the units that hold the
 * addresses are read.
 */
#ifndef PYD_NATIVE_DWARF_H
#define PYD_NATIVE_DWARF_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PYD_INLINED_MAX = 32 };

/* A position in a source. The texts live until another is looked for. */
struct pyd_source_line {
	const char *function; /* mangled where the file has it so */
	const char *file;     /* NULL: not known */
	int line;	      /* 0: not known */
};

struct pyd_dwarf;
/* Of the file that elf was made of; fd must outlive it. packed_max: of
 * compressed sections, bytes unpacked. NULL: there is none that is read. */
struct pyd_dwarf *pyd_dwarf_open(Elf *elf, int fd, uint64_t packed_max);
/* Accepts NULL. */
void pyd_dwarf_close(struct pyd_dwarf *d);
/* A number for what is decoded to look up addr: those with equal ones are best
 * looked up one after the other. */
uint64_t pyd_dwarf_unit(const struct pyd_dwarf *d, uint64_t addr);
/*
 * The source position of an address as the file counts. The functions that
 * were inlined there go to inlined, at most PYD_INLINED_MAX, the innermost
 * first: each with the position in it. ret is then the position of the call in
 * the function that is called at run time; its .function is NULL. Returns how
 * many were inlined.
 */
size_t pyd_dwarf_find(struct pyd_dwarf *d, uint64_t addr,
		      struct pyd_source_line inlined[PYD_INLINED_MAX],
		      struct pyd_source_line *ret);

#endif
