/* SPDX-License-Identifier: Apache-2.0 */
/* What reading the stacks (stacks.c) and writing them (stacks_pack.c) share. */
#ifndef PYD_WALK_STACKS_PRIVATE_H
#define PYD_WALK_STACKS_PRIVATE_H

#include "walk/pack.h"
#include "walk/stacks.h"

/* What of one thread is kept until all threads are read. */
struct pyd_stack {
	uint64_t nframes;
	struct pyd_pack *chunks;
	uint64_t *firsts; /* number of the first frame of a chunk */
	size_t nchunks;
	char note[200];
	struct pyd_stack_exception {
		bool raised;
		pyd_addr value, type, traceback;
	} * exceptions;
	size_t nexceptions;
};

/* A frame of the "frames" part, doc/FORMAT.md. */
void pyd_stack_pack_frame(struct pyd_stacks *s, struct pyd_pack *p,
			  struct pyd_reader *r, const struct pyd_frame *f);
/* A frame whose contents do not hold up keeps its place; why says what does
 * not. */
void pyd_stack_pack_bad_frame(struct pyd_pack *p, const struct pyd_frame *f,
			      const struct pyd_err *why);
/* Writes the "threads" part and the frames, of rt->nthreads stacks. */
PYD_MUST_CHECK enum pyd_code pyd_stacks_emit(struct pyd_stacks *s,
					     const struct pyd_runtime *rt,
					     const struct pyd_stack *stacks,
					     struct pyd_writer *w,
					     struct pyd_err *err);

#endif
