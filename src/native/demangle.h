/* SPDX-License-Identifier: Apache-2.0 */
/* Names of C++ and Rust as their authors wrote them. */
#ifndef PYD_NATIVE_DEMANGLE_H
#define PYD_NATIVE_DEMANGLE_H

#include <stdbool.h>
#include <stddef.h>

/* False when the name is not mangled, or too long to be believed: a mangled
 * name of a few bytes can stand for gigabytes, so that the result is cut at
 * cap - 1 with "..." at its end. cap is at least 16. */
bool pyd_demangle(const char *mangled, char *buf, size_t cap);

#endif
