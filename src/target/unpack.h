/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that may be compressed: gzip, xz, zstd, lz4 frames.
 */
#ifndef PYD_TARGET_UNPACK_H
#define PYD_TARGET_UNPACK_H

#include <stdbool.h>

#include "base/err.h"

struct pyd_unpacked {
	int fd;		    /* of the plain bytes; the caller's */
	const char *format; /* "zstd", "xz", "lz4", "gzip"; NULL: was plain */
	bool cut;	    /* the compressed data ended in the middle, or is
			     * damaged */
	bool damaged;	    /* also what comes before may be wrong */
	char why[160];	    /* of cut */
};

/*
 * Opens path. What is compressed is decompressed into a file without a name in
 * TMPDIR (default: /var/tmp), with holes where there are zeros. PYD_IO: with
 * what to do when that is full; PYD_INTERRUPTED.
 */
PYD_MUST_CHECK enum pyd_code pyd_unpack(const char *path,
					struct pyd_unpacked *ret,
					struct pyd_err *err);

#endif
