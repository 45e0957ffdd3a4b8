/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msgpack, as far as the dump needs it: appending to a buffer, and walking
 * bytes that nobody vouches for without building a tree of them.
 */
#ifndef PYD_DUMP_MP_H
#define PYD_DUMP_MP_H

#include "base/buf.h"

/* -- writing -- */

/* Errors stick: after the first one the calls do nothing, and the caller looks
 * at code once, at the end. */
struct pyd_mp_out {
	struct pyd_buf *buf;
	struct pyd_err *err;
	enum pyd_code code;
};

void pyd_mp_put_map(struct pyd_mp_out *o, uint32_t n);
void pyd_mp_put_array(struct pyd_mp_out *o, uint32_t n);
void pyd_mp_put_uint(struct pyd_mp_out *o, uint64_t v);
void pyd_mp_put_str(struct pyd_mp_out *o, const char *s);
/* Packed elements as they are. */
void pyd_mp_put_raw(struct pyd_mp_out *o, const void *data, size_t len);
/* The head of a bin. Returns where its len bytes are to be stored, valid until
 * the buffer grows; NULL on failure. */
uint8_t *pyd_mp_put_bin(struct pyd_mp_out *o, size_t len);
/* The head alone: the bytes come by another way. */
void pyd_mp_put_bin_head(struct pyd_mp_out *o, size_t len);

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
