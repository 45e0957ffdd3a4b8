// SPDX-License-Identifier: Apache-2.0
#include "secrets/match.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "secrets/random.h"

enum {
	/* A match begins at most so far in front of its literal, */
	BEFORE = 128,
	/* and ends at most so far behind it. */
	BEHIND = 64 << 10,
	/* Shorter runs of token characters hold nothing. */
	RUN = 15,
	NEAR = 72, /* no name is longer */
};

/* -- spans -- */

enum pyd_code pyd_spans_add(struct pyd_spans *s, size_t at, size_t len,
			    size_t rule, struct pyd_err *err)
{
	if (!len)
		return PYD_OK;
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 16;
		struct pyd_span *v = reallocarray(s->v, cap, sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n++] = (struct pyd_span) { .at = at,
					   .len = len,
					   .rule = (uint16_t)rule };
	return PYD_OK;
}

static int by_place(const void *a, const void *b)
{
	const struct pyd_span *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->len > y->len ? -1 : x->len < y->len;
}

void pyd_spans_merge(struct pyd_spans *s)
{
	size_t n = 0;
	size_t longest = 0;

	if (s->n < 2)
		return;
	qsort(s->v, s->n, sizeof(*s->v), by_place);
	for (size_t i = 0; i < s->n; i++) {
		struct pyd_span *last = n ? &s->v[n - 1] : NULL;
		struct pyd_span one = s->v[i];

		if (!last || one.at > last->at + last->len) {
			s->v[n++] = one;
			longest = one.len;
			continue;
		}
		if (one.len > longest) {
			last->rule = one.rule;
			longest = one.len;
		}
		if (one.at + one.len > last->at + last->len)
			last->len = one.at + one.len - last->at;
	}
	s->n = n;
}

void pyd_spans_deinit(struct pyd_spans *s)
{
	free(s->v);
	*s = (struct pyd_spans) { 0 };
}

/* -- literals -- */

static uint32_t fold3(uint32_t last, uint8_t c)
{
	return (last << 8 | c | 0x20) & 0xffffff;
}

static uint32_t bucket_of(uint32_t three)
{
	return three * 0x9e3779b1U >> 20;
}

enum pyd_code pyd_matcher_init(struct pyd_matcher *m, struct pyd_rules *rules,
			       struct pyd_err *err)
{
	*m = (struct pyd_matcher) { .rules = rules };
	m->next = calloc(rules->nliterals + 1, sizeof(*m->next));
	m->done = calloc(rules->npatterns + 1, sizeof(*m->done));
	if (!m->next || !m->done) {
		pyd_matcher_deinit(m);
		return pyd_err_set(err, PYD_NOMEM, "out of memory for rules");
	}
	for (size_t i = 0; i < rules->npatterns; i++)
		m->anywhere |=
			rules->patterns[i].anywhere && !rules->patterns[i].off;
	for (size_t i = 0; i < rules->nliterals; i++) {
		const char *t = rules->literals[i].text;
		uint32_t three = 0;

		if (rules->patterns[rules->literals[i].pattern].off)
			continue;
		for (size_t k = 0; k < 3; k++)
			three = fold3(three, (uint8_t)t[k]);
		m->next[i] = m->bucket[bucket_of(three)];
		m->bucket[bucket_of(three)] = (uint16_t)(i + 1);
	}
	return PYD_OK;
}

void pyd_matcher_deinit(struct pyd_matcher *m)
{
	free(m->next);
	free(m->done);
	m->next = NULL;
	m->done = NULL;
}

/* -- the look at the bytes -- */

#define ONES 0x0101010101010101ULL
#define HIGH 0x8080808080808080ULL

/* Non-zero when a byte of w is c. */
static inline uint64_t has(uint64_t w, uint8_t c)
{
	w ^= ONES * c;
	return (w - ONES) & ~w & HIGH;
}

