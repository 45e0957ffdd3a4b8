// SPDX-License-Identifier: Apache-2.0
/* A dump is opened: its header and the frames that are read at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dump/lookup.h"

static enum pyd_code not_ours(struct pyd_dump *d, const char *why,
			      struct pyd_err *err)
{
	return pyd_err_set(err, PYD_FORMAT, "%s is not a dump of pydumpd: %s",
			   d->name, why);
}

static enum pyd_code read_columns(struct pyd_dump *d, struct pyd_err *err)
{
	static const char *const names[] = {
#define PYD_COLUMN(id, name, encoding) name,
		PYD_COLUMNS(PYD_COLUMN)
#undef PYD_COLUMN
	};
	struct pyd_dump_value columns =
		pyd_dump_value_get(d->header, "columns");

	for (size_t i = 0; i < PYD_NCOLUMNS; i++) {
		struct pyd_dump_value v = pyd_dump_value_get(columns, names[i]);
		const char *s;
		size_t len;

		if (!pyd_dump_value_text(v, &s, &len))
			continue; /* told when it is needed */
		if (!pyd_column_parse(s, len, &d->specs[i]))
			return pyd_err_set(err, PYD_FORMAT,
					   "%s: column %s has an encoding that "
					   "this pydumpd does not know; open "
					   "it with a newer one",
					   d->name, names[i]);
	}
	return PYD_OK;
}

static enum pyd_kind kind_by_name(const char *s, size_t len)
{
	static const char *const names[] = {
#define PYD_KIND(id, name, fields, rest) [id] = #name,
		PYD_KINDS(PYD_KIND)
#undef PYD_KIND
	};

	for (size_t i = 0; i < PYD_NKINDS; i++)
		if (strlen(names[i]) == len && !memcmp(names[i], s, len))
			return (enum pyd_kind)i;
	return PYD_KIND_object;
}

static void read_kinds(struct pyd_dump *d)
{
	struct pyd_dump_value v = pyd_dump_value_get(d->header, "kinds");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);

	while (!it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		struct pyd_dump_kind_entry *k;
		const char *s;
		uint64_t id;
		size_t len;

		if (!pyd_dump_value_u64(pyd_dump_value_get(v, "id"), &id) ||
		    id > UINT8_MAX ||
		    !pyd_dump_value_text(pyd_dump_value_get(v, "name"), &s,
					 &len))
			continue;
		k = &d->kinds[id];
		k->pub = (struct pyd_dump_kind) {
			.kind = kind_by_name(s, len),
			.name = s,
			.name_len = len,
		};
		k->fields = pyd_dump_value_get(v, "fields");
		if (pyd_dump_value_type(k->fields) == PYD_DUMP_LIST)
			k->pub.nfields =
				(uint32_t)pyd_dump_value_len(k->fields);
		if (!pyd_dump_value_text(pyd_dump_value_get(v, "rest"), &s,
					 &len))
			continue;
		if (len == 5 && !memcmp(s, "items", 5))
			k->pub.rest = PYD_DUMP_REST_ITEMS;
		else if (len == 5 && !memcmp(s, "pairs", 5))
			k->pub.rest = PYD_DUMP_REST_PAIRS;
		else if (len == 5 && !memcmp(s, "frame", 5))
			k->pub.rest = PYD_DUMP_REST_FRAME;
	}
}

static enum pyd_code read_header(struct pyd_dump *d, struct pyd_err *err)
{
	enum pyd_code code =
		pyd_container_load(&d->c, 0, &d->header_raw, &d->header, err);
	uint64_t format, oldest;
	const char *s;
	size_t len;

	if (code)
		return code;
	if (!pyd_dump_value_text(pyd_dump_value_get(d->header, "magic"), &s,
				 &len) ||
	    len != strlen(PYD_FORMAT_MAGIC) ||
	    memcmp(s, PYD_FORMAT_MAGIC, len) != 0)
		return not_ours(d, "its header lacks the magic word", err);
	if (!pyd_dump_value_u64(pyd_dump_value_get(d->header, "format"),
				&format) ||
	    !pyd_dump_value_u64(pyd_dump_value_get(d->header, "oldest_reader"),
				&oldest) ||
	    format > UINT32_MAX)
		return not_ours(d, "its header has no format version", err);
	if (oldest > PYD_FORMAT_VERSION)
		return pyd_err_set(
			err, PYD_FORMAT,
			"%s has format %llu, which needs a newer pydumpd (this "
			"one reads up to %d); open it with the one that wrote "
			"it, or upgrade",
			d->name, (unsigned long long)format,
			PYD_FORMAT_VERSION);
	d->format = (uint32_t)format;
	read_kinds(d);
	return read_columns(d, err);
}

