// SPDX-License-Identifier: Apache-2.0
#include "read/limit.h"

#include "read/object.h"
#include "target/procfs.h"

/* Steps of a loop between two looks at the clock; a power of two. */
enum { LOOK_EVERY = 1 << 16 };

uint64_t pyd_limit_items(const struct pyd_reader *r, struct pyd_node *n,
			 uint64_t count)
{
	/* A node has one mark. */
	if (!r->max_items || r->whole || count <= r->max_items || n->mark)
		return count;
	n->mark = PYD_MARK_TRUNCATED;
	n->mark_total = count;
	return r->max_items;
}

bool pyd_limit_in_pieces(const struct pyd_reader *r, const struct pyd_node *n,
			 uint64_t used, uint64_t entries)
{
	/* More than that a file does not hold; whoever reads it says so. */
	return r->pieces_min && used >= r->pieces_min && entries >= used &&
	       entries <= 1ULL << 33 && !n->mark && !n->refs.len &&
	       (r->whole || !r->max_items || used <= r->max_items);
}

enum pyd_code pyd_limit_pointers(struct pyd_reader *r, pyd_addr addr,
				 uint64_t count, struct pyd_node *n,
				 struct pyd_err *err)
{
	/* Pointers of one object: more than any address space holds. */
	const uint64_t max = 1ULL << 40;
	uint64_t want;

	if (count > max)
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "impossible item count %lld",
				  (long long)count);
	want = pyd_limit_items(r, n, count);
	if (want < count &&
	    !pyd_is_mapped(r->target, addr, count * sizeof(uint64_t)))
		return pyd_err_at(err, PYD_FAULT, addr, "items are not mapped");
	if (r->only_some && want > r->only_some &&
	    pyd_is_mapped(r->target, addr, want * sizeof(uint64_t))) {
		enum pyd_code code = pyd_target_touch(
			r->target, addr, want * sizeof(uint64_t), err);

		if (code)
			return code;
		want = r->only_some;
	}
	return pyd_read_pointers(r, addr, want, &n->refs, err);
}

static uint64_t bounded(const struct pyd_reader *r, uint64_t max)
{
	return r->whole || !max || max > PYD_BLOB_MAX ? PYD_BLOB_MAX : max;
}

uint64_t pyd_limit_string(const struct pyd_reader *r)
{
	return bounded(r, r->max_string);
}

uint64_t pyd_limit_blob(const struct pyd_reader *r)
{
	return bounded(r, r->max_blob);
}

enum pyd_code pyd_limit_time(const struct pyd_reader *r, uint64_t done,
			     struct pyd_err *err)
{
	if (!r->deadline_ns || done & (LOOK_EVERY - 1) || !done)
		return PYD_OK;
	if (pyd_now_ns() < r->deadline_ns)
		return PYD_OK;
	return pyd_err_set(err, PYD_LIMIT, "timeout inside of it");
}
