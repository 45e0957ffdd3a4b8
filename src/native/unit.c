// SPDX-License-Identifier: Apache-2.0
#include "native/unit.h"

#include <dwarf.h>
#include <string.h>

enum {
	/* Of a unit that is loaded to know it: its header and first entry. */
	HEAD_BYTES = 1024,
	/* Of .debug_abbrev, read at a time. */
	ABBREV_BYTES = 1024,
	UNITS_MAX = 1 << 18,
};

void pyd_units_deinit(struct pyd_units *units)
{
	pyd_vec_deinit(&units->starts);
}

static bool read_header(const struct pyd_units *units, uint64_t at,
			struct pyd_unit *ret)
{
	uint64_t size = pyd_sections_size(units->s, PYD_SECTION_INFO);
	const uint8_t *p = pyd_sections_data(units->s, PYD_SECTION_INFO);
	struct pyd_unit h = { .at = at };
	uint32_t word;
	uint64_t len;
	uint16_t version;
	size_t head;

	if (size < at || size - at < 12 ||
	    !pyd_sections_load(units->s, PYD_SECTION_INFO, at, HEAD_BYTES))
		return false;
	p += at;
	memcpy(&word, p, sizeof(word));
	len = word;
	h.wide = word == UINT32_MAX;
	if (h.wide && size - at < 24)
		return false;
	if (h.wide)
		memcpy(&len, p + 4, sizeof(len));
	head = h.wide ? 12 : 4;
	if (!len || len > size - at - head)
		return false;
	h.end = at + head + len;
	memcpy(&version, p + head, sizeof(version));
	h.version = version;
	p += head + (version >= 5 ? 4 : 2);
	memcpy(&word, p, sizeof(word));
	h.abbrevs = word;
	if (h.wide)
		memcpy(&h.abbrevs, p, sizeof(h.abbrevs));
	*ret = h;
	return true;
}

bool pyd_units_list(struct pyd_units *units, uint64_t upto)
{
	struct pyd_err ignored;

	while (units->known <= upto && units->starts.len < UNITS_MAX) {
		struct pyd_unit h;

		if (!read_header(units, units->known, &h) ||
		    pyd_vec_push(&units->starts, h.at, &ignored))
			return false;
		units->known = h.end;
	}
	return units->known > upto;
}

bool pyd_units_find(struct pyd_units *units, uint64_t off, uint64_t *ret)
{
	size_t lo = 0, hi;

	if (!pyd_units_list(units, off))
		return false;
	hi = units->starts.len;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (units->starts.data[mid] <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo)
		*ret = units->starts.data[lo - 1];
	return lo;
}

/* A number of .debug_abbrev, of which only whether it is zero is told. */
static bool skip_number(struct pyd_units *units, uint64_t *at, bool *ret_zero)
{
	const uint8_t *data = pyd_sections_data(units->s, PYD_SECTION_ABBREV);
	uint64_t size = pyd_sections_size(units->s, PYD_SECTION_ABBREV);
	uint8_t byte;

	*ret_zero = true;
	do {
		if (*at >= size ||
		    (*at % ABBREV_BYTES == 0 &&
		     !pyd_sections_load(units->s, PYD_SECTION_ABBREV, *at,
					ABBREV_BYTES)))
			return false;
		byte = data[(*at)++];
		*ret_zero &= !(byte & 0x7f);
	} while (byte & 0x80);
	return true;
}

/* Loads the table that begins there (DWARF 5, 7.5.3). */
static bool load_abbrevs(struct pyd_units *units, uint64_t at)
{
	bool code, name, form;
	uint64_t implicit;

	if (!pyd_sections_load(units->s, PYD_SECTION_ABBREV, at, ABBREV_BYTES))
		return false;
	for (;;) {
		if (!skip_number(units, &at, &code))
			return false;
		if (code)
			return true;
		/* Its tag, and whether it has children, in one byte. */
		if (!skip_number(units, &at, &name))
			return false;
		if (!skip_number(units, &at, &name))
			return false;
		do {
			if (!skip_number(units, &at, &name))
				return false;
			implicit = at;
			if (!skip_number(units, &at, &form))
				return false;
			/* The value is here. */
			if (at - implicit == 1 &&
			    pyd_sections_data(units->s,
					      PYD_SECTION_ABBREV)[implicit] ==
				    DW_FORM_implicit_const &&
			    !skip_number(units, &at, &code))
				return false;
		} while (!name || !form);
	}
}

void pyd_unit_close(struct pyd_unit *u)
{
	if (u->dw)
		dwarf_end(u->dw);
	*u = (struct pyd_unit) { 0 };
}

/* Makes libdw know the unit, and no other. */
static bool begin_unit(struct pyd_units *units, struct pyd_unit *u)
{
	/* Length, version 5, DW_UT_partial, eight bytes an address, and a
	 * position in .debug_abbrev. */
	uint8_t before[12] = { 0, 0, 0, 0, 5, 0, DW_UT_partial, 8 };
	uint32_t len = (uint32_t)(u->at - sizeof(len));
	Dwarf_Off next;
	size_t header;
	bool good;

	memcpy(before, &len, sizeof(len));
	/* What is closer to the begin has real units before it. */
	if (u->at < sizeof(before)
		    ? !pyd_units_list(units, u->at)
		    : !pyd_sections_load(units->s, PYD_SECTION_INFO, 0,
					 sizeof(before)))
		return false;
	if (u->at >= sizeof(before))
		pyd_sections_swap(units->s, PYD_SECTION_INFO, before,
				  sizeof(before));
	good = !dwarf_nextcu(u->dw, u->at, &next, &header, NULL, NULL, NULL) &&
	       dwarf_offdie(u->dw, u->at + header, &u->die);
	if (u->at >= sizeof(before))
		pyd_sections_swap(units->s, PYD_SECTION_INFO, before,
				  sizeof(before));
	return good;
}

bool pyd_unit_open(struct pyd_units *units, uint64_t at, struct pyd_unit *u)
{
	if (u->dw && u->at == at)
		return true;
	pyd_unit_close(u);
	if (!read_header(units, at, u) || !load_abbrevs(units, u->abbrevs))
		return false;
	u->dw = dwarf_begin_elf(pyd_sections_elf(units->s), DWARF_C_READ, NULL);
	if (u->dw && begin_unit(units, u))
		return true;
	pyd_unit_close(u);
	return false;
}
