// SPDX-License-Identifier: Apache-2.0
#include "read/type.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "layout/ctype.h"
#include "read/quick.h"
#include "read/record.h"

enum {
	/* Bounds on what a type may claim. */
	BASICSIZE_MAX = 1 << 20,
	ITEMSIZE_MAX = 1 << 16,
	BASES_MAX = 1000,	/* depth of tp_base chains */
	MEMBERS_MAX = 10000,	/* of a type and its bases together */
	STATIC_TYPES_MAX = 500, /* static builtin types of an interpreter */
};

static enum pyd_code read_field(struct pyd_reader *r, pyd_addr base,
				enum pyd_field field, uint64_t *ret,
				struct pyd_err *err)
{
	int32_t off = r->lay->off[field];

	if (off == PYD_ABSENT) {
		*ret = 0;
		return PYD_OK;
	}
	return pyd_target_read_u64(r->target, base + (uint64_t)off, ret, err);
}

#define READ_FIELD(r, base, s, f, ret, err)                                    \
	read_field(r, base, PYD_F_##s##_##f, ret, err)

/* A static type is CPython's own when it lies in the same mapping as "type"
 * itself: an extension may have a static type called "list" too. */
static bool in_core(const struct pyd_reader *r, pyd_addr type)
{
	const struct pyd_region *a, *b;

	if (!r->type_type || !r->target->nregions)
		return true;
	a = pyd_target_region(r->target, type);
	b = pyd_target_region(r->target, r->type_type);
	return a && b && (a == b || (a->inode == b->inode && a->dev == b->dev));
}

/* True when a description says the same of what stands there. */
static bool is_described(const struct pyd_type *type, const char *name,
			 uint64_t offset)
{
	for (size_t k = 0; k < type->nrecords; k++) {
		const struct pyd_ctype *ct = type->records[k];

		for (size_t i = 0; i < ct->nfields; i++) {
			const struct pyd_cfield *f = &ct->fields[i];

			if (!f->hidden && f->condition < 0 && f->nsteps == 1 &&
			    (uint64_t)f->steps[0] == offset &&
			    !strcmp(f->name, name))
				return true;
		}
	}
	return false;
}

static enum pyd_code add_members(struct pyd_reader *r, struct pyd_type *type,
				 pyd_addr defs, bool heap, struct pyd_err *err)
{
	enum { T_OBJECT_EX = 16 };
	const struct pyd_layout *lay = r->lay;
	uint64_t size = (uint64_t)PYD_OFF(lay, memberdef, size);
	size_t seen = 0;
	enum pyd_code code;

	for (pyd_addr def = defs;
	     type->nmembers < MEMBERS_MAX && seen < MEMBERS_MAX;
	     def += size, seen++) {
		uint64_t name, offset;
		uint32_t kind;
		char text[32];

		code = READ_FIELD(r, def, memberdef, name, &name, err);
		if (code)
			return code;
		if (!name)
			return PYD_OK;
		code = READ_FIELD(r, def, memberdef, offset, &offset, err);
		if (code)
			return code;
		code = pyd_target_read(
			r->target,
			def + (uint64_t)PYD_OFF(lay, memberdef, type), &kind,
			sizeof(kind), err);
		if (code)
			return code;
		code = pyd_target_read_cstr(r->target, name, text, sizeof(text),
					    NULL, err);
		if (code)
			return code;
		/* Not attributes: how PyType_FromSpec is told of offsets. */
		if (!strcmp(text, "__dictoffset__") ||
		    !strcmp(text, "__weaklistoffset__") ||
		    !strcmp(text, "__vectorcalloffset__"))
			continue;
		if (offset >= BASICSIZE_MAX)
			return pyd_err_at(err, PYD_CORRUPT, def,
					  "impossible member offset");
		if (is_described(type, text, offset))
			continue;

		struct pyd_member *m = reallocarray(
			type->members, type->nmembers + 1, sizeof(*m));

		if (!m)
			return pyd_err_set(err, PYD_NOMEM,
					   "out of memory for members");
		type->members = m;
		type->members[type->nmembers++] = (struct pyd_member) {
			.name = name,
			.offset = (int64_t)offset,
			.type = (int32_t)kind,
			.slot = heap && kind == T_OBJECT_EX,
		};
	}
	return pyd_err_at(err, PYD_CORRUPT, type->addr, "too many members");
}

/* A class statement makes tp_name point into the str object that is ht_name; a
 * C extension's type has its name elsewhere. */
static enum pyd_code of_class_statement(struct pyd_reader *r, pyd_addr type,
					pyd_addr name, bool *ret,
					struct pyd_err *err)
{
	pyd_addr ht_name;
	enum pyd_code code =
		READ_FIELD(r, type, heaptype, ht_name, &ht_name, err);

	if (code)
		return code;
	/* Exactly there: a copy elsewhere may be close to it. Names that are
	 * described are ASCII. */
	*ret = name == ht_name + (uint64_t)PYD_OFF(r->lay, unicode, ascii_size);
	return PYD_OK;
}

/* Notes the description of the type at `at`, which is type or a base of it. */
static enum pyd_code add_record(struct pyd_reader *r, struct pyd_type *type,
				pyd_addr at, pyd_addr name, const char *text,
				bool heap, struct pyd_err *err)
{
	const struct pyd_ctype *ct;
	uint64_t basicsize;
	bool other, made = false;
	enum pyd_code code;

	if (type->nrecords == PYD_TYPE_RECORDS_MAX)
		return PYD_OK;
	code = READ_FIELD(r, at, type, tp_basicsize, &basicsize, err);
	if (code)
		return code;
	code = pyd_ctypes_find(r->ctypes, text, (int64_t)basicsize, &ct, &other,
			       err);
	if (code)
		return code;
	if ((ct || other) && heap)
		code = of_class_statement(r, at, name, &made, err);
	if (code || made)
		return code;
	if (other)
		pyd_log_debug("%s has %lld bytes here, which no description "
			      "fits",
			      text, (long long)basicsize);
	/* Without its reader the fields alone would tell half of it. */
	if (ct && *ct->reader && !pyd_record_knows(ct->reader)) {
		pyd_log_debug("the description of %s names a reader that this "
			      "build does not have: %s",
			      text, ct->reader);
		ct = NULL;
	}
	if (ct)
		type->records[type->nrecords++] = ct;
	return PYD_OK;
}

/* The words behind what the base that is read in full has, up to the size
 * of type, that nothing accounts for. */
static enum pyd_code add_guesses(struct pyd_reader *r, struct pyd_type *type,
				 int64_t known, struct pyd_err *err)
{
	int64_t end = type->basicsize;
	uint64_t weaklist;
	enum pyd_code code;

	if (type->itemsize)
		return PYD_OK;
	code = READ_FIELD(r, type->addr, type, tp_weaklistoffset, &weaklist,
			  err);
	if (code)
		return code;
	if (known < PYD_OFF(r->lay, object, size))
		known = PYD_OFF(r->lay, object, size);
	if (end > PYD_OBJ_BYTES)
		end = PYD_OBJ_BYTES;
	for (int64_t off = (known + 7) / 8 * 8; off + 8 <= end; off += 8) {
		bool taken =
			off == type->dictoffset || off == (int64_t)weaklist;

		for (size_t i = 0; i < type->nmembers && !taken; i++)
			taken = type->members[i].offset / 8 * 8 == off;
		if (taken)
			continue;
		if (type->nguesses == PYD_TYPE_GUESSES_MAX)
			break;
		type->guesses[type->nguesses++] = (uint16_t)off;
	}
	return PYD_OK;
}

/* Walks tp_base to the built-in type whose reader fits, collecting members
 * and descriptions of the types on the way. */
static enum pyd_code resolve(struct pyd_reader *r, struct pyd_type *type,
			     struct pyd_err *err)
{
	pyd_addr at = type->addr;
	uint64_t known = 0;
	enum pyd_code code;

	for (int depth = 0; depth < BASES_MAX; depth++) {
		uint64_t flags, name, members, base;
		char text[128];

		code = READ_FIELD(r, at, type, tp_flags, &flags, err);
		if (code)
			return code;
		code = READ_FIELD(r, at, type, tp_name, &name, err);
		if (code)
			return code;
		code = pyd_target_read_cstr(r->target, name, text, sizeof(text),
					    NULL, err);
		if (code)
			return code;
		if (!(flags & PYD_TPFLAG_HEAPTYPE) && in_core(r, at)) {
			type->family = pyd_family_find(text);
			if (type->family) {
				code = READ_FIELD(r, at, type, tp_basicsize,
						  &known, err);
				if (code)
					return code;
				break;
			}
		}
		code = add_record(r, type, at, name, text,
				  flags & PYD_TPFLAG_HEAPTYPE, err);
		if (code)
			return code;
		code = READ_FIELD(r, at, type, tp_members, &members, err);
		if (code)
			return code;
		if (members) {
			code = add_members(r, type, members,
					   flags & PYD_TPFLAG_HEAPTYPE, err);
			if (code)
				return code;
		}
		code = READ_FIELD(r, at, type, tp_base, &base, err);
		if (code)
			return code;
		if (!base) {
			type->family = &pyd_family_object;
			break;
		}
		at = base;
	}
	if (!type->family)
		return pyd_err_at(err, PYD_CORRUPT, type->addr,
				  "its bases do not end");
	if (type->nrecords && known < (uint64_t)type->records[0]->basicsize)
		known = (uint64_t)type->records[0]->basicsize;
	return add_guesses(r, type, (int64_t)known, err);
}

static enum pyd_code load(struct pyd_reader *r, pyd_addr addr,
			  struct pyd_type *type, struct pyd_err *err)
{
	uint64_t meta_flags, name, v;
	enum pyd_code code;

	if (!addr || addr % PYD_OBJ_ALIGN)
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "its type is at an impossible address");
	code = READ_FIELD(r, addr, object, ob_type, &type->metatype, err);
	if (code)
		return code;
	code = READ_FIELD(r, type->metatype, type, tp_flags, &meta_flags, err);
	if (code)
		return code;
	if (!(meta_flags & PYD_TPFLAG_TYPE_SUBCLASS))
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "its type is not a type");
	code = READ_FIELD(r, addr, type, tp_flags, &type->flags, err);
	if (code)
		return code;
	code = READ_FIELD(r, addr, type, tp_name, &name, err);
	if (code)
		return code;
	code = pyd_target_read_cstr(r->target, name, type->name,
				    sizeof(type->name), NULL, err);
	if (code)
		return code;
	code = READ_FIELD(r, addr, type, tp_basicsize, &v, err);
	if (code)
		return code;
	type->basicsize = (int64_t)v;
	code = READ_FIELD(r, addr, type, tp_itemsize, &v, err);
	if (code)
		return code;
	type->itemsize = (int64_t)v;
	if (type->basicsize < PYD_OFF(r->lay, object, size) ||
	    type->basicsize > BASICSIZE_MAX || type->itemsize < 0 ||
	    type->itemsize > ITEMSIZE_MAX)
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "its type has impossible sizes");
	code = READ_FIELD(r, addr, type, tp_dictoffset, &v, err);
	if (code)
		return code;
	type->dictoffset = (int64_t)v;
	if (type->dictoffset > BASICSIZE_MAX ||
	    type->dictoffset < -BASICSIZE_MAX)
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "its type has an impossible tp_dictoffset");
	code = READ_FIELD(r, addr, type, tp_base, &type->base, err);
	if (code)
		return code;
	if (type->flags & PYD_TPFLAG_HEAPTYPE) {
		code = READ_FIELD(r, addr, heaptype, ht_cached_keys,
				  &type->cached_keys, err);
		if (code)
			return code;
	}
	code = resolve(r, type, err);
	if (code)
		return code;
	/* functools never readied the type of its links up to 3.9. */
	if (!(type->flags & PYD_TPFLAG_READY) && !type->nrecords)
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "its type is not ready");
	return PYD_OK;
}

