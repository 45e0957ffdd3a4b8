// SPDX-License-Identifier: Apache-2.0
#include "dump/container.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "dump/mp.h"

/* A block of three bytes at least makes 128 KiB at most: a frame that claims
 * more than its size allows is not worth an allocation. */
#define BLOCK_RAW (128U << 10)
#define BLOCK_MIN 3U
/* How much of a frame is looked at for its kind. */
#define PEEK 4096
/* First reach while hopping; grows for larger frames. */
#define HOP (1U << 20)
#define SKIPPABLE 0x184D2A50U
#define SKIPPABLE_MASK 0xFFFFFFF0U
#define SEEK_MAGIC 0x8F92EAB1U

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

/* Reads up to len bytes; less at the end of the file. */
static enum pyd_code read_at(struct pyd_container *c, uint64_t offset,
			     void *buf, size_t len, size_t *ret_len,
			     struct pyd_err *err)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(c->fd, (char *)buf + got, len - got,
				  (off_t)(offset + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pyd_err_errno(err, PYD_IO, errno,
					     "cannot read %s", c->name);
		if (!n)
			break;
		got += (size_t)n;
	}
	*ret_len = got;
	return PYD_OK;
}

static enum pyd_code damaged(struct pyd_container *c, uint64_t offset,
			     const char *why, struct pyd_err *err)
{
	return pyd_err_set(err, PYD_FORMAT,
			   "%s is damaged at byte %llu: %s; what lies there "
			   "cannot be shown",
			   c->name, (unsigned long long)offset, why);
}

/* -- one frame -- */

static enum pyd_code load(struct pyd_container *c,
			  const struct pyd_frame_entry *f, struct pyd_buf *out,
			  struct pyd_dump_value *map, struct pyd_err *err)
{
	enum pyd_code code;
	size_t got;

	pyd_buf_clear(&c->in);
	pyd_buf_clear(out);
	code = pyd_buf_reserve(&c->in, f->csize, err);
	if (!code)
		code = read_at(c, f->offset, c->in.data, f->csize, &got, err);
	if (code)
		return code;
	if (got < f->csize)
		return damaged(c, f->offset, "the file ends there", err);

	unsigned long long raw = ZSTD_getFrameContentSize(c->in.data, got);

	if (raw == ZSTD_CONTENTSIZE_ERROR || raw == ZSTD_CONTENTSIZE_UNKNOWN ||
	    raw > PYD_FORMAT_FRAME_MAX ||
	    raw > (got / BLOCK_MIN + 1) * (uint64_t)BLOCK_RAW)
		return damaged(c, f->offset, "its size is impossible", err);
	code = pyd_buf_reserve(out, (size_t)raw + 1, err);
	if (code)
		return code;

	size_t n = ZSTD_decompressDCtx(c->dctx, out->data, (size_t)raw,
				       c->in.data, got);

	if (c->in.cap > 16 * PYD_FORMAT_FRAME_TARGET)
		pyd_buf_deinit(&c->in);
	if (ZSTD_isError(n))
		return damaged(c, f->offset, ZSTD_getErrorName(n), err);
	out->len = n;

	const uint8_t *p = out->data;
	const uint8_t *end = p + n;

	*map = (struct pyd_dump_value) { .at = p, .end = end };
	if (!pyd_mp_skip(&p, end) || p != end ||
	    pyd_dump_value_type(*map) != PYD_DUMP_MAP)
		return damaged(c, f->offset, "its content does not parse", err);
	return PYD_OK;
}

enum pyd_code pyd_container_load(struct pyd_container *c, size_t i,
				 struct pyd_buf *out,
				 struct pyd_dump_value *map,
				 struct pyd_err *err)
{
	struct pyd_frame_entry *f = &c->frames[i];
	enum pyd_code code;

	/* Thousands of objects may be asked for of a frame that is lost. */
	if (f->bad)
		return damaged(c, f->offset, "it was found so before", err);
	code = load(c, f, out, map, err);
	if (code == PYD_FORMAT)
		f->bad = true;
	return code;
}

/* -- kinds -- */

