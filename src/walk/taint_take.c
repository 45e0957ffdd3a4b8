// SPDX-License-Identifier: Apache-2.0
/* What was noted under a secret's name is taken for one, or is not. */
#include <ctype.h>
#include <stdio.h>

#include "walk/redact_state.h"

enum {
	ARGS_MAX = 1 << 12, /* of a command */
	KNOWN_MIN = 6, /* of what is a secret by its container's name alone */
};

/* What a program calls something. */
static bool is_identifier(const uint8_t *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalpha(s[i]) && s[i] != '_')
			return false;
	return true;
}

/* "sha256", "iso-8859-1" */
static bool is_name_and_number(const uint8_t *s, size_t n)
{
	size_t i = 0;

	while (i < n && isalpha(s[i]))
		i++;
	while (i < n &&
	       (isdigit(s[i]) || s[i] == '-' || s[i] == '_' || s[i] == '.'))
		i++;
	return i == n;
}

/* What take_text() finds out of one that is read in pieces. */
static enum pyd_code is_long_secret(struct pyd_redact *rd, unsigned int class,
				    struct pyd_pieces_kind *kind, bool *ret,
				    struct pyd_err *err)
{
	enum pyd_code code;

	*ret = class == PYD_CLASS_ENV;
	if (class == PYD_CLASS_ARGV || class == PYD_CLASS_ENV)
		return PYD_OK;
	code = pyd_redact_kind_long(&rd->node, kind, err);
	if (code)
		return code;
	if (class == PYD_CLASS_CONSTANT)
		*ret = !kind->name_number &&
		       pyd_pieces_is_value(kind, PYD_CLASS_MAYBE);
	else if (class == PYD_CLASS_PAIR)
		*ret = !kind->identifier &&
		       pyd_pieces_is_value(kind, PYD_CLASS_SECRET);
	else
		*ret = pyd_pieces_is_value(kind, (enum pyd_name_class) class);
	return PYD_OK;
}

static bool is_secret(const struct pyd_redact *rd, unsigned int class,
		      const uint8_t *s, size_t len)
{
	/* Strings and bytes of one character are shared by all. */
	if (class == PYD_CLASS_ARGV)
		return false; /* its arguments would be: it is no list */
	if (class == PYD_CLASS_ENV)
		return len > 1;
	if (class == PYD_CLASS_CONSTANT)
		return len >= 8 && !is_name_and_number(s, len) &&
		       pyd_rules_is_value(rd->rules, PYD_CLASS_MAYBE, s, len);
	if (class == PYD_CLASS_PAIR)
		return !is_identifier(s, len) &&
		       pyd_rules_is_value(rd->rules, PYD_CLASS_SECRET, s, len);
	return pyd_rules_is_value(rd->rules, (enum pyd_name_class) class, s,
				  len);
}

static enum pyd_code take_text(struct pyd_redact *rd, unsigned int rule,
			       unsigned int class, unsigned int depth,
			       struct pyd_err *err)
{
	struct pyd_node *n = &rd->node;
	size_t len = n->text.raw ? n->text.raw : pyd_redact_own(n);
	struct pyd_pieces_kind kind = { 0 };
	enum pyd_code code = PYD_OK;
	uint64_t found;
	bool secret = false;

	if (n->text.raw)
		code = is_long_secret(rd, class, &kind, &secret, err);
	else
		secret = is_secret(rd, class, n->value.data, len);
	if (code || !secret)
		return code;
	if (!pyd_map_get(&rd->taint, n->addr, &found) ||
	    found & PYD_REDACT_LOOK || found - 1 == PYD_RULE_ENV) {
		code = pyd_map_put(&rd->taint, n->addr, rule + 1, err);
		if (code)
			return code;
	}
	if (class == PYD_CLASS_ENV || (depth && len < KNOWN_MIN) ||
	    n->mark == PYD_MARK_TRUNCATED)
		return PYD_OK;
	if (n->text.raw)
		return pyd_redact_know_long(rd, n, &kind, err);
	return pyd_known_add(&rd->known, n->value.data, len, err);
}

/* Values of options among the arguments of a command, in rd->items. */
static enum pyd_code take_args(struct pyd_redact *rd, struct pyd_reader *r,
			       struct pyd_err *err)
{
	enum pyd_name_class class = PYD_CLASS_PLAIN;
	size_t n = rd->items.len < ARGS_MAX ? rd->items.len : ARGS_MAX;

	for (size_t i = 0; i < n; i++) {
		bool is, option;
		enum pyd_code code = pyd_redact_short(rd, r, rd->items.data[i],
						      &rd->text, &is, err);
		size_t skip = 0;

		if (code)
			return code;
		option = is && rd->text.len > 1 && rd->text.data[0] == '-';
		if (class && !option) {
			code = pyd_redact_note(rd, rd->items.data[i],
					       PYD_RULE_ARGV, class, 0, err);
			if (code)
				return code;
		}
		class = PYD_CLASS_PLAIN;
		if (!option)
			continue;
		while (skip < rd->text.len && rd->text.data[skip] == '-')
			skip++;
		class = pyd_match_name(&rd->matcher, rd->text.data + skip,
				       rd->text.len - skip);
		if (class == PYD_CLASS_ARGV)
			class = PYD_CLASS_PLAIN;
	}
	return PYD_OK;
}

