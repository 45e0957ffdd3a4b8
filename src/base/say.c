// SPDX-License-Identifier: Apache-2.0
#include "base/say.h"

#include <stdarg.h>
#include <stdio.h>

void pyd_say(struct pyd_say *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n < t->cap - t->len ? (size_t)n
						      : t->cap - t->len - 1;
}
