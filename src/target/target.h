/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target: where remote bytes come from. Live process, frozen copy, block
 * cache over a stopped process, recorded image (tests); later a forked
 * snapshot and a core file. Nothing here knows about Python.
 */
#ifndef PYD_TARGET_TARGET_H
#define PYD_TARGET_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum pyd_prot {
	PYD_PROT_R = 1,
	PYD_PROT_W = 2,
	PYD_PROT_X = 4,
	PYD_PROT_SHARED = 8, /* MAP_SHARED */
};

/* One line of /proc/PID/maps, or one load segment of a core. */
struct pyd_region {
	pyd_addr start;
	pyd_addr end;	      /* exclusive */
	uint64_t file_offset; /* bytes */
	uint64_t dev;
	uint64_t inode;	   /* 0: anonymous */
	unsigned int prot; /* enum pyd_prot, ored */
	const char *path;  /* as in maps, without " (deleted)"; "" if none;
			    * owned by the target */
	uint8_t deleted;
};

struct pyd_target;

struct pyd_target_ops {
	const char *name; /* "process", "copy", "cache", "image" */
	/* Reads exactly len bytes or fails with PYD_FAULT (one object) or
	 * PYD_GONE/PYD_PERM (the run). buf is unspecified on failure. */
	enum pyd_code (*read)(struct pyd_target *t, pyd_addr addr, void *buf,
			      size_t len, struct pyd_err *err);
	void (*destroy)(struct pyd_target *t);
};

struct pyd_target {
	const struct pyd_target_ops *ops;
	pid_t pid;		    /* 0 when there is no process */
	struct pyd_region *regions; /* sorted by start, not overlapping */
	size_t nregions;
};

/* Reads exactly len bytes at addr. A range that wraps is a fault. */
PYD_MUST_CHECK enum pyd_code pyd_target_read(struct pyd_target *t,
					     pyd_addr addr, void *buf,
					     size_t len, struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_target_read_u64(struct pyd_target *t,
						 pyd_addr addr, uint64_t *ret,
						 struct pyd_err *err);
/* Reads a NUL-terminated string of at most cap - 1 bytes into buf, across
 * page ends; longer is cut at cap - 1 (*ret_cut, may be NULL, tells). */
PYD_MUST_CHECK enum pyd_code pyd_target_read_cstr(struct pyd_target *t,
						  pyd_addr addr, char *buf,
						  size_t cap, uint8_t *ret_cut,
						  struct pyd_err *err);
/* The region that holds addr, or NULL. */
const struct pyd_region *pyd_target_region(const struct pyd_target *t,
					   pyd_addr addr);
/* Accepts NULL. */
void pyd_target_destroy(struct pyd_target *t);

#endif
