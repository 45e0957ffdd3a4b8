/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of one frame: collected as they come, then sorted and packed
 * into columns by whichever thread compresses them.
 */
#ifndef PYD_DUMP_BATCH_H
#define PYD_DUMP_BATCH_H

#include <msgpack.h>

#include "base/buf.h"
#include "base/map.h"
#include "dump/radix.h"
#include "read/node.h"

/* One object. Its references (then attributes, as many as its shape has names)
 * and value bytes lie in the batch's refs and values, in the order of the
 * objects: where, the packing finds out. Two of them fill a cache line. */
struct pyd_batch_rec {
	uint64_t addr;
	uint32_t size;
	uint32_t refcnt;
	uint32_t nrefs;
	uint32_t vlen;
	uint16_t type;
	uint16_t shape;
	uint32_t node;
};

struct pyd_batch_mark {
	uint32_t rec;
	uint8_t mark;
	uint64_t total;
	uint32_t text_at; /* in texts, NUL-terminated */
};

struct pyd_batch {
	struct pyd_batch_rec *recs;
	size_t n;
	size_t cap;
	struct pyd_vec refs;
	struct pyd_buf values;
	struct pyd_vec types;
	struct pyd_buf shapes; /* packed lists, shape 1 and up */
	uint32_t nshapes;      /* with shape 0 */
	struct pyd_vec lens;   /* of the shapes: how many names */
	struct pyd_batch_mark *marks;
	size_t nmarks;
	size_t marks_cap;
	struct pyd_buf texts;
	size_t raw; /* upper bound of the packed size */
	/* References of a huge object, in front of those in refs. */
	struct pyd_more more;
	/* Its value likewise, in front of that in values. */
	struct pyd_long text;

	/* address of the type, or id of the shape, to index + 1 */
	struct pyd_map type_of;
	struct pyd_map shape_of;
	uint32_t last_shape; /* 0: none */
	uint16_t last_shape_index;
	/* In front of them: most objects have one of a few types. */
	struct {
		uint64_t addr;
		uint32_t index;
	} recent[256];
};

/* Where the references and value bytes of an object begin. */
struct pyd_batch_place {
	uint32_t refs, value;
};

/* What is kept for packing from batch to batch; one for each thread. */
struct pyd_batch_scratch {
	struct pyd_vec order; /* twice as many as objects */
	uint32_t *numbers;    /* columns, one behind the other */
	struct pyd_batch_place *places;
	size_t cap;
	struct pyd_vec words;
	struct pyd_vec addrs;
};

/* On the heap, empty. */
struct pyd_batch *pyd_batch_create(void);
void pyd_batch_clear(struct pyd_batch *b);
void pyd_batch_destroy(struct pyd_batch *b);

/* Fixed columns of one object: 8+2+1+2+4+4+4+4+4. */
enum { PYD_BATCH_REC_BYTES = 33 };
/* How much this node adds to the packed size, at most. */
static inline size_t pyd_batch_cost(const struct pyd_node *node,
				    size_t shape_size)
{
	/* A type of its own: 9 bytes; a mark: keys, numbers and text. */
	return PYD_BATCH_REC_BYTES +
	       8 * (node->refs.len + node->more.n + node->attrs.len) +
	       node->value.len + node->text.len + 9 + shape_size +
	       (node->mark ? 48 + sizeof(node->mark_text) : 0);
}
/* True when the tables of the batch have no index left. */
static inline bool pyd_batch_full(const struct pyd_batch *b)
{
	return b->types.len >= UINT16_MAX || b->nshapes >= UINT16_MAX;
}
/* Appends a copy; on failure the batch is not to be used but for clear and
 * destroy. The caller has looked at full and at what the batch weighs. */
PYD_MUST_CHECK enum pyd_code pyd_batch_add(struct pyd_batch *b,
					   const struct pyd_node *node,
					   uint32_t shape,
					   const msgpack_sbuffer *shape_map,
					   struct pyd_err *err);
/* The same for one without references, attributes or mark, of whose value
 * PYD_BATCH_LEAF bytes can be read. It costs PYD_BATCH_LEAF_COST at most. */
PYD_MUST_CHECK enum pyd_code pyd_batch_add_leaf(struct pyd_batch *b,
						const struct pyd_node *node,
						struct pyd_err *err);
enum {
	PYD_BATCH_LEAF = 16,
	PYD_BATCH_LEAF_COST = PYD_BATCH_REC_BYTES + PYD_BATCH_LEAF + 9,
};
/* The same for one that is too large to be copied, to an empty batch: takes
 * the references and value of the node, which is without them then. */
PYD_MUST_CHECK enum pyd_code pyd_batch_take(struct pyd_batch *b,
					    struct pyd_node *node,
					    uint32_t shape,
					    const msgpack_sbuffer *shape_map,
					    struct pyd_err *err);
/* A batch of one object that weighs more than this was made by the latter. */
#define PYD_BATCH_HUGE ((size_t)2 * PYD_FORMAT_FRAME_TARGET)
static inline bool pyd_batch_is_huge(const struct pyd_batch *b)
{
	return b->raw > PYD_BATCH_HUGE || b->text.len;
}

/* Packs the "objects" map into out, which is cleared first. */
PYD_MUST_CHECK enum pyd_code pyd_batch_pack(const struct pyd_batch *b,
					    struct pyd_batch_scratch *scratch,
					    struct pyd_buf *out,
					    struct pyd_err *err);
/* How many references all objects have. */
static inline size_t pyd_batch_nrefs(const struct pyd_batch *b)
{
	return b->more.n + b->refs.len;
}
/* How many value bytes. */
static inline size_t pyd_batch_nbytes(const struct pyd_batch *b)
{
	return b->text.len + b->values.len;
}
/* Where the references (eight byte planes) and value bytes of a huge batch
 * belong in what was packed: they are left out, to be put there in steps. */
struct pyd_batch_holes {
	size_t refs_at, values_at;
};
PYD_MUST_CHECK enum pyd_code pyd_batch_pack_huge(
	const struct pyd_batch *b, struct pyd_batch_scratch *scratch,
	struct pyd_buf *out, struct pyd_batch_holes *ret, struct pyd_err *err);
void pyd_batch_scratch_deinit(struct pyd_batch_scratch *s);

#endif
