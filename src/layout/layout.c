// SPDX-License-Identifier: Apache-2.0
#include "layout/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout/files.h"
#include "layout/tables.h"

/* A directory of tables has some dozens. */
enum { TABLES_MAX = 1024 };

/* Puts a table into the list; takes t->lay, but on failure. */
static enum pyd_code add(struct pyd_layouts *l, const struct pyd_table *t,
			 struct pyd_err *err)
{
	struct pyd_table *grown;

	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->tables[i].name, t->name)) {
			free(l->tables[i].lay);
			l->tables[i] = *t;
			return PYD_OK;
		}
	if (l->n == TABLES_MAX)
		return pyd_err_set(err, PYD_LIMIT, "more than %d offset tables",
				   TABLES_MAX);
	grown = reallocarray(l->tables, l->n + 1, sizeof(*grown));
	if (!grown)
		return pyd_err_set(err, PYD_NOMEM, "offset tables");
	l->tables = grown;
	l->tables[l->n++] = *t;
	return PYD_OK;
}

static struct pyd_table head_of(const struct pyd_layout *lay)
{
	struct pyd_table t = {
		.hex_min = lay->hex_min,
		.hex_max = lay->hex_max,
		.flags = lay->flags,
	};

	memcpy(t.name, lay->name, sizeof(t.name));
	return t;
}

static enum pyd_code add_builtin(struct pyd_layouts *l,
				 const struct pyd_table_text *text,
				 struct pyd_err *err)
{
	struct pyd_layout lay;
	struct pyd_table t;
	enum pyd_code rc = pyd_layout_parse_head(text->file, text->text,
						 text->len, &lay, err);

	if (rc)
		return rc;
	t = head_of(&lay);
	t.text = text;
	return add(l, &t, err);
}

static enum pyd_code add_text(void *ctx, const char *where, const char *text,
			      size_t len, struct pyd_err *err)
{
	struct pyd_layout *lay = malloc(sizeof(*lay));
	struct pyd_table t;
	enum pyd_code rc;

	if (!lay)
		return pyd_err_set(err, PYD_NOMEM, "offset tables");
	rc = pyd_layout_parse(where, text, len, lay, err);
	if (!rc) {
		t = head_of(lay);
		t.lay = lay;
		rc = add(ctx, &t, err);
	}
	if (rc)
		free(lay);
	return rc;
}

enum pyd_code pyd_layouts_load(const char *path, struct pyd_layouts *ret,
			       struct pyd_err *err)
{
	__attribute__((
		cleanup(pyd_layouts_deinit))) struct pyd_layouts l = { 0 };
	enum pyd_code rc;

	for (size_t i = 0; i < pyd_ntable_texts; i++) {
		rc = add_builtin(&l, &pyd_table_texts[i], err);
		if (rc)
			return rc;
	}
	if (path) {
		rc = pyd_files_each(path, ".offsets", add_text, &l, err);
		if (rc)
			return rc;
	}
	*ret = l;
	l = (struct pyd_layouts) { 0 };
	return PYD_OK;
}

void pyd_layouts_deinit(struct pyd_layouts *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->tables[i].lay);
	free(l->tables);
	*l = (struct pyd_layouts) { 0 };
}

enum pyd_code pyd_layouts_get(const struct pyd_layouts *l, size_t i,
			      struct pyd_layout **ret, struct pyd_err *err)
{
	struct pyd_table *t = &l->tables[i];

	if (!t->lay) {
		struct pyd_layout *lay = malloc(sizeof(*lay));
		enum pyd_code rc;

		if (!lay)
			return pyd_err_set(err, PYD_NOMEM, "offset tables");
		rc = pyd_layout_parse(t->text->file, t->text->text,
				      t->text->len, lay, err);
		if (rc) {
			free(lay);
			return rc;
		}
		t->lay = lay;
	}
	*ret = t->lay;
	return PYD_OK;
}

bool pyd_layouts_is_named(const struct pyd_layouts *l, size_t i,
			  const char *path)
{
	const struct pyd_table *t = &l->tables[i];
	const char *base = strrchr(path, '/');
	const char *name = strstr(base ? base : path, "python");
	unsigned int major, minor;
	uint32_t hex;

	if (!name || sscanf(name, "python%1u.%2u", &major, &minor) != 2)
		return false;
	hex = major << 24 | minor << 16;
	return t->hex_max >= hex && t->hex_min <= (hex | 0xffff);
}

void pyd_version_text(uint32_t hex, char *buf, size_t cap)
{
	unsigned int level = hex >> 4 & 15;
	const char *word = "";
	char serial[8] = "";

	if (level == 0xa)
		word = "a";
	else if (level == 0xb)
		word = "b";
	else if (level == 0xc)
		word = "rc";
	if (*word)
		snprintf(serial, sizeof(serial), "%u", hex & 15);
	snprintf(buf, cap, "%u.%u.%u%s%s", hex >> 24, hex >> 16 & 255,
		 hex >> 8 & 255, word, serial);
}

static const char *build_text(unsigned int flags)
{
	switch (flags) {
	case 0:
		return "release build";
	case PYD_LAYOUT_DEBUG:
		return "debug build";
	case PYD_LAYOUT_FREE_THREADED:
		return "free-threaded build";
	default:
		return "free-threaded debug build";
	}
}

static enum pyd_code refuse(const struct pyd_layouts *l, uint32_t hex,
			    unsigned int flags, struct pyd_err *err)
{
	char version[32];
	char list[320] = "";
	size_t used = 0;

	pyd_version_text(hex, version, sizeof(version));
	for (size_t i = 0; i < l->n; i++) {
		const char *name = l->tables[i].name;

		if (!strncmp(name, "cpython-", 8))
			name += 8;
		int n = snprintf(list + used, sizeof(list) - used, "%s%s",
				 used ? " " : "", name);
		if (n < 0 || (size_t)n >= sizeof(list) - used)
			break;
		used += (size_t)n;
	}
	return pyd_err_set(err, PYD_UNSUPPORTED,
			   "no offset table for CPython %s (0x%08x), %s; there "
			   "are tables for: %s; doc/HOWTO_ADD_A_VERSION.md "
			   "tells how to make one",
			   version, hex, build_text(flags), list);
}

bool pyd_layout_covers(const struct pyd_layout *lay, uint32_t hex)
{
	return hex >= lay->hex_min && hex <= lay->hex_max;
}

enum pyd_code pyd_layout_select(const struct pyd_layouts *l, uint32_t hex,
				unsigned int flags, struct pyd_layout *ret,
				struct pyd_err *err)
{
	const struct pyd_table *best = NULL;
	struct pyd_layout *lay;
	enum pyd_code rc;

	/* The closest range wins, so that one release can have a table of its
	 * own; of equals, the later one. */
	for (size_t i = 0; i < l->n; i++) {
		const struct pyd_table *t = &l->tables[i];

		if (t->flags != flags || hex < t->hex_min || hex > t->hex_max)
			continue;
		if (!best ||
		    t->hex_max - t->hex_min <= best->hex_max - best->hex_min)
			best = t;
	}
	if (!best)
		return refuse(l, hex, flags, err);
	rc = pyd_layouts_get(l, (size_t)(best - l->tables), &lay, err);
	if (rc)
		return rc;
	rc = pyd_layout_validate(lay, err);
	if (rc) {
		pyd_err_prefix(err, "offset table %s", best->name);
		return rc;
	}
	*ret = *lay;
	return PYD_OK;
}
