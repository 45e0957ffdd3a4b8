// SPDX-License-Identifier: Apache-2.0
/* What gdb leaves out of a core. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target/core_private.h"

/*
 * Where gdb cannot read (guard pages at the end of thread stacks since glibc
 * 2.42 are such), it goes on with the next segment: what is left reads as
 * zeros. It is told from zeros by being a hole in the file; of a copy without
 * holes, by a stack that is zeros where it is in use.
 */
struct split {
	struct pyd_core_load *v;
	size_t n, cap;
};

static enum pyd_code add_piece(struct pyd_core *c, struct split *to,
			       const struct pyd_core_load *l, pyd_addr start,
			       pyd_addr end, bool unwritten,
			       struct pyd_err *err)
{
	if (start >= end)
		return PYD_OK;
	if (to->n == to->cap) {
		size_t cap = to->cap ? 2 * to->cap : 256;
		struct pyd_core_load *v = realloc(to->v, cap * sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		to->v = v;
		to->cap = cap;
	}
	to->v[to->n++] = (struct pyd_core_load) {
		.start = start,
		.end = end,
		.offset = l->offset + (start - l->start),
		.size = unwritten ? 0 : end - start,
		.prot = l->prot,
		.unwritten = unwritten,
	};
	if (unwritten)
		c->info.unwritten += end - start;
	return PYD_OK;
}

/* The segment in pieces, as the holes of the file are. */
static enum pyd_code split_load(struct pyd_core *c, struct split *to,
				const struct pyd_core_load *l,
				struct pyd_err *err)
{
	uint64_t last = l->offset + l->size;
	pyd_addr at = l->start;

	while (at < l->end) {
		uint64_t from = l->offset + (at - l->start);
		off_t hole = lseek(c->fd, (off_t)from, SEEK_HOLE);
		off_t data;
		pyd_addr start, end;
		enum pyd_code code;

		/* Where a core is cut, there is none. */
		if (hole < 0 || (uint64_t)hole >= last ||
		    (uint64_t)hole >= c->info.have)
			break;
		data = lseek(c->fd, hole, SEEK_DATA);
		if (data < 0 || (uint64_t)data > last)
			data = (off_t)last;
		/* Chunks of gdb begin and end with pages, holes with blocks of
		 * the file. */
		start = (l->start + ((uint64_t)hole - l->offset)) & ~0xfffULL;
		end = (l->start + ((uint64_t)data - l->offset) + 0xfff) &
		      ~0xfffULL;
		if (start < at)
			start = at;
		if (end > l->end)
			end = l->end;
		code = add_piece(c, to, l, at, start, false, err);
		if (!code)
			code = add_piece(c, to, l, start, end, true, err);
		if (code)
			return code;
		at = end;
	}
	return add_piece(c, to, l, at, l->end, false, err);
}

static bool is_zero_stack(struct pyd_core *c, const struct pyd_core_load *l)
{
	static const uint8_t zeros[256];
	uint8_t buf[256];

	for (size_t i = 0; i < c->info.threads.n; i++) {
		pyd_addr sp = c->info.threads.v[i].regs.sp;

		if (sp >= l->start && sp < l->end &&
		    l->end - sp >= sizeof(buf) &&
		    pread(c->fd, buf, sizeof(buf),
			  (off_t)(l->offset + (sp - l->start))) ==
			    sizeof(buf) &&
		    !memcmp(buf, zeros, sizeof(buf)))
			return true;
	}
	return false;
}

enum pyd_code pyd_core_find_unwritten(struct pyd_core *c, struct pyd_err *err)
{
	struct split to = { 0 };
	enum pyd_code code = PYD_OK;

	for (size_t i = 0; i < c->nloads && !code; i++) {
		const struct pyd_core_load *l = &c->loads[i];
		bool whole = l->size == l->end - l->start &&
			     l->prot & PYD_PROT_W && !(l->start & 0xfff);

		if (whole && is_zero_stack(c, l))
			code = add_piece(c, &to, l, l->start, l->end, true,
					 err);
		/* Of a compressed one the holes are ours. */
		else if (whole && !c->info.compression &&
			 to.n < PYD_CORE_LOADS_MAX)
			code = split_load(c, &to, l, err);
		else
			code = add_piece(c, &to, l, l->start, l->end, false,
					 err);
		if (!code && !whole && to.n)
			to.v[to.n - 1].size = l->size;
	}
	if (code) {
		free(to.v);
		return code;
	}
	free(c->loads);
	c->loads = to.v;
	c->nloads = to.n;
	return PYD_OK;
}
