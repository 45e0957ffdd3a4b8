/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names whose values are secrets: words, told apart by case and punctuation.
 */
#ifndef PYD_SECRETS_NAMES_H
#define PYD_SECRETS_NAMES_H

#include "base/buf.h"
#include "base/map.h"

enum pyd_name_class {
	PYD_CLASS_PLAIN = 0,
	PYD_CLASS_MAYBE,  /* where the value looks like a key */
	PYD_CLASS_SECRET, /* always */
	PYD_CLASS_ARGV,	  /* holds arguments of a command */
};

enum pyd_names_list {
	PYD_NAMES_SECRET,
	PYD_NAMES_MAYBE,
	PYD_NAMES_TAIL,
	PYD_NAMES_NONAME,
};

struct pyd_names {
	struct pyd_map words; /* hash of joined words -> flags, by list */
	struct pyd_buf ends;  /* "flags word\0" of "*word" entries */
};

/* entry is "word", "two-words" or, for the first two lists, "*word". */
PYD_MUST_CHECK enum pyd_code pyd_names_add(struct pyd_names *s,
					   enum pyd_names_list list,
					   const char *entry, size_t len,
					   struct pyd_err *err);
enum pyd_name_class pyd_names_class(const struct pyd_names *s, const char *name,
				    size_t len);
/* True when text is such a name itself and nothing more: "db_password". */
bool pyd_names_is_name(const struct pyd_names *s, const char *text, size_t len);
void pyd_names_deinit(struct pyd_names *s);

#endif
