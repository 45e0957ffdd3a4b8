/* SPDX-License-Identifier: Apache-2.0 */
/* What parsing rules (rules_parse.c) and having them (rules.c) share. */
#ifndef PYD_SECRETS_RULES_PRIVATE_H
#define PYD_SECRETS_RULES_PRIVATE_H

#include <string.h>

#include "secrets/rules.h"

/* As pyd_rules_parse(); builtin: the expressions are known to be right, and
 * are compiled when they are needed. */
PYD_MUST_CHECK enum pyd_code pyd_rules_parse_as(struct pyd_rules *r,
						const char *name, bool builtin,
						const char *text, size_t len,
						struct pyd_err *err);
/* Frees all that parsing made, but for the names. */
void pyd_rules_forget(struct pyd_rules *r);
/* True when s, len bytes, is that text. */
static inline bool pyd_rules_is(const char *s, size_t len, const char *text)
{
	return len == strlen(text) && !memcmp(s, text, len);
}

#endif
