/* SPDX-License-Identifier: Apache-2.0 */
/* Debug information that was split from a module, on this machine or in the
 * target's own root. */
#ifndef PYD_NATIVE_DEBUGINFO_H
#define PYD_NATIVE_DEBUGINFO_H

#include "target/elf.h"

/*
 * Opens it: below /usr/lib/debug/.build-id, in debuginfod's cache, or below
 * the same folder in the root of the process, or the one given for a core, if
 * its build id is the module's. -1: there is none.
 */
int pyd_debuginfo_open(const struct pyd_modules *all,
		       const struct pyd_module *mod);

#endif
