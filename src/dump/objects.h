/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of one frame, decoded into arrays. */
#ifndef PYD_DUMP_OBJECTS_H
#define PYD_DUMP_OBJECTS_H

#include "base/buf.h"
#include "pydumpd/dump.h"

/* How a column is stored, as the header says. */
struct pyd_column_spec {
	uint8_t width; /* bytes of an element; 0: not described */
	bool delta;
	bool shuffle;
};

/* False for a word that is not known. */
bool pyd_column_parse(const char *s, size_t len, struct pyd_column_spec *ret);
/* Decodes a bin into n words; its length must fit. */
PYD_MUST_CHECK enum pyd_code pyd_column_decode(
	const struct pyd_column_spec *spec, const uint8_t *data, size_t len,
	const char *name, struct pyd_vec *ret, struct pyd_err *err);

struct pyd_dump_shape {
	uint32_t at; /* in entries */
	uint32_t n;
	bool has_bytes; /* of attributes, at the end of the value bytes */
};

struct pyd_dump_batch {
	uint32_t refs_held; /* holders of the batch */
	uint32_t n;
	size_t bytes; /* of memory, about */

	struct pyd_buf raw; /* values, names and texts point into it */
	const uint8_t *values;
	uint64_t *addr;
	uint64_t *refs;
	uint64_t *types;
	uint32_t *type, *shape, *size, *refcnt, *nattrs;
	uint32_t *refs_at;  /* n + 1: where the references begin */
	uint32_t *value_at; /* n + 1 */
	uint8_t *node;
	struct pyd_dump_shape *shapes;
	struct pyd_dump_attr *entries; /* of all shapes; value unused */

	struct pyd_dump_mark {
		uint32_t i;
		uint8_t mark;
		uint64_t total;
		const char *text;
		uint32_t text_len;
	} * marks; /* by i */
	uint32_t nmarks;

	uint32_t *slots; /* hash of addr: index + 1 */
	uint32_t mask;
};

/* Takes raw over, of which map is a view; also on failure. specs by enum
 * pyd_column. what names the frame in messages. */
PYD_MUST_CHECK enum pyd_code pyd_objects_decode(
	const struct pyd_column_spec *specs, struct pyd_buf *raw,
	struct pyd_dump_value map, const char *what,
	struct pyd_dump_batch **ret, struct pyd_err *err);
/* The index of the object, or UINT32_MAX. */
uint32_t pyd_objects_find(const struct pyd_dump_batch *b, pyd_addr addr);
void pyd_objects_destroy(struct pyd_dump_batch *b);

#endif
