/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The "copy" and "image" targets: segments held in our memory, and a target
 * for what lies beyond them.
 */
#ifndef PYD_TARGET_COPY_H
#define PYD_TARGET_COPY_H

#include <string.h>

#include "base/buf.h"
#include "target/capture.h"
#include "target/maps.h"

struct pyd_copy_chunk { /* of mmap */
	uint8_t *data;
	size_t len;
};

/* All members pass into the target's ownership when it is made; before, they
 * are released by pyd_copy_parts_deinit(). */
struct pyd_copy_parts {
	const char *name; /* "copy", "image" */
	pid_t pid;
	struct pyd_maps maps;
	struct pyd_segment *segments; /* sorted, not overlapping */
	size_t nsegments;
	size_t cap;
	/* start, end pairs. Anonymous memory that is in no segment is zeros,
	 * but for these ranges: they were not readable, or not taken. */
	struct pyd_vec bad;
	struct pyd_copy_chunk *chunks;
	size_t nchunks;
	/* For text, constants and shared mappings; NULL: they fault. */
	struct pyd_target *rest;
	struct pyd_target *rest_inner; /* what rest caches; may be NULL */
};

/* Private memory without a file: it is frozen whole, or not readable. */
static inline bool pyd_region_is_anonymous(const struct pyd_region *r)
{
	return !r->inode && !(r->prot & PYD_PROT_SHARED) &&
	       strncmp(r->path, "[v", 2); /* vdso, vvar, vsyscall */
}

/* Appends a segment; start must not lie below the end of the last one. Joins
 * neighbours. */
PYD_MUST_CHECK enum pyd_code pyd_copy_add(struct pyd_copy_parts *c,
					  pyd_addr start, pyd_addr end,
					  const uint8_t *data,
					  struct pyd_err *err);
/* A range that is not readable; in any order. */
PYD_MUST_CHECK enum pyd_code pyd_copy_add_bad(struct pyd_copy_parts *c,
					      pyd_addr start, pyd_addr end,
					      struct pyd_err *err);
/* A chunk of at least len bytes. prefault: with its pages faulted in. */
PYD_MUST_CHECK enum pyd_code pyd_copy_chunk(struct pyd_copy_parts *c,
					    size_t len, bool prefault,
					    struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_target_copy_create(struct pyd_copy_parts *c,
						    struct pyd_target **ret,
						    struct pyd_err *err);
/* Gives the kernel what of the last chunk is behind its first used bytes. */
void pyd_copy_trim(struct pyd_copy_parts *c, size_t used);
void pyd_copy_parts_deinit(struct pyd_copy_parts *c);
/* NULL when t is neither a copy nor an image. */
const struct pyd_copy_parts *pyd_target_copy_parts(const struct pyd_target *t);

/*
 * What lies beyond a copy: the address space behind memfd as long as it
 * exists, then the files that were mapped: files[i] is the fd, or -1, for
 * region i of maps, which must outlive the target. Takes memfd, files and the
 * nfds descriptors in fds (those that files uses), on failure too.
 */
PYD_MUST_CHECK enum pyd_code pyd_target_rest_create(
	int memfd, const struct pyd_maps *maps, int *files, int *fds,
	size_t nfds, struct pyd_target **ret, struct pyd_err *err);

#endif
