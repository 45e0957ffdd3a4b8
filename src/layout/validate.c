// SPDX-License-Identifier: Apache-2.0
/* What offsets can be at all, whoever says them: a table or a target. */
#include <string.h>

#include "layout/layout.h"

enum {
	R = 1, /* required */
	O = 0, /* may be absent */
};

/* clang-format off */
static const struct field {
	const char *of; /* struct */
	uint8_t width;
	uint8_t required;
} fields[] = {
#define PYD_FIELD(s, f, width, presence, where) { #s, width, presence },
#include "../../offsets/fields.def"
#undef PYD_FIELD
};

/* What is known of a struct but for its fields. */
static const struct shape {
	const char *name;
	bool object;  /* begins with an object header */
	bool overlay; /* fields of several structs, which may overlap */
	int32_t size_field; /* its size, when the layout knows it */
	int32_t limit; /* bytes */
} shapes[] = {
	{ "object",	 false, false, -1, 64 },
	{ "type",	 true,	false, PYD_F_type_size, 4096 },
	{ "heaptype",	 true,	false, PYD_F_heaptype_size, 8192 },
	{ "memberdef",	 false, false, PYD_F_memberdef_size, 128 },
	{ "statictype",	 false, false, PYD_F_statictype_size, 512 },
	{ "dictkeys",	 false, false, -1, 128 },
	{ "dictvalues",	 false, false, -1, 64 },
	{ "descr",	 true,	true,  -1, 256 },
	{ "iframe",	 false, false, -1, 1024 },
	{ "runtime",	 false, false, -1, 32 << 20 },
	{ "interp",	 false, false, -1, 32 << 20 },
	{ "gil",	 false, false, -1, 4096 },
	{ "tryblock",	 false, false, PYD_F_tryblock_size, 64 },
	{ "tstate",	 false, false, -1, 64 << 10 },
	{ "cframe",	 false, false, -1, 1024 },
	{ "excinfo",	 false, false, -1, 256 },
	{ "methoddef",	 false, false, -1, 128 },
	{ "getsetdef",	 false, false, -1, 128 },
	{ "gcgen",	 false, false, -1, 256 },
	{ "gchead",	 false, false, PYD_F_gchead_size, 128 },
};
/* Any other: an object of usual size. */
static const struct shape other = { "", true, false, -1, 4096 };
/* clang-format on */

static const struct shape *shape_of(const char *name)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (!strcmp(shapes[i].name, name))
			return &shapes[i];
	return &other;
}

/* A field that is a number of bits or bytes, not a place. */
static bool is_measure(size_t f)
{
	const char *name = strchr(pyd_field_name((enum pyd_field)f), '.') + 1;
	size_t len = strlen(name);

	if (fields[f].width)
		return false;
	return (len >= 4 && (!strcmp(name + len - 4, "size") ||
			     !strcmp(name + len - 4, "_bit"))) ||
	       (len >= 6 && !strcmp(name + len - 6, "_bytes"));
}

static enum pyd_code bad(size_t f, int32_t v, const char *why,
			 struct pyd_err *err)
{
	return pyd_err_set(err, PYD_FORMAT, "%s = %d: %s",
			   pyd_field_name((enum pyd_field)f), v, why);
}

static enum pyd_code check_field(const struct pyd_layout *lay, size_t f,
				 struct pyd_err *err)
{
	const struct field *fd = &fields[f];
	const struct shape *shape = shape_of(fd->of);
	int32_t v = lay->off[f];
	int32_t width = fd->width;
	int32_t align = width > 8 ? 8 : width;
	int32_t limit = shape->limit;

