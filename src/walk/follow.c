// SPDX-License-Identifier: Apache-2.0
/* From an object to what it refers to. */
#include "base/log.h"
#include "target/procfs.h"
#include "walk/walk_private.h"

/* References of one object between two looks at the clock. */
enum { LOOK_EVERY = 1 << 16 };

/* True when reference i of a node leads to globals or a module's contents. */
static bool leads_to_globals(enum pyd_kind kind, size_t i)
{
	switch (kind) {
	case PYD_KIND_function:
		return i == 1 || i == 11;
	case PYD_KIND_module:
		return i == 0;
	case PYD_KIND_frame:
		return i == 2 || i == 3;
	case PYD_KIND_generator:
	case PYD_KIND_coroutine:
	case PYD_KIND_async_generator:
		return i == 6 || i == 7;
	default:
		return false;
	}
}

/* True when the time is over inside of one object's references; counts those
 * from i on. */
static bool late(struct pyd_walk *w, const struct pyd_vec *refs, size_t i)
{
	if (!w->deadline_ns || !i || i % LOOK_EVERY ||
	    pyd_now_ns() < w->deadline_ns)
		return false;
	w->cuts.timeout += refs->len - i;
	return true;
}

/* The pairs of a dict. Most keys are those of another dict as well, or of many:
 * that they were met takes one look here. */
static enum pyd_code follow_pairs(struct pyd_walk *w,
				  const struct pyd_vec *refs,
				  struct pyd_err *err)
{
	for (size_t i = 0; i + 1 < refs->len; i += 2) {
		pyd_addr key = refs->data[i];
		pyd_addr *met = &w->keys[pyd_walk_slot(key)];
		enum pyd_code code = PYD_OK;

		if (*met != key) {
			*met = key;
			code = pyd_walk_meet_next(w, key, err);
		}
		if (!code)
			code = pyd_walk_meet_next(w, refs->data[i + 1], err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* References that are read in pieces. */
static enum pyd_code follow_more(struct pyd_walk *w, struct pyd_err *err)
{
	const struct pyd_more *more = &w->node.more;
	uint64_t words[PYD_MORE_WORDS], at = 0;
	size_t n;

	for (;;) {
		enum pyd_code code = pyd_more_next(more, &at, words, &n, err);

		if (code || !n)
			return code;
		if (pyd_interrupted)
			return pyd_err_set(err, PYD_INTERRUPTED, "interrupted");
		for (size_t i = 0; i < n; i++) {
			code = pyd_walk_meet_next(w, words[i], err);
			if (code)
				return code;
		}
	}
}

enum pyd_code pyd_walk_follow(struct pyd_walk *w, struct pyd_err *err)
{
	const struct pyd_node *n = &w->node;
	bool skip_globals = w->limits.no_globals;
	bool pairs = w->plain && n->kind == PYD_KIND_dict;
	enum pyd_code code = PYD_OK;

	if (w->whole.on)
		code = pyd_whole_note(&w->whole, n, err);
	if (code)
		return code;
	if (w->limits.depth && w->level + 1 >= w->limits.depth)
		return pyd_walk_end(w, err);
	if (n->more.n)
		code = follow_more(w, err);
	if (pairs && !code)
		code = follow_pairs(w, &n->refs, err);
	if (code)
		return code;
	for (size_t i = 0; i < n->refs.len && !pairs; i++) {
		if (late(w, &n->refs, i))
			break;
		if (skip_globals && leads_to_globals(n->kind, i)) {
			w->cuts.globals += n->refs.data[i] != 0;
			code = pyd_walk_beyond(w, n->refs.data[i], err);
			if (code)
				return code;
			continue;
		}
		code = pyd_walk_meet_next(w, n->refs.data[i], err);
		if (code)
			return code;
	}
	for (size_t i = 0; i < n->attrs.len; i++) {
		if (!pyd_origin_is_ref(n->names[i].origin))
			continue;
		code = pyd_walk_meet_next(w, n->attrs.data[i], err);
		if (code)
			return code;
	}
	if (w->followed[pyd_walk_slot(n->type)] == n->type)
		return PYD_OK;
	w->followed[pyd_walk_slot(n->type)] = n->type;
	return pyd_walk_meet_next(w, n->type, err);
}
