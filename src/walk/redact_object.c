// SPDX-License-Identifier: Apache-2.0
/* The secrets in one object: what it teaches, and what becomes of it. */
#include <stdio.h>
#include <string.h>

#include "walk/redact_state.h"

size_t pyd_redact_own(const struct pyd_node *n)
{
	uint64_t own = n->value.len;

	for (size_t i = 0; i < n->attrs.len; i++)
		if (pyd_origin_has_bytes(n->names[i].origin))
			own -= n->attrs.data[i] < own ? n->attrs.data[i] : own;
	return own;
}

static uint64_t count_chars(const uint8_t *s, size_t n)
{
	uint64_t chars = 0;

	for (size_t i = 0; i < n; i++)
		chars += !pyd_redact_is_tail(s[i]);
	return chars;
}

void pyd_redact_mark_text(struct pyd_redact *rd, size_t rule, bool tagged,
			  uint64_t tag, char *buf, size_t cap)
{
	if (tagged)
		snprintf(buf, cap, "%s tag=%08x", pyd_rules_id(rd->rules, rule),
			 (unsigned int)(tag >> 32));
	else
		snprintf(buf, cap, "%s", pyd_rules_id(rd->rules, rule));
	rd->counts[rule]++;
}

static void mark_text(struct pyd_redact *rd, size_t rule, bool cut,
		      const uint8_t *s, size_t len, char *buf, size_t cap)
{
	uint64_t tag = cut ? 0 : pyd_siphash(&rd->tag_key, s, len);

	pyd_redact_mark_text(rd, rule, !cut, tag, buf, cap);
}

static void mark(struct pyd_redact *rd, struct pyd_node *n, size_t rule,
		 uint64_t total, const uint8_t *s, size_t len)
{
	bool cut = n->mark == PYD_MARK_TRUNCATED;

	n->mark_total = cut ? n->mark_total : total;
	n->mark = PYD_MARK_REDACTED;
	mark_text(rd, rule, cut, s, len, n->mark_text, sizeof(n->mark_text));
}

/* The object once more, without the cut that was made in it. */
static enum pyd_code read_longer(struct pyd_redact *rd, struct pyd_reader *r,
				 const struct pyd_node *n, const uint8_t **ret,
				 size_t *ret_len, struct pyd_err *err)
{
	uint64_t max_string = r->max_string, max_blob = r->max_blob;
	struct pyd_err why = { 0 };
	enum pyd_code code;

	r->max_string = max_string ? max_string + PYD_REDACT_MARGIN : 0;
	r->max_blob = max_blob ? max_blob + PYD_REDACT_MARGIN : 0;
	code = pyd_read_node(r, n->addr, &rd->node, &why);
	r->max_string = max_string;
	r->max_blob = max_blob;
	if (code && !pyd_code_is_local(code)) {
		*err = why;
		return code;
	}
	if (!code && pyd_redact_own(&rd->node) >= *ret_len) {
		*ret = rd->node.value.data;
		*ret_len = pyd_redact_own(&rd->node);
	}
	return PYD_OK;
}

/* What that read is not kept where it is large. */
static void forget_longer(struct pyd_redact *rd)
{
	if (rd->node.value.cap > PYD_REDACT_MARGIN)
		pyd_buf_deinit(&rd->node.value);
}

/* What becomes of a text. */
struct verdict {
	bool redacted;
	size_t len; /* of its value, from now on */
	uint64_t total;
	char text[64];
};

/* Judges the text s; value, its first own bytes, is changed. */
static enum pyd_code judge(struct pyd_redact *rd, pyd_addr addr, bool is_str,
			   bool cut, uint8_t *value, size_t own,
			   const uint8_t *s, size_t len, struct verdict *ret,
			   struct pyd_err *err)
{
	size_t covered = 0, rule;
	uint64_t found = 0;
	bool look = false;
	enum pyd_code code;

	ret->redacted = false;
	if (rd->taint.len && pyd_map_get(&rd->taint, addr, &found)) {
		look = (found & PYD_REDACT_LOOK) != 0;
		found &= PYD_REDACT_LOOK - 1;
	}
	if (found) {
		rule = found - 1;
		covered = len;
	} else {
		code = pyd_redact_find(rd, s, len, look, err);
		if (code)
			return code;
		rule = rd->spans.n ? rd->spans.v[0].rule : PYD_RULE_KNOWN;
		for (size_t i = 0; i < rd->spans.n; i++)
			covered += rd->spans.v[i].len;
		if (covered < len && pyd_known_is(&rd->known, s, len) &&
		    !rd->rules->off[PYD_RULE_KNOWN]) {
			rule = PYD_RULE_KNOWN;
			covered = len;
		}
	}
	if (!covered)
		return PYD_OK;
	ret->total = is_str ? count_chars(s, len) : len;
	if (covered == len) {
		mark_text(rd, rule, cut, s, len, ret->text, sizeof(ret->text));
		ret->redacted = true;
		ret->len = 0;
		return PYD_OK;
	}
	/* The tag is that of the secrets alone. */
	pyd_buf_clear(&rd->text);
	for (size_t i = 0; i < rd->spans.n; i++) {
		code = pyd_buf_append(&rd->text, s + rd->spans.v[i].at,
				      rd->spans.v[i].len, err);
		if (code)
			return code;
	}
	while (rd->spans.n && rd->spans.v[rd->spans.n - 1].at >= own)
		rd->spans.n--;
	if (!rd->spans.n)
		return PYD_OK; /* behind the cut */
	mark_text(rd, rule, cut, rd->text.data, rd->text.len, ret->text,
		  sizeof(ret->text));
	ret->redacted = true;
	ret->len = pyd_redact_mask(value, own, &rd->spans, is_str);
	return PYD_OK;
}

