/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in a native stack the thread's Python frames belong. Rather than by
 * counting, each call of the evaluation loop is found by something of it that
 * lies in its part of the stack: stripped binaries, functions that compilers
 * split, and native stacks that end early make no difference.
 */
#ifndef PYD_WALK_MERGE_H
#define PYD_WALK_MERGE_H

#include "native/unwind.h"
#include "walk/evals.h"

/* A native frame that runs Python frames first to first + n - 1. */
struct pyd_merge_at {
	size_t call;
	uint64_t first;
	uint64_t n;
};

struct pyd_merge {
	struct pyd_merge_at *v; /* ascending */
	size_t n;
	bool merged;	/* else v is empty, and note says why */
	char note[160]; /* also why it is less than sure, or "" */
};

/* The evaluation function, where that has to be known (model frame). */
struct pyd_eval_code {
	pyd_addr start; /* 0: not known */
	pyd_addr end;
	pyd_addr module_start;
	pyd_addr module_end;
};

PYD_MUST_CHECK enum pyd_code pyd_merge(struct pyd_target *t,
				       const struct pyd_layout *lay,
				       const struct pyd_eval_code *code_at,
				       const struct pyd_calls *calls,
				       const struct pyd_evals *evals,
				       struct pyd_merge *ret,
				       struct pyd_err *err);
void pyd_merge_deinit(struct pyd_merge *m);

#endif
