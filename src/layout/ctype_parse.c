// SPDX-License-Identifier: Apache-2.0
/* The text of descriptions; the syntax is in doc/HOWTO_ADD_A_TYPE.md. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout/ctype.h"
#include "layout/layout.h"

enum {
	NUMBER_MAX = 1 << 30,
	TYPES_MAX = 20000,
	WORDS_MAX = 40, /* of a line */
};

static const struct word {
	const char *text;
	enum pyd_cvalue value;
	uint8_t width;
	bool big_endian;
} value_words[] = {
	{ "object", PYD_CVALUE_OBJECT, 8, false },
	{ "i8", PYD_CVALUE_INT, 1, false },
	{ "i16", PYD_CVALUE_INT, 2, false },
	{ "i32", PYD_CVALUE_INT, 4, false },
	{ "i64", PYD_CVALUE_INT, 8, false },
	{ "u8", PYD_CVALUE_UINT, 1, false },
	{ "u16", PYD_CVALUE_UINT, 2, false },
	{ "u32", PYD_CVALUE_UINT, 4, false },
	{ "u64", PYD_CVALUE_UINT, 8, false },
	{ "u16be", PYD_CVALUE_UINT, 2, true },
	{ "u24be", PYD_CVALUE_UINT, 3, true },
	{ "u32be", PYD_CVALUE_UINT, 4, true },
	{ "f32", PYD_CVALUE_FLOAT, 4, false },
	{ "f64", PYD_CVALUE_FLOAT, 8, false },
	{ "bool", PYD_CVALUE_BOOL, 1, false },
	{ "bool32", PYD_CVALUE_BOOL, 4, false },
	{ "char", PYD_CVALUE_CHAR, 1, false },
	{ "cstr", PYD_CVALUE_CSTR, 8, false },
	{ "text", PYD_CVALUE_TEXT, 1, false },
	{ "bytes", PYD_CVALUE_BYTES, 1, false },
	{ "i64s", PYD_CVALUE_INTS, 8, false },
	{ "objects", PYD_CVALUE_OBJECTS, 8, false },
	{ "address", PYD_CVALUE_ADDRESS, 8, false },
	{ "const", PYD_CVALUE_CONST, 8, false },
};

struct parser {
	struct pyd_ctypes *c;
	const char *where;
	char *line; /* NUL-terminated, cut into words in place */
	size_t line_no;
	/* Of the whole text. */
	uint32_t hex_min, hex_max;
	int flags;
	/* The paragraph that lines belong to. */
	struct pyd_ctype type;
	struct pyd_cfield fields[PYD_CTYPE_FIELDS_MAX];
	bool open;
	size_t open_line;
	/* The words of the line that is parsed. */
	char *words[WORDS_MAX];
	size_t nwords, at;
};

static enum pyd_code fail(const struct parser *ps, const char *at,
			  const char *what, const char *word,
			  struct pyd_err *err)
{
	char quoted[41];
	size_t n = 0;

	for (; word && word[n] && n < sizeof(quoted) - 1; n++)
		quoted[n] = isprint((unsigned char)word[n]) ? word[n] : '?';
	quoted[n] = '\0';
	return pyd_err_set(err, PYD_FORMAT, "%s:%zu:%zu: %s%s%s%s", ps->where,
			   ps->line_no, (size_t)(at - ps->line) + 1, what,
			   n ? " \"" : "", quoted, n ? "\"" : "");
}

static bool number(const char *s, int64_t max, int64_t *ret)
{
	char *end;
	unsigned long v;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	v = strtoul(s, &end, s[0] == '0' && s[1] == 'x' ? 16 : 10);
	if (errno || *end || v > (unsigned long)max)
		return false;
	*ret = (int64_t)v;
	return true;
}

/* -- the words of a line -- */

static const char *peek(const struct parser *ps)
{
	return ps->at < ps->nwords ? ps->words[ps->at] : "";
}

static bool accept(struct parser *ps, const char *word)
{
	if (strcmp(peek(ps), word))
		return false;
	ps->at++;
	return true;
}

/* Where the next word is, or the line's end. */
static const char *place(const struct parser *ps)
{
	if (ps->at < ps->nwords)
		return ps->words[ps->at];
	return ps->nwords ? ps->words[ps->nwords - 1] +
				    strlen(ps->words[ps->nwords - 1])
			  : ps->line;
}

