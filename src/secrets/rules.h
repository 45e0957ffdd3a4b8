/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is taken for a secret: patterns, names, exceptions. The built-in rules
 * stand in redact.conf, which explains the syntax; a user's files add to them.
 */
#ifndef PYD_SECRETS_RULES_H
#define PYD_SECRETS_RULES_H

#include "secrets/names.h"
#include "secrets/regex.h"

/* Rules that are no patterns; their numbers come first. */
/* clang-format off */
#define PYD_RULES(PYD_RULE) \
	PYD_RULE(NAME, "name")		 /* the value under such a name */ \
	PYD_RULE(ENV, "env")		 /* of an environment variable */ \
	PYD_RULE(ARGV, "argv")		 /* of a command's option */ \
	PYD_RULE(ASSIGNMENT, "assignment") /* name = value in a text */ \
	PYD_RULE(RANDOM, "random")	 /* a long random token */ \
	PYD_RULE(KNOWN, "known")	 /* found elsewhere by another rule */

enum pyd_rule {
#define PYD_RULE(id, name) PYD_RULE_##id,
	PYD_RULES(PYD_RULE)
#undef PYD_RULE
	PYD_RULE_PATTERNS /* the first pattern's number */
};
/* clang-format on */

enum {
	PYD_PATTERNS_MAX = 200,
	/* Steps of one match; what needs more is masked as if it matched. */
	PYD_MATCH_LIMIT = 200000,
};

struct pyd_literal {
	const char *text; /* lower case */
	size_t len;
	size_t pattern;
};

struct pyd_pattern {
	char *id;
	struct pyd_regex regex;
	bool anywhere; /* without a literal: tried on every text */
	bool off;
	/* Known once it is compiled. */
	int group; /* the part that is secret; 0: all */
	uint32_t min_len;
};

struct pyd_rules {
	struct pyd_pattern *patterns;
	size_t npatterns;
	char *literal_texts[PYD_PATTERNS_MAX]; /* owned, one a pattern */
	struct pyd_literal *literals;
	size_t nliterals;
	struct pyd_names names;
	struct pyd_regex *allow;
	size_t nallow;
	char **env;
	size_t nenv;
	bool off[PYD_RULE_PATTERNS];
	char **files; /* that were read */
	size_t nfiles;
	pcre2_match_context *context; /* for patterns: has an offset limit */
	pcre2_match_context *plain;   /* for the allow-list */
	pcre2_match_data *match;
};

/*
 * The built-in rules; then, where they exist, /etc/pydumpd/redact.conf and
 * redact.conf in $XDG_CONFIG_HOME/pydumpd or ~/.config/pydumpd; then file
 * (may be NULL). PYD_USAGE for rules that cannot be read, and with
 * "FILE:LINE:COLUMN: what" for those that do not parse.
 */
PYD_MUST_CHECK enum pyd_code pyd_rules_load(const char *file,
					    struct pyd_rules **ret,
					    struct pyd_err *err);
/* The built-in rules alone. */
PYD_MUST_CHECK enum pyd_code pyd_rules_create(struct pyd_rules **ret,
					      struct pyd_err *err);
/* Adds the rules of a text; name is used in messages. */
PYD_MUST_CHECK enum pyd_code pyd_rules_parse(struct pyd_rules *r,
					     const char *name, const char *text,
					     size_t len, struct pyd_err *err);
/* Accepts NULL. */
void pyd_rules_destroy(struct pyd_rules *r);

static inline size_t pyd_rules_count(const struct pyd_rules *r)
{
	return PYD_RULE_PATTERNS + r->npatterns;
}
/* Makes the pattern ready to match. PYD_NOMEM. */
PYD_MUST_CHECK enum pyd_code pyd_pattern_compile(struct pyd_pattern *p,
						 struct pyd_err *err);
/* "name", "github", ... */
const char *pyd_rules_id(const struct pyd_rules *r, size_t rule);
bool pyd_rules_is_on(const struct pyd_rules *r, size_t rule);

/* True when the whole value is none: empty, a word such as "required", or
 * itself a name such as "password". */
bool pyd_rules_allow(const struct pyd_rules *r, const uint8_t *s, size_t n);
/* pyd_names_class(), but for variables of the environment such as PWD. */
enum pyd_name_class pyd_rules_class(const struct pyd_rules *r, const char *name,
				    size_t n);
/* True when the variable's value may stay. */
bool pyd_rules_allow_env(const struct pyd_rules *r, const char *name);
/* Whether a value under a name of that class is to be kept out. */
bool pyd_rules_is_value(const struct pyd_rules *r, enum pyd_name_class c,
			const uint8_t *s, size_t n);

/* src/secrets/redact.conf, embedded. */
extern const char pyd_rules_builtin[];
extern const size_t pyd_rules_builtin_len;

#endif