/* "type" is the only type whose type is itself. */
static void find_type_type(struct pyd_reader *r, pyd_addr type)
{
	struct pyd_err ignored;

	for (int i = 0; i < 8 && type; i++) {
		uint64_t meta;

		if (READ_FIELD(r, type, object, ob_type, &meta, &ignored))
			return;
		if (meta == type) {
			r->type_type = type;
			return;
		}
		type = meta;
	}
}

enum pyd_code pyd_type_get(struct pyd_reader *r, pyd_addr addr,
			   const struct pyd_type **ret, struct pyd_err *err)
{
	uint64_t found;
	struct pyd_type *type;
	struct pyd_err why = { 0 };
	enum pyd_code code;

	if (pyd_map_get(&r->types, addr, &found)) {
		type = (struct pyd_type *)(uintptr_t)found;
		if (type->bad)
			return pyd_err_at(err, type->bad, addr, "%s",
					  type->bad_text);
		*ret = type;
		return PYD_OK;
	}
	if (!addr)
		return pyd_err_at(err, PYD_CORRUPT, addr, "its type is NULL");
	if (!r->type_type)
		find_type_type(r, addr);

	type = calloc(1, sizeof(*type));
	if (!type)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for a type");
	type->addr = addr;
	code = load(r, addr, type, &why);
	if (code && !pyd_code_is_local(code)) {
		pyd_type_destroy(type);
		if (err)
			*err = why;
		return code;
	}
	if (code) {
		type->bad = code;
		snprintf(type->bad_text, sizeof(type->bad_text), "%.119s",
			 code == PYD_FAULT ? "its type is unreadable"
					   : why.msg);
	} else {
		type->quick = pyd_quick_of(r->lay, type);
	}

	enum pyd_code put =
		pyd_map_put(&r->types, addr, (uint64_t)(uintptr_t)type, err);

	if (put) {
		pyd_type_destroy(type);
		return put;
	}
	if (type->bad)
		return pyd_err_at(err, type->bad, addr, "%s", type->bad_text);
	*ret = type;
	return PYD_OK;
}

