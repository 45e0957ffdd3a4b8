/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ties Python frames to native ones: for each call of the evaluation loop
 * an address that lies in its part of the C stack, and which of the thread's
 * frames it runs. See model evalcall in offsets/models.def.
 */
#ifndef PYD_WALK_EVALS_H
#define PYD_WALK_EVALS_H

#include "read/frame.h"

struct pyd_evals {
	/* Both are parallel, the newest call first. */
	struct pyd_vec places; /* of 3.9 and before: of the frame object */
	struct pyd_vec ends;   /* its frames end before this number; they begin
				* where those of the call before end */
	uint64_t nframes;      /* of the thread, in all */
	/* Of 3.11: cframes, and the newest frame of each. */
	struct pyd_vec cframes;
	struct pyd_vec newest;
};

/* Before a thread's frames are read; tstate: its PyThreadState. */
PYD_MUST_CHECK enum pyd_code pyd_evals_begin(struct pyd_evals *e,
					     struct pyd_reader *r,
					     pyd_addr tstate,
					     struct pyd_err *err);
/* For each frame struct from the newest on, shims too. addr is its own,
 * number how many Python frames are newer; shim and entry as in pyd_frame. */
PYD_MUST_CHECK enum pyd_code pyd_evals_add(struct pyd_evals *e,
					   const struct pyd_layout *lay,
					   pyd_addr addr, uint64_t number,
					   bool shim, bool entry,
					   struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_evals_end(struct pyd_evals *e,
					   const struct pyd_layout *lay,
					   uint64_t nframes,
					   struct pyd_err *err);
void pyd_evals_deinit(struct pyd_evals *e);

#endif
