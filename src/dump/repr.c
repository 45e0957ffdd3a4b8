// SPDX-License-Identifier: Apache-2.0
#include "dump/repr.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dump/number.h"

const struct pyd_repr_limits pyd_repr_default = {
	.depth = 3,
	.items = 8,
	.chars = 120,
	.bytes = 300,
};

#define MAX_DEPTH 8

struct repr {
	struct pyd_dump *d;
	struct pyd_repr_limits lim;
	struct pyd_text *out;
	size_t start;		      /* of this text in out */
	pyd_addr path[MAX_DEPTH + 2]; /* what is being shown, for cycles */
	unsigned int depth;
};

static void put(struct repr *r, const char *s)
{
	pyd_text_raw(r->out, s, strlen(s));
}

static bool full(const struct repr *r)
{
	return r->out->code || r->out->buf.len - r->start >= r->lim.bytes;
}

static void one(struct repr *r, uint64_t ref);

/* -- names -- */

/* "module\0qualname\0" of a type's value. */
static bool type_names(const struct pyd_dump_object *o, const char **module,
		       size_t *module_len, const char **name, size_t *name_len)
{
	const char *s = (const char *)o->value;
	const char *nul = o->value_len ? memchr(s, 0, o->value_len) : NULL;
	const char *nul2;

	if (o->kind != PYD_KIND_type || !nul)
		return false;
	*module = s;
	*module_len = (size_t)(nul - s);
	*name = nul + 1;
	nul2 = memchr(*name, 0, o->value_len - *module_len - 1);
	if (!nul2)
		return false;
	*name_len = (size_t)(nul2 - *name);
	return true;
}

/* Of the qualified name of a type; with the module unless it is builtins. */
static void put_type(struct repr *r, pyd_addr type, bool with_module)
{
	struct pyd_dump_object o;
	const char *module, *name;
	size_t module_len, name_len;
	enum pyd_code code = pyd_dump_object_get(r->d, type, &o, NULL);

	if (code) {
		pyd_text_printf(r->out, "type@0x%llx",
				(unsigned long long)type);
		return;
	}
	if (!type_names(&o, &module, &module_len, &name, &name_len)) {
		pyd_text_printf(r->out, "type@0x%llx",
				(unsigned long long)type);
	} else {
		if (with_module && module_len &&
		    !(module_len == 8 && !memcmp(module, "builtins", 8))) {
			pyd_text_escaped(r->out, module, module_len, 0, 200);
			put(r, ".");
		}
		pyd_text_escaped(r->out, name, name_len, 0, 200);
	}
	pyd_dump_object_release(r->d, &o);
}

/* Whether the type is the builtin one of that name. */
static bool is_builtin(struct repr *r, pyd_addr type, const char *builtin)
{
	struct pyd_dump_object o;
	const char *module, *name;
	size_t module_len, name_len;
	bool ret;

	if (pyd_dump_object_get(r->d, type, &o, NULL))
		return true; /* not known otherwise */
	ret = type_names(&o, &module, &module_len, &name, &name_len) &&
	      module_len == 8 && !memcmp(module, "builtins", 8) &&
	      name_len == strlen(builtin) && !memcmp(name, builtin, name_len);
	pyd_dump_object_release(r->d, &o);
	return ret;
}

/* The text of a str object, without quotes; false when it is none. */
static bool put_name(struct repr *r, uint64_t ref)
{
	struct pyd_dump_object o;
	bool ok;

	if (!ref || pyd_dump_object_get(r->d, ref, &o, NULL))
		return false;
	ok = o.kind == PYD_KIND_str;
	if (ok)
		pyd_text_escaped(r->out, (const char *)o.value, o.value_len, 0,
				 200);
	pyd_dump_object_release(r->d, &o);
	return ok;
}

static void put_value_name(struct repr *r, const struct pyd_dump_object *o)
{
	if (o->value_len)
		pyd_text_escaped(r->out, (const char *)o->value, o->value_len,
				 0, 200);
	else
		put(r, "?");
}

static void put_at(struct repr *r, const struct pyd_dump_object *o)
{
	pyd_text_printf(r->out, " at 0x%llx>", (unsigned long long)o->addr);
}

/* -- numbers -- */

