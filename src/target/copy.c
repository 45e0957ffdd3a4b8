// SPDX-License-Identifier: Apache-2.0
#include "target/copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

struct copy {
	struct pyd_target base;
	struct pyd_target_ops ops; /* for the name */
	struct pyd_copy_parts parts;
	size_t last;	/* segment of the last read */
	uint8_t recent; /* for the windows; nobody looks at it */
};

enum pyd_code pyd_copy_add(struct pyd_copy_parts *c, pyd_addr start,
			   pyd_addr end, const uint8_t *data,
			   struct pyd_err *err)
{
	struct pyd_segment *last =
		c->nsegments ? &c->segments[c->nsegments - 1] : NULL;

	if (start >= end)
		return PYD_OK;
	if (last && last->end == start && !last->data == !data &&
	    (!data || last->data + (last->end - last->start) == data)) {
		last->end = end;
		return PYD_OK;
	}
	if (c->nsegments == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 4096;
		struct pyd_segment *v = realloc(c->segments, cap * sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		c->segments = v;
		c->cap = cap;
	}
	c->segments[c->nsegments++] = (struct pyd_segment) {
		.start = start,
		.end = end,
		.data = data,
	};
	return PYD_OK;
}

enum pyd_code pyd_copy_add_bad(struct pyd_copy_parts *c, pyd_addr start,
			       pyd_addr end, struct pyd_err *err)
{
	enum pyd_code code = pyd_vec_reserve(&c->bad, 2, err);

	if (code)
		return code;
	c->bad.data[c->bad.len++] = start;
	c->bad.data[c->bad.len++] = end;
	return PYD_OK;
}

static int by_range(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Sorts, and joins what touches or overlaps. */
static void tidy_bad(struct pyd_vec *bad)
{
	size_t out = 0;

	if (!bad->len)
		return;
	qsort(bad->data, bad->len / 2, 2 * sizeof(*bad->data), by_range);
	for (size_t i = 2; i < bad->len; i += 2) {
		if (bad->data[i] > bad->data[out + 1]) {
			out += 2;
			bad->data[out] = bad->data[i];
			bad->data[out + 1] = bad->data[i + 1];
		} else if (bad->data[i + 1] > bad->data[out + 1]) {
			bad->data[out + 1] = bad->data[i + 1];
		}
	}
	bad->len = out + 2;
}

/* The lowest bad address from addr on, below addr + len; or addr + len. */
static pyd_addr first_bad(const struct pyd_vec *bad, pyd_addr addr, size_t len)
{
	size_t lo = 0;
	size_t hi = bad->len / 2;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr >= bad->data[2 * mid + 1])
			lo = mid + 1;
		else
			hi = mid;
	}
	if (2 * lo >= bad->len || bad->data[2 * lo] >= addr + len)
		return addr + len;
	return bad->data[2 * lo] > addr ? bad->data[2 * lo] : addr;
}

/* Page faults in the copy loop would cost the target ten times its pause. */
static void fault_in(uint8_t *data, size_t len)
{
	long page = sysconf(_SC_PAGESIZE);

	(void)madvise(data, len, MADV_HUGEPAGE);
	if (!madvise(data, len, MADV_POPULATE_WRITE))
		return;
	for (size_t i = 0; i < len; i += (size_t)page)
		((volatile uint8_t *)data)[i] = 0;
}

enum pyd_code pyd_copy_chunk(struct pyd_copy_parts *c, size_t len,
			     bool prefault, struct pyd_err *err)
{
	struct pyd_copy_chunk *v =
		realloc(c->chunks, (c->nchunks + 1) * sizeof(*v));

	if (!v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	c->chunks = v;
	if (prefault) /* whole huge pages */
		len = (len + (2U << 20) - 1) & ~(size_t)((2U << 20) - 1);

	void *data = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (data == MAP_FAILED)
		return pyd_err_errno(err, PYD_NOMEM, errno,
				     "no memory for a copy of %zu MiB; use "
				     "--capture=stop, which copies nothing",
				     len >> 20);
	if (prefault)
		fault_in(data, len);
	c->chunks[c->nchunks++] = (struct pyd_copy_chunk) { data, len };
	return PYD_OK;
}

void pyd_copy_trim(struct pyd_copy_parts *c, size_t used)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const struct pyd_copy_chunk *last;

	if (!c->nchunks)
		return;
	last = &c->chunks[c->nchunks - 1];
	used = (used + page - 1) & ~(page - 1);
	if (used < last->len)
		(void)madvise(last->data + used, last->len - used,
			      MADV_DONTNEED);
}