/* A run of RUN token characters covers eight bytes that hold no other. */
bool pyd_match_has_run(const uint8_t *s, size_t n)
{
	size_t i = 7;

	while (i < n) {
		size_t k = i, from;

		while (k > i - 7 && pyd_is_token(s[k]))
			k--;
		if (!pyd_is_token(s[k])) {
			i = k + 8;
			continue;
		}
		for (from = k; from && pyd_is_token(s[from - 1]); from--)
			;
		for (k = i; k < n && pyd_is_token(s[k]); k++)
			;
		if (k - from >= RUN)
			return true;
		i = k + 8;
	}
	return false;
}

bool pyd_match_starts_so(const uint8_t *s, size_t n)
{
	return n > 6 && (s[0] == 'B' || s[0] == 'b') &&
	       (!strncasecmp((const char *)s, "basic ", 6) ||
		!strncasecmp((const char *)s, "bearer ", 7));
}

static inline bool worth8(uint64_t w)
{
	uint64_t dash = has(w, '-');

	return (has(w, '=') | has(w, ':') | has(w, '<') | (dash & dash >> 8)) !=
	       0;
}

bool pyd_match_worth8(const uint8_t *s)
{
	uint64_t w;

	memcpy(&w, s, sizeof(w));
	return worth8(w);
}

bool pyd_match_worth(const struct pyd_matcher *m, const uint8_t *s, size_t n)
{
	bool spaced = true;
	size_t i = 0;

	if (m->anywhere)
		return true;
	if (n < 6)
		return false;
	for (; i + 8 <= n; i += 8) {
		uint64_t w;

		memcpy(&w, s + i, sizeof(w));
		if (worth8(w))
			return true;
		spaced &= has(w, ' ') != 0;
	}
	for (; i < n; i++)
		if (s[i] == '=' || s[i] == ':' || s[i] == '-' || s[i] == '<')
			return true;
	if (pyd_match_starts_so(s, n))
		return true;
	return n >= RUN && !(spaced && n >= 8) && pyd_match_has_run(s, n);
}

/* -- patterns -- */

/* Tries pattern i where its literal was met; start and limit bound where the
 * match begins. */
static enum pyd_code try_pattern(struct pyd_matcher *m, size_t i,
				 const uint8_t *s, size_t n, size_t start,
				 size_t limit, struct pyd_spans *out,
				 struct pyd_err *err)
{
	struct pyd_rules *r = m->rules;
	struct pyd_pattern *p = &r->patterns[i];
	enum pyd_code code = pyd_pattern_compile(p, err);
	int got;

