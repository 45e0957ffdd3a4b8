// SPDX-License-Identifier: Apache-2.0
/*
 * functools.lru_cache: which results would go first. Modules/_functoolsmodule.c
 */
#include "read/limit.h"
#include "read/record.h"

/*
 * Fields: maxsize, cache (a dict, which maps keys to links), root_next;
 * constants: root (bytes from the object), link_next (bytes from a link). The
 * items are the links, the least recently used first. A cache without a bound
 * has none: the dict has the results.
 */
enum pyd_code pyd_record_lru_cache(struct pyd_reader *r,
				   const struct pyd_record *rec,
				   struct pyd_node *n, struct pyd_err *err)
{
	pyd_addr link = pyd_record_u64(rec, "root_next");
	pyd_addr root = rec->obj->addr + pyd_record_u64(rec, "root");
	struct pyd_obj cache;
	uint64_t total, want;
	enum pyd_code code;

	if (pyd_record_i64(rec, "maxsize") <= 0)
		return PYD_OK;
	code = pyd_obj_read(r, pyd_record_u64(rec, "cache"), &cache, err);
	if (code)
		return code;
	if (!pyd_obj_is(&cache, PYD_KIND_dict))
		return pyd_err_at(err, PYD_CORRUPT, cache.addr,
				  "the cache of an lru_cache is no dict");
	total = PYD_OBJ_U64(r, &cache, dict, ma_used);
	want = pyd_limit_items(r, n, total);
	for (uint64_t i = 0; link && link != root; i++) {
		if (i == want && want < total)
			return PYD_OK;
		if (i == want)
			return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
					  "more links than results in an "
					  "lru_cache");
		code = pyd_limit_time(r, i, err);
		if (!code)
			code = pyd_vec_push(&n->refs, link, err);
		if (code)
			return code;
		code = pyd_target_read_u64(
			r->target, link + pyd_record_u64(rec, "link_next"),
			&link, err);
		if (code)
			return code;
	}
	return PYD_OK;
}
