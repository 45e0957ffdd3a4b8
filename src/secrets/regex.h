/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An expression of the rules. Built-in ones are compiled when there is a text
 * to try them on: few of them have one in a small program.
 */
#ifndef PYD_SECRETS_REGEX_H
#define PYD_SECRETS_REGEX_H

#include <stdbool.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/err.h"

#define PYD_REGEX_INSIDE PCRE2_USE_OFFSET_LIMIT
#define PYD_REGEX_WHOLE (PCRE2_ANCHORED | PCRE2_ENDANCHORED)

struct pyd_regex {
	char *text;
	pcre2_code *code; /* NULL: not compiled yet */
	bool fast;	  /* compiled to machine code, as far as that can be */
};

/* A copy of the text, not compiled. PYD_NOMEM. */
PYD_MUST_CHECK enum pyd_code pyd_regex_init(struct pyd_regex *x,
					    const char *text, size_t len,
					    struct pyd_err *err);
void pyd_regex_deinit(struct pyd_regex *x);
/* Compiles it. PYD_USAGE with PCRE2's message, and where in the text. */
PYD_MUST_CHECK enum pyd_code pyd_regex_compile(struct pyd_regex *x,
					       uint32_t options, size_t *ret_at,
					       struct pyd_err *err);
/* The same for one that is known to be right, before each match. PYD_NOMEM. */
PYD_MUST_CHECK enum pyd_code pyd_regex_ready(struct pyd_regex *x,
					     uint32_t options,
					     struct pyd_err *err);

#endif
