// SPDX-License-Identifier: Apache-2.0
#include "native/demangle.h"

#include <setjmp.h>
#include <string.h>

#include <libiberty/demangle.h>

enum {
	/* The demangler takes stack in proportion. */
	MANGLED_MAX = 4096,
};

struct sink {
	char *buf;
	size_t len;
	size_t cap;
	jmp_buf full;
};

/* The demanglers allocate nothing, so that they can be left at any point. */
static void take(const char *s, size_t n, void *ctx)
{
	struct sink *k = ctx;

	if (n >= k->cap - k->len) {
		memcpy(k->buf + k->len, s, k->cap - 1 - k->len);
		memcpy(k->buf + k->cap - 4, "...", 4);
		longjmp(k->full, 1);
	}
	memcpy(k->buf + k->len, s, n);
	k->len += n;
	k->buf[k->len] = '\0';
}

bool pyd_demangle(const char *mangled, char *buf, size_t cap)
{
	struct sink k = { .buf = buf, .cap = cap };

	if (mangled[0] != '_' || (mangled[1] != 'Z' && mangled[1] != 'R') ||
	    strnlen(mangled, MANGLED_MAX + 1) > MANGLED_MAX)
		return false;
	buf[0] = '\0';
	if (setjmp(k.full))
		return true;
	/* Rust's older mangling is a C++ one with a hash at its end. */
	return (rust_demangle_callback(mangled, DMGL_PARAMS, take, &k) ||
		(!k.len && mangled[1] == 'Z' &&
		 cplus_demangle_v3_callback(mangled, DMGL_PARAMS | DMGL_ANSI,
					    take, &k))) &&
	       k.len;
}
