// SPDX-License-Identifier: Apache-2.0
#include "walk/visited.h"

#include <stdlib.h>

enum {
	WILD_MAX = 1 << 20,
	TAKE_MAX = 2048, /* queued addresses that are taken at once, about */
};

static const uint32_t no_spans[PYD_PIECE_SPANS];

/* What nobody writes to: see own(). */
static uint32_t *none(void)
{
	return (uint32_t *)(uintptr_t)no_spans;
}

/* -- pieces -- */

/* Marks the pages of the piece that are inside of regions. */
static void map_pages(struct pyd_piece *p, const struct pyd_target *t)
{
	pyd_addr start = p->key << PYD_PIECE_SHIFT;

	for (size_t i = 0; i < PYD_PIECE_PAGES; i++) {
		pyd_addr at = start + (i << PYD_PAGE_SHIFT);

		/* Those of a recorded image may end inside of a page. */
		if (!t->nregions || pyd_target_region(t, at) ||
		    pyd_target_region(t, at + (1 << PYD_PAGE_SHIFT) - 1))
			p->mapped[i / 64] |= 1ULL << (i % 64);
	}
}

static enum pyd_code nomem(struct pyd_err *err)
{
	return pyd_err_set(err, PYD_NOMEM, "out of memory for the visited set");
}

static enum pyd_code add_piece(struct pyd_visited *v,
			       const struct pyd_target *t, uint64_t key,
			       struct pyd_piece **ret, struct pyd_err *err)
{
	struct pyd_piece *p;
	enum pyd_code code;

	if (v->n == v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 256;
		struct pyd_piece **all =
			reallocarray(v->all, cap, sizeof(struct pyd_piece *));

		if (!all)
			return nomem(err);
		v->all = all;
		v->cap = cap;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return nomem(err);
	p->key = key;
	p->planes[0].known = p->known;
	p->planes[1].known = none();
	map_pages(p, t);
	/* Key 0 is the map's "empty": addresses below 1 MiB. */
	code = pyd_map_put(&v->pieces, key + 1, (uint64_t)(uintptr_t)p, err);
	if (code) {
		free(p);
		return code;
	}
	v->all[v->n++] = p;
	*ret = p;
	return PYD_OK;
}

/* The piece of an address, or NULL. */
static struct pyd_piece *find(const struct pyd_visited *v, pyd_addr addr)
{
	struct pyd_piece *p = pyd_visited_near(v, addr);
	uint64_t found;

	if (p)
		return p;
	if (!pyd_map_get(&v->pieces, (addr >> PYD_PIECE_SHIFT) + 1, &found))
		return NULL;
	return (struct pyd_piece *)(uintptr_t)found;
}

static bool is_mapped(const struct pyd_piece *p, pyd_addr addr)
{
	size_t page = (size_t)(addr >> PYD_PAGE_SHIFT) & (PYD_PIECE_PAGES - 1);

	return p->mapped[page / 64] >> (page % 64) & 1;
}

/* -- the set -- */

static enum pyd_code add_wild(struct pyd_visited *v, pyd_addr addr,
			      bool *ret_new, struct pyd_err *err)
{
	uint64_t found;

	*ret_new =
		v->wild.len < WILD_MAX && !pyd_map_get(&v->wild, addr, &found);
	return *ret_new ? pyd_map_put(&v->wild, addr, 1, err) : PYD_OK;
}

/* Where the bits of an address are; without a piece it has none. */
struct place {
	struct pyd_piece *piece;
	struct pyd_plane *plane;
	uint32_t *entry; /* of plane->known; not to be written to while 0 */
	size_t span, word;
	uint64_t mask;
};

/* Of an address in a page of the piece that is mapped. */
static void locate(struct pyd_piece *p, pyd_addr addr, struct place *ret)
{
	ret->piece = p;
	ret->plane = &p->planes[addr >> 3 & 1];
	ret->span = (size_t)(addr >> PYD_SPAN_SHIFT) & (PYD_PIECE_SPANS - 1);
	ret->entry = &ret->plane->known[ret->span];
	ret->word = (size_t)(addr >> 10) & (PYD_BITS_WORDS - 1);
	ret->mask = 1ULL << (addr >> 4 & 63);
}

static enum pyd_code place_of(struct pyd_visited *v, const struct pyd_target *t,
			      pyd_addr addr, struct place *ret,
			      struct pyd_err *err)
{
	struct pyd_piece *p;
	enum pyd_code code;

