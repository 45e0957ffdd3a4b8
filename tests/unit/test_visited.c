// SPDX-License-Identifier: Apache-2.0
/* The visited set and its queue; texts that are held. */
#include <criterion/criterion.h>
#include <string.h>

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

struct seen {
	size_t n;
	pyd_addr type;
};

static enum pyd_code check(void *ctx, struct pyd_node *n, struct pyd_err *err)
{
	struct seen *s = ctx;

	(void)err;
	cr_assert_eq(n->addr, 16 + 16 * s->n);
	cr_assert_eq(n->type, s->type + s->n % 3);
	cr_assert_eq(n->value.len, s->n % 50);
	cr_assert(!n->value.len || n->value.data[0] == (uint8_t)s->n);
	s->n++;
	return PYD_OK;
}

enum { MAX = 4 << 20 };

Test(held, what_goes_in_comes_out_until_it_is_full)
{
	static uint8_t bytes[64];
	struct pyd_held h = { 0 };
	struct seen s = { .type = 0x1000 };
	struct pyd_node n = { .kind = PYD_KIND_str, .size = 50, .refcnt = 1 };
	struct pyd_err err;
	size_t kept = 0;
	bool done = true;

	for (size_t i = 0; done; i++) {
		memset(bytes, (int)(uint8_t)i, sizeof(bytes));
		n.addr = 16 + 16 * i;
		n.type = s.type + i % 3;
		n.value = (struct pyd_buf) { bytes, i % 50, 64 };
		cr_assert(!pyd_held_add(&h, &n, MAX, &done, &err));
		kept += done;
	}
	cr_assert_gt(kept * 47, MAX * 9 / 10);
	cr_assert_lt(kept * 47, MAX * 11 / 10);
	cr_assert(!pyd_held_take(&h, check, &s, &err));
	cr_assert_eq(s.n, kept);
	n.mark = PYD_MARK_TRUNCATED;
	cr_assert(!pyd_held_add(&h, &n, MAX, &done, &err) && !done);
	pyd_held_deinit(&h);
}
