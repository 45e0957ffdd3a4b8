/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses that the walk has met, and what became of them: two bits for
 * each 16 bytes of mapped memory, in pieces that exist once an address of
 * theirs is met. Only addresses inside mapped regions go in, so a target full
 * of wild pointers cannot make it grow.
 */
#ifndef PYD_WALK_VISITED_H
#define PYD_WALK_VISITED_H

#include "base/buf.h"
#include "base/map.h"
#include "target/target.h"

enum {
	PYD_PIECE_SHIFT = 20,
	PYD_PIECE_WORDS = (1 << PYD_PIECE_SHIFT) / 16 / 64,
	PYD_PIECE_PAGES = (1 << PYD_PIECE_SHIFT) / 4096,
	PYD_PIECES_NEAR = 4096, /* a power of two */
};

/*
 * What lies at multiples of 16, and what at 8 beside them, which is rare, has
 * bits of its own. met and todo say together: neither: not met; todo alone:
 * queued; met: done; both: read, but to be written later. So that what is
 * queued takes one bit, and what is done as well.
 */
struct pyd_plane {
	uint64_t *met;	/* PYD_PIECE_WORDS; shared zeros until one is set */
	uint64_t *todo; /* likewise */
};

struct pyd_piece {
	uint64_t key; /* address >> PYD_PIECE_SHIFT */
	uint64_t mapped[PYD_PIECE_PAGES / 64];
	struct pyd_plane planes[2];
	/* Words in which something is queued, of either plane. */
	uint64_t words[PYD_PIECE_WORDS / 64];
	size_t nqueued, nlater;
};

struct pyd_visited {
	struct pyd_map pieces; /* address >> PYD_PIECE_SHIFT -> piece */
	struct pyd_piece *near[PYD_PIECES_NEAR]; /* some, by the low bits */
	/* All of them, ordered by address up to nsorted. */
	struct pyd_piece **all;
	size_t n, cap, nsorted;
	size_t at; /* in all: where the sweep is */
	uint64_t nqueued;
	/* Addresses outside all regions, or unaligned; bounded. */
	struct pyd_map wild;
};

extern const uint64_t pyd_visited_none[PYD_PIECE_WORDS];

/* The piece of an address, if it is among those near; else NULL. */
static inline struct pyd_piece *pyd_visited_near(const struct pyd_visited *v,
						 pyd_addr addr)
{
	uint64_t key = addr >> PYD_PIECE_SHIFT;
	struct pyd_piece *p = v->near[key & (PYD_PIECES_NEAR - 1)];

	return p && p->key == key ? p : NULL;
}

/* Queues addr, or sees that it was met, where that takes no more than a look
 * at the bits: of most addresses. False: see pyd_visited_queue(). */
static inline bool pyd_visited_quick(struct pyd_visited *v, pyd_addr addr)
{
	struct pyd_piece *p = pyd_visited_near(v, addr);
	size_t word = (size_t)(addr >> 10) & (PYD_PIECE_WORDS - 1);
	size_t page = (size_t)(addr >> 12) & (PYD_PIECE_PAGES - 1);
	uint64_t mask = 1ULL << (addr >> 4 & 63);
	struct pyd_plane *plane;

	if (!p || addr & 7)
		return false;
	plane = &p->planes[addr >> 3 & 1];
	if ((plane->met[word] | plane->todo[word]) & mask)
		return true;
	if (plane->todo == pyd_visited_none ||
	    !(p->mapped[page / 64] >> (page % 64) & 1))
		return false;
	plane->todo[word] |= mask;
	p->words[word / 64] |= 1ULL << (word % 64);
	p->nqueued++;
	v->nqueued++;
	return true;
}

/* True in *ret_new when addr was not in the set; now it is. */
PYD_MUST_CHECK enum pyd_code pyd_visited_add(struct pyd_visited *v,
					     const struct pyd_target *t,
					     pyd_addr addr, bool *ret_new,
					     struct pyd_err *err);
bool pyd_visited_has(const struct pyd_visited *v, pyd_addr addr);

/* The same, and queues it when it is new. False in *ret_queued for one that
 * has no bits: it is outside all regions. */
PYD_MUST_CHECK enum pyd_code pyd_visited_queue(struct pyd_visited *v,
					       const struct pyd_target *t,
					       pyd_addr addr, bool *ret_new,
					       bool *ret_queued,
					       struct pyd_err *err);
/* Takes some that are queued and near each other, by address, and appends them
 * to out: at least one if there is any. */
PYD_MUST_CHECK enum pyd_code pyd_visited_next(struct pyd_visited *v,
					      struct pyd_vec *out,
					      struct pyd_err *err);
/* Sets one that was added aside, to be written later. False in *ret_done, and
 * nothing done, for one that has no bits. */
PYD_MUST_CHECK enum pyd_code pyd_visited_later(struct pyd_visited *v,
					       pyd_addr addr, bool *ret_done,
					       struct pyd_err *err);
/* Calls fn for all that were set aside, by address. */
PYD_MUST_CHECK enum pyd_code pyd_visited_each_later(
	struct pyd_visited *v,
	enum pyd_code (*fn)(void *ctx, pyd_addr addr, struct pyd_err *err),
	void *ctx, struct pyd_err *err);
void pyd_visited_deinit(struct pyd_visited *v);

#endif
