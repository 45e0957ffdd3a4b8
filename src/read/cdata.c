// SPDX-License-Identifier: Apache-2.0
/*
 * ctypes' simple values: the text that c_char_p and c_wchar_p point to.
 * Modules/_ctypes/cfield.c, z_get and Z_get
 */
#include "read/chars.h"
#include "read/limit.h"
#include "read/record.h"

enum {
	BASES = 16,	      /* to the class that says what it is */
	CHARS_MAX = 64 << 10, /* bytes or characters, without a limit */
	CHUNK = 64,	      /* characters read at once */
	WCHAR = 4,	      /* bytes */
	PAGE = 4096,
	LAST = 0x10ffff,
};

/* The letter of the type: its class's _type_, or that of a base; 0 if none. */
static char type_code(struct pyd_reader *r, const struct pyd_type *type)
{
	for (int i = 0; i < BASES; i++) {
		struct pyd_err ignored;
		pyd_addr dict, code;
		char text[2 + 4];

		if (pyd_type_dict(r, type->addr, &dict, &ignored))
			return 0;
		if (dict &&
		    !pyd_read_dict_str(r, dict, "_type_", &code, &ignored) &&
		    code)
			return pyd_read_str(r, code, text, sizeof(text),
					    &ignored) ||
					       strlen(text) != 1
				       ? 0
				       : text[0];
		if (!type->base || pyd_type_get(r, type->base, &type, &ignored))
			return 0;
	}
	return 0;
}

static enum pyd_code add_chars(struct pyd_reader *r, pyd_addr at,
			       struct pyd_node *n, struct pyd_err *err)
{
	uint64_t max = pyd_limit_blob(r);
	enum pyd_code code;

	if (max > CHARS_MAX)
		max = CHARS_MAX;
	code = pyd_record_cstr(r, n, "pointee", at, max, err);
	if (code)
		return code;
	return pyd_node_blob(n, PYD_ORIGIN_BYTES, "pointee", r->bytes.data,
			     strlen((const char *)r->bytes.data), err);
}

static enum pyd_code add_wide(struct pyd_reader *r, pyd_addr at,
			      struct pyd_node *n, struct pyd_err *err)
{
	uint64_t left = pyd_limit_string(r);
	uint32_t chars[CHUNK];
	enum pyd_code code;

	if (left > CHARS_MAX)
		left = CHARS_MAX;
	pyd_buf_clear(&r->bytes);
	code = pyd_buf_reserve(&r->bytes, left * WCHAR, err);
	while (!code && left) {
		/* Not beyond a page's end: the next may not be there. */
		uint64_t take = (PAGE - at % PAGE) / WCHAR;

		take = take > CHUNK ? CHUNK : take ? take : 1;
		take = take > left ? left : take;
		code = pyd_target_read(r->target, at, chars, take * WCHAR, err);
		for (uint64_t i = 0; i < take && !code; i++) {
			if (!chars[i])
				return pyd_node_blob(n, PYD_ORIGIN_TEXT,
						     "pointee", r->bytes.data,
						     r->bytes.len, err);
			if (chars[i] > LAST)
				return pyd_err_at(err, PYD_CORRUPT, at,
						  "no text");
			r->bytes.len += pyd_utf8_put(
				r->bytes.data + r->bytes.len, chars[i]);
		}
		at += take * WCHAR;
		left -= take;
	}
	if (code)
		return code;
	pyd_record_cut(n, "pointee", 0);
	return pyd_node_blob(n, PYD_ORIGIN_TEXT, "pointee", r->bytes.data,
			     r->bytes.len, err);
}

/*
 * Fields: size, address (of the value). Adds "pointee", without the NUL at its
 * end: bytes or text. C's pointers may lead anywhere: where there is nothing of
 * the kind, there is no such field.
 */
enum pyd_code pyd_record_cdata(struct pyd_reader *r,
			       const struct pyd_record *rec, struct pyd_node *n,
			       struct pyd_err *err)
{
	pyd_addr at = pyd_record_u64(rec, "address"), to;
	struct pyd_err ignored;
	enum pyd_code code;
	char type;

	if (!at || pyd_record_u64(rec, "size") != sizeof(to))
		return PYD_OK;
	type = type_code(r, rec->obj->type);
	if ((type != 'z' && type != 'Z') ||
	    pyd_target_read_u64(r->target, at, &to, &ignored) || !to)
		return PYD_OK;
	code = type == 'z' ? add_chars(r, to, n, err) : add_wide(r, to, n, err);
	return code == PYD_FAULT || code == PYD_CORRUPT ? PYD_OK : code;
}
