// SPDX-License-Identifier: Apache-2.0
#include "walk/walk_private.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "read/quick.h"
#include "target/procfs.h"

/* Objects between two looks at the progress callback. */
enum {
	PROGRESS_EVERY = 1 << 14,
	/* No name or table that an object is known by is larger. */
	SMALL_BLOB = 1 << 20,
	/* Objects ahead in the worklist that are brought near. */
	AHEAD = 6,
};

void pyd_walk_init(struct pyd_walk *w, struct pyd_reader *r,
		   struct pyd_writer *writer, const struct pyd_limits *limits)
{
	*w = (struct pyd_walk) {
		.reader = r,
		.writer = writer,
		.limits = *limits,
		.began_ns = pyd_now_ns(),
	};
	r->max_string = limits->max_string;
	r->max_items = limits->max_items;
	r->max_blob = limits->max_blob;
	w->filter.include = limits->include;
	w->filter.exclude = limits->exclude;
	w->ordered = limits->depth || limits->max_objects ||
		     limits->max_bytes || limits->timeout_ns;
	w->whole.on = limits->max_string || limits->max_items ||
		      (limits->max_blob && limits->max_blob < SMALL_BLOB) ||
		      pyd_filter_is_on(&w->filter);
}

void pyd_walk_deinit(struct pyd_walk *w)
{
	pyd_visited_deinit(&w->visited);
	pyd_shapes_deinit(&w->shapes);
	pyd_whole_deinit(&w->whole);
	pyd_filter_deinit(&w->filter);
	pyd_vec_deinit(&w->now);
	pyd_vec_deinit(&w->next);
	pyd_vec_deinit(&w->later);
	pyd_vec_deinit(&w->beyond);
	pyd_map_deinit(&w->types);
	pyd_vec_deinit(&w->type_list);
	pyd_node_deinit(&w->node);
	*w = (struct pyd_walk) { 0 };
}

enum pyd_code pyd_walk_meet(struct pyd_walk *w, struct pyd_vec *queue,
			    uint64_t ref, struct pyd_err *err)
{
	bool new, queued = false;
	enum pyd_code code;

	/* NULL, or a small integer without an object. */
	if (!ref || (ref & 3) == 3)
		return PYD_OK;
	if (pyd_walk_by_address(w, queue))
		code = pyd_visited_queue(&w->visited, w->reader->target, ref,
					 &new, &queued, err);
	else
		code = pyd_visited_add(&w->visited, w->reader->target, ref,
				       &new, err);
	return code || !new || queued ? code : pyd_vec_push(queue, ref, err);
}

enum pyd_code pyd_walk_root(struct pyd_walk *w, uint64_t ref,
			    struct pyd_err *err)
{
	return pyd_walk_meet(w, &w->now, ref, err);
}

enum pyd_code pyd_walk_names(struct pyd_walk *w, uint64_t ref,
			     struct pyd_err *err)
{
	enum pyd_code code = pyd_whole_names(&w->whole, ref, err);

	if (code)
		return code;
	return pyd_walk_root(w, ref, err);
}

static enum pyd_code note_type(struct pyd_walk *w, pyd_addr type,
			       struct pyd_err *err)
{
	pyd_addr *last = &w->noted[pyd_walk_slot(type)];
	uint64_t found;
	enum pyd_code code;

	if (!type || *last == type)
		return PYD_OK;
	*last = type;
	if (pyd_map_get(&w->types, type, &found))
		return PYD_OK;
	code = pyd_map_put(&w->types, type, 1, err);
	if (code)
		return code;
	return pyd_vec_push(&w->type_list, type, err);
}

static enum pyd_code placeholder(struct pyd_walk *w, const struct pyd_err *why,
				 struct pyd_err *err)
{
	struct pyd_node *n = &w->node;

	n->kind = PYD_KIND_placeholder;
	n->mark = why->code == PYD_FAULT   ? PYD_MARK_UNREADABLE
		  : why->code == PYD_LIMIT ? PYD_MARK_LIMIT
		  : w->torn		   ? PYD_MARK_TORN
					   : PYD_MARK_CORRUPT;
	n->mark_total = 0;
	n->mark_text[0] = '\0';
	w->placeholders++;
	return pyd_buf_append(&n->value, why->msg, strlen(why->msg), err);
}

/* Turns the node into a placeholder that keeps type and size. */
static enum pyd_code leave_out(struct pyd_node *n, const char *why,
			       struct pyd_err *err)
{
	n->kind = PYD_KIND_placeholder;
	pyd_vec_clear(&n->refs);
	n->more.n = 0;
	pyd_vec_clear(&n->attrs);
	pyd_buf_clear(&n->value);
	pyd_long_deinit(&n->text);
	n->mark = PYD_MARK_LIMIT;
	n->mark_total = 0;
	n->mark_text[0] = '\0';
	return pyd_buf_append(&n->value, why, strlen(why), err);
}

