// SPDX-License-Identifier: Apache-2.0
/* A look beyond the limits, for the names of secrets alone. */
#include "target/procfs.h"
#include "walk/walk.h"

enum {
	AHEAD_OBJECTS = 50000,
	/* Of processor time, which counts where others want the processor. */
	AHEAD_NS = 50 * 1000 * 1000,
	AHEAD_CLOCK_NS = 1000 * 1000 * 1000,
	/* While the target stands for it. */
	FEW_OBJECTS = 200,
	FEW_NS = 1000 * 1000,
	/* Of one object then: items, and characters or bytes. */
	FEW_ITEMS = 1000,
	FEW_BYTES = 4096,
	LOOK_EVERY = 256, /* objects between two looks at the clock */
};

enum pyd_code pyd_walk_beyond(struct pyd_walk *w, uint64_t ref,
			      struct pyd_err *err)
{
	size_t most = w->few_ahead ? FEW_OBJECTS : AHEAD_OBJECTS;

	if (!w->redact || !ref || (ref & 3) || w->beyond.len >= most)
		return PYD_OK;
	return pyd_vec_push(&w->beyond, ref, err);
}

static enum pyd_code too_deep(struct pyd_walk *w, uint64_t ref, bool ahead,
			      struct pyd_err *err)
{
	if (!ref || pyd_visited_has(&w->visited, ref))
		return PYD_OK;
	w->cuts.depth++;
	return ahead ? pyd_walk_beyond(w, ref, err) : PYD_OK;
}

enum pyd_code pyd_walk_end(struct pyd_walk *w, struct pyd_err *err)
{
	const struct pyd_node *n = &w->node;
	size_t share = w->few_ahead ? PYD_WALK_SHARE : SIZE_MAX;
	size_t most = w->only_reads ? share : SIZE_MAX;
	enum pyd_code code = PYD_OK;

	for (size_t i = 0; i < n->refs.len && i < most && !code; i++)
		code = too_deep(w, n->refs.data[i], i < share, err);
	for (size_t i = 0; i < n->attrs.len && !code; i++)
		if (pyd_origin_is_ref(n->names[i].origin))
			code = too_deep(w, n->attrs.data[i], true, err);
	return code;
}

static enum pyd_code beyond_all(struct pyd_walk *w, const struct pyd_vec *v,
				size_t from, struct pyd_err *err)
{
	size_t n = v->len - from;
	enum pyd_code code = PYD_OK;

	if (w->few_ahead && n > PYD_WALK_SHARE)
		n = PYD_WALK_SHARE;
	for (size_t i = from; i < from + n && !code; i++)
		code = pyd_walk_beyond(w, v->data[i], err);
	return code;
}

/* Learns from one object; what it refers to comes next. */
static enum pyd_code look(struct pyd_walk *w, pyd_addr addr,
			  struct pyd_err *err)
{
	struct pyd_node *n = &w->node;
	struct pyd_err why = { 0 };
	uint32_t shape = 0;
	enum pyd_code code = pyd_read_node(w->reader, addr, n, &why);

	if (code && !pyd_code_is_local(code)) {
		*err = why;
		return code;
	}
	if (code)
		return PYD_OK;
	code = pyd_shapes_get(&w->shapes, w->reader, n, &shape, err);
	if (!code)
		code = pyd_redact_ahead(w->redact, w->reader, n, shape, err);
	if (!code)
		code = beyond_all(w, &n->refs, 0, err);
	for (size_t i = 0; i < n->attrs.len && !code; i++)
		if (pyd_origin_is_ref(n->names[i].origin))
			code = pyd_walk_beyond(w, n->attrs.data[i], err);
	return code;
}

static uint64_t at_most(uint64_t limit, uint64_t most)
{
	return limit && limit < most ? limit : most;
}

/* By the clock, and by this thread's processor time. */
static bool is_over(uint64_t end_ns, uint64_t own_end_ns)
{
	return pyd_now_ns() >= end_ns || pyd_thread_ns() >= own_end_ns;
}

enum pyd_code pyd_walk_ahead(struct pyd_walk *w, struct pyd_err *err)
{
	struct pyd_reader *r = w->reader;
	const struct pyd_limits *l = &w->limits;
	uint64_t end = pyd_now_ns() + (w->only_reads ? FEW_NS : AHEAD_CLOCK_NS);
	uint64_t own_end = pyd_thread_ns() +
			   (w->ahead_ns ? w->ahead_ns : (uint64_t)AHEAD_NS);
	struct pyd_map seen = { 0 };
	enum pyd_code code = beyond_all(w, &w->now, w->at, err);

	if (!code)
		code = beyond_all(w, &w->next, 0, err);
	if (w->few_ahead) {
		r->max_items = at_most(l->max_items, FEW_ITEMS);
		r->max_string = at_most(l->max_string, FEW_BYTES);
		r->max_blob = at_most(l->max_blob, FEW_BYTES);
	}
	/* The list grows while we go. */
	for (size_t i = 0; i < w->beyond.len && !code; i++) {
		pyd_addr addr = w->beyond.data[i];
		uint64_t found;

		if (i % LOOK_EVERY == 0 && is_over(end, own_end))
			break;
		if (pyd_map_get(&seen, addr, &found))
			continue;
		code = pyd_map_put(&seen, addr, 1, err);
		if (!code)
			code = look(w, addr, err);
	}
	r->max_items = l->max_items;
	r->max_string = l->max_string;
	r->max_blob = l->max_blob;
	pyd_map_deinit(&seen);
	return code;
}
