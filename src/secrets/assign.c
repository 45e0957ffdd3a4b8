// SPDX-License-Identifier: Apache-2.0
/* "name = value" in texts and sources: a secret's name in front of a value. */
#include <ctype.h>
#include <string.h>

#include "secrets/match.h"

enum {
	NAME_MAX_BYTES = 64,
	BACK_MAX = 120,	   /* of an annotation between name and value */
	VALUE_MAX = 16384, /* of a value in a text */
	KEY_MIN = 6,	   /* of one without quotes */
	KEY_LOOK = 512,	   /* characters of it that are looked at */
	OPERATOR_MAX = 3,  /* of "=", ":=", "===" without the last one */
};

enum pyd_name_class pyd_match_name(struct pyd_matcher *m, const uint8_t *s,
				   size_t n)
{
	uint64_t h = 0xcbf29ce484222325ULL;
	enum pyd_name_class c;
	size_t slot;

	if (!n || n > NAME_MAX_BYTES)
		return PYD_CLASS_PLAIN;
	for (size_t i = 0; i < n; i++)
		h = (h ^ s[i]) * 0x100000001b3ULL;
	h |= 1;
	slot = h >> 20 & (PYD_MATCH_NAMES - 1);
	if (m->names[slot].hash == h)
		return (enum pyd_name_class)m->names[slot].class;
	c = pyd_rules_class(m->rules, (const char *)s, n);
	m->names[slot].hash = h;
	m->names[slot].class = (uint8_t)c;
	return c;
}

static bool is_name(uint8_t c)
{
	return isalnum(c) || c == '_' || c == '-';
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool is_quote(uint8_t c)
{
	return c == '"' || c == '\'';
}

/* The name that ends in front of s[at], after what may stand between: blanks,
 * a quote, brackets. */
static enum pyd_name_class name_before(struct pyd_matcher *m, const uint8_t *s,
				       size_t at)
{
	size_t low = at > BACK_MAX ? at - BACK_MAX : 0;
	size_t from, end;

	while (at > low && is_blank(s[at - 1]))
		at--;
	/* JSON in a string has \" for a quote. */
	for (int i = 0; i < 4 && at; i++)
		if (is_quote(s[at - 1]) || s[at - 1] == ']' ||
		    s[at - 1] == ')' || s[at - 1] == '\\')
			at--;
	end = at;
	while (at && is_name(s[at - 1]) && end - at < NAME_MAX_BYTES)
		at--;
	from = at;
	while (from < end && s[from] == '-')
		from++;
	return pyd_match_name(m, s + from, end - from);
}

/* "name: annotation =": the name in front of the colon. */
static enum pyd_name_class annotated(struct pyd_matcher *m, const uint8_t *s,
				     size_t at)
{
	size_t low = at > BACK_MAX ? at - BACK_MAX : 0;

	while (at > low) {
		uint8_t c = s[--at];

		if (c == ':')
			return name_before(m, s, at);
		if (!isalnum(c) && !strchr("_[], .|\"'", c))
			return PYD_CLASS_PLAIN;
		if (!c)
			return PYD_CLASS_PLAIN;
	}
	return PYD_CLASS_PLAIN;
}

/* ("name", "value"), getenv("NAME", "value"), ["--name", "value"]: the name in
 * front of the comma. Lists of names are none. */
static enum pyd_name_class pair_name(struct pyd_matcher *m, const uint8_t *s,
				     size_t at)
{
	size_t low = at > BACK_MAX ? at - BACK_MAX : 0;
	size_t from;

	while (at > low && is_blank(s[at - 1]))
		at--;
	if (!at || !is_quote(s[at - 1]))
		return PYD_CLASS_PLAIN;
	for (from = at - 1; from && is_name(s[from - 1]); from--)
		if (at - from > NAME_MAX_BYTES)
			return PYD_CLASS_PLAIN;
	if (!from || s[from - 1] != s[at - 1])
		return PYD_CLASS_PLAIN;
	if (s[from] != '-') {
		size_t before = from - 1;

		low = before > BACK_MAX ? before - BACK_MAX : 0;
		while (before > low && isspace(s[before - 1]))
			before--;
		if (before && (s[before - 1] == 'b' || s[before - 1] == 'B'))
			before--;
		if (!before || (s[before - 1] != '(' && s[before - 1] != '['))
			return PYD_CLASS_PLAIN;
	}
	while (from < at && s[from] == '-')
		from++;
	return pyd_match_name(m, s + from, at - 1 - from);
}

/* After a comma, words are more names. */
static bool is_word(const uint8_t *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalpha(s[i]) && s[i] != '_' && s[i] != ' ')
			return false;
	return true;
}

/* The class of the name in front of the separator at s[at]; plain when there
 * is none. */
