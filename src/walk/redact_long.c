// SPDX-License-Identifier: Apache-2.0
/* The secrets in a text that is read in pieces: what redact_object.c does with
 * one in memory. */
#include <stdlib.h>
#include <string.h>

#include "walk/redact_state.h"

enum {
	BINARY_LOOKS = 256, /* places that a look at the kind of bytes takes */
	BINARY_BYTES = 16,  /* of each */
	SPANS_KEPT = 1 << 14,
};

static enum pyd_code read_piece(void *ctx, uint64_t at, uint8_t *to, size_t n,
				struct pyd_err *err)
{
	return pyd_long_read(ctx, at, to, n, err);
}

static struct pyd_pieces pieces_of(struct pyd_long *l)
{
	return (struct pyd_pieces) {
		.len = l->raw,
		.read = read_piece,
		.ctx = l,
	};
}

/* The value of the node with what is behind the cut that was made in it. *ret
 * is own, which is closed by the caller, or the node's. */
static enum pyd_code longer(const struct pyd_reader *r, struct pyd_node *n,
			    struct pyd_long *own, struct pyd_long **ret,
			    struct pyd_err *err)
{
	struct pyd_long *l = &n->text;
	uint64_t limit = pyd_long_is_str(l) ? r->max_string : r->max_blob;
	uint64_t max = limit ? limit + PYD_REDACT_MARGIN : PYD_BLOB_MAX;
	uint64_t want;
	struct pyd_err why = { 0 };
	enum pyd_code code;

	*ret = l;
	max = max < PYD_BLOB_MAX ? max : PYD_BLOB_MAX;
	want = l->all < max ? l->all : max;
	if (n->mark != PYD_MARK_TRUNCATED || want <= l->units)
		return PYD_OK;
	*own = (struct pyd_long) {
		.target = l->target,
		.at = l->at,
		.units = want,
		.all = l->all,
		.width = l->width,
		.limit = l->limit,
	};
	code = pyd_long_open(own, n->addr, &why);
	if (!code)
		*ret = own;
	return pyd_redact_only_fatal(code, &why, err);
}

/* See is_binary() in redact.c. */
static enum pyd_code is_binary(struct pyd_long *l, bool *ret,
			       struct pyd_err *err)
{
	struct pyd_redact_look look = { 0 };

	for (size_t i = 0; i < BINARY_LOOKS; i++) {
		uint64_t at = (l->raw - BINARY_BYTES) / BINARY_LOOKS * i;
		uint8_t p[BINARY_BYTES];
		enum pyd_code code = pyd_long_read(l, at, p, sizeof(p), err);

		if (code)
			return code;
		pyd_redact_look(&look, p, sizeof(p));
	}
	*ret = pyd_redact_looks_binary(&look);
	return PYD_OK;
}

static enum pyd_code is_worth(struct pyd_long *l, bool *ret,
			      struct pyd_err *err)
{
	struct pyd_pieces p = pieces_of(l);
	enum pyd_code code = pyd_pieces_worth(&p, ret, err);
	bool binary = false;

	if (code || !*ret || pyd_long_is_str(l))
		return code;
	code = is_binary(l, &binary, err);
	*ret = !binary;
	return code;
}

/* What many spans took is not kept. */
static void forget_spans(struct pyd_redact *rd)
{
	if (rd->spans.cap > SPANS_KEPT)
		pyd_spans_deinit(&rd->spans);
	rd->spans.n = 0;
}

/* -- what it teaches -- */

