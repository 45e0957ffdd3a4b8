/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target: where remote bytes come from. Live process, frozen copy, block
 * cache over a stopped process, core file, recorded image (tests). Nothing
 * here knows about Python.
 */
#ifndef PYD_TARGET_TARGET_H
#define PYD_TARGET_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
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
	const char *name; /* "process", "copy", "cache", "core"... */
	/* Reads exactly len bytes or fails with PYD_FAULT (one object) or
	 * PYD_GONE/PYD_PERM (the run). buf is unspecified on failure. */
	enum pyd_code (*read)(struct pyd_target *t, pyd_addr addr, void *buf,
			      size_t len, struct pyd_err *err);
	/* Reads a range as if it were read, for a target that keeps what is;
	 * all of it, whatever fails. NULL: it keeps nothing. */
	enum pyd_code (*touch)(struct pyd_target *t, pyd_addr addr, size_t len,
			       struct pyd_err *err);
	/* Opens the file of a region, verified; *ret is an fd. NULL: there
	 * are no files here. PYD_NOTFOUND, with the reason. */
	enum pyd_code (*open_file)(struct pyd_target *t,
				   const struct pyd_region *r, int *ret,
				   struct pyd_err *err);
	void (*destroy)(struct pyd_target *t);
};

enum {
	PYD_WINDOW_SHIFT = 14,
	PYD_WINDOW_BYTES = 1 << PYD_WINDOW_SHIFT,
	PYD_WINDOWS = 8192, /* a power of two */
};

/* A block of memory that a target has at hand as a whole: it is read without a
 * call. By its number (address / PYD_WINDOW_BYTES), one behind each of the low
 * bits; data is NULL where there is none. */
struct pyd_window {
	uint64_t number;
	const uint8_t *data;
	uint8_t *recent; /* set to 1 by each read: it is in use */
};

struct pyd_target {
	const struct pyd_target_ops *ops;
	pid_t pid;		    /* 0 when there is no process */
	struct pyd_region *regions; /* sorted by start, not overlapping */
	size_t nregions;
	/* PYD_WINDOWS of them, the target's own; NULL: it has none. */
	struct pyd_window *windows;
	/* Folder that its files are below, of a process that is not here; NULL.
	 * Not owned. */
	const char *root;
	pyd_addr in_exe; /* some address in the executable; 0: not known, or
			  * there is a process to ask */
};

/* The bytes at addr, if they are at hand, else NULL. Valid until the next read
 * of the target. */
static inline const uint8_t *pyd_target_at(const struct pyd_target *t,
					   pyd_addr addr, size_t len)
{
	uint64_t number = addr >> PYD_WINDOW_SHIFT;
	size_t at = (size_t)(addr & (PYD_WINDOW_BYTES - 1));
	const struct pyd_window *w;

	if (!t->windows)
		return NULL;
	w = &t->windows[number & (PYD_WINDOWS - 1)];
	if (w->number != number || !w->data || len > PYD_WINDOW_BYTES - at)
		return NULL;
	*w->recent = 1;
	return w->data + at;
}

/* Out of line. */
PYD_MUST_CHECK enum pyd_code pyd_target_read_slow(struct pyd_target *t,
						  pyd_addr addr, void *buf,
						  size_t len,
						  struct pyd_err *err);
/* Reads exactly len bytes at addr. A range that wraps is a fault. */
PYD_MUST_CHECK static inline enum pyd_code pyd_target_read(struct pyd_target *t,
							   pyd_addr addr,
							   void *buf,
							   size_t len,
							   struct pyd_err *err)
{
	const uint8_t *p = pyd_target_at(t, addr, len);

	if (!p || !len)
		return pyd_target_read_slow(t, addr, buf, len, err);
	memcpy(buf, p, len);
	return PYD_OK;
}
/* The same without giving it: where what is read is kept, it can be read later
 * on. */
PYD_MUST_CHECK static inline enum pyd_code pyd_target_touch(
	struct pyd_target *t, pyd_addr addr, size_t len, struct pyd_err *err)
{
	return t->ops->touch ? t->ops->touch(t, addr, len, err) : PYD_OK;
}
PYD_MUST_CHECK static inline enum pyd_code pyd_target_read_u64(
	struct pyd_target *t, pyd_addr addr, uint64_t *ret, struct pyd_err *err)
{
	uint64_t value;
	enum pyd_code code =
		pyd_target_read(t, addr, &value, sizeof(value), err);

	if (!code)
		*ret = value;
	return code;
}
/* Opens the file of a region, as the target's operation does; PYD_NOTFOUND
 * where it has none. */
PYD_MUST_CHECK enum pyd_code pyd_target_open_file(struct pyd_target *t,
						  const struct pyd_region *r,
						  int *ret,
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