/* Reads the object at addr into w->node as far as limits want it. */
static enum pyd_code read_limited(struct pyd_walk *w, pyd_addr addr,
				  struct pyd_err *err)
{
	struct pyd_reader *r = w->reader;
	const struct pyd_limits *l = &w->limits;
	bool whole = pyd_whole_has(&w->whole, addr);
	enum pyd_verdict verdict = PYD_TAKEN;
	char text[300];
	enum pyd_code code;

	if (pyd_filter_is_on(&w->filter)) {
		code = pyd_filter_judge(&w->filter, r, addr, whole, &verdict,
					text, sizeof(text), err);
		if (code)
			return code;
	}
	if (verdict == PYD_TAKEN) {
		r->whole = whole;
		code = pyd_read_node(r, addr, &w->node, err);
		r->whole = false;
		return code;
	}
	/* Its size matters, not what it holds. */
	r->max_string = r->max_items = r->max_blob = 1;
	code = pyd_read_node(r, addr, &w->node, err);
	r->max_string = l->max_string;
	r->max_items = l->max_items;
	r->max_blob = l->max_blob;
	if (code && !pyd_code_is_local(code))
		return code;
	/* What a type is cannot be left out. */
	if (!code && w->node.kind == PYD_KIND_type)
		return PYD_OK;
	if (verdict == PYD_EXCLUDED)
		w->cuts.excluded++;
	else
		w->cuts.not_included++;
	return leave_out(&w->node, text, err);
}

/* Counts what a limit cut in the node. */
static void count_cut(struct pyd_walk *w)
{
	if (w->node.mark != PYD_MARK_TRUNCATED)
		return;
	switch (w->node.kind) {
	case PYD_KIND_str:
		w->cuts.strings++;
		break;
	case PYD_KIND_list:
	case PYD_KIND_tuple:
	case PYD_KIND_dict:
	case PYD_KIND_set:
	case PYD_KIND_frozenset:
	case PYD_KIND_mapping:
		w->cuts.items++;
		break;
	case PYD_KIND_record:
		if (!w->node.mark_text[0]) {
			w->cuts.items++;
			break;
		}
		w->cuts.blobs++;
		break;
	default:
		w->cuts.blobs++;
		break;
	}
}

/* Reads one object into w->node; local failures become placeholders. */
static enum pyd_code read_object(struct pyd_walk *w, pyd_addr addr,
				 uint32_t *ret_shape, struct pyd_err *err)
{
	struct pyd_err why; /* not cleared: this is done for each object */
	enum pyd_code code;

	why.msg[0] = '\0';
	code = read_limited(w, addr, &why);
	if (code && !pyd_code_is_local(code)) {
		*err = why;
		return code;
	}
	if (code) {
		code = placeholder(w, &why, err);
		if (code)
			return code;
	}
	return pyd_shapes_get(&w->shapes, w->reader, &w->node, ret_shape, err);
}

static enum pyd_code set_aside(struct pyd_walk *w, pyd_addr addr,
			       struct pyd_err *err)
{
	bool done;
	enum pyd_code code = pyd_visited_later(&w->visited, addr, &done, err);

	return code || done ? code : pyd_vec_push(&w->later, addr, err);
}

/* How much of texts is kept. The visited set grows with the target, by more
 * than a percent of it at worst, and this makes way for it. */
static size_t texts_max(const struct pyd_walk *w)
{
	const uint64_t most = 16 << 20, least = 6 << 20;
	uint64_t less = w->memory / 1024;

	return most - (less < most - least ? less : most - least);
}

/* Writes w->node, unless it is text that is written later. */
static enum pyd_code put(struct pyd_walk *w, uint32_t shape, bool later,
			 struct pyd_err *err)
{
	struct pyd_node *n = &w->node;
	bool held = false;
	enum pyd_code code;

	if (!later)
		return pyd_writer_object(w->writer, n, shape,
					 &w->shapes.v[shape].map, err);
	/* In memory while there is room, else read again. */
	code = pyd_writer_hold(w->writer, n, texts_max(w), &held, err);
	return code || held ? code : set_aside(w, n->addr, err);
}

/* Writes w->node; on: what it refers to comes next. */
static enum pyd_code take_node(struct pyd_walk *w, uint32_t shape, bool on,
			       struct pyd_err *err)
{
	struct pyd_node *n = &w->node;
	pyd_addr addr = n->addr, type = n->type;
	bool later = false;
	enum pyd_code code = PYD_OK;

	if (w->redact)
		code = pyd_redact_node(w->redact, w->reader, n, shape, &later,
				       err);
	/* Before it is written: the writer may take what it refers to. */
	if (!code && on)
		code = pyd_walk_follow(w, err);
	if (!code)
		code = put(w, shape, later, err);
	if (code)
		return code;
	w->objects++;
	w->bytes += n->size;
	if (n->kind == PYD_KIND_type) {
		code = note_type(w, addr, err);
		if (code)
			return code;
	}
	return note_type(w, type, err);
}