static enum pyd_code split(struct parser *ps, char *text, struct pyd_err *err)
{
	char *save = NULL;

	ps->nwords = 0;
	ps->at = 0;
	for (char *w = strtok_r(text, " \t", &save); w;
	     w = strtok_r(NULL, " \t", &save)) {
		if (*w == '#')
			break;
		if (ps->nwords == WORDS_MAX)
			return fail(ps, w, "too many words, from", w, err);
		ps->words[ps->nwords++] = w;
	}
	return PYD_OK;
}

static enum pyd_code take_number(struct parser *ps, const char *what,
				 int64_t *ret, struct pyd_err *err)
{
	if (!number(peek(ps), NUMBER_MAX, ret))
		return fail(ps, place(ps), what, peek(ps), err);
	ps->at++;
	return PYD_OK;
}

/* An earlier field of this type; the dot of a hidden one may be there. */
static enum pyd_code take_field(struct parser *ps, int8_t *ret,
				struct pyd_err *err)
{
	const char *name = peek(ps);

	if (*name == '.')
		name++;
	for (size_t i = 0; i < ps->type.nfields; i++) {
		enum pyd_cvalue v = ps->fields[i].value;

		if (strcmp(ps->fields[i].name, name))
			continue;
		if (v != PYD_CVALUE_INT && v != PYD_CVALUE_UINT &&
		    v != PYD_CVALUE_BOOL && v != PYD_CVALUE_CONST &&
		    v != PYD_CVALUE_OBJECT && v != PYD_CVALUE_ADDRESS)
			return fail(ps, place(ps), "not a number:", name, err);
		*ret = (int8_t)i;
		ps->at++;
		return PYD_OK;
	}
	return fail(ps, place(ps), "no field above has the name", name, err);
}

/* -- one field -- */

static enum pyd_code take_steps(struct parser *ps, struct pyd_cfield *f,
				struct pyd_err *err)
{
	enum pyd_code code;
	int64_t v;

	if (!accept(ps, "@"))
		return fail(ps, place(ps), "expected \"@\", found", peek(ps),
			    err);
	do {
		if (f->nsteps == PYD_CTYPE_STEPS_MAX)
			return fail(ps, place(ps), "too many steps, from",
				    peek(ps), err);
		code = take_number(ps, "not an offset:", &v, err);
		if (code)
			return code;
		f->steps[f->nsteps++] = (int32_t)v;
	} while (accept(ps, ">"));
	return PYD_OK;
}

/* "N", "FIELD", "FIELD * N", "ob_size", "ob_size * N" */
static enum pyd_code take_count(struct parser *ps, struct pyd_cfield *f,
				struct pyd_err *err)
{
	enum pyd_code code;

	if (number(peek(ps), NUMBER_MAX, &f->number)) {
		ps->at++;
		f->count_of = PYD_CCOUNT_CONST;
		return PYD_OK;
	}
	f->number = 1;
	if (accept(ps, "ob_size")) {
		f->count_of = PYD_CCOUNT_OB_SIZE;
	} else {
		f->count_of = PYD_CCOUNT_FIELD;
		code = take_field(ps, &f->count_field, err);
		if (code)
			return code;
	}
	if (accept(ps, "*"))
		return take_number(ps, "not a factor:", &f->number, err);
	return PYD_OK;
}

static bool needs_count(enum pyd_cvalue v)
{
	return v == PYD_CVALUE_TEXT || v == PYD_CVALUE_BYTES ||
	       v == PYD_CVALUE_INTS || v == PYD_CVALUE_OBJECTS;
}

static enum pyd_code take_value(struct parser *ps, struct pyd_cfield *f,
				struct pyd_err *err)
{
	const struct word *w = NULL;
	enum pyd_code code;
	int64_t v;

