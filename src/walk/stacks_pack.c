// SPDX-License-Identifier: Apache-2.0
/* The "threads" and "frames" parts of a dump as they are packed. */
#include <stdio.h>

#include "walk/stacks_private.h"

/* Names of variables repeat from frame to frame of one function; they are
 * read through the target each time, which is memory of ours by now. */
static void var_name(struct pyd_stacks *s, struct pyd_reader *r, pyd_addr str,
		     char *buf, size_t cap)
{
	struct pyd_err why;

	if (!pyd_read_str(r, str, buf, cap, &why)) {
		if (s->redact)
			pyd_redact_name(s->redact, buf, strlen(buf));
	} else {
		snprintf(buf, cap, "<name at 0x%llx: %s>",
			 (unsigned long long)str, pyd_code_name(why.code));
	}
}

/* Text of the target. */
static void pack_kv_clean(struct pyd_stacks *s, struct pyd_pack *p,
			  const char *key, const char *text)
{
	pyd_pack_text(p, key);
	pyd_redact_pack(s->redact, p, text);
}

static void pack_vars(struct pyd_stacks *s, struct pyd_pack *p,
		      struct pyd_reader *r, const struct pyd_frame *f)
{
	char name[256];
	size_t n = 0;

	for (size_t i = 0; i < f->vars.len; i++)
		n += f->vars.data[i] != 0;
	pyd_pack_text(p, "vars");
	pyd_pack_array(p, n);
	for (size_t i = 0; i < f->vars.len; i++) {
		uint64_t value = f->vars.data[i];

		if (!value)
			continue;
		var_name(s, r, f->code->vars[i].name, name, sizeof(name));
		pyd_pack_array(p, 3);
		pyd_pack_text(p, name);
		pyd_pack_u64(p, f->code->vars[i].kind);
		pyd_pack_u64(p, value);
	}
}

static void pack_stack(struct pyd_pack *p, const struct pyd_frame *f)
{
	pyd_pack_text(p, "stack");
	if (!f->stack_known) {
		pyd_pack_nil(p);
		return;
	}
	pyd_pack_array(p, f->stack.len);
	for (size_t i = 0; i < f->stack.len; i++)
		pyd_pack_u64(p, f->stack.data[i]);
}

void pyd_stack_pack_frame(struct pyd_stacks *s, struct pyd_pack *p,
			  struct pyd_reader *r, const struct pyd_frame *f)
{
	const struct pyd_codeobj *c = f->code;

	pyd_pack_map(p, 23);
	pack_kv_clean(s, p, "name", c->name_text);
	pack_kv_clean(s, p, "qualname", c->qualname_text);
	pack_kv_clean(s, p, "file", c->filename_text);
	pyd_pack_kv_opt(p, "line", f->pos.line);
	pyd_pack_kv_opt(p, "end_line", f->pos.end_line);
	pyd_pack_kv_opt(p, "col", f->pos.col);
	pyd_pack_kv_opt(p, "end_col", f->pos.end_col);
	pyd_pack_kv_i64(p, "firstlineno", c->firstlineno);
	pyd_pack_kv_i64(p, "lasti", f->lasti);
	pyd_pack_kv_u64(p, "code", f->code_addr);
	pyd_pack_kv_u64(p, "globals", f->globals);
	pyd_pack_kv_u64(p, "builtins", f->builtins);
	pyd_pack_kv_u64(p, "function", f->function);
	pyd_pack_kv_u64(p, "frame", f->frame_obj);
	pyd_pack_kv_u64(p, "generator", f->generator);
	pyd_pack_kv_u64(p, "locals", f->locals);
	pack_vars(s, p, r, f);
	pack_stack(p, f);
	pyd_pack_kv_i64(p, "flags", c->flags);
	pyd_pack_kv_i64(p, "argcount", c->argcount);
	pyd_pack_kv_i64(p, "posonly", c->posonly);
	pyd_pack_kv_i64(p, "kwonly", c->kwonly);
	pyd_pack_kv_u64(p, "address", f->addr);
}

void pyd_stack_pack_bad_frame(struct pyd_pack *p, const struct pyd_frame *f,
			      const struct pyd_err *why)
{
	pyd_pack_map(p, 8);
	pyd_pack_kv_text(p, "name", "<unreadable frame>");
	pyd_pack_kv_text(p, "file", "<unknown>");
	pyd_pack_kv_opt(p, "line", -1);
	pyd_pack_kv_u64(p, "code", f->code_addr);
	pyd_pack_text(p, "vars");
	pyd_pack_array(p, 0);
	pyd_pack_text(p, "stack");
	pyd_pack_nil(p);
	pyd_pack_kv_u64(p, "address", f->addr);
	pyd_pack_kv_text(p, "note", why->msg);
}

static void pack_interpreters(struct pyd_pack *p, const struct pyd_runtime *rt)
{
	pyd_pack_text(p, "interpreters");
	pyd_pack_array(p, rt->ninterps);
	for (size_t i = 0; i < rt->ninterps; i++) {
		const struct pyd_interpreter *in = &rt->interps[i];

		pyd_pack_map(p, 6);
		pyd_pack_kv_i64(p, "id", in->id);
		pyd_pack_kv_u64(p, "address", in->addr);
		pyd_pack_kv_u64(p, "modules", in->modules);
		pyd_pack_kv_u64(p, "sysdict", in->sysdict);
		pyd_pack_kv_u64(p, "builtins", in->builtins);
		pyd_pack_kv_bool(p, "main", in->main);
	}
}