static const char *const kind_names[] = {
	[PYD_FRAME_HEADER] = "header",	 [PYD_FRAME_THREADS] = "threads",
	[PYD_FRAME_FRAMES] = "frames",	 [PYD_FRAME_SOURCE] = "source",
	[PYD_FRAME_OBJECTS] = "objects", [PYD_FRAME_INDEX] = "index",
	[PYD_FRAME_NATIVE] = "native",	 [PYD_FRAME_WAITS] = "waits",
	[PYD_FRAME_TOC] = "toc",	 [PYD_FRAME_END] = "end",
};

static uint8_t kind_of(struct pyd_dump_value v)
{
	const char *s;
	size_t n;

	if (!pyd_dump_value_text(v, &s, &n))
		return PYD_FRAME_OTHER;
	for (uint8_t k = PYD_FRAME_HEADER; k <= PYD_FRAME_END; k++)
		if (n == strlen(kind_names[k]) && !memcmp(s, kind_names[k], n))
			return k;
	return PYD_FRAME_OTHER;
}

static enum pyd_code add_frame(struct pyd_container *c,
			       const struct pyd_frame_entry *f,
			       struct pyd_err *err)
{
	if (c->nframes == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 64;
		void *p = reallocarray(c->frames, cap, sizeof(*c->frames));

		if (!p)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		c->frames = p;
		c->cap = cap;
	}
	c->frames[c->nframes++] = *f;
	return PYD_OK;
}

/* -- by the table of contents -- */

/* The offset of the last frame before the seekable table. */
static bool last_frame(struct pyd_container *c, uint64_t *ret_offset,
		       uint32_t *ret_csize)
{
	uint8_t tail[17];
	size_t got;

	/* The last entry, the number of frames, a byte, the magic. */
	if (c->size < sizeof(tail) ||
	    read_at(c, c->size - sizeof(tail), tail, sizeof(tail), &got,
		    NULL) ||
	    got < sizeof(tail) || get32(tail + 13) != SEEK_MAGIC || tail[12])
		return false;

	uint64_t n = get32(tail + 8);
	uint64_t table = 8 * n + 9 + 8;
	uint32_t csize = get32(tail);

	if (!n || table > c->size || csize > c->size - table)
		return false;
	*ret_offset = c->size - table - csize;
	*ret_csize = csize;
	return true;
}

/* [offset, csize, rsize, kind, ...] */
static bool toc_entry(struct pyd_container *c, struct pyd_dump_value v,
		      struct pyd_frame_entry *ret)
{
	struct pyd_dump_iter it = pyd_dump_value_iter(v);
	struct pyd_dump_value e;
	uint64_t csize;

	*ret = (struct pyd_frame_entry) { 0 };
	if (it.map || !pyd_dump_iter_next(&it, NULL, &e) ||
	    !pyd_dump_value_u64(e, &ret->offset) ||
	    !pyd_dump_iter_next(&it, NULL, &e) ||
	    !pyd_dump_value_u64(e, &csize) ||
	    !pyd_dump_iter_next(&it, NULL, &e) ||
	    !pyd_dump_iter_next(&it, NULL, &e))
		return false;
	if (csize > UINT32_MAX || csize > c->size ||
	    ret->offset > c->size - csize)
		return false;
	ret->csize = (uint32_t)csize;
	ret->kind = kind_of(e);
	if (!pyd_dump_iter_next(&it, NULL, &e))
		return true;
	if (ret->kind == PYD_FRAME_OBJECTS || ret->kind == PYD_FRAME_INDEX ||
	    ret->kind == PYD_FRAME_FRAMES)
		(void)pyd_dump_value_u64(e, &ret->a);
	if (pyd_dump_iter_next(&it, NULL, &e))
		(void)pyd_dump_value_u64(e, &ret->b);
	return true;
}

/* A frame that is loaded only to be looked at. */
static bool load_at(struct pyd_container *c, uint64_t offset, uint32_t csize,
		    uint8_t kind, struct pyd_buf *buf,
		    struct pyd_dump_value *ret)
{
	struct pyd_frame_entry f = { .offset = offset, .csize = csize };
	struct pyd_frame_entry *before = c->frames;
	enum pyd_code code;

	c->frames = &f;
	code = pyd_container_load(c, 0, buf, ret, NULL);
	c->frames = before;
	return !code && kind_of(pyd_dump_value_get(*ret, "kind")) == kind;
}

