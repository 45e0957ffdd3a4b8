// SPDX-License-Identifier: Apache-2.0
/* How a person knows an object: the variable or attribute that it is. */
#include <stdio.h>

#include "read/object.h"
#include "walk/waits.h"

enum {
	FRAMES_NAMED = 24,    /* of a thread: whose variables are looked at */
	ENTRIES_MAX = 200000, /* of the index, all namespaces together */
	OWN_MAX = 2000,	      /* attributes of one object */
};

void pyd_waits_module(struct pyd_reader *r, pyd_addr globals, char *buf,
		      size_t cap)
{
	struct pyd_err ignored;
	pyd_addr name = 0;

	if (!globals ||
	    pyd_read_dict_str(r, globals, "__name__", &name, &ignored) ||
	    !name || pyd_read_str(r, name, buf, cap, &ignored))
		buf[0] = '\0';
}

static pyd_addr through_cell(struct pyd_reader *r, const struct pyd_frame *f,
			     size_t i)
{
	pyd_addr value = f->vars.data[i];
	uint8_t kind = f->code->vars[i].kind;
	struct pyd_err ignored;

	if (!value || kind < PYD_VAR_CELL || kind == PYD_VAR_HIDDEN)
		return value;
	if (pyd_target_read_u64(r->target,
				value + (uint64_t)PYD_OFF(r->lay, cell, ob_ref),
				&value, &ignored))
		return 0;
	return value;
}

pyd_addr pyd_waits_var(struct pyd_reader *r, const struct pyd_frame *f,
		       const char *name)
{
	for (size_t i = 0; f->code && i < f->vars.len; i++) {
		struct pyd_err ignored;
		char text[64];
		pyd_addr value = through_cell(r, f, i);

		if (value &&
		    !pyd_read_str(r, f->code->vars[i].name, text, sizeof(text),
				  &ignored) &&
		    !strcmp(text, name))
			return value;
	}
	return 0;
}

/* The standard library's own frames name nothing for people. */
static bool is_inner(const char *module)
{
	return !strcmp(module, "threading") || !strcmp(module, "queue") ||
	       !strncmp(module, "concurrent.futures", 18) ||
	       !strncmp(module, "importlib", 9) ||
	       !strncmp(module, "_frozen_importlib", 17) ||
	       !strncmp(module, "multiprocessing", 15);
}

/* Key, value, ... of a namespace or of an object's attributes. */
static bool pairs_of(struct pyd_reader *r, const struct pyd_obj *o,
		     struct pyd_vec *ret)
{
	struct pyd_err ignored;
	struct pyd_obj dict;
	pyd_addr at = 0;
	uint64_t used;

	pyd_vec_clear(ret);
	if (pyd_obj_is(o, PYD_KIND_dict))
		return !pyd_obj_dict_pairs(r, o, ret, &used, &ignored);
	if (pyd_obj_is(o, PYD_KIND_type)) {
		if (pyd_type_dict(r, o->addr, &at, &ignored))
			return false;
	} else if (!(o->type->flags & PYD_TPFLAG_HEAPTYPE) ||
		   pyd_obj_attrs(r, o, ret, &at, &ignored)) {
		return false;
	}
	return !at || (!pyd_obj_read(r, at, &dict, &ignored) &&
		       pyd_obj_is(&dict, PYD_KIND_dict) &&
		       !pyd_obj_dict_pairs(r, &dict, ret, &used, &ignored));
}

/* -- the index of namespaces -- */

static enum pyd_code enter(struct pyd_waits *w, uint64_t value, pyd_addr key,
			   pyd_addr holder, pyd_addr space, struct pyd_err *err)
{
	uint64_t known;
	enum pyd_code code;

	if (!value || (value & 7) || w->entries.len / 3 >= ENTRIES_MAX ||
	    pyd_map_get(&w->index, value, &known))
		return PYD_OK;
	code = pyd_map_put(&w->index, value, w->entries.len, err);
	if (!code)
		code = pyd_vec_push(&w->entries, key, err);
	if (!code)
		code = pyd_vec_push(&w->entries, holder, err);
	return code ? code : pyd_vec_push(&w->entries, space, err);
}

static enum pyd_code enter_space(struct pyd_waits *w, pyd_addr space,
				 struct pyd_vec *later, struct pyd_err *err)
{
	struct pyd_vec pairs = { 0 };
	struct pyd_err ignored;
	struct pyd_obj o;
	enum pyd_code code = PYD_OK;

	if (!pyd_obj_read(w->r, space, &o, &ignored) &&
	    pairs_of(w->r, &o, &pairs))
		for (size_t i = 0; i + 1 < pairs.len && !code; i += 2) {
			code = enter(w, pairs.data[i + 1], pairs.data[i], 0,
				     space, err);
			if (!code)
				code = pyd_vec_push(later, pairs.data[i + 1],
						    err);
			if (!code)
				code = pyd_vec_push(later, space, err);
		}
	pyd_vec_deinit(&pairs);
	return code;
}

static enum pyd_code enter_attrs(struct pyd_waits *w, pyd_addr holder,
				 pyd_addr space, struct pyd_err *err)
{
	struct pyd_vec pairs = { 0 };
	struct pyd_err ignored;
	struct pyd_obj o;
	enum pyd_code code = PYD_OK;

	if (holder && !(holder & 7) &&
	    !pyd_obj_read(w->r, holder, &o, &ignored) &&
	    !pyd_obj_is(&o, PYD_KIND_dict) && pairs_of(w->r, &o, &pairs))
		for (size_t i = 0;
		     i + 1 < pairs.len && i / 2 < OWN_MAX && !code; i += 2)
			code = enter(w, pairs.data[i + 1], pairs.data[i],
				     holder, space, err);
	pyd_vec_deinit(&pairs);
	return code;
}