static bool get_double(const struct pyd_dump_object *o, size_t at, double *ret)
{
	uint64_t bits = 0;

	if (o->value_len < at + 8)
		return false;
	for (size_t k = 0; k < 8; k++)
		bits |= (uint64_t)o->value[at + k] << (8 * k);
	memcpy(ret, &bits, sizeof(bits));
	return true;
}

static int32_t get_i32(const struct pyd_dump_object *o, size_t at)
{
	uint32_t v = 0;

	if (o->value_len < at + 4)
		return -1;
	for (size_t k = 0; k < 4; k++)
		v |= (uint32_t)o->value[at + k] << (8 * k);
	return (int32_t)v;
}

static void put_complex(struct repr *r, const struct pyd_dump_object *o)
{
	double re, im;

	if (!get_double(o, 0, &re) || !get_double(o, 8, &im)) {
		put(r, "<complex without a value>");
		return;
	}
	if (re == 0 && !signbit(re)) {
		pyd_text_double(r->out, im, false);
		put(r, "j");
		return;
	}
	put(r, "(");
	pyd_text_double(r->out, re, false);
	if (!(signbit(im) && !isnan(im)))
		put(r, "+");
	pyd_text_double(r->out, im, false);
	put(r, "j)");
}

/* -- text -- */

/* "... (truncated, 3 of 10000)" */
static void put_count(struct repr *r, const struct pyd_dump_object *o,
		      uint32_t n)
{
	pyd_text_printf(r->out, "... (truncated, %u of %llu)", n,
			(unsigned long long)o->mark_total);
}

/* What is to be said of a truncated object. */
static void put_total(struct repr *r, const struct pyd_dump_object *o,
		      bool dots)
{
	if (dots)
		put(r, "...");
	if (o->mark_total)
		pyd_text_printf(r->out, " (truncated, of %llu)",
				(unsigned long long)o->mark_total);
	else
		put(r, " (truncated)");
}

static char quote_of(const void *s, size_t len)
{
	bool single = len && memchr(s, '\'', len);
	bool twice = len && memchr(s, '"', len);

	return single && !twice ? '"' : '\'';
}

/* False when some of it was left out. */
static bool put_quoted(struct repr *r, const char *s, size_t len)
{
	char quote = quote_of(s, len);
	bool all;

	pyd_text_raw(r->out, &quote, 1);
	all = pyd_text_escaped(r->out, s, len, quote, r->lim.chars);
	pyd_text_raw(r->out, &quote, 1);
	if (!all)
		put(r, "...");
	return all;
}

static void put_str(struct repr *r, const struct pyd_dump_object *o)
{
	bool all = put_quoted(r, (const char *)o->value, o->value_len);

	if (o->mark == PYD_MARK_TRUNCATED)
		put_total(r, o, all);
}

