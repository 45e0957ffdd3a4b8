// SPDX-License-Identifier: Apache-2.0
#include "target/outside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "target/bulk.h"
#include "target/copy.h"
#include "target/pagemap.h"

/* More would be a pause that a fork is to avoid. */
#define COPY_LIMIT ((uint64_t)64 << 20)

const char *pyd_outside_word(enum pyd_outside_why why)
{
	static const char *const words[] = {
		[PYD_OUTSIDE_DONTFORK] = "dontfork",
		[PYD_OUTSIDE_WIPEONFORK] = "wipeonfork",
		[PYD_OUTSIDE_SHARED] = "shared",
		[PYD_OUTSIDE_DEVICE] = "device",
		[PYD_OUTSIDE_UNREADABLE] = "unreadable",
	};

	return words[why];
}

bool pyd_region_is_device(const struct pyd_region *r)
{
	/* Of a driver that gives a handle without a name (vfio, kvm, a
	 * graphics card), or buffers that devices share. */
	if (!strncmp(r->path, "anon_inode:", 11) ||
	    !strncmp(r->path, "/dmabuf:", 8))
		return true;
	return !strncmp(r->path, "/dev/", 5) &&
	       strncmp(r->path, "/dev/zero", 9) &&
	       strncmp(r->path, "/dev/shm/", 9) &&
	       strncmp(r->path, "/dev/hugepages", 14);
}

