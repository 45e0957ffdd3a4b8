// SPDX-License-Identifier: Apache-2.0
#include "walk/redact.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "walk/pack.h"
#include "walk/redact_state.h"

enum {
	EARLY_MAX = 1 << 28,
	BINARY_MIN = 64 << 10,
	NAME_ROOM = 256, /* of names that are read quickly, at first */
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
	if (!code)
		code = pyd_buf_reserve(&rd->name.value, NAME_ROOM, err);
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
	pyd_map_deinit(&rd->annotations);
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

void pyd_redact_only_reads(struct pyd_redact *rd)
{
	rd->only_reads = true;
}

bool pyd_redact_in_pieces(const struct pyd_redact *rd)
{
	return !rd->matcher.anywhere;
}

void pyd_redact_long_min(struct pyd_redact *rd, uint64_t bytes)
{
	rd->long_min = bytes;
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
	pyd_node_deinit(&rd->name);
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
		while (is_text && from > i && from < n &&
		       pyd_redact_is_tail(s[from]))
			from--;
		while (is_text && end < n && pyd_redact_is_tail(s[end]))
			end++;
		for (; i < from; i++)
			s[to++] = s[i];
		for (; i < end; i++) {
			if (s[i] == '\n')
				s[to++] = '\n';
			else if (!is_text || !pyd_redact_is_tail(s[i]))
				s[to++] = '*';
		}
	}
	for (; i < n; i++)
		s[to++] = s[i];
	return to;
}

void pyd_redact_look(struct pyd_redact_look *look, const uint8_t *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		look->seen += s[i] != 0;
		look->printable += (s[i] >= ' ' && s[i] < 0x7f) ||
				   s[i] == '\n' || s[i] == '\t' || s[i] == '\r';
	}
}

bool pyd_redact_looks_binary(const struct pyd_redact_look *look)
{
	return look->printable * 10 < look->seen * 6;
}

/* No text of that size is like them. A look at 256 places; NULs are what texts
 * of a fixed width are filled with. */
static bool is_binary(const uint8_t *s, size_t n)
{
	struct pyd_redact_look look = { 0 };

	if (n < BINARY_MIN)
		return false;
	for (size_t i = 0; i < 256; i++)
		pyd_redact_look(&look, s + (n - 16) / 256 * i, 16);
	return pyd_redact_looks_binary(&look);
}

bool pyd_redact_is_worth(const struct pyd_redact *rd, bool is_str,
			 const uint8_t *s, size_t n)
{
	return pyd_match_worth(&rd->matcher, s, n) &&
	       (is_str || !is_binary(s, n));
}

enum pyd_code pyd_redact_find(struct pyd_redact *rd, const uint8_t *s, size_t n,
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

enum pyd_code pyd_redact_learn_spans(struct pyd_redact *rd, const uint8_t *s,
				     struct pyd_err *err)
{
	for (size_t i = 0; i < rd->spans.n; i++) {
		const struct pyd_span *span = &rd->spans.v[i];
		enum pyd_code code;

		if (span->len > PYD_REDACT_LEARN_MAX)
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

	if (rd->only_reads)
		return pyd_buf_append(out, text, n, err);
	code = pyd_redact_find(rd, s, n, pyd_match_worth(&rd->matcher, s, n),
			       err);
	if (!code)
		code = pyd_redact_learn_spans(rd, s, err);
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

	return code ? code : pyd_redact_learn_spans(rd, source->data, err);
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
				r->patterns[i - PYD_RULE_PATTERNS].regex.text);
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
