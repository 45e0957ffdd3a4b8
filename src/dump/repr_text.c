// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <string.h>

#include "dump/number.h"
#include "dump/repr_state.h"
#include "layout/reprs.h"

/* -- numbers -- */

bool pyd_repr_get_double(const struct pyd_dump_object *o, size_t at,
			 double *ret)
{
	uint64_t bits = 0;

	if (o->value_len < at + 8)
		return false;
	for (size_t k = 0; k < 8; k++)
		bits |= (uint64_t)o->value[at + k] << (8 * k);
	memcpy(ret, &bits, sizeof(bits));
	return true;
}

void pyd_repr_put_complex(struct pyd_repr_state *r,
			  const struct pyd_dump_object *o)
{
	double re, im;

	if (!pyd_repr_get_double(o, 0, &re) ||
	    !pyd_repr_get_double(o, 8, &im)) {
		pyd_repr_put(r, "<complex without a value>");
		return;
	}
	if (re == 0 && !signbit(re)) {
		pyd_text_double(r->out, im, false);
		pyd_repr_put(r, "j");
		return;
	}
	pyd_repr_put(r, "(");
	pyd_text_double(r->out, re, false);
	if (!(signbit(im) && !isnan(im)))
		pyd_repr_put(r, "+");
	pyd_text_double(r->out, im, false);
	pyd_repr_put(r, "j)");
}

/* -- text -- */

/* "... (truncated, 3 of 10000)" */
void pyd_repr_put_count(struct pyd_repr_state *r,
			const struct pyd_dump_object *o, uint32_t n)
{
	pyd_text_printf(r->out, "... (truncated, %u of %llu)", n,
			(unsigned long long)o->mark_total);
}

/* What is to be said of a truncated object. */
static void put_total(struct pyd_repr_state *r, const struct pyd_dump_object *o,
		      bool dots)
{
	if (dots)
		pyd_repr_put(r, "...");
	if (o->mark_total)
		pyd_text_printf(r->out, " (truncated, of %llu)",
				(unsigned long long)o->mark_total);
	else
		pyd_repr_put(r, " (truncated)");
}

static char quote_of(const void *s, size_t len)
{
	bool single = len && memchr(s, '\'', len);
	bool twice = len && memchr(s, '"', len);

	return single && !twice ? '"' : '\'';
}

/* False when some of it was left out. */
bool pyd_repr_put_quoted(struct pyd_repr_state *r, const char *s, size_t len)
{
	char quote = quote_of(s, len);
	bool all;

	pyd_text_raw(r->out, &quote, 1);
	all = pyd_text_escaped(r->out, s, len, quote, r->lim.chars);
	pyd_text_raw(r->out, &quote, 1);
	if (!all)
		pyd_repr_put(r, "...");
	return all;
}

void pyd_repr_put_str(struct pyd_repr_state *r, const struct pyd_dump_object *o)
{
	bool all = pyd_repr_put_quoted(r, (const char *)o->value, o->value_len);

	if (o->mark == PYD_MARK_TRUNCATED)
		put_total(r, o, all);
}

/* escaped: a character that has a backslash before it besides the quote. */
static bool put_bytes(struct pyd_repr_state *r, const uint8_t *s, size_t len,
		      char escaped)
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
		else if (c == '\\' || c == (uint8_t)quote ||
			 (escaped && c == (uint8_t)escaped))
			pyd_text_printf(r->out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			pyd_text_printf(r->out, "\\x%02x", c);
		else
			pyd_text_printf(r->out, "%c", c);
	}
	pyd_text_raw(r->out, &quote, 1);
	if (n < len)
		pyd_repr_put(r, "...");
	return n == len;
}

bool pyd_repr_put_quoted_bytes(struct pyd_repr_state *r, const uint8_t *s,
			       size_t len)
{
	return put_bytes(r, s, len, 0);
}

void pyd_repr_put_bytes(struct pyd_repr_state *r,
			const struct pyd_dump_object *o)
{
	bool all = put_bytes(r, o->value, o->value_len, 0);

	if (o->mark == PYD_MARK_TRUNCATED)
		put_total(r, o, all);
}

void pyd_repr_put_bytearray(struct pyd_repr_state *r,
			    const struct pyd_dump_object *o)
{
	struct pyd_dump_value python =
		pyd_dump_value_get(pyd_dump_header(r->d), "python");
	uint64_t hex = 0;
	bool escaped =
		pyd_dump_value_u64(pyd_dump_value_get(python, "hex"), &hex) &&
		pyd_reprs_bytearray_escaped(hex);

	pyd_repr_put(r, "bytearray(");
	bool all = put_bytes(r, o->value, o->value_len, escaped ? '\'' : 0);

	if (o->mark == PYD_MARK_TRUNCATED)
		put_total(r, o, all);
	pyd_repr_put(r, ")");
}

/* "RULE tag=XXXXXXXX" of a mark, as "rule RULE, tag XXXXXXXX". */
static void put_rule(struct pyd_repr_state *r, const struct pyd_dump_object *o)
{
	static const char sep[] = " tag=";
	const char *text = o->mark_text;
	size_t n = o->mark_len;
	const char *tag = n ? memmem(text, n, sep, sizeof(sep) - 1) : NULL;

	if (!n)
		return;
	pyd_repr_put(r, "rule ");
	pyd_text_escaped(r->out, text, tag ? (size_t)(tag - text) : n, 0, 200);
	if (!tag)
		return;
	tag += sizeof(sep) - 1;
	pyd_repr_put(r, ", tag ");
	pyd_text_escaped(r->out, tag, n - (size_t)(tag - text), 0, 40);
}

/* Text that is a secret as a whole. False when it is none. */
bool pyd_repr_put_redacted(struct pyd_repr_state *r,
			   const struct pyd_dump_object *o)
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
		pyd_repr_put(r, ", ");
	put_rule(r, o);
	pyd_repr_put(r, ">");
	return true;
}

void pyd_repr_put_mark(struct pyd_repr_state *r,
		       const struct pyd_dump_object *o)
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

	pyd_repr_put(r, known ? words[o->mark] : "unknown mark");
	if (o->mark_len && o->mark == PYD_MARK_REDACTED) {
		pyd_repr_put(r, ": ");
		put_rule(r, o);
	} else if (o->mark_len) {
		pyd_repr_put(r, ": ");
		pyd_text_escaped(r->out, o->mark_text, o->mark_len, 0, 200);
	}
}