/* False, with no frames, when any of it does not fit together. */
static enum pyd_code by_toc(struct pyd_container *c, bool *ret,
			    struct pyd_err *err)
{
	struct pyd_buf buf = { 0 };
	struct pyd_dump_value v, list;
	uint64_t end_at, toc_at, expect = 0;
	uint32_t end_csize;
	struct pyd_frame_entry f = { 0 };
	enum pyd_code code = PYD_OK;
	bool ok;

	ok = last_frame(c, &end_at, &end_csize) &&
	     load_at(c, end_at, end_csize, PYD_FRAME_END, &buf, &v) &&
	     pyd_dump_value_u64(pyd_dump_value_get(v, "toc"), &toc_at) &&
	     toc_at < end_at && end_at - toc_at <= UINT32_MAX &&
	     load_at(c, toc_at, (uint32_t)(end_at - toc_at), PYD_FRAME_TOC,
		     &buf, &v);
	if (ok) {
		list = pyd_dump_value_get(v, "frames");

		struct pyd_dump_iter it = pyd_dump_value_iter(list);

		/* Frame for frame without a gap, or it is no table of this
		 * file. */
		while (ok && !code && pyd_dump_iter_next(&it, NULL, &v)) {
			ok = toc_entry(c, v, &f) && f.offset == expect;
			expect = f.offset + f.csize;
			if (ok)
				code = add_frame(c, &f, err);
		}
		ok = ok && expect == toc_at && c->nframes &&
		     c->frames[0].kind == PYD_FRAME_HEADER;
	}
	if (ok && !code) {
		f = (struct pyd_frame_entry) {
			.offset = toc_at,
			.csize = (uint32_t)(end_at - toc_at),
			.kind = PYD_FRAME_TOC,
		};
		code = add_frame(c, &f, err);
		f = (struct pyd_frame_entry) { .offset = end_at,
					       .csize = end_csize,
					       .kind = PYD_FRAME_END };
		if (!code)
			code = add_frame(c, &f, err);
	}
	pyd_buf_deinit(&buf);
	if (!ok)
		c->nframes = 0;
	c->complete = ok;
	c->readable = c->size;
	*ret = ok;
	return code;
}

/* -- by hopping -- */

/* The kind, and what the toc would say, from the first bytes of a frame. Keys
 * after those bytes are not seen; the second return says so. */
static bool peek(struct pyd_container *c, const uint8_t *data, size_t n,
		 struct pyd_frame_entry *f)
{
	uint8_t raw[PEEK];
	ZSTD_inBuffer in = { .src = data, .size = n };
	ZSTD_outBuffer out = { .dst = raw, .size = sizeof(raw) };
	struct pyd_mp_head h;
	const uint8_t *p = raw;
	bool need_a = false, need_b = false;

	ZSTD_DCtx_reset(c->dctx, ZSTD_reset_session_only);
	while (out.pos < out.size && in.pos < in.size) {
		size_t got = ZSTD_decompressStream(c->dctx, &out, &in);

		if (ZSTD_isError(got))
			break;
		if (!got)
			break;
	}
	ZSTD_DCtx_reset(c->dctx, ZSTD_reset_session_only);

	const uint8_t *end = raw + out.pos;

	if (!pyd_mp_head(&p, end, &h) || h.type != PYD_MP_MAP)
		return false;
	for (uint32_t left = h.n; left; left--) {
		struct pyd_dump_value key = { .at = p, .end = end };
		struct pyd_dump_value v;
		const char *s;
		size_t len;

		if (!pyd_mp_skip(&p, end))
			break;
		v = (struct pyd_dump_value) { .at = p, .end = end };
		if (!pyd_mp_skip(&p, end))
			break;
		if (!pyd_dump_value_text(key, &s, &len))
			continue;
		if (len == 4 && !memcmp(s, "kind", 4)) {
			f->kind = kind_of(v);
			need_a = f->kind == PYD_FRAME_OBJECTS ||
				 f->kind == PYD_FRAME_INDEX ||
				 f->kind == PYD_FRAME_FRAMES;
			need_b = need_a && f->kind != PYD_FRAME_OBJECTS;
		} else if ((len == 1 && *s == 'n') ||
			   (len == 2 && !memcmp(s, "lo", 2)) ||
			   (len == 6 && !memcmp(s, "thread", 6))) {
			if (pyd_dump_value_u64(v, &f->a))
				need_a = false;
		} else if ((len == 2 && !memcmp(s, "hi", 2)) ||
			   (len == 5 && !memcmp(s, "first", 5))) {
			if (pyd_dump_value_u64(v, &f->b))
				need_b = false;
		}
	}
	return f->kind != PYD_FRAME_OTHER && !need_a && !need_b;
}

