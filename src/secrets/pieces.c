// SPDX-License-Identifier: Apache-2.0
#include "secrets/pieces.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "secrets/random.h"

enum {
	/* Bytes that are looked at at once: a multiple of eight, as what is
	 * before them is. */
	STEP = 1 << 20,
	BEFORE = PYD_SCAN_BEFORE,
	BEHIND = PYD_SCAN_BEHIND,
	/* Of a run of token characters that is something: see match.c. */
	RUN = 15,
};

_Static_assert(STEP % 8 == 0 && BEFORE % 8 == 0, "words are whole");

/* -- one piece after the other -- */

enum pyd_code pyd_look_open(struct pyd_look *w, const struct pyd_pieces *text,
			    struct pyd_err *err)
{
	*w = (struct pyd_look) { .text = text };
	w->data = malloc(BEFORE + STEP + BEHIND);
	return w->data ? PYD_OK : pyd_err_set(err, PYD_NOMEM, "out of memory");
}

enum pyd_code pyd_look_next(struct pyd_look *w, bool *ret, struct pyd_err *err)
{
	uint64_t len = w->text->len, base, left;
	enum pyd_code code;

	*ret = w->next < len;
	if (!*ret)
		return PYD_OK;
	base = w->next > BEFORE ? w->next - BEFORE : 0;
	w->moved = (size_t)(base - w->base);
	w->base = base;
	w->from = (size_t)(w->next - base);
	left = len - w->next;
	w->to = w->from + (size_t)(left < STEP ? left : STEP);
	w->n = w->from + (size_t)(left < STEP + BEHIND ? left : STEP + BEHIND);
	w->end = left <= STEP;
	w->next += w->to - w->from;
	code = w->text->read(w->text->ctx, base, w->data, w->n, err);
	return code;
}

void pyd_look_close(struct pyd_look *w)
{
	free(w->data);
	w->data = NULL;
}

/* -- as texts in memory -- */

/* What is looked at of a piece; *spaced: each eight bytes so far have a space,
 * so that there is no run. */
static bool is_worth(const struct pyd_look *w)
{
	const uint8_t *s = w->data;
	size_t before = w->from < RUN ? w->from : RUN;
	size_t i = w->from;

	for (; i + 8 <= w->to; i += 8)
		if (pyd_match_worth8(s + i))
			return true;
	for (; i < w->to; i++)
		if (s[i] == '=' || s[i] == ':' || s[i] == '-' || s[i] == '<')
			return true;
	if (!w->base && pyd_match_starts_so(s, w->n))
		return true;
	return pyd_match_has_run(s + w->from - before,
				 w->to - w->from + before);
}

enum pyd_code pyd_pieces_worth(const struct pyd_pieces *p, bool *ret,
			       struct pyd_err *err)
{
	struct pyd_look w;
	bool found = false, more;
	enum pyd_code code = pyd_look_open(&w, p, err);

	while (!code && !found) {
		code = pyd_look_next(&w, &more, err);
		if (code || !more)
			break;
		found = is_worth(&w);
	}
	pyd_look_close(&w);
	*ret = found;
	return code;
}

enum pyd_code pyd_pieces_match(const struct pyd_pieces *p,
			       struct pyd_matcher *m, struct pyd_spans *out,
			       struct pyd_err *err)
{
	struct pyd_scan scan;
	struct pyd_look w;
	bool more;
	enum pyd_code code = pyd_look_open(&w, p, err);

	pyd_scan_begin(m, &scan, PYD_MATCH_ALL, out);
	while (!code && !scan.all) {
		size_t first = out->n;

		code = pyd_look_next(&w, &more, err);
		if (code || !more)
			break;
		pyd_scan_move(m, &scan, w.moved);
		code = pyd_scan_piece(m, &scan, w.data, w.n, w.from, w.to,
				      w.end, out, err);
		for (size_t i = first; i < out->n; i++)
			out->v[i].at += w.base;
	}
	pyd_look_close(&w);
	if (!code && scan.all) {
		out->n = scan.first;
		code = pyd_spans_add(out, 0, p->len, PYD_RULE_RANDOM, err);
	}
	return code;
}

