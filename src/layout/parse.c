// SPDX-License-Identifier: Apache-2.0
/* The text of a table: "key = value" lines; doc/HOWTO_ADD_A_VERSION.md. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "layout/layout.h"

/* clang-format off */
static const char *const field_names[] = {
#define PYD_FIELD(s, f, width, presence, where) #s "." #f,
#include "../../offsets/fields.def"
#undef PYD_FIELD
};

static const struct model {
	const char *name;
	const char *values; /* "size, tag": the enum's values in order */
	size_t member;	    /* of struct pyd_layout */
} models[] = {
#define PYD_MODEL(m, ...) \
	{ #m, #__VA_ARGS__, offsetof(struct pyd_layout, model_##m) },
#include "../../offsets/models.def"
#undef PYD_MODEL
};
/* clang-format on */

enum { NMODELS = sizeof(models) / sizeof(models[0]) };
_Static_assert(sizeof(enum pyd_model_int) == sizeof(unsigned int),
	       "models are stored as unsigned int");

/* Offsets beyond this are no offsets; interpreter states have 400 kB. */
enum { OFFSET_MAX = 64 << 20 };

enum header {
	H_NAME,
	H_INTERPRETER,
	H_FLAGS,
	H_HEX_MIN,
	H_HEX_MAX,
	H_MADE_BY,
	H_DEBUG_SIZE,
	NHEADERS
};
static const char *const header_names[] = {
	"name",	   "interpreter", "flags",	"hex_min",
	"hex_max", "made_by",	  "debug_size",
};

/* A part of the text; never NUL-terminated. */
struct span {
	const char *p;
	size_t len;
};

struct parser {
	const char *where;
	size_t line_no;
	const char *line;
	struct span interpreter;
	struct span made_by;
	bool header_seen[NHEADERS];
	bool model_seen[NMODELS];
	bool field_seen[PYD_NFIELDS];
	size_t next_field; /* where the last name was found, plus one */
	struct pyd_layout lay;
};

const char *pyd_field_name(enum pyd_field f)
{
	return (unsigned int)f < PYD_NFIELDS ? field_names[f] : "?";
}

static enum pyd_code fail(const struct parser *ps, const char *at,
			  const char *what, struct span s, struct pyd_err *err)
{
	/* Names the text, which may be anything, in bounds and printable. */
	char quoted[41];
	size_t n = 0;

	for (; n < s.len && n < sizeof(quoted) - 1; n++)
		quoted[n] = isprint((unsigned char)s.p[n]) ? s.p[n] : '?';
	quoted[n] = '\0';
	return pyd_err_set(err, PYD_FORMAT, "%s:%zu:%zu: %s%s%s%s", ps->where,
			   ps->line_no, (size_t)(at - ps->line) + 1, what,
			   n ? " \"" : "", quoted, n ? "\"" : "");
}

static struct span trim(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return (struct span) { p, (size_t)(end - p) };
}

static bool span_is(struct span s, const char *word)
{
	return s.len == strlen(word) && !memcmp(s.p, word, s.len);
}

static bool starts(struct span s, const char *prefix, struct span *ret_rest)
{
	size_t n = strlen(prefix);

	if (s.len < n || memcmp(s.p, prefix, n))
		return false;
	*ret_rest = (struct span) { s.p + n, s.len - n };
	return true;
}

static bool parse_number(struct span s, uint32_t max, uint32_t *ret)
{
	uint64_t v = 0;
	unsigned int base = 10;
	size_t i = 0;

	if (s.len > 2 && s.p[0] == '0' && s.p[1] == 'x') {
		base = 16;
		i = 2;
	}
	if (i == s.len || s.len - i > 10)
		return false;
	for (; i < s.len; i++) {
		char c = s.p[i];
		unsigned int digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned int)(c - '0');
		else if (base == 16 && c >= 'a' && c <= 'f')
			digit = (unsigned int)(c - 'a') + 10;
		else
			return false;
		v = v * base + digit;
	}
	if (v > max)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static enum pyd_code parse_flags(struct parser *ps, struct span s,
				 struct pyd_err *err)
{
	const char *end = s.p + s.len;

	if (span_is(s, "none"))
		return PYD_OK;
	while (s.len) {
		const char *stop = memchr(s.p, ' ', s.len);
		struct span word = trim(s.p, stop ? stop : end);

		if (span_is(word, "debug"))
			ps->lay.flags |= PYD_LAYOUT_DEBUG;
		else if (span_is(word, "free-threaded"))
			ps->lay.flags |= PYD_LAYOUT_FREE_THREADED;
		else
			return fail(ps, word.p, "unknown flag", word, err);
		s = trim(word.p + word.len, end);
	}
	return PYD_OK;
}

static enum pyd_code parse_header(struct parser *ps, struct span key,
				  struct span value, struct pyd_err *err)
{
	struct pyd_layout *lay = &ps->lay;
	bool ok = true;
	size_t h = 0;

	while (h < NHEADERS && !span_is(key, header_names[h]))
		h++;
	if (h == NHEADERS)
		return fail(ps, key.p, "unknown key", key, err);
	if (ps->header_seen[h])
		return fail(ps, key.p, "a second", key, err);
	ps->header_seen[h] = true;
	switch ((enum header)h) {
	case H_NAME:
		ok = value.len && value.len < sizeof(lay->name);
		if (ok)
			memcpy(lay->name, value.p, value.len);
		break;
	case H_INTERPRETER:
		ps->interpreter = value;
		break;
	case H_MADE_BY:
		ps->made_by = value;
		break;
	case H_FLAGS:
		return parse_flags(ps, value, err);
	case H_HEX_MIN:
		ok = parse_number(value, UINT32_MAX, &lay->hex_min);
		break;
	case H_HEX_MAX:
		ok = parse_number(value, UINT32_MAX, &lay->hex_max);
		break;
	case H_DEBUG_SIZE:
		ok = parse_number(value, PYD_DEBUG_OFFSETS_MAX,
				  &lay->debug_size);
		break;
	case NHEADERS:
		break;
	}
	if (!ok)
		return fail(ps, value.p, "not a value for this key", value,
			    err);
	return PYD_OK;
}

/* The index of word in "a, b, c", or -1. */
static int word_index(const char *list, struct span word)
{
	for (int i = 0; word.len; i++) {
		size_t n = strcspn(list, ",");

		if (n == word.len && !memcmp(list, word.p, n))
			return i;
		if (!list[n])
			break;
		list += n + 1;
		list += strspn(list, " ");
	}
	return -1;
}

static enum pyd_code parse_model(struct parser *ps, struct span key,
				 struct span value, struct pyd_err *err)
{
	size_t m = 0;
	int index;

	while (m < NMODELS && !span_is(key, models[m].name))
		m++;
	if (m == NMODELS)
		return fail(ps, key.p, "unknown model", key, err);
	if (ps->model_seen[m])
		return fail(ps, key.p, "a second model", key, err);
	index = word_index(models[m].values, value);
	if (index < 0)
		return fail(ps, value.p, "not a value of this model", value,
			    err);
	ps->model_seen[m] = true;
	unsigned int v = (unsigned int)index;

	memcpy((char *)&ps->lay + models[m].member, &v, sizeof(v));
	return PYD_OK;
}

/* Finds a field; tables have them in order, so that it is the next one. */
static bool find_field(struct parser *ps, struct span key, size_t *ret)
{
	for (size_t i = 0; i < PYD_NFIELDS; i++) {
		size_t f = (ps->next_field + i) % PYD_NFIELDS;

		if (span_is(key, field_names[f])) {
			ps->next_field = f + 1;
			*ret = f;
			return true;
		}
	}
	return false;
}

static enum pyd_code parse_offset(struct parser *ps, struct span key,
				  struct span value, struct pyd_err *err)
{
	uint32_t v;
	size_t f;

	if (!find_field(ps, key, &f))
		return fail(ps, key.p, "unknown field", key, err);
	if (ps->field_seen[f])
		return fail(ps, key.p, "a second", key, err);
	ps->field_seen[f] = true;
	if (span_is(value, "absent"))
		return PYD_OK;
	if (!parse_number(value, OFFSET_MAX, &v))
		return fail(ps, value.p,
			    "neither an offset nor \"absent\":", value, err);
	ps->lay.off[f] = (int32_t)v;
	return PYD_OK;
}

/* "debug.FIELD = PLACE" or "= PLACE within PLACE OF SIZE" */
static enum pyd_code parse_debug(struct parser *ps, struct span key,
				 struct span value, struct pyd_err *err)
{
	static const char within[] = " within ";
	struct span place = value;
	struct span size = { value.p, 0 };
	uint32_t v;
	size_t f;

	if (!find_field(ps, key, &f))
		return fail(ps, key.p, "unknown field", key, err);
	if (ps->lay.debug_pos[f] != PYD_ABSENT)
		return fail(ps, key.p, "a second", key, err);
	const char *mid = memmem(value.p, value.len, within, strlen(within));
	if (mid) {
		const char *rest = mid + strlen(within);

		place.len = (size_t)(mid - value.p);
		size = (struct span) { rest,
				       value.len - (size_t)(rest - value.p) };
		if (!parse_number(size, PYD_DEBUG_OFFSETS_MAX - 8, &v))
			return fail(ps, size.p, "not a place", size, err);
		ps->lay.debug_size_pos[f] = (int16_t)v;
	}
	if (!parse_number(place, PYD_DEBUG_OFFSETS_MAX - 8, &v))
		return fail(ps, place.p, "not a place", place, err);
	ps->lay.debug_pos[f] = (int16_t)v;
	return PYD_OK;
}

static enum pyd_code parse_line(struct parser *ps, const char *end,
				struct pyd_err *err)
{
	struct span all = trim(ps->line, end);
	const char *eq = memchr(ps->line, '=', (size_t)(end - ps->line));
	struct span key, value, rest;

	if (!all.len || *all.p == '#')
		return PYD_OK;
	if (!eq)
		return fail(ps, all.p, "no \"=\" in", all, err);
	key = trim(ps->line, eq);
	value = trim(eq + 1, end);
	if (!key.len)
		return fail(ps, eq, "nothing before \"=\"",
			    (struct span) { eq, 0 }, err);
	if (!value.len)
		return fail(ps, eq, "nothing after \"=\"",
			    (struct span) { eq, 0 }, err);
	if (starts(key, "model.", &rest))
		return parse_model(ps, rest, value, err);
	if (starts(key, "debug.", &rest))
		return parse_debug(ps, rest, value, err);
	if (memchr(key.p, '.', key.len))
		return parse_offset(ps, key, value, err);
	return parse_header(ps, key, value, err);
}

/* A table says everything: what does not exist is "absent". */
static enum pyd_code check_complete(const struct parser *ps,
				    struct pyd_err *err)
{
	const struct pyd_layout *lay = &ps->lay;

	for (size_t h = 0; h < NHEADERS; h++)
		if (!ps->header_seen[h] && h != H_DEBUG_SIZE)
			return pyd_err_set(err, PYD_FORMAT,
					   "%s: \"%s\" is missing", ps->where,
					   header_names[h]);
	for (size_t m = 0; m < NMODELS; m++)
		if (!ps->model_seen[m])
			return pyd_err_set(err, PYD_FORMAT,
					   "%s: \"model.%s\" is missing",
					   ps->where, models[m].name);
	for (size_t f = 0; f < PYD_NFIELDS; f++) {
		if (!ps->field_seen[f])
			return pyd_err_set(err, PYD_FORMAT,
					   "%s: \"%s\" is missing", ps->where,
					   field_names[f]);
		if (lay->debug_pos[f] + 8 > (int)lay->debug_size &&
		    lay->debug_pos[f] != PYD_ABSENT)
			return pyd_err_set(err, PYD_FORMAT,
					   "%s: \"debug.%s\" is beyond "
					   "debug_size",
					   ps->where, field_names[f]);
		if (lay->debug_size_pos[f] + 8 > (int)lay->debug_size &&
		    lay->debug_size_pos[f] != PYD_ABSENT)
			return pyd_err_set(err, PYD_FORMAT,
					   "%s: the size of \"debug.%s\" is "
					   "beyond debug_size",
					   ps->where, field_names[f]);
	}
	if (lay->hex_min > lay->hex_max)
		return pyd_err_set(err, PYD_FORMAT,
				   "%s: hex_min is above hex_max", ps->where);
	return PYD_OK;
}

/* All lines, or those above the first model or field. */
static enum pyd_code parse_lines(struct parser *ps, const char *text,
				 const char *end, bool head,
				 struct pyd_err *err)
{
	for (ps->line = text; ps->line < end;) {
		const char *nl =
			memchr(ps->line, '\n', (size_t)(end - ps->line));
		const char *stop = nl ? nl : end;
		const char *dot =
			memchr(ps->line, '.', (size_t)(stop - ps->line));
		const char *eq =
			dot ? memchr(ps->line, '=', (size_t)(stop - ps->line))
			    : NULL;
		enum pyd_code rc;

		if (head && eq && dot < eq && *ps->line != '#')
			return PYD_OK;
		ps->line_no++;
		rc = parse_line(ps, stop, err);
		if (rc)
			return rc;
		ps->line = nl ? nl + 1 : end;
	}
	return PYD_OK;
}

enum pyd_code pyd_layout_parse_head(const char *where, const char *text,
				    size_t len, struct pyd_layout *ret,
				    struct pyd_err *err)
{
	struct parser ps = { .where = where };
	enum pyd_code rc = parse_lines(&ps, text, text + len, true, err);

	if (rc)
		return rc;
	*ret = ps.lay;
	return PYD_OK;
}

enum pyd_code pyd_layout_parse(const char *where, const char *text, size_t len,
			       struct pyd_layout *ret, struct pyd_err *err)
{
	struct parser ps = { .where = where };
	enum pyd_code rc;

	for (size_t f = 0; f < PYD_NFIELDS; f++) {
		ps.lay.off[f] = PYD_ABSENT;
		ps.lay.debug_pos[f] = PYD_ABSENT;
		ps.lay.debug_size_pos[f] = PYD_ABSENT;
	}
	rc = parse_lines(&ps, text, text + len, false, err);
	if (rc)
		return rc;
	rc = check_complete(&ps, err);
	if (rc)
		return rc;
	snprintf(ps.lay.provenance, sizeof(ps.lay.provenance), "%.*s; %.*s",
		 (int)(ps.interpreter.len < 120 ? ps.interpreter.len : 120),
		 ps.interpreter.p,
		 (int)(ps.made_by.len < 120 ? ps.made_by.len : 120),
		 ps.made_by.p);
	*ret = ps.lay;
	return PYD_OK;
}