/* All of it, for the few frames of which the first bytes do not tell. */
static bool look(struct pyd_container *c, struct pyd_frame_entry *f)
{
	static const char *const a[] = { [PYD_FRAME_OBJECTS] = "n",
					 [PYD_FRAME_INDEX] = "lo",
					 [PYD_FRAME_FRAMES] = "thread" };
	static const char *const b[] = {
		[PYD_FRAME_INDEX] = "hi", [PYD_FRAME_FRAMES] = "first"
	};
	struct pyd_buf buf = { 0 };
	struct pyd_dump_value v;
	struct pyd_frame_entry *before = c->frames;
	enum pyd_code code;

	c->frames = f;
	code = pyd_container_load(c, 0, &buf, &v, NULL);
	c->frames = before;
	if (!code) {
		f->kind = kind_of(pyd_dump_value_get(v, "kind"));
		f->a = f->b = 0;
		if (f->kind == PYD_FRAME_OBJECTS ||
		    f->kind == PYD_FRAME_INDEX || f->kind == PYD_FRAME_FRAMES)
			(void)pyd_dump_value_u64(
				pyd_dump_value_get(v, a[f->kind]), &f->a);
		if (f->kind == PYD_FRAME_INDEX || f->kind == PYD_FRAME_FRAMES)
			(void)pyd_dump_value_u64(
				pyd_dump_value_get(v, b[f->kind]), &f->b);
	}
	pyd_buf_deinit(&buf);
	return !code;
}

static void cut(struct pyd_container *c, uint64_t offset, const char *why)
{
	c->readable = offset;
	snprintf(c->damage, sizeof(c->damage), "%s at byte %llu of %llu", why,
		 (unsigned long long)offset, (unsigned long long)c->size);
}

/* The size of the frame at offset, with its bytes in c->in; 0 when it is cut
 * or damaged, which is noted. */
static enum pyd_code hop(struct pyd_container *c, uint64_t offset, size_t *ret,
			 struct pyd_err *err)
{
	uint64_t left = c->size - offset;
	size_t reach = left < HOP ? (size_t)left : HOP;

	*ret = 0;
	for (;;) {
		enum pyd_code code;
		size_t got;

		pyd_buf_clear(&c->in);
		code = pyd_buf_reserve(&c->in, reach, err);
		if (!code)
			code = read_at(c, offset, c->in.data, reach, &got, err);
		if (code)
			return code;
		if (got >= 4 &&
		    (get32(c->in.data) & SKIPPABLE_MASK) == SKIPPABLE) {
			uint64_t n = got < 8 ? 0 : get32(c->in.data + 4);

			if (got < 8 || n > left - 8)
				cut(c, offset, "cut short");
			else
				*ret = (size_t)n + 8;
			return PYD_OK;
		}

		size_t n = ZSTD_findFrameCompressedSize(c->in.data, got);

		if (!ZSTD_isError(n)) {
			*ret = n;
			c->in.len = n;
			return PYD_OK;
		}
		/* More of the file helps only a frame that is larger than
		 * what was read, and it says how large it may be. */
		unsigned long long raw =
			ZSTD_getFrameContentSize(c->in.data, got);
		bool more = ZSTD_getErrorCode(n) == ZSTD_error_srcSize_wrong &&
			    got == reach && got < left &&
			    raw <= PYD_FORMAT_FRAME_MAX &&
			    reach < ZSTD_compressBound((size_t)raw);

		if (!more) {
			cut(c, offset, got == left ? "cut short" : "damaged");
			return PYD_OK;
		}
		reach = left < 4 * (uint64_t)reach ? (size_t)left : 4 * reach;
	}
}

static enum pyd_code by_hops(struct pyd_container *c, struct pyd_err *err)
{
	uint64_t offset = 0;
	bool seen_end = false;
	enum pyd_code code;

