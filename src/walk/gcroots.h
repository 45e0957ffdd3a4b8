/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --gc: every object that the collector tracks, out of its lists
 * (Include/internal/pycore_gc.h; Include/internal/mem.h before 3.9).
 */
#ifndef PYD_WALK_GCROOTS_H
#define PYD_WALK_GCROOTS_H

#include "runtime/runtime.h"

struct pyd_gcroots {
	struct pyd_vec objects;
	/* Why some are missing; "" when none is. */
	char note[200];
};

/* A list that does not hold up ends where it does not, and the note says
 * so. torn: the target ran meanwhile. */
PYD_MUST_CHECK enum pyd_code pyd_gcroots_read(struct pyd_gcroots *g,
					      const struct pyd_runtime *rt,
					      struct pyd_reader *r, bool torn,
					      struct pyd_err *err);
void pyd_gcroots_deinit(struct pyd_gcroots *g);

#endif