static enum pyd_code learn_spans(struct pyd_redact *rd, struct pyd_long *l,
				 struct pyd_err *err)
{
	for (size_t i = 0; i < rd->spans.n; i++) {
		const struct pyd_span *span = &rd->spans.v[i];
		enum pyd_code code;

		if (span->len > PYD_REDACT_LEARN_MAX)
			continue;
		pyd_buf_clear(&rd->text);
		code = pyd_buf_reserve(&rd->text, span->len, err);
		if (!code)
			code = pyd_long_read(l, span->at, rd->text.data,
					     span->len, err);
		if (!code)
			code = pyd_known_add(&rd->known, rd->text.data,
					     span->len, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

enum pyd_code pyd_redact_learn_long(struct pyd_redact *rd, struct pyd_reader *r,
				    struct pyd_node *n, bool *ret_look,
				    struct pyd_err *err)
{
	struct pyd_long own = { 0 }, *l;
	struct pyd_pieces p;
	bool worth = false;
	enum pyd_code code = longer(r, n, &own, &l, err);

	if (!code && !rd->only_reads)
		code = is_worth(l, &worth, err);
	if (!code && worth) {
		p = pieces_of(l);
		rd->spans.n = 0;
		code = pyd_pieces_match(&p, &rd->matcher, &rd->spans, err);
	}
	if (!code && worth && rd->spans.n) {
		pyd_spans_merge(&rd->spans);
		*ret_look = true;
		code = learn_spans(rd, l, err);
	}
	forget_spans(rd);
	pyd_long_deinit(&own);
	return code;
}

/* -- what becomes of it -- */

/* As pyd_redact_find(). */
static enum pyd_code find(struct pyd_redact *rd, const struct pyd_pieces *p,
			  bool look, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	rd->spans.n = 0;
	if (look)
		code = pyd_pieces_match(p, &rd->matcher, &rd->spans, err);
	if (!code && !rd->rules->off[PYD_RULE_KNOWN])
		code = pyd_known_find_in(&rd->known, p, PYD_RULE_KNOWN,
					 &rd->spans, err);
	pyd_spans_merge(&rd->spans);
	return code;
}

/* The tag of what rd->spans covers, or of all. */
static enum pyd_code tag(const struct pyd_redact *rd,
			 const struct pyd_pieces *p, bool all, uint64_t *ret,
			 struct pyd_err *err)
{
	struct pyd_siphash_state hash;
	enum pyd_code code = PYD_OK;

	pyd_siphash_begin(&hash, &rd->tag_key);
	if (all)
		code = pyd_pieces_hash(p, 0, p->len, &hash, err);
	for (size_t i = 0; i < rd->spans.n && !all && !code; i++)
		code = pyd_pieces_hash(p, rd->spans.v[i].at, rd->spans.v[i].len,
				       &hash, err);
	*ret = pyd_siphash_end(&hash);
	return code;
}

static enum pyd_code mask(const struct pyd_redact *rd, struct pyd_long *l,
			  struct pyd_err *err)
{
	size_t n = rd->spans.n;
	struct pyd_long_mask *masks = calloc(n, sizeof(*masks));

	if (!masks)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		masks[i] = (struct pyd_long_mask) { rd->spans.v[i].at,
						    rd->spans.v[i].len };
	return pyd_long_mask(l, masks, n, err);
}

/* Whether all of it is a secret, and by which rule; else rd->spans has those in
 * it. */
static enum pyd_code judge(struct pyd_redact *rd, const struct pyd_node *n,
			   const struct pyd_pieces *p, size_t *ret_rule,
			   bool *ret_all, struct pyd_err *err)
{
	uint64_t found = 0, covered = 0;
	bool look, known = false;
	enum pyd_code code;

	(void)pyd_map_get(&rd->taint, n->addr, &found);
	look = (found & PYD_REDACT_LOOK) != 0;
	found &= PYD_REDACT_LOOK - 1;
	rd->spans.n = 0;
	if (found) {
		*ret_rule = found - 1;
		*ret_all = true;
		return PYD_OK;
	}
	code = find(rd, p, look, err);
	if (code)
		return code;
	for (size_t i = 0; i < rd->spans.n; i++)
		covered += rd->spans.v[i].len;
	*ret_all = covered == p->len;
	*ret_rule = rd->spans.n ? rd->spans.v[0].rule : PYD_RULE_KNOWN;
	if (*ret_all || rd->rules->off[PYD_RULE_KNOWN])
		return PYD_OK;
	code = pyd_known_is_in(&rd->known, p, &known, err);
	if (known) {
		*ret_rule = PYD_RULE_KNOWN;
		*ret_all = true;
	}
	return code;
}

static enum pyd_code apply(struct pyd_redact *rd, struct pyd_node *n,
			   struct pyd_long *l, struct pyd_err *err)
{
	struct pyd_pieces p = pieces_of(l);
	bool cut = n->mark == PYD_MARK_TRUNCATED, all = false;
	uint64_t hash = 0, units = l->units;
	size_t rule = 0;
	enum pyd_code code = judge(rd, n, &p, &rule, &all, err);

	if (code || (!all && !rd->spans.n))
		return code;
	if (!all && rd->spans.v[0].at >= n->text.raw)
		return PYD_OK; /* behind the cut */
	if (!cut)
		code = tag(rd, &p, all, &hash, err);
	if (!code && !all)
		code = mask(rd, &n->text, err);
	if (code)
		return code;
	if (all)
		pyd_long_deinit(&n->text);
	if (!cut)
		n->mark_total = units;
	n->mark = PYD_MARK_REDACTED;
	pyd_redact_mark_text(rd, rule, !cut, hash, n->mark_text,
			     sizeof(n->mark_text));
	return PYD_OK;
}

enum pyd_code pyd_redact_apply_long(struct pyd_redact *rd, struct pyd_reader *r,
				    struct pyd_node *n, struct pyd_err *err)
{
	struct pyd_long own = { 0 }, *l;
	enum pyd_code code = longer(r, n, &own, &l, err);

	if (!code)
		code = apply(rd, n, l, err);
	forget_spans(rd);
	pyd_long_deinit(&own);
	return code;
}

/* -- under a secret's name -- */

enum pyd_code pyd_redact_kind_long(struct pyd_node *n,
				   struct pyd_pieces_kind *ret,
				   struct pyd_err *err)
{
	struct pyd_pieces p = pieces_of(&n->text);

	return pyd_pieces_kind(&p, ret, err);
}

enum pyd_code pyd_redact_know_long(struct pyd_redact *rd, struct pyd_node *n,
				   const struct pyd_pieces_kind *kind,
				   struct pyd_err *err)
{
	struct pyd_pieces p = pieces_of(&n->text);

	return pyd_known_add_in(&rd->known, &p, kind->words, err);
}
