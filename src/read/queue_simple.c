// SPDX-License-Identifier: Apache-2.0
/* _queue.SimpleQueue: the items that were not taken yet. */
#include "read/limit.h"
#include "read/record.h"

/* Up to 3.12: a list, of which the first list_pos places are empty. */
static enum pyd_code from_list(struct pyd_reader *r,
			       const struct pyd_record *rec, struct pyd_node *n,
			       struct pyd_err *err)
{
	uint64_t pos = pyd_record_u64(rec, "list_pos"), count;
	struct pyd_obj list;
	enum pyd_code code =
		pyd_obj_read(r, pyd_record_u64(rec, "list"), &list, err);

	if (code)
		return code;
	if (!pyd_obj_is(&list, PYD_KIND_list))
		return pyd_err_at(err, PYD_CORRUPT, list.addr,
				  "the items of a queue are no list");
	count = pyd_obj_nitems(r, &list);
	if (pos > count)
		return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
				  "impossible index of a queue");
	return pyd_limit_pointers(
		r, PYD_OBJ_U64(r, &list, list, ob_item) + pos * 8, count - pos,
		n, err);
}

/* From 3.13 on: a ring of buf_cap places, the first item is at buf_get. */
static enum pyd_code from_ring(struct pyd_reader *r,
			       const struct pyd_record *rec, struct pyd_node *n,
			       struct pyd_err *err)
{
	pyd_addr items = pyd_record_u64(rec, "buf_items");
	uint64_t cap = pyd_record_u64(rec, "buf_cap");
	uint64_t get = pyd_record_u64(rec, "buf_get");
	uint64_t count = pyd_record_u64(rec, "buf_count");
	uint64_t first;
	enum pyd_code code;

	if (count > cap || (count && get >= cap))
		return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
				  "impossible index of a queue");
	count = pyd_limit_items(r, n, count);
	first = count < cap - get ? count : cap - get;
	code = pyd_read_pointers(r, items + get * 8, first, &n->refs, err);
	if (code)
		return code;
	return pyd_read_pointers(r, items, count - first, &n->refs, err);
}

/* Fields: list, list_pos or buf_items, buf_cap, buf_get, buf_count. */
enum pyd_code pyd_record_simplequeue(struct pyd_reader *r,
				     const struct pyd_record *rec,
				     struct pyd_node *n, struct pyd_err *err)
{
	if (pyd_record_has(rec, "list"))
		return pyd_record_u64(rec, "list") ? from_list(r, rec, n, err)
						   : PYD_OK;
	return from_ring(r, rec, n, err);
}
