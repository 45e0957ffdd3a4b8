// SPDX-License-Identifier: Apache-2.0
#include "read/reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "read/code.h"
#include "read/object.h"

enum pyd_code pyd_reader_init(struct pyd_reader *r, struct pyd_target *t,
			      const struct pyd_layout *lay, struct pyd_err *err)
{
	*r = (struct pyd_reader) { .target = t, .lay = lay };
	r->obj = malloc(sizeof(*r->obj));
	if (!r->obj)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	return PYD_OK;
}

void pyd_reader_deinit(struct pyd_reader *r)
{
	for (size_t i = 0; i < r->types.cap; i++)
		if (r->types.slots[2 * i])
			pyd_type_destroy((struct pyd_type *)(uintptr_t)
						 r->types.slots[2 * i + 1]);
	for (size_t i = 0; i < r->codes.cap; i++)
		if (r->codes.slots[2 * i])
			pyd_codeobj_destroy((struct pyd_codeobj *)(uintptr_t)
						    r->codes.slots[2 * i + 1]);
	pyd_map_deinit(&r->types);
	pyd_map_deinit(&r->codes);
	pyd_vec_deinit(&r->interps);
	pyd_vec_deinit(&r->pairs);
	pyd_vec_deinit(&r->split_keys);
	pyd_vec_deinit(&r->split_values);
	pyd_buf_deinit(&r->bytes);
	free(r->obj);
	*r = (struct pyd_reader) { 0 };
}

/* Reads the object and checks what it is. */
static enum pyd_code expect(struct pyd_reader *r, pyd_addr addr,
			    enum pyd_kind kind, const char *what,
			    struct pyd_obj *ret, struct pyd_err *err)
{
	enum pyd_code code = pyd_obj_read(r, addr, ret, err);

	if (code)
		return code;
	if (!pyd_obj_is(ret, kind))
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "expected a %s, found a %s", what,
				  ret->type->name);
	return PYD_OK;
}

enum pyd_code pyd_read_str(struct pyd_reader *r, pyd_addr str, char *buf,
			   size_t cap, struct pyd_err *err)
{
	struct pyd_buf out = { 0 };
	struct pyd_obj o;
	uint64_t total;
	bool cut;
	enum pyd_code code = expect(r, str, PYD_KIND_str, "str", &o, err);

	if (code)
		return code;
	code = pyd_obj_utf8(r, &o, cap, &out, &total, &cut, err);
	if (!code) {
		size_t n = out.len < cap - 1 ? out.len : cap - 1;

		/* Not in the middle of a character. */
		if (n < out.len)
			while (n && (out.data[n] & 0xc0) == 0x80)
				n--;
		if (n)
			memcpy(buf, out.data, n);
		buf[n] = '\0';
	}
	pyd_buf_deinit(&out);
	return code;
}

enum pyd_code pyd_read_i64(struct pyd_reader *r, pyd_addr obj, int64_t *ret,
			   struct pyd_err *err)
{
	struct pyd_obj o;
	enum pyd_code code = pyd_obj_read(r, obj, &o, err);

	if (code)
		return code;
	if (!pyd_obj_is(&o, PYD_KIND_int) && !pyd_obj_is(&o, PYD_KIND_bool))
		return pyd_err_at(err, PYD_CORRUPT, obj,
				  "expected an int, found a %s", o.type->name);
	return pyd_obj_int(r, &o, ret, err);
}

enum pyd_code pyd_read_dict_each(struct pyd_reader *r, pyd_addr dict,
				 enum pyd_code (*fn)(void *ctx, pyd_addr key,
						     pyd_addr value,
						     struct pyd_err *err),
				 void *ctx, struct pyd_err *err)
{
	struct pyd_vec pairs = { 0 };
	struct pyd_obj o;
	uint64_t used;
	enum pyd_code code = expect(r, dict, PYD_KIND_dict, "dict", &o, err);

	if (code)
		return code;
	code = pyd_obj_dict_pairs(r, &o, &pairs, &used, err);
	for (size_t i = 0; !code && i + 1 < pairs.len; i += 2)
		code = fn(ctx, pairs.data[i], pairs.data[i + 1], err);
	pyd_vec_deinit(&pairs);
	return code;
}