void pyd_copy_parts_deinit(struct pyd_copy_parts *c)
{
	for (size_t i = 0; i < c->nchunks; i++)
		munmap(c->chunks[i].data, c->chunks[i].len);
	free(c->chunks);
	free(c->segments);
	pyd_vec_deinit(&c->bad);
	pyd_target_destroy(c->rest);
	pyd_target_destroy(c->rest_inner);
	pyd_maps_deinit(&c->maps);
	*c = (struct pyd_copy_parts) { 0 };
}

/* The first segment that ends above addr; nsegments when there is none. */
static size_t seek(struct copy *c, pyd_addr addr)
{
	const struct pyd_segment *s = c->parts.segments;
	size_t lo = 0;
	size_t hi = c->parts.nsegments;

	if (c->last < hi && addr >= s[c->last].start && addr < s[c->last].end)
		return c->last;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr >= s[mid].end)
			lo = mid + 1;
		else
			hi = mid;
	}
	c->last = lo;
	return lo;
}

static enum pyd_code fault(pyd_addr addr, const char *why, struct pyd_err *err)
{
	return pyd_err_at(err, PYD_FAULT, addr, "%s at 0x%llx", why,
			  (unsigned long long)addr);
}

/* len bytes that no segment holds. */
static enum pyd_code read_rest(struct copy *c, pyd_addr addr, uint8_t *buf,
			       size_t len, struct pyd_err *err)
{
	while (len) {
		const struct pyd_region *r = pyd_target_region(&c->base, addr);
		enum pyd_code code;
		struct pyd_err inner;

		if (!r || !(r->prot & PYD_PROT_R))
			return fault(addr, "nothing is mapped readable", err);

		size_t n = len < r->end - addr ? len : (size_t)(r->end - addr);

		if (pyd_region_is_anonymous(r)) {
			pyd_addr bad = first_bad(&c->parts.bad, addr, n);

			if (bad != addr + n)
				return fault(bad, "memory was not readable",
					     err);
			memset(buf, 0, n);
		} else if (!c->parts.rest) {
			return fault(addr, "memory was not recorded", err);
		} else {
			code = pyd_target_read(c->parts.rest, addr, buf, n,
					       &inner);
			/* The copy outlives the process: nothing here ends
			 * the run. */
			if (code)
				return pyd_err_at(err, PYD_FAULT, addr, "%s",
						  inner.msg);
		}
		addr += n;
		buf += n;
		len -= n;
	}
	return PYD_OK;
}

/* Makes the block that holds addr one that is read without a call. */
static void show(struct copy *c, const struct pyd_segment *s, pyd_addr addr)
{
	uint64_t number = addr >> PYD_WINDOW_SHIFT;
	pyd_addr start = number << PYD_WINDOW_SHIFT;

	if (!s->data || start < s->start || s->end - start < PYD_WINDOW_BYTES)
		return;
	c->base.windows[number & (PYD_WINDOWS - 1)] = (struct pyd_window) {
		.number = number,
		.data = s->data + (start - s->start),
		.recent = &c->recent,
	};
}

static enum pyd_code copy_read(struct pyd_target *t, pyd_addr addr, void *buf,
			       size_t len, struct pyd_err *err)
{
	struct copy *c = (struct copy *)t;
	uint8_t *to = buf;

	while (len) {
		size_t i = seek(c, addr);
		const struct pyd_segment *s =
			i < c->parts.nsegments ? &c->parts.segments[i] : NULL;
		size_t n = len;

		if (s && addr >= s->start) {
			if (n > s->end - addr)
				n = (size_t)(s->end - addr);
			if (s->data)
				memcpy(to, s->data + (addr - s->start), n);
			show(c, s, addr);
			if (!s->data)
				memset(to, 0, n);
		} else {
			if (s && n > s->start - addr)
				n = (size_t)(s->start - addr);

			enum pyd_code code = read_rest(c, addr, to, n, err);

			if (code)
				return code;
		}
		addr += n;
		to += n;
		len -= n;
	}
	return PYD_OK;
}

