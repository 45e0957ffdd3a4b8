/* SPDX-License-Identifier: Apache-2.0 */
/* The texts that a person names: one file, or a directory of them. */
#ifndef PYD_LAYOUT_FILES_H
#define PYD_LAYOUT_FILES_H

#include <stddef.h>

#include "base/err.h"

/*
 * Calls fn with the text of the file at path, or, when path is a directory,
 * of every file in it whose name ends in suffix, by name. fn's failure ends
 * it. PYD_NOTFOUND when a directory has none.
 */
PYD_MUST_CHECK enum pyd_code pyd_files_each(
	const char *path, const char *suffix,
	enum pyd_code (*fn)(void *ctx, const char *where, const char *text,
			    size_t len, struct pyd_err *err),
	void *ctx, struct pyd_err *err);

#endif
