// SPDX-License-Identifier: Apache-2.0
/* xml.etree.ElementTree.Element. Modules/_elementtree.c */
#include "read/limit.h"
#include "read/record.h"

/* The lowest bit of a pointer to text says that it is a list of pieces, which
 * are joined when someone asks for it. */
static enum pyd_code add_text(const struct pyd_record *rec, struct pyd_node *n,
			      const char *field, const char *name,
			      const char *joined, struct pyd_err *err)
{
	uint64_t word = pyd_record_u64(rec, field);
	enum pyd_code code;

	code = pyd_node_field(n, PYD_ORIGIN_FIELD, name, word & ~1ULL, err);
	if (code || !(word & 1))
		return code;
	return pyd_node_field(n, PYD_ORIGIN_BOOL, joined, true, err);
}

/* Fields: text, tail, children, length. Adds "text", "tail", "text_in_pieces"
 * and "tail_in_pieces" where they are lists, and items: the children. */
enum pyd_code pyd_record_element(struct pyd_reader *r,
				 const struct pyd_record *rec,
				 struct pyd_node *n, struct pyd_err *err)
{
	enum pyd_code code;

	code = add_text(rec, n, "text", "text", "text_in_pieces", err);
	if (!code)
		code = add_text(rec, n, "tail", "tail", "tail_in_pieces", err);
	if (code || !pyd_record_u64(rec, "children"))
		return code;
	return pyd_limit_pointers(r, pyd_record_u64(rec, "children"),
				  pyd_record_u64(rec, "length"), n, err);
}
