/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds what looks like a secret in a text by itself: patterns, random tokens,
 * "password = value". One pass; most texts are passed over by a look at their
 * bytes, eight at a time.
 */
#ifndef PYD_SECRETS_MATCH_H
#define PYD_SECRETS_MATCH_H

#include "secrets/rules.h"

struct pyd_span {
	size_t at, len;
	uint16_t rule;
};

struct pyd_spans {
	struct pyd_span *v;
	size_t n, cap;
};

PYD_MUST_CHECK enum pyd_code pyd_spans_add(struct pyd_spans *s, size_t at,
					   size_t len, size_t rule,
					   struct pyd_err *err);
/* In order, those that touch made one (the longest one's rule stays). */
void pyd_spans_merge(struct pyd_spans *s);
void pyd_spans_deinit(struct pyd_spans *s);

enum {
	PYD_MATCH_BUCKETS = 4096,
	PYD_MATCH_NAMES = 1024,
	PYD_MATCH_SPANS = 1 << 20, /* of one text */
};

struct pyd_matcher {
	struct pyd_rules *rules; /* not owned */
	/* First literal + 1 of each hash of three characters; the chain. */
	uint16_t bucket[PYD_MATCH_BUCKETS];
	uint16_t *next;
	size_t *done; /* of each pattern: searched up to here */
	bool anywhere;
	/* Classes of names met last. */
	struct {
		uint64_t hash;
		uint8_t class;
	} names[PYD_MATCH_NAMES];
	/* The last value without quotes that was met, of the text at bare
	 * (of the piece, where a text comes in pieces). */
	const uint8_t *bare;
	size_t bare_from, bare_end;
};

PYD_MUST_CHECK enum pyd_code pyd_matcher_init(struct pyd_matcher *m,
					      struct pyd_rules *rules,
					      struct pyd_err *err);
void pyd_matcher_deinit(struct pyd_matcher *m);

/* False when nothing can be found. */
bool pyd_match_worth(const struct pyd_matcher *m, const uint8_t *s, size_t n);
/* A run of token characters that is long enough to be something. */
bool pyd_match_has_run(const uint8_t *s, size_t n);
/* Begins as what comes behind an authorization's name. */
bool pyd_match_starts_so(const uint8_t *s, size_t n);
/* A character that says so among eight bytes at s. */
bool pyd_match_worth8(const uint8_t *s);
enum pyd_match_what {
	PYD_MATCH_PATTERNS = 1,
	PYD_MATCH_ASSIGNMENTS = 2,
	PYD_MATCH_ALL = 3,
};
/* Appends what is found in s, in any order. */
PYD_MUST_CHECK enum pyd_code pyd_match(struct pyd_matcher *m, const uint8_t *s,
				       size_t n, enum pyd_match_what what,
				       struct pyd_spans *out,
				       struct pyd_err *err);

/* How far a text has been looked at that comes in pieces: see pieces.h. */
struct pyd_scan {
	enum pyd_match_what what;
	size_t first;	    /* spans that were there before */
	uint32_t three;	    /* the last characters */
	size_t dash, angle; /* where the last "--" and "<" were */
	uint64_t run;	    /* token characters in front of here */
	/* Of such a run that began in a piece before: where what may be a
	 * token begins, or that there is none. */
	size_t from;
	bool far, dead;
	bool all; /* more was found than any text has: it is all of it */
};
enum {
	/* What has to be there of the text before and behind what is looked
	 * at, unless it begins or ends there: a lookbehind, a pattern's
	 * longest match. */
	PYD_SCAN_BEFORE = 68 << 10,
	PYD_SCAN_BEHIND = 68 << 10,
};
void pyd_scan_begin(struct pyd_matcher *m, struct pyd_scan *scan,
		    enum pyd_match_what what, const struct pyd_spans *out);
/* Appends what is found by looking at s[from] to s[to - 1] of a piece of n
 * bytes; places are those in the piece. end: the text ends there. */
PYD_MUST_CHECK enum pyd_code pyd_scan_piece(struct pyd_matcher *m,
					    struct pyd_scan *scan,
					    const uint8_t *s, size_t n,
					    size_t from, size_t to, bool end,
					    struct pyd_spans *out,
					    struct pyd_err *err);
/* The next piece begins so many bytes later than the last one. Both are at the
 * same place in memory. */
void pyd_scan_move(struct pyd_matcher *m, struct pyd_scan *scan, size_t by);
/* The same for source text of Python: besides the above, string literals that
 * are assigned to or passed under a secret's name. */
PYD_MUST_CHECK enum pyd_code pyd_match_source(struct pyd_matcher *m,
					      const uint8_t *s, size_t n,
					      struct pyd_spans *out,
					      struct pyd_err *err);

/* -- assign.c -- */

enum pyd_name_class pyd_match_name(struct pyd_matcher *m, const uint8_t *s,
				   size_t n);
/* A value after the separator at s[at], if it is one. */
PYD_MUST_CHECK enum pyd_code pyd_assign_at(struct pyd_matcher *m,
					   const uint8_t *s, size_t n,
					   size_t at, struct pyd_spans *out,
					   struct pyd_err *err);

#endif
