// SPDX-License-Identifier: Apache-2.0
/*
 * contextvars.Context: a hash array mapped trie of variables and their values,
 * in the order in which Python goes through it. Python/hamt.c
 */
#include <stdio.h>

#include "read/limit.h"
#include "read/record.h"

enum {
	/* 32 bits of hash are 7 levels of 5 bits, then a collision node. */
	LEVELS_MAX = 8,
	VARIABLES_MAX = 1 << 24,
	/* Nodes to a pair: a path has no more than one of each level. */
	NODES_A_PAIR = LEVELS_MAX,
};

/* A node on the way: its words are at begin of the walk's. */
struct level {
	size_t begin, end, at;
	bool pairs; /* key and value, or NULL and a node; else nodes */
};

struct walk {
	struct pyd_vec words;
	struct level levels[LEVELS_MAX];
	size_t depth;
	uint64_t nodes_left;
};

/* Where the description of a node's type has its words. */
static const struct pyd_cfield *words_of(const struct pyd_obj *o)
{
	const struct pyd_ctype *ct;

	if (!o->type->nrecords)
		return NULL;
	ct = o->type->records[0];
	for (size_t i = 0; i < ct->nfields; i++)
		if (ct->fields[i].value == PYD_CVALUE_OBJECTS &&
		    ct->fields[i].nsteps == 1)
			return &ct->fields[i];
	return NULL;
}

static enum pyd_code enter(struct pyd_reader *r, struct walk *w, pyd_addr node,
			   struct pyd_err *err)
{
	struct level *l = &w->levels[w->depth];
	const struct pyd_cfield *f;
	struct pyd_obj o;
	uint64_t count;
	bool array;
	enum pyd_code code;

	if (w->depth == LEVELS_MAX || !w->nodes_left--)
		return pyd_err_at(err, PYD_CORRUPT, node,
				  "the tree of a Context does not end");
	code = pyd_obj_read(r, node, &o, err);
	if (code)
		return code;
	f = words_of(&o);
	array = !strcmp(o.type->name, "hamt_array_node");
	if (!f || (!array && strcmp(o.type->name, "hamt_bitmap_node") != 0 &&
		   strcmp(o.type->name, "hamt_collision_node") != 0))
		return pyd_err_at(err, PYD_CORRUPT, node,
				  "a %s in the tree of a Context",
				  o.type->name);
	count = array ? (uint64_t)f->number : pyd_obj_nitems(r, &o);
	if (!array && count % 2)
		return pyd_err_at(err, PYD_CORRUPT, node,
				  "half a pair in the tree of a Context");
	l->begin = w->words.len;
	code = pyd_read_pointers(r, node + (uint64_t)f->steps[0], count,
				 &w->words, err);
	if (code)
		return code;
	l->at = l->begin;
	l->end = w->words.len;
	l->pairs = !array;
	w->depth++;
	return PYD_OK;
}

/* Takes count pairs at most; more than that are too many when `all` is true. */
static enum pyd_code go(struct pyd_reader *r, struct walk *w, uint64_t count,
			bool all, struct pyd_node *n, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	while (w->depth && !code) {
		struct level *l = &w->levels[w->depth - 1];
		uint64_t key = 0, value;

		if (l->at == l->end) {
			w->words.len = l->begin;
			w->depth--;
			continue;
		}
		if (l->pairs)
			key = w->words.data[l->at++];
		value = w->words.data[l->at++];
		if (key) {
			if (n->refs.len / 2 >= count && !all)
				return PYD_OK;
			if (n->refs.len / 2 >= count)
				return pyd_err_at(err, PYD_CORRUPT, n->addr,
						  "more variables in a Context "
						  "than it counts");
			code = pyd_vec_push(&n->refs, key, err);
			if (!code)
				code = pyd_vec_push(&n->refs, value, err);
		} else if (value) {
			code = enter(r, w, value, err);
		}
	}
	return code;
}

/* Fields: root (of the tree), count. The pairs are variables and values; where
 * the nodes have theirs is in the descriptions of their types. */
enum pyd_code pyd_record_context(struct pyd_reader *r,
				 const struct pyd_record *rec,
				 struct pyd_node *n, struct pyd_err *err)
{
	uint64_t count = pyd_record_u64(rec, "count");
	pyd_addr root = pyd_record_u64(rec, "root");
	struct walk w = { .nodes_left = 1 + count * NODES_A_PAIR };
	uint64_t want;
	enum pyd_code code;

	n->kind = PYD_KIND_mapping;
	if (count > VARIABLES_MAX)
		return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
				  "impossible count of a Context");
	if (!root)
		return PYD_OK;
	want = pyd_limit_items(r, n, count);
	code = enter(r, &w, root, err);
	if (!code)
		code = go(r, &w, want, want == count, n, err);
	pyd_vec_deinit(&w.words);
	if (!code && n->refs.len / 2 != want) {
		n->mark = PYD_MARK_TORN;
		n->mark_total = count;
		snprintf(n->mark_text, sizeof(n->mark_text),
			 "has %llu variables, its tree shows %zu",
			 (unsigned long long)count, n->refs.len / 2);
	}
	return code;
}