enum pyd_code pyd_redact_held(void *ctx, struct pyd_writer_text *t,
			      struct pyd_err *err)
{
	struct verdict v;
	enum pyd_code code = judge(ctx, t->addr, t->kind == PYD_KIND_str, false,
				   t->value, t->len, t->value, t->len, &v, err);

	if (code || !v.redacted)
		return code;
	t->redacted = true;
	t->len = v.len;
	t->total = v.total;
	snprintf(t->mark, sizeof(t->mark), "%s", v.text);
	return PYD_OK;
}

static enum pyd_code apply_text(struct pyd_redact *rd, struct pyd_reader *r,
				struct pyd_node *n, struct pyd_err *err)
{
	size_t own = pyd_redact_own(n), len = own;
	bool cut = n->mark == PYD_MARK_TRUNCATED;
	const uint8_t *s = n->value.data;
	struct verdict v;
	enum pyd_code code = PYD_OK;

	if (cut)
		code = read_longer(rd, r, n, &s, &len, err);
	if (code || !len)
		return code;
	code = judge(rd, n->addr, n->kind == PYD_KIND_str, cut, n->value.data,
		     own, s, len, &v, err);
	forget_longer(rd);
	if (code || !v.redacted)
		return code;
	n->mark_total = cut ? n->mark_total : v.total;
	n->mark = PYD_MARK_REDACTED;
	snprintf(n->mark_text, sizeof(n->mark_text), "%s", v.text);
	memmove(n->value.data + v.len, n->value.data + own, n->value.len - own);
	n->value.len -= own - v.len;
	return PYD_OK;
}

/* Text and bytes among the fields of a described type. */
static enum pyd_code apply_fields(struct pyd_redact *rd, struct pyd_node *n,
				  uint32_t shape, struct pyd_err *err)
{
	size_t at = pyd_redact_own(n);
	uint64_t found = 0;
	bool tainted;

	(void)pyd_map_get(&rd->taint, n->addr, &found);
	found &= PYD_REDACT_LOOK - 1;
	tainted = found != 0;
	for (size_t i = 0; i < n->attrs.len; i++) {
		uint8_t origin = n->names[i].origin;
		size_t len = n->attrs.data[i], now, rule = 0;
		uint8_t *s = n->value.data + at;
		bool is_text = origin == PYD_ORIGIN_TEXT, named = false;
		enum pyd_code code = PYD_OK;

		if (!pyd_origin_has_bytes(origin))
			continue;
		if (len > n->value.len - at)
			break;
		if (shape < rd->nshapes && rd->shapes[shape].any)
			named = pyd_rules_is_value(
				rd->rules,
				(enum pyd_name_class)rd->shapes[shape]
					.classes[i],
				s, len);
		rd->spans.n = 0;
		if (origin == PYD_ORIGIN_INTS) {
			at += len;
			continue;
		}
		if (tainted || named || pyd_known_is(&rd->known, s, len))
			code = pyd_spans_add(&rd->spans, 0, len,
					     tainted ? found - 1
					     : named ? (uint64_t)PYD_RULE_NAME
						     : (uint64_t)PYD_RULE_KNOWN,
					     err);
		else
			code = pyd_redact_find(
				rd, s, len,
				pyd_redact_is_worth(rd, is_text, s, len), err);
		if (code)
			return code;
		if (rd->spans.n && len) {
			rule = rd->spans.v[0].rule;
			mark(rd, n, rule, is_text ? count_chars(s, len) : len,
			     s + rd->spans.v[0].at, rd->spans.v[0].len);
			now = pyd_redact_mask(s, len, &rd->spans, is_text);
			memmove(s + now, s + len, n->value.len - at - len);
			n->value.len -= len - now;
			n->attrs.data[i] = now;
			len = now;
		}
		at += len;
	}
	return PYD_OK;
}

enum pyd_code pyd_redact_apply(struct pyd_redact *rd, struct pyd_reader *r,
			       struct pyd_node *n, uint32_t shape,
			       struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	if (n->text.raw)
		code = pyd_redact_apply_long(rd, r, n, err);
	else if (pyd_redact_is_text(n->kind))
		code = apply_text(rd, r, n, err);
	return code ? code : apply_fields(rd, n, shape, err);
}

/* A text that the walk has met: learns what is in it. True in *ret_look when
 * something is. */
