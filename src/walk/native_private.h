/* SPDX-License-Identifier: Apache-2.0 */
/* What native.c and native_names.c share. */
#ifndef PYD_WALK_NATIVE_PRIVATE_H
#define PYD_WALK_NATIVE_PRIVATE_H

#include "walk/native.h"

/* Has all places at hand in s->places; waits for the thread that looks them
 * up, if there is one. */
PYD_MUST_CHECK enum pyd_code pyd_native_look_up(struct pyd_native *s,
						struct pyd_err *err);
/* Waits for that thread, which is not to begin anything that takes long. */
void pyd_native_cancel(struct pyd_native *s);

#endif
