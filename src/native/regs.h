/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What unwinding has to know of the processor beside target/arch.h: how
 * libunwind numbers its registers, which of them a function leaves to its
 * caller as they were, and what a call looks like.
 */
#ifndef PYD_NATIVE_REGS_H
#define PYD_NATIVE_REGS_H

#include <libunwind.h>
#include <stdbool.h>

#include "target/arch.h"

enum {
	/* Registers that libunwind may ask for. */
	PYD_UNW_REGS = 64,
	/* Registers that a function saves for its caller. */
	PYD_UNW_SAVED_MAX = 12,
	/* Bytes of the longest call. */
	PYD_UNW_CALL_MAX = 7,
	/* Bytes that are looked at for the end of a function. */
	PYD_UNW_END_MAX = 32,
	/* Bytes by which the end of a signal handler is known. */
	PYD_UNW_RETURN_LEN = 9,
};

extern const unw_regnum_t pyd_unw_saved[];
extern const size_t pyd_unw_nsaved;
/* The frame pointer. */
extern const unw_regnum_t pyd_unw_fp;
/* A return address is put on the stack by a call, not into a register. */
extern const bool pyd_unw_call_pushes;

/* All registers, by libunwind's numbers. */
void pyd_unw_regs_get(const struct pyd_regs *regs,
		      unw_word_t ret[PYD_UNW_REGS]);
/* True when the n bytes (at most PYD_UNW_CALL_MAX) before a return address
 * end with a call. */
bool pyd_unw_is_call(const uint8_t *bytes, size_t n);
/* How a function ends that does nothing more but take words off the stack. */
struct pyd_unw_end {
	uint64_t
		back; /* the return address is so far above the stack pointer */
	/* Likewise for registers that it gives back to its caller, by their
	 * position in pyd_unw_saved; UINT64_MAX: as it is. */
	uint64_t saved[PYD_UNW_SAVED_MAX];
};
/* True when what begins with these n bytes (at most PYD_UNW_END_MAX) goes
 * straight to the function's return. */
bool pyd_unw_is_end(const uint8_t *bytes, size_t n, struct pyd_unw_end *ret);
/* True for instructions (PYD_UNW_RETURN_LEN bytes) that call sigreturn: the
 * kernel makes signal handlers return to them. */
bool pyd_unw_is_sigreturn(const uint8_t *bytes);

#endif