static int by_start(const void *a, const void *b)
{
	const struct pyd_outside_range *x = a;
	const struct pyd_outside_range *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

enum pyd_code pyd_outside_add(struct pyd_outside *o, const struct pyd_region *r,
			      enum pyd_outside_why why, struct pyd_err *err)
{
	if (o->n == o->cap) {
		size_t cap = o->cap ? o->cap * 2 : 16;
		struct pyd_outside_range *v = realloc(o->v, cap * sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		o->v = v;
		o->cap = cap;
	}

	char *path = strdup(r->path);

	if (!path)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	o->v[o->n++] = (struct pyd_outside_range) {
		.start = r->start,
		.end = r->end,
		.why = why,
		.path = path,
	};
	return PYD_OK;
}

void pyd_outside_deinit(struct pyd_outside *o)
{
	for (size_t i = 0; i < o->n; i++) {
		free(o->v[i].path);
		if (o->v[i].data)
			munmap(o->v[i].data, o->v[i].mapped);
	}
	free(o->v);
	pyd_maps_deinit(&o->maps);
	*o = (struct pyd_outside) { 0 };
}

/* -- what the child lacks -- */

/* The pages of g that are in use; the others are zeros already. */
static enum pyd_code read_pages(const struct pyd_process *p,
				const struct pyd_outside_range *g,
				const struct pyd_page_runs *runs,
				struct pyd_vec *bad, struct pyd_err *err)
{
	size_t cap = runs->n + (size_t)(COPY_LIMIT / PYD_PIECE_MAX) + 1;
	struct pyd_piece *v = calloc(cap, sizeof(*v));
	enum pyd_code code;
	size_t n = 0;

	if (!v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; i < runs->n; i++)
		for (pyd_addr at = runs->v[i].start;
		     at < runs->v[i].end && n < cap; n++) {
			size_t len = (size_t)(runs->v[i].end - at);

			len = len < PYD_PIECE_MAX ? len : PYD_PIECE_MAX;
			v[n] = (struct pyd_piece) {
				.start = at,
				.len = len,
				.to = g->data + (at - g->start),
			};
			at += len;
		}
	code = pyd_bulk_read(p, v, n, 0, NULL, bad, err);
	free(v);
	return code;
}

/* All of it or nothing. */
static enum pyd_code copy_range(const struct pyd_process *p,
				struct pyd_pagemap *pm,
				struct pyd_outside_range *g,
				struct pyd_err *err)
{
	size_t len = (size_t)(g->end - g->start);
	struct pyd_page_runs runs = { 0 };
	struct pyd_vec bad = { 0 };
	bool guard = false;
	void *data = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	enum pyd_code code;

	if (data == MAP_FAILED)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	g->data = data;
	g->mapped = len;
	code = pyd_pagemap_scan(pm, g->start, g->end, &runs, err);
	for (size_t i = 0; i < runs.n; i++)
		guard |= runs.v[i].guard;
	if (!code && !guard)
		code = read_pages(p, g, &runs, &bad, err);
	if (code || guard || bad.len) {
		munmap(g->data, g->mapped);
		g->data = NULL;
	}
	pyd_page_runs_deinit(&runs);
	pyd_vec_deinit(&bad);
	return code == PYD_PERM || code == PYD_LIMIT ? PYD_OK : code;
}

/* As shared memory. */
static bool was_copied(const struct pyd_outside *o, pyd_addr start)
{
	size_t lo = 0;
	size_t hi = o->nshared;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (o->v[mid].end <= start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < o->nshared && o->v[lo].start <= start;
}

static enum pyd_code copy_missing(const struct pyd_process *p,
				  const struct pyd_maps *child,
				  struct pyd_outside *o, struct pyd_err *err)
{
	uint64_t left = COPY_LIMIT;
	struct pyd_pagemap pm;
	enum pyd_code code = pyd_pagemap_open(p->pid, &pm, err);

	if (code)
		return code;
	for (size_t i = 0; i < o->maps.n && !code; i++) {
		const struct pyd_region *r = &o->maps.regions[i];

		if (pyd_regions_find(child->regions, child->n, r->start) ||
		    was_copied(o, r->start))
			continue;
		code = pyd_outside_add(o, r,
				       pyd_region_is_device(r)
					       ? PYD_OUTSIDE_DEVICE
					       : PYD_OUTSIDE_DONTFORK,
				       err);
		if (code || r->end - r->start > left ||
		    !(r->prot & PYD_PROT_R) || !pyd_region_is_anonymous(r))
			continue;
		left -= r->end - r->start;
		code = copy_range(p, &pm, &o->v[o->n - 1], err);
	}
	pyd_pagemap_close(&pm);
	return code;
}

enum pyd_code pyd_outside_take(const struct pyd_process *p, pid_t child,
			       struct pyd_outside *o, struct pyd_err *err)
{
	struct pyd_maps maps = { 0 };
	struct pyd_proc_stat mine = { 0 }, its = { 0 };
	enum pyd_code code = pyd_procfs_stat(p->pid, 0, &mine, err);

	if (!code)
		code = pyd_procfs_stat(child, 0, &its, err);
	/* The kernel counts what it maps: equal when nothing is missing. */
	if (code || mine.vsize == its.vsize)
		return code;
	code = pyd_maps_read(p->pid, &o->maps, err);
	if (!code)
		code = pyd_maps_read(child, &maps, err);
	if (!code)
		code = copy_missing(p, &maps, o, err);
	pyd_maps_deinit(&maps);
	return code;
}

/* -- what the child has -- */

enum { SMAPS_MAX = 1 << 30 };

static enum pyd_code look_at(struct pyd_outside *o, const struct pyd_region *r,
			     const char *flags, struct pyd_err *err)
{
	if (!(r->prot & PYD_PROT_R) || !strncmp(r->path, "[v", 2))
		return PYD_OK;
	if (pyd_region_is_device(r) || strstr(flags, " io ") ||
	    strstr(flags, " pf "))
		return pyd_outside_add(o, r, PYD_OUTSIDE_DEVICE, err);
	if (strstr(flags, " wf "))
		return pyd_outside_add(o, r, PYD_OUTSIDE_WIPEONFORK, err);
	if (pyd_region_is_shared(r))
		return was_copied(o, r->start)
			       ? PYD_OK
			       : pyd_outside_add(o, r, PYD_OUTSIDE_SHARED, err);
	return PYD_OK;
}

/* A line of maps begins with hex digits, the others with a capital letter that
 * is followed by a name and a colon. */
static bool is_range(const char *line)
{
	size_t n = strspn(line, "0123456789abcdef");

	return n && line[n] == '-';
}

static enum pyd_code look_through(char *text, struct pyd_outside *o,
				  struct pyd_err *err)
{
	const char *range = NULL;
	enum pyd_code code = PYD_OK;
	bool any = false;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line && !code;
	     line = strtok_r(NULL, "\n", &save)) {
		char one[8192], flags[512];
		struct pyd_maps m = { 0 };
		int n;

		if (is_range(line)) {
			range = line;
			continue;
		}
		if (strncmp(line, "VmFlags:", 8) || !range)
			continue;
		any = true;
		snprintf(flags, sizeof(flags), "%s ", line + 8);
		n = snprintf(one, sizeof(one), "%s\n", range);
		if (n < 0 || (size_t)n >= sizeof(one))
			return pyd_err_set(err, PYD_UNSUPPORTED,
					   "smaps: a line is too long");
		code = pyd_maps_parse(one, (size_t)n, &m, err);
		if (!code && m.n)
			code = look_at(o, &m.regions[0], flags, err);
		pyd_maps_deinit(&m);
		range = NULL;
	}
	if (!code && !any)
		return pyd_err_set(err, PYD_UNSUPPORTED,
				   "the kernel does not tell which memory a "
				   "fork wipes");
	return code;
}

static void sort(struct pyd_outside *o)
{
	if (o->n)
		qsort(o->v, o->n, sizeof(*o->v), by_start);
	o->nshared = 0;
}

enum pyd_code pyd_outside_look(pid_t child, struct pyd_outside *o,
			       struct pyd_err *err)
{
	struct pyd_buf buf = { 0 };
	enum pyd_code code =
		pyd_procfs_read(child, "smaps", SMAPS_MAX, &buf, err);

	if (!code)
		code = look_through((char *)buf.data, o, err);
	pyd_buf_deinit(&buf);
	sort(o);
	return code;
}

enum pyd_code pyd_outside_list(const struct pyd_target *t, bool stands,
			       struct pyd_outside *o, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	for (size_t i = 0; i < t->nregions && !code; i++)
		if (!stands || pyd_region_is_device(&t->regions[i]))
			code = look_at(o, &t->regions[i], "", err);
	sort(o);
	return code;
}

enum pyd_code pyd_outside_unread(const struct pyd_target *t,
				 const struct pyd_vec *unread,
				 struct pyd_outside *o, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	for (size_t i = 0; i + 1 < unread->len && !code; i += 2) {
		struct pyd_region r = {
			.start = unread->data[i],
			.end = unread->data[i + 1],
			.path = "",
		};
		const struct pyd_region *in = pyd_target_region(t, r.start);
		struct pyd_outside_range *last = o->n ? &o->v[o->n - 1] : NULL;

		if (in)
			r.path = in->path;
		if (last && last->why == PYD_OUTSIDE_UNREADABLE &&
		    last->end == r.start && !strcmp(last->path, r.path))
			last->end = r.end;
		else
			code = pyd_outside_add(o, &r, PYD_OUTSIDE_UNREADABLE,
					       err);
	}
	sort(o);
	return code;
}

/* -- reading -- */

struct outside {
	struct pyd_target base;
	const struct pyd_outside *o;
	struct pyd_target *inner;
};

/* The first range that ends above addr; NULL when there is none. */
static const struct pyd_outside_range *seek(const struct pyd_outside *o,
					    pyd_addr addr)
{
	size_t lo = 0;
	size_t hi = o->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr >= o->v[mid].end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < o->n ? &o->v[lo] : NULL;
}

static enum pyd_code refuse(const struct pyd_outside_range *g, pyd_addr addr,
			    struct pyd_err *err)
{
	const char *why = "a fork does not get this memory (MADV_DONTFORK); "
			  "--capture=copy has it";

	if (g->why == PYD_OUTSIDE_WIPEONFORK)
		why = "a fork gets zeros for this memory (MADV_WIPEONFORK); "
		      "--capture=copy has it";
	else if (g->why == PYD_OUTSIDE_DEVICE)
		why = "this is the memory of a device, which is not read";
	else if (g->why == PYD_OUTSIDE_SHARED)
		why = "this memory is shared, and there is more of it than "
		      "is copied; --capture=stop reads it";
	else if (g->why == PYD_OUTSIDE_UNREADABLE)
		why = "memory was not readable";
	return pyd_err_at(err, PYD_FAULT, addr, "0x%llx: %s",
			  (unsigned long long)addr, why);
}

static enum pyd_code outside_read(struct pyd_target *t, pyd_addr addr,
				  void *buf, size_t len, struct pyd_err *err)
{
	struct outside *s = (struct outside *)t;
	uint8_t *to = buf;

	while (len) {
		const struct pyd_outside_range *g = seek(s->o, addr);
		enum pyd_code code;
		size_t n = len;

		if (!g || g->start > addr) {
			if (g && n > g->start - addr)
				n = (size_t)(g->start - addr);
			code = pyd_target_read(s->inner, addr, to, n, err);
			if (code)
				return code;
		} else if (!g->data) {
			return refuse(g, addr, err);
		} else {
			if (n > g->end - addr)
				n = (size_t)(g->end - addr);
			memcpy(to, g->data + (addr - g->start), n);
		}
		addr += n;
		to += n;
		len -= n;
	}
	return PYD_OK;
}

static void outside_destroy(struct pyd_target *t)
{
	free(t);
}

static const struct pyd_target_ops outside_ops = {
	.name = "outside",
	.read = outside_read,
	.destroy = outside_destroy,
};

enum pyd_code pyd_target_outside_create(const struct pyd_outside *o,
					struct pyd_target *inner,
					struct pyd_target **ret,
					struct pyd_err *err)
{
	struct outside *s = calloc(1, sizeof(*s));

	if (!s)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	s->base = (struct pyd_target) {
		.ops = &outside_ops,
		.pid = inner->pid,
		.regions = o->maps.n ? o->maps.regions : inner->regions,
		.nregions = o->maps.n ? o->maps.n : inner->nregions,
	};
	s->o = o;
	s->inner = inner;
	*ret = &s->base;
	return PYD_OK;
}
