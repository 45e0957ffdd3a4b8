// SPDX-License-Identifier: Apache-2.0
#include "walk/visited.h"

#include <stdlib.h>

enum {
	WILD_MAX = 1 << 20,
	PAGE_SHIFT = 12,
	TAKE_MAX = 2048, /* queued addresses that are taken at once, about */
};

const uint64_t pyd_visited_none[PYD_PIECE_WORDS];

/* What nobody writes to: see own(). */
static uint64_t *none(void)
{
	return (uint64_t *)(uintptr_t)pyd_visited_none;
}

/* -- pieces -- */

/* Marks the pages of the piece that are inside of regions. */
static void map_pages(struct pyd_piece *p, const struct pyd_target *t)
{
	pyd_addr start = p->key << PYD_PIECE_SHIFT;

	for (size_t i = 0; i < PYD_PIECE_PAGES; i++) {
		pyd_addr at = start + (i << PAGE_SHIFT);

		/* Those of a recorded image may end inside of a page. */
		if (!t->nregions || pyd_target_region(t, at) ||
		    pyd_target_region(t, at + (1 << PAGE_SHIFT) - 1))
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
	for (size_t k = 0; k < 2; k++)
		p->planes[k].met = p->planes[k].todo = none();
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
	size_t page = (size_t)(addr >> PAGE_SHIFT) & (PYD_PIECE_PAGES - 1);

	return p->mapped[page / 64] >> (page % 64) & 1;
}

static struct pyd_plane *plane_of(struct pyd_piece *p, pyd_addr addr)
{
	return &p->planes[addr >> 3 & 1];
}

static size_t word_of(pyd_addr addr, uint64_t *ret_mask)
{
	*ret_mask = 1ULL << (addr >> 4 & 63);
	return (size_t)(addr >> 10) & (PYD_PIECE_WORDS - 1);
}

/* Makes the bits such that they can be set. */
static enum pyd_code own(uint64_t **bits, struct pyd_err *err)
{
	uint64_t *made;

	if (*bits != pyd_visited_none)
		return PYD_OK;
	made = calloc(PYD_PIECE_WORDS, sizeof(*made));
	if (!made)
		return nomem(err);
	*bits = made;
	return PYD_OK;
}

/* Gives the bits up, of which none is set. */
static void give_up(uint64_t **bits)
{
	if (*bits != pyd_visited_none)
		free(*bits);
	*bits = none();
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
	size_t word;
	uint64_t mask;
};

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
	ret->plane = plane_of(p, addr);
	ret->word = word_of(addr, &ret->mask);
	ret->piece = p;
	return PYD_OK;
}

static bool is_known(const struct pyd_plane *plane, size_t word, uint64_t mask)
{
	return (plane->met[word] | plane->todo[word]) & mask;
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
	*ret_new = !is_known(at.plane, at.word, at.mask);
	if (!*ret_new)
		return PYD_OK;
	code = own(&at.plane->met, err);
	if (!code)
		at.plane->met[at.word] |= at.mask;
	return code;
}

enum pyd_code pyd_visited_queue(struct pyd_visited *v,
				const struct pyd_target *t, pyd_addr addr,
				bool *ret_new, bool *ret_queued,
				struct pyd_err *err)
{
	struct place at;
	enum pyd_code code = place_of(v, t, addr, &at, err);

	*ret_queued = false;
	if (code)
		return code;
	if (!at.piece)
		return add_wild(v, addr, ret_new, err);
	*ret_new = !is_known(at.plane, at.word, at.mask);
	if (!*ret_new)
		return PYD_OK;
	code = own(&at.plane->todo, err);
	if (code)
		return code;
	at.plane->todo[at.word] |= at.mask;
	at.piece->words[at.word / 64] |= 1ULL << (at.word % 64);
	at.piece->nqueued++;
	v->nqueued++;
	*ret_queued = true;
	return PYD_OK;
}

bool pyd_visited_has(const struct pyd_visited *v, pyd_addr addr)
{
	const struct pyd_plane *plane;
	struct pyd_piece *p;
	uint64_t found, mask;
	size_t word;

	if (pyd_map_get(&v->wild, addr, &found))
		return true;
	p = addr % 8 ? NULL : find(v, addr);
	if (!p)
		return false;
	plane = plane_of(p, addr);
	word = word_of(addr, &mask);
	return is_known(plane, word, mask);
}

