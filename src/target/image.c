// SPDX-License-Identifier: Apache-2.0
#include "target/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/copy.h"

static const char magic[8] = "PYDIMG1\n";

enum {
	HEADER_WORDS = 4,
	REGION_WORDS = 8,
	SEGMENT_WORDS = 2,
	PAGE = 4096,
	MAX_PATH = 8192,
};
#define FILE_LIMIT ((uint64_t)64 << 20)

/* -- saving -- */

struct range {
	pyd_addr start;
	pyd_addr end;
};

struct ranges {
	struct range *v;
	size_t n;
	size_t cap;
};

static enum pyd_code add_page(struct ranges *r, pyd_addr at, pyd_addr end,
			      struct pyd_err *err)
{
	if (r->n && r->v[r->n - 1].end == at) {
		r->v[r->n - 1].end = end;
		return PYD_OK;
	}
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 1024;
		struct range *v = realloc(r->v, cap * sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		r->v = v;
		r->cap = cap;
	}
	r->v[r->n++] = (struct range) { at, end };
	return PYD_OK;
}

/* Pages of the range that must be saved: not zeros of anonymous memory. */
static enum pyd_code select_pages(struct pyd_target *t, pyd_addr start,
				  pyd_addr end, bool zeros_too,
				  struct ranges *ret, struct pyd_err *err)
{
	static const uint8_t zeros[PAGE];
	uint8_t page[PAGE];

	for (pyd_addr at = start; at < end;) {
		size_t n = PAGE - (size_t)(at % PAGE);

		n = n < end - at ? n : (size_t)(end - at);

		enum pyd_code code = pyd_target_read(t, at, page, n, err);

		if (code && !pyd_code_is_local(code))
			return code;
		if (!code && (zeros_too || memcmp(page, zeros, n))) {
			code = add_page(ret, at, at + n, err);
			if (code)
				return code;
		}
		at += n;
	}
	return PYD_OK;
}

static enum pyd_code select_region(struct pyd_target *t,
				   const struct pyd_copy_parts *c,
				   const struct pyd_region *r, size_t *segment,
				   struct ranges *ret, struct pyd_err *err)
{
	if (!(r->prot & PYD_PROT_R))
		return PYD_OK;
	if (!pyd_region_is_anonymous(r)) {
		if (r->prot & PYD_PROT_SHARED || r->end - r->start > FILE_LIMIT)
			return PYD_OK;
		return select_pages(t, r->start, r->end, true, ret, err);
	}
	/* Only what segments hold: reservations are huge. */
	while (*segment < c->nsegments && c->segments[*segment].end <= r->start)
		++*segment;
	for (size_t i = *segment; i < c->nsegments; i++) {
		const struct pyd_segment *s = &c->segments[i];

		if (s->start >= r->end)
			break;

		pyd_addr start = s->start > r->start ? s->start : r->start;
		pyd_addr end = s->end < r->end ? s->end : r->end;
		enum pyd_code code =
			select_pages(t, start, end, false, ret, err);

		if (code)
			return code;
	}
	return PYD_OK;
}

static void put(FILE *f, const uint64_t *words, size_t n)
{
	fwrite(words, sizeof(*words), n, f);
}

static enum pyd_code write_ranges(FILE *f, struct pyd_target *t,
				  const struct ranges *r, struct pyd_err *err)
{
	uint8_t buf[65536];

	for (size_t i = 0; i < r->n; i++) {
		uint64_t head[SEGMENT_WORDS] = { r->v[i].start,
						 r->v[i].end - r->v[i].start };

		put(f, head, SEGMENT_WORDS);
		for (pyd_addr at = r->v[i].start; at < r->v[i].end;) {
			size_t n = r->v[i].end - at < sizeof(buf)
					   ? (size_t)(r->v[i].end - at)
					   : sizeof(buf);
			enum pyd_code code =
				pyd_target_read(t, at, buf, n, err);

			if (code)
				return code;
			fwrite(buf, 1, n, f);
			at += n;
		}
	}
	return PYD_OK;
}

static enum pyd_code write_image(FILE *f, struct pyd_target *t,
				 const struct pyd_copy_parts *c,
				 const struct ranges *r, uint64_t hint,
				 struct pyd_err *err)
{
	uint64_t head[HEADER_WORDS] = { hint, t->nregions, r->n,
					c->bad.len / 2 };

	fwrite(magic, 1, sizeof(magic), f);
	put(f, head, HEADER_WORDS);
	for (size_t i = 0; i < t->nregions; i++) {
		const struct pyd_region *g = &t->regions[i];
		uint64_t words[REGION_WORDS] = {
			g->start, g->end,  g->file_offset, g->dev,
			g->inode, g->prot, g->deleted,	   strlen(g->path),
		};

		put(f, words, REGION_WORDS);
		fwrite(g->path, 1, words[REGION_WORDS - 1], f);
	}

	enum pyd_code code = write_ranges(f, t, r, err);

	if (!code && c->bad.len)
		put(f, c->bad.data, c->bad.len);
	return code;
}

enum pyd_code pyd_image_save(struct pyd_target *copy, uint64_t hint,
			     const char *path, struct pyd_err *err)
{
	const struct pyd_copy_parts *c = pyd_target_copy_parts(copy);
	struct ranges ranges = { 0 };
	enum pyd_code code = PYD_OK;
	size_t segment = 0;

	if (!c)
		return pyd_err_set(err, PYD_USAGE,
				   "only a copy can be recorded");
	for (size_t i = 0; !code && i < copy->nregions; i++)
		code = select_region(copy, c, &copy->regions[i], &segment,
				     &ranges, err);
	if (!code) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			      0600);
		FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

		if (!f) {
			code = pyd_err_errno(err, PYD_IO, errno,
					     "cannot write %s", path);
		} else {
			code = write_image(f, copy, c, &ranges, hint, err);

			bool bad = ferror(f) != 0;

			if ((fclose(f) || bad) && !code)
				code = pyd_err_errno(err, PYD_IO, errno,
						     "cannot write %s", path);
		}
	}
	free(ranges.v);
	return code;
}

