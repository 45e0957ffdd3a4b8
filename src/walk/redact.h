/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps secrets out of a dump while it is made.
 *
 * What is a secret by its name (the value under "password") can be met under
 * any other name before: so the walk reads texts and writes them only after
 * all else has been walked, when all names are known. By then a secret is
 * found by object, by equal content and inside of longer texts.
 */
#ifndef PYD_WALK_REDACT_H
#define PYD_WALK_REDACT_H

#include "dump/writer.h"
#include "read/reader.h"
#include "runtime/runtime.h"
#include "secrets/rules.h"
#include "walk/shapes.h"

struct pyd_redact;
struct pyd_pack;
struct pyd_subject;

PYD_MUST_CHECK enum pyd_code pyd_redact_create(struct pyd_rules *rules,
					       struct pyd_redact **ret,
					       struct pyd_err *err);
/* Accepts NULL. */
void pyd_redact_destroy(struct pyd_redact *rd);
/* From here on: no text is looked at, only read, for a dump that is made again
 * of what was read. */
void pyd_redact_only_reads(struct pyd_redact *rd);
/* True where texts may be read in pieces: each rule needs no more than a part
 * of one. And from how many bytes on that is done with what is found under
 * secret names; 0: never. */
bool pyd_redact_in_pieces(const struct pyd_redact *rd);
void pyd_redact_long_min(struct pyd_redact *rd, uint64_t bytes);
/* Forgets all but the secrets found: the dump is written anew. */
void pyd_redact_restart(struct pyd_redact *rd);

/* -- before the walk -- */

/* The environment and arguments of the program. */
PYD_MUST_CHECK enum pyd_code pyd_redact_process(struct pyd_redact *rd,
						struct pyd_subject *subject,
						struct pyd_err *err);
/* Appends text as it may be written now. What is written before all secrets
 * are known is remembered; see pyd_redact_leaked(). */
PYD_MUST_CHECK enum pyd_code pyd_redact_text(struct pyd_redact *rd,
					     const char *text, size_t n,
					     struct pyd_buf *out,
					     struct pyd_err *err);
/* Packs text likewise; rd and text may be NULL. */
void pyd_redact_pack(struct pyd_redact *rd, struct pyd_pack *p,
		     const char *text);
/* The same in place, for a name: it may become shorter. */
void pyd_redact_name(struct pyd_redact *rd, char *text, size_t n);
/* The same for arguments of a command: NUL-terminated each. */
PYD_MUST_CHECK enum pyd_code pyd_redact_argv(struct pyd_redact *rd,
					     struct pyd_buf *args,
					     struct pyd_err *err);
/* A variable of a frame: its name (a str object) and value. */
PYD_MUST_CHECK enum pyd_code pyd_redact_var(struct pyd_redact *rd,
					    struct pyd_reader *r, pyd_addr name,
					    uint64_t value,
					    struct pyd_err *err);

/* -- the walk -- */

/* Looks at a node. True in *ret_later: it is text, to be written by
 * pyd_redact_apply(). shape is that of its attributes. */
PYD_MUST_CHECK enum pyd_code pyd_redact_node(struct pyd_redact *rd,
					     struct pyd_reader *r,
					     struct pyd_node *n, uint32_t shape,
					     bool *ret_later,
					     struct pyd_err *err);

/* The same for a str or bytes object without attributes that is whole: it is
 * written later. */
PYD_MUST_CHECK enum pyd_code pyd_redact_met(struct pyd_redact *rd,
					    struct pyd_reader *r,
					    struct pyd_node *n,
					    struct pyd_err *err);

/* The same for an object that is not written. */
PYD_MUST_CHECK enum pyd_code pyd_redact_ahead(struct pyd_redact *rd,
					      struct pyd_reader *r,
					      struct pyd_node *n,
					      uint32_t shape,
					      struct pyd_err *err);

/* -- after it -- */

/* Follows what was found under secret names: after it, no secret is found
 * any more. */
PYD_MUST_CHECK enum pyd_code pyd_redact_collect(struct pyd_redact *rd,
						struct pyd_reader *r,
						const struct pyd_runtime *rt,
						struct pyd_err *err);
/* How far what is under secret names was found; and the part of
 * pyd_redact_collect() for what was found since then. */
size_t pyd_redact_found(const struct pyd_redact *rd);
PYD_MUST_CHECK enum pyd_code pyd_redact_take(struct pyd_redact *rd,
					     struct pyd_reader *r, size_t from,
					     struct pyd_err *err);
/* Files of the program's own code that the walk met; not the libraries'. */
const struct pyd_vec *pyd_redact_files(const struct pyd_redact *rd);
/* Takes the literals of a source that are secrets. */
PYD_MUST_CHECK enum pyd_code pyd_redact_learn(struct pyd_redact *rd,
					      const struct pyd_buf *source,
					      struct pyd_err *err);
/* True when a text that was written holds a secret that was found later. */
bool pyd_redact_leaked(struct pyd_redact *rd);
/* Masks the secrets in a source; its length in characters stays. */
PYD_MUST_CHECK enum pyd_code pyd_redact_source(struct pyd_redact *rd,
					       struct pyd_buf *source,
					       struct pyd_err *err);
/* For pyd_writer_release(): ctx is the struct pyd_redact. */
PYD_MUST_CHECK enum pyd_code pyd_redact_held(void *ctx,
					     struct pyd_writer_text *t,
					     struct pyd_err *err);
/* Takes the secrets out of a node that was to be written later. */
PYD_MUST_CHECK enum pyd_code pyd_redact_apply(struct pyd_redact *rd,
					      struct pyd_reader *r,
					      struct pyd_node *n,
					      uint32_t shape,
					      struct pyd_err *err);

/* -- what is said of it -- */

/* Values that were redacted, of all rules. */
uint64_t pyd_redact_total(const struct pyd_redact *rd);
/* The header's "redaction"; rd may be NULL. */
void pyd_redact_pack_header(const struct pyd_redact *rd, struct pyd_pack *p);
/* The end's "redacted": a map rule -> values. */
void pyd_redact_pack_end(const struct pyd_redact *rd, struct pyd_pack *p);

#endif
