// SPDX-License-Identifier: Apache-2.0
/*
 * The target's own _Py_DebugOffsets: CPython's Include/internal/
 * pycore_runtime.h (3.13) and pycore_debug_offsets.h (3.14 on). Three words
 * are where they are in all versions: cookie, version, free_threaded. The
 * places of the rest are in the tables.
 */
#include <stdio.h>
#include <string.h>

#include "layout/layout.h"

enum {
	POS_COOKIE = 0,
	POS_VERSION = 8,
	POS_FREE_THREADED = 16,
	FIXED_SIZE = 24,
};

/* The first version that has them. */
#define FIRST_HEX 0x030d0000U

static uint64_t u64_at(const uint8_t *bytes, size_t pos)
{
	uint64_t v;

	memcpy(&v, bytes + pos, sizeof(v));
	return v;
}

bool pyd_debug_offsets_probe(const uint8_t *bytes, size_t len,
			     uint32_t *ret_hex, bool *ret_free_threaded)
{
	if (len < FIXED_SIZE || memcmp(bytes + POS_COOKIE, "xdebugpy", 8) != 0)
		return false;
	uint64_t hex = u64_at(bytes, POS_VERSION);
	uint64_t free_threaded = u64_at(bytes, POS_FREE_THREADED);
	if (hex < FIRST_HEX || hex > UINT32_MAX || free_threaded > 1)
		return false;
	*ret_hex = (uint32_t)hex;
	*ret_free_threaded = free_threaded;
	return true;
}

struct notes {
	char *buf;
	size_t cap;
	size_t len;
};

static void note(struct notes *n, size_t f, int32_t table, uint64_t target,
		 const char *then)
{
	int len;

	if (n->len + 1 >= n->cap)
		return;
	len = snprintf(n->buf + n->len, n->cap - n->len,
		       "%s%s: table %d, target %llu%s", n->len ? "; " : "",
		       pyd_field_name((enum pyd_field)f), table,
		       (unsigned long long)target, then);
	n->len += len > 0 ? (size_t)len : 0;
	if (n->len >= n->cap)
		n->len = n->cap - 1;
}

static enum pyd_code overlay(struct pyd_layout *lay, size_t f,
			     const uint8_t *bytes, struct notes *notes,
			     struct pyd_err *err)
{
	uint64_t v = u64_at(bytes, (size_t)lay->debug_pos[f]);
	uint64_t size = INT32_MAX;

	if (lay->debug_size_pos[f] != PYD_ABSENT)
		size = u64_at(bytes, (size_t)lay->debug_size_pos[f]);
	/* A size beyond any struct's bounds nothing. */
	if (size > INT32_MAX)
		size = INT32_MAX;
	if (lay->off[f] == PYD_ABSENT) {
		/* 0 is how it says absent. Anything else is a shape that no
		 * reader knows, so that its place is of no use. */
		if (v)
			note(notes, f, PYD_ABSENT, v, " (ignored)");
		return PYD_OK;
	}
	if (v > size)
		return pyd_err_set(err, PYD_CORRUPT,
				   "debug offsets: %s: %llu is beyond its "
				   "struct's %llu bytes",
				   pyd_field_name((enum pyd_field)f),
				   (unsigned long long)v,
				   (unsigned long long)size);
	if (v != (uint64_t)lay->off[f])
		note(notes, f, lay->off[f], v, "");
	lay->off[f] = (int32_t)v;
	return PYD_OK;
}

enum pyd_code pyd_layout_apply_debug_offsets(struct pyd_layout *lay,
					     const uint8_t *bytes, size_t len,
					     char *notes, size_t cap,
					     struct pyd_err *err)
{
	struct pyd_layout made = *lay;
	struct notes n = { .buf = notes, .cap = cap };
	bool free_threaded;
	uint32_t hex;

	if (cap)
		notes[0] = '\0';
	if (!lay->debug_size)
		return PYD_OK;
	if (!pyd_debug_offsets_probe(bytes, len, &hex, &free_threaded))
		return pyd_err_set(err, PYD_CORRUPT,
				   "debug offsets: no cookie, or no version");
	if (!pyd_layout_covers(lay, hex))
		return pyd_err_set(err, PYD_CORRUPT,
				   "debug offsets: version 0x%08x is not that "
				   "of table %s",
				   hex, lay->name);
	if (free_threaded != !!(lay->flags & PYD_LAYOUT_FREE_THREADED))
		return pyd_err_set(err, PYD_CORRUPT,
				   "debug offsets: of a build that is %s"
				   "free-threaded, unlike table %s",
				   free_threaded ? "" : "not ", lay->name);
	if (len < lay->debug_size)
		return pyd_err_set(err, PYD_CORRUPT,
				   "debug offsets: %zu bytes, %u are needed",
				   len, lay->debug_size);
	for (size_t f = 0; f < PYD_NFIELDS; f++) {
		enum pyd_code rc = PYD_OK;

		if (lay->debug_pos[f] != PYD_ABSENT)
			rc = overlay(&made, f, bytes, &n, err);
		if (rc)
			return rc;
	}
	if (pyd_layout_validate(&made, err)) {
		pyd_err_prefix(err, "debug offsets");
		if (err)
			err->code = PYD_CORRUPT;
		return PYD_CORRUPT;
	}
	*lay = made;
	return PYD_OK;
}
