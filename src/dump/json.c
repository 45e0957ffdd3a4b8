// SPDX-License-Identifier: Apache-2.0
#include "dump/json.h"

#include <string.h>

#include "base/utf8.h"
#include "dump/mp.h"
#include "dump/text.h"

/* JSON is Unicode: what is none becomes U+FFFD. */
struct json_object *pyd_json_text(const char *s, size_t len)
{
	struct pyd_text t = { 0 };
	struct json_object *ret;

	for (size_t n; len; s += n, len -= n) {
		uint32_t c;

		n = pyd_utf8_char((const uint8_t *)s, len, &c);
		if (n && !(c >= 0xd800 && c < 0xe000)) {
			pyd_text_raw(&t, s, n);
			continue;
		}
		n = n ? n : 1;
		pyd_text_raw(&t, "\xef\xbf\xbd", 3);
	}
	ret = t.code ? NULL
		     : json_object_new_string_len((const char *)t.buf.data,
						  (int)t.buf.len);
	pyd_text_deinit(&t);
	return ret;
}

struct json_object *pyd_json_string(const char *s)
{
	return pyd_json_text(s, strlen(s));
}

/* Without what is in it. */
static struct json_object *shallow(struct pyd_dump_value v)
{
	const char *s;
	size_t len;
	uint64_t u;
	int64_t i;
	double f;
	bool b;

	switch (pyd_dump_value_type(v)) {
	case PYD_DUMP_BOOL:
		return pyd_dump_value_bool(v, &b) ? json_object_new_boolean(b)
						  : NULL;
	case PYD_DUMP_INT:
		if (pyd_dump_value_u64(v, &u))
			return json_object_new_uint64(u);
		return pyd_dump_value_i64(v, &i) ? json_object_new_int64(i)
						 : NULL;
	case PYD_DUMP_FLOAT:
		return pyd_dump_value_float(v, &f) && f - f == 0
			       ? json_object_new_double(f)
			       : NULL;
	case PYD_DUMP_TEXT:
	case PYD_DUMP_BYTES:
		return pyd_dump_value_text(v, &s, &len) ? pyd_json_text(s, len)
							: NULL;
	case PYD_DUMP_LIST:
		return json_object_new_array();
	case PYD_DUMP_MAP:
		return json_object_new_object();
	default:
		return NULL;
	}
}

static bool is_container(struct pyd_dump_value v)
{
	enum pyd_dump_type type = pyd_dump_value_type(v);

	return type == PYD_DUMP_LIST || type == PYD_DUMP_MAP;
}

static void add_member(struct json_object *to, struct pyd_dump_value key,
		       struct json_object *member)
{
	struct json_object *k = shallow(key);
	const char *name = json_object_get_string(k);

	json_object_object_add(to, name ? name : "null", member);
	json_object_put(k);
}

struct json_object *pyd_json_value(struct pyd_dump_value v)
{
	/* The reader has refused what nests deeper. */
	struct {
		struct pyd_dump_iter it;
		struct json_object *to;
	} open[PYD_MP_DEPTH + 1];
	struct json_object *ret = shallow(v);
	size_t depth = 0;

	if (!ret || !is_container(v))
		return ret;
	open[0].it = pyd_dump_value_iter(v);
	open[0].to = ret;
	for (depth = 1; depth;) {
		struct pyd_dump_value key, e;
		struct json_object *to = open[depth - 1].to, *o;

		if (!pyd_dump_iter_next(&open[depth - 1].it, &key, &e)) {
			depth--;
			continue;
		}
		o = shallow(e);
		if (open[depth - 1].it.map)
			add_member(to, key, o);
		else
			json_object_array_add(to, o);
		if (!o || !is_container(e) || depth > PYD_MP_DEPTH)
			continue;
		open[depth].it = pyd_dump_value_iter(e);
		open[depth++].to = o;
	}
	return ret;
}

/* All keys of a map but those named, which are shown otherwise. */
struct json_object *pyd_json_map(struct pyd_dump_value map,
				 const char *const *names, size_t n)
{
	struct pyd_dump_iter it = pyd_dump_value_iter(map);
	struct json_object *ret = json_object_new_object();
	struct pyd_dump_value key, v;

	while (it.map && pyd_dump_iter_next(&it, &key, &v)) {
		struct json_object *k = shallow(key);
		const char *s = json_object_get_string(k);
		bool skip = !s;

		for (size_t i = 0; i < n && !skip; i++)
			skip = !strcmp(s, names[i]);
		if (!skip)
			json_object_object_add(ret, s, pyd_json_value(v));
		json_object_put(k);
	}
	return ret;
}

/* Serialised, with what a terminal might obey as escapes of JSON: such
 * characters occur in strings only. */
enum pyd_code pyd_json_write(struct json_object *o, const struct pyd_sink *sink,
			     struct pyd_err *err)
{
	size_t len = 0;
	const char *s = json_object_to_json_string_length(
		o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE,
		&len);
	struct pyd_text t = { .err = err };
	enum pyd_code code;

	if (!s)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t n; len; s += n, len -= n) {
		uint32_t c;

		n = pyd_utf8_char((const uint8_t *)s, len, &c);
		n = n ? n : 1;
		if (n == 1 && c != 0x7f)
			pyd_text_raw(&t, s, 1);
		else if (!pyd_text_unprintable(c))
			pyd_text_raw(&t, s, n);
		else if (c < 0x10000)
			pyd_text_printf(&t, "\\u%04x", c);
		else
			pyd_text_printf(&t, "\\u%04x\\u%04x",
					0xd7c0 + (c >> 10),
					0xdc00 + (c & 0x3ff));
	}
	pyd_text_raw(&t, "\n", 1);
	code = t.code;
	if (!code)
		code = sink->write(sink->ctx, (const char *)t.buf.data,
				   t.buf.len, err);
	pyd_text_deinit(&t);
	return code;
}
