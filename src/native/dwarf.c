// SPDX-License-Identifier: Apache-2.0
#include "native/dwarf.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>

#include "native/sections.h"
#include "native/unit.h"

enum {
	/* Of an entry. */
	HEAD_BYTES = 1024,
	UNITS_MAX = 1 << 18,
	RANGES_MAX = 1 << 22,
	/* Of each unit, in tables without .debug_aranges. */
	UNIT_RANGES_MAX = 1 << 16,
	/* Entries of one unit that are looked at for one address. */
	ENTRIES_MAX = 1 << 20,
	DEEP_MAX = 256,	     /* blocks in blocks */
	CONTAINERS_MAX = 64, /* namespaces and classes that wait */
	OTHERS = 16,	     /* units at hand */
	ORIGINS_MAX = 8,     /* of an inlined function, one of another */
};

/* A unit whose entries are looked through for inlined functions. */
#define UNIT_MAX (32ULL << 20)

struct range {
	uint64_t start, end;
	uint64_t unit; /* where its header is, in .debug_info */
};

struct pyd_dwarf {
	struct pyd_sections *s;
	struct range *v; /* sorted by start */
	size_t n, cap;
	bool searched; /* v has units without .debug_aranges too */
	struct pyd_units units;
	struct pyd_unit own;
	/* What functions of it are instances of. */
	struct pyd_unit others[OTHERS];
	size_t oldest; /* of them */
};

static bool load_all(struct pyd_dwarf *d, enum pyd_section i)
{
	uint64_t size = pyd_sections_size(d->s, i);

	return !size || pyd_sections_load(d->s, i, 0, size);
}

/* -- units by address -- */

