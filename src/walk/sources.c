// SPDX-License-Identifier: Apache-2.0
#include "walk/sources.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "read/object.h"
#include "walk/pack.h"

enum {
	FILE_MAX = 8 << 20,    /* bytes of one file */
	TOTAL_MAX = 256 << 20, /* bytes of all */
	LINES_MAX = 1 << 20,
};

static uint64_t hash_text(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3ULL;
	return h ? h : 1;
}

/* -- linecache -- */

static enum pyd_code cache_entry(void *ctx, pyd_addr key, pyd_addr value,
				 struct pyd_err *err)
{
	struct pyd_sources *s = ctx;
	struct pyd_reader *r = s->reader;
	struct pyd_obj o;
	char name[4096];
	uint64_t item[3];
	struct pyd_err why;

	/* (size, mtime, lines, fullname); (loader,) when not read yet. */
	if (pyd_read_str(r, key, name, sizeof(name), &why) ||
	    pyd_obj_read(r, value, &o, &why) ||
	    !pyd_obj_is(&o, PYD_KIND_tuple) ||
	    PYD_OBJ_U64(r, &o, object, ob_size) != 4 ||
	    pyd_target_read(r->target,
			    value + (uint64_t)PYD_OFF(r->lay, tuple, ob_item),
			    item, sizeof(item), &why))
		return PYD_OK;
	return pyd_map_put(&s->cache, hash_text(name), item[2], err);
}

static enum pyd_code read_cache(struct pyd_sources *s,
				const struct pyd_runtime *rt,
				struct pyd_err *err)
{
	for (size_t i = 0; i < rt->ninterps; i++) {
		pyd_addr module = 0, cache = 0;
		struct pyd_err why;

		if (pyd_read_dict_str(s->reader, rt->interps[i].modules,
				      "linecache", &module, &why) ||
		    !module ||
		    pyd_read_attr(s->reader, module, "cache", &cache, &why) ||
		    !cache)
			continue;

		enum pyd_code code = pyd_read_dict_each(s->reader, cache,
							cache_entry, s, &why);

		if (code && !pyd_code_is_local(code)) {
			*err = why;
			return code;
		}
	}
	return PYD_OK;
}

static enum pyd_code begin_cache(struct pyd_sources *s,
				 const struct pyd_runtime *rt,
				 struct pyd_err *err)
{
	enum pyd_code code = s->cache_read ? PYD_OK : read_cache(s, rt, err);

	if (!code)
		s->cache_read = true;
	return code;
}

/* The lines of a list, joined. False when it is not a list of text. */
static bool join_lines(struct pyd_reader *r, pyd_addr list, struct pyd_buf *out)
{
	struct pyd_obj o;
	struct pyd_vec lines = { 0 };
	struct pyd_err why;
	bool good = false;

	if (pyd_obj_read(r, list, &o, &why) || !pyd_obj_is(&o, PYD_KIND_list))
		return false;

	uint64_t n = PYD_OBJ_U64(r, &o, object, ob_size);

	if (!n || n > LINES_MAX ||
	    pyd_read_pointers(r, PYD_OBJ_U64(r, &o, list, ob_item), n, &lines,
			      &why))
		goto out;
	for (uint64_t i = 0; i < n && out->len < FILE_MAX; i++) {
		uint64_t total;
		bool cut;

		if (pyd_obj_read(r, lines.data[i], &o, &why) ||
		    !pyd_obj_is(&o, PYD_KIND_str) ||
		    pyd_obj_utf8(r, &o, FILE_MAX, out, &total, &cut, &why))
			goto out;
	}
	good = true;
out:
	pyd_vec_deinit(&lines);
	return good;
}

/* -- files -- */

/* True when the text of the file is in out. */
static bool read_file(struct pyd_subject *subject, const char *file,
		      struct pyd_buf *out, uint64_t *ret_size,
		      int64_t *ret_mtime)
{
	int fd = subject->ops->open_source(subject, file);
	struct stat st;
	bool good = false;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		goto out;
	*ret_size = (uint64_t)st.st_size;
	*ret_mtime = st.st_mtim.tv_sec;
	while (out->len < FILE_MAX) {
		struct pyd_err why;

		if (pyd_buf_reserve(out, 1 << 16, &why))
			goto out;

		ssize_t n = read(fd, out->data + out->len, 1 << 16);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			goto out;
		if (n == 0)
			break;
		out->len += (size_t)n;
	}
	/* A compiled module is no source. */
	good = out->len > 0 && !memchr(out->data, 0, out->len);
out:
	close(fd);
	return good;
}

/* "\r\n" and "\r" become "\n", as Python reads source. */
static void unify_line_ends(struct pyd_buf *b)
{
	size_t to = 0;

	for (size_t i = 0; i < b->len; i++) {
		if (b->data[i] == '\r') {
			if (i + 1 < b->len && b->data[i + 1] == '\n')
				i++;
			b->data[to++] = '\n';
		} else {
			b->data[to++] = b->data[i];
		}
	}
	b->len = to;
}

