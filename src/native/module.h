/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF modules as unwinding sees them: with the kernel's vdso, and with the
 * unwind tables that lie in the target's memory. No file is read here, so
 * that deleted, replaced and namespaced files make no difference.
 */
#ifndef PYD_NATIVE_MODULE_H
#define PYD_NATIVE_MODULE_H

#include "target/elf.h"

struct pyd_nmodule {
	struct pyd_module mod; /* path is owned by the list's modules */
	bool vdso;
	/* Of .eh_frame_hdr, remote; 0: the module has none that we read. */
	pyd_addr hdr;
	pyd_addr table; /* its binary search table */
	uint64_t nfdes;
};

struct pyd_nmodules {
	struct pyd_modules elf; /* what v's are made of */
	struct pyd_nmodule *v;	/* sorted by start */
	size_t n;
};

/* p may be NULL. t must outlive the list. */
PYD_MUST_CHECK enum pyd_code pyd_nmodules_load(struct pyd_target *t,
					       const struct pyd_process *p,
					       struct pyd_nmodules *ret,
					       struct pyd_err *err);
void pyd_nmodules_deinit(struct pyd_nmodules *m);
/* The module that holds addr, or NULL. */
const struct pyd_nmodule *pyd_nmodules_find(const struct pyd_nmodules *m,
					    pyd_addr addr);

#endif