static bool add_range(struct pyd_dwarf *d, uint64_t start, uint64_t end,
		      uint64_t unit)
{
	if (start >= end)
		return true;
	if (d->n >= RANGES_MAX)
		return false;
	if (d->n == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 256;
		struct range *v = reallocarray(d->v, cap, sizeof(*v));

		if (!v)
			return false;
		d->v = v;
		d->cap = cap;
	}
	d->v[d->n++] = (struct range) { start, end, unit };
	return true;
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* .debug_aranges (DWARF 5, 6.1.2), read here: libdw would read the headers of
 * all units meanwhile. */
static void read_aranges(struct pyd_dwarf *d)
{
	uint64_t size = pyd_sections_size(d->s, PYD_SECTION_ARANGES);
	const uint8_t *data = pyd_sections_data(d->s, PYD_SECTION_ARANGES);
	uint64_t at = 0;

	if (!size || !load_all(d, PYD_SECTION_ARANGES))
		return;
	while (size - at > 12) {
		uint32_t len, unit;
		uint16_t version;
		uint64_t end, pair[2];

		memcpy(&len, data + at, sizeof(len));
		memcpy(&version, data + at + 4, sizeof(version));
		memcpy(&unit, data + at + 6, sizeof(unit));
		/* What is longer is of the 64-bit format, which nobody writes.
		 */
		if (len < 12 || len > size - at - 4)
			return;
		end = at + 4 + len;
		if (version == 2 && data[at + 10] == 8 && !data[at + 11])
			for (uint64_t i = at + 16;
			     end - i >= sizeof(pair) && i < end;
			     i += sizeof(pair)) {
				memcpy(pair, data + i, sizeof(pair));
				if (pair[1] > UINT64_MAX - pair[0] ||
				    !add_range(d, pair[0], pair[0] + pair[1],
					       unit))
					return;
			}
		at = end;
	}
}

static bool load_ranges(struct pyd_dwarf *d)
{
	return load_all(d, PYD_SECTION_RANGES) &&
	       load_all(d, PYD_SECTION_RNGLISTS);
}

/* Not all compilers write .debug_aranges: units tell what they cover. */
static void search_units(struct pyd_dwarf *d)
{
	uint64_t size = pyd_sections_size(d->s, PYD_SECTION_INFO);
	size_t listed = d->n;
	Dwarf_Off at = 0, next;
	uint8_t *known;
	Dwarf *all;
	Dwarf_Die die;
	size_t header;

	d->searched = true;
	known = calloc(size / 8 / 8 + 1, 1);
	all = dwarf_begin_elf(pyd_sections_elf(d->s), DWARF_C_READ, NULL);
	if (!known || !all || !load_ranges(d) ||
	    !load_all(d, PYD_SECTION_ABBREV)) {
		free(known);
		if (all)
			dwarf_end(all);
		return;
	}
	/* A header is longer than eight bytes. */
	for (size_t i = 0; i < listed; i++)
		if (d->v[i].unit < size)
			known[d->v[i].unit / 64] |=
				(uint8_t)(1 << d->v[i].unit / 8 % 8);
	for (int i = 0;
	     i < UNITS_MAX && at < size && pyd_units_list(&d->units, at) &&
	     !dwarf_nextcu(all, at, &next, &header, NULL, NULL, NULL) &&
	     dwarf_offdie(all, at + header, &die);
	     i++, at = next) {
		Dwarf_Addr base, start, end;
		ptrdiff_t k = 0;

		if (known[at / 64] & 1 << at / 8 % 8)
			continue;
		for (int n = 0;
		     n < UNIT_RANGES_MAX &&
		     (k = dwarf_ranges(&die, k, &base, &start, &end)) > 0;
		     n++)
			if (!add_range(d, start, end, at))
				break;
	}
	free(known);
	dwarf_end(all);
	if (d->n > listed)
		qsort(d->v, d->n, sizeof(*d->v), by_start);
}

static const struct range *find_range(const struct pyd_dwarf *d, uint64_t addr)
{
	size_t lo = 0, hi = d->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (d->v[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && addr < d->v[lo - 1].end ? &d->v[lo - 1] : NULL;
}

/* -- lines -- */

static bool load_lines(struct pyd_dwarf *d, Dwarf_Die *unit)
{
	const uint8_t *data = pyd_sections_data(d->s, PYD_SECTION_LINE);
	Dwarf_Attribute attr;
	Dwarf_Word at;
	uint64_t len;
	uint32_t word;

	if (!dwarf_attr(unit, DW_AT_stmt_list, &attr) ||
	    dwarf_formudata(&attr, &at) ||
	    !pyd_sections_load(d->s, PYD_SECTION_LINE, at, 64) ||
	    pyd_sections_size(d->s, PYD_SECTION_LINE) - at < 12)
		return false;
	memcpy(&word, data + at, sizeof(word));
	len = word;
	if (word == UINT32_MAX)
		memcpy(&len, data + at + 4, sizeof(len));
	return len <= pyd_sections_size(d->s, PYD_SECTION_LINE) - at &&
	       pyd_sections_load(d->s, PYD_SECTION_LINE, at, len + 12);
}

static bool find_line(Dwarf_Die *unit, uint64_t addr,
		      struct pyd_source_line *ret)
{
	Dwarf_Line *line = dwarf_getsrc_die(unit, addr);
	const char *file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;
	int number;

	if (!file || dwarf_lineno(line, &number) || number <= 0)
		return false;
	ret->file = file;
	ret->line = number;
	return true;
}

/* -- inlined functions -- */

/* The one that is open, or a place for it. */
static struct pyd_unit *unit_at(struct pyd_dwarf *d, uint64_t at)
{
	if (d->own.dw && d->own.at == at)
		return &d->own;
	for (size_t i = 0; i < OTHERS; i++)
		if (d->others[i].dw && d->others[i].at == at)
			return &d->others[i];
	return &d->others[d->oldest++ % OTHERS];
}

/* The entry that one is an instance of: with link time optimization that is in
 * other units. False: it cannot be had. *ret_end: there is none. */
static bool origin_of(struct pyd_dwarf *d, struct pyd_unit **u, Dwarf_Die *die,
		      bool *ret_end)
{
	Dwarf_Attribute attr;
	Dwarf_Die next;
	uint64_t off = 0, at;

	*ret_end = !dwarf_attr(die, DW_AT_abstract_origin, &attr) &&
		   !dwarf_attr(die, DW_AT_specification, &attr);
	if (*ret_end)
		return true;
	switch (dwarf_whatform(&attr)) {
	case DW_FORM_ref1:
	case DW_FORM_ref2:
	case DW_FORM_ref4:
	case DW_FORM_ref8:
	case DW_FORM_ref_udata:
		if (!dwarf_formref_die(&attr, &next))
			return false;
		off = dwarf_dieoffset(&next);
		break;
	case DW_FORM_ref_addr:
		/* In version 2 it is as long as an address. */
		memcpy(&off, attr.valp,
		       (*u)->wide || (*u)->version < 3 ? 8 : 4);
		if (!pyd_units_find(&d->units, off, &at))
			return false;
		if (at != (*u)->at) {
			*u = unit_at(d, at);
			if (!pyd_unit_open(&d->units, at, *u))
				return false;
		}
		break;
	default: /* in another file */
		return false;
	}
	return pyd_sections_load(d->s, PYD_SECTION_INFO, off, HEAD_BYTES) &&
	       dwarf_offdie((*u)->dw, off, die);
}

static const char *text_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attr;

	return dwarf_attr(die, name, &attr) ? dwarf_formstring(&attr) : NULL;
}

/* The first that it or what it is an instance of has. */
static const char *name_of(struct pyd_dwarf *d, const Dwarf_Die *die)
{
	static const unsigned int names[] = {
		DW_AT_linkage_name,
		DW_AT_MIPS_linkage_name,
		DW_AT_name,
	};
	enum { KINDS = sizeof(names) / sizeof(names[0]) };
	const char *found[KINDS] = { 0 };
	struct pyd_unit *u = &d->own;
	Dwarf_Die at = *die;
	bool end = false;

	for (int i = 0; i < ORIGINS_MAX && !end; i++) {
		for (int k = 0; k < KINDS; k++)
			if (!found[k])
				found[k] = text_of(&at, names[k]);
		if (!origin_of(d, &u, &at, &end))
			return NULL;
	}
	for (int k = 0; end && k < KINDS; k++)
		if (found[k])
			return found[k];
	return NULL;
}

/* Where an inlined function was called. */
static void call_site(Dwarf_Die *unit, Dwarf_Die *die,
		      struct pyd_source_line *ret)
{
	Dwarf_Files *files;
	Dwarf_Attribute attr;
	Dwarf_Word file, line;
	size_t n;

	ret->file = NULL;
	ret->line = 0;
	if (!dwarf_attr(die, DW_AT_call_file, &attr) ||
	    dwarf_formudata(&attr, &file) ||
	    !dwarf_attr(die, DW_AT_call_line, &attr) ||
	    dwarf_formudata(&attr, &line) ||
	    dwarf_getsrcfiles(unit, &files, &n) || file >= n || !line ||
	    line > INT32_MAX)
		return;
	ret->file = dwarf_filesrc(files, (size_t)file, NULL, NULL);
	ret->line = ret->file ? (int)line : 0;
}

/* The child of parent that holds addr; namespaces and classes, which have no
 * addresses, are looked into. */
static bool child_with(Dwarf_Die *parent, uint64_t addr, int *budget,
		       Dwarf_Die *ret)
{
	Dwarf_Die waiting[CONTAINERS_MAX];
	size_t n = 0;

	waiting[n++] = *parent;
	while (n) {
		Dwarf_Die die = waiting[--n];

		if (dwarf_child(&die, &die))
			continue;
		do {
			if (--*budget < 0)
				return false;
			switch (dwarf_tag(&die)) {
			case DW_TAG_subprogram:
			case DW_TAG_inlined_subroutine:
			case DW_TAG_lexical_block:
				if (dwarf_haspc(&die, addr) != 1)
					break;
				*ret = die;
				return true;
			case DW_TAG_namespace:
			case DW_TAG_module:
			case DW_TAG_class_type:
			case DW_TAG_structure_type:
				if (n < CONTAINERS_MAX)
					waiting[n++] = die;
				break;
			default:
				break;
			}
		} while (!dwarf_siblingof(&die, &die));
	}
	return false;
}

/* From the function of addr inwards. */
static size_t find_inlined(struct pyd_dwarf *d, Dwarf_Die *unit, uint64_t addr,
			   struct pyd_source_line v[PYD_INLINED_MAX],
			   struct pyd_source_line *line)
{
	/* Positions from the outermost function on; where one is inlined. */
	struct pyd_source_line chain[PYD_INLINED_MAX + 1] = { 0 };
	int budget = ENTRIES_MAX;
	Dwarf_Die at = *unit;
	size_t n = 0;

	for (int deep = 0; deep < DEEP_MAX; deep++) {
		if (!child_with(&at, addr, &budget, &at))
			break;
		if (dwarf_tag(&at) != DW_TAG_inlined_subroutine)
			continue;
		/* All of them, or none: a line is of one function. */
		if (n == PYD_INLINED_MAX)
			return 0;
		call_site(unit, &at, &chain[n]);
		chain[++n].function = name_of(d, &at);
		if (!chain[n].function)
			return 0;
	}
	if (!n || budget < 0)
		return 0;
	chain[n].file = line->file;
	chain[n].line = line->line;
	*line = chain[0];
	for (size_t i = 0; i < n; i++)
		v[i] = chain[n - i];
	return n;
}

/* -- all of it -- */

struct pyd_dwarf *pyd_dwarf_open(Elf *elf, int fd, uint64_t packed_max)
{
	struct pyd_sections *s = pyd_sections_open(elf, fd);
	struct pyd_dwarf *d;

	if (!s)
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d || !pyd_sections_size(s, PYD_SECTION_INFO) ||
	    pyd_sections_packed(s) > packed_max) {
		pyd_sections_close(s);
		free(d);
		return NULL;
	}
	d->s = s;
	d->units.s = s;
	/* Nothing tells how long what is needed of these is. */
	if (!load_all(d, PYD_SECTION_STR) ||
	    !load_all(d, PYD_SECTION_LINE_STR) ||
	    !load_all(d, PYD_SECTION_STR_OFFSETS) ||
	    !load_all(d, PYD_SECTION_ADDR) || !pyd_sections_elf(s)) {
		pyd_dwarf_close(d);
		return NULL;
	}
	read_aranges(d);
	if (d->n)
		qsort(d->v, d->n, sizeof(*d->v), by_start);
	return d;
}

void pyd_dwarf_close(struct pyd_dwarf *d)
{
	if (!d)
		return;
	pyd_unit_close(&d->own);
	for (size_t i = 0; i < OTHERS; i++)
		pyd_unit_close(&d->others[i]);
	pyd_sections_close(d->s);
	pyd_units_deinit(&d->units);
	free(d->v);
	free(d);
}

uint64_t pyd_dwarf_unit(const struct pyd_dwarf *d, uint64_t addr)
{
	const struct range *r = find_range(d, addr);

	return r ? r->unit : UINT64_MAX;
}

size_t pyd_dwarf_find(struct pyd_dwarf *d, uint64_t addr,
		      struct pyd_source_line inlined[PYD_INLINED_MAX],
		      struct pyd_source_line *ret)
{
	const struct range *r = find_range(d, addr);
	struct pyd_unit *u = &d->own;

	*ret = (struct pyd_source_line) { 0 };
	if (!r && !d->searched) {
		search_units(d);
		r = find_range(d, addr);
	}
	if (!r || !pyd_unit_open(&d->units, r->unit, u) ||
	    !load_lines(d, &u->die) || !find_line(&u->die, addr, ret))
		return 0;
	if (u->end - u->at > UNIT_MAX ||
	    !pyd_sections_load(d->s, PYD_SECTION_INFO, u->at, u->end - u->at) ||
	    !load_ranges(d))
		return 0;
	return find_inlined(d, &u->die, addr, inlined, ret);
}
