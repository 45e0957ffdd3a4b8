// SPDX-License-Identifier: Apache-2.0
#include "layout/ctype.h"

#include <stdlib.h>
#include <string.h>

#include "layout/files.h"
#include "layout/layout.h"
#include "layout/tables.h"

void pyd_ctypes_deinit(struct pyd_ctypes *c)
{
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

/* Whether the text is for another version, as its first lines say: most of the
 * built-in ones are, and need no parsing. */
static bool is_for_others(const struct pyd_table_text *t, uint32_t hex)
{
	const char *min = strstr(t->text, "\nhex_min = ");
	const char *max = strstr(t->text, "\nhex_max = ");
	const char *first = strstr(t->text, "\n[");

	if (!min || !max || !first || min > first || max > first)
		return false;
	return hex < strtoul(min + strlen("\nhex_min = "), NULL, 16) ||
	       hex > strtoul(max + strlen("\nhex_max = "), NULL, 16);
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

/* Types of both, those of a first; b is emptied. */
static enum pyd_code append(struct pyd_ctypes *a, struct pyd_ctypes *b,
			    struct pyd_err *err)
{
	struct pyd_ctype *types =
		reallocarray(a->types, a->n + b->n + 1, sizeof(*types));
	char **texts;

	if (!types)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for types");
	a->types = types;
	texts = reallocarray(a->texts, a->ntexts + b->ntexts + 1,
			     sizeof(*texts));
	if (!texts)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for types");
	a->texts = texts;
	for (size_t i = 0; i < b->n; i++)
		a->types[a->n++] = b->types[i];
	for (size_t i = 0; i < b->ntexts; i++)
		a->texts[a->ntexts++] = b->texts[i];
	b->n = 0;
	b->ntexts = 0;
	return PYD_OK;
}

enum pyd_code pyd_ctypes_select(struct pyd_ctypes *c, uint32_t hex,
				unsigned int flags, struct pyd_err *err)
{
	__attribute__((
		cleanup(pyd_ctypes_deinit))) struct pyd_ctypes all = { 0 };
	size_t kept = 0;
	enum pyd_code code;

	for (size_t i = 0; i < pyd_ntype_texts; i++) {
		const struct pyd_table_text *t = &pyd_type_texts[i];

		if (is_for_others(t, hex))
			continue;
		code = pyd_ctypes_parse(&all, t->file, t->text, t->len, err);
		if (code)
			return code;
	}
	code = append(&all, c, err);
	if (code)
		return code;
	for (size_t i = 0; i < all.n; i++) {
		all.types[i].order = i;
		if (fits(&all.types[i], hex, flags))
			all.types[kept++] = all.types[i];
		else
			free(all.types[i].fields);
	}
	all.n = kept;
	if (kept)
		qsort(all.types, kept, sizeof(*all.types), by_order);
	pyd_ctypes_deinit(c);
	*c = all;
	all = (struct pyd_ctypes) { 0 };
	return PYD_OK;
}

const struct pyd_ctype *pyd_ctypes_find(const struct pyd_ctypes *c,
					const char *name, int64_t basicsize,
					bool *ret_other)
{
	const struct pyd_ctype key = { .name = name };
	const struct pyd_ctype *at, *found = NULL;
	bool other = false;

	at = c && c->n ? bsearch(&key, c->types, c->n, sizeof(key), by_name)
		       : NULL;
	while (at && at > c->types && !by_name(&at[-1], &key))
		at--;
	for (; at && at < c->types + c->n && !by_name(at, &key); at++) {
		if (at->basicsize == basicsize)
			found = at;
		else
			other = true;
	}
	if (ret_other)
		*ret_other = other && !found;
	return found;
}
