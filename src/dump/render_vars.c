// SPDX-License-Identifier: Apache-2.0
/* Variables, and the frames that an exception came through, as text. */
#include <string.h>

#include "dump/render.h"
#include "dump/traceback.h"
#include "dump/vars.h"

/* Entries shown of the mapping of a module or class body. */
#define MAX_NAMES 40

struct vars {
	struct pyd_dump *d;
	const struct pyd_render_options *opts;
	struct pyd_text *t;
	uint32_t shown; /* of a mapping */
};

static void put(struct pyd_text *t, const char *s)
{
	pyd_text_raw(t, s, strlen(s));
}

static void put_ref(struct vars *r, uint64_t ref)
{
	pyd_repr(r->d, ref, &r->opts->limits, r->t);
}

/* The text of a str; what else it is, as its repr. */
static void put_text(struct vars *r, uint64_t ref)
{
	struct pyd_dump_object o;

	if (!ref || pyd_dump_object_get(r->d, ref, &o, NULL)) {
		put_ref(r, ref);
		return;
	}
	if (o.kind == PYD_KIND_str && !o.mark)
		pyd_text_escaped(r->t, (const char *)o.value, o.value_len, 0,
				 1000);
	else
		put_ref(r, ref);
	pyd_dump_object_release(r->d, &o);
}

static void put_variable(void *ctx, const struct pyd_variable *var)
{
	struct vars *r = ctx;

	put(r->t, "         ");
	put_text(r, var->name);
	put(r->t, " = ");
	put_ref(r, var->value);
	put(r->t, "\n");
}

static void put_name(void *ctx, const struct pyd_variable *var)
{
	struct vars *r = ctx;

	if (r->shown++ < MAX_NAMES)
		put_variable(ctx, var);
}

/* The names of a module or class body, but for those of the machinery. */
static void put_names(struct vars *r, uint64_t mapping)
{
	if (!mapping)
		return;
	r->shown = 0;
	if (!pyd_vars_names(r->d, mapping, put_name, r)) {
		put(r->t, "         <names> = ");
		put_ref(r, mapping);
		put(r->t, "\n");
	}
	if (r->shown > MAX_NAMES)
		pyd_text_printf(r->t, "         ... %u names more\n",
				r->shown - MAX_NAMES);
}

static void put_var(struct vars *r, struct pyd_dump_value var)
{
	struct pyd_dump_iter it = pyd_dump_value_iter(var);
	struct pyd_dump_value name, v;
	uint64_t kind = 0, ref = 0;

	if (it.map || !pyd_dump_iter_next(&it, NULL, &name) ||
	    !pyd_dump_iter_next(&it, NULL, &v) ||
	    !pyd_dump_value_u64(v, &kind) ||
	    !pyd_dump_iter_next(&it, NULL, &v) || !pyd_dump_value_u64(v, &ref))
		return;
	put(r->t, "         ");
	pyd_render_value(name, r->t);
	put(r->t, " = ");
	if ((kind == PYD_VAR_CELL || kind == PYD_VAR_FREE ||
	     kind == PYD_VAR_CELLARG) &&
	    pyd_vars_cell(r->d, ref, &ref) && !ref)
		put(r->t, "<unset>");
	else
		put_ref(r, ref);
	put(r->t, "\n");
}

void pyd_render_vars(struct pyd_dump *d, struct pyd_dump_value frame,
		     const struct pyd_render_options *opts, struct pyd_text *t)
{
	struct vars vars = { .d = d, .opts = opts, .t = t }, *r = &vars;
	struct pyd_dump_value v = pyd_dump_value_get(frame, "vars");
	struct pyd_dump_iter it = pyd_dump_value_iter(v);
	uint64_t ref = 0;
	size_t i = 0;

	while (!it.map && pyd_dump_iter_next(&it, NULL, &v))
		put_var(r, v);
	if (pyd_dump_value_u64(pyd_dump_value_get(frame, "locals"), &ref))
		put_names(r, ref);
	it = pyd_dump_value_iter(pyd_dump_value_get(frame, "stack"));
	while (!it.map && pyd_dump_iter_next(&it, NULL, &v)) {
		if (!pyd_dump_value_u64(v, &ref))
			continue;
		pyd_text_printf(r->t, "         [stack %zu] = ", i++);
		put_ref(r, ref);
		put(r->t, "\n");
	}
}

/* -- tracebacks -- */

static void put_frame(void *ctx, const struct pyd_traceback_frame *f)
{
	struct vars *r = ctx;
	uint64_t name;

	if (!f->code) {
		pyd_text_printf(r->t, "    <%s not dumped>, line %d\n",
				f->frame ? "code" : "frame", f->line);
		return;
	}
	name = pyd_dump_object_field(r->d, f->code, "qualname");
	put(r->t, "    ");
	put_text(r, name ? name : pyd_dump_object_field(r->d, f->code, "name"));
	put(r->t, "  ");
	put_text(r, pyd_dump_object_field(r->d, f->code, "filename"));
	pyd_text_printf(r->t, ":%d\n", f->line);
	if (r->opts->no_locals)
		return;
	if (!pyd_vars_slots(r->d, f->frame, f->code, put_variable, r))
		put(r->t, "         <not all variables are dumped>\n");
	put_names(r, pyd_vars_mapping(r->d, f->frame, f->code));
}

static void put_traceback(struct vars *r, uint64_t traceback)
{
	if (!pyd_traceback_each(r->d, traceback, put_frame, r))
		put(r->t, "    ... more\n");
}

static void put_linked(void *ctx, bool cause, uint64_t exception,
		       uint64_t traceback)
{
	struct vars *r = ctx;

	put(r->t, cause ? "   raised from: " : "   raised while handling: ");
	put_ref(r, exception);
	put(r->t, "\n");
	put_traceback(r, traceback);
}

void pyd_render_raised(struct pyd_dump *d, uint64_t exception,
		       uint64_t traceback,
		       const struct pyd_render_options *opts,
		       struct pyd_text *t)
{
	struct vars r = { .d = d, .opts = opts, .t = t };

	put_traceback(&r, traceback);
	pyd_traceback_chain(d, exception, put_linked, &r);
}
