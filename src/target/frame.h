/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signal frame by which a thread finds back by itself: should its tracer die
 * while the thread makes a call that it was told to make, it returns from that
 * call into the kernel's own sigreturn, which gives it all of its registers
 * again, as after any signal.
 */
#ifndef PYD_TARGET_FRAME_H
#define PYD_TARGET_FRAME_H

#include "target/arch.h"
#include "target/target.h"

enum {
	PYD_FRAME_MAX = 16384, /* bytes */
	/* What a function may use below its stack pointer (red zone). */
	PYD_FRAME_BELOW = 256,
};

/* Instructions that are there already, in the target's text. */
struct pyd_gadgets {
	pyd_addr call;	    /* enters the kernel, then returns */
	pyd_addr sigreturn; /* calls sigreturn */
};

/* PYD_NOTFOUND: there are none, or not for this processor. Needs no stop. */
PYD_MUST_CHECK enum pyd_code pyd_gadgets_find(struct pyd_target *t,
					      struct pyd_gadgets *ret,
					      struct pyd_err *err);

/*
 * The frame for a stopped thread with these registers and signal mask: bytes
 * that are to stand at *ret_addr, on its stack, which is then to be its stack
 * pointer. PYD_UNSUPPORTED: the thread's state does not fit into one.
 */
PYD_MUST_CHECK enum pyd_code pyd_frame_make(
	pid_t tid, const struct pyd_regs *regs, uint64_t mask,
	const struct pyd_gadgets *g, uint8_t buf[PYD_FRAME_MAX],
	size_t *ret_len, pyd_addr *ret_addr, struct pyd_err *err);

#endif
