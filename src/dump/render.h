/* SPDX-License-Identifier: Apache-2.0 */
/* A dump as text for people and as JSON for scripts: header, threads, frames,
 * locals. */
#ifndef PYD_DUMP_RENDER_H
#define PYD_DUMP_RENDER_H

#include "dump/repr.h"

/* Gives finished text away: to a file, or nowhere. */
struct pyd_sink {
	enum pyd_code (*write)(void *ctx, const char *s, size_t len,
			       struct pyd_err *err);
	void *ctx;
};

struct pyd_render_options {
	int64_t thread; /* index; -1: all */
	bool no_locals;
	bool native; /* with native frames (text; JSON has them always) */
	uint64_t max_frames; /* of each thread; 0: all */
	struct pyd_repr_limits limits;
};

/* What is shown in front of "field: value" of a map, in words for people:
 * "python app.py" and so on. Appends; nothing when it is not known. */
void pyd_render_program(struct pyd_dump_value header, struct pyd_text *t);
/* Appends a text value, escaped; else its number; else nothing. True when
 * something was put. */
bool pyd_render_value(struct pyd_dump_value v, struct pyd_text *t);
/* Appends label and value, when there is one. */
void pyd_render_labelled(struct pyd_text *t, const char *label,
			 struct pyd_dump_value v);
/* "12.3 MB". */
void pyd_render_size(uint64_t bytes, struct pyd_text *t);

/* What is said of the dump as a whole. */
void pyd_render_head(struct pyd_dump *d, const char *name, struct pyd_text *t);
/* A line for each variable and stack value of a frame. */
void pyd_render_vars(struct pyd_dump *d, struct pyd_dump_value frame,
		     const struct pyd_render_options *opts, struct pyd_text *t);
/* The frames that an exception came through, the oldest first: they hold what
 * their variables were, and are on no stack any more. Likewise of the ones it
 * was raised from. */
void pyd_render_raised(struct pyd_dump *d, uint64_t exception,
		       uint64_t traceback,
		       const struct pyd_render_options *opts,
		       struct pyd_text *t);

/* A native stack as it is gone through beside the Python one. */
struct pyd_native_cursor {
	const struct pyd_dump_native *native;
	size_t at;
	bool told; /* that frames are left out */
};
/*
 * Appends a line for each native frame that is newer than Python frame number
 * (UINT64_MAX: for all that are left). One that runs Python frames has no line
 * if the stack is merged: these stand for it.
 */
void pyd_render_native(struct pyd_native_cursor *c, uint64_t number,
		       struct pyd_text *t);
/* Appends "native stack" with what is to be said of it. */
void pyd_render_native_head(const struct pyd_dump_native *native,
			    struct pyd_text *t);

PYD_MUST_CHECK enum pyd_code pyd_render_text(
	struct pyd_dump *d, const char *name,
	const struct pyd_render_options *opts, const struct pyd_sink *sink,
	struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_render_json(
	struct pyd_dump *d, const char *name,
	const struct pyd_render_options *opts, const struct pyd_sink *sink,
	struct pyd_err *err);

#endif
