/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds secrets in a text that is too long to be in memory: it is read in
 * pieces, each with so much of what is before and behind it as anything that is
 * looked for can see, and the same is found as in the whole.
 */
#ifndef PYD_SECRETS_PIECES_H
#define PYD_SECRETS_PIECES_H

#include "base/siphash.h"
#include "secrets/match.h"

struct pyd_pieces {
	uint64_t len; /* bytes; more than a piece has */
	/* Reads n bytes from `at` on, all of which there are. */
	enum pyd_code (*read)(void *ctx, uint64_t at, uint8_t *to, size_t n,
			      struct pyd_err *err);
	void *ctx;
};

/* One piece after the other. */
struct pyd_look {
	const struct pyd_pieces *text;
	uint8_t *data;
	uint64_t base;	 /* of data[0] in the text */
	size_t n;	 /* bytes in data */
	size_t from, to; /* of these, the ones that are looked at */
	uint64_t next;
	size_t moved; /* what base was less the last time */
	bool end;     /* the text ends at `to` */
};
/* Before the first one; to be closed. */
PYD_MUST_CHECK enum pyd_code pyd_look_open(struct pyd_look *w,
					   const struct pyd_pieces *text,
					   struct pyd_err *err);
/* False in *ret: there is none any more. */
PYD_MUST_CHECK enum pyd_code pyd_look_next(struct pyd_look *w, bool *ret,
					   struct pyd_err *err);
void pyd_look_close(struct pyd_look *w);

/* As pyd_match_worth() and pyd_match(PYD_MATCH_ALL). Patterns without a literal
 * are not tried: they need the whole. */
PYD_MUST_CHECK enum pyd_code pyd_pieces_worth(const struct pyd_pieces *p,
					      bool *ret, struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_pieces_match(const struct pyd_pieces *p,
					      struct pyd_matcher *m,
					      struct pyd_spans *out,
					      struct pyd_err *err);
/* Adds len bytes from `at` on to a hash. */
PYD_MUST_CHECK enum pyd_code pyd_pieces_hash(const struct pyd_pieces *p,
					     uint64_t at, uint64_t len,
					     struct pyd_siphash_state *hash,
					     struct pyd_err *err);

/* What all of a text is made of. */
struct pyd_pieces_kind {
	bool key;	  /* what a key may have */
	bool path;	  /* it is the name of a file */
	bool identifier;  /* letters and "_" */
	bool name_number; /* letters, then digits, ".", "_" and "-" */
	bool words;	  /* letters, "_" and dots, and not one at the begin */
};
PYD_MUST_CHECK enum pyd_code pyd_pieces_kind(const struct pyd_pieces *p,
					     struct pyd_pieces_kind *ret,
					     struct pyd_err *err);
/* As pyd_rules_is_value(), for a text of that kind. */
bool pyd_pieces_is_value(const struct pyd_pieces_kind *kind,
			 enum pyd_name_class c);

#endif
