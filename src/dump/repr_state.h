/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of repr.c share: the text that is being made. Each function
 * here appends to it; failures of the file become part of the text, what
 * sticks in out is memory and I/O.
 */
#ifndef PYD_DUMP_REPR_STATE_H
#define PYD_DUMP_REPR_STATE_H

#include "dump/repr.h"

#define PYD_REPR_DEPTH_MAX 8

struct pyd_repr_state {
	struct pyd_dump *d;
	struct pyd_repr_limits lim;
	struct pyd_text *out;
	size_t start; /* of this text in out */
	/* What is being shown, for cycles. */
	pyd_addr path[PYD_REPR_DEPTH_MAX + 2];
	unsigned int depth;
};

void pyd_repr_put(struct pyd_repr_state *r, const char *s);
bool pyd_repr_full(const struct pyd_repr_state *r);
void pyd_repr_ref(struct pyd_repr_state *r, uint64_t ref);

/* -- repr_names.c -- */

/* Of the qualified name of a type; with the module unless it is builtins. */
void pyd_repr_put_type(struct pyd_repr_state *r, pyd_addr type,
		       bool with_module);
/* Whether the type is the builtin one of that name. */
bool pyd_repr_is_builtin(struct pyd_repr_state *r, pyd_addr type,
			 const char *builtin);
/* The text of a str object, without quotes; false when it is none. */
bool pyd_repr_put_name(struct pyd_repr_state *r, uint64_t ref);
void pyd_repr_put_value_name(struct pyd_repr_state *r,
			     const struct pyd_dump_object *o);
void pyd_repr_put_at(struct pyd_repr_state *r, const struct pyd_dump_object *o);

/* -- repr_text.c -- */

bool pyd_repr_get_double(const struct pyd_dump_object *o, size_t at,
			 double *ret);
void pyd_repr_put_complex(struct pyd_repr_state *r,
			  const struct pyd_dump_object *o);
/* "... (truncated, 3 of 10000)" */
void pyd_repr_put_count(struct pyd_repr_state *r,
			const struct pyd_dump_object *o, uint32_t n);
/* False when some of it was left out. */
bool pyd_repr_put_quoted(struct pyd_repr_state *r, const char *s, size_t len);
void pyd_repr_put_str(struct pyd_repr_state *r,
		      const struct pyd_dump_object *o);
bool pyd_repr_put_quoted_bytes(struct pyd_repr_state *r, const uint8_t *s,
			       size_t len);
void pyd_repr_put_bytes(struct pyd_repr_state *r,
			const struct pyd_dump_object *o);
/* With quotes as the program's version of Python writes them. */
void pyd_repr_put_bytearray(struct pyd_repr_state *r,
			    const struct pyd_dump_object *o);
/* Text that is a secret as a whole. False when it is none. */
bool pyd_repr_put_redacted(struct pyd_repr_state *r,
			   const struct pyd_dump_object *o);
void pyd_repr_put_mark(struct pyd_repr_state *r,
		       const struct pyd_dump_object *o);

/* -- repr_items.c -- */

/* True when the object may be entered; else its ellipsis was put. */
bool pyd_repr_enter(struct pyd_repr_state *r, const struct pyd_dump_object *o,
		    const char *ellipsis);
void pyd_repr_leave(struct pyd_repr_state *r);
void pyd_repr_put_container(struct pyd_repr_state *r,
			    const struct pyd_dump_object *o);
void pyd_repr_put_instance(struct pyd_repr_state *r,
			   const struct pyd_dump_object *o);
/* "collections.deque([1, 2], maxlen=5)" */
void pyd_repr_put_record(struct pyd_repr_state *r,
			 const struct pyd_dump_object *o);

#endif
