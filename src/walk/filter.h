/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --include and --exclude: globs over full names of types and names of
 * modules. An object whose type is left out keeps its place, type and size;
 * of a module that is left out, the namespace does.
 */
#ifndef PYD_WALK_FILTER_H
#define PYD_WALK_FILTER_H

#include "read/reader.h"
#include "walk/limits.h"

enum pyd_verdict {
	PYD_TAKEN,
	PYD_EXCLUDED,
	PYD_NOT_INCLUDED,
};

struct pyd_filter {
	struct pyd_patterns include, exclude; /* not owned */
	struct pyd_map types;  /* address -> verdict and pattern */
	struct pyd_map spaces; /* the same, modules' dicts */
	struct pyd_node node;  /* scratch */
};

bool pyd_filter_is_on(const struct pyd_filter *f);
void pyd_filter_deinit(struct pyd_filter *f);
/* Judges the modules in a sys.modules. What of it cannot be read is taken. */
PYD_MUST_CHECK enum pyd_code pyd_filter_modules(struct pyd_filter *f,
						struct pyd_reader *r,
						pyd_addr modules,
						struct pyd_err *err);
/* Judges the object at addr; whole: it is a part of what another object is
 * known by. why gets the reason. */
PYD_MUST_CHECK enum pyd_code pyd_filter_judge(struct pyd_filter *f,
					      struct pyd_reader *r,
					      pyd_addr addr, bool whole,
					      enum pyd_verdict *ret, char *why,
					      size_t cap, struct pyd_err *err);

#endif
