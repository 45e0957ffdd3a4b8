// SPDX-License-Identifier: Apache-2.0
#include "watch/hang.h"

#include <string.h>

#include "read/frame.h"
#include "walk/stacks.h"
#include "watch/watch.h"

#define MS 1000000ULL

enum { THREADS_MAX = 1 << 16 };

uint64_t pyd_hang_period(const struct pyd_watch_options *o)
{
	uint64_t ns = o->hang_ns / 8;

	return ns < 20 * MS ? 20 * MS : ns > 1000 * MS ? 1000 * MS : ns;
}

struct search {
	struct pyd_reader *r;
	const char *name;
	int64_t ident, native;
};

static enum pyd_code look_at_thread(void *ctx, pyd_addr key, pyd_addr value,
				    struct pyd_err *err)
{
	struct search *s = ctx;
	pyd_addr name = 0, native = 0;
	struct pyd_err ignored;
	char text[256];

	(void)err;
	if (s->ident || pyd_read_attr(s->r, value, "_name", &name, &ignored) ||
	    !name || pyd_read_str(s->r, name, text, sizeof(text), &ignored) ||
	    strcmp(text, s->name) ||
	    pyd_read_i64(s->r, key, &s->ident, &ignored))
		return PYD_OK;
	if (pyd_read_attr(s->r, value, "_native_id", &native, &ignored) ||
	    !native || pyd_read_i64(s->r, native, &s->native, &ignored))
		s->native = 0;
	return PYD_OK;
}

/* The thread state of the threading.Thread of that name. */
static pyd_addr named_thread(struct pyd_python *y, struct pyd_reader *r,
			     const char *name, pid_t *ret_tid)
{
	struct search s = { .r = r, .name = name };
	pyd_addr module = 0, active = 0, at;
	struct pyd_err ignored;

	if (pyd_read_dict_str(r, y->modules, "threading", &module, &ignored) ||
	    !module ||
	    pyd_read_dict_str(r,
			      pyd_read_field(r, module, PYD_F_module_md_dict),
			      "_active", &active, &ignored) ||
	    !active ||
	    pyd_read_dict_each(r, active, look_at_thread, &s, &ignored) ||
	    !s.ident)
		return 0;
	*ret_tid = (pid_t)s.native;
	at = pyd_read_field(r, y->interp, PYD_F_interp_threads_head);
	for (int i = 0; at && i < THREADS_MAX; i++) {
		if (pyd_read_field(r, at, PYD_F_tstate_thread_id) ==
		    (uint64_t)s.ident)
			return at;
		at = pyd_read_field(r, at, PYD_F_tstate_next);
	}
	return 0;
}

/* Where a frame keeps the instruction that it is at; a breakpoint covers the
 * 8 bytes around it, of which all change with it. */
static pyd_addr instruction_slot(const struct pyd_reader *r, pyd_addr frame)
{
	int32_t off = PYD_OFF(r->lay, iframe, instr_ptr);

	if (off == PYD_ABSENT)
		off = PYD_OFF(r->lay, frameobj, f_lasti);
	return off == PYD_ABSENT ? 0 : (frame + (uint64_t)off) & ~7ULL;
}

/* The newest frame is of Python code. False: it cannot be read. */
static bool check(struct pyd_reader *r, pyd_addr frame, bool *ret_python)
{
	struct pyd_frame f = { 0 };
	struct pyd_err ignored;
	bool readable = !pyd_read_frame(r, frame, &f, &ignored);

	*ret_python = readable && !f.shim;
	pyd_frame_deinit(&f);
	return readable;
}

/* Four words tell that a thread is elsewhere, as most are: that is all that a
 * look costs then. */
static bool same_place(struct pyd_hang *h, struct pyd_reader *r,
		       pyd_addr tstate, uint64_t now, struct pyd_hwbreak *slot,
		       bool *ret_readable)
{
	int32_t off = PYD_OFF(r->lay, iframe, f_code);
	pyd_addr frame = 0, code = 0;
	uint64_t instruction = 0;
	struct pyd_err ignored;

	*ret_readable = !pyd_stack_newest(r, tstate, &frame, &ignored);
	if (!*ret_readable || !frame) {
		h->since_ns = 0;
		return false;
	}
	if (off == PYD_ABSENT)
		off = PYD_OFF(r->lay, frameobj, f_code);
	*slot = (struct pyd_hwbreak) { instruction_slot(r, frame), true };
	if (off == PYD_ABSENT || !slot->addr ||
	    pyd_target_read_u64(r->target, frame + (uint64_t)off, &code,
				&ignored) ||
	    pyd_target_read_u64(r->target, slot->addr, &instruction,
				&ignored)) {
		*ret_readable = false;
		h->since_ns = 0;
		return false;
	}
	if (!h->since_ns || h->frame != frame || h->code != code ||
	    h->instruction != instruction) {
		h->frame = frame;
		h->code = code;
		h->instruction = instruction;
		h->since_ns = now;
		h->checked = false;
		return false;
	}
	if (!h->checked)
		*ret_readable = check(r, frame, &h->checked);
	if (!h->checked)
		h->since_ns = 0;
	return h->checked;
}

/* Memory may have been mapped since the maps were read. */
static bool same_place_now(struct pyd_hang *h, struct pyd_python *y,
			   const struct pyd_watch_options *o, uint64_t now,
			   struct pyd_hwbreak *slot)
{
	bool readable = false, same = false;

	for (int tries = 0; tries < 2 && !readable; tries++) {
		pyd_addr tstate = y->main_tstate;
		struct pyd_reader r;
		struct pyd_err ignored;

		if (tries && pyd_target_process_refresh(y->target, &ignored))
			break;
		if (pyd_python_reader(y, &r, &ignored))
			break;
		if (o->thread)
			tstate = named_thread(y, &r, o->thread, &h->tid);
		if (tstate)
			same = same_place(h, &r, tstate, now, slot, &readable);
		else
			h->since_ns = 0;
		pyd_reader_deinit(&r);
	}
	return same;
}

enum pyd_hang_look pyd_hang_look(struct pyd_hang *h, struct pyd_python *y,
				 const struct pyd_watch_options *o,
				 struct pyd_hwbreak *ret)
{
	uint64_t now = pyd_now_ns();

	h->tid = o->thread ? 0 : y->process.pid;
	/* After a pause of ours nothing is known of the time in between. */
	if (h->looked_ns && now - h->looked_ns > 4 * pyd_hang_period(o))
		h->since_ns = 0;
	h->looked_ns = now;

	bool same = same_place_now(h, y, o, now, ret);

	if (!same)
		h->told = false;
	if (!same || h->told)
		return PYD_HANG_FINE;
	if (!h->guarded && h->tid && ret->addr) {
		h->guarded = true;
		return PYD_HANG_GUARD;
	}
	if (now - h->since_ns < o->hang_ns)
		return PYD_HANG_FINE;
	h->told = true;
	return PYD_HANG_HUNG;
}

void pyd_hang_progress(struct pyd_hang *h)
{
	h->since_ns = 0;
	h->guarded = false;
	h->told = false;
}