/* -- loading -- */

struct cursor {
	const uint8_t *at;
	size_t left;
};

static bool words(struct cursor *c, uint64_t *ret, size_t n)
{
	if (c->left / sizeof(*ret) < n)
		return false;
	memcpy(ret, c->at, n * sizeof(*ret));
	c->at += n * sizeof(*ret);
	c->left -= n * sizeof(*ret);
	return true;
}

static enum pyd_code bad(struct pyd_err *err, const char *what)
{
	return pyd_err_set(err, PYD_FORMAT, "not a memory image: %s", what);
}

static enum pyd_code load_regions(struct cursor *c, uint64_t n,
				  struct pyd_maps *m, struct pyd_err *err)
{
	size_t used = 0;
	pyd_addr last = 0;

	if (n > c->left / (REGION_WORDS * sizeof(uint64_t)))
		return bad(err, "more regions than bytes");
	/* Paths and their ends need no more than the rest of the file. */
	m->text = malloc(c->left + 1);
	m->regions = calloc((size_t)n + 1, sizeof(*m->regions));
	if (!m->text || !m->regions)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (; m->n < n; m->n++) {
		struct pyd_region *r = &m->regions[m->n];
		uint64_t w[REGION_WORDS];

		if (!words(c, w, REGION_WORDS) || w[7] > c->left ||
		    w[7] > MAX_PATH)
			return bad(err, "a region is cut");
		if (w[0] >= w[1] || w[0] < last)
			return bad(err, "regions overlap");
		*r = (struct pyd_region) {
			.start = w[0],
			.end = w[1],
			.file_offset = w[2],
			.dev = w[3],
			.inode = w[4],
			.prot = (unsigned int)(w[5] & 15),
			.deleted = w[6] != 0,
			.path = m->text + used,
		};
		last = w[1];
		memcpy(m->text + used, c->at, (size_t)w[7]);
		used += (size_t)w[7];
		m->text[used++] = 0;
		c->at += w[7];
		c->left -= (size_t)w[7];
	}
	return PYD_OK;
}

static enum pyd_code load_segments(struct cursor *c, uint64_t n,
				   struct pyd_copy_parts *parts,
				   struct pyd_err *err)
{
	pyd_addr last = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t w[SEGMENT_WORDS];

		if (!words(c, w, SEGMENT_WORDS) || w[1] > c->left)
			return bad(err, "a segment is cut");
		if (w[0] < last || w[1] > UINT64_MAX - w[0])
			return bad(err, "segments overlap");
		last = w[0] + w[1];

		enum pyd_code code =
			pyd_copy_add(parts, w[0], last, c->at, err);

		if (code)
			return code;
		c->at += w[1];
		c->left -= (size_t)w[1];
	}
	return PYD_OK;
}

static enum pyd_code load_bad(struct cursor *c, uint64_t n,
			      struct pyd_copy_parts *parts, struct pyd_err *err)
{
	for (uint64_t i = 0; i < n; i++) {
		uint64_t w[2];

		if (!words(c, w, 2) || w[0] >= w[1])
			return bad(err, "a range is cut");

		enum pyd_code code = pyd_copy_add_bad(parts, w[0], w[1], err);

		if (code)
			return code;
	}
	return PYD_OK;
}

enum pyd_code pyd_image_parse(const uint8_t *data, size_t len,
			      struct pyd_target **ret, uint64_t *ret_hint,
			      struct pyd_err *err)
{
	struct pyd_copy_parts parts = { .name = "image" };
	uint64_t head[HEADER_WORDS];
	struct cursor c = { data, len };

	if (len < sizeof(magic) || memcmp(data, magic, sizeof(magic)))
		return bad(err, "wrong magic");

	enum pyd_code code = pyd_copy_chunk(&parts, len, false, err);

	if (!code) {
		memcpy(parts.chunks[0].data, data, len);
		c.at = parts.chunks[0].data + sizeof(magic);
		c.left = len - sizeof(magic);
		if (!words(&c, head, HEADER_WORDS))
			code = bad(err, "the header is cut");
	}
	if (!code)
		code = load_regions(&c, head[1], &parts.maps, err);
	if (!code)
		code = load_segments(&c, head[2], &parts, err);
	if (!code)
		code = load_bad(&c, head[3], &parts, err);
	if (!code)
		code = pyd_target_copy_create(&parts, ret, err);
	if (code)
		pyd_copy_parts_deinit(&parts);
	else if (ret_hint)
		*ret_hint = head[0];
	return code;
}

enum pyd_code pyd_image_load(const char *path, struct pyd_target **ret,
			     uint64_t *ret_hint, struct pyd_err *err)
{
	struct pyd_buf buf = { 0 };
	enum pyd_code code = PYD_OK;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return pyd_err_errno(err, PYD_IO, errno, "cannot open %s",
				     path);
	for (;;) {
		code = pyd_buf_reserve(&buf, 1U << 20, err);
		if (code)
			break;

		ssize_t n = read(fd, buf.data + buf.len, buf.cap - buf.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			code = pyd_err_errno(err, PYD_IO, errno,
					     "cannot read %s", path);
		if (n <= 0)
			break;
		buf.len += (size_t)n;
	}
	close(fd);
	if (!code)
		code = pyd_image_parse(buf.data, buf.len, ret, ret_hint, err);
	pyd_buf_deinit(&buf);
	return code;
}
