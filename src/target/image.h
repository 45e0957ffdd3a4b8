/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recorded image: memory of a target in a file, for tests and fuzzing.
 *
 * All numbers are little-endian u64. The file is:
 *	"PYDIMG1\n" (8 bytes), hint, nregions, nsegments, nbad
 *	nregions times: start, end, file_offset, dev, inode, prot, deleted,
 *		length of the path, path
 *	nsegments times: start, length, that many bytes
 *	nbad times: start, end of anonymous memory that was not readable
 * Regions and segments ascend and do not overlap. Anonymous memory that is
 * neither in a segment nor bad is zeros; other memory outside segments faults.
 * hint is a number of the caller's, such as the address of _PyRuntime.
 */
#ifndef PYD_TARGET_IMAGE_H
#define PYD_TARGET_IMAGE_H

#include "target/target.h"

/* Saves what a copy holds, and read-only file mappings of up to 64 MiB each
 * that can be read. Replaces path. */
PYD_MUST_CHECK enum pyd_code pyd_image_save(struct pyd_target *copy,
					    uint64_t hint, const char *path,
					    struct pyd_err *err);
/* PYD_FORMAT for anything that does not parse. */
PYD_MUST_CHECK enum pyd_code pyd_image_load(const char *path,
					    struct pyd_target **ret,
					    uint64_t *ret_hint,
					    struct pyd_err *err);
/* The same out of memory; data is copied. */
PYD_MUST_CHECK enum pyd_code pyd_image_parse(const uint8_t *data, size_t len,
					     struct pyd_target **ret,
					     uint64_t *ret_hint,
					     struct pyd_err *err);

#endif
