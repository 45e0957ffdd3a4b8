// SPDX-License-Identifier: Apache-2.0
/* The "cache" target: blocks of a target that does not change. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "target/capture.h"

enum {
	BLOCK = PYD_WINDOW_BYTES,
	PAGE = 4096, /* what is readable is known by this much */
	PAGES = BLOCK / PAGE,
	ALL_PAGES = (1 << PAGES) - 1,
	NONE = -1,
	DEFAULT_BYTES = 16 << 20,
	BRIEF_BYTES = 64 * BLOCK,
	LOOK_BYTES = 8 << 20,
};

struct block {
	uint64_t number; /* address / BLOCK */
	int32_t chain;	 /* next in the same bucket */
	uint16_t valid;	 /* one bit a page */
	uint8_t used;
	uint8_t recent; /* read since the hand came by */
	uint8_t *data;
};

struct cache {
	struct pyd_target base;
	struct pyd_target *inner;
	struct block *blocks;
	struct pyd_buf data; /* of all blocks */
	size_t nblocks;
	size_t used;
	int32_t *buckets;
	size_t nbuckets; /* power of two */
	size_t hand;	 /* where a block to give up is looked for next */
	int32_t last;	 /* the block of the last read */
};

static size_t bucket_of(const struct cache *c, uint64_t number)
{
	return (size_t)(number * 0x9E3779B97F4A7C15ULL >> 32) &
	       (c->nbuckets - 1);
}

static void unchain(struct cache *c, int32_t i)
{
	int32_t *at = &c->buckets[bucket_of(c, c->blocks[i].number)];

	while (*at != i)
		at = &c->blocks[*at].chain;
	*at = c->blocks[i].chain;
}

static int32_t lookup(struct cache *c, uint64_t number)
{
	if (c->last != NONE && c->blocks[c->last].number == number)
		return c->last;

	int32_t i = c->buckets[bucket_of(c, number)];

	while (i != NONE && c->blocks[i].number != number)
		i = c->blocks[i].chain;
	return i;
}

static enum pyd_code fill(struct cache *c, struct block *b, struct pyd_err *err)
{
	pyd_addr at = b->number * BLOCK;
	enum pyd_code code = pyd_target_read(c->inner, at, b->data, BLOCK, err);

	b->valid = ALL_PAGES;
	if (!code || !pyd_code_is_local(code))
		return code;
	/* Only a part of the block is there. */
	b->valid = 0;
	for (unsigned int i = 0; i < PAGES; i++) {
		code = pyd_target_read(c->inner, at + i * PAGE,
				       b->data + i * PAGE, PAGE, err);
		if (!code)
			b->valid = (uint16_t)(b->valid | 1U << i);
		else if (!pyd_code_is_local(code))
			return code;
	}
	return PYD_OK;
}

/* NULL: it has none. */
static struct pyd_window *window_of(struct cache *c, uint64_t number)
{
	return c->base.windows ? &c->base.windows[number & (PYD_WINDOWS - 1)]
			       : NULL;
}

/* A block to fill: a new one, or one that was not read for the longest time,
 * about. */
static void take(struct cache *c, int32_t *ret)
{
	struct block *b;
	struct pyd_window *w;

	if (c->used < c->nblocks) {
		b = &c->blocks[c->used];
		b->data = c->data.data + c->used * BLOCK;
		*ret = (int32_t)c->used++;
		return;
	}
	/* Twice around at most: the first time clears all marks. */
	while (c->blocks[c->hand].recent) {
		c->blocks[c->hand].recent = 0;
		c->hand = (c->hand + 1) % c->nblocks;
	}
	*ret = (int32_t)c->hand;
	c->hand = (c->hand + 1) % c->nblocks;
	b = &c->blocks[*ret];
	if (!b->used)
		return;
	unchain(c, *ret);
	b->used = 0;
	w = window_of(c, b->number);
	if (w && w->data == b->data)
		w->data = NULL;
}

static void show(struct cache *c, struct block *b)
{
	struct pyd_window *w = window_of(c, b->number);

	b->recent = 1;
	if (w && b->valid == ALL_PAGES)
		*w = (struct pyd_window) {
			.number = b->number,
			.data = b->data,
			.recent = &b->recent,
		};
}

static enum pyd_code get(struct cache *c, uint64_t number, int32_t *ret,
			 struct pyd_err *err)
{
	int32_t i = lookup(c, number);
	struct block *b;
	enum pyd_code code;

	if (i != NONE) {
		show(c, &c->blocks[i]);
		c->last = i;
		*ret = i;
		return PYD_OK;
	}
	take(c, &i);
	b = &c->blocks[i];
	b->number = number;
	c->last = NONE;
	code = fill(c, b, err);
	if (code) {
		b->number = UINT64_MAX; /* no address has it */
		return code;
	}
	b->used = 1;
	b->chain = c->buckets[bucket_of(c, number)];
	c->buckets[bucket_of(c, number)] = i;
	show(c, b);
	c->last = i;
	*ret = i;
	return PYD_OK;
}

