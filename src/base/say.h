/* SPDX-License-Identifier: Apache-2.0 */
/* A text that is put together in a buffer of fixed size, and cut where that is
 * full. */
#ifndef PYD_BASE_SAY_H
#define PYD_BASE_SAY_H

#include <stddef.h>

struct pyd_say {
	char *buf; /* not owned; NUL-terminated from the first pyd_say() on */
	size_t cap, len;
};

void __attribute__((format(printf, 2, 3)))
pyd_say(struct pyd_say *t, const char *fmt, ...);

#endif
