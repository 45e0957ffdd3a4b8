/* SPDX-License-Identifier: Apache-2.0 */
/* Debug information that was split from a module, on this machine. */
#ifndef PYD_NATIVE_DEBUGINFO_H
#define PYD_NATIVE_DEBUGINFO_H

#include "target/elf.h"

/*
 * Opens it: below /usr/lib/debug/.build-id, or in debuginfod's cache, if its
 * build id is the module's. -1: there is none.
 */
int pyd_debuginfo_open(const struct pyd_module *mod);

#endif
