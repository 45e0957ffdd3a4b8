// SPDX-License-Identifier: Apache-2.0
#include "dump/vars.h"

#include <string.h>

#include "dump/number.h"

bool pyd_vars_cell(struct pyd_dump *d, uint64_t ref, uint64_t *ret)
{
	struct pyd_dump_object o;
	bool ok;

	if (!ref || pyd_dump_object_get(d, ref, &o, NULL))
		return false;
	ok = o.kind == PYD_KIND_cell;
	if (ok)
		*ret = pyd_dump_object_field(d, &o, "contents");
	pyd_dump_object_release(d, &o);
	return ok;
}

static bool is_dunder(struct pyd_dump *d, uint64_t name)
{
	struct pyd_dump_object o;
	bool ret;

	if (!name || pyd_dump_object_get(d, name, &o, NULL))
		return false;
	ret = o.kind == PYD_KIND_str && o.value_len >= 2 &&
	      !memcmp(o.value, "__", 2);
	pyd_dump_object_release(d, &o);
	return ret;
}

bool pyd_vars_names(struct pyd_dump *d, uint64_t mapping,
		    void (*each)(void *ctx, const struct pyd_variable *var),
		    void *ctx)
{
	struct pyd_dump_object o;
	const uint64_t *items;
	uint32_t n;
	bool all;

	if (!mapping || pyd_dump_object_get(d, mapping, &o, NULL))
		return false;
	all = o.kind == PYD_KIND_dict && !o.mark;
	items = pyd_dump_object_rest(d, &o, &n);
	for (uint32_t i = 0; o.kind == PYD_KIND_dict && i + 1 < n; i += 2) {
		struct pyd_variable var = {
			.name = items[i],
			.value = items[i + 1],
		};

		if (!is_dunder(d, var.name))
			each(ctx, &var);
	}
	pyd_dump_object_release(d, &o);
	return all;
}

/* Bytes into a code object's value, and flags of CPython's code.h. */
enum { ARGCOUNT = 0, KWONLY = 8, FLAGS = 20 };
enum { OPTIMIZED = 0x1, STAR = 0x4, STARS = 0x8 };

uint64_t pyd_vars_mapping(struct pyd_dump *d,
			  const struct pyd_dump_object *frame,
			  const struct pyd_dump_object *code)
{
	if (pyd_value_i32(code, FLAGS) & OPTIMIZED)
		return 0;
	return pyd_dump_object_field(d, frame, "locals");
}

/* How many of the first names of a code object are arguments'. */
static int64_t arguments(const struct pyd_dump_object *code)
{
	int32_t flags = pyd_value_i32(code, FLAGS);

	return (int64_t)pyd_value_i32(code, ARGCOUNT) +
	       pyd_value_i32(code, KWONLY) + !!(flags & STAR) +
	       !!(flags & STARS);
}

/* CO_FAST_HIDDEN, _CELL and _FREE of CPython's pycore_code.h, 3.11 and
 * later. */
enum { HIDDEN = 0x10, CELL = 0x40, FREE = 0x80 };

struct slots {
	struct pyd_dump *d;
	const struct pyd_dump_object *code;
	const uint64_t *refs;
	uint32_t n, at;
	int64_t arguments;
	void (*each)(void *ctx, const struct pyd_variable *var);
	void *ctx;
};

static enum pyd_var kind_of(uint8_t bits, bool argument)
{
	if (bits & CELL)
		return argument ? PYD_VAR_CELLARG : PYD_VAR_CELL;
	if (bits & FREE)
		return PYD_VAR_FREE;
	if (bits & HIDDEN)
		return PYD_VAR_HIDDEN;
	return argument ? PYD_VAR_ARG : PYD_VAR_LOCAL;
}

/* Up to 3.10 an argument in a cell has slots as both; the names are interned,
 * and so one object. */
static bool is_argument(struct slots *s, uint64_t name)
{
	struct pyd_dump_object o;
	const uint64_t *items;
	uint32_t count;
	bool ret = false;

	if (pyd_dump_object_get(
		    s->d, pyd_dump_object_field(s->d, s->code, "varnames"), &o,
		    NULL))
		return false;
	items = pyd_dump_object_rest(s->d, &o, &count);
	for (uint32_t i = 0; i < count && i < s->arguments && !ret; i++)
		ret = items[i] == name;
	pyd_dump_object_release(s->d, &o);
	return ret;
}

/* The slots of which a tuple of the code has the names. kinds: a byte for each,
 * or NULL when `bits` are those of all. False when not all names are there:
 * what is behind them has no name that is certain. */
static bool put_slots(struct slots *s, uint64_t names,
		      const struct pyd_dump_object *kinds, uint8_t bits)
{
	struct pyd_dump_object o;
	const uint64_t *items;
	uint32_t count;
	bool whole;

	if (!names || pyd_dump_object_get(s->d, names, &o, NULL))
		return false;
	whole = o.kind == PYD_KIND_tuple && !o.mark;
	items = pyd_dump_object_rest(s->d, &o, &count);
	for (uint32_t i = 0; i < count && s->at < s->n; i++, s->at++) {
		struct pyd_variable var = { .name = items[i] };

		var.value = s->refs[s->at];
		if (kinds)
			bits = i < kinds->value_len ? kinds->value[i] : 0;
		if (!var.value)
			continue;
		var.kind = kind_of(bits, s->at < s->arguments ||
						 (!kinds && bits & CELL &&
						  is_argument(s, var.name)));
		if (bits & (CELL | FREE)) {
			uint64_t cell = var.value;

			if (pyd_vars_cell(s->d, cell, &var.value)) {
				if (!var.value)
					continue;
				var.cell = cell;
			}
		}
		s->each(s->ctx, &var);
	}
	pyd_dump_object_release(s->d, &o);
	return whole;
}

bool pyd_vars_slots(struct pyd_dump *d, const struct pyd_dump_object *frame,
		    const struct pyd_dump_object *code,
		    void (*each)(void *ctx, const struct pyd_variable *var),
		    void *ctx)
{
	static const struct {
		const char *field;
		uint8_t bits;
	} tuples[] = {
		{ "varnames", 0 },
		{ "cellvars", CELL },
		{ "freevars", FREE },
	};
	struct slots s = {
		.d = d,
		.code = code,
		.each = each,
		.ctx = ctx,
		.arguments = arguments(code),
	};
	struct pyd_dump_object kinds;
	uint64_t names = pyd_dump_object_field(d, code, "localsplusnames");
	uint64_t ref = pyd_dump_object_field(d, code, "localspluskinds");
	bool known = !names;

	s.refs = pyd_dump_object_rest(d, frame, &s.n);
	if (names && ref && !pyd_dump_object_get(d, ref, &kinds, NULL)) {
		known = put_slots(&s, names, &kinds, 0);
		pyd_dump_object_release(d, &kinds);
	}
	for (size_t i = 0; i < 3 && !names && known; i++)
		known = put_slots(
			&s, pyd_dump_object_field(d, code, tuples[i].field),
			NULL, tuples[i].bits);
	return known && !frame->mark;
}