	if (v == PYD_ABSENT)
		return PYD_OK;
	if (v < 0 || v > limit - width)
		return bad(f, v, "too large for its struct", err);
	if (align > 1 && v % align)
		return bad(f, v, "not aligned", err);
	if (is_measure(f))
		return PYD_OK;
	if (shape->size_field >= 0 && lay->off[shape->size_field] >= 0 &&
	    v > lay->off[shape->size_field] - width)
		return bad(f, v, "beyond the size of its struct", err);
	if (shape->object && v < PYD_OFF(lay, object, size))
		return bad(f, v, "inside of the object header", err);
	return PYD_OK;
}

static enum pyd_code check_overlap(const struct pyd_layout *lay, size_t f,
				   struct pyd_err *err)
{
	int32_t a = lay->off[f];

	if (a == PYD_ABSENT || !fields[f].width ||
	    shape_of(fields[f].of)->overlay)
		return PYD_OK;
	for (size_t g = 0; g < f; g++) {
		int32_t b = lay->off[g];

		if (b == PYD_ABSENT || !fields[g].width ||
		    a >= b + fields[g].width || b >= a + fields[f].width ||
		    strcmp(fields[f].of, fields[g].of) != 0)
			continue;
		return pyd_err_set(err, PYD_FORMAT, "%s = %d overlaps %s = %d",
				   pyd_field_name((enum pyd_field)f), a,
				   pyd_field_name((enum pyd_field)g), b);
	}
	return PYD_OK;
}

/* Sizes and bits that readers compute with. */
static enum pyd_code check_measures(const struct pyd_layout *lay,
				    struct pyd_err *err)
{
	static const enum pyd_field bits[] = {
		PYD_F_unicode_kind_bit,
		PYD_F_unicode_compact_bit,
		PYD_F_unicode_ascii_bit,
		PYD_F_unicode_ready_bit,
	};
	int32_t ascii = PYD_OFF(lay, unicode, ascii_size);
	int32_t compact = PYD_OFF(lay, unicode, compact_size);

	if (PYD_OFF(lay, object, size) < 16 || PYD_OFF(lay, object, size) % 8)
		return bad(PYD_F_object_size, PYD_OFF(lay, object, size),
			   "not a size of an object header", err);
	if (PYD_OFF(lay, object, ob_type) > PYD_OFF(lay, object, size) - 8)
		return bad(PYD_F_object_ob_type, PYD_OFF(lay, object, ob_type),
			   "outside of the object header", err);
	if (PYD_OFF(lay, object, ob_size) < PYD_OFF(lay, object, size))
		return bad(PYD_F_object_ob_size, PYD_OFF(lay, object, ob_size),
			   "inside of the object header", err);
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (lay->off[bits[i]] > 29)
			return bad(bits[i], lay->off[bits[i]],
				   "not in a 32-bit state", err);
	if (ascii < PYD_OFF(lay, unicode, state) + 4 || ascii > 256)
		return bad(PYD_F_unicode_ascii_size, ascii,
			   "not a size of a str header", err);
	if (compact < ascii || compact > 256)
		return bad(PYD_F_unicode_compact_size, compact,
			   "not a size of a str header", err);
	if (PYD_OFF(lay, unicode, data) < compact)
		return bad(PYD_F_unicode_data, PYD_OFF(lay, unicode, data),
			   "inside of the str header", err);
	if (PYD_OFF(lay, memberdef, size) < 24)
		return bad(PYD_F_memberdef_size, PYD_OFF(lay, memberdef, size),
			   "too small", err);
	return PYD_OK;
}

enum pyd_code pyd_layout_validate(const struct pyd_layout *lay,
				  struct pyd_err *err)
{
	enum pyd_code rc;

	for (size_t f = 0; f < PYD_NFIELDS; f++)
		if (fields[f].required && lay->off[f] == PYD_ABSENT)
			return bad(f, PYD_ABSENT, "required, but absent", err);
	rc = check_measures(lay, err);
	for (size_t f = 0; f < PYD_NFIELDS && !rc; f++)
		rc = check_field(lay, f, err);
	for (size_t f = 0; f < PYD_NFIELDS && !rc; f++)
		rc = check_overlap(lay, f, err);
	return rc;
}
