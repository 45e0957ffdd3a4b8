/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msgpack, as far as the dump needs it: appending to a buffer, and walking
 * bytes that nobody vouches for without building a tree of them.
 */
#ifndef PYD_DUMP_MP_H
#define PYD_DUMP_MP_H

#include "base/buf.h"

/* -- writing -- */

PYD_MUST_CHECK enum pyd_code pyd_mp_put_map(struct pyd_buf *b, uint32_t n,
					    struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_mp_put_array(struct pyd_buf *b, uint32_t n,
					      struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_mp_put_uint(struct pyd_buf *b, uint64_t v,
					     struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_mp_put_str(struct pyd_buf *b, const char *s,
					    struct pyd_err *err);
/* The head of a bin, and *ret: where its len bytes are to be stored; valid
 * until the buffer is next changed. */
PYD_MUST_CHECK enum pyd_code pyd_mp_put_bin(struct pyd_buf *b, size_t len,
					    uint8_t **ret, struct pyd_err *err);

/* -- reading -- */

enum pyd_mp_type {
	PYD_MP_NIL,
	PYD_MP_BOOL,
	PYD_MP_UINT,
	PYD_MP_INT, /* negative */
	PYD_MP_FLOAT,
	PYD_MP_STR,
	PYD_MP_BIN,
	PYD_MP_ARRAY,
	PYD_MP_MAP,
	PYD_MP_EXT,
};

/* The head of one value. Elements of arrays and maps follow it. */
struct pyd_mp_head {
	enum pyd_mp_type type;
	union {
		bool b;
		uint64_t u;
		int64_t i;
		double d;
		uint32_t n; /* elements of an array, pairs of a map */
		struct {
			const uint8_t *data;
			uint32_t len;
		} s; /* str, bin, ext */
	};
};

/* Reads a head and moves *p after it (and after the bytes of a str, bin or
 * ext). False when the bytes end too early or are no msgpack. */
PYD_MUST_CHECK bool pyd_mp_head(const uint8_t **p, const uint8_t *end,
				struct pyd_mp_head *ret);
/* Moves *p after one whole value. False as above, and when arrays and maps are
 * nested deeper than PYD_MP_DEPTH. */
#define PYD_MP_DEPTH 32
PYD_MUST_CHECK bool pyd_mp_skip(const uint8_t **p, const uint8_t *end);

#endif
