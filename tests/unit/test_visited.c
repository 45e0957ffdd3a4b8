// SPDX-License-Identifier: Apache-2.0
/* The visited set and its queue; texts that are held. */
#include <criterion/criterion.h>
#include <string.h>

#include "../tools/dumpgen.h"
#include "dump/held.h"
#include "walk/visited.h"

static struct pyd_region regions[] = {
	{ .start = 0x10000, .end = 0x20000, .prot = PYD_PROT_R },
	{ .start = 0x7f0000000000, .end = 0x7f0000400000, .prot = PYD_PROT_R },
};
static const struct pyd_target target = { .regions = regions, .nregions = 2 };

static enum pyd_code note(void *ctx, pyd_addr addr, struct pyd_err *err)
{
	return pyd_vec_push(ctx, addr, err);
}

Test(visited, every_address_once_and_in_order)
{
	/* Of 16, of 8, of a second piece, outside, unaligned. */
	static const pyd_addr addrs[] = { 0x7f0000200010, 0x10010, 0x10018,
					  0x7f0000000000, 0x30000, 0x10011 };
	struct pyd_visited v = { 0 };
	struct pyd_vec out = { 0 }, later = { 0 };
	struct pyd_err err;
	bool new, queued, done;

	for (size_t i = 0; i < 6; i++) {
		cr_assert(!pyd_visited_has(&v, addrs[i]));
		cr_assert(!pyd_visited_queue(&v, &target, addrs[i], &new,
					     &queued, &err));
		cr_assert(new &&queued == (i < 4));
		cr_assert(!pyd_visited_queue(&v, &target, addrs[i], &new,
					     &queued, &err));
		cr_assert(!new && !queued);
		cr_assert(pyd_visited_has(&v, addrs[i]));
	}
	while (v.nqueued)
		cr_assert(!pyd_visited_next(&v, &out, &err));
	cr_assert_eq(out.len, 4);
	for (size_t i = 1; i < out.len; i++)
		cr_assert_lt(out.data[i - 1], out.data[i]);
	cr_assert(!pyd_visited_later(&v, 0x10018, &done, &err) && done);
	cr_assert(!pyd_visited_later(&v, 0x30000, &done, &err) && !done);
	cr_assert(!pyd_visited_add(&v, &target, 0x10018, &new, &err) && !new);
	cr_assert(!pyd_visited_next(&v, &out, &err) && out.len == 4);
	cr_assert(!pyd_visited_each_later(&v, note, &later, &err));
	cr_assert(later.len == 1 && later.data[0] == 0x10018);
	pyd_vec_deinit(&out);
	pyd_vec_deinit(&later);
	pyd_visited_deinit(&v);
}

/* -- the same as a plain table, whatever is done in which order -- */

enum { SLOTS = 1 << 13 /* of 8 bytes each, across the end of a piece */ };

enum what { UNKNOWN, QUEUED, DONE, LATER };

struct model {
	struct pyd_visited v;
	enum what what[SLOTS];
	size_t nqueued;
	uint64_t rng;
	/* Slots are as dense as that, of which every so many at 8. */
	size_t dense, odd;
};

static pyd_addr addr_of(size_t slot)
{
	return (pyd_addr)(0x7f00000f8000ULL + 8 * slot);
}

static size_t slot_of(pyd_addr addr)
{
	return (size_t)(addr - addr_of(0)) / 8;
}

/* A slot, mostly near others that were picked. */
static size_t pick(struct model *m)
{
	size_t slot = gen_next(&m->rng) % (SLOTS / m->dense) * m->dense;

	return gen_next(&m->rng) % m->odd ? slot & ~(size_t)1 : slot | 1;
}

static void meet(struct model *m, bool queues)
{
	size_t slot = pick(m);
	bool new, queued = false;
	struct pyd_err err;

	if (queues && pyd_visited_quick(&m->v, addr_of(slot))) {
		if (m->what[slot] == UNKNOWN) {
			m->what[slot] = QUEUED;
			m->nqueued++;
		}
		return;
	}
	if (queues)
		cr_assert(!pyd_visited_queue(&m->v, &target, addr_of(slot),
					     &new, &queued, &err));
	else
		cr_assert(!pyd_visited_add(&m->v, &target, addr_of(slot), &new,
					   &err));
	cr_assert_eq(new, m->what[slot] == UNKNOWN);
	cr_assert_eq(queued, new &&queues);
	if (new)
		m->what[slot] = queues ? QUEUED : DONE;
	m->nqueued += queued;
}

static void set_aside(struct model *m, size_t slot)
{
	struct pyd_err err;
	bool is_done = m->what[slot] == DONE || m->what[slot] == LATER, done;

	cr_assert(!pyd_visited_later(&m->v, addr_of(slot), &done, &err));
	cr_assert_eq(done, is_done);
	if (done)
		m->what[slot] = LATER;
}