	ret->piece = NULL;
	if (addr % 8)
		return PYD_OK;
	p = pyd_visited_near(v, addr);
	if (!p) {
		p = find(v, addr);
		if (!p && (!t->nregions || pyd_target_region(t, addr))) {
			code = add_piece(v, t, addr >> PYD_PIECE_SHIFT, &p,
					 err);
			if (code)
				return code;
		}
		if (!p)
			return PYD_OK;
		v->near[p->key & (PYD_PIECES_NEAR - 1)] = p;
	}
	if (!is_mapped(p, addr))
		return PYD_OK;
	locate(p, addr, ret);
	return PYD_OK;
}

/* What is known in a span of which the entry is not 0. */
static uint64_t *known_of(const struct pyd_visited *v, uint32_t entry)
{
	return pyd_bits_at(&v->bits, entry >> PYD_FLAG_BITS);
}

static bool is_known(const struct pyd_visited *v, const struct place *at)
{
	return *at->entry && known_of(v, *at->entry)[at->word] & at->mask;
}

/* Has the span's entry be one that can be written to. */
static enum pyd_code own(struct pyd_visited *v, struct place *at,
			 struct pyd_err *err)
{
	uint32_t block = 0;
	enum pyd_code code;

	if (*at->entry)
		return PYD_OK;
	if (at->plane->known == no_spans) {
		uint32_t *made = calloc(PYD_PIECE_SPANS, sizeof(*made));

		if (!made)
			return nomem(err);
		at->plane->known = made;
		at->entry = &made[at->span];
	}
	code = pyd_bits_take(&v->bits, &block, err);
	if (!code)
		*at->entry = block << PYD_FLAG_BITS;
	return code;
}

/* A block for the span. */
static enum pyd_code split(struct pyd_visited *v, struct pyd_split *s,
			   size_t span, struct pyd_err *err)
{
	enum pyd_code code;

	if (!s->blocks) {
		s->blocks = malloc(PYD_PIECE_SPANS * sizeof(*s->blocks));
		if (!s->blocks)
			return nomem(err);
	}
	code = pyd_bits_take(&v->bits, &s->blocks[span], err);
	s->n += !code;
	return code;
}

static void join(struct pyd_visited *v, struct pyd_split *s, size_t span)
{
	pyd_bits_give(&v->bits, s->blocks[span]);
	if (--s->n)
		return;
	free(s->blocks);
	s->blocks = NULL;
}

/* What is queued in a word of a span. */
static uint64_t queued_in(const struct pyd_visited *v,
			  const struct pyd_plane *plane, size_t span,
			  size_t word)
{
	uint32_t entry = plane->known[span];

	if (entry & PYD_QUEUED_ALL)
		return known_of(v, entry)[word];
	if (entry & PYD_QUEUED_SOME)
		return pyd_bits_at(&v->bits, plane->queued.blocks[span])[word];
	return 0;
}

static uint64_t done_in(const struct pyd_visited *v,
			const struct pyd_plane *plane, size_t span, size_t word)
{
	return known_of(v, plane->known[span])[word] &
	       ~queued_in(v, plane, span, word);
}

/* Has what is queued in the span say so by itself. */
static enum pyd_code split_queued(struct pyd_visited *v, struct place *at,
				  struct pyd_err *err)
{
	struct pyd_split *s = &at->plane->queued;
	enum pyd_code code = split(v, s, at->span, err);

	if (code)
		return code;
	for (size_t i = 0; i < PYD_BITS_WORDS; i++)
		pyd_bits_at(&v->bits, s->blocks[at->span])[i] =
			queued_in(v, at->plane, at->span, i);
	*at->entry &= ~(uint32_t)PYD_QUEUED;
	*at->entry |= PYD_QUEUED_SOME;
	return PYD_OK;
}

/* The same for what is set aside. */
static enum pyd_code split_later(struct pyd_visited *v, struct place *at,
				 struct pyd_err *err)
{
	struct pyd_split *s = &at->plane->later;
	bool all = *at->entry & PYD_LATER_ALL;
	enum pyd_code code = split(v, s, at->span, err);

	if (code)
		return code;
	for (size_t i = 0; all && i < PYD_BITS_WORDS; i++)
		pyd_bits_at(&v->bits, s->blocks[at->span])[i] =
			done_in(v, at->plane, at->span, i);
	*at->entry &= ~(uint32_t)PYD_LATER;
	*at->entry |= PYD_LATER_SOME;
	return PYD_OK;
}

enum pyd_code pyd_visited_add(struct pyd_visited *v, const struct pyd_target *t,
			      pyd_addr addr, bool *ret_new, struct pyd_err *err)
{
	struct place at;
	enum pyd_code code = place_of(v, t, addr, &at, err);

	if (code)
		return code;
	if (!at.piece)
		return add_wild(v, addr, ret_new, err);
	*ret_new = !is_known(v, &at);
	if (!*ret_new)
		return PYD_OK;
	code = own(v, &at, err);
	if (!code && *at.entry & PYD_QUEUED_ALL)
		code = split_queued(v, &at, err);
	if (!code && *at.entry & PYD_LATER_ALL)
		code = split_later(v, &at, err);
	if (!code)
		known_of(v, *at.entry)[at.word] |= at.mask;
	return code;
}

enum pyd_code pyd_visited_queue(struct pyd_visited *v,
				const struct pyd_target *t, pyd_addr addr,
				bool *ret_new, bool *ret_queued,
				struct pyd_err *err)
{
	struct place at;
	bool first;
	enum pyd_code code = place_of(v, t, addr, &at, err);

