/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value of one str, bytes or bytearray that is too long to be in memory
 * here: it is read again, in pieces, each time somebody goes through it. Only
 * of a target whose memory does not change.
 */
#ifndef PYD_READ_LONG_H
#define PYD_READ_LONG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct pyd_target;

enum {
	/* Bytes in the target from which on a value is read so. */
	PYD_LONG_MIN = 4 << 20,
	/* Of the value, that are gone through at once. */
	PYD_LONG_STEP = 128 << 10,
};

/* What is replaced by asterisks. */
struct pyd_long_mask {
	uint64_t at, len; /* bytes of the value */
};

struct pyd_long {
	uint64_t len;		   /* bytes as they are written; 0: no value */
	uint64_t raw;		   /* bytes before anything is masked */
	struct pyd_target *target; /* not owned */
	pyd_addr at;
	uint64_t units;	    /* characters or bytes there that belong to it */
	uint64_t all;	    /* the same, without the cut that was made */
	unsigned int width; /* bytes of a unit: 1, 2, 4 */
	uint32_t limit;	    /* of a str: no character is above it; else 0 */
	/* Where in the value each step of so many units begins; NULL where
	 * units are bytes of the value. */
	uint64_t *starts;
	size_t step, nsteps;
	struct pyd_buf decoded; /* the step that was read last */
	size_t which;
	/* In order, apart, of whole characters. */
	struct pyd_long_mask *masks;
	size_t nmasks;
};

/* Where somebody is in the value. */
struct pyd_long_pos {
	uint64_t read, written; /* bytes: raw, and masked */
	size_t mask;
};

static inline bool pyd_long_is_str(const struct pyd_long *l)
{
	return l->limit != 0;
}
/* Finds out the length and whether all can be read and is what it should be;
 * at, units, all, width and limit say what. addr is the object's, for the
 * error: PYD_FAULT, PYD_CORRUPT. Owns nothing on failure. */
PYD_MUST_CHECK enum pyd_code pyd_long_open(struct pyd_long *l, pyd_addr addr,
					   struct pyd_err *err);
void pyd_long_deinit(struct pyd_long *l);
/* Reads n bytes of the raw value from `at` on, all of which it has. */
PYD_MUST_CHECK enum pyd_code pyd_long_read(struct pyd_long *l, uint64_t at,
					   uint8_t *to, size_t n,
					   struct pyd_err *err);
/* Masks these places, which are in order and apart: a character that is hit is
 * masked as a whole. What is behind the value is left out. Takes masks, which
 * was allocated. */
PYD_MUST_CHECK enum pyd_code pyd_long_mask(struct pyd_long *l,
					   struct pyd_long_mask *masks,
					   size_t n, struct pyd_err *err);
/* Cuts it to at most max bytes, at a character. */
PYD_MUST_CHECK enum pyd_code pyd_long_cut(struct pyd_long *l, uint64_t max,
					  struct pyd_err *err);
/* The next bytes as they are written, at most PYD_LONG_STEP, into to; pos
 * begins with zeros. *ret is 0 at the end. */
PYD_MUST_CHECK enum pyd_code pyd_long_next(struct pyd_long *l,
					   struct pyd_long_pos *pos,
					   uint8_t *to, size_t *ret,
					   struct pyd_err *err);

#endif
