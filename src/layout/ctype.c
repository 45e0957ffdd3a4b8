// SPDX-License-Identifier: Apache-2.0
#include "layout/ctype.h"

#include <stdlib.h>
#include <string.h>

#include "layout/files.h"
#include "layout/layout.h"
#include "layout/tables.h"

enum {
	BUCKETS = 256,
	PARAGRAPHS_MAX = 20000,
};

/* The text of one built-in type. */
struct paragraph {
	const char *file;
	const char *text; /* from its "[" on */
	size_t len;
	size_t name_len;	  /* behind the "[" */
	uint32_t next;		  /* of the bucket, plus one; 0: none */
	struct pyd_ctypes parsed; /* one type, when it was found */
};

struct pyd_ctype_paragraphs {
	struct paragraph *v;
	size_t n, cap;
	/* By name; the last of equal names comes first. */
	uint32_t buckets[BUCKETS];
};

void pyd_ctypes_deinit(struct pyd_ctypes *c)
{
	struct pyd_ctype_paragraphs *p = c->builtin;

	/* A paragraph's own has no paragraphs: one level. */
	for (size_t i = 0; p && i < p->n; i++) {
		struct pyd_ctypes *one = &p->v[i].parsed;

		for (size_t k = 0; k < one->n; k++)
			free(one->types[k].fields);
		for (size_t k = 0; k < one->ntexts; k++)
			free(one->texts[k]);
		free(one->types);
		free(one->texts);
	}
	if (p)
		free(p->v);
	free(p);
	for (size_t i = 0; i < c->n; i++)
		free(c->types[i].fields);
	for (size_t i = 0; i < c->ntexts; i++)
		free(c->texts[i]);
	free(c->types);
	free(c->texts);
	*c = (struct pyd_ctypes) { 0 };
}

static enum pyd_code add_text(void *ctx, const char *where, const char *text,
			      size_t len, struct pyd_err *err)
{
	return pyd_ctypes_parse(ctx, where, text, len, err);
}

enum pyd_code pyd_ctypes_load(const char *path, struct pyd_ctypes *ret,
			      struct pyd_err *err)
{
	struct pyd_ctypes c = { 0 };
	enum pyd_code code = PYD_OK;

	if (path)
		code = pyd_files_each(path, ".types", add_text, &c, err);
	if (code) {
		pyd_ctypes_deinit(&c);
		return code;
	}
	*ret = c;
	return PYD_OK;
}

static bool fits(const struct pyd_ctype *t, uint32_t hex, unsigned int flags)
{
	return hex >= t->hex_min && hex <= t->hex_max &&
	       (t->flags == PYD_CTYPE_ANY || (unsigned int)t->flags == flags);
}

static int by_name(const void *a, const void *b)
{
	const struct pyd_ctype *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int by_order(const void *a, const void *b)
{
	const struct pyd_ctype *x = a, *y = b;
	int names = by_name(a, b);

	return names ? names : (x->order > y->order) - (x->order < y->order);
}

/* -- built-in ones -- */

static uint32_t *bucket_of(struct pyd_ctype_paragraphs *p, const char *name,
			   size_t len)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)name[i]) * 16777619u;
	return &p->buckets[(hash ^ hash >> 16) % BUCKETS];
}

static enum pyd_code add_paragraph(struct pyd_ctype_paragraphs *p,
				   const char *file, const char *text,
				   const char *end, struct pyd_err *err)
{
	const char *close = memchr(text, ']', (size_t)(end - text));
	struct paragraph *v;
	uint32_t *bucket;

	if (!close || p->n == PARAGRAPHS_MAX)
		return pyd_err_set(err, PYD_FORMAT, "%s: %s", file,
				   close ? "too many types"
					 : "a \"[\" without \"]\"");
	if (p->n == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 512;

		v = reallocarray(p->v, cap, sizeof(*v));
		if (!v)
			return pyd_err_set(err, PYD_NOMEM,
					   "out of memory for types");
		p->v = v;
		p->cap = cap;
	}
	v = &p->v[p->n];
	*v = (struct paragraph) {
		.file = file,
		.text = text,
		.len = (size_t)(end - text),
		.name_len = (size_t)(close - text) - 1,
	};
	bucket = bucket_of(p, text + 1, v->name_len);
	v->next = *bucket;
	*bucket = (uint32_t)++p->n;
	return PYD_OK;
}

