/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The debug sections of an ELF file as libdw wants them, read and unpacked only
 * as far as they are asked for: those of a program have tens of megabytes, of
 * which one stack needs a few kilobytes.
 *
 * libdw gets an ELF image in memory, whose sections are zeros until they are
 * loaded. A file is read and not mapped: one that shrinks would be a SIGBUS.
 */
#ifndef PYD_NATIVE_SECTIONS_H
#define PYD_NATIVE_SECTIONS_H

#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pyd_section {
	PYD_SECTION_INFO,
	PYD_SECTION_ABBREV,
	PYD_SECTION_ARANGES,
	PYD_SECTION_LINE,
	PYD_SECTION_STR,
	PYD_SECTION_LINE_STR,
	PYD_SECTION_STR_OFFSETS,
	PYD_SECTION_ADDR,
	PYD_SECTION_RANGES,
	PYD_SECTION_RNGLISTS,
	PYD_SECTION_FRAME,
	PYD_SECTION_N,
};

struct pyd_sections;
/* Of the file that elf was made of; fd must outlive it. NULL: no debug
 * information, too much of it, or no memory. */
struct pyd_sections *pyd_sections_open(Elf *elf, int fd);
/* Accepts NULL. */
void pyd_sections_close(struct pyd_sections *s);
/* Bytes of those that are compressed, once unpacked. */
uint64_t pyd_sections_packed(const struct pyd_sections *s);
/* For libdw; lives as long as s. NULL: it cannot be made. */
Elf *pyd_sections_elf(struct pyd_sections *s);
/* Bytes; 0: there is none. */
uint64_t pyd_sections_size(const struct pyd_sections *s, enum pyd_section i);
/* size bytes, of which those are valid that were loaded. */
const uint8_t *pyd_sections_data(const struct pyd_sections *s,
				 enum pyd_section i);
/* Exchanges the first len bytes, which are loaded, with those at bytes. */
void pyd_sections_swap(struct pyd_sections *s, enum pyd_section i,
		       uint8_t *bytes, size_t len);
/* Loads len bytes from off on, or up to the section's end when that is less.
 * False: off lies behind it, or the file does not give them. */
bool pyd_sections_load(struct pyd_sections *s, enum pyd_section i, uint64_t off,
		       uint64_t len);

#endif
