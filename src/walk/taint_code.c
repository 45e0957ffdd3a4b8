// SPDX-License-Identifier: Apache-2.0
/* What is under a secret's name in code, functions and frames: variables,
 * defaults, and literals of code without a source. */
#include <stdlib.h>
#include <string.h>

#include "read/code.h"
#include "read/quick.h"
#include "walk/redact_state.h"

enum {
	CODE_VARS_MAX = 1 << 12,
	FILES_MAX = 1 << 12,
};

/* Pointers of the tuple at addr, appended to rd->items; none when it is no
 * tuple. */
static enum pyd_code tuple_items(struct pyd_redact *rd, struct pyd_reader *r,
				 pyd_addr addr, struct pyd_err *err)
{
	struct pyd_err why = { 0 };
	enum pyd_code code;
	uint64_t n;

	if (!addr || (addr & 3))
		return PYD_OK;
	code = pyd_obj_read(r, addr, &rd->obj, &why);
	if (!code && pyd_obj_is(&rd->obj, PYD_KIND_tuple)) {
		n = PYD_OBJ_U64(r, &rd->obj, object, ob_size);
		if (n && n <= CODE_VARS_MAX)
			code = pyd_read_pointers(
				r,
				addr + (uint64_t)PYD_OFF(r->lay, tuple,
							 ob_item),
				n, &rd->items, &why);
	}
	return pyd_redact_only_fatal(code, &why, err);
}

static bool is_library(const char *file)
{
	return file[0] == '<' || strstr(file, "/lib/python") ||
	       strstr(file, "/site-packages/") ||
	       strstr(file, "/dist-packages/");
}

/* A file of the program's own: its literals are looked at even when no frame
 * needs its text. */
static enum pyd_code note_file(struct pyd_redact *rd, struct pyd_reader *r,
			       uint64_t name, bool *ret_no_file,
			       struct pyd_err *err)
{
	char text[PYD_NAME_MAX], *own;
	struct pyd_err why = { 0 };
	uint64_t found, h;
	enum pyd_code code;

	*ret_no_file = false;
	if (!name || rd->files.len >= FILES_MAX)
		return PYD_OK;
	if (pyd_map_get(&rd->file_names, name, &found)) {
		*ret_no_file = found == 2;
		return PYD_OK;
	}
	code = pyd_read_str(r, name, text, sizeof(text), &why);
	if (code)
		return pyd_redact_only_fatal(code, &why, err);
	*ret_no_file = text[0] == '<' && strncmp(text, "<frozen", 7) != 0;
	code = pyd_map_put(&rd->file_names, name, *ret_no_file ? 2 : 1, err);
	if (code)
		return code;
	h = pyd_redact_hash(text, strlen(text)) | 1; /* no address */
	if (is_library(text) || pyd_map_get(&rd->file_names, h, &found))
		return PYD_OK;
	code = pyd_map_put(&rd->file_names, h, 1, err);
	if (code)
		return code;
	own = strdup(text);
	if (!own)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	code = pyd_vec_push(&rd->files, (uint64_t)(uintptr_t)own, err);
	if (code)
		free(own);
	return code;
}

/* Code without a source, of exec() and the like, that has to do with a secret:
 * those of its constants that look like one are taken for it. */
static enum pyd_code constants(struct pyd_redact *rd, struct pyd_reader *r,
			       const struct pyd_node *n, bool any,
			       struct pyd_err *err)
{
	enum pyd_code code;

	pyd_vec_clear(&rd->items);
	code = tuple_items(rd, r, n->refs.data[6], err);
	for (size_t i = 0; i < rd->items.len && !any && !code; i++) {
		enum pyd_name_class class;

		code = pyd_redact_class(rd, r, rd->items.data[i], &class, NULL,
					err);
		any = class == PYD_CLASS_SECRET || class == PYD_CLASS_MAYBE;
	}
	pyd_vec_clear(&rd->items);
	if (!code)
		code = tuple_items(rd, r, n->refs.data[7], err);
	for (size_t i = 0; i < rd->items.len && any && !code; i++)
		code = pyd_redact_note(rd, rd->items.data[i], PYD_RULE_NAME,
				       PYD_CLASS_CONSTANT, PYD_REDACT_DEPTH,
				       err);
	return code;
}

/* Fields: filename name qualname varnames cellvars freevars names consts
 * localsplusnames localspluskinds. */