	c->readable = c->size;
	while (offset < c->size) {
		struct pyd_frame_entry f = { .offset = offset };
		size_t n;

		code = hop(c, offset, &n, err);
		if (code)
			return code;
		if (!n)
			break;
		offset += n;
		if ((get32(c->in.data) & SKIPPABLE_MASK) == SKIPPABLE)
			continue;
		f.csize = (uint32_t)n;
		/* c->in holds the frame until look() reads it anew. */
		if (!peek(c, c->in.data, n, &f) && !look(c, &f))
			f.bad = true;
		if (f.bad && !*c->damage)
			snprintf(c->damage, sizeof(c->damage),
				 "damaged at byte %llu of %llu",
				 (unsigned long long)f.offset,
				 (unsigned long long)c->size);
		if (c->nframes == 0 && f.kind != PYD_FRAME_HEADER)
			break; /* no dump */
		code = add_frame(c, &f, err);
		if (code)
			return code;
		seen_end |= f.kind == PYD_FRAME_END;
	}
	/* An end that is there, but no good toc: all is served, and it is as
	 * complete as can be, unless something is wrong on the way. */
	c->complete = seen_end && !*c->damage;
	if (!c->complete && !*c->damage)
		cut(c, offset, "cut short");
	return PYD_OK;
}

/* -- opening -- */

static enum pyd_code no_dump(struct pyd_container *c, struct pyd_err *err)
{
	/* What is taken for a dump, by its first bytes. */
	static const struct {
		const char *magic;
		size_t n;
		const char *said;
	} others[] = {
		{ "\177ELF", 4,
		  "an ELF file: of a core, 'pydumpd core FILE' makes a dump" },
		{ "\037\213", 2,
		  "a file that gzip compressed: unpack it first" },
		{ "\3757zX", 4, "a file that xz compressed: unpack it first" },
	};
	uint8_t magic[4] = { 0 };
	size_t got = 0;

	if (read_at(c, 0, magic, 4, &got, NULL))
		got = 0;
	if (got == 4 && get32(magic) == ZSTD_MAGICNUMBER)
		return pyd_err_set(err, PYD_FORMAT,
				   "%s has no readable header: it is no "
				   "dump of pydumpd, or cut short or damaged "
				   "in its first frame",
				   c->name);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (got == 4 && !memcmp(magic, others[i].magic, others[i].n))
			return pyd_err_set(err, PYD_FORMAT,
					   "%s is not a dump, but %s", c->name,
					   others[i].said);
	return pyd_err_set(err, PYD_FORMAT,
			   "%s is not a dump: it does not begin as pydumpd's "
			   "files do",
			   c->name);
}

enum pyd_code pyd_container_open(struct pyd_container *c, int fd,
				 const char *name, struct pyd_err *err)
{
	struct stat st;
	bool ok;
	enum pyd_code code;

	*c = (struct pyd_container) { .fd = fd, .name = name };
	if (fstat(fd, &st))
		return pyd_err_errno(err, PYD_IO, errno, "cannot read %s",
				     name);
	if (S_ISDIR(st.st_mode))
		return pyd_err_set(err, PYD_FORMAT,
				   "%s is a directory; name a dump in it",
				   name);
	if (!S_ISREG(st.st_mode))
		return pyd_err_set(err, PYD_FORMAT,
				   "%s is not a regular file; copy the dump to "
				   "one first",
				   name);
	c->size = (uint64_t)st.st_size;
	if (!c->size)
		return pyd_err_set(err, PYD_FORMAT,
				   "%s is empty: nothing was written to it",
				   name);
	c->dctx = ZSTD_createDCtx();
	if (!c->dctx)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	code = by_toc(c, &ok, err);
	if (!code && !ok)
		code = by_hops(c, err);
	if (!code && !c->nframes)
		code = no_dump(c, err);
	if (code)
		pyd_container_close(c);
	return code;
}

void pyd_container_close(struct pyd_container *c)
{
	ZSTD_freeDCtx(c->dctx);
	free(c->frames);
	pyd_buf_deinit(&c->in);
	c->dctx = NULL;
	c->frames = NULL;
	c->nframes = 0;
}