/* The next line that begins with "[", or the end. */
static const char *next_paragraph(const char *at, const char *end)
{
	while (at < end) {
		at = memchr(at, '[', (size_t)(end - at));
		if (!at)
			break;
		if (at[-1] == '\n')
			return at;
		at++;
	}
	return end;
}

static enum pyd_code add_paragraphs(struct pyd_ctype_paragraphs *p,
				    const struct pyd_table_text *t,
				    uint32_t hex, unsigned int flags,
				    struct pyd_err *err)
{
	const char *end = t->text + t->len;
	/* Each begins with a comment. */
	const char *at = next_paragraph(t->text + 1, end);
	struct pyd_ctype head;
	enum pyd_code code = pyd_ctypes_parse_head(
		t->file, t->text, (size_t)(at - t->text), &head, err);

	if (code || !fits(&head, hex, flags))
		return code;
	while (at < end && !code) {
		const char *next = next_paragraph(at + 1, end);

		code = add_paragraph(p, t->file, at, next, err);
		at = next;
	}
	return code;
}

enum pyd_code pyd_ctypes_select(struct pyd_ctypes *c, uint32_t hex,
				unsigned int flags, struct pyd_err *err)
{
	size_t kept = 0;
	enum pyd_code code;

	if (!c->builtin)
		c->builtin = calloc(1, sizeof(*c->builtin));
	if (!c->builtin)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for types");
	for (size_t i = 0; i < pyd_ntype_texts; i++) {
		code = add_paragraphs(c->builtin, &pyd_type_texts[i], hex,
				      flags, err);
		if (code)
			return code;
	}
	for (size_t i = 0; i < c->n; i++) {
		c->types[i].order = i;
		if (fits(&c->types[i], hex, flags))
			c->types[kept++] = c->types[i];
		else
			free(c->types[i].fields);
	}
	c->n = kept;
	if (kept)
		qsort(c->types, kept, sizeof(*c->types), by_order);
	return PYD_OK;
}

static enum pyd_code parse_paragraph(struct paragraph *p, struct pyd_err *err)
{
	return p->parsed.n ? PYD_OK
			   : pyd_ctypes_parse(&p->parsed, p->file, p->text,
					      p->len, err);
}

/* -- finding -- */

/* Among those of a user: the last one of equal names and sizes. */
static const struct pyd_ctype *find_own(const struct pyd_ctypes *c,
					const char *name, int64_t basicsize,
					bool *other)
{
	const struct pyd_ctype key = { .name = name };
	const struct pyd_ctype *at, *found = NULL;

	at = c->n ? bsearch(&key, c->types, c->n, sizeof(key), by_name) : NULL;
	while (at && at > c->types && !by_name(&at[-1], &key))
		at--;
	for (; at && at < c->types + c->n && !by_name(at, &key); at++) {
		if (at->basicsize == basicsize)
			found = at;
		else
			*other = true;
	}
	return found;
}

enum pyd_code pyd_ctypes_find(const struct pyd_ctypes *c, const char *name,
			      int64_t basicsize, const struct pyd_ctype **ret,
			      bool *ret_other, struct pyd_err *err)
{
	const struct pyd_ctype *found = NULL;
	struct pyd_ctype_paragraphs *b = c ? c->builtin : NULL;
	size_t len = strlen(name);
	bool other = false;

	if (c)
		found = find_own(c, name, basicsize, &other);
	for (uint32_t i = b ? *bucket_of(b, name, len) : 0; i && !found;
	     i = b->v[i - 1].next) {
		struct paragraph *p = &b->v[i - 1];
		enum pyd_code code;

		if (p->name_len != len || memcmp(p->text + 1, name, len))
			continue;
		code = parse_paragraph(p, err);
		if (code)
			return code;
		if (p->parsed.types[0].basicsize == basicsize)
			found = &p->parsed.types[0];
		else
			other = true;
	}
	*ret = found;
	*ret_other = other && !found;
	return PYD_OK;
}
