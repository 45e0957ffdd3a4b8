// SPDX-License-Identifier: Apache-2.0
/* array.array: its memory. Modules/arraymodule.c */
#include "read/record.h"

enum { ITEMSIZE_MAX = 16 };

/* Fields: items (where they are), itemsize. Adds "data": the bytes. */
enum pyd_code pyd_record_array(struct pyd_reader *r,
			       const struct pyd_record *rec, struct pyd_node *n,
			       struct pyd_err *err)
{
	uint64_t count = pyd_obj_nitems(r, rec->obj);
	uint64_t size = pyd_record_u64(rec, "itemsize");

	if (!size || size > ITEMSIZE_MAX || count > (1ULL << 40))
		return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
				  "impossible size of an array");
	if (!count)
		return pyd_node_blob(n, PYD_ORIGIN_BYTES, "data", "", 0, err);
	return pyd_record_memory(r, n, PYD_ORIGIN_BYTES, "data",
				 pyd_record_u64(rec, "items"), count * size,
				 err);
}
