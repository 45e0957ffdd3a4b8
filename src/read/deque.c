// SPDX-License-Identifier: Apache-2.0
/* collections.deque: a doubly linked list of blocks of items. */
#include "read/limit.h"
#include "read/record.h"

/*
 * Fields: leftblock, leftindex (of the first item in it), maxlen (-1: none);
 * constants: block_items; block_data and block_right (bytes from a block).
 */
enum pyd_code pyd_record_deque(struct pyd_reader *r,
			       const struct pyd_record *rec, struct pyd_node *n,
			       struct pyd_err *err)
{
	uint64_t left = pyd_obj_nitems(r, rec->obj);
	uint64_t blocklen = pyd_record_u64(rec, "block_items");
	uint64_t at = pyd_record_u64(rec, "leftindex");
	pyd_addr block = pyd_record_u64(rec, "leftblock");
	pyd_addr seen = block;
	enum pyd_code code;

	if (!blocklen || (left && at >= blocklen))
		return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
				  "impossible index of a deque");
	left = pyd_limit_items(r, n, left);
	/* Each block that is entered gives an item at least. A cycle of blocks
	 * meets the one that is remembered at powers of two. */
	for (uint64_t nblocks = 1; left; nblocks++) {
		uint64_t take = blocklen - at < left ? blocklen - at : left;

		code = pyd_read_pointers(
			r, block + pyd_record_u64(rec, "block_data") + at * 8,
			take, &n->refs, err);
		if (code)
			return code;
		left -= take;
		at = 0;
		if (!left)
			break;
		code = pyd_target_read_u64(
			r->target, block + pyd_record_u64(rec, "block_right"),
			&block, err);
		if (code)
			return code;
		code = pyd_limit_time(r, nblocks, err);
		if (code)
			return code;
		if (block == seen)
			return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
					  "the blocks of a deque are a cycle");
		if (!(nblocks & (nblocks - 1)))
			seen = block;
	}
	if (pyd_record_i64(rec, "maxlen") >= 0)
		return pyd_node_field(n, PYD_ORIGIN_INT, "maxlen",
				      pyd_record_u64(rec, "maxlen"), err);
	return PYD_OK;
}