void pyd_type_destroy(struct pyd_type *type)
{
	if (!type)
		return;
	free(type->members);
	free(type);
}

/* The entry of a static builtin type in an interpreter's own table. */
static enum pyd_code static_dict(struct pyd_reader *r, pyd_addr table,
				 pyd_addr type, uint64_t index, pyd_addr *ret,
				 struct pyd_err *err)
{
	pyd_addr entry =
		table + index * (uint64_t)PYD_OFF(r->lay, statictype, size);
	uint64_t owner;
	enum pyd_code code;

	code = READ_FIELD(r, entry, statictype, type, &owner, err);
	if (code)
		return code;
	if (owner != type)
		return PYD_OK;
	return READ_FIELD(r, entry, statictype, tp_dict, ret, err);
}

enum pyd_code pyd_type_dict(struct pyd_reader *r, pyd_addr type, pyd_addr *ret,
			    struct pyd_err *err)
{
	const struct pyd_layout *lay = r->lay;
	pyd_addr dict;
	uint64_t index;
	enum pyd_code code;

	code = READ_FIELD(r, type, type, tp_dict, &dict, err);
	if (code)
		return code;
	if (dict || lay->model_typedict == PYD_M_typedict_plain) {
		*ret = dict;
		return PYD_OK;
	}

	/* Such a type keeps its index + 1 where others have subclasses
	 * (Objects/typeobject.c, static_builtin_index_get). */
	code = READ_FIELD(r, type, type, tp_subclasses, &index, err);
	if (code)
		return code;
	*ret = 0;
	if (!index || index > STATIC_TYPES_MAX)
		return PYD_OK;
	for (size_t i = 0; i < r->interps.len && !*ret; i++) {
		const enum pyd_field tables[] = {
			PYD_F_interp_static_types,
			PYD_F_interp_static_ext_types,
		};

		for (size_t k = 0; k < 2 && !*ret; k++) {
			int32_t off = lay->off[tables[k]];
			struct pyd_err ignored;

			if (off == PYD_ABSENT)
				continue;
			code = static_dict(r,
					   r->interps.data[i] + (uint64_t)off,
					   type, index - 1, ret, &ignored);
			if (code && !pyd_code_is_local(code))
				return pyd_err_set(err, code, "%s",
						   ignored.msg);
		}
	}
	return PYD_OK;
}