/* -- what is to be done -- */

enum pyd_code pyd_visited_later(struct pyd_visited *v, pyd_addr addr,
				bool *ret_done, struct pyd_err *err)
{
	struct pyd_piece *p = addr % 8 ? NULL : find(v, addr);
	struct pyd_plane *plane;
	uint64_t mask;
	size_t word;
	enum pyd_code code;

	*ret_done = false;
	if (!p || !is_mapped(p, addr))
		return PYD_OK;
	plane = plane_of(p, addr);
	word = word_of(addr, &mask);
	if (!(plane->met[word] & mask))
		return PYD_OK;
	code = own(&plane->todo, err);
	if (code)
		return code;
	plane->todo[word] |= mask;
	p->nlater++;
	*ret_done = true;
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

/* Takes what is queued in a word: it is met, from now on. */
static enum pyd_code take(struct pyd_visited *v, struct pyd_piece *p,
			  size_t word, struct pyd_vec *out, struct pyd_err *err)
{
	pyd_addr start = (p->key << PYD_PIECE_SHIFT) + (word << 10);
	size_t n = 0;
	enum pyd_code code = pyd_vec_reserve(out, 128, err);

	for (size_t k = 0; k < 2 && !code; k++) {
		struct pyd_plane *plane = &p->planes[k];
		uint64_t bits = plane->todo[word] & ~plane->met[word];

		if (!bits)
			continue;
		code = own(&plane->met, err);
		if (code)
			break;
		plane->todo[word] &= ~bits;
		plane->met[word] |= bits;
		for (; bits; bits &= bits - 1, n++)
			out->data[out->len++] =
				start + 8 * k +
				((pyd_addr)__builtin_ctzll(bits) << 4);
	}
	p->words[word / 64] &= ~(1ULL << (word % 64));
	p->nqueued -= n;
	v->nqueued -= n;
	return code;
}

/* Of a piece in which nothing is left to do. */
static void settle(struct pyd_piece *p)
{
	if (p->nqueued || p->nlater)
		return;
	for (size_t k = 0; k < 2; k++)
		give_up(&p->planes[k].todo);
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
	for (size_t i = 0; i < PYD_PIECE_WORDS / 64; i++)
		while (p->words[i] && out->len < end && !code)
			code = take(
				v, p,
				i * 64 + (size_t)__builtin_ctzll(p->words[i]),
				out, err);
	settle(p);
	return code;
}

enum pyd_code pyd_visited_each_later(struct pyd_visited *v,
				     enum pyd_code (*fn)(void *ctx,
							 pyd_addr addr,
							 struct pyd_err *err),
				     void *ctx, struct pyd_err *err)
{
	sort_pieces(v);
	for (size_t i = 0; i < v->n; i++) {
		const struct pyd_piece *p = v->all[i];
		pyd_addr start = p->key << PYD_PIECE_SHIFT;

		for (size_t at = 0; p->nlater && at < 2 * PYD_PIECE_WORDS;
		     at++) {
			const struct pyd_plane *plane = &p->planes[at & 1];
			size_t word = at / 2;
			uint64_t bits;

			bits = plane->todo[word] & plane->met[word];
			for (; bits; bits &= bits - 1) {
				pyd_addr addr =
					start + (word << 10) +
					((pyd_addr)__builtin_ctzll(bits) << 4) +
					(at & 1 ? 8 : 0);
				enum pyd_code code = fn(ctx, addr, err);

				if (code)
					return code;
			}
		}
	}
	return PYD_OK;
}

void pyd_visited_deinit(struct pyd_visited *v)
{
	for (size_t i = 0; i < v->n; i++) {
		for (size_t k = 0; k < 2; k++) {
			give_up(&v->all[i]->planes[k].met);
			give_up(&v->all[i]->planes[k].todo);
		}
		free(v->all[i]);
	}
	free(v->all);
	pyd_map_deinit(&v->pieces);
	pyd_map_deinit(&v->wild);
	*v = (struct pyd_visited) { 0 };
}
