/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the redaction share: redact.c, redact_object.c,
 * redact_long.c, taint.c, taint_code.c, taint_take.c, environ.c. */
#ifndef PYD_WALK_REDACT_STATE_H
#define PYD_WALK_REDACT_STATE_H

#include "read/object.h"
#include "secrets/known.h"
#include "walk/redact.h"

enum {
	PYD_REDACT_NAMES = 1 << 14, /* of the cache of names */
	PYD_REDACT_DEPTH = 4,	    /* of containers under a secret's name */
	PYD_REDACT_NAME_BYTES = 80,
	/* Read beyond a cut, so that a secret across it is known as one. */
	PYD_REDACT_MARGIN = 64 << 10,
	PYD_REDACT_LEARN_MAX = 64 << 10, /* of one secret */
	/* In the map of secrets: the text has something by itself. */
	PYD_REDACT_LOOK = 1 << 16,
};

/* An environment variable of which the value may not stay. */
struct pyd_redact_env {
	uint64_t value; /* hash */
};

/* The classes of a code's variables: arguments, locals, free ones last. */
struct pyd_redact_code {
	uint32_t n;
	uint32_t argcount;
	uint8_t classes[];
};

struct pyd_redact_shape {
	bool seen, any;
	uint8_t *classes;
};

struct pyd_redact {
	struct pyd_rules *rules; /* not owned */
	bool only_reads;
	uint64_t long_min; /* see struct pyd_reader; what is followed too */
	struct pyd_matcher matcher;
	struct pyd_known known;
	struct pyd_siphash_key tag_key;

	struct pyd_map env; /* hash of the name -> index in env_v + 1 */
	struct pyd_redact_env *env_v;
	size_t nenv;

	/* Objects that are secrets: address -> rule + 1. */
	struct pyd_map taint;
	/* What was met under a secret's name: reference, then rule, class and
	 * depth. */
	struct pyd_vec todo;
	struct pyd_map seen; /* address -> bits of rules, done with */

	/* Classes of names by the address of the str or bytes. */
	struct {
		pyd_addr addr;
		uint32_t class; /* and index in env_v + 1, above 8 bits */
	} names[PYD_REDACT_NAMES];
	struct pyd_redact_shape *shapes;
	size_t nshapes;
	struct pyd_map annotations; /* addresses of such containers -> 1 */
	struct pyd_map codes;	    /* address -> struct pyd_redact_code * */
	struct pyd_vec funcs;	    /* code, defaults, closure */
	struct pyd_map file_names;  /* addresses and hashes of them -> 1 */
	struct pyd_vec files;	    /* char *, owned */

	/* What was written early: texts, NUL after each. */
	struct pyd_buf early;
	uint64_t early_last[256]; /* hashes of the last ones */

	uint64_t *counts; /* by rule */
	struct pyd_spans spans;
	struct pyd_node node; /* scratch */
	struct pyd_node name; /* likewise */
	struct pyd_vec items; /* likewise */
	struct pyd_buf text;  /* likewise */
	struct pyd_obj obj;   /* likewise */
};

/* Notes a reference under a secret's name. */
PYD_MUST_CHECK enum pyd_code pyd_redact_note(struct pyd_redact *rd,
					     uint64_t ref, enum pyd_rule rule,
					     unsigned int class,
					     unsigned int depth,
					     struct pyd_err *err);
/* The class of a name that is a str or bytes object, and the index + 1 of the
 * environment's variable of that name. */
PYD_MUST_CHECK enum pyd_code pyd_redact_class(
	struct pyd_redact *rd, struct pyd_reader *r, uint64_t name,
	enum pyd_name_class *ret, uint32_t *ret_env, struct pyd_err *err);
/* The short text of a str or bytes object; false when it is none. Only
 * failures that end the run give one. */
PYD_MUST_CHECK enum pyd_code pyd_redact_short(struct pyd_redact *rd,
					      struct pyd_reader *r,
					      uint64_t ref, struct pyd_buf *out,
					      bool *ret_is,
					      struct pyd_err *err);
/* Replaces the spans of text by asterisks: one for a character (is_text) or
 * byte, but for line ends. Returns the new length. */
size_t pyd_redact_mask(uint8_t *s, size_t n, const struct pyd_spans *spans,
		       bool is_text);
/* Everything that is secret in a text that no object or name tells of, into
 * rd->spans; look: the rules for texts by themselves too. */
PYD_MUST_CHECK enum pyd_code pyd_redact_find(struct pyd_redact *rd,
					     const uint8_t *s, size_t n,
					     bool look, struct pyd_err *err);
/* What rd->spans covers of s is a secret wherever else it stands. */
PYD_MUST_CHECK enum pyd_code pyd_redact_learn_spans(struct pyd_redact *rd,
						    const uint8_t *s,
						    struct pyd_err *err);