/* The first frame of that kind; nil, and no error, when there is none or it is
 * damaged: a dump without it is shown as far as it goes. */
static enum pyd_code read_first(struct pyd_dump *d, enum pyd_frame_kind kind,
				struct pyd_buf *raw, struct pyd_dump_value *ret,
				struct pyd_err *err)
{
	for (size_t i = 0; i < d->c.nframes; i++) {
		struct pyd_dump_value v;
		enum pyd_code code;

		if (d->c.frames[i].kind != kind)
			continue;
		code = pyd_container_load(&d->c, i, raw, &v, err);
		if (code == PYD_OK)
			*ret = v;
		if (code == PYD_FORMAT && !*d->c.damage)
			snprintf(d->c.damage, sizeof(d->c.damage), "%.*s",
				 (int)sizeof(d->c.damage) - 1, err->msg);
		if (code != PYD_FORMAT)
			return code;
	}
	return PYD_OK;
}

static enum pyd_code list_batches(struct pyd_dump *d, struct pyd_err *err)
{
	for (size_t i = 0; i < d->c.nframes; i++)
		d->nbatches += d->c.frames[i].kind == PYD_FRAME_OBJECTS;
	d->batches = calloc(d->nbatches + 1, sizeof(*d->batches));
	if (!d->batches)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	d->nbatches = 0;
	for (size_t i = 0; i < d->c.nframes; i++) {
		if (d->c.frames[i].kind != PYD_FRAME_OBJECTS)
			continue;
		d->batches[d->nbatches++] = (uint32_t)i;
		/* A sum that a damaged table cannot make wrap. */
		if (d->c.frames[i].a <= PYD_FORMAT_FRAME_MAX)
			d->nobjects += d->c.frames[i].a;
	}
	return PYD_OK;
}

static enum pyd_code open_fd(int fd, bool own, const char *name,
			     struct pyd_dump **ret, struct pyd_err *err)
{
	struct pyd_dump *d = calloc(1, sizeof(*d));
	struct pyd_err local;
	enum pyd_code code;

	/* read_first() keeps messages. */
	if (!err)
		err = &local;
	if (d) {
		d->own_fd = own ? fd : -1;
		d->name = strdup(name);
	} else if (own) {
		close(fd);
	}
	if (!d || !d->name) {
		pyd_dump_close(d);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	code = pyd_container_open(&d->c, fd, d->name, err);
	if (!code)
		code = read_header(d, err);
	if (!code)
		code = read_first(d, PYD_FRAME_THREADS, &d->threads_raw,
				  &d->threads, err);
	if (!code)
		code = read_first(d, PYD_FRAME_WAITS, &d->waits_raw, &d->waits,
				  err);
	if (!code)
		code = read_first(d, PYD_FRAME_END, &d->end_raw, &d->end, err);
	if (!code)
		code = list_batches(d, err);
	if (code) {
		pyd_dump_close(d);
		return code;
	}
	*ret = d;
	return PYD_OK;
}

enum pyd_code pyd_dump_open_fd(int fd, const char *name, struct pyd_dump **ret,
			       struct pyd_err *err)
{
	return open_fd(fd, false, name, ret, err);
}

enum pyd_code pyd_dump_open(const char *path, struct pyd_dump **ret,
			    struct pyd_err *err)
{
	/* Not blocking: a FIFO would wait for its writer for ever. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return pyd_err_errno(err,
				     errno == ENOENT ? PYD_NOTFOUND : PYD_IO,
				     errno, "cannot open %s", path);
	return open_fd(fd, true, path, ret, err);
}

void pyd_dump_close(struct pyd_dump *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < PYD_CACHE_BATCHES; i++)
		pyd_objects_destroy(d->cache[i].batch);
	pyd_lookup_deinit(d);
	pyd_native_chunk_deinit(&d->native);
	pyd_vec_deinit(&d->natives);
	free(d->batches);
	pyd_buf_deinit(&d->header_raw);
	pyd_buf_deinit(&d->threads_raw);
	pyd_buf_deinit(&d->waits_raw);
	pyd_buf_deinit(&d->end_raw);
	pyd_container_close(&d->c);
	if (d->own_fd >= 0)
		close(d->own_fd);
	free(d->name);
	free(d);
}