	for (size_t i = 0; i < sizeof(value_words) / sizeof(*w) && !w; i++)
		if (accept(ps, value_words[i].text))
			w = &value_words[i];
	if (!w)
		return fail(ps, place(ps), "not a kind of value:", peek(ps),
			    err);
	f->value = w->value;
	f->width = w->width;
	f->big_endian = w->big_endian;
	if (f->value == PYD_CVALUE_CONST)
		return take_number(ps, "not a number:", &f->number, err);
	code = take_steps(ps, f, err);
	if (code)
		return code;
	if (accept(ps, "bit")) {
		const char *at = place(ps);

		code = take_number(ps, "not a bit:", &v, err);
		if (code)
			return code;
		if (v >= 8 * f->width ||
		    (f->value != PYD_CVALUE_UINT &&
		     f->value != PYD_CVALUE_INT && f->value != PYD_CVALUE_BOOL))
			return fail(ps, at, "no such bit in it", NULL, err);
		f->bit = (int8_t)v;
	}
	if (needs_count(f->value)) {
		if (!accept(ps, "length") && !accept(ps, "count"))
			return fail(ps, place(ps),
				    "expected \"length\" or \"count\", found",
				    peek(ps), err);
		return take_count(ps, f, err);
	}
	return PYD_OK;
}

