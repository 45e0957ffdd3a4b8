// SPDX-License-Identifier: Apache-2.0
#include "watch/frames.h"

#include <string.h>

#include "base/log.h"
#include "walk/stacks.h"

enum {
	THREADS_MAX = 1 << 16,
	SHIMS_MAX = 8,
};

/* The thread state of the main interpreter that a stopped thread has. */
pyd_addr pyd_py_thread_state(struct pyd_python *y, struct pyd_reader *r,
			     const struct pyd_regs *regs)
{
	pyd_addr at = pyd_read_field(r, y->interp, PYD_F_interp_threads_head);
	pyd_addr seen = 0;

	for (int i = 0; at && i < THREADS_MAX; i++) {
		if (pyd_arch_is_pthread_self(
			    regs,
			    pyd_read_field(r, at, PYD_F_tstate_thread_id)))
			return at;
		at = pyd_read_field(r, at, PYD_F_tstate_next);
		/* What is left of an interpreter that has ended may be a
		 * circle (Brent's way to see it). */
		if (at == seen)
			break;
		if (!(i & (i + 1)))
			seen = at;
	}
	return 0;
}

/* Memory that was mapped since is not known to be there. */
void pyd_py_refresh(struct pyd_python *y)
{
	struct pyd_err err = { 0 };

	if (pyd_target_process_refresh(y->target, &err))
		pyd_log_debug("%s", err.msg);
}

/* The frame at an address, or the next one that is no shim. */
static bool read_python_frame(struct pyd_reader *r, pyd_addr at,
			      struct pyd_frame *f)
{
	struct pyd_err ignored;

	for (int i = 0; at && i < SHIMS_MAX; i++) {
		if (pyd_read_frame(r, at, f, &ignored))
			return false;
		if (!f->shim)
			return true;
		at = f->previous;
	}
	return false;
}

/* The newest frame of Python code. False: there is none. */
bool pyd_py_newest_frame(struct pyd_reader *r, pyd_addr tstate,
			 struct pyd_frame *f)
{
	struct pyd_err ignored;
	pyd_addr at = 0;

	if (pyd_stack_newest(r, tstate, &at, &ignored))
		return false;
	return read_python_frame(r, at, f);
}

bool pyd_py_next_frame(struct pyd_reader *r, struct pyd_frame *f)
{
	return read_python_frame(r, f->previous, f);
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

bool pyd_py_is_frame(const struct pyd_frame *f, const char *file,
		     const char *name)
{
	return f->code && ends_with(f->code->filename_text, file) &&
	       (!name || !strcmp(f->code->name_text, name));
}

bool pyd_py_has_frames(struct pyd_reader *r, pyd_addr tstate)
{
	struct pyd_frame f = { 0 };
	bool has = pyd_py_newest_frame(r, tstate, &f);

	pyd_frame_deinit(&f);
	return has;
}

/* Item i of a tuple, or of a struct sequence. */
