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