static bool name_is_good(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

static enum pyd_code parse_field(struct parser *ps, char *key,
				 struct pyd_err *err)
{
	struct pyd_cfield f = { .bit = -1, .condition = -1 };
	bool objects = !strcmp(key, "(items)") || !strcmp(key, "(pairs)");
	enum pyd_code code;

	f.pairs = !strcmp(key, "(pairs)");
	f.hidden = *key == '.';
	f.name = key + f.hidden;
	if (!objects && !name_is_good(f.name))
		return fail(ps, key, "not a name:", key, err);
	for (size_t i = 0; i < ps->type.nfields; i++)
		if (!strcmp(ps->fields[i].name, f.name))
			return fail(ps, key, "a second", key, err);
	if (ps->type.nfields == PYD_CTYPE_FIELDS_MAX)
		return fail(ps, key, "too many fields, from", key, err);
	code = take_value(ps, &f, err);
	if (code)
		return code;
	if (objects != (f.value == PYD_CVALUE_OBJECTS))
		return fail(ps, key,
			    objects ? "takes \"objects\":"
				    : "\"objects\" is for (items) and "
				      "(pairs), not for",
			    key, err);
	if (accept(ps, "if")) {
		code = take_field(ps, &f.condition, err);
		if (code)
			return code;
	}
	if (ps->at < ps->nwords)
		return fail(ps, place(ps), "not expected here:", peek(ps), err);
	ps->fields[ps->type.nfields++] = f;
	return PYD_OK;
}

/* -- paragraphs -- */

static enum pyd_code close_type(struct parser *ps, struct pyd_err *err)
{
	struct pyd_ctype *types;
	size_t bytes = ps->type.nfields * sizeof(*ps->fields);

	if (!ps->open)
		return PYD_OK;
	ps->open = false;
	if (!ps->type.basicsize)
		return pyd_err_set(err, PYD_FORMAT,
				   "%s:%zu:1: \"%s\" lacks a basicsize",
				   ps->where, ps->open_line, ps->type.name);
	if (ps->c->n == TYPES_MAX)
		return pyd_err_set(err, PYD_LIMIT, "%s: more than %d types",
				   ps->where, TYPES_MAX);
	types = reallocarray(ps->c->types, ps->c->n + 1, sizeof(*types));
	if (!types)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for types");
	ps->c->types = types;
	ps->type.fields = malloc(bytes + 1);
	if (!ps->type.fields)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for types");
	memcpy(ps->type.fields, ps->fields, bytes);
	ps->type.hex_min = ps->hex_min;
	ps->type.hex_max = ps->hex_max;
	ps->type.flags = ps->flags;
	types[ps->c->n++] = ps->type;
	return PYD_OK;
}

static enum pyd_code open_type(struct parser *ps, char *text,
			       struct pyd_err *err)
{
	char *end = strchr(text, ']');
	enum pyd_code code = close_type(ps, err);

	if (code)
		return code;
	if (!end || end == text + 1)
		return fail(ps, text, "expected \"[tp_name]\", found", text,
			    err);
	*end++ = '\0';
	end += strspn(end, " \t");
	if (*end && *end != '#')
		return fail(ps, end, "not expected here:", end, err);
	ps->type = (struct pyd_ctype) { .name = text + 1, .reader = "" };
	ps->open = true;
	ps->open_line = ps->line_no;
	return PYD_OK;
}

static enum pyd_code parse_header(struct parser *ps, char *key, char *value,
				  struct pyd_err *err)
{
	int64_t v = 0;

	if (!strcmp(key, "flags")) {
		if (!strcmp(value, "none"))
			ps->flags = 0;
		else if (!strcmp(value, "debug"))
			ps->flags = PYD_LAYOUT_DEBUG;
		else if (!strcmp(value, "any"))
			ps->flags = PYD_CTYPE_ANY;
		else
			return fail(ps, value,
				    "not flags (none, debug, any):", value,
				    err);
		return PYD_OK;
	}
	if (strcmp(key, "hex_min") && strcmp(key, "hex_max"))
		return fail(ps, key,
			    "neither a header nor in a \"[tp_name]\":", key,
			    err);
	if (!number(value, UINT32_MAX, &v))
		return fail(ps, value, "not a hexversion:", value, err);
	*(!strcmp(key, "hex_min") ? &ps->hex_min : &ps->hex_max) = (uint32_t)v;
	return PYD_OK;
}

static char *trim(char *s)
{
	char *end;

	s += strspn(s, " \t");
	end = s + strlen(s);
	while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return s;
}

static enum pyd_code parse_line(struct parser *ps, struct pyd_err *err)
{
	char *text = trim(ps->line);
	char *eq = strchr(text, '=');
	enum pyd_code code;

	if (!*text || *text == '#')
		return PYD_OK;
	if (*text == '[')
		return open_type(ps, text, err);
	if (!eq)
		return fail(ps, text, "no \"=\" in", text, err);
	*eq = '\0';
	text = trim(text);
	if (!*text)
		return fail(ps, eq, "nothing before \"=\"", NULL, err);
	code = split(ps, eq + 1, err);
	if (code)
		return code;
	if (!ps->nwords)
		return fail(ps, eq, "nothing after \"=\"", NULL, err);
	if (!ps->open)
		return parse_header(ps, text, ps->words[0], err);
	if (!strcmp(text, "basicsize")) {
		code = take_number(ps, "not a size:", &ps->type.basicsize, err);
	} else if (!strcmp(text, "reader")) {
		ps->type.reader = ps->words[ps->at++];
	} else {
		return parse_field(ps, text, err);
	}
	if (!code && ps->at < ps->nwords)
		code = fail(ps, place(ps), "not expected here:", peek(ps), err);
	return code;
}

static enum pyd_code parse(struct parser *ps, struct pyd_ctypes *c,
			   const char *where, const char *text, size_t len,
			   struct pyd_err *err)
{
	char **texts;
	char *copy;
	enum pyd_code code;

	ps->c = c;
	ps->where = where;
	ps->hex_max = UINT32_MAX;
	ps->flags = PYD_CTYPE_ANY;
	if (memchr(text, '\0', len))
		return pyd_err_set(err, PYD_FORMAT, "%s: not a text file",
				   where);
	texts = reallocarray(c->texts, c->ntexts + 1, sizeof(*texts));
	if (!texts)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for types");
	c->texts = texts;
	copy = strndup(text, len);
	if (!copy)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for types");
	c->texts[c->ntexts++] = copy;

	for (char *next; copy; copy = next) {
		next = strchr(copy, '\n');
		if (next)
			*next++ = '\0';
		copy[strcspn(copy, "\r")] = '\0';
		ps->line = copy;
		ps->line_no++;
		code = parse_line(ps, err);
		if (code)
			return code;
	}
	if (ps->hex_min > ps->hex_max)
		return pyd_err_set(err, PYD_FORMAT,
				   "%s: hex_min is above hex_max", where);
	return close_type(ps, err);
}

enum pyd_code pyd_ctypes_parse(struct pyd_ctypes *c, const char *where,
			       const char *text, size_t len,
			       struct pyd_err *err)
{
	struct parser ps = { 0 };

	return parse(&ps, c, where, text, len, err);
}

enum pyd_code pyd_ctypes_parse_head(const char *where, const char *text,
				    size_t len, struct pyd_ctype *ret,
				    struct pyd_err *err)
{
	struct parser ps = { 0 };
	struct pyd_ctypes none = { 0 };
	enum pyd_code code = parse(&ps, &none, where, text, len, err);

	pyd_ctypes_deinit(&none);
	if (code)
		return code;
	*ret = (struct pyd_ctype) {
		.name = "",
		.reader = "",
		.hex_min = ps.hex_min,
		.hex_max = ps.hex_max,
		.flags = ps.flags,
	};
	return PYD_OK;
}
