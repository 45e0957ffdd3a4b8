/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts that are kept in memory until it is known what may be said of them:
 * packed one behind the other, by what differs from the one before. That takes
 * three bytes and the text, mostly.
 */
#ifndef PYD_DUMP_HELD_H
#define PYD_DUMP_HELD_H

#include "base/buf.h"
#include "read/node.h"

struct pyd_held_text {
	uint64_t addr;
	size_t type; /* in types */
	uint32_t refcnt;
	uint64_t extra; /* size beyond len, bytes; may be below 0 */
	size_t len;	/* bytes */
};

struct pyd_held {
	struct pyd_buf *chunks;
	size_t n;
	struct pyd_vec types; /* addresses; a text has an index */
	size_t last;	      /* type of the last text */
	struct pyd_held_text last_text;
};

/* Keeps a copy of the node; false in *ret_done, and nothing done, when it is
 * large, has more than a value, or about max bytes are kept already. */
PYD_MUST_CHECK enum pyd_code pyd_held_add(struct pyd_held *h,
					  const struct pyd_node *node,
					  size_t max, bool *ret_done,
					  struct pyd_err *err);
/* Takes them out in order, as nodes: value is in place, may be changed there,
 * and is valid during the call. The first failure ends it. */
PYD_MUST_CHECK enum pyd_code pyd_held_take(
	struct pyd_held *h,
	enum pyd_code (*fn)(void *ctx, struct pyd_node *node,
			    struct pyd_err *err),
	void *ctx, struct pyd_err *err);
void pyd_held_deinit(struct pyd_held *h);

#endif
