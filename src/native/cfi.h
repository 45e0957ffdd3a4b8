/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind tables that only debuggers know: .debug_frame of a module's file or
 * of its separate debug information, for code that was compiled without
 * .eh_frame (libdw).
 */
#ifndef PYD_NATIVE_CFI_H
#define PYD_NATIVE_CFI_H

#include "native/module.h"
#include "native/regs.h"

struct pyd_cfis;

/* A frame. Registers are numbered as DWARF and libunwind do. */
struct pyd_cfi_frame {
	pyd_addr pc;
	bool exact; /* pc is not behind a call */
	uint64_t regs[PYD_UNW_REGS];
	uint64_t known; /* a bit for each register */
};

/* Its caller. */
struct pyd_cfi_caller {
	pyd_addr pc; /* 0: it has none */
	pyd_addr sp;
	bool exact;			   /* it was interrupted by a signal */
	uint64_t saved[PYD_UNW_SAVED_MAX]; /* in the order of pyd_unw_saved */
};

/* Reads a word of the target. */
typedef bool pyd_cfi_read(void *ctx, pyd_addr addr, uint64_t *ret);

/* m must outlive it. NULL: no memory. */
struct pyd_cfis *pyd_cfis_create(const struct pyd_nmodules *m);
/* Accepts NULL. */
void pyd_cfis_destroy(struct pyd_cfis *c);
/* False: no table tells, or something of it cannot be read. */
bool pyd_cfis_step(struct pyd_cfis *c, const struct pyd_cfi_frame *of,
		   pyd_cfi_read *read, void *ctx, struct pyd_cfi_caller *ret);

#endif
