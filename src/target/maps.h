/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The regions of an address space, from /proc/PID/maps.
 */
#ifndef PYD_TARGET_MAPS_H
#define PYD_TARGET_MAPS_H

#include "base/buf.h"
#include "target/target.h"

struct pyd_maps {
	struct pyd_region *regions; /* sorted, not overlapping */
	size_t n;
	char *text; /* holds the paths */
};

/* Parses text (which is copied); lines that do not parse are PYD_CORRUPT, a
 * cut last line is dropped. */
PYD_MUST_CHECK enum pyd_code pyd_maps_parse(const char *text, size_t len,
					    struct pyd_maps *ret,
					    struct pyd_err *err);
/* The text of them; ret is replaced. PYD_GONE, PYD_PERM, PYD_NOMEM. */
PYD_MUST_CHECK enum pyd_code pyd_maps_text(pid_t pid, struct pyd_buf *ret,
					   struct pyd_err *err);
/* PYD_GONE, PYD_PERM, PYD_NOMEM. A process without an address space has none:
 * PYD_GONE. */
PYD_MUST_CHECK enum pyd_code pyd_maps_read(pid_t pid, struct pyd_maps *ret,
					   struct pyd_err *err);
void pyd_maps_deinit(struct pyd_maps *m);
/* Whether the same is mapped there, and as it was. */
bool pyd_region_is_same(const struct pyd_region *a, const struct pyd_region *b);
/* The region that holds addr, or NULL. */
const struct pyd_region *pyd_regions_find(const struct pyd_region *regions,
					  size_t n, pyd_addr addr);

#endif
