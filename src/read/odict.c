// SPDX-License-Identifier: Apache-2.0
/*
 * collections.OrderedDict: a dict, beside which a linked list of its keys says
 * in which order they are. Objects/odictobject.c
 */
#include <stdio.h>

#include "read/limit.h"
#include "read/record.h"

enum { NODE_MAX = 64 }; /* bytes of a node of the list, at most */

/* Where each key's value is in the pairs. */
static enum pyd_code index_keys(const struct pyd_vec *pairs,
				struct pyd_map *map, struct pyd_err *err)
{
	for (size_t i = 0; i + 1 < pairs->len; i += 2) {
		enum pyd_code code;

		if (!pairs->data[i])
			continue;
		code = pyd_map_put(map, pairs->data[i], i + 1, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* The first `want` pairs in the order of the list, which is to name each key
 * once. *ret_agrees is false when it does not. */
static enum pyd_code follow(struct pyd_reader *r, const struct pyd_record *rec,
			    const struct pyd_vec *pairs, size_t want,
			    struct pyd_map *map, struct pyd_vec *out,
			    bool *ret_agrees, struct pyd_err *err)
{
	uint64_t key_at = pyd_record_u64(rec, "node_key");
	uint64_t next_at = pyd_record_u64(rec, "node_next");
	pyd_addr node = pyd_record_u64(rec, "first");
	uint64_t end = (key_at > next_at ? key_at : next_at) + 8;
	uint8_t raw[NODE_MAX];

	*ret_agrees = false;
	if (key_at > NODE_MAX - 8 || next_at > NODE_MAX - 8)
		return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
				  "impossible nodes of an OrderedDict");
	for (size_t i = 0; i < want; i++) {
		uint64_t key, at;
		enum pyd_code code = pyd_limit_time(r, i, err);

		if (code || !node)
			return code;
		code = pyd_target_read(r->target, node, raw, end, err);
		if (code)
			return code;
		memcpy(&key, raw + key_at, 8);
		memcpy(&node, raw + next_at, 8);
		if (!key || !pyd_map_get(map, key, &at) || !at)
			return PYD_OK;
		code = pyd_vec_push(out, key, err);
		if (!code)
			code = pyd_vec_push(out, pairs->data[at], err);
		/* Not a second time. */
		if (!code)
			code = pyd_map_put(map, key, 0, err);
		if (code)
			return code;
	}
	*ret_agrees = !node || want < pairs->len / 2;
	return PYD_OK;
}

/*
 * Fields: first (node of the list); constants: node_key, node_next (bytes from
 * a node). The pairs are there already, in the order of the dict's own table.
 */
enum pyd_code pyd_record_ordereddict(struct pyd_reader *r,
				     const struct pyd_record *rec,
				     struct pyd_node *n, struct pyd_err *err)
{
	struct pyd_map map = { 0 };
	struct pyd_vec out = { 0 }, all = { 0 };
	const struct pyd_vec *pairs = &n->refs;
	bool agrees = false;
	uint64_t used;
	enum pyd_code code = PYD_OK;

	if (!pyd_obj_is(rec->obj, PYD_KIND_dict))
		return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
				  "an OrderedDict that is no dict");
	/* The first of the table need not be the first of the list. */
	if (n->mark == PYD_MARK_TRUNCATED) {
		code = pyd_obj_dict_pairs(r, rec->obj, &all, &used, err);
		pairs = &all;
	}
	if (!code)
		code = index_keys(pairs, &map, err);
	if (!code)
		code = follow(r, rec, pairs, n->refs.len / 2, &map, &out,
			      &agrees, err);
	/* A list that is not whole must not hide what the table shows. */
	if (code == PYD_FAULT)
		code = PYD_OK;
	if (!code && agrees && out.len)
		memcpy(n->refs.data, out.data, out.len * sizeof(*out.data));
	if (!code && !agrees && !n->mark) {
		n->mark = PYD_MARK_TORN;
		n->mark_total = n->refs.len / 2;
		snprintf(n->mark_text, sizeof(n->mark_text),
			 "its list of keys does not fit its table: their order "
			 "is that of the table");
	}
	pyd_map_deinit(&map);
	pyd_vec_deinit(&out);
	pyd_vec_deinit(&all);
	return code;
}