static void take_some(struct model *m, bool aside)
{
	struct pyd_vec out = { 0 };
	struct pyd_err err;

	cr_assert(!pyd_visited_next(&m->v, &out, &err));
	cr_assert_eq(!out.len, !m->nqueued);
	for (size_t i = 0; i < out.len; i++) {
		size_t slot = slot_of(out.data[i]);

		cr_assert(slot < SLOTS && m->what[slot] == QUEUED);
		m->what[slot] = DONE;
	}
	m->nqueued -= out.len;
	for (size_t i = 0; aside && i < out.len; i++)
		set_aside(m, slot_of(out.data[i]));
	pyd_vec_deinit(&out);
}

static void compare(struct model *m)
{
	struct pyd_vec later = { 0 };
	struct pyd_err err;
	size_t n = 0;

	cr_assert_eq(m->v.nqueued, m->nqueued);
	cr_assert(!pyd_visited_each_later(&m->v, note, &later, &err));
	for (size_t i = 0; i < later.len; i++)
		cr_assert_eq(m->what[slot_of(later.data[i])], LATER);
	for (size_t i = 0; i < SLOTS; i++) {
		cr_assert_eq(pyd_visited_has(&m->v, addr_of(i)),
			     m->what[i] != UNKNOWN);
		n += m->what[i] == LATER;
	}
	cr_assert_eq(n, later.len);
	pyd_vec_deinit(&later);
}

Test(visited, the_same_as_a_table)
{
	static struct model m;

	for (uint64_t seed = 1; seed < 25; seed++) {
		m = (struct model) {
			.rng = seed,
			.dense = (size_t)1 << seed % 5,
			.odd = seed % 3 ? 1000 : 4,
		};
		for (size_t i = 0; i < 6000; i++) {
			uint64_t what = gen_next(&m.rng) % 100;

			if (what < 60)
				meet(&m, true);
			else if (what < 64 + 10 * (seed % 2))
				meet(&m, false);
			else if (what < 90)
				set_aside(&m, pick(&m));
			else if (what < 90 + seed % 10)
				take_some(&m, gen_next(&m.rng) % 2);
		}
		compare(&m);
		while (m.nqueued)
			take_some(&m, true);
		compare(&m);
		pyd_visited_deinit(&m.v);
	}
}

/* -- held texts -- */

static uint8_t bytes[64];

/* The text with that number: all of it differs from its neighbours' now and
 * then, up and down, by little and by much. */
static struct pyd_node text(size_t i)
{
	static const enum pyd_kind kinds[] = { PYD_KIND_str, PYD_KIND_bytes,
					       PYD_KIND_bytearray };
	uint64_t r = i * 0x9E3779B97F4A7C15ULL;

	memset(bytes, (int)(uint8_t)i, sizeof(bytes));
	return (struct pyd_node) {
		.addr = i % 7	? 16 + 48 * i
			: i % 2 ? r
				: r & ~7ULL,
		.type = 0x1000 + (i % 5 ? 0 : i % 300),
		.kind = kinds[i % 11 % 3],
		/* Less than the value, and more than 32 bits, too. */
		.size = i % 13	? 49 + i % 50
			: i % 3 ? i % 10
				: r >> 1,
		.refcnt = i % 17 ? 1 : (uint32_t)r,
		.value = { bytes, i % 50, sizeof(bytes) },
	};
}

static enum pyd_code check(void *ctx, struct pyd_node *n, struct pyd_err *err)
{
	size_t *seen = ctx;
	struct pyd_node want = text((*seen)++);

	(void)err;
	cr_assert_eq(n->addr, want.addr);
	cr_assert_eq(n->type, want.type);
	cr_assert_eq(n->kind, want.kind);
	cr_assert_eq(n->size, want.size);
	cr_assert_eq(n->refcnt, want.refcnt);
	cr_assert_eq(n->value.len, want.value.len);
	cr_assert(!n->mark && !n->refs.len && !n->attrs.len);
	cr_assert(!n->value.len ||
		  !memcmp(n->value.data, want.value.data, n->value.len));
	return PYD_OK;
}

enum { MAX = 4 << 20 };

Test(held, what_goes_in_comes_out_until_it_is_full)
{
	struct pyd_held h = { 0 };
	struct pyd_node n;
	struct pyd_err err;
	size_t kept = 0, bytes_kept = 0, seen = 0;
	bool done = true;

	for (size_t i = 0; done; i++) {
		n = text(i);
		cr_assert(!pyd_held_add(&h, &n, MAX, &done, &err));
		kept += done;
		bytes_kept += done ? n.value.len : 0;
	}
	cr_assert_lt(bytes_kept, MAX);
	cr_assert_gt(bytes_kept + 8 * kept, MAX * 9 / 10);
	cr_assert(!pyd_held_take(&h, check, &seen, &err));
	cr_assert_eq(seen, kept);
	/* Once more from the beginning, and not what is more than a text. */
	n = text(seen = 0);
	cr_assert(!pyd_held_add(&h, &n, MAX, &done, &err) && done);
	n.mark = PYD_MARK_TRUNCATED;
	cr_assert(!pyd_held_add(&h, &n, MAX, &done, &err) && !done);
	n.mark = 0;
	n.kind = PYD_KIND_list;
	cr_assert(!pyd_held_add(&h, &n, MAX, &done, &err) && !done);
	cr_assert(!pyd_held_take(&h, check, &seen, &err) && seen == 1);
	pyd_held_deinit(&h);
}
