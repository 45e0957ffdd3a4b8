/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What debuginfod's client has fetched before, on this machine: nothing is
 * asked of any network.
 */
#ifndef PYD_TARGET_DEBUGINFOD_H
#define PYD_TARGET_DEBUGINFOD_H

#include <stddef.h>

enum { PYD_DEBUGINFOD_PLACES = 4 };

/*
 * The path of a file in place number i of the cache, below
 * PYD_DEBUGINFOD_PLACES: the client has changed it over time. id: hexadecimal;
 * what: "executable", "debuginfo". NULL: this place is not set. What is there
 * has to be proved by its build id.
 */
const char *pyd_debuginfod_path(int i, const char *id, const char *what,
				char *buf, size_t cap);

#endif