/* True when the object is a str that equals text, which is ASCII. */
static bool str_equals(struct pyd_reader *r, pyd_addr addr, const char *text)
{
	char buf[128];
	uint64_t length;

	/* Most others have another length, or none. */
	if (pyd_target_read_u64(
		    r->target,
		    addr + (uint64_t)PYD_OFF(r->lay, unicode, length), &length,
		    NULL) ||
	    length != strlen(text))
		return false;
	return !pyd_read_str(r, addr, buf, sizeof(buf), NULL) &&
	       !strcmp(buf, text);
}

/* Where in pairs it is; pairs->len: nowhere. */
static size_t find_pair(struct pyd_reader *r, const struct pyd_vec *pairs,
			const char *key)
{
	for (size_t i = 0; i + 1 < pairs->len; i += 2)
		if (str_equals(r, pairs->data[i], key))
			return i;
	return pairs->len;
}

enum pyd_code pyd_read_dict_str(struct pyd_reader *r, pyd_addr dict,
				const char *key, pyd_addr *ret,
				struct pyd_err *err)
{
	struct pyd_vec pairs = { 0 };
	struct pyd_obj o;
	uint64_t used;
	enum pyd_code code = expect(r, dict, PYD_KIND_dict, "dict", &o, err);

	if (code)
		return code;
	code = pyd_obj_dict_pairs(r, &o, &pairs, &used, err);
	if (!code) {
		size_t i = find_pair(r, &pairs, key);

		*ret = i < pairs.len ? pairs.data[i + 1] : 0;
	}
	pyd_vec_deinit(&pairs);
	return code;
}

enum pyd_code pyd_read_dict_place(struct pyd_reader *r, pyd_addr dict,
				  const char *key, pyd_addr *ret,
				  struct pyd_err *err)
{
	struct pyd_vec pairs = { 0 };
	struct pyd_obj o;
	uint64_t used;
	enum pyd_code code = expect(r, dict, PYD_KIND_dict, "dict", &o, err);

	if (code)
		return code;
	code = pyd_obj_dict_pairs(r, &o, &pairs, &used, err);
	if (!code) {
		size_t i = find_pair(r, &pairs, key);

		if (i < pairs.len)
			code = pyd_obj_dict_place(r, &o, pairs.data[i], ret,
						  err);
		else
			*ret = 0;
	}
	pyd_vec_deinit(&pairs);
	return code;
}

enum pyd_code pyd_read_attr(struct pyd_reader *r, pyd_addr obj,
			    const char *name, pyd_addr *ret,
			    struct pyd_err *err)
{
	struct pyd_vec pairs = { 0 };
	struct pyd_obj o;
	pyd_addr dict = 0;
	enum pyd_code code = pyd_obj_read(r, obj, &o, err);

	if (code)
		return code;
	if (pyd_obj_is(&o, PYD_KIND_module))
		dict = PYD_OBJ_U64(r, &o, module, md_dict);
	else
		code = pyd_obj_attrs(r, &o, &pairs, &dict, err);
	if (!code && dict) {
		code = pyd_read_dict_str(r, dict, name, ret, err);
	} else if (!code) {
		size_t i = find_pair(r, &pairs, name);

		*ret = i < pairs.len ? pairs.data[i + 1] : 0;
	}
	pyd_vec_deinit(&pairs);
	return code;
}

enum pyd_code pyd_read_type_name(struct pyd_reader *r, pyd_addr obj, char *buf,
				 size_t cap, struct pyd_err *err)
{
	struct pyd_obj o;
	enum pyd_code code = pyd_obj_read(r, obj, &o, err);

	if (code)
		return code;
	snprintf(buf, cap, "%s", o.type->name);
	return PYD_OK;
}

uint64_t pyd_read_field(struct pyd_reader *r, pyd_addr base, enum pyd_field f)
{
	struct pyd_err ignored;
	uint64_t v = 0;

	if (r->lay->off[f] == PYD_ABSENT || !base ||
	    pyd_target_read_u64(r->target, base + (uint64_t)r->lay->off[f], &v,
				&ignored))
		return 0;
	return v;
}
