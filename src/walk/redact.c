// SPDX-License-Identifier: Apache-2.0
#include "walk/redact.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "walk/pack.h"
#include "walk/redact_state.h"

enum {
	/* Read beyond a cut, so that a secret across it is known as one. */
	MARGIN = 64 << 10,
	EARLY_MAX = 1 << 28,
	LEARN_MAX = 64 << 10, /* of one secret */
	BINARY_MIN = 64 << 10,
};

enum pyd_code pyd_redact_create(struct pyd_rules *rules,
				struct pyd_redact **ret, struct pyd_err *err)
{
	struct pyd_redact *rd = calloc(1, sizeof(*rd));
	enum pyd_code code;

	if (!rd)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for secrets");
	rd->rules = rules;
	rd->counts = calloc(pyd_rules_count(rules), sizeof(*rd->counts));
	code = rd->counts ? pyd_matcher_init(&rd->matcher, rules, err)
			  : pyd_err_set(err, PYD_NOMEM,
					"out of memory for secrets");
	if (!code)
		code = pyd_known_init(&rd->known, err);
	if (!code && getrandom(&rd->tag_key, sizeof(rd->tag_key), 0) !=
			     sizeof(rd->tag_key))
		code = pyd_err_errno(err, PYD_IO, errno,
				     "no random numbers for the tags of "
				     "secrets");
	if (code) {
		pyd_redact_destroy(rd);
		return code;
	}
	*ret = rd;
	return PYD_OK;
}

/* All that belongs to one writing of the dump. */
static void clear(struct pyd_redact *rd)
{
	for (size_t i = 0; i < rd->nshapes; i++)
		free(rd->shapes[i].classes);
	free(rd->shapes);
	rd->shapes = NULL;
	rd->nshapes = 0;
	for (size_t i = 0; i < rd->codes.cap; i++)
		if (rd->codes.slots[2 * i])
			free((void *)(uintptr_t)rd->codes.slots[2 * i + 1]);
	pyd_map_deinit(&rd->codes);
	for (size_t i = 0; i < rd->files.len; i++)
		free((void *)(uintptr_t)rd->files.data[i]);
	pyd_vec_deinit(&rd->files);
	pyd_map_deinit(&rd->file_names);
	pyd_vec_deinit(&rd->funcs);
	pyd_map_deinit(&rd->taint);
	pyd_map_deinit(&rd->seen);
	pyd_vec_deinit(&rd->todo);
	pyd_buf_deinit(&rd->early);
	memset(rd->early_last, 0, sizeof(rd->early_last));
	if (rd->counts)
		memset(rd->counts, 0,
		       pyd_rules_count(rd->rules) * sizeof(*rd->counts));
}

void pyd_redact_restart(struct pyd_redact *rd)
{
	clear(rd);
}

void pyd_redact_destroy(struct pyd_redact *rd)
{
	if (!rd)
		return;
	clear(rd);
	free(rd->counts);
	free(rd->env_v);
	pyd_map_deinit(&rd->env);
	pyd_matcher_deinit(&rd->matcher);
	pyd_known_deinit(&rd->known);
	pyd_spans_deinit(&rd->spans);
	pyd_node_deinit(&rd->node);
	pyd_vec_deinit(&rd->items);
	pyd_buf_deinit(&rd->text);
	explicit_bzero(&rd->tag_key, sizeof(rd->tag_key));
	free(rd);
}

uint64_t pyd_redact_hash(const void *s, size_t n)
{
	const uint8_t *p = s;
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3ULL;
	return h ? h : 1;
}

/* -- masks -- */