static bool put_quoted_bytes(struct repr *r, const uint8_t *s, size_t len)
{
	size_t n = len < r->lim.chars ? len : r->lim.chars;
	char quote = quote_of(s, len);

	pyd_text_printf(r->out, "b%c", quote);
	for (size_t i = 0; i < n; i++) {
		uint8_t c = s[i];

		if (c == '\n' || c == '\r' || c == '\t')
			pyd_text_printf(r->out, "\\%c",
					c == '\n'   ? 'n'
					: c == '\r' ? 'r'
						    : 't');
		else if (c == '\\' || c == (uint8_t)quote)
			pyd_text_printf(r->out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			pyd_text_printf(r->out, "\\x%02x", c);
		else
			pyd_text_printf(r->out, "%c", c);
	}
	pyd_text_raw(r->out, &quote, 1);
	if (n < len)
		put(r, "...");
	return n == len;
}

static void put_bytes(struct repr *r, const struct pyd_dump_object *o)
{
	bool all = put_quoted_bytes(r, o->value, o->value_len);

	if (o->mark == PYD_MARK_TRUNCATED)
		put_total(r, o, all);
}

/* -- containers -- */

/* True when the object may be entered; else its ellipsis was put. */
static bool enter(struct repr *r, const struct pyd_dump_object *o,
		  const char *ellipsis)
{
	for (unsigned int i = 0; i < r->depth; i++) {
		if (r->path[i] != o->addr)
			continue;
		put(r, ellipsis);
		return false;
	}
	if (r->depth >= r->lim.depth) {
		put(r, ellipsis);
		return false;
	}
	r->path[r->depth++] = o->addr;
	return true;
}

static void leave(struct repr *r)
{
	r->depth--;
}

static void put_items(struct repr *r, const struct pyd_dump_object *o,
		      const char *open, const char *close, bool pairs)
{
	uint32_t n, step = pairs ? 2 : 1;
	const uint64_t *items = pyd_dump_object_rest(r->d, o, &n);
	/* Of a record, a field may be cut instead. */
	bool cut = o->mark == PYD_MARK_TRUNCATED && !o->mark_len;
	bool stopped = false;
	char ellipsis[16];

	snprintf(ellipsis, sizeof(ellipsis), "%s...%s", open, close);
	if (n && !enter(r, o, ellipsis))
		return;
	put(r, open);
	for (uint32_t i = 0; i + step <= n; i += step) {
		if (i)
			put(r, ", ");
		if (i / step >= r->lim.items || full(r)) {
			stopped = true;
			if (!cut)
				pyd_text_printf(r->out, "... %u more",
						(n - i) / step);
			break;
		}
		one(r, items[i]);
		if (!pairs)
			continue;
		put(r, ": ");
		one(r, items[i + 1]);
	}
	if (cut) {
		if (n && !stopped)
			put(r, ", ");
		put_count(r, o, n / step);
	} else if (n == 1 && *open == '(') {
		put(r, ",");
	}
	put(r, close);
	if (n)
		leave(r);
}

static void put_container(struct repr *r, const struct pyd_dump_object *o)
{
	uint32_t n;

	(void)pyd_dump_object_rest(r->d, o, &n);
	switch (o->kind) {
	case PYD_KIND_list:
		put_items(r, o, "[", "]", false);
		break;
	case PYD_KIND_tuple:
		put_items(r, o, "(", ")", false);
		break;
	case PYD_KIND_dict:
		put_items(r, o, "{", "}", true);
		break;
	case PYD_KIND_set:
		if (n || o->mark == PYD_MARK_TRUNCATED)
			put_items(r, o, "{", "}", false);
		else
			put(r, "set()");
		break;
	default:
		put(r, "frozenset(");
		if (n || o->mark == PYD_MARK_TRUNCATED)
			put_items(r, o, "{", "}", false);
		put(r, ")");
		break;
	}
}

/* What parts one attribute from the one before. */
static void put_comma(struct repr *r, uint32_t *shown, const char *first)
{
	put(r, (*shown)++ ? ", " : first);
}

/* "a=1, b=2" of the attributes in a dict. */
static void put_dict_attrs(struct repr *r, uint64_t dict, uint32_t *shown,
			   const char *first)
{
	struct pyd_dump_object o;
	const uint64_t *items;
	uint32_t n;

	if (!dict)
		return;
	if (pyd_dump_object_get(r->d, dict, &o, NULL)) {
		put_comma(r, shown, first);
		put(r, "__dict__=");
		one(r, dict);
		return;
	}
	if (o.kind != PYD_KIND_dict || o.mark) {
		put_comma(r, shown, first);
		put(r, "__dict__=");
		one(r, dict);
		pyd_dump_object_release(r->d, &o);
		return;
	}
	items = pyd_dump_object_rest(r->d, &o, &n);
	for (uint32_t i = 0; o.kind == PYD_KIND_dict && i + 1 < n; i += 2) {
		if (*shown >= r->lim.items || full(r)) {
			put(r, ", ...");
			break;
		}
		put_comma(r, shown, first);
		if (!put_name(r, items[i]))
			one(r, items[i]);
		put(r, "=");
		one(r, items[i + 1]);
	}
	pyd_dump_object_release(r->d, &o);
}

static void put_ints(struct repr *r, const struct pyd_dump_attr *a)
{
	uint64_t n = a->value / 8;

	put(r, "(");
	for (uint64_t i = 0; i < n; i++) {
		uint64_t v = 0;

		if (i)
			put(r, ", ");
		if (i >= r->lim.items) {
			put(r, "...");
			break;
		}
		for (size_t k = 0; k < 8; k++)
			v |= (uint64_t)a->bytes[8 * i + k] << (8 * k);
		pyd_text_printf(r->out, "%lld", (long long)v);
	}
	put(r, n == 1 ? ",)" : ")");
}

/* The value of an attribute, which may be a number without an object. */
static void put_attr_value(struct repr *r, const struct pyd_dump_attr *a)
{
	double v;

	switch ((enum pyd_origin)a->origin) {
	case PYD_ORIGIN_INT:
		pyd_text_printf(r->out, "%lld", (long long)a->value);
		break;
	case PYD_ORIGIN_UINT:
		pyd_text_printf(r->out, "%llu", (unsigned long long)a->value);
		break;
	case PYD_ORIGIN_FLOAT:
		memcpy(&v, &a->value, sizeof(v));
		pyd_text_double(r->out, v, true);
		break;
	case PYD_ORIGIN_BOOL:
		put(r, a->value ? "True" : "False");
		break;
	case PYD_ORIGIN_TEXT:
		put_quoted(r, (const char *)a->bytes, a->value);
		break;
	case PYD_ORIGIN_BYTES:
		put_quoted_bytes(r, a->bytes, a->value);
		break;
	case PYD_ORIGIN_INTS:
		put_ints(r, a);
		break;
	case PYD_ORIGIN_ADDRESS:
		pyd_text_printf(r->out, "<address 0x%llx>",
				(unsigned long long)a->value);
		break;
	default:
		/* An origin of a later version says nothing here. */
		if (!pyd_origin_is_ref(a->origin))
			put(r, "<unknown to this version>");
		else if (a->value)
			one(r, a->value);
		else
			put(r, "NULL");
		break;
	}
}

/* "a=1, b=2" of an instance's attributes, its dict's too; first stands before
 * the first of them. */
static void put_attrs(struct repr *r, const struct pyd_dump_object *o,
		      uint32_t shown, const char *first)
{
	for (uint32_t i = 0; i < o->nattrs; i++) {
		struct pyd_dump_attr a;

		pyd_dump_object_attr(o, i, &a);
		if (a.origin == PYD_ORIGIN_GUESS ||
		    (!a.value && a.origin < PYD_ORIGIN_FIELD))
			continue;
		if (a.origin == PYD_ORIGIN_DICT) {
			put_dict_attrs(r, a.value, &shown, first);
			continue;
		}
		if (shown >= r->lim.items || full(r)) {
			put(r, ", ...");
			break;
		}
		put_comma(r, &shown, first);
		pyd_text_escaped(r->out, a.name, a.name_len, 0, 200);
		put(r, "=");
		put_attr_value(r, &a);
	}
}

static void put_instance(struct repr *r, const struct pyd_dump_object *o)
{
	put(r, "<");
	put_type(r, o->type, true);
	pyd_text_printf(r->out, " at 0x%llx", (unsigned long long)o->addr);
	if (enter(r, o, "")) {
		put_attrs(r, o, 0, " ");
		leave(r);
	}
	put(r, ">");
}

/* "collections.deque([1, 2], maxlen=5)" */
static void put_record(struct repr *r, const struct pyd_dump_object *o)
{
	bool pairs = o->kind == PYD_KIND_mapping;
	uint32_t n;

	(void)pyd_dump_object_rest(r->d, o, &n);
	put_type(r, o->type, true);
	put(r, "(");
	if (n)
		put_items(r, o, pairs ? "{" : "[", pairs ? "}" : "]", pairs);
	if (enter(r, o, n ? "" : "...")) {
		put_attrs(r, o, n ? 1 : 0, "");
		leave(r);
	}
	put(r, ")");
}

/* -- the others -- */

static void put_exception(struct repr *r, const struct pyd_dump_object *o)
{
	struct pyd_dump_object args;
	uint64_t ref = pyd_dump_object_field(r->d, o, "args");
	uint32_t n;
	const uint64_t *items;

	put_type(r, o->type, false);
	if (!enter(r, o, "(...)"))
		return;
	put(r, "(");
	if (ref && !pyd_dump_object_get(r->d, ref, &args, NULL)) {
		items = pyd_dump_object_rest(r->d, &args, &n);
		for (uint32_t i = 0; i < n; i++) {
			if (i)
				put(r, ", ");
			if (i >= r->lim.items || full(r)) {
				put(r, "...");
				break;
			}
			one(r, items[i]);
		}
		pyd_dump_object_release(r->d, &args);
	} else if (ref) {
		put(r, "...");
	}
	put(r, ")");
	leave(r);
}

static void put_field(struct repr *r, const struct pyd_dump_object *o,
		      const char *field)
{
	uint64_t ref = pyd_dump_object_field(r->d, o, field);

	if (ref)
		one(r, ref);
	else
		put(r, "NULL");
}

/* "<cell at 0x...: 3>" and the like. */
static void put_wrapped(struct repr *r, const struct pyd_dump_object *o,
			const char *what, const char *field)
{
	pyd_text_printf(r->out, "<%s at 0x%llx: ", what,
			(unsigned long long)o->addr);
	if (enter(r, o, "...")) {
		put_field(r, o, field);
		leave(r);
	}
	put(r, ">");
}

static void put_code(struct repr *r, const struct pyd_dump_object *o)
{
	put(r, "<code object ");
	if (!put_name(r, pyd_dump_object_field(r->d, o, "name")))
		put(r, "?");
	pyd_text_printf(r->out, " at 0x%llx, file \"",
			(unsigned long long)o->addr);
	if (!put_name(r, pyd_dump_object_field(r->d, o, "filename")))
		put(r, "?");
	pyd_text_printf(r->out, "\", line %d>", get_i32(o, 24));
}

static void put_named(struct repr *r, const struct pyd_dump_object *o,
		      const char *what, const char *field)
{
	pyd_text_printf(r->out, "<%s ", what);
	if (!put_name(r, pyd_dump_object_field(r->d, o, field)))
		put(r, "?");
	put_at(r, o);
}

static void put_method(struct repr *r, const struct pyd_dump_object *o)
{
	uint64_t func = pyd_dump_object_field(r->d, o, "func");
	struct pyd_dump_object f;

	put(r, "<bound method ");
	if (!func || pyd_dump_object_get(r->d, func, &f, NULL)) {
		put(r, "?");
	} else {
		put_value_name(r, &f);
		pyd_dump_object_release(r->d, &f);
	}
	put(r, " of ");
	if (enter(r, o, "...")) {
		put_field(r, o, "self");
		leave(r);
	}
	put(r, ">");
}

/* Fields as arguments, those that are NULL left out at the end. */
static void put_call(struct repr *r, const struct pyd_dump_object *o,
		     const char *name, const char *const *fields, size_t n)
{
	pyd_text_printf(r->out, "%s(", name);
	if (enter(r, o, "...")) {
		for (size_t i = 0; i < n; i++) {
			if (i)
				put(r, ", ");
			put_field(r, o, fields[i]);
		}
		leave(r);
	}
	put(r, ")");
}

static void put_descriptor(struct repr *r, const struct pyd_dump_object *o)
{
	const char *s = (const char *)o->value;
	const char *nul = o->value_len ? memchr(s, 0, o->value_len) : NULL;

	put(r, "<");
	if (nul) {
		pyd_text_escaped(r->out, s, (size_t)(nul - s), 0, 40);
		put(r, " '");
		nul++;
		pyd_text_escaped(r->out, nul, o->value_len - (size_t)(nul - s),
				 0, 200);
		put(r, "' of ");
	}
	put_type(r, pyd_dump_object_field(r->d, o, "owner"), true);
	put(r, ">");
}

/* "RULE tag=XXXXXXXX" of a mark, as "rule RULE, tag XXXXXXXX". */
static void put_rule(struct repr *r, const struct pyd_dump_object *o)
{
	static const char sep[] = " tag=";
	const char *text = o->mark_text;
	size_t n = o->mark_len;
	const char *tag = n ? memmem(text, n, sep, sizeof(sep) - 1) : NULL;

	if (!n)
		return;
	put(r, "rule ");
	pyd_text_escaped(r->out, text, tag ? (size_t)(tag - text) : n, 0, 200);
	if (!tag)
		return;
	tag += sizeof(sep) - 1;
	put(r, ", tag ");
	pyd_text_escaped(r->out, tag, n - (size_t)(tag - text), 0, 40);
}

/* Text that is a secret as a whole. False when it is none. */
static bool put_redacted(struct repr *r, const struct pyd_dump_object *o)
{
	const char *unit = o->kind == PYD_KIND_str ? "characters" : "bytes";
	const char *kind = o->kind == PYD_KIND_str     ? "str"
			   : o->kind == PYD_KIND_bytes ? "bytes"
						       : "bytearray";

	if (o->mark != PYD_MARK_REDACTED || o->value_len ||
	    (o->kind != PYD_KIND_str && o->kind != PYD_KIND_bytes &&
	     o->kind != PYD_KIND_bytearray))
		return false;
	pyd_text_printf(r->out, "<redacted %s, %llu %s", kind,
			(unsigned long long)o->mark_total, unit);
	if (o->mark_len)
		put(r, ", ");
	put_rule(r, o);
	put(r, ">");
	return true;
}

static void put_mark(struct repr *r, const struct pyd_dump_object *o)
{
	static const char *const words[] = {
		[PYD_MARK_UNREADABLE] = "unreadable",
		[PYD_MARK_CORRUPT] = "corrupt",
		[PYD_MARK_TORN] = "torn",
		[PYD_MARK_TRUNCATED] = "truncated",
		[PYD_MARK_REDACTED] = "redacted",
		[PYD_MARK_LIMIT] = "limit",
	};
	bool known =
		o->mark < sizeof(words) / sizeof(words[0]) && words[o->mark];

	put(r, known ? words[o->mark] : "unknown mark");
	if (o->mark_len && o->mark == PYD_MARK_REDACTED) {
		put(r, ": ");
		put_rule(r, o);
	} else if (o->mark_len) {
		put(r, ": ");
		pyd_text_escaped(r->out, o->mark_text, o->mark_len, 0, 200);
	}
}

static void put_placeholder(struct repr *r, const struct pyd_dump_object *o)
{
	put(r, "<");
	put_mark(r, o);
	if (o->value_len) {
		put(r, ": ");
		pyd_text_escaped(r->out, (const char *)o->value, o->value_len,
				 0, 200);
	}
	put_at(r, o);
}

static void plain(struct repr *r, const struct pyd_dump_object *o)
{
	static const char *const slice[] = { "start", "stop", "step" };
	double v;

	if (put_redacted(r, o))
		return;
	switch (o->kind) {
	case PYD_KIND_placeholder:
		put_placeholder(r, o);
		break;
	case PYD_KIND_none:
		put(r, "None");
		break;
	case PYD_KIND_ellipsis:
		put(r, "Ellipsis");
		break;
	case PYD_KIND_notimplemented:
		put(r, "NotImplemented");
		break;
	case PYD_KIND_bool:
		put(r, o->value_len && o->value[0] ? "True" : "False");
		break;
	case PYD_KIND_int:
		pyd_text_int(r->out, o->value, o->value_len);
		break;
	case PYD_KIND_float:
		if (get_double(o, 0, &v))
			pyd_text_double(r->out, v, true);
		else
			put(r, "<float without a value>");
		break;
	case PYD_KIND_complex:
		put_complex(r, o);
		break;
	case PYD_KIND_str:
		put_str(r, o);
		break;
	case PYD_KIND_bytes:
		put_bytes(r, o);
		break;
	case PYD_KIND_bytearray:
		put(r, "bytearray(");
		put_bytes(r, o);
		put(r, ")");
		break;
	case PYD_KIND_list:
	case PYD_KIND_tuple:
	case PYD_KIND_dict:
	case PYD_KIND_set:
	case PYD_KIND_frozenset:
		put_container(r, o);
		break;
	case PYD_KIND_type:
		put(r, "<class '");
		put_type(r, o->addr, true);
		put(r, "'>");
		break;
	case PYD_KIND_module:
		put(r, "<module '");
		put_value_name(r, o);
		put(r, "'>");
		break;
	case PYD_KIND_function:
		put(r, "<function ");
		put_value_name(r, o);
		put_at(r, o);
		break;
	case PYD_KIND_builtin:
		put(r, "<built-in function ");
		put_value_name(r, o);
		put(r, ">");
		break;
	case PYD_KIND_method:
		put_method(r, o);
		break;
	case PYD_KIND_cell:
		put_wrapped(r, o, "cell", "contents");
		break;
	case PYD_KIND_code:
		put_code(r, o);
		break;
	case PYD_KIND_frame:
		pyd_text_printf(r->out, "<frame, line %d", get_i32(o, 8));
		put_at(r, o);
		break;
	case PYD_KIND_traceback:
		pyd_text_printf(r->out, "<traceback, line %d", get_i32(o, 4));
		put_at(r, o);
		break;
	case PYD_KIND_exception:
		put_exception(r, o);
		break;
	case PYD_KIND_generator:
		put_named(r, o, "generator object", "qualname");
		break;
	case PYD_KIND_coroutine:
		put_named(r, o, "coroutine object", "qualname");
		break;
	case PYD_KIND_async_generator:
		put_named(r, o, "async_generator object", "qualname");
		break;
	case PYD_KIND_staticmethod:
		put_wrapped(r, o, "staticmethod", "callable");
		break;
	case PYD_KIND_classmethod:
		put_wrapped(r, o, "classmethod", "callable");
		break;
	case PYD_KIND_mappingproxy:
		put(r, "mappingproxy(");
		if (enter(r, o, "...")) {
			put_field(r, o, "mapping");
			leave(r);
		}
		put(r, ")");
		break;
	case PYD_KIND_weakref:
		put_wrapped(r, o, "weakref", "object");
		break;
	case PYD_KIND_slice:
		put_call(r, o, "slice", slice, 3);
		break;
	case PYD_KIND_range:
		put_call(r, o, "range", slice, 3);
		break;
	case PYD_KIND_descriptor:
		put_descriptor(r, o);
		break;
	case PYD_KIND_record:
	case PYD_KIND_mapping:
		put_record(r, o);
		break;
	default:
		put_instance(r, o);
		break;
	}
}

/* The name of the builtin type of a kind that classes inherit from and whose
 * plain text would hide the class. */
static const char *base_of(enum pyd_kind kind)
{
	switch (kind) {
	case PYD_KIND_int:
		return "int";
	case PYD_KIND_float:
		return "float";
	case PYD_KIND_complex:
		return "complex";
	case PYD_KIND_str:
		return "str";
	case PYD_KIND_bytes:
		return "bytes";
	case PYD_KIND_bytearray:
		return "bytearray";
	case PYD_KIND_list:
		return "list";
	case PYD_KIND_tuple:
		return "tuple";
	case PYD_KIND_dict:
		return "dict";
	case PYD_KIND_set:
		return "set";
	case PYD_KIND_frozenset:
		return "frozenset";
	default:
		return NULL;
	}
}

static void one(struct repr *r, uint64_t ref)
{
	struct pyd_dump_object o;
	struct pyd_err err;
	const char *base;
	int64_t small;
	enum pyd_code code;

	/* Items of containers in containers multiply: what has begun is closed,
	 * nothing more is begun. */
	if (full(r)) {
		put(r, "...");
		return;
	}
	if (!ref) {
		put(r, "<NULL>");
		return;
	}
	if (pyd_dump_ref_is_int(ref, &small)) {
		pyd_text_printf(r->out, "%lld", (long long)small);
		return;
	}
	code = pyd_dump_object_get(r->d, ref, &o, &err);
	if (code == PYD_NOTFOUND || code == PYD_LIMIT) {
		pyd_text_printf(r->out, "<not dumped: 0x%llx>",
				(unsigned long long)ref);
		return;
	}
	if (code == PYD_FORMAT) {
		pyd_text_printf(r->out, "<lost, the dump is damaged: 0x%llx>",
				(unsigned long long)ref);
		return;
	}
	if (code) {
		r->out->code = code;
		if (r->out->err)
			*r->out->err = err;
		return;
	}
	base = base_of(o.kind);
	if (base && !is_builtin(r, o.type, base)) {
		put_type(r, o.type, false);
		put(r, "(");
		plain(r, &o);
		put(r, ")");
	} else {
		plain(r, &o);
	}
	if (o.mark && o.mark != PYD_MARK_TRUNCATED &&
	    !(o.mark == PYD_MARK_REDACTED && base && !o.value_len) &&
	    o.kind != PYD_KIND_placeholder) {
		put(r, " <");
		put_mark(r, &o);
		put(r, ">");
	}
	pyd_dump_object_release(r->d, &o);
}

void pyd_repr(struct pyd_dump *d, uint64_t ref,
	      const struct pyd_repr_limits *limits, struct pyd_text *out)
{
	struct repr r = {
		.d = d, .lim = *limits, .out = out, .start = out->buf.len
	};

	if (r.lim.depth > MAX_DEPTH)
		r.lim.depth = MAX_DEPTH;
	one(&r, ref);
}

void pyd_repr_type(struct pyd_dump *d, pyd_addr type, struct pyd_text *out)
{
	struct repr r = { .d = d, .lim = pyd_repr_default, .out = out };

	put_type(&r, type, true);
}
