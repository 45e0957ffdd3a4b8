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
#include "read/long.h"
#include "read/more.h"

/* Where the name of an attribute is. */
enum pyd_name {
	PYD_NAME_STR,	/* remote address of a str object */
	PYD_NAME_CSTR,	/* remote address of a C string */
	PYD_NAME_LOCAL, /* const char * here, which outlives the walk */
	PYD_NAME_WORD,	/* the name is "+NUMBER" */
};

/* The name of one attribute; the walker turns shapes of these into text
 * once. */
struct pyd_attr_name {
	uint8_t origin; /* enum pyd_origin */
	uint8_t where;	/* enum pyd_name */
	uint64_t name;
};

struct pyd_node {
	pyd_addr addr;
	pyd_addr type;
	enum pyd_kind kind;
	uint64_t size;	      /* bytes, see doc/FORMAT.md */
	uint32_t refcnt;      /* UINT32_MAX: immortal */
	struct pyd_vec refs;  /* fields of the kind, then the rest; 0: NULL */
	struct pyd_more more; /* refs is empty then; only where asked for */
	struct pyd_vec attrs; /* attribute values, parallel to names */
	struct pyd_attr_name *names;
	size_t names_cap; /* length is attrs.len */
	/* What the kind says, then the bytes of attributes, in order. */
	struct pyd_buf value;
	/* In front of value; only where asked for, of texts. Owned. */
	struct pyd_long text;
	/* 0 or enum pyd_mark; mark_total counts characters, bytes or items. */
	uint8_t mark;
	uint64_t mark_total;
	char mark_text[160]; /* "" when there is none */
};

void pyd_node_clear(struct pyd_node *n);
void pyd_node_deinit(struct pyd_node *n);
/* Appends one attribute. */
PYD_MUST_CHECK enum pyd_code pyd_node_attr(struct pyd_node *n,
					   enum pyd_origin origin,
					   enum pyd_name where, uint64_t name,
					   uint64_t value, struct pyd_err *err);
/* Appends a field of a described struct. name outlives the walk. */
PYD_MUST_CHECK enum pyd_code pyd_node_field(struct pyd_node *n,
					    enum pyd_origin origin,
					    const char *name, uint64_t value,
					    struct pyd_err *err);
/* Appends a field of origin TEXT, BYTES or INTS with its bytes. */
PYD_MUST_CHECK enum pyd_code pyd_node_blob(struct pyd_node *n,
					   enum pyd_origin origin,
					   const char *name, const void *data,
					   size_t len, struct pyd_err *err);

#endif