static void copy_destroy(struct pyd_target *t)
{
	struct copy *c = (struct copy *)t;

	pyd_copy_parts_deinit(&c->parts);
	free(c->base.windows);
	free(c);
}

enum pyd_code pyd_target_copy_create(struct pyd_copy_parts *parts,
				     struct pyd_target **ret,
				     struct pyd_err *err)
{
	struct copy *c = calloc(1, sizeof(*c));
	struct pyd_window *windows = calloc(PYD_WINDOWS, sizeof(*windows));

	if (!c || !windows) {
		free(c);
		free(windows);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	tidy_bad(&parts->bad);
	c->parts = *parts;
	*parts = (struct pyd_copy_parts) { 0 };
	c->ops = (struct pyd_target_ops) {
		.name = c->parts.name,
		.read = copy_read,
		.destroy = copy_destroy,
	};
	c->base = (struct pyd_target) {
		.ops = &c->ops,
		.pid = c->parts.pid,
		.regions = c->parts.maps.regions,
		.nregions = c->parts.maps.n,
		.windows = windows,
	};
	*ret = &c->base;
	return PYD_OK;
}

const struct pyd_copy_parts *pyd_target_copy_parts(const struct pyd_target *t)
{
	const struct copy *c = (const struct copy *)t;

	return t->ops->read == copy_read ? &c->parts : NULL;
}

/* -- beyond the copy -- */

struct rest {
	struct pyd_target base;
	int memfd;
	int *files;
	int *fds;
	size_t nfds;
	uint8_t gone;
};

static enum pyd_code read_file(struct rest *r, pyd_addr addr, uint8_t *buf,
			       size_t len, struct pyd_err *err)
{
	while (len) {
		const struct pyd_region *g = pyd_regions_find(
			r->base.regions, r->base.nregions, addr);
		int fd = g ? r->files[g - r->base.regions] : -1;

		if (fd < 0)
			return fault(addr, "the process is gone", err);

		size_t n = len < g->end - addr ? len : (size_t)(g->end - addr);
		ssize_t got =
			pread(fd, buf, n,
			      (off_t)(g->file_offset + (addr - g->start)));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return fault(addr, "the mapped file is shorter", err);
		addr += (size_t)got;
		buf += got;
		len -= (size_t)got;
	}
	return PYD_OK;
}

static enum pyd_code rest_read(struct pyd_target *t, pyd_addr addr, void *buf,
			       size_t len, struct pyd_err *err)
{
	struct rest *r = (struct rest *)t;
	size_t have = 0;

	while (!r->gone && have < len) {
		if (addr + have > INT64_MAX)
			return fault(addr, "nothing is readable", err);

		ssize_t n = pread(r->memfd, (uint8_t *)buf + have, len - have,
				  (off_t)(addr + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fault(addr + have, "nothing is readable", err);
		if (!n)
			r->gone = 1;
		have += (size_t)n;
	}
	if (!r->gone)
		return PYD_OK;
	return read_file(r, addr + have, (uint8_t *)buf + have, len - have,
			 err);
}

static void rest_deinit(struct rest *r)
{
	for (size_t i = 0; i < r->nfds; i++)
		close(r->fds[i]);
	if (r->memfd >= 0)
		close(r->memfd);
	free(r->fds);
	free(r->files);
}

static void rest_destroy(struct pyd_target *t)
{
	rest_deinit((struct rest *)t);
	free(t);
}

static const struct pyd_target_ops rest_ops = {
	.name = "rest",
	.read = rest_read,
	.destroy = rest_destroy,
};

enum pyd_code pyd_target_rest_create(int memfd, const struct pyd_maps *maps,
				     int *files, int *fds, size_t nfds,
				     struct pyd_target **ret,
				     struct pyd_err *err)
{
	struct rest parts = {
		.base = {
			.ops = &rest_ops,
			.regions = maps->regions,
			.nregions = maps->n,
		},
		.memfd = memfd,
		.files = files,
		.fds = fds,
		.nfds = nfds,
	};
	struct rest *r = malloc(sizeof(*r));

	if (!r) {
		rest_deinit(&parts);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	*r = parts;
	*ret = &r->base;
	return PYD_OK;
}