/* Reads one object and writes it. */
static enum pyd_code take(struct pyd_walk *w, pyd_addr addr, bool on,
			  struct pyd_err *err)
{
	uint32_t shape = 0;
	enum pyd_code code;

	/* What the last level refers to is not followed. */
	if (on && w->only_reads && w->limits.depth &&
	    w->level + 1 >= w->limits.depth)
		w->reader->only_some = PYD_WALK_SHARE;
	/* What does not change can be read more than once. */
	if (w->plain && on && !w->torn)
		w->reader->pieces_min = PYD_MORE_MIN;
	w->reader->long_min = w->long_min;
	code = read_object(w, addr, &shape, err);
	w->reader->only_some = 0;
	w->reader->pieces_min = 0;
	w->reader->long_min = 0;
	if (code)
		return code;
	count_cut(w);
	return take_node(w, shape, on, err);
}

/* What was read refers to nothing but its type. */
static enum pyd_code settle(struct pyd_walk *w, struct pyd_err *err)
{
	const struct pyd_node *n = &w->node;
	pyd_addr *settled = &w->settled[pyd_walk_slot(n->type)];
	enum pyd_code code;

	w->objects++;
	w->bytes += n->size;
	if (*settled == n->type)
		return PYD_OK;
	*settled = n->type;
	code = pyd_walk_meet_next(w, n->type, err);
	return code ? code : note_type(w, n->type, err);
}

/* The same as take(), for most objects of a walk without limits: what has
 * nothing to do with them is left out. */
static enum pyd_code take_plain(struct pyd_walk *w, pyd_addr addr,
				struct pyd_err *err)
{
	struct pyd_node *n = &w->node;
	uint32_t shape = 0;
	enum pyd_code code = PYD_OK;

	if (!pyd_quick_read(w->reader, addr, n))
		return take(w, addr, true, err);
	switch (n->kind) {
	case PYD_KIND_int:
	case PYD_KIND_float:
		code = pyd_writer_leaf(w->writer, n, err);
		return code ? code : settle(w, err);
	case PYD_KIND_str:
	case PYD_KIND_bytes:
		if (w->redact)
			code = pyd_redact_met(w->redact, w->reader, n, err);
		if (!code)
			code = put(w, 0, w->redact, err);
		return code ? code : settle(w, err);
	default:
		break;
	}
	if (n->attrs.len)
		code = pyd_shapes_get(&w->shapes, w->reader, n, &shape, err);
	return code ? code : take_node(w, shape, true, err);
}

/* True when a limit ends the walk; counts what is left under it. */
static bool cut(struct pyd_walk *w)
{
	uint64_t *by = NULL;

	if (w->limits.max_objects && w->objects >= w->limits.max_objects)
		by = &w->cuts.max_objects;
	else if (w->limits.max_bytes && w->bytes >= w->limits.max_bytes)
		by = &w->cuts.max_bytes;
	else if ((w->deadline_ns && pyd_now_ns() >= w->deadline_ns) ||
		 (w->ends && w->objects >= w->ends_at))
		by = &w->cuts.timeout;
	if (!by)
		return false;
	*by += w->now.len - w->at + w->next.len;
	w->ended_by = by;
	return true;
}

/* Makes w->node the object at addr, and writes it unless that is done. left
 * holds what was met and not written. */
static enum pyd_code take_late(struct pyd_walk *w, struct pyd_map *left,
			       pyd_addr addr, struct pyd_err *err)
{
	struct pyd_err why = { 0 };
	uint64_t waits = 0;
	bool new;
	enum pyd_code code;

	code = pyd_visited_add(&w->visited, w->reader->target, addr, &new, err);
	if (code)
		return code;
	if (new || (pyd_map_get(left, addr, &waits) && waits)) {
		if (waits) {
			code = pyd_map_put(left, addr, 0, err);
			if (code)
				return code;
		}
		return take(w, addr, false, err);
	}
	code = pyd_read_node(w->reader, addr, &w->node, &why);
	if (code && !pyd_code_is_local(code)) {
		*err = why;
		return code;
	}
	return PYD_OK;
}

/* Types of written objects that a limit kept out, and their bases: without
 * them no object says what it is. */
static enum pyd_code add_types(struct pyd_walk *w, struct pyd_map *left,
			       struct pyd_err *err)
{
	enum pyd_code code;

