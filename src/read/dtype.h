/* SPDX-License-Identifier: Apache-2.0 */
/* numpy.dtype: how large an item is, and where objects are in it. Facts:
 * numpy's ndarraytypes.h. */
#ifndef PYD_READ_DTYPE_H
#define PYD_READ_DTYPE_H

#include "read/record.h"

enum {
	PYD_NPY_MAXDIMS = 64, /* of 2.x; 32 before */
	PYD_NPY_OBJECT = 17,
	PYD_NPY_UNICODE = 19, /* UTF-32, padded with 0 */
};

/* What of a dtype matters here. */
struct pyd_dtype {
	uint64_t itemsize; /* bytes */
	int64_t num;
	bool has_objects;
	bool big_endian;
};

/* The dtype at addr; o is for its header. PYD_CORRUPT: it is none. */
PYD_MUST_CHECK enum pyd_code pyd_read_dtype(struct pyd_reader *r, pyd_addr addr,
					    struct pyd_obj *o,
					    struct pyd_dtype *ret,
					    struct pyd_err *err);
/* Appends to n->refs the objects of the items in data, len bytes of items that
 * have objects. A dtype that does not hold up adds none: the bytes are right
 * without them. */
PYD_MUST_CHECK enum pyd_code pyd_dtype_objects(struct pyd_reader *r,
					       pyd_addr dtype,
					       const struct pyd_dtype *d,
					       const uint8_t *data,
					       uint64_t len, struct pyd_node *n,
					       struct pyd_err *err);

#endif