static enum pyd_name_class name_at(struct pyd_matcher *m, const uint8_t *s,
				   size_t at)
{
	enum pyd_name_class c;
	size_t i = at;

	switch (s[at]) {
	case '=':
		/* "==", "!=", ":=" */
		while (i && at - i < OPERATOR_MAX &&
		       (s[i - 1] == '=' || s[i - 1] == '!' || s[i - 1] == ':'))
			i--;
		c = name_before(m, s, i);
		return c ? c : annotated(m, s, i);
	case ',':
		return pair_name(m, s, i);
	default:
		return name_before(m, s, i);
	}
}

/* -- values -- */

/* A value without quotes: what a person would not take for prose or code. */
static bool is_key(const uint8_t *s, size_t n)
{
	bool digit = false, mark = false, letter = false;

	if (n < KEY_MIN)
		return false;
	if (n > KEY_LOOK)
		n = KEY_LOOK;
	for (size_t i = 0; i < n; i++) {
		digit |= isdigit(s[i]) != 0;
		letter |= isalpha(s[i]) != 0;
		mark |= strchr("!@#^*+~?&", s[i]) != NULL;
	}
	return (digit && letter) || (digit && mark) || (letter && mark) ||
	       (digit && n >= 12);
}

static size_t bare_end(const uint8_t *s, size_t n, size_t at)
{
	while (at < n && s[at] > ' ' && s[at] != 0x7f &&
	       !strchr(",;&\"'<>()[]{}|\\`", s[at]))
		at++;
	return at;
}

static enum pyd_code quoted(struct pyd_matcher *m, enum pyd_name_class c,
			    bool words, const uint8_t *s, size_t n, size_t at,
			    struct pyd_spans *out, struct pyd_err *err)
{
	uint8_t q = s[at - 1];
	size_t end = at;
	size_t last = n - at > VALUE_MAX ? at + VALUE_MAX : n;

	while (end < last && s[end] != q && s[end] != '\n')
		end += s[end] == '\\' && end + 1 < last && s[end + 1] != q ? 2
									   : 1;
	if (end > last)
		end = last;
	/* \" closes what \" began. */
	if (end > at && end < n && s[end - 1] == '\\' && at >= 2 &&
	    s[at - 2] == '\\')
		end--;
	if (end - at < 4 || (words && is_word(s + at, end - at)) ||
	    !pyd_rules_is_value(m->rules, c, s + at, end - at))
		return PYD_OK;
	return pyd_spans_add(out, at, end - at, PYD_RULE_ASSIGNMENT, err);
}

enum pyd_code pyd_assign_at(struct pyd_matcher *m, const uint8_t *s, size_t n,
			    size_t at, struct pyd_spans *out,
			    struct pyd_err *err)
{
	enum pyd_name_class c;
	uint8_t sep = s[at];
	size_t from = at + 1, end;

	if (sep == ' ') {
		/* "--password value" */
		size_t name = at;

		while (name && is_name(s[name - 1]) &&
		       at - name < NAME_MAX_BYTES)
			name--;
		if (at - name < 4 || s[name] != '-' || s[name + 1] != '-' ||
		    (name && s[name - 1] > ' ' && !is_quote(s[name - 1])))
			return PYD_OK;
		c = pyd_match_name(m, s + name + 2, at - name - 2);
	} else if (sep == '>') {
		/* <password>value</password> */
		size_t name = at;

		while (name && is_name(s[name - 1]) &&
		       at - name < NAME_MAX_BYTES)
			name--;
		if (!name || s[name - 1] != '<')
			return PYD_OK;
		c = pyd_match_name(m, s + name, at - name);
	} else {
		/* Nearly all that is met here ends at this look. */
		if (!at || (sep == ',' && !is_quote(s[at - 1])))
			return PYD_OK;
		c = name_at(m, s, at);
	}
	if (c != PYD_CLASS_SECRET && c != PYD_CLASS_MAYBE)
		return PYD_OK;
	while (from < n && from - at < BACK_MAX &&
	       (is_blank(s[from]) || s[from] == '=' ||
		(s[from] == '>' && sep == '=')))
		from++;
	while (from < n && (s[from] == '\\' || s[from] == '(') && from < at + 4)
		from++;
	/* b"...", rb"..." */
	for (size_t i = from; i < n && i <= from + 2; i++) {
		if (is_quote(s[i]))
			return quoted(m, c, sep == ',', s, n, i + 1, out, err);
		if (!strchr("bBrRuUfF", s[i]) || !s[i])
			break;
	}
	if (sep == ',')
		return PYD_OK;
	/* What ends one value ends those that begin inside of it. */
	if (m->bare != s || from < m->bare_from || from >= m->bare_end ||
	    (m->bare_end - m->bare_from == VALUE_MAX &&
	     m->bare_end - from < VALUE_MAX / 2)) {
		m->bare = s;
		m->bare_from = from;
		m->bare_end = bare_end(
			s, n - from > VALUE_MAX ? from + VALUE_MAX : n, from);
	}
	end = m->bare_end;
	/* A call, an item or an attribute is code. */
	if (end < n && (s[end] == '(' || s[end] == '['))
		return PYD_OK;
	while (end > from && (s[end - 1] == '.' || s[end - 1] == ':'))
		end--;
	if (from == end || !is_key(s + from, end - from) ||
	    !pyd_rules_is_value(m->rules, c, s + from, end - from))
		return PYD_OK;
	return pyd_spans_add(out, from, end - from, PYD_RULE_ASSIGNMENT, err);
}