	/* The list grows while we go. */
	for (size_t i = 0; i < w->type_list.len; i++) {
		pyd_addr bases;

		code = take_late(w, left, w->type_list.data[i], err);
		if (code)
			return code;
		if (w->node.kind != PYD_KIND_type || !w->node.refs.len)
			continue;
		bases = w->node.refs.data[0];
		if (!bases)
			continue;
		code = take_late(w, left, bases, err);
		if (code)
			return code;
		if (w->node.kind != PYD_KIND_tuple)
			continue;
		for (size_t k = 0; k < w->node.refs.len; k++) {
			code = note_type(w, w->node.refs.data[k], err);
			if (code)
				return code;
		}
	}
	return PYD_OK;
}

static enum pyd_code finish_types(struct pyd_walk *w, struct pyd_err *err)
{
	struct pyd_map left = { 0 };
	enum pyd_code code = PYD_OK;

	for (size_t i = w->at; i < w->now.len && !code; i++)
		code = pyd_map_put(&left, w->now.data[i], 1, err);
	for (size_t i = 0; i < w->next.len && !code; i++)
		code = pyd_map_put(&left, w->next.data[i], 1, err);
	if (!code)
		code = add_types(w, &left, err);
	pyd_map_deinit(&left);
	return code;
}

enum pyd_code pyd_walk_more(struct pyd_walk *w, const struct pyd_vec *roots,
			    struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	for (size_t i = 0; i < roots->len && !code; i++) {
		if (!w->ended_by)
			code = pyd_walk_root(w, roots->data[i], err);
		else if (!pyd_visited_has(&w->visited, roots->data[i]))
			(*w->ended_by)++;
	}
	if (code || w->ended_by)
		return code;
	w->level = 0;
	return pyd_walk_run(w, err);
}

/* Makes now what comes next: of this level, then of the next one. It is empty
 * when there is nothing. */
static enum pyd_code advance(struct pyd_walk *w, struct pyd_err *err)
{
	struct pyd_vec done = w->now;

	w->at = 0;
	if (w->visited.nqueued) {
		w->now.len = 0;
		return pyd_visited_next(&w->visited, &w->now, err);
	}
	w->now = w->next;
	w->next = done;
	w->next.len = 0;
	w->level++;
	return PYD_OK;
}

/* Has the processor fetch what is read soon. */
static void look_ahead(const struct pyd_walk *w)
{
	if (w->at + AHEAD < w->now.len)
		__builtin_prefetch(pyd_target_at(
			w->reader->target, w->now.data[w->at + AHEAD], 1));
}

enum pyd_code pyd_walk_run(struct pyd_walk *w, struct pyd_err *err)
{
	enum pyd_code code;
	bool is_cut = false;
	pyd_addr addr;

	w->plain = !w->ordered && !w->deadline_ns && !w->ends &&
		   !w->only_reads && !w->whole.on &&
		   !pyd_filter_is_on(&w->filter);
	for (;;) {
		if (w->at == w->now.len) {
			code = advance(w, err);
			if (code)
				return code;
			if (!w->now.len)
				break;
		}
		if (pyd_interrupted)
			return pyd_err_set(err, PYD_INTERRUPTED, "interrupted");
		if (w->ordered) {
			is_cut = cut(w);
			if (is_cut)
				break;
		}
		look_ahead(w);
		addr = w->now.data[w->at++];
		code = w->plain ? take_plain(w, addr, err)
				: take(w, addr, true, err);
		if (code)
			return code;
		if (w->progress && w->objects % PROGRESS_EVERY == 0)
			w->progress(w->progress_ctx, w);
	}
	if (!is_cut && !w->cuts.depth)
		return PYD_OK;
	return finish_types(w, err);
}

static enum pyd_code write_later(void *ctx, pyd_addr addr, struct pyd_err *err)
{
	struct pyd_walk *w = ctx;
	uint32_t shape = 0;
	enum pyd_code code;

	if (pyd_interrupted)
		return pyd_err_set(err, PYD_INTERRUPTED, "interrupted");
	if (w->progress && w->rewritten++ % PROGRESS_EVERY == 0)
		w->progress(w->progress_ctx, w);
	w->reader->long_min = w->long_min;
	code = read_object(w, addr, &shape, err);
	w->reader->long_min = 0;
	if (!code)
		code = pyd_redact_apply(w->redact, w->reader, &w->node, shape,
					err);
	if (code)
		return code;
	return pyd_writer_object(w->writer, &w->node, shape,
				 &w->shapes.v[shape].map, err);
}

enum pyd_code pyd_walk_texts(struct pyd_walk *w, struct pyd_err *err)
{
	enum pyd_code code;

	w->phase = PYD_WALK_TEXTS;
	if (w->progress)
		w->progress(w->progress_ctx, w);
	code = pyd_writer_release(w->writer, pyd_redact_held, w->redact, err);
	if (!code)
		code = pyd_visited_each_later(&w->visited, write_later, w, err);
	for (size_t i = 0; i < w->later.len && !code; i++)
		code = write_later(w, w->later.data[i], err);
	return code;
}
