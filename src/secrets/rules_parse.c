// SPDX-License-Identifier: Apache-2.0
/* The language of redact.conf, which explains it. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "secrets/rules_private.h"

enum {
	LITERAL_MIN = 3,
	ENTRIES_MAX = 10000, /* of one list */
};

/* One line of a file: where we are in it. */
struct line {
	struct pyd_rules *r;
	const char *file;
	unsigned int number;
	bool builtin; /* known to be right (tests/unit/test_secrets.c) */
	const char *start, *at, *end;
};

static enum pyd_code bad(const struct line *l, const char *where,
			 struct pyd_err *err, const char *what)
{
	return pyd_err_set(err, PYD_USAGE, "%.200s:%u:%u: %.200s", l->file,
			   l->number, (unsigned int)(where - l->start) + 1,
			   what);
}

/* The next word; its length is 0 at the end of the line. */
static const char *word(struct line *l, size_t *ret_len)
{
	const char *start;

	while (l->at < l->end && isspace((unsigned char)*l->at))
		l->at++;
	start = l->at;
	while (l->at < l->end && !isspace((unsigned char)*l->at))
		l->at++;
	*ret_len = (size_t)(l->at - start);
	return start;
}

/* What is left of the line. */
static const char *rest(struct line *l, size_t *ret_len)
{
	const char *end = l->end;

	while (l->at < l->end && isspace((unsigned char)*l->at))
		l->at++;
	while (end > l->at && isspace((unsigned char)end[-1]))
		end--;
	*ret_len = (size_t)(end - l->at);
	return l->at;
}