/* The reason is the inner target's to tell. */
static enum pyd_code unreadable(struct cache *c, pyd_addr page, pyd_addr addr,
				struct pyd_err *err)
{
	uint8_t buf[PAGE];
	enum pyd_code code = pyd_target_read(c->inner, page, buf, PAGE, err);

	return code ? code
		    : pyd_err_at(err, PYD_FAULT, addr,
				 "nothing is readable at 0x%llx",
				 (unsigned long long)addr);
}

static enum pyd_code cache_read(struct pyd_target *t, pyd_addr addr, void *buf,
				size_t len, struct pyd_err *err)
{
	struct cache *c = (struct cache *)t;
	uint8_t *to = buf;

	/* Large ones would only push out what is used again. */
	if (len >= 4 * BLOCK)
		return pyd_target_read(c->inner, addr, buf, len, err);
	while (len) {
		size_t at = (size_t)(addr % BLOCK);
		size_t n = len < BLOCK - at ? len : BLOCK - at;
		int32_t i = NONE;
		enum pyd_code code = get(c, addr / BLOCK, &i, err);

		if (code)
			return code;

		const struct block *b = &c->blocks[i];

		for (size_t page = at / PAGE; page <= (at + n - 1) / PAGE;
		     page++)
			if (!(b->valid >> page & 1))
				return unreadable(
					c, b->number * BLOCK + page * PAGE,
					addr, err);
		memcpy(to, b->data + at, n);
		addr += n;
		to += n;
		len -= n;
	}
	return PYD_OK;
}

static void cache_destroy(struct pyd_target *t)
{
	struct cache *c = (struct cache *)t;

	pyd_buf_deinit(&c->data);
	free(c->blocks);
	free(c->buckets);
	free(c->base.windows);
	free(c);
}

static enum pyd_code cache_open_file(struct pyd_target *t,
				     const struct pyd_region *r, int *ret,
				     struct pyd_err *err)
{
	return pyd_target_open_file(((struct cache *)t)->inner, r, ret, err);
}

static const struct pyd_target_ops cache_ops = {
	.name = "cache",
	.read = cache_read,
	.open_file = cache_open_file,
	.destroy = cache_destroy,
};

static enum pyd_code create(struct pyd_target *inner, size_t max_bytes,
			    bool windows, struct pyd_target **ret,
			    struct pyd_err *err)
{
	struct cache *c = calloc(1, sizeof(*c));
	enum pyd_code code;

	if (!c)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	c->base = (struct pyd_target) {
		.ops = &cache_ops,
		.pid = inner->pid,
		.regions = inner->regions,
		.nregions = inner->nregions,
		.root = inner->root,
		.in_exe = inner->in_exe,
	};
	c->inner = inner;
	c->last = NONE;
	c->nblocks = (max_bytes ? max_bytes : DEFAULT_BYTES) / BLOCK;
	if (!c->nblocks)
		c->nblocks = 1;
	if (c->nblocks > 1U << 20)
		c->nblocks = 1U << 20;
	c->nbuckets = 16;
	while (c->nbuckets < c->nblocks)
		c->nbuckets *= 2;
	c->blocks = calloc(c->nblocks, sizeof(*c->blocks));
	c->buckets = calloc(c->nbuckets, sizeof(*c->buckets));
	if (windows)
		c->base.windows = calloc(PYD_WINDOWS, sizeof(*c->base.windows));
	if (!c->blocks || !c->buckets || (windows && !c->base.windows)) {
		cache_destroy(&c->base);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	/* Untouched pages of it cost nothing; a small one, of which little is
	 * used, has no large pages. */
	if (max_bytes && max_bytes < DEFAULT_BYTES)
		code = pyd_buf_reserve(&c->data, c->nblocks * BLOCK, err);
	else
		code = pyd_buf_large(&c->data, c->nblocks * BLOCK,
				     PYD_LARGE_PAGE, err);
	if (code) {
		cache_destroy(&c->base);
		return code;
	}
	for (size_t i = 0; i < c->nbuckets; i++)
		c->buckets[i] = NONE;
	*ret = &c->base;
	return PYD_OK;
}

enum pyd_code pyd_target_cache_create(struct pyd_target *inner,
				      size_t max_bytes, struct pyd_target **ret,
				      struct pyd_err *err)
{
	/* Of a process: it stands now, and what was read of its maps before
	 * is old. PYD_USAGE: it is something else. */
	enum pyd_code code = pyd_target_process_refresh(inner, err);

	if (code && code != PYD_USAGE)
		return code;
	return create(inner, max_bytes, true, ret, err);
}

enum pyd_code pyd_target_cache_brief(struct pyd_target *inner,
				     struct pyd_target **ret,
				     struct pyd_err *err)
{
	return create(inner, BRIEF_BYTES, false, ret, err);
}

enum pyd_code pyd_target_cache_look(struct pyd_target *inner,
				    struct pyd_target **ret,
				    struct pyd_err *err)
{
	return create(inner, LOOK_BYTES, true, ret, err);
}