/* Whether looking into the text may find something. */
bool pyd_redact_is_worth(const struct pyd_redact *rd, bool is_str,
			 const uint8_t *s, size_t n);
/* Of UTF-8: not the first byte of a character. */
static inline bool pyd_redact_is_tail(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}
/* Failures of one object are none of ours: the walk tells of them. */
PYD_MUST_CHECK enum pyd_code pyd_redact_only_fatal(enum pyd_code code,
						   const struct pyd_err *why,
						   struct pyd_err *err);
/* Its values tell types: no secrets. */
PYD_MUST_CHECK enum pyd_code pyd_redact_annotations(struct pyd_redact *rd,
						    uint64_t ref,
						    struct pyd_err *err);
/* -- taint_code.c -- */

/* Classes of the variables of a code object; its file is noted. */
PYD_MUST_CHECK enum pyd_code pyd_redact_code(struct pyd_redact *rd,
					     struct pyd_reader *r,
					     const struct pyd_node *n,
					     struct pyd_err *err);
/* Keeps a function's defaults for pyd_redact_defaults(). */
PYD_MUST_CHECK enum pyd_code pyd_redact_function(struct pyd_redact *rd,
						 const struct pyd_node *n,
						 struct pyd_err *err);
/* The variables of a frame or generator: which references its code and its
 * first variable are. */
PYD_MUST_CHECK enum pyd_code pyd_redact_frame(struct pyd_redact *rd,
					      struct pyd_reader *r,
					      const struct pyd_node *n,
					      size_t code_at, size_t first,
					      struct pyd_err *err);
/* Notes the defaults of the functions that were met. */
PYD_MUST_CHECK enum pyd_code pyd_redact_defaults(struct pyd_redact *rd,
						 struct pyd_reader *r,
						 struct pyd_err *err);
uint64_t pyd_redact_hash(const void *s, size_t n);
/* Index + 1 of the variable; 0: none. */
uint32_t pyd_redact_env_find(const struct pyd_redact *rd, const uint8_t *name,
			     size_t n);
/* os.environ and posix.environ of all interpreters. */
PYD_MUST_CHECK enum pyd_code pyd_redact_environ(struct pyd_redact *rd,
						struct pyd_reader *r,
						const struct pyd_runtime *rt,
						struct pyd_err *err);

/* Classes beside enum pyd_name_class, in what is noted. */
enum {
	PYD_CLASS_ENV = 16,	 /* a value of the environment */
	PYD_CLASS_ENVIRON = 17,	 /* a mapping of it */
	PYD_CLASS_PAIR = 18,	 /* behind a secret's name in a sequence of two:
				  * it may be another name, as in __slots__ */
	PYD_CLASS_CONSTANT = 19, /* of code that has to do with a secret */
};

/* Learns from a node's texts; what is text is kept for later. */
PYD_MUST_CHECK enum pyd_code pyd_redact_keep(struct pyd_redact *rd,
					     struct pyd_reader *r,
					     struct pyd_node *n,
					     bool *ret_later,
					     struct pyd_err *err);
/* -- redact_object.c, redact_long.c -- */

/* "RULE tag=XXXXXXXX"; without the tag where only a part is known: parts may
 * be equal where the whole is not. */
void pyd_redact_mark_text(struct pyd_redact *rd, size_t rule, bool tagged,
			  uint64_t tag, char *buf, size_t cap);
/* Numbers, pictures, compressed data: looks at some places of it. */
struct pyd_redact_look {
	size_t printable, seen;
};
void pyd_redact_look(struct pyd_redact_look *look, const uint8_t *s, size_t n);
bool pyd_redact_looks_binary(const struct pyd_redact_look *look);
/* Learns from a text that is read in pieces; *ret_look as for others. */
PYD_MUST_CHECK enum pyd_code pyd_redact_learn_long(struct pyd_redact *rd,
						   struct pyd_reader *r,
						   struct pyd_node *n,
						   bool *ret_look,
						   struct pyd_err *err);
/* Takes its secrets out. */
PYD_MUST_CHECK enum pyd_code pyd_redact_apply_long(struct pyd_redact *rd,
						   struct pyd_reader *r,
						   struct pyd_node *n,
						   struct pyd_err *err);
/* What such a text is made of; and that it is a secret. */
PYD_MUST_CHECK enum pyd_code pyd_redact_kind_long(struct pyd_node *n,
						  struct pyd_pieces_kind *ret,
						  struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_redact_know_long(
	struct pyd_redact *rd, struct pyd_node *n,
	const struct pyd_pieces_kind *kind, struct pyd_err *err);
/* Bytes of the kind's own value. */
size_t pyd_redact_own(const struct pyd_node *n);
static inline bool pyd_redact_is_text(enum pyd_kind k)
{
	return k == PYD_KIND_str || k == PYD_KIND_bytes ||
	       k == PYD_KIND_bytearray;
}

#endif