/* A new last element for a list of pointers. */
static enum pyd_code append(void *list, size_t *n, void *element,
			    const struct line *l, struct pyd_err *err)
{
	void **v, ***at = list;

	if (!element)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for rules");
	if (*n >= ENTRIES_MAX)
		return bad(l, l->at, err, "too many entries");
	v = reallocarray(*at, *n + 1, sizeof(*v));
	if (!v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for rules");
	*at = v;
	v[(*n)++] = element;
	return PYD_OK;
}

/* What a user's file has is compiled at once: what is wrong is said now. */
static enum pyd_code check(const struct line *l, struct pyd_regex *x,
			   uint32_t options, const char *where,
			   struct pyd_err *err)
{
	struct pyd_err why;
	size_t at;

	if (l->builtin || !pyd_regex_compile(x, options, &at, &why))
		return PYD_OK;
	return bad(l, where + at, err, why.msg);
}

static void about_code(struct pyd_pattern *p)
{
	p->group = pcre2_substring_number_from_name(p->regex.code,
						    (PCRE2_SPTR) "secret");
	if (p->group < 0)
		p->group = 0;
	pcre2_pattern_info(p->regex.code, PCRE2_INFO_MINLENGTH, &p->min_len);
}

enum pyd_code pyd_pattern_compile(struct pyd_pattern *p, struct pyd_err *err)
{
	enum pyd_code code;

	if (p->regex.fast)
		return PYD_OK;
	code = pyd_regex_ready(&p->regex, PYD_REGEX_INSIDE, err);
	if (!code)
		about_code(p);
	return code;
}

static enum pyd_code add_literals(struct line *l, size_t pattern,
				  const char *text, size_t len,
				  struct pyd_err *err)
{
	struct pyd_rules *r = l->r;
	char *own = strndup(text, len);
	size_t at = 0;

	if (!own)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for rules");
	r->literal_texts[pattern] = own;
	while (at <= len) {
		size_t n = strcspn(own + at, ",");
		struct pyd_literal *v;

		if (n < LITERAL_MIN)
			return bad(l, text + at, err,
				   "a literal has three characters or more; "
				   "'-' stands for none");
		v = reallocarray(r->literals, r->nliterals + 1, sizeof(*v));
		if (!v)
			return pyd_err_set(err, PYD_NOMEM,
					   "out of memory for rules");
		r->literals = v;
		for (size_t i = at; i < at + n; i++)
			own[i] = (char)tolower((unsigned char)own[i]);
		v[r->nliterals++] = (struct pyd_literal) { .text = own + at,
							   .len = n,
							   .pattern = pattern };
		at += n + 1;
	}
	return PYD_OK;
}

static enum pyd_code parse_pattern(struct line *l, struct pyd_err *err)
{
	struct pyd_rules *r = l->r;
	size_t id_len, lit_len, len;
	const char *id = word(l, &id_len), *lit = word(l, &lit_len);
	const char *regex = rest(l, &len);
	struct pyd_pattern p = { 0 }, *v;
	enum pyd_code code;

	if (!len)
		return bad(l, l->end, err,
			   "pattern takes an id, literals and an expression");
	if (r->npatterns == PYD_PATTERNS_MAX)
		return bad(l, id, err, "too many patterns");
	for (size_t i = 0; i < id_len; i++)
		if (!isalnum((unsigned char)id[i]) && id[i] != '-')
			return bad(l, id + i, err,
				   "an id is letters, digits and '-'");
	for (size_t i = 0; i < pyd_rules_count(r); i++)
		if (pyd_rules_is(id, id_len, pyd_rules_id(r, i)))
			return bad(l, id, err, "this id is taken");
	code = pyd_regex_init(&p.regex, regex, len, err);
	if (code)
		return code;
	code = check(l, &p.regex, PYD_REGEX_INSIDE, regex, err);
	if (!code && !l->builtin) {
		about_code(&p);
		/* It would match between any two characters. */
		if (!p.min_len)
			code = bad(l, regex, err,
				   "the expression matches an empty text");
	}
	if (code) {
		pyd_regex_deinit(&p.regex);
		return code;
	}
	p.anywhere = pyd_rules_is(lit, lit_len, "-");
	p.id = strndup(id, id_len);
	v = reallocarray(r->patterns, r->npatterns + 1, sizeof(*v));
	if (v)
		r->patterns = v;
	if (!v || !p.id) {
		pyd_regex_deinit(&p.regex);
		free(p.id);
		return pyd_err_set(err, PYD_NOMEM, "out of memory for rules");
	}
	v[r->npatterns++] = p;
	if (p.anywhere)
		return PYD_OK;
	return add_literals(l, r->npatterns - 1, lit, lit_len, err);
}

static enum pyd_code parse_allow(struct line *l, struct pyd_err *err)
{
	struct pyd_rules *r = l->r;
	size_t len;
	const char *regex = rest(l, &len);
	struct pyd_regex x = { 0 }, *v;
	enum pyd_code code;

	if (!len)
		return bad(l, l->end, err, "allow takes an expression");
	if (r->nallow >= ENTRIES_MAX)
		return bad(l, l->at, err, "too many entries");
	code = pyd_regex_init(&x, regex, len, err);
	if (!code)
		code = check(l, &x, PYD_REGEX_WHOLE, regex, err);
	if (code) {
		pyd_regex_deinit(&x);
		return code;
	}
	v = reallocarray(r->allow, r->nallow + 1, sizeof(*v));
	if (!v) {
		pyd_regex_deinit(&x);
		return pyd_err_set(err, PYD_NOMEM, "out of memory for rules");
	}
	r->allow = v;
	v[r->nallow++] = x;
	return PYD_OK;
}

static enum pyd_code parse_env(struct line *l, struct pyd_err *err)
{
	struct pyd_rules *r = l->r;
	size_t len;
	const char *name = word(l, &len);

	if (!len)
		return bad(l, l->end, err, "env takes names of variables");
	for (; len; name = word(l, &len)) {
		char *own = strndup(name, len);
		enum pyd_code code = append(&r->env, &r->nenv, own, l, err);

		if (code) {
			free(own);
			return code;
		}
	}
	return PYD_OK;
}

static enum pyd_code parse_names(struct line *l, enum pyd_names_list list,
				 struct pyd_err *err)
{
	size_t len;
	const char *entry = word(l, &len);

	if (!len)
		return bad(l, l->end, err, "a word is missing");
	for (; len; entry = word(l, &len)) {
		struct pyd_err why = { 0 };
		enum pyd_code code =
			pyd_names_add(&l->r->names, list, entry, len, &why);

		if (code == PYD_USAGE)
			return bad(l, entry, err, why.msg);
		if (code) {
			*err = why;
			return code;
		}
	}
	return PYD_OK;
}

static enum pyd_code parse_off(struct line *l, struct pyd_err *err)
{
	struct pyd_rules *r = l->r;
	size_t len, i;
	const char *id = word(l, &len);

	if (!len)
		return bad(l, l->end, err, "off takes ids of rules");
	for (; len; id = word(l, &len)) {
		for (i = 0; i < pyd_rules_count(r); i++)
			if (pyd_rules_is(id, len, pyd_rules_id(r, i)))
				break;
		if (i == pyd_rules_count(r))
			return bad(l, id, err, "no rule has this id");
		if (i < PYD_RULE_PATTERNS)
			r->off[i] = true;
		else
			r->patterns[i - PYD_RULE_PATTERNS].off = true;
	}
	return PYD_OK;
}

static void forget_patterns(struct pyd_rules *r)
{
	for (size_t i = 0; i < r->npatterns; i++) {
		pyd_regex_deinit(&r->patterns[i].regex);
		free(r->patterns[i].id);
		free(r->literal_texts[i]);
		r->literal_texts[i] = NULL;
	}
	free(r->patterns);
	free(r->literals);
	r->patterns = NULL;
	r->literals = NULL;
	r->npatterns = r->nliterals = 0;
}

static void forget_allow(struct pyd_rules *r)
{
	for (size_t i = 0; i < r->nallow; i++)
		pyd_regex_deinit(&r->allow[i]);
	free(r->allow);
	r->allow = NULL;
	r->nallow = 0;
}

static void forget_texts(char ***texts, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		free((*texts)[i]);
	free(*texts);
	*texts = NULL;
	*n = 0;
}

static enum pyd_code parse_forget(struct line *l, struct pyd_err *err)
{
	struct pyd_rules *r = l->r;
	size_t len;
	const char *what = word(l, &len);

	if (!len)
		return bad(l, l->end, err,
			   "forget takes names, patterns, allow or env");
	for (; len; what = word(l, &len)) {
		if (pyd_rules_is(what, len, "names")) {
			pyd_names_deinit(&r->names);
			r->names = (struct pyd_names) { 0 };
		} else if (pyd_rules_is(what, len, "patterns")) {
			forget_patterns(r);
		} else if (pyd_rules_is(what, len, "allow")) {
			forget_allow(r);
		} else if (pyd_rules_is(what, len, "env")) {
			forget_texts(&r->env, &r->nenv);
		} else {
			return bad(l, what, err,
				   "forget takes names, patterns, allow or "
				   "env");
		}
	}
	return PYD_OK;
}

static enum pyd_code parse_line(struct line *l, struct pyd_err *err)
{
	size_t len;
	const char *what = word(l, &len);

	if (!len || *what == '#')
		return PYD_OK;
	if (pyd_rules_is(what, len, "name"))
		return parse_names(l, PYD_NAMES_SECRET, err);
	if (pyd_rules_is(what, len, "maybe"))
		return parse_names(l, PYD_NAMES_MAYBE, err);
	if (pyd_rules_is(what, len, "tail"))
		return parse_names(l, PYD_NAMES_TAIL, err);
	if (pyd_rules_is(what, len, "noname"))
		return parse_names(l, PYD_NAMES_NONAME, err);
	if (pyd_rules_is(what, len, "pattern"))
		return parse_pattern(l, err);
	if (pyd_rules_is(what, len, "allow"))
		return parse_allow(l, err);
	if (pyd_rules_is(what, len, "env"))
		return parse_env(l, err);
	if (pyd_rules_is(what, len, "off"))
		return parse_off(l, err);
	if (pyd_rules_is(what, len, "forget"))
		return parse_forget(l, err);
	return bad(l, what, err,
		   "none of name, maybe, tail, noname, pattern, allow, env, "
		   "off, forget");
}

enum pyd_code pyd_rules_parse_as(struct pyd_rules *r, const char *name,
				 bool builtin, const char *text, size_t len,
				 struct pyd_err *err)
{
	const char *end = text + len;
	struct line l = { .r = r, .file = name, .builtin = builtin };

	for (l.start = text; l.start < end; l.start = l.end + 1) {
		const char *nl = memchr(l.start, '\n', (size_t)(end - l.start));
		const char *nul;
		enum pyd_code code;

		l.number++;
		l.at = l.start;
		l.end = nl ? nl : end;
		nul = memchr(l.start, 0, (size_t)(l.end - l.start));
		if (nul)
			return bad(&l, nul, err, "a NUL is no text");
		code = parse_line(&l, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

enum pyd_code pyd_rules_parse(struct pyd_rules *r, const char *name,
			      const char *text, size_t len, struct pyd_err *err)
{
	return pyd_rules_parse_as(r, name, false, text, len, err);
}

void pyd_rules_forget(struct pyd_rules *r)
{
	forget_patterns(r);
	forget_allow(r);
	forget_texts(&r->env, &r->nenv);
}
