// SPDX-License-Identifier: Apache-2.0
/*
 * Tables and debug offsets, from any bytes. The first byte chooses: a table's
 * text, or what a target has at _PyRuntime for one of the embedded tables.
 * What is taken must be valid; what is refused must leave the layout alone.
 */
#include <stdlib.h>
#include <string.h>

#include "layout/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_text(const uint8_t *data, size_t size)
{
	struct pyd_layout lay;
	struct pyd_err err;

	if (pyd_layout_parse("fuzz", (const char *)data, size, &lay, &err))
		return;
	/* A verdict either way, and no more than that. */
	if (pyd_layout_validate(&lay, &err) && err.code != PYD_FORMAT)
		abort();
}

static void fuzz_debug(const struct pyd_layout *from, const uint8_t *data,
		       size_t size)
{
	struct pyd_layout lay = *from;
	uint8_t bytes[PYD_DEBUG_OFFSETS_MAX] = { 0 };
	uint64_t hex = from->hex_min;
	uint64_t wide = 1 << 20;
	struct pyd_err err;
	char notes[64];

	/* Right to begin with; each three bytes of input change one byte. */
	memcpy(bytes, "xdebugpy", 8);
	memcpy(bytes + 8, &hex, 8);
	for (size_t f = 0; f < PYD_NFIELDS; f++)
		if (from->debug_size_pos[f] != PYD_ABSENT)
			memcpy(bytes + from->debug_size_pos[f], &wide, 8);
	for (size_t f = 0; f < PYD_NFIELDS; f++) {
		uint64_t v = from->off[f] < 0 ? 0 : (uint64_t)from->off[f];

		if (from->debug_pos[f] != PYD_ABSENT)
			memcpy(bytes + from->debug_pos[f], &v, 8);
	}
	for (; size >= 3; data += 3, size -= 3) {
		size_t at = ((size_t)data[0] << 8 | data[1]) % sizeof(bytes);

		bytes[at] = data[2];
	}
	if (!pyd_layout_apply_debug_offsets(&lay, bytes, sizeof(bytes), notes,
					    sizeof(notes), &err)) {
		if (pyd_layout_validate(&lay, &err))
			abort();
	} else if (memcmp(&lay, from, sizeof(lay)) != 0) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pyd_layouts tables;
	struct pyd_layout *lay;
	struct pyd_err err;

	if (!tables.n && pyd_layouts_load(NULL, &tables, &err))
		abort();
	if (!size)
		return 0;
	if (data[0] & 1)
		fuzz_text(data + 1, size - 1);
	else if (pyd_layouts_get(&tables, data[0] / 2 % tables.n, &lay, &err))
		abort();
	else
		fuzz_debug(lay, data + 1, size - 1);
	return 0;
}