static enum pyd_code learn_text(struct pyd_redact *rd, struct pyd_reader *r,
				const struct pyd_node *n, bool *ret_look,
				struct pyd_err *err)
{
	size_t len = pyd_redact_own(n);
	const uint8_t *s = n->value.data;
	enum pyd_code code = PYD_OK;

	if (n->mark == PYD_MARK_TRUNCATED)
		code = read_longer(rd, r, n, &s, &len, err);
	if (code || rd->only_reads ||
	    !pyd_redact_is_worth(rd, n->kind == PYD_KIND_str, s, len)) {
		forget_longer(rd);
		return code;
	}
	rd->spans.n = 0;
	code = pyd_match(&rd->matcher, s, len, PYD_MATCH_ALL, &rd->spans, err);
	if (!code && rd->spans.n) {
		pyd_spans_merge(&rd->spans);
		*ret_look = true;
		code = pyd_redact_learn_spans(rd, s, err);
	}
	forget_longer(rd);
	return code;
}

static enum pyd_code learn_fields(struct pyd_redact *rd,
				  const struct pyd_node *n, struct pyd_err *err)
{
	size_t at = pyd_redact_own(n);

	for (size_t i = 0; i < n->attrs.len; i++) {
		uint8_t origin = n->names[i].origin;
		size_t len = n->attrs.data[i];
		const uint8_t *s = n->value.data + at;
		enum pyd_code code;

		if (!pyd_origin_has_bytes(origin))
			continue;
		if (len > n->value.len - at)
			break;
		at += len;
		if (origin == PYD_ORIGIN_INTS || rd->only_reads ||
		    !pyd_redact_is_worth(rd, origin == PYD_ORIGIN_TEXT, s, len))
			continue;
		rd->spans.n = 0;
		code = pyd_match(&rd->matcher, s, len, PYD_MATCH_ALL,
				 &rd->spans, err);
		pyd_spans_merge(&rd->spans);
		if (!code)
			code = pyd_redact_learn_spans(rd, s, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* Kinds whose value is a name that is written at once. */
static bool is_named(enum pyd_kind k)
{
	return k == PYD_KIND_type || k == PYD_KIND_module ||
	       k == PYD_KIND_function || k == PYD_KIND_builtin ||
	       k == PYD_KIND_descriptor || k == PYD_KIND_placeholder;
}

static enum pyd_code clean_name(struct pyd_redact *rd, struct pyd_node *n,
				struct pyd_err *err)
{
	size_t len = n->value.len, end = 0;

	/* A type's: module and name, a NUL behind each, then numbers. */
	while (end < len) {
		uint8_t *s = n->value.data + end;
		size_t k = strnlen((const char *)s, len - end);

		if (n->kind == PYD_KIND_type && end + k == len)
			break;
		pyd_buf_clear(&rd->text);

		enum pyd_code code =
			pyd_redact_text(rd, (const char *)s, k, &rd->text, err);

		if (code)
			return code;
		/* As many bytes as before, whatever they are. */
		if (rd->text.len == k && k)
			memcpy(s, rd->text.data, k);
		else
			memset(s, '*', k);
		end += k + 1;
		if (n->kind == PYD_KIND_type && len - end <= 24)
			break;
	}
	return PYD_OK;
}

enum pyd_code pyd_redact_keep(struct pyd_redact *rd, struct pyd_reader *r,
			      struct pyd_node *n, bool *ret_later,
			      struct pyd_err *err)
{
	bool look = false, later = pyd_redact_is_text(n->kind);
	enum pyd_code code = PYD_OK;

	if (n->text.raw)
		code = pyd_redact_learn_long(rd, r, n, &look, err);
	else if (later)
		code = learn_text(rd, r, n, &look, err);
	if (code)
		return code;
	for (size_t i = 0; i < n->attrs.len; i++) {
		if (!pyd_origin_has_bytes(n->names[i].origin))
			continue;
		later = true;
		code = learn_fields(rd, n, err);
		break;
	}
	if (!code && look) {
		uint64_t found = 0;

		(void)pyd_map_get(&rd->taint, n->addr, &found);
		code = pyd_map_put(&rd->taint, n->addr, found | PYD_REDACT_LOOK,
				   err);
	}
	if (!code && is_named(n->kind))
		code = clean_name(rd, n, err);
	*ret_later = later;
	return code;
}

enum pyd_code pyd_redact_met(struct pyd_redact *rd, struct pyd_reader *r,
			     struct pyd_node *n, struct pyd_err *err)
{
	bool later;

	if (!pyd_redact_is_worth(rd, n->kind == PYD_KIND_str, n->value.data,
				 n->value.len))
		return PYD_OK;
	return pyd_redact_keep(rd, r, n, &later, err);
}

enum pyd_code pyd_redact_ahead(struct pyd_redact *rd, struct pyd_reader *r,
			       struct pyd_node *n, uint32_t shape,
			       struct pyd_err *err)
{
	size_t early = rd->early.len;
	bool later;
	enum pyd_code code = pyd_redact_node(rd, r, n, shape, &later, err);

	rd->early.len = early;
	return code;
}
