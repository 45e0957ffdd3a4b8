// SPDX-License-Identifier: Apache-2.0
/*
 * threading.local: which dict is which thread's. Modules/_threadmodule.c
 *
 * The object maps stand-ins of threads to their dicts. A thread's state holds
 * its stand-in alone: itself (3.13 on), or in a dict of its own (before). So a
 * word in a thread's state that leads to a stand-in tells whose it is.
 */
#include "read/record.h"

enum {
	THREADS_MAX = 10000,
	STATE_WORDS = 96, /* of a thread's state that are looked at */
	INTERPS_MAX = 1000,
};

struct local {
	struct pyd_map dicts; /* stand-in -> dict */
	struct pyd_vec threads;
	pyd_addr dict_type;
};

/* The stand-ins of the object's dict, whose keys are weak references to them
 * before 3.13. */
static enum pyd_code read_dicts(struct pyd_reader *r, pyd_addr dicts,
				struct local *l, struct pyd_err *err)
{
	struct pyd_obj o, key;
	struct pyd_vec pairs = { 0 };
	uint64_t used;
	enum pyd_code code = pyd_obj_read(r, dicts, &o, err);

	if (code)
		return code;
	if (!pyd_obj_is(&o, PYD_KIND_dict))
		return pyd_err_at(err, PYD_CORRUPT, dicts,
				  "the dicts of a threading.local are no dict");
	l->dict_type = o.type->addr;
	code = pyd_obj_dict_pairs(r, &o, &pairs, &used, err);
	for (size_t i = 0; !code && i + 1 < pairs.len; i += 2) {
		pyd_addr at = pairs.data[i];

		code = pyd_obj_read(r, at, &key, err);
		if (!code && pyd_obj_is(&key, PYD_KIND_weakref))
			at = PYD_OBJ_U64(r, &key, weakref, wr_object);
		if (!code && at)
			code = pyd_map_put(&l->dicts, at, pairs.data[i + 1],
					   err);
	}
	pyd_vec_deinit(&pairs);
	return code;
}

/* The dict of the thread that has this word in its state, or 0. */
static pyd_addr find_dict(struct pyd_reader *r, const struct local *l,
			  uint64_t word)
{
	struct pyd_err ignored;
	struct pyd_vec pairs = { 0 };
	struct pyd_obj o;
	uint64_t found = 0, type, used;

	if (!word || word % PYD_OBJ_ALIGN)
		return 0;
	if (pyd_map_get(&l->dicts, word, &found))
		return found;
	if (!pyd_is_mapped(r->target, word, PYD_OBJ_ALIGN * 2) ||
	    pyd_target_read_u64(
		    r->target,
		    word + (uint64_t)PYD_OFF(r->lay, object, ob_type), &type,
		    &ignored) ||
	    type != l->dict_type || pyd_obj_read(r, word, &o, &ignored) ||
	    pyd_obj_dict_pairs(r, &o, &pairs, &used, &ignored))
		pairs.len = 0;
	for (size_t i = 1; i < pairs.len && !found; i += 2)
		if (pairs.data[i] &&
		    !pyd_map_get(&l->dicts, pairs.data[i], &found))
			found = 0;
	pyd_vec_deinit(&pairs);
	return found;
}

static enum pyd_code look_at_thread(struct pyd_reader *r, struct local *l,
				    pyd_addr state, struct pyd_node *n,
				    struct pyd_err *err)
{
	uint64_t words[STATE_WORDS], ident, dict = 0;
	enum pyd_code code;

	code = pyd_target_read_u64(
		r->target, state + (uint64_t)PYD_OFF(r->lay, tstate, thread_id),
		&ident, err);
	if (!code)
		code = pyd_target_read(r->target, state, words, sizeof(words),
				       err);
	if (code)
		return code;
	for (size_t i = 0; i < STATE_WORDS && !dict; i++)
		dict = find_dict(r, l, words[i]);
	if (!dict)
		return PYD_OK;
	if (l->threads.len >= l->dicts.len)
		return pyd_err_at(err, PYD_CORRUPT, state,
				  "more threads than dicts in a "
				  "threading.local");
	code = pyd_vec_push(&l->threads, ident, err);
	return code ? code : pyd_vec_push(&n->refs, dict, err);
}

static enum pyd_code look_at_threads(struct pyd_reader *r, struct local *l,
				     struct pyd_node *n, struct pyd_err *err)
{
	int left = THREADS_MAX;

	for (size_t i = 0; i < r->interps.len && i < INTERPS_MAX; i++) {
		pyd_addr state;
		enum pyd_code code = pyd_target_read_u64(
			r->target,
			r->interps.data[i] +
				(uint64_t)PYD_OFF(r->lay, interp, threads_head),
			&state, err);

		while (!code && state && left--) {
			code = look_at_thread(r, l, state, n, err);
			if (!code)
				code = pyd_target_read_u64(
					r->target,
					state + (uint64_t)PYD_OFF(r->lay,
								  tstate, next),
					&state, err);
		}
		if (code)
			return code;
	}
	return PYD_OK;
}

static bool has_dict(const struct pyd_node *n)
{
	for (size_t i = 0; i < n->attrs.len; i++)
		if (n->names[i].origin == PYD_ORIGIN_DICT)
			return true;
	return false;
}

/*
 * Field: dicts. Adds "threads", their idents, and their dicts as items in the
 * same order. When there is one alone, it is also the object's __dict__, as
 * that thread sees it.
 */
enum pyd_code pyd_record_local(struct pyd_reader *r,
			       const struct pyd_record *rec, struct pyd_node *n,
			       struct pyd_err *err)
{
	pyd_addr dicts = pyd_record_u64(rec, "dicts");
	struct local l = { 0 };
	enum pyd_code code = PYD_OK;

	if (dicts)
		code = read_dicts(r, dicts, &l, err);
	if (!code && l.dicts.len)
		code = look_at_threads(r, &l, n, err);
	/* A list of threads that is not whole tells nothing of the object. */
	if (code == PYD_FAULT)
		code = PYD_OK;
	if (!code && l.threads.len == 1 && l.dicts.len == 1 && !has_dict(n))
		code = pyd_node_attr(n, PYD_ORIGIN_DICT, PYD_NAME_CSTR, 0,
				     n->refs.data[n->refs.len - 1], err);
	if (!code && l.threads.len)
		code = pyd_node_blob(n, PYD_ORIGIN_INTS, "threads",
				     l.threads.data, l.threads.len * 8, err);
	pyd_map_deinit(&l.dicts);
	pyd_vec_deinit(&l.threads);
	return code;
}
