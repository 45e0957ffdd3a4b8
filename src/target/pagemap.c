// SPDX-License-Identifier: Apache-2.0
#include "target/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* linux/fs.h has these from 6.7 on; the headers here may be older. */
struct scan_arg {
	uint64_t size;
	uint64_t flags;
	uint64_t start;
	uint64_t end;
	uint64_t walk_end;
	uint64_t vec;
	uint64_t vec_len;
	uint64_t max_pages;
	uint64_t category_inverted;
	uint64_t category_mask;
	uint64_t category_anyof_mask;
	uint64_t return_mask;
};
struct scan_region {
	uint64_t start;
	uint64_t end;
	uint64_t categories;
};
#define SCAN_REQUEST _IOWR('f', 16, struct scan_arg)
enum {
	IS_FILE = 1 << 2,
	IS_PRESENT = 1 << 3,
	IS_SWAPPED = 1 << 4,
	IS_ZERO = 1 << 5,
	IS_GUARD = 1 << 8, /* from 6.15 on */
};

/* Bits of a /proc/PID/pagemap entry. */
#define PM_GUARD (1ULL << 58)
#define PM_FILE (1ULL << 61)
#define PM_SWAP (1ULL << 62)
#define PM_PRESENT (1ULL << 63)

enum { ENTRIES = 32768, SCAN_REGIONS = 1024 };
#define SLOW_LIMIT (64ULL << 30)

enum pyd_code pyd_pagemap_open(pid_t pid, struct pyd_pagemap *ret,
			       struct pyd_err *err)
{
	struct pyd_pagemap pm = { .fd = -1 };
	char path[64];

	pm.page = (uint64_t)sysconf(_SC_PAGESIZE);
	pm.entries = malloc(ENTRIES * sizeof(*pm.entries));
	if (!pm.entries)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	pm.fd = open(path, O_RDONLY | O_CLOEXEC);
	*ret = pm;
	return PYD_OK;
}

void pyd_pagemap_close(struct pyd_pagemap *pm)
{
	if (pm->entries && pm->fd >= 0)
		close(pm->fd);
	free(pm->entries);
	*pm = (struct pyd_pagemap) { .fd = -1 };
}

void pyd_page_runs_deinit(struct pyd_page_runs *runs)
{
	free(runs->v);
	*runs = (struct pyd_page_runs) { 0 };
}

static enum pyd_code push(struct pyd_page_runs *runs, struct pyd_page_run run,
			  struct pyd_err *err)
{
	struct pyd_page_run *last = runs->n ? &runs->v[runs->n - 1] : NULL;

	if (last && last->end == run.start && last->guard == run.guard &&
	    last->file == run.file && last->zero == run.zero) {
		last->end = run.end;
		return PYD_OK;
	}
	if (runs->n == runs->cap) {
		size_t cap = runs->cap ? runs->cap * 2 : 1024;
		struct pyd_page_run *v = realloc(runs->v, cap * sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		runs->v = v;
		runs->cap = cap;
	}
	runs->v[runs->n++] = run;
	return PYD_OK;
}

/* The fast way. *ret_errno is not 0 when the kernel does not know it. */
static enum pyd_code scan_fast(struct pyd_pagemap *pm, pyd_addr start,
			       pyd_addr end, struct pyd_page_runs *runs,
			       int *ret_errno, struct pyd_err *err)
{
	struct scan_region vec[SCAN_REGIONS];
	uint64_t guard = pm->no_guard ? 0 : IS_GUARD;
	uint64_t want = IS_PRESENT | IS_SWAPPED | guard;

	while (start < end) {
		struct scan_arg arg = {
			.size = sizeof(arg),
			.start = start,
			.end = end,
			.vec = (uint64_t)(uintptr_t)vec,
			.vec_len = SCAN_REGIONS,
			.category_anyof_mask = want,
			/* To tell a file's page the kernel looks at each. */
			.return_mask =
				want | IS_ZERO | (pm->want_file ? IS_FILE : 0),
		};
		int n = ioctl(pm->fd, SCAN_REQUEST, &arg);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			*ret_errno = errno;
			return PYD_OK;
		}
		for (int i = 0; i < n && i < SCAN_REGIONS; i++) {
			uint64_t c = vec[i].categories;
			enum pyd_code code =
				push(runs,
				     (struct pyd_page_run) {
					     .start = vec[i].start,
					     .end = vec[i].end,
					     .guard = (c & IS_GUARD) != 0,
					     .file = (c & IS_FILE) != 0,
					     .zero = (c & IS_ZERO) != 0,
				     },
				     err);

			if (code)
				return code;
		}
		if (arg.walk_end <= start)
			break;
		start = arg.walk_end;
	}
	return PYD_OK;
}

static enum pyd_code scan_slow(struct pyd_pagemap *pm, pyd_addr start,
			       pyd_addr end, struct pyd_page_runs *runs,
			       struct pyd_err *err)
{
	if (end - start > SLOW_LIMIT)
		return pyd_err_set(err, PYD_LIMIT,
				   "a region of %llu GiB is too large to look "
				   "at page by page",
				   (unsigned long long)((end - start) >> 30));

	while (start < end) {
		uint64_t pages = (end - start) / pm->page;
		size_t want = pages < ENTRIES ? (size_t)pages : ENTRIES;
		ssize_t n =
			pread(pm->fd, pm->entries, want * sizeof(*pm->entries),
			      (off_t)(start / pm->page * 8));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return pyd_err_set(err, PYD_PERM,
					   "cannot read the page map");

		size_t got = (size_t)n / sizeof(*pm->entries);

		for (size_t i = 0; i < got; i++) {
			uint64_t e = pm->entries[i];
			pyd_addr at = start + i * pm->page;

			if (!(e & (PM_PRESENT | PM_SWAP | PM_GUARD)))
				continue;

			enum pyd_code code =
				push(runs,
				     (struct pyd_page_run) {
					     .start = at,
					     .end = at + pm->page,
					     .guard = (e & PM_GUARD) != 0,
					     .file = (e & PM_FILE) != 0,
				     },
				     err);

			if (code)
				return code;
		}
		if (!got)
			break;
		start += got * pm->page;
	}
	return PYD_OK;
}

enum pyd_code pyd_pagemap_scan(struct pyd_pagemap *pm, pyd_addr start,
			       pyd_addr end, struct pyd_page_runs *runs,
			       struct pyd_err *err)
{
	if (pm->fd < 0)
		return pyd_err_set(err, PYD_PERM, "no page map");

	while (!pm->no_scan) {
		int errnum = 0;
		size_t before = runs->n;
		enum pyd_code code =
			scan_fast(pm, start, end, runs, &errnum, err);

		if (code || !errnum)
			return code;
		runs->n = before;
		if (errnum == EINVAL && !pm->no_guard)
			pm->no_guard = 1;
		else
			pm->no_scan = 1;
	}
	return scan_slow(pm, start, end, runs, err);
}