enum pyd_code pyd_redact_code(struct pyd_redact *rd, struct pyd_reader *r,
			      const struct pyd_node *n, struct pyd_err *err)
{
	struct pyd_redact_code *c;
	bool any = false, no_file = false, again;
	int32_t argcount = 0;
	uint64_t before;
	enum pyd_code code;

	if (n->refs.len < 9)
		return PYD_OK;
	code = note_file(rd, r, n->refs.data[0], &no_file, err);
	pyd_vec_clear(&rd->items);
	if (!code && n->refs.data[8])
		code = tuple_items(rd, r, n->refs.data[8], err);
	if (!code && !n->refs.data[8])
		code = tuple_items(rd, r, n->refs.data[3], err);
	if (!code && !n->refs.data[8])
		code = tuple_items(rd, r, n->refs.data[5], err);
	if (code)
		return code;
	if (!rd->items.len)
		return no_file ? constants(rd, r, n, false, err) : PYD_OK;
	c = calloc(1, sizeof(*c) + rd->items.len);
	if (!c)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	if (n->value.len >= sizeof(argcount))
		memcpy(&argcount, n->value.data, sizeof(argcount));
	c->n = (uint32_t)rd->items.len;
	c->argcount = argcount > 0 ? (uint32_t)argcount : 0;
	for (size_t i = 0; i < rd->items.len; i++) {
		enum pyd_name_class class;

		code = pyd_redact_class(rd, r, rd->items.data[i], &class, NULL,
					err);
		if (code)
			break;
		c->classes[i] = (uint8_t) class;
		any |= class != PYD_CLASS_PLAIN;
	}
	/* A dump that is written anew meets it again. */
	again = pyd_map_get(&rd->codes, n->addr, &before);
	if (!code && any)
		code = pyd_map_put(&rd->codes, n->addr, (uint64_t)(uintptr_t)c,
				   err);
	if (!code && any && again)
		free((void *)(uintptr_t)before);
	if (code || !any)
		free(c);
	if (!code && no_file)
		code = constants(rd, r, n, any, err);
	return code;
}

/* Fields: code globals defaults kwdefaults closure doc name qualname dict
 * module annotations ... */
enum pyd_code pyd_redact_function(struct pyd_redact *rd,
				  const struct pyd_node *n, struct pyd_err *err)
{
	static const size_t fields[] = { 0, 2, 4 };
	enum pyd_code code = PYD_OK;

	if (n->refs.len > 10)
		code = pyd_redact_annotations(rd, n->refs.data[10], err);
	if (code || n->refs.len < 5 || (!n->refs.data[2] && !n->refs.data[4]))
		return code;
	for (size_t i = 0; i < 3 && !code; i++)
		code = pyd_vec_push(&rd->funcs, n->refs.data[fields[i]], err);
	return code;
}

enum pyd_code pyd_redact_defaults(struct pyd_redact *rd, struct pyd_reader *r,
				  struct pyd_err *err)
{
	for (size_t i = 0; i + 2 < rd->funcs.len; i += 3) {
		const struct pyd_redact_code *c;
		enum pyd_code code;
		uint64_t found;

		if (!pyd_map_get(&rd->codes, rd->funcs.data[i], &found))
			continue;
		c = (const struct pyd_redact_code *)(uintptr_t)found;
		for (size_t part = 1; part < 3; part++) {
			uint32_t end = part == 1 ? c->argcount : c->n;

			pyd_vec_clear(&rd->items);
			code = tuple_items(rd, r, rd->funcs.data[i + part],
					   err);
			if (code)
				return code;
			if (end > c->n || rd->items.len > end)
				continue;
			for (size_t k = 0; k < rd->items.len; k++) {
				uint8_t class =
					c->classes[end - rd->items.len + k];

				if (!class)
					continue;
				code = pyd_redact_note(rd, rd->items.data[k],
						       PYD_RULE_NAME, class, 0,
						       err);
				if (code)
					return code;
			}
		}
	}
	rd->funcs.len = 0;
	return PYD_OK;
}

enum pyd_code pyd_redact_frame(struct pyd_redact *rd, struct pyd_reader *r,
			       const struct pyd_node *n, size_t code_at,
			       size_t first, struct pyd_err *err)
{
	const struct pyd_codeobj *c;
	struct pyd_err why = { 0 };
	enum pyd_code code;

	if (n->refs.len <= first || !n->refs.data[code_at])
		return PYD_OK;
	code = pyd_codeobj_get(r, n->refs.data[code_at], &c, &why);
	if (code)
		return pyd_redact_only_fatal(code, &why, err);
	for (size_t i = 0; i < c->nvars && first + i < n->refs.len; i++) {
		code = pyd_redact_var(rd, r, c->vars[i].name,
				      n->refs.data[first + i], err);
		if (code)
			return code;
	}
	return PYD_OK;
}