static enum pyd_code take_environ(struct pyd_redact *rd, struct pyd_reader *r,
				  struct pyd_err *err)
{
	for (size_t i = 0; i + 1 < rd->items.len; i += 2) {
		char name[PYD_REDACT_NAME_BYTES + 1];
		bool is;
		enum pyd_code code = pyd_redact_short(rd, r, rd->items.data[i],
						      &rd->text, &is, err);

		if (code)
			return code;
		if (is) {
			snprintf(name, sizeof(name), "%.*s", (int)rd->text.len,
				 (const char *)rd->text.data);
			if (pyd_rules_allow_env(rd->rules, name))
				continue;
		}
		code = pyd_redact_note(rd, rd->items.data[i + 1], PYD_RULE_ENV,
				       PYD_CLASS_ENV, 0, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* Notes every step-th reference in rd->items from first on. */
static enum pyd_code note_items(struct pyd_redact *rd, size_t first,
				size_t step, unsigned int rule,
				unsigned int class, unsigned int depth,
				struct pyd_err *err)
{
	for (size_t i = first; i < rd->items.len; i += step) {
		enum pyd_code code =
			pyd_redact_note(rd, rd->items.data[i],
					(enum pyd_rule)rule, class, depth, err);

		if (code)
			return code;
	}
	return PYD_OK;
}

static enum pyd_code take_one(struct pyd_redact *rd, struct pyd_reader *r,
			      pyd_addr addr, unsigned int rule,
			      unsigned int class, unsigned int depth,
			      struct pyd_err *err)
{
	struct pyd_node *n = &rd->node;
	struct pyd_err why = { 0 };
	enum pyd_code code;

	r->whole = true;
	r->long_min = rd->long_min;
	code = pyd_read_node(r, addr, n, &why);
	r->whole = false;
	r->long_min = 0;
	if (code)
		return pyd_redact_only_fatal(code, &why, err);
	if (pyd_redact_is_text(n->kind))
		return take_text(rd, rule, class, depth, err);
	if (depth >= PYD_REDACT_DEPTH || class == PYD_CLASS_ENV)
		return PYD_OK;
	pyd_vec_clear(&rd->items);
	for (size_t i = 0; i < n->refs.len && !code; i++)
		code = pyd_vec_push(&rd->items, n->refs.data[i], err);
	if (code)
		return code;
	switch (n->kind) {
	case PYD_KIND_list:
	case PYD_KIND_tuple:
		if (class == PYD_CLASS_ARGV)
			return take_args(rd, r, err);
		return note_items(rd, 0, 1, rule, class, depth + 1, err);
	case PYD_KIND_set:
	case PYD_KIND_frozenset:
		return note_items(rd, 0, 1, rule, class, depth + 1, err);
	case PYD_KIND_dict:
	case PYD_KIND_mapping:
		if (class == PYD_CLASS_ENVIRON)
			return take_environ(rd, r, err);
		return note_items(rd, 1, 2, rule, class, depth + 1, err);
	case PYD_KIND_cell:
		/* As near as what is in a variable. */
		return note_items(rd, 0, 1, rule, class, depth, err);
	case PYD_KIND_record:
		/* memoryview, StringIO, deque, array: what it holds. */
		for (size_t i = 0; i < n->attrs.len && !code; i++)
			if (n->names[i].origin == PYD_ORIGIN_FIELD)
				code = pyd_vec_push(&rd->items,
						    n->attrs.data[i], err);
		if (!code)
			code = pyd_map_put(&rd->taint, addr, rule + 1, err);
		return code ? code
			    : note_items(rd, 0, 1, rule, class, depth + 1, err);
	default:
		return PYD_OK;
	}
}

size_t pyd_redact_found(const struct pyd_redact *rd)
{
	return rd->todo.len;
}

enum pyd_code pyd_redact_take(struct pyd_redact *rd, struct pyd_reader *r,
			      size_t from, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	/* The list grows while we go. */
	for (size_t i = from; i + 1 < rd->todo.len && !code; i += 2) {
		uint64_t what = rd->todo.data[i + 1];

		code = take_one(rd, r, rd->todo.data[i],
				(unsigned int)(what & 0xffff),
				(unsigned int)(what >> 16 & 0xffff),
				(unsigned int)(what >> 32), err);
	}
	return code;
}

enum pyd_code pyd_redact_collect(struct pyd_redact *rd, struct pyd_reader *r,
				 const struct pyd_runtime *rt,
				 struct pyd_err *err)
{
	enum pyd_code code = pyd_redact_environ(rd, r, rt, err);

	if (!code)
		code = pyd_redact_defaults(rd, r, err);
	return code ? code : pyd_redact_take(rd, r, 0, err);
}