/* -- sources -- */

/* The end of the string literal whose first quote is at s[at]; *ret_open is
 * how many quotes it begins with. */
static size_t literal_end(const uint8_t *s, size_t n, size_t at,
			  size_t *ret_open)
{
	uint8_t q = s[at];
	bool triple = at + 2 < n && s[at + 1] == q && s[at + 2] == q;
	size_t i = at + (triple ? 3 : 1);

	/* A backslash keeps a quote from ending a raw literal too. */
	*ret_open = triple ? 3 : 1;
	for (; i < n; i++) {
		if (s[i] == '\\') {
			i++;
			continue;
		}
		if (!triple && (s[i] == q || s[i] == '\n'))
			return i;
		if (triple && s[i] == q && i + 2 < n && s[i + 1] == q &&
		    s[i + 2] == q)
			return i;
	}
	return n;
}

/* Spans of a part of the text become spans of the text. */
static void shift(struct pyd_spans *s, size_t first, size_t by)
{
	for (size_t i = first; i < s->n; i++)
		s->v[i].at += by;
}

/* The class of the name that a literal starting at s[at] (with its prefix) is
 * given to. */
static enum pyd_name_class given_to(struct pyd_matcher *m, const uint8_t *s,
				    size_t at, bool *ret_pair)
{
	*ret_pair = false;
	while (at && (is_blank(s[at - 1]) || s[at - 1] == '(' ||
		      s[at - 1] == '\n' || s[at - 1] == '\\'))
		/* credentials = ("user", "password") */
		*ret_pair |= s[--at] == '(';
	if (!at)
		return PYD_CLASS_PLAIN;
	switch (s[at - 1]) {
	case ',':
		*ret_pair = true;
		return pair_name(m, s, at - 1);
	case '=':
	case ':':
		return name_at(m, s, at - 1);
	default:
		return PYD_CLASS_PLAIN;
	}
}

/* Nothing that ends an expression. */
static bool is_gap(const uint8_t *s, size_t from, size_t to)
{
	for (; from < to; from++)
		if (!isspace(s[from]) && s[from] != '\\')
			return false;
	return true;
}

enum pyd_code pyd_match_source(struct pyd_matcher *m, const uint8_t *s,
			       size_t n, struct pyd_spans *out,
			       struct pyd_err *err)
{
	bool assign = !m->rules->off[PYD_RULE_ASSIGNMENT];
	enum pyd_name_class last = PYD_CLASS_PLAIN;
	size_t last_end = 0;
	enum pyd_code code = pyd_match(m, s, n, PYD_MATCH_PATTERNS, out, err);

	for (size_t i = 0; i < n && !code;) {
		size_t start = i, end, open, from = out->n;
		enum pyd_name_class c;
		bool joined, pair = false;

		if (s[i] == '#') {
			const uint8_t *nl = memchr(s + i, '\n', n - i);

			end = nl ? (size_t)(nl - s) : n;
			code = pyd_match(m, s + i, end - i,
					 PYD_MATCH_ASSIGNMENTS, out, err);
			shift(out, from, i);
			if (last_end && is_gap(s, last_end, i))
				last_end = end;
			i = end;
			continue;
		}
		if (!is_quote(s[i])) {
			i++;
			continue;
		}
		while (start && i - start < 2 && isalpha(s[start - 1]))
			start--;
		end = literal_end(s, n, i, &open);
		/* Literals that follow one another are one. */
		joined = last_end && is_gap(s, last_end, start);
		c = joined ? last : given_to(m, s, start, &pair);
		i = end - i > open ? i + open : end;
		if (assign && end - i >= 2 &&
		    !(pair && is_word(s + i, end - i)) &&
		    pyd_rules_is_value(m->rules, c, s + i, end - i)) {
			code = pyd_spans_add(out, i, end - i,
					     PYD_RULE_ASSIGNMENT, err);
		} else {
			code = pyd_match(m, s + i, end - i,
					 PYD_MATCH_ASSIGNMENTS, out, err);
			shift(out, from, i);
		}
		i = n - end > open ? end + open : n;
		last = c;
		last_end = i;
	}
	return code;
}
