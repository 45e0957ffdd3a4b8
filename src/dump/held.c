// SPDX-License-Identifier: Apache-2.0
#include "dump/held.h"

#include <stdlib.h>
#include <string.h>

enum {
	CHUNK = PYD_LARGE_PAGE,
	LARGE = CHUNK / 8, /* such a text is not worth its memory */
	TYPES_MAX = 1 << 12,
};

/* In front of each text. */
struct __attribute__((packed)) head {
	uint64_t addr;
	uint32_t size;
	uint32_t refcnt;
	uint32_t len;
	uint16_t type;
	uint8_t kind;
};

/* TYPES_MAX in *ret: there are too many. */
static enum pyd_code type_index(struct pyd_held *h, pyd_addr type, size_t *ret,
				struct pyd_err *err)
{
	size_t i = h->last;

	if (i >= h->types.len || h->types.data[i] != type)
		for (i = 0; i < h->types.len && h->types.data[i] != type; i++)
			;
	*ret = i;
	if (i == TYPES_MAX)
		return PYD_OK;
	h->last = i;
	return i < h->types.len ? PYD_OK : pyd_vec_push(&h->types, type, err);
}

static enum pyd_code open_chunk(struct pyd_held *h, struct pyd_err *err)
{
	struct pyd_buf *v = reallocarray(h->chunks, h->n + 1, sizeof(*v));
	enum pyd_code code;

	if (!v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	h->chunks = v;
	code = pyd_buf_large(&v[h->n], CHUNK, err);
	if (!code)
		h->n++;
	return code;
}

enum pyd_code pyd_held_add(struct pyd_held *h, const struct pyd_node *node,
			   size_t max, bool *ret_done, struct pyd_err *err)
{
	size_t need = sizeof(struct head) + node->value.len;
	struct head head = {
		.addr = node->addr,
		.size = (uint32_t)node->size,
		.refcnt = node->refcnt,
		.len = (uint32_t)node->value.len,
		.kind = (uint8_t)node->kind,
	};
	struct pyd_buf *b;
	size_t type;
	enum pyd_code code;

	*ret_done = false;
	if (node->mark || node->attrs.len || node->refs.len ||
	    node->value.len > LARGE || node->size > UINT32_MAX)
		return PYD_OK;
	if (!h->n || h->chunks[h->n - 1].cap - h->chunks[h->n - 1].len < need) {
		if (h->n >= max / CHUNK)
			return PYD_OK;
		code = open_chunk(h, err);
		if (code)
			return code;
	}
	code = type_index(h, node->type, &type, err);
	if (code || type == TYPES_MAX)
		return code;
	head.type = (uint16_t)type;
	b = &h->chunks[h->n - 1];
	memcpy(b->data + b->len, &head, sizeof(head));
	if (node->value.len)
		memcpy(b->data + b->len + sizeof(head), node->value.data,
		       node->value.len);
	b->len += need;
	*ret_done = true;
	return PYD_OK;
}

enum pyd_code pyd_held_take(struct pyd_held *h,
			    enum pyd_code (*fn)(void *ctx,
						struct pyd_node *node,
						struct pyd_err *err),
			    void *ctx, struct pyd_err *err)
{
	struct pyd_node node = { 0 };

	for (size_t i = 0; i < h->n; i++) {
		struct pyd_buf *b = &h->chunks[i];

		for (size_t at = 0; at < b->len;) {
			struct head head;
			enum pyd_code code;

			memcpy(&head, b->data + at, sizeof(head));
			at += sizeof(head);
			node.addr = head.addr;
			node.type = h->types.data[head.type];
			node.kind = (enum pyd_kind)head.kind;
			node.size = head.size;
			node.refcnt = head.refcnt;
			node.mark = 0;
			node.value = (struct pyd_buf) {
				.data = b->data + at,
				.len = head.len,
				.cap = head.len,
			};
			at += head.len;
			code = fn(ctx, &node, err);
			if (code)
				return code;
		}
		pyd_buf_deinit(b);
	}
	h->n = 0;
	return PYD_OK;
}

void pyd_held_deinit(struct pyd_held *h)
{
	for (size_t i = 0; i < h->n; i++)
		pyd_buf_deinit(&h->chunks[i]);
	free(h->chunks);
	pyd_vec_deinit(&h->types);
	*h = (struct pyd_held) { 0 };
}
