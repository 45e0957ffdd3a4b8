// SPDX-License-Identifier: Apache-2.0
#include "walk/bits.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define BLOCK_BYTES (PYD_BITS_WORDS * sizeof(uint64_t))
#define CHUNK_BYTES (BLOCK_BYTES << PYD_BITS_CHUNK_SHIFT)

static enum pyd_code nomem(struct pyd_err *err)
{
	return pyd_err_set(err, PYD_NOMEM, "out of memory for the visited set");
}

static enum pyd_code add_chunk(struct pyd_bits *b, struct pyd_err *err)
{
	uint64_t **v =
		reallocarray(b->chunks, b->nchunks + 1, sizeof(uint64_t *));
	struct pyd_buf large;
	enum pyd_code code;

	if (!v)
		return nomem(err);
	b->chunks = v;
	if (!b->nchunks) {
		/* Most targets touch little of it. */
		v[0] = malloc(CHUNK_BYTES);
		if (!v[0])
			return nomem(err);
	} else {
		code = pyd_buf_large(&large, CHUNK_BYTES, 0, err);
		if (code)
			return code;
		v[b->nchunks] = (uint64_t *)(void *)large.data;
	}
	b->nchunks++;
	return PYD_OK;
}

enum pyd_code pyd_bits_take(struct pyd_bits *b, uint32_t *ret,
			    struct pyd_err *err)
{
	uint32_t number = b->free;
	enum pyd_code code = PYD_OK;

	if (number) {
		b->free = (uint32_t)*pyd_bits_at(b, number);
	} else {
		number = b->n ? b->n : 1;
		if (number >= PYD_BITS_MAX)
			return nomem(err);
		if (number >> PYD_BITS_CHUNK_SHIFT >= b->nchunks)
			code = add_chunk(b, err);
		if (code)
			return code;
		b->n = number + 1;
	}
	memset(pyd_bits_at(b, number), 0, BLOCK_BYTES);
	*ret = number;
	return PYD_OK;
}

void pyd_bits_give(struct pyd_bits *b, uint32_t number)
{
	*pyd_bits_at(b, number) = b->free;
	b->free = number;
}

void pyd_bits_deinit(struct pyd_bits *b)
{
	for (size_t i = 0; i < b->nchunks; i++)
		free(b->chunks[i]);
	free(b->chunks);
	*b = (struct pyd_bits) { 0 };
}