static void pack_thread(struct pyd_stacks *s, struct pyd_pack *p,
			const struct pyd_runtime *rt, size_t i,
			const struct pyd_stack *st)
{
	const struct pyd_pythread *t = &rt->threads[i];
	const char state[2] = { t->state, '\0' };

	pyd_pack_map(p, 14);
	pyd_pack_kv_u64(p, "index", i);
	pyd_pack_kv_i64(p, "interpreter",
			t->interp < rt->ninterps ? rt->interps[t->interp].id
						 : -1);
	pyd_pack_kv_u64(p, "address", t->addr);
	pyd_pack_kv_u64(p, "ident", t->ident);
	pyd_pack_kv_opt(p, "native_id", t->native_id ? t->native_id : -1);
	pyd_pack_kv_opt(p, "ns_native_id",
			t->ns_native_id ? t->ns_native_id : -1);
	pack_kv_clean(s, p, "name", t->name[0] ? t->name : NULL);
	pyd_pack_kv_u64(p, "thread", t->thread);
	pack_kv_clean(s, p, "os_name", t->os_name[0] ? t->os_name : NULL);
	pyd_pack_kv_text(p, "state",
			 t->state && t->state != '?' ? state : NULL);
	pyd_pack_kv_bool(p, "gil", t->gil);
	pyd_pack_kv_u64(p, "nframes", st->nframes);
	pyd_pack_text(p, "exceptions");
	pyd_pack_array(p, st->nexceptions);
	for (size_t k = 0; k < st->nexceptions; k++) {
		const struct pyd_stack_exception *e = &st->exceptions[k];

		pyd_pack_map(p, 4);
		pyd_pack_kv_text(p, "role", e->raised ? "raised" : "handled");
		pyd_pack_kv_u64(p, "value", e->value);
		pyd_pack_kv_u64(p, "type", e->type);
		pyd_pack_kv_u64(p, "traceback", e->traceback);
	}
	pyd_pack_kv_text(p, "note", st->note[0] ? st->note : NULL);
}

static enum pyd_code emit(struct pyd_writer *w, const char *kind,
			  const struct pyd_pack *p,
			  const struct pyd_pack *extra, uint32_t nextra,
			  struct pyd_err *err)
{
	enum pyd_code code = pyd_pack_check(p, err);

	if (code)
		return code;
	return pyd_writer_frame(w, kind, &p->buf, extra ? &extra->buf : NULL,
				nextra, err);
}

static enum pyd_code emit_chunk(struct pyd_writer *w, size_t thread,
				const struct pyd_stack *st, size_t k,
				struct pyd_err *err)
{
	uint64_t end = k + 1 < st->nchunks ? st->firsts[k + 1] : st->nframes;
	struct pyd_pack p, extra;
	enum pyd_code code = pyd_pack_check(&st->chunks[k], err);

	if (code)
		return code;
	pyd_pack_init(&p);
	pyd_pack_init(&extra);
	pyd_pack_map(&p, 4);
	pyd_pack_kv_text(&p, "kind", "frames");
	pyd_pack_kv_u64(&p, "thread", thread);
	pyd_pack_kv_u64(&p, "first", st->firsts[k]);
	pyd_pack_text(&p, "frames");
	pyd_pack_array(&p, end - st->firsts[k]);
	/* The frames are packed already. */
	if (!p.failed && msgpack_sbuffer_write(&p.buf, st->chunks[k].buf.data,
					       st->chunks[k].buf.size))
		p.failed = true;
	pyd_pack_u64(&extra, thread);
	pyd_pack_u64(&extra, st->firsts[k]);
	code = emit(w, "frames", &p, &extra, 2, err);
	pyd_pack_deinit(&p);
	pyd_pack_deinit(&extra);
	return code;
}

enum pyd_code pyd_stacks_emit(struct pyd_stacks *s,
			      const struct pyd_runtime *rt,
			      const struct pyd_stack *stacks,
			      struct pyd_writer *w, struct pyd_err *err)
{
	struct pyd_pack p;
	enum pyd_code code;

	pyd_pack_init(&p);
	pyd_pack_map(&p, 3);
	pyd_pack_kv_text(&p, "kind", "threads");
	pack_interpreters(&p, rt);
	pyd_pack_text(&p, "threads");
	pyd_pack_array(&p, rt->nthreads);
	for (size_t i = 0; i < rt->nthreads; i++)
		pack_thread(s, &p, rt, i, &stacks[i]);
	code = emit(w, "threads", &p, NULL, 0, err);
	pyd_pack_deinit(&p);
	for (size_t i = 0; i < rt->nthreads && !code; i++)
		for (size_t k = 0; k < stacks[i].nchunks && !code; k++)
			code = emit_chunk(w, i, &stacks[i], k, err);
	return code;
}