/* The text of one file, and where it is from. False when there is none. */
struct source {
	struct pyd_buf text;
	uint64_t size; /* of the whole file */
	int64_t mtime; /* -1: not known */
	const char *origin;
};

static enum pyd_code get(struct pyd_sources *s, const struct pyd_runtime *rt,
			 const char *file, struct source *ret, bool *ret_found,
			 struct pyd_err *err)
{
	uint64_t list;

	enum pyd_code code = begin_cache(s, rt, err);

	*ret_found = false;
	ret->mtime = -1;
	ret->origin = "linecache";
	if (code)
		return code;
	if (!pyd_map_get(&s->cache, hash_text(file), &list) ||
	    !join_lines(s->reader, list, &ret->text)) {
		ret->text.len = 0;
		ret->origin = "file";
		if (!s->subject || file[0] == '<' || !file[0] ||
		    !read_file(s->subject, file, &ret->text, &ret->size,
			       &ret->mtime))
			return PYD_OK;
	}
	if (ret->text.len > FILE_MAX)
		ret->text.len = FILE_MAX;
	if (ret->size < ret->text.len)
		ret->size = ret->text.len;
	*ret_found = true;
	return PYD_OK;
}

enum pyd_code pyd_sources_learn(struct pyd_sources *s,
				const struct pyd_runtime *rt, const char *file,
				struct pyd_err *err)
{
	struct source src = { 0 };
	uint64_t h = hash_text(file), found;
	bool is_there;
	enum pyd_code code;

	if (!s->redact || pyd_map_get(&s->learned, h, &found) ||
	    s->learned_bytes > TOTAL_MAX)
		return PYD_OK;
	code = pyd_map_put(&s->learned, h, 1, err);
	if (!code)
		code = get(s, rt, file, &src, &is_there, err);
	if (!code && is_there) {
		s->learned_bytes += src.text.len;
		unify_line_ends(&src.text);
		code = pyd_redact_learn(s->redact, &src.text, err);
	}
	pyd_buf_deinit(&src.text);
	return code;
}

static enum pyd_code write_one(struct pyd_sources *s, const char *file,
			       struct source *src, struct pyd_err *err)
{
	struct pyd_pack p, extra;
	bool is_cut = src->size > src->text.len;
	enum pyd_code code = PYD_OK;

	unify_line_ends(&src->text);
	if (s->redact)
		code = pyd_redact_source(s->redact, &src->text, err);
	if (code)
		return code;
	pyd_pack_init(&p);
	pyd_pack_init(&extra);
	pyd_pack_map(&p, 5 + is_cut);
	pyd_pack_kv_text(&p, "kind", "source");
	pyd_pack_text(&p, "file");
	pyd_redact_pack(s->redact, &p, file);
	pyd_pack_text(&p, "text");
	pyd_pack_text_n(&p, (const char *)src->text.data, src->text.len);
	pyd_pack_kv_text(&p, "origin", src->origin);
	/* Seconds since 1970, so that an edit after the start shows. */
	pyd_pack_kv_opt(&p, "mtime", src->mtime);
	if (is_cut)
		pyd_pack_kv_u64(&p, "truncated", src->size);
	pyd_redact_pack(s->redact, &extra, file);
	code = pyd_pack_check(&p, err);
	if (!code)
		code = pyd_pack_check(&extra, err);
	if (!code)
		code = pyd_writer_frame(s->writer, "source", &p.buf, &extra.buf,
					1, err);
	pyd_pack_deinit(&p);
	pyd_pack_deinit(&extra);
	return code;
}

enum pyd_code pyd_sources_add(struct pyd_sources *s,
			      const struct pyd_runtime *rt, const char *file,
			      struct pyd_err *err)
{
	struct source src = { 0 };
	uint64_t h = hash_text(file), found;
	bool is_there;
	enum pyd_code code;

	if (pyd_map_get(&s->done, h, &found) || s->bytes > TOTAL_MAX)
		return PYD_OK;
	code = pyd_map_put(&s->done, h, 1, err);
	if (!code)
		code = get(s, rt, file, &src, &is_there, err);
	if (!code && is_there) {
		s->bytes += src.text.len;
		code = write_one(s, file, &src, err);
	}
	pyd_buf_deinit(&src.text);
	return code;
}

enum pyd_code pyd_sources_touch(struct pyd_sources *s,
				const struct pyd_runtime *rt, const char *file,
				struct pyd_err *err)
{
	struct pyd_buf text = { 0 };
	uint64_t h = hash_text(file), list, done;
	enum pyd_code code = begin_cache(s, rt, err);

	if (code || !pyd_map_get(&s->cache, h, &list) ||
	    pyd_map_get(&s->done, h, &done))
		return code;
	code = pyd_map_put(&s->done, h, 1, err);
	if (!code)
		(void)join_lines(s->reader, list, &text);
	pyd_buf_deinit(&text);
	return code;
}

void pyd_sources_deinit(struct pyd_sources *s)
{
	pyd_map_deinit(&s->done);
	pyd_map_deinit(&s->learned);
	pyd_map_deinit(&s->cache);
}
