// SPDX-License-Identifier: Apache-2.0
/* Native frames as text. */
#include <string.h>

#include "dump/render.h"

static void put(struct pyd_text *t, const char *s)
{
	pyd_text_raw(t, s, strlen(s));
}

static bool has(struct pyd_dump_value map, const char *key)
{
	return pyd_dump_value_type(pyd_dump_value_get(map, key)) !=
	       PYD_DUMP_NIL;
}

static uint64_t number_of(struct pyd_dump_value map, const char *key)
{
	uint64_t v = 0;

	(void)pyd_dump_value_u64(pyd_dump_value_get(map, key), &v);
	return v;
}

/* "  math.c:34", of a place or of what was inlined there. */
static void put_line(struct pyd_dump_value map, struct pyd_text *t)
{
	if (!has(map, "file"))
		return;
	put(t, "  ");
	pyd_render_value(pyd_dump_value_get(map, "file"), t);
	put(t, ":");
	pyd_render_value(pyd_dump_value_get(map, "line"), t);
}

/* "square (inlined)  math.c:12", the innermost first. */
static void put_inlined(struct pyd_dump_value place, struct pyd_text *t)
{
	struct pyd_dump_value list = pyd_dump_value_get(place, "inlined"), v;
	struct pyd_dump_iter it = pyd_dump_value_iter(list);

	if (it.map)
		return;
	while (pyd_dump_iter_next(&it, NULL, &v)) {
		put(t, "  native ");
		pyd_render_value(pyd_dump_value_get(v, "function"), t);
		put(t, " (inlined)");
		put_line(v, t);
		put(t, "\n");
	}
}

/* "sqrt+0x12  math.c:34  /lib/libm.so.6+0x1234" */
static void put_frame(const struct pyd_dump_native_frame *f, struct pyd_text *t)
{
	put_inlined(f->place, t);
	put(t, "  native ");
	if (f->signal)
		put(t, "<signal handler called>");
	else if (has(f->place, "function")) {
		pyd_render_value(pyd_dump_value_get(f->place, "function"), t);
		pyd_text_printf(
			t, "+0x%llx",
			(unsigned long long)number_of(f->place, "offset"));
	} else {
		put(t, "??");
	}
	put_line(f->place, t);
	put(t, "  ");
	if (has(f->place, "module")) {
		pyd_render_value(pyd_dump_value_get(f->place, "module"), t);
		pyd_text_printf(
			t, "+0x%llx",
			(unsigned long long)number_of(f->place, "address"));
	} else {
		pyd_text_printf(t, "0x%llx", (unsigned long long)f->pc);
	}
	if (f->how == PYD_NATIVE_FP)
		put(t, "  (by frame pointer)");
	else if (f->how == PYD_NATIVE_TOP)
		put(t, "  (by the newest word of the stack)");
	else if (f->how == PYD_NATIVE_END)
		put(t, "  (by its callee's last instructions)");
	put(t, "\n");
}

/* Python frames before this number are newer than what is behind the cut. */
static uint64_t cut_end(const struct pyd_dump_native *n)
{
	for (size_t i = n->cut_at; i < n->nframes; i++)
		if (n->frames[i].runs)
			return n->frames[i].first;
	return UINT64_MAX;
}

void pyd_render_native(struct pyd_native_cursor *c, uint64_t number,
		       struct pyd_text *t)
{
	const struct pyd_dump_native *n = c->native;

	for (; c->at < n->nframes; c->at++) {
		const struct pyd_dump_native_frame *f = &n->frames[c->at];

		if (c->at == n->cut_at && n->total > n->nframes) {
			if (!c->told)
				pyd_text_printf(
					t,
					"  native ... %llu native "
					"frames left out\n",
					(unsigned long long)(n->total -
							     n->nframes));
			c->told = true;
			if (n->merged && number < cut_end(n))
				return;
		}
		if (n->merged && f->runs) {
			if (number < f->first + f->n)
				return;
			continue;
		}
		put_frame(f, t);
	}
}

void pyd_render_native_head(const struct pyd_dump_native *native,
			    struct pyd_text *t)
{
	if (!native->merged && native->index >= 0)
		put(t, "  native stack\n");
	if (has(native->thread, "note")) {
		put(t, "  native stack: ");
		pyd_render_value(pyd_dump_value_get(native->thread, "note"), t);
		put(t, "\n");
	}
}
