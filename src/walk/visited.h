/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses that the walk has met, and what became of them. Each 16 bytes
 * of a span in which something was met have one bit; a second one where some of
 * the span is queued and some is done, which ends when all of it is done. Only
 * addresses inside mapped regions go in, so a target full of wild pointers
 * cannot make it grow.
 */
#ifndef PYD_WALK_VISITED_H
#define PYD_WALK_VISITED_H

#include "base/buf.h"
#include "base/map.h"
#include "target/target.h"
#include "walk/bits.h"

enum {
	PYD_PIECE_SHIFT = 20,
	PYD_SPAN_SHIFT = 13, /* two pages: a block of bits */
	PYD_PIECE_SPANS = 1 << (PYD_PIECE_SHIFT - PYD_SPAN_SHIFT),
	PYD_PAGE_SHIFT = 12, /* what is mapped is known by this much */
	PYD_PIECE_PAGES = 1 << (PYD_PIECE_SHIFT - PYD_PAGE_SHIFT),
	PYD_PIECES_NEAR = 16384, /* a power of two: 16 GB */
};

/* Flags of a span, below the number of its block. What is known is queued or
 * done; what is done may be set aside, to be done again later. */
enum {
	PYD_QUEUED_ALL = 1,  /* all that is known is queued */
	PYD_QUEUED_SOME = 2, /* that of which a block has the bits */
	PYD_QUEUED = PYD_QUEUED_ALL | PYD_QUEUED_SOME,
	PYD_LATER_ALL = 4, /* all that is done is set aside */
	PYD_LATER_SOME = 8,
	PYD_LATER = PYD_LATER_ALL | PYD_LATER_SOME,
	PYD_FLAG_BITS = 4,
};

/* The blocks of some spans. */
struct pyd_split {
	uint32_t *blocks; /* PYD_PIECE_SPANS; NULL when there are none */
	uint32_t n;
};

/* What lies at multiples of 16; what lies at 8 beside them, which is rare, has
 * a plane of its own. */
struct pyd_plane {
	/* PYD_PIECE_SPANS: block << PYD_FLAG_BITS and flags, 0 where nothing
	 * is known. Of multiples of 16 the piece's own, else shared zeros
	 * until one is set. */
	uint32_t *known;
	struct pyd_split queued, later; /* where PYD_..._SOME is set */
};

struct pyd_piece {
	uint64_t key; /* address >> PYD_PIECE_SHIFT */
	uint64_t mapped[PYD_PIECE_PAGES / 64];
	/* Spans in which something is queued, of either plane. */
	uint64_t spans[PYD_PIECE_SPANS / 64];
	struct pyd_plane planes[2];
	uint32_t nqueued, nlater;
	uint32_t known[PYD_PIECE_SPANS]; /* of planes[0] */
};

struct pyd_visited {
	struct pyd_bits bits;
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
	size_t span = (size_t)(addr >> PYD_SPAN_SHIFT) & (PYD_PIECE_SPANS - 1);
	size_t page = (size_t)(addr >> PYD_PAGE_SHIFT) & (PYD_PIECE_PAGES - 1);
	size_t word = (size_t)(addr >> 10) & (PYD_BITS_WORDS - 1);
	uint64_t mask = 1ULL << (addr >> 4 & 63), *known;
	struct pyd_plane *plane;
	uint32_t entry;

	if (!p || addr & 7)
		return false;
	/* One look less at memory that may be far, for nearly all. */
	plane = &p->planes[addr >> 3 & 1];
	entry = addr & 8 ? plane->known[span] : p->known[span];
	if (!entry)
		return false;
	known = pyd_bits_at(&v->bits, entry >> PYD_FLAG_BITS) + word;
	if (*known & mask)
		return true;
	if (!(entry & PYD_QUEUED) || !(p->mapped[page / 64] >> (page % 64) & 1))
		return false;
	if (entry & PYD_QUEUED_SOME)
		pyd_bits_at(&v->bits, plane->queued.blocks[span])[word] |= mask;
	*known |= mask;
	p->spans[span / 64] |= 1ULL << (span % 64);
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
