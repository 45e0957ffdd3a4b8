/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node: one remote object, decoded. Readers fill it, the walker follows its
 * references, the writer stores it. Reused from object to object.
 */
#ifndef PYD_READ_NODE_H
#define PYD_READ_NODE_H

#include "base/buf.h"
#include "base/err.h"
#include "pydumpd/format.h"

/* The name of one attribute: either the remote address of a str object or of
 * a C string; the walker turns shapes of these into text once. */
struct pyd_attr_name {
	uint8_t origin; /* enum pyd_origin */
	uint8_t is_cstr;
	pyd_addr name;
};

struct pyd_node {
	pyd_addr addr;
	pyd_addr type;
	enum pyd_kind kind;
	uint64_t size;	      /* bytes, see doc/FORMAT.md */
	uint32_t refcnt;      /* UINT32_MAX: immortal */
	struct pyd_vec refs;  /* fields of the kind, then the rest; 0: NULL */
	struct pyd_vec attrs; /* attribute values, parallel to names */
	struct pyd_attr_name *names;
	size_t names_cap; /* length is attrs.len */
	struct pyd_buf value;
	/* 0 or enum pyd_mark; mark_total counts characters, bytes or items. */
	uint8_t mark;
	uint64_t mark_total;
	char mark_text[160]; /* "" when there is none */
};

void pyd_node_clear(struct pyd_node *n);
void pyd_node_deinit(struct pyd_node *n);
/* Appends one attribute. */
PYD_MUST_CHECK enum pyd_code pyd_node_attr(struct pyd_node *n,
					   enum pyd_origin origin, bool is_cstr,
					   pyd_addr name, uint64_t value,
					   struct pyd_err *err);

#endif