enum pyd_code pyd_pieces_hash(const struct pyd_pieces *p, uint64_t at,
			      uint64_t len, struct pyd_siphash_state *hash,
			      struct pyd_err *err)
{
	uint8_t some[4096], *buf = some;
	size_t cap = len <= sizeof(some) ? sizeof(some) : STEP;
	enum pyd_code code = PYD_OK;

	if (cap > sizeof(some)) {
		buf = malloc(cap);
		if (!buf)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	while (len && !code) {
		size_t n = len < cap ? (size_t)len : cap;

		code = p->read(p->ctx, at, buf, n, err);
		if (!code)
			pyd_siphash_add(hash, buf, n);
		at += n;
		len -= n;
	}
	if (buf != some)
		free(buf);
	return code;
}

/* -- what it is made of -- */

struct kinds {
	struct pyd_pieces_kind is;
	bool numbers, dot; /* were met */
	size_t run;	   /* of a path: characters that may be a token */
};

/* Whether nothing speaks against a path; s[i] is one of n bytes, the last of
 * the text where end is said. See rules.c. */
static bool is_path(struct kinds *k, const uint8_t *s, size_t i, size_t n,
		    bool end)
{
	uint8_t c = s[i];

	if (!isalnum(c) && (!c || !strchr("/._-+@ ", c)))
		return false;
	k->run = c == '.' || c == '@' || c == ' ' ? 0 : k->run + 1;
	if (k->run < PYD_RANDOM_MIN || k->run > PYD_RANDOM_MAX)
		return true;
	if (i + 1 == n ? !end : s[i + 1] != '.')
		return true;
	return !pyd_is_random(s + i + 1 - k->run, k->run);
}

/* False: nothing of it is left. */
static bool learn(struct kinds *k, const struct pyd_look *w)
{
	struct pyd_pieces_kind *is = &k->is;
	const uint8_t *s = w->data;

	for (size_t i = w->from; i < w->to; i++) {
		uint8_t c = s[i];
		bool number = isdigit(c) || c == '-' || c == '_' || c == '.';
		bool letter = isalpha(c) != 0;

		is->key = is->key && c > ' ' && c < 0x7f &&
			  !strchr("()<>{}|\\\"'`", c);
		is->path = is->path && is_path(k, s, i, w->n, w->end);
		is->identifier = is->identifier && (letter || c == '_');
		is->name_number =
			is->name_number && (number || (letter && !k->numbers));
		is->words = is->words &&
			    (letter || ((c == '.' || c == '_') && w->base + i));
		k->numbers |= number;
		k->dot |= c == '.';
		if (!is->key && !is->path && !is->identifier &&
		    !is->name_number && !is->words)
			return false;
	}
	return true;
}

enum pyd_code pyd_pieces_kind(const struct pyd_pieces *p,
			      struct pyd_pieces_kind *ret, struct pyd_err *err)
{
	struct kinds k = { .is = { true, true, true, true, true } };
	struct pyd_look w;
	bool more = true;
	enum pyd_code code = pyd_look_open(&w, p, err);

	while (!code) {
		code = pyd_look_next(&w, &more, err);
		if (code || !more)
			break;
		k.is.path = k.is.path && (w.base || w.data[0] == '/');
		if (!learn(&k, &w))
			break;
	}
	pyd_look_close(&w);
	k.is.words = k.is.words && k.dot;
	*ret = k.is;
	return code;
}

bool pyd_pieces_is_value(const struct pyd_pieces_kind *kind,
			 enum pyd_name_class c)
{
	if (c == PYD_CLASS_PLAIN || kind->path)
		return false;
	return c == PYD_CLASS_SECRET || kind->key;
}