	if (code)
		return code;
	while (start <= limit && start < n) {
		const PCRE2_SIZE *at;
		size_t from, to;

		pcre2_set_offset_limit(r->context, limit);
		got = pcre2_match(p->regex.code, s, n, start, 0, r->match,
				  r->context);
		if (got == PCRE2_ERROR_NOMATCH) {
			/* Nothing begins up to there: the next literal does
			 * not look at it again. */
			if (limit < n)
				m->done[i] = limit + 1;
			return PYD_OK;
		}
		if (got < 0) {
			/* It would take too long to know: all that it may
			 * have been. */
			m->done[i] = n;
			return pyd_spans_add(out, start, n - start,
					     PYD_RULE_PATTERNS + i, err);
		}
		at = pcre2_get_ovector_pointer(r->match);
		m->done[i] = at[1];
		start = at[1] > at[0] ? at[1] : at[0] + 1;
		from = at[0];
		to = at[1];
		if (p->group &&
		    (uint32_t)p->group < pcre2_get_ovector_count(r->match)) {
			from = at[2 * p->group];
			to = at[2 * p->group + 1];
		}
		if (from == PCRE2_UNSET || to < from ||
		    pyd_rules_allow(r, s + from, to - from))
			continue;
		code = pyd_spans_add(out, from, to - from,
				     PYD_RULE_PATTERNS + i, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

static enum pyd_code try_literals(struct pyd_matcher *m, uint16_t first,
				  const uint8_t *s, size_t n, size_t at,
				  struct pyd_spans *out, struct pyd_err *err)
{
	struct pyd_rules *r = m->rules;

	for (; first; first = m->next[first - 1]) {
		const struct pyd_literal *l = &r->literals[first - 1];
		size_t start = at > BEFORE ? at - BEFORE : 0;
		size_t end = n - at > BEHIND ? at + BEHIND : n;
		enum pyd_code code;

		if (l->len > n - at ||
		    strncasecmp((const char *)s + at, l->text, l->len))
			continue;
		if (start < m->done[l->pattern])
			start = m->done[l->pattern];
		code = try_pattern(m, l->pattern, s, end, start, at, out, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* What is no key says so: "sha256-...", "sha512:...". */
static bool tells_what(const uint8_t *s, size_t n, size_t at)
{
	static const char *const names[] = { "sha1",   "sha224", "sha256",
					     "sha384", "sha512", "md5" };
	size_t from = at > 8 ? at - 8 : 0;

	/* data:image/png;base64,... is a content. */
	if (at >= 7 && !memcmp(s + at - 7, "base64,", 7))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = strlen(names[i]);

		/* In the run itself: "sha256-" or "sha256=". */
		if (n - at > len &&
		    !strncasecmp((const char *)s + at, names[i], len))
			return true;
		if (at - from > len &&
		    !strncasecmp((const char *)s + at - len - 1, names[i], len))
			return true;
	}
	return false;
}

static enum pyd_code take_run(const uint8_t *s, size_t from, size_t to,
			      struct pyd_spans *out, struct pyd_err *err)
{
	/* "name=" in front is none of it. */
	for (size_t i = from; i + 1 < to; i++)
		if (s[i] == '=' && s[i + 1] != '=' && i - from < 64) {
			if (tells_what(s, to, from))
				return PYD_OK;
			from = i + 1;
		}
	if (to - from < PYD_RANDOM_MIN || to - from > PYD_RANDOM_MAX ||
	    tells_what(s, to, from) || !pyd_is_random(s + from, to - from))
		return PYD_OK;
	return pyd_spans_add(out, from, to - from, PYD_RULE_RANDOM, err);
}

static enum pyd_code anywhere(struct pyd_matcher *m, const uint8_t *s, size_t n,
			      struct pyd_spans *out, struct pyd_err *err)
{
	struct pyd_rules *r = m->rules;

	for (size_t i = 0; i < r->npatterns; i++) {
		const struct pyd_pattern *p = &r->patterns[i];
		enum pyd_code code;

		if (!p->anywhere || p->off || n < p->min_len)
			continue;
		code = try_pattern(m, i, s, n, 0, n, out, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* Whether a character may stand between a name and its value; a look at what
 * is around it spares most calls. */
static bool is_separator(const uint8_t *s, size_t i, size_t *dash,
			 size_t *angle)
{
	switch (s[i]) {
	case '=':
	case ':':
		return true;
	case ',':
		return i && (s[i - 1] == '"' || s[i - 1] == '\'');
	case '-':
		if (i && s[i - 1] == '-')
			*dash = i;
		return false;
	case '<':
		*angle = i;
		return false;
	case '>':
		return *angle && i - *angle < NEAR;
	case ' ':
		return *dash && i - *dash < NEAR;
	default:
		return false;
	}
}

static const uint8_t separators[256] = {
	['='] = 1, [':'] = 1, [','] = 1, ['-'] = 1,
	['<'] = 1, ['>'] = 1, [' '] = 1,
};

void pyd_scan_begin(struct pyd_matcher *m, struct pyd_scan *scan,
		    enum pyd_match_what what, const struct pyd_spans *out)
{
	*scan = (struct pyd_scan) { .what = what, .first = out->n };
	memset(m->done, 0, m->rules->npatterns * sizeof(*m->done));
	m->bare = NULL;
}

/* The run ended in front of s[at]. */
static enum pyd_code end_run(const struct pyd_scan *scan, const uint8_t *s,
			     size_t at, struct pyd_spans *out,
			     struct pyd_err *err)
{
	if (scan->dead)
		return PYD_OK;
	return take_run(s, scan->far ? scan->from : at - (size_t)scan->run, at,
			out, err);
}

/* The run goes on behind s[to - 1], and what is before that is about to be
 * forgotten: as take_run(), as far as it can be told. */
static void keep_run(struct pyd_scan *scan, const uint8_t *s, size_t to)
{
	size_t from = scan->far ? scan->from : to - (size_t)scan->run;

	/* So many characters away no "=" ends a name. */
	const size_t name = 64, look = 8;

	for (size_t i = from; i + look < to && !scan->dead; i++)
		if (s[i] == '=' && s[i + 1] != '=' && i - from < name) {
			scan->dead = tells_what(s, to, from);
			from = i + 1;
		}
	scan->dead |= to - from > PYD_RANDOM_MAX + name + look;
	scan->far = true;
	scan->from = from;
}

enum pyd_code pyd_scan_piece(struct pyd_matcher *m, struct pyd_scan *scan,
			     const uint8_t *s, size_t n, size_t from, size_t to,
			     bool end, struct pyd_spans *out,
			     struct pyd_err *err)
{
	bool patterns = scan->what & PYD_MATCH_PATTERNS;
	bool random = patterns && !m->rules->off[PYD_RULE_RANDOM];
	bool assign = scan->what & PYD_MATCH_ASSIGNMENTS &&
		      !m->rules->off[PYD_RULE_ASSIGNMENT];
	uint32_t three = scan->three;
	enum pyd_code code = PYD_OK;

	for (size_t i = from; i < to && !code; i++) {
		uint8_t c = s[i];
		uint16_t b;

		three = fold3(three, c);
		b = m->bucket[bucket_of(three)];
		if (b && i >= 2 && patterns)
			code = try_literals(m, b, s, n, i - 2, out, err);
		if (pyd_is_token(c)) {
			scan->run++;
		} else if (scan->run) {
			if (scan->run >= PYD_RANDOM_MIN && random && !code)
				code = end_run(scan, s, i, out, err);
			scan->run = 0;
			scan->far = false;
			scan->dead = false;
		}
		if (!separators[c] || !assign || code)
			continue;
		if (is_separator(s, i, &scan->dash, &scan->angle) ||
		    (c == '>' && i < NEAR && s[0] == '<'))
			code = pyd_assign_at(m, s, n, i, out, err);
		if (out->n - scan->first > PYD_MATCH_SPANS) {
			/* No text has that many: all of it. */
			scan->all = true;
			return code;
		}
	}
	scan->three = three;
	if (code || scan->run < PYD_RANDOM_MIN || !random)
		return code;
	if (end)
		return end_run(scan, s, to, out, err);
	keep_run(scan, s, to);
	return PYD_OK;
}

static size_t less(size_t at, size_t by)
{
	return at > by ? at - by : 0;
}

void pyd_scan_move(struct pyd_matcher *m, struct pyd_scan *scan, size_t by)
{
	for (size_t i = 0; i < m->rules->npatterns; i++)
		m->done[i] = less(m->done[i], by);
	scan->dash = less(scan->dash, by);
	scan->angle = less(scan->angle, by);
	/* That of a run that is dead does not matter. */
	scan->from = less(scan->from, by);
	if (m->bare_from < by)
		m->bare = NULL;
	m->bare_from -= by;
	m->bare_end -= by;
}

enum pyd_code pyd_match(struct pyd_matcher *m, const uint8_t *s, size_t n,
			enum pyd_match_what what, struct pyd_spans *out,
			struct pyd_err *err)
{
	struct pyd_scan scan;
	enum pyd_code code = PYD_OK;

	pyd_scan_begin(m, &scan, what, out);
	if (m->anywhere && what & PYD_MATCH_PATTERNS)
		code = anywhere(m, s, n, out, err);
	if (!code)
		code = pyd_scan_piece(m, &scan, s, n, 0, n, true, out, err);
	if (!code && scan.all)
		code = pyd_spans_add(out, 0, n, PYD_RULE_RANDOM, err);
	return code;
}
