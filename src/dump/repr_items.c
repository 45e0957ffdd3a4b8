// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "dump/number.h"
#include "dump/repr_state.h"

/* True when the object may be entered; else its ellipsis was put. */
bool pyd_repr_enter(struct pyd_repr_state *r, const struct pyd_dump_object *o,
		    const char *ellipsis)
{
	for (unsigned int i = 0; i < r->depth; i++) {
		if (r->path[i] != o->addr)
			continue;
		pyd_repr_put(r, ellipsis);
		return false;
	}
	if (r->depth >= r->lim.depth) {
		pyd_repr_put(r, ellipsis);
		return false;
	}
	r->path[r->depth++] = o->addr;
	return true;
}

void pyd_repr_leave(struct pyd_repr_state *r)
{
	r->depth--;
}

static void put_items(struct pyd_repr_state *r, const struct pyd_dump_object *o,
		      const char *open, const char *close, bool pairs)
{
	uint32_t n, step = pairs ? 2 : 1;
	const uint64_t *items = pyd_dump_object_rest(r->d, o, &n);
	/* Of a record, a field may be cut instead. */
	bool cut = o->mark == PYD_MARK_TRUNCATED && !o->mark_len;
	bool stopped = false;
	char ellipsis[16];

	snprintf(ellipsis, sizeof(ellipsis), "%s...%s", open, close);
	if (n && !pyd_repr_enter(r, o, ellipsis))
		return;
	pyd_repr_put(r, open);
	for (uint32_t i = 0; i + step <= n; i += step) {
		if (i)
			pyd_repr_put(r, ", ");
		if (i / step >= r->lim.items || pyd_repr_full(r)) {
			stopped = true;
			if (!cut)
				pyd_text_printf(r->out, "... %u more",
						(n - i) / step);
			break;
		}
		pyd_repr_ref(r, items[i]);
		if (!pairs)
			continue;
		pyd_repr_put(r, ": ");
		pyd_repr_ref(r, items[i + 1]);
	}
	if (cut) {
		if (n && !stopped)
			pyd_repr_put(r, ", ");
		pyd_repr_put_count(r, o, n / step);
	} else if (n == 1 && *open == '(') {
		pyd_repr_put(r, ",");
	}
	pyd_repr_put(r, close);
	if (n)
		pyd_repr_leave(r);
}

void pyd_repr_put_container(struct pyd_repr_state *r,
			    const struct pyd_dump_object *o)
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
			pyd_repr_put(r, "set()");
		break;
	default:
		pyd_repr_put(r, "frozenset(");
		if (n || o->mark == PYD_MARK_TRUNCATED)
			put_items(r, o, "{", "}", false);
		pyd_repr_put(r, ")");
		break;
	}
}

/* What parts one attribute from the one before. */
static void put_comma(struct pyd_repr_state *r, uint32_t *shown,
		      const char *first)
{
	pyd_repr_put(r, (*shown)++ ? ", " : first);
}

/* "a=1, b=2" of the attributes in a dict. */
static void put_dict_attrs(struct pyd_repr_state *r, uint64_t dict,
			   uint32_t *shown, const char *first)
{
	struct pyd_dump_object o;
	const uint64_t *items;
	uint32_t n;

	if (!dict)
		return;
	if (pyd_dump_object_get(r->d, dict, &o, NULL)) {
		put_comma(r, shown, first);
		pyd_repr_put(r, "__dict__=");
		pyd_repr_ref(r, dict);
		return;
	}
	if (o.kind != PYD_KIND_dict || o.mark) {
		put_comma(r, shown, first);
		pyd_repr_put(r, "__dict__=");
		pyd_repr_ref(r, dict);
		pyd_dump_object_release(r->d, &o);
		return;
	}
	items = pyd_dump_object_rest(r->d, &o, &n);
	for (uint32_t i = 0; o.kind == PYD_KIND_dict && i + 1 < n; i += 2) {
		if (*shown >= r->lim.items || pyd_repr_full(r)) {
			pyd_repr_put(r, ", ...");
			break;
		}
		put_comma(r, shown, first);
		if (!pyd_repr_put_name(r, items[i]))
			pyd_repr_ref(r, items[i]);
		pyd_repr_put(r, "=");
		pyd_repr_ref(r, items[i + 1]);
	}
	pyd_dump_object_release(r->d, &o);
}

static void put_ints(struct pyd_repr_state *r, const struct pyd_dump_attr *a)
{
	uint64_t n = a->value / 8;

	pyd_repr_put(r, "(");
	for (uint64_t i = 0; i < n; i++) {
		uint64_t v = 0;

		if (i)
			pyd_repr_put(r, ", ");
		if (i >= r->lim.items) {
			pyd_repr_put(r, "...");
			break;
		}
		for (size_t k = 0; k < 8; k++)
			v |= (uint64_t)a->bytes[8 * i + k] << (8 * k);
		pyd_text_printf(r->out, "%lld", (long long)v);
	}
	pyd_repr_put(r, n == 1 ? ",)" : ")");
}

/* The value of an attribute, which may be a number without an object. */
static void put_attr_value(struct pyd_repr_state *r,
			   const struct pyd_dump_attr *a)
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
		pyd_repr_put(r, a->value ? "True" : "False");
		break;
	case PYD_ORIGIN_TEXT:
		pyd_repr_put_quoted(r, (const char *)a->bytes, a->value);
		break;
	case PYD_ORIGIN_BYTES:
		pyd_repr_put_quoted_bytes(r, a->bytes, a->value);
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
			pyd_repr_put(r, "<unknown to this version>");
		else if (a->value)
			pyd_repr_ref(r, a->value);
		else
			pyd_repr_put(r, "NULL");
		break;
	}
}

/* "a=1, b=2" of an instance's attributes, its dict's too; first stands before
 * the first of them. */
static void put_attrs(struct pyd_repr_state *r, const struct pyd_dump_object *o,
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
		if (shown >= r->lim.items || pyd_repr_full(r)) {
			pyd_repr_put(r, ", ...");
			break;
		}
		put_comma(r, &shown, first);
		pyd_text_escaped(r->out, a.name, a.name_len, 0, 200);
		pyd_repr_put(r, "=");
		put_attr_value(r, &a);
	}
}

void pyd_repr_put_instance(struct pyd_repr_state *r,
			   const struct pyd_dump_object *o)
{
	pyd_repr_put(r, "<");
	pyd_repr_put_type(r, o->type, true);
	pyd_text_printf(r->out, " at 0x%llx", (unsigned long long)o->addr);
	if (pyd_repr_enter(r, o, "")) {
		put_attrs(r, o, 0, " ");
		pyd_repr_leave(r);
	}
	pyd_repr_put(r, ">");
}

/* "collections.deque([1, 2], maxlen=5)" */
void pyd_repr_put_record(struct pyd_repr_state *r,
			 const struct pyd_dump_object *o)
{
	bool pairs = o->kind == PYD_KIND_mapping;
	uint32_t n;

	(void)pyd_dump_object_rest(r->d, o, &n);
	pyd_repr_put_type(r, o->type, true);
	pyd_repr_put(r, "(");
	if (n)
		put_items(r, o, pairs ? "{" : "[", pairs ? "}" : "]", pairs);
	if (pyd_repr_enter(r, o, n ? "" : "...")) {
		put_attrs(r, o, n ? 1 : 0, "");
		pyd_repr_leave(r);
	}
	pyd_repr_put(r, ")");
}