static bool is_tail(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

size_t pyd_redact_mask(uint8_t *s, size_t n, const struct pyd_spans *spans,
		       bool is_text)
{
	size_t to = 0, i = 0;

	for (size_t k = 0; k < spans->n; k++) {
		size_t from = spans->v[k].at;
		size_t end = from + spans->v[k].len;

		if (end > n)
			end = n;
		/* A character is masked as a whole. */
		while (is_text && from > i && from < n && is_tail(s[from]))
			from--;
		while (is_text && end < n && is_tail(s[end]))
			end++;
		for (; i < from; i++)
			s[to++] = s[i];
		for (; i < end; i++) {
			if (s[i] == '\n')
				s[to++] = '\n';
			else if (!is_text || !is_tail(s[i]))
				s[to++] = '*';
		}
	}
	for (; i < n; i++)
		s[to++] = s[i];
	return to;
}

/* Numbers, pictures, compressed data: no text of that size is like them. A
 * look at 256 places; NULs are what texts of a fixed width are filled with. */
static bool is_binary(const uint8_t *s, size_t n)
{
	size_t printable = 0, seen = 0;

	if (n < BINARY_MIN)
		return false;
	for (size_t i = 0; i < 256; i++) {
		const uint8_t *p = s + (n - 16) / 256 * i;

		for (size_t k = 0; k < 16; k++) {
			seen += p[k] != 0;
			printable += (p[k] >= ' ' && p[k] < 0x7f) ||
				     p[k] == '\n' || p[k] == '\t' ||
				     p[k] == '\r';
		}
	}
	return printable * 10 < seen * 6;
}

static bool is_worth(const struct pyd_redact *rd, bool is_str, const uint8_t *s,
		     size_t n)
{
	return pyd_match_worth(&rd->matcher, s, n) &&
	       (is_str || !is_binary(s, n));
}

/* Everything that is secret in a text that no object or name tells of. */
static enum pyd_code find(struct pyd_redact *rd, const uint8_t *s, size_t n,
			  bool look, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	rd->spans.n = 0;
	if (look)
		code = pyd_match(&rd->matcher, s, n, PYD_MATCH_ALL, &rd->spans,
				 err);
	if (!code && !rd->rules->off[PYD_RULE_KNOWN])
		code = pyd_known_find(&rd->known, s, n, PYD_RULE_KNOWN,
				      &rd->spans, err);
	pyd_spans_merge(&rd->spans);
	return code;
}

static enum pyd_code learn(struct pyd_redact *rd, const uint8_t *s,
			   struct pyd_err *err)
{
	for (size_t i = 0; i < rd->spans.n; i++) {
		const struct pyd_span *span = &rd->spans.v[i];
		enum pyd_code code;

		if (span->len > LEARN_MAX)
			continue;
		code = pyd_known_add(&rd->known, s + span->at, span->len, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* -- texts that are written early -- */

static enum pyd_code remember(struct pyd_redact *rd, const uint8_t *s, size_t n,
			      bool whole, struct pyd_err *err)
{
	uint64_t h = pyd_redact_hash(s, n);
	uint64_t *last = &rd->early_last[h & 255];
	enum pyd_code code;

	if (n < 4 || *last == h)
		return PYD_OK;
	if (rd->early.len > EARLY_MAX)
		return pyd_err_set(err, PYD_NOMEM,
				   "too many names to look for secrets in");
	*last = h;
	code = pyd_buf_append(&rd->early, whole ? "v" : "n", 1, err);
	if (!code)
		code = pyd_buf_append(&rd->early, s, n, err);
	return code ? code : pyd_buf_append(&rd->early, "", 1, err);
}

static void count_spans(struct pyd_redact *rd)
{
	for (size_t i = 0; i < rd->spans.n; i++)
		rd->counts[rd->spans.v[i].rule]++;
}

/* whole: the text is a value and no name; it may be a secret that is found
 * only alone. */
static enum pyd_code clean(struct pyd_redact *rd, const char *text, size_t n,
			   bool whole, struct pyd_buf *out, struct pyd_err *err)
{
	const uint8_t *s = (const uint8_t *)text;
	size_t at = out->len;
	enum pyd_code code;

	code = find(rd, s, n, pyd_match_worth(&rd->matcher, s, n), err);
	if (!code)
		code = learn(rd, s, err);
	if (!code && whole && pyd_known_is(&rd->known, s, n) &&
	    !rd->rules->off[PYD_RULE_KNOWN]) {
		rd->spans.n = 0;
		code = pyd_spans_add(&rd->spans, 0, n, PYD_RULE_KNOWN, err);
	}
	if (!code)
		code = pyd_buf_append(out, text, n, err);
	if (code)
		return code;
	if (rd->spans.n) {
		count_spans(rd);
		out->len = at +
			   pyd_redact_mask(out->data + at, n, &rd->spans, true);
	}
	return remember(rd, out->data + at, out->len - at, whole, err);
}

enum pyd_code pyd_redact_text(struct pyd_redact *rd, const char *text, size_t n,
			      struct pyd_buf *out, struct pyd_err *err)
{
	return clean(rd, text, n, true, out, err);
}

void pyd_redact_name(struct pyd_redact *rd, char *text, size_t n)
{
	struct pyd_err ignored;

	pyd_buf_clear(&rd->text);
	if (clean(rd, text, n, false, &rd->text, &ignored)) {
		/* Out of memory: what is not known to be safe stays out. */
		memset(text, '*', n);
		return;
	}
	memcpy(text, rd->text.data, rd->text.len);
	text[rd->text.len] = '\0';
}

void pyd_redact_pack(struct pyd_redact *rd, struct pyd_pack *p,
		     const char *text)
{
	struct pyd_err ignored;

	if (!rd || !text) {
		pyd_pack_text(p, text);
		return;
	}
	pyd_buf_clear(&rd->text);
	if (clean(rd, text, strlen(text), false, &rd->text, &ignored))
		p->failed = true;
	else
		pyd_pack_text_n(p, (const char *)rd->text.data, rd->text.len);
}

bool pyd_redact_leaked(struct pyd_redact *rd)
{
	struct pyd_err ignored;

	for (size_t i = 0; i < rd->early.len;) {
		bool whole = rd->early.data[i++] == 'v';
		const uint8_t *s = rd->early.data + i;
		size_t n = strlen((const char *)s);

		rd->spans.n = 0;
		if ((whole && pyd_known_is(&rd->known, s, n)) ||
		    pyd_known_find(&rd->known, s, n, PYD_RULE_KNOWN, &rd->spans,
				   &ignored) ||
		    rd->spans.n)
			return !rd->rules->off[PYD_RULE_KNOWN];
		i += n + 1;
	}
	return false;
}

/* -- sources -- */

static enum pyd_code find_source(struct pyd_redact *rd, const struct pyd_buf *b,
				 struct pyd_err *err)
{
	rd->spans.n = 0;
	return pyd_match_source(&rd->matcher, b->data, b->len, &rd->spans, err);
}

enum pyd_code pyd_redact_learn(struct pyd_redact *rd,
			       const struct pyd_buf *source,
			       struct pyd_err *err)
{
	enum pyd_code code = find_source(rd, source, err);

	return code ? code : learn(rd, source->data, err);
}

enum pyd_code pyd_redact_source(struct pyd_redact *rd, struct pyd_buf *source,
				struct pyd_err *err)
{
	enum pyd_code code = find_source(rd, source, err);

	if (!code && !rd->rules->off[PYD_RULE_KNOWN])
		code = pyd_known_find(&rd->known, source->data, source->len,
				      PYD_RULE_KNOWN, &rd->spans, err);
	if (code)
		return code;
	pyd_spans_merge(&rd->spans);
	count_spans(rd);
	source->len =
		pyd_redact_mask(source->data, source->len, &rd->spans, true);
	return PYD_OK;
}

/* -- objects -- */

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
		chars += !is_tail(s[i]);
	return chars;
}

/* "RULE tag=XXXXXXXX"; without the tag where only a part is known: parts may
 * be equal where the whole is not. */
static void mark_text(struct pyd_redact *rd, size_t rule, bool cut,
		      const uint8_t *s, size_t len, char *buf, size_t cap)
{
	if (cut)
		snprintf(buf, cap, "%s", pyd_rules_id(rd->rules, rule));
	else
		snprintf(buf, cap, "%s tag=%08x", pyd_rules_id(rd->rules, rule),
			 (unsigned int)(pyd_siphash(&rd->tag_key, s, len) >>
					32));
	rd->counts[rule]++;
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

	r->max_string = max_string ? max_string + MARGIN : 0;
	r->max_blob = max_blob ? max_blob + MARGIN : 0;
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
		code = find(rd, s, len, look, err);
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
			code = find(rd, s, len, is_worth(rd, is_text, s, len),
				    err);
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

	if (pyd_redact_is_text(n->kind))
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
	if (code || !is_worth(rd, n->kind == PYD_KIND_str, s, len))
		return code;
	rd->spans.n = 0;
	code = pyd_match(&rd->matcher, s, len, PYD_MATCH_ALL, &rd->spans, err);
	if (code || !rd->spans.n)
		return code;
	pyd_spans_merge(&rd->spans);
	*ret_look = true;
	return learn(rd, s, err);
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
		if (origin == PYD_ORIGIN_INTS ||
		    !is_worth(rd, origin == PYD_ORIGIN_TEXT, s, len))
			continue;
		rd->spans.n = 0;
		code = pyd_match(&rd->matcher, s, len, PYD_MATCH_ALL,
				 &rd->spans, err);
		pyd_spans_merge(&rd->spans);
		if (!code)
			code = learn(rd, s, err);
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

	if (later)
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

const struct pyd_vec *pyd_redact_files(const struct pyd_redact *rd)
{
	return &rd->files;
}

/* -- what is said of it -- */

uint64_t pyd_redact_total(const struct pyd_redact *rd)
{
	uint64_t total = 0;

	for (size_t i = 0; i < pyd_rules_count(rd->rules); i++)
		total += rd->counts[i];
	return total;
}

void pyd_redact_pack_header(const struct pyd_redact *rd, struct pyd_pack *p)
{
	const struct pyd_rules *r = rd ? rd->rules : NULL;
	size_t n = 0;

	pyd_pack_text(p, "redaction");
	pyd_pack_map(p, r ? 3 : 1);
	pyd_pack_kv_bool(p, "on", r != NULL);
	if (!r)
		return;
	for (size_t i = 0; i < pyd_rules_count(r); i++)
		n += pyd_rules_is_on(r, i);
	pyd_pack_text(p, "rules");
	pyd_pack_array(p, n);
	for (size_t i = 0; i < pyd_rules_count(r); i++) {
		bool pattern = i >= PYD_RULE_PATTERNS;

		if (!pyd_rules_is_on(r, i))
			continue;
		pyd_pack_map(p, 1 + pattern);
		pyd_pack_kv_text(p, "id", pyd_rules_id(r, i));
		if (pattern)
			pyd_pack_kv_text(
				p, "pattern",
				r->patterns[i - PYD_RULE_PATTERNS].regex);
	}
	pyd_pack_text(p, "files");
	pyd_pack_array(p, r->nfiles);
	for (size_t i = 0; i < r->nfiles; i++)
		pyd_pack_text(p, r->files[i]);
}

void pyd_redact_pack_end(const struct pyd_redact *rd, struct pyd_pack *p)
{
	size_t n = 0, rules = rd ? pyd_rules_count(rd->rules) : 0;

	for (size_t i = 0; i < rules; i++)
		n += rd->counts[i] != 0;
	pyd_pack_text(p, "redacted");
	pyd_pack_map(p, n);
	for (size_t i = 0; i < rules; i++)
		if (rd->counts[i])
			pyd_pack_kv_u64(p, pyd_rules_id(rd->rules, i),
					rd->counts[i]);
}
