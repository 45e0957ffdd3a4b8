/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of interpreters of a runtime.
 */
#ifndef PYD_RUNTIME_INTERP_H
#define PYD_RUNTIME_INTERP_H

#include "runtime/runtime.h"

/*
 * Walks the list and checks what must hold of it: pointers, cycles, thread
 * states that point back. Replaces rt->interps. addr and lay are rt's. An empty
 * list is PYD_NOTPYTHON: not initialised yet, or ended.
 */
PYD_MUST_CHECK enum pyd_code pyd_interps_list(struct pyd_target *t,
					      struct pyd_runtime *rt,
					      struct pyd_err *err);

#endif
