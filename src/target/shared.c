// SPDX-License-Identifier: Apache-2.0
/*
 * Memory that others can change as well. When the process runs again it may
 * hold something else, and a fork has no copy of it. So what there is of it is
 * copied while the process stands, up to a limit, and the rest is not read.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "target/bulk.h"
#include "target/outside.h"

/* More would be a pause that nobody expects: 3 ms. */
#define SHARED_LIMIT ((uint64_t)8 << 20)
/* A call or two for each. */
enum { SHARED_REGIONS = 256, PAGE = 4096 };

static bool is_memory(const struct pyd_region *r)
{
	static const char *const names[] = { "/dev/shm/", "/dev/zero",
					     "/memfd:", "/SYSV",
					     "/dev/hugepages" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(r->path, names[i], strlen(names[i])))
			return true;
	return !r->inode;
}

bool pyd_region_is_shared(const struct pyd_region *r)
{
	return r->prot & PYD_PROT_R && r->prot & PYD_PROT_SHARED &&
	       !pyd_region_is_device(r) && strncmp(r->path, "[v", 2) != 0 &&
	       (r->prot & PYD_PROT_W || is_memory(r));
}

/* What is mapped behind the end of a file, in its last page. */
static bool read_rest(const struct pyd_process *p, const struct pyd_region *r,
		      struct pyd_outside_range *g, size_t have)
{
	const struct pyd_piece piece = {
		.start = r->start + have,
		.len = (size_t)(r->end - r->start) - have,
		.to = g->data + have,
	};
	struct pyd_vec bad = { 0 };
	struct pyd_err ignored;
	bool ok = have && piece.len < PAGE &&
		  !pyd_bulk_read(p, &piece, 1, 0, NULL, &bad, &ignored) &&
		  !bad.len;

	pyd_vec_deinit(&bad);
	return ok;
}

/* As a file: pages that nobody has written to stay unallocated. False: it
 * cannot be, or only by waiting for a disk. */
static bool read_file(const struct pyd_process *p, const struct pyd_region *r,
		      struct pyd_outside_range *g)
{
	size_t len = (size_t)(r->end - r->start);
	size_t have = 0;
	ssize_t n = 0;
	struct statfs fs;
	bool in_memory;
	int fd;

	if (pyd_region_open(p, r, &fd, NULL))
		return false;
	in_memory = !fstatfs(fd, &fs) &&
		    (fs.f_type == TMPFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC);
	while (have < len) {
		struct iovec iov = { g->data + have, len - have };

		n = preadv2(fd, &iov, 1, (off_t)(r->file_offset + have),
			    in_memory ? 0 : RWF_NOWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	close(fd);
	return have == len || (!n && read_rest(p, r, g, have));
}

static bool read_pages(const struct pyd_process *p, const struct pyd_region *r,
		       struct pyd_outside_range *g)
{
	struct pyd_piece v[SHARED_LIMIT / PYD_PIECE_MAX + 1];
	struct pyd_vec bad = { 0 };
	struct pyd_err ignored;
	size_t n = 0;
	bool ok;

	for (pyd_addr at = r->start; at < r->end; n++) {
		size_t len = (size_t)(r->end - at);

		len = len < PYD_PIECE_MAX ? len : PYD_PIECE_MAX;
		v[n] = (struct pyd_piece) {
			.start = at,
			.len = len,
			.to = g->data + (at - r->start),
		};
		at += len;
	}
	ok = !pyd_bulk_read(p, v, n, 0, NULL, &bad, &ignored) && !bad.len;
	pyd_vec_deinit(&bad);
	return ok;
}

static void copy(const struct pyd_process *p, const struct pyd_region *r,
		 struct pyd_outside_range *g)
{
	size_t len = (size_t)(r->end - r->start);
	void *data = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (data == MAP_FAILED)
		return;
	g->data = data;
	g->mapped = len;
	if (read_file(p, r, g) || (is_memory(r) && read_pages(p, r, g)))
		return;
	munmap(g->data, g->mapped);
	g->data = NULL;
}

enum pyd_code pyd_outside_shared(const struct pyd_process *p,
				 struct pyd_outside *o, struct pyd_err *err)
{
	uint64_t left = SHARED_LIMIT;
	size_t regions = 0;
	struct pyd_maps maps = { 0 };
	enum pyd_code code = pyd_maps_read(p->pid, &maps, err);

	for (size_t i = 0; i < maps.n && !code; i++) {
		const struct pyd_region *r = &maps.regions[i];

		if (!pyd_region_is_shared(r) || r->end - r->start > left ||
		    regions++ == SHARED_REGIONS)
			continue;
		code = pyd_outside_add(o, r, PYD_OUTSIDE_SHARED, err);
		if (code)
			break;
		copy(p, r, &o->v[o->n - 1]);
		if (o->v[o->n - 1].data)
			left -= r->end - r->start;
	}
	pyd_maps_deinit(&maps);
	o->nshared = o->n;
	return code;
}
