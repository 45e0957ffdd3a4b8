/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: PyFrameObject up to 3.10, _PyInterpreterFrame from 3.11 on, of
 * threads, generators and tracebacks. Include/internal/pycore_frame.h
 */
#ifndef PYD_READ_FRAME_H
#define PYD_READ_FRAME_H

#include "read/code.h"

enum pyd_frame_state {
	PYD_FRAME_CREATED = 0,
	PYD_FRAME_SUSPENDED = 1,
	PYD_FRAME_RUNNING = 2,
	PYD_FRAME_FINISHED = 3,
};

/* Reused from frame to frame; zero-initialised is valid. */
struct pyd_frame {
	pyd_addr addr;	    /* of the frame struct itself */
	pyd_addr previous;  /* 0: the oldest */
	pyd_addr frame_obj; /* PyFrameObject, or 0 */
	pyd_addr generator; /* that owns it, or 0 */
	pyd_addr code_addr;
	const struct pyd_codeobj *code; /* NULL for a shim */
	pyd_addr globals, builtins, locals, function, trace;
	bool shim;    /* made by the interpreter for itself */
	bool entry;   /* a shim on the C stack of a call of the evaluation
		       * loop, by which the call's frames end (3.12+) */
	bool cleared; /* finished; variables are gone */
	enum pyd_frame_state state;
	int64_t lasti; /* byte offset, -1: before the first */
	struct pyd_position pos;
	struct pyd_vec vars;  /* values, parallel to code->vars; 0: unset */
	struct pyd_vec stack; /* evaluation stack, bottom first */
	bool stack_known;
};

void pyd_frame_deinit(struct pyd_frame *f);

/* The frame struct at addr: an interpreter frame where the layout has them,
 * else a PyFrameObject. */
PYD_MUST_CHECK enum pyd_code pyd_read_frame(struct pyd_reader *r, pyd_addr addr,
					    struct pyd_frame *f,
					    struct pyd_err *err);

/*
 * The objects that the frame is inside a "with" of, outermost first: those
 * whose __exit__ lies on its evaluation stack, at a depth that is certain.
 * Appended to ret. A frame that just runs such an __exit__ because of an
 * exception is not inside any more.
 */
PYD_MUST_CHECK enum pyd_code pyd_frame_inside(struct pyd_reader *r,
					      const struct pyd_frame *f,
					      struct pyd_vec *ret,
					      struct pyd_err *err);
/* All words that the frame has for variables and its evaluation stack,
 * appended to ret, flags of references taken off; beyond the top of the
 * stack is what was left there. */
PYD_MUST_CHECK enum pyd_code pyd_frame_slots(struct pyd_reader *r,
					     const struct pyd_frame *f,
					     struct pyd_vec *ret,
					     struct pyd_err *err);

/* n words of a frame from addr on, appended to ret likewise. */
PYD_MUST_CHECK enum pyd_code pyd_frame_words(struct pyd_reader *r,
					     pyd_addr addr, size_t n,
					     struct pyd_vec *ret,
					     struct pyd_err *err);

/* The frame of a generator that is suspended; PYD_CORRUPT when it is not. */
struct pyd_obj;
PYD_MUST_CHECK enum pyd_code pyd_read_suspended(struct pyd_reader *r,
						const struct pyd_obj *gen,
						struct pyd_frame *f,
						struct pyd_err *err);

/* Where the instruction at byte offset lasti of a frame object's code is; all
 * is -1 when it cannot be told. */
void pyd_frame_position(struct pyd_reader *r, pyd_addr frame_obj, int64_t lasti,
			struct pyd_position *ret);

/* True when threads run interpreter frames (3.11+). */
static inline bool pyd_has_iframes(const struct pyd_layout *lay)
{
	return PYD_OFF(lay, iframe, localsplus) != PYD_ABSENT;
}

/* _PyStackRef: bits of the pointer are flags; both set is a small integer,
 * which is kept as it is; 1 alone is NULL. */
static inline uint64_t pyd_untag(const struct pyd_layout *lay, uint64_t ref)
{
	if (lay->model_stackref == PYD_M_stackref_plain || (ref & 3) == 3)
		return ref;
	return ref & ~3ULL;
}

#endif