/* Globals of all frames near the top, and what their objects have. */
static enum pyd_code make_index(struct pyd_waits *w, struct pyd_err *err)
{
	struct pyd_vec later = { 0 };
	enum pyd_code code = PYD_OK;

	w->indexed = true;
	for (size_t i = 0; i < w->spaces.len && !code; i++) {
		char module[128];

		pyd_waits_module(w->r, w->spaces.data[i], module,
				 sizeof(module));
		if (!is_inner(module))
			code = enter_space(w, w->spaces.data[i], &later, err);
	}
	for (size_t i = 0; i + 1 < later.len && !code; i += 2)
		code = enter_attrs(w, later.data[i], later.data[i + 1], err);
	pyd_vec_deinit(&later);
	return code;
}

static bool put_name(struct pyd_reader *r, pyd_addr str, char *buf, size_t cap)
{
	struct pyd_err ignored;

	return str && !pyd_read_str(r, str, buf, cap, &ignored);
}

/* "Queue.mutex of the Queue at 0x..." */
static bool put_attr(struct pyd_reader *r, pyd_addr holder, pyd_addr key,
		     const char *by, char *buf, size_t cap)
{
	struct pyd_err ignored;
	struct pyd_obj o;
	char attr[128], type[96];

	if (pyd_obj_read(r, holder, &o, &ignored) ||
	    !put_name(r, key, attr, sizeof(attr)))
		return false;
	if (pyd_obj_is(&o, PYD_KIND_type)) {
		if (pyd_read_type_name(r, holder, type, sizeof(type),
				       &ignored) ||
		    !*by)
			return false;
		snprintf(buf, cap, "%s.%s", by, attr);
		return true;
	}
	snprintf(type, sizeof(type), "%s", o.type->name);
	if (*by)
		snprintf(buf, cap, "%s.%s of %s, the %s at 0x%llx", type, attr,
			 by, type, (unsigned long long)holder);
	else
		snprintf(buf, cap, "%s.%s of the %s at 0x%llx", type, attr,
			 type, (unsigned long long)holder);
	return true;
}

static bool from_index(struct pyd_waits *w, pyd_addr object, char *buf,
		       size_t cap)
{
	char module[128], by[128] = "";
	uint64_t at, outer;
	pyd_addr key, holder;

	if (!pyd_map_get(&w->index, object, &at))
		return false;
	key = w->entries.data[at];
	holder = w->entries.data[at + 1];
	pyd_waits_module(w->r, w->entries.data[at + 2], module, sizeof(module));
	if (holder) {
		if (pyd_map_get(&w->index, holder, &outer) &&
		    !w->entries.data[outer + 1] &&
		    !put_name(w->r, w->entries.data[outer], by, sizeof(by)))
			by[0] = '\0';
		return put_attr(w->r, holder, key, by, buf, cap);
	}
	if (!put_name(w->r, key, by, sizeof(by)))
		return false;
	if (!*module || !strcmp(module, "__main__"))
		snprintf(buf, cap, "%s", by);
	else
		snprintf(buf, cap, "%s.%s", module, by);
	return true;
}

/* Variables of the thread's frames, or what they have. */
static bool from_frames(struct pyd_waits *w, const struct pyd_waiter *t,
			pyd_addr object, bool attrs, char *buf, size_t cap)
{
	struct pyd_frame f = { 0 };
	struct pyd_vec pairs = { 0 };
	bool ret = false;

	for (size_t k = 0; k < t->frames.len && k < FRAMES_NAMED && !ret; k++) {
		struct pyd_err ignored;
		char module[128], name[128];

		if (pyd_read_frame(w->r, t->frames.data[k], &f, &ignored) ||
		    !f.code)
			continue;
		pyd_waits_module(w->r, f.globals, module, sizeof(module));
		for (size_t i = 0; i < f.vars.len && !ret; i++) {
			pyd_addr value = through_cell(w->r, &f, i);
			struct pyd_obj o;

			if (!value || (value & 7))
				continue;
			if (!attrs && value == object && !is_inner(module) &&
			    put_name(w->r, f.code->vars[i].name, name,
				     sizeof(name)) &&
			    strcmp(name, "self") != 0) {
				snprintf(buf, cap, "%s in %.100s()", name,
					 f.code->name_text);
				ret = true;
			}
			if (!attrs || value == object ||
			    pyd_obj_read(w->r, value, &o, &ignored) ||
			    pyd_obj_is(&o, PYD_KIND_dict) ||
			    pyd_obj_is(&o, PYD_KIND_type) ||
			    !pairs_of(w->r, &o, &pairs))
				continue;
			for (size_t p = 0;
			     p + 1 < pairs.len && !ret && p / 2 < OWN_MAX;
			     p += 2)
				if (pairs.data[p + 1] == object)
					ret = put_attr(w->r, value,
						       pairs.data[p], "", buf,
						       cap);
		}
	}
	pyd_vec_deinit(&pairs);
	pyd_frame_deinit(&f);
	return ret;
}

enum pyd_code pyd_waits_name(struct pyd_waits *w, size_t i, pyd_addr object,
			     char *buf, size_t cap, struct pyd_err *err)
{
	enum pyd_code code = w->indexed ? PYD_OK : make_index(w, err);

	buf[0] = '\0';
	if (code || !object)
		return code;
	if (from_index(w, object, buf, cap))
		return PYD_OK;
	if (i < w->npy && !from_frames(w, &w->v[i], object, false, buf, cap))
		(void)from_frames(w, &w->v[i], object, true, buf, cap);
	return PYD_OK;
}