	*ret_queued = false;
	if (code)
		return code;
	if (!at.piece)
		return add_wild(v, addr, ret_new, err);
	*ret_new = !is_known(v, &at);
	if (!*ret_new)
		return PYD_OK;
	first = !*at.entry;
	code = own(v, &at, err);
	if (!code && first)
		*at.entry |= PYD_QUEUED_ALL;
	else if (!code && !(*at.entry & PYD_QUEUED))
		code = split_queued(v, &at, err);
	if (code)
		return code;
	if (*at.entry & PYD_QUEUED_SOME)
		pyd_bits_at(&v->bits,
			    at.plane->queued.blocks[at.span])[at.word] |=
			at.mask;
	known_of(v, *at.entry)[at.word] |= at.mask;
	at.piece->spans[at.span / 64] |= 1ULL << (at.span % 64);
	at.piece->nqueued++;
	v->nqueued++;
	*ret_queued = true;
	return PYD_OK;
}

/* False for an address that has no bits. */
static bool find_place(const struct pyd_visited *v, pyd_addr addr,
		       struct place *ret)
{
	struct pyd_piece *p = addr % 8 ? NULL : find(v, addr);

	if (!p || !is_mapped(p, addr))
		return false;
	locate(p, addr, ret);
	return true;
}

bool pyd_visited_has(const struct pyd_visited *v, pyd_addr addr)
{
	struct place at;
	uint64_t found;

	if (pyd_map_get(&v->wild, addr, &found))
		return true;
	return find_place(v, addr, &at) && is_known(v, &at);
}

/* -- what is to be done -- */

/* When all that is done in the span is set aside, that takes no bits. */
static void tidy_later(struct pyd_visited *v, const struct place *at)
{
	struct pyd_split *s = &at->plane->later;
	const uint64_t *later = pyd_bits_at(&v->bits, s->blocks[at->span]);

	for (size_t i = 0; i < PYD_BITS_WORDS; i++)
		if (later[i] != done_in(v, at->plane, at->span, i))
			return;
	join(v, s, at->span);
	*at->entry &= ~(uint32_t)PYD_LATER;
	*at->entry |= PYD_LATER_ALL;
}

enum pyd_code pyd_visited_later(struct pyd_visited *v, pyd_addr addr,
				bool *ret_done, struct pyd_err *err)
{
	struct place at;
	uint64_t *later;
	enum pyd_code code = PYD_OK;

	*ret_done = false;
	if (!find_place(v, addr, &at) || !is_known(v, &at) ||
	    queued_in(v, at.plane, at.span, at.word) & at.mask)
		return PYD_OK;
	*ret_done = true;
	if (*at.entry & PYD_LATER_ALL)
		return PYD_OK;
	if (!(*at.entry & PYD_LATER_SOME))
		code = split_later(v, &at, err);
	if (code)
		return code;
	later = pyd_bits_at(&v->bits, at.plane->later.blocks[at.span]);
	later[at.word] |= at.mask;
	at.piece->nlater++;
	tidy_later(v, &at);
	return PYD_OK;
}

static int by_key(const void *a, const void *b)
{
	const struct pyd_piece *x = *(struct pyd_piece *const *)a;
	const struct pyd_piece *y = *(struct pyd_piece *const *)b;

	return (x->key > y->key) - (x->key < y->key);
}

static void sort_pieces(struct pyd_visited *v)
{
	if (v->nsorted < v->n)
		qsort(v->all, v->n, sizeof(struct pyd_piece *), by_key);
	v->nsorted = v->n;
}

static pyd_addr start_of(const struct pyd_piece *p, size_t span, size_t plane,
			 size_t word)
{
	return (p->key << PYD_PIECE_SHIFT) + (span << PYD_SPAN_SHIFT) +
	       (word << 10) + 8 * plane;
}

/* What was queued in the span is done, from now on. */
static enum pyd_code finish(struct pyd_visited *v, struct pyd_plane *plane,
			    size_t span, struct pyd_err *err)
{
	uint32_t *entry = &plane->known[span];
	struct place at = { .plane = plane, .entry = entry, .span = span };

	if (*entry & PYD_LATER_ALL) {
		enum pyd_code code = split_later(v, &at, err);

		if (code)
			return code;
	}
	if (*entry & PYD_QUEUED_SOME)
		join(v, &plane->queued, span);
	*entry &= ~(uint32_t)PYD_QUEUED;
	return PYD_OK;
}

/* Takes what is queued in a span. */
static enum pyd_code take(struct pyd_visited *v, struct pyd_piece *p,
			  size_t span, struct pyd_vec *out, struct pyd_err *err)
{
	const size_t most = (size_t)2 * PYD_BITS_WORDS * 64;
	uint32_t n = 0;
	enum pyd_code code = pyd_vec_reserve(out, most, err);

	for (size_t k = 0; k < 2 && !code; k++) {
		struct pyd_plane *plane = &p->planes[k];

		if (!(plane->known[span] & PYD_QUEUED))
			continue;
		for (size_t i = 0; i < PYD_BITS_WORDS; i++) {
			pyd_addr start = start_of(p, span, k, i);
			uint64_t bits = queued_in(v, plane, span, i);

			for (; bits; bits &= bits - 1, n++)
				out->data[out->len++] =
					start +
					((pyd_addr)__builtin_ctzll(bits) << 4);
		}
		code = finish(v, plane, span, err);
	}
	p->spans[span / 64] &= ~(1ULL << (span % 64));
	p->nqueued -= n;
	v->nqueued -= n;
	return code;
}

enum pyd_code pyd_visited_next(struct pyd_visited *v, struct pyd_vec *out,
			       struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;
	const size_t end = out->len + TAKE_MAX;
	struct pyd_piece *p;

	if (!v->nqueued)
		return PYD_OK;
	for (;; v->at++) {
		if (v->at >= v->nsorted) {
			sort_pieces(v);
			v->at = 0;
		}
		if (v->all[v->at]->nqueued)
			break;
	}
	p = v->all[v->at];
	for (size_t i = 0; i < PYD_PIECE_SPANS / 64; i++)
		while (p->spans[i] && out->len < end && !code)
			code = take(
				v, p,
				i * 64 + (size_t)__builtin_ctzll(p->spans[i]),
				out, err);
	return code;
}

/* What is set aside in a word of a span. */
static uint64_t later_in(const struct pyd_visited *v,
			 const struct pyd_plane *plane, size_t span,
			 size_t word)
{
	uint32_t entry = plane->known[span];

	if (entry & PYD_LATER_ALL)
		return done_in(v, plane, span, word);
	if (entry & PYD_LATER_SOME)
		return pyd_bits_at(&v->bits, plane->later.blocks[span])[word];
	return 0;
}

enum pyd_code pyd_visited_each_later(struct pyd_visited *v,
				     enum pyd_code (*fn)(void *ctx,
							 pyd_addr addr,
							 struct pyd_err *err),
				     void *ctx, struct pyd_err *err)
{
	const size_t words = (size_t)PYD_PIECE_SPANS * PYD_BITS_WORDS;

	sort_pieces(v);
	for (size_t i = 0; i < v->n; i++) {
		const struct pyd_piece *p = v->all[i];

		for (size_t at = 0; p->nlater && at < 2 * words; at++) {
			size_t span = at / 2 / PYD_BITS_WORDS;
			size_t word = at / 2 % PYD_BITS_WORDS, k = at & 1;
			pyd_addr start = start_of(p, span, k, word);
			uint64_t bits = later_in(v, &p->planes[k], span, word);

			for (; bits; bits &= bits - 1) {
				enum pyd_code code = fn(
					ctx,
					start + ((pyd_addr)__builtin_ctzll(bits)
						 << 4),
					err);

				if (code)
					return code;
			}
		}
	}
	return PYD_OK;
}

static void free_piece(struct pyd_piece *p)
{
	for (size_t k = 0; k < 2; k++) {
		free(p->planes[k].queued.blocks);
		free(p->planes[k].later.blocks);
	}
	if (p->planes[1].known != no_spans)
		free(p->planes[1].known);
	free(p);
}

void pyd_visited_deinit(struct pyd_visited *v)
{
	for (size_t i = 0; i < v->n; i++)
		free_piece(v->all[i]);
	free(v->all);
	pyd_bits_deinit(&v->bits);
	pyd_map_deinit(&v->pieces);
	pyd_map_deinit(&v->wild);
	*v = (struct pyd_visited) { 0 };
}
