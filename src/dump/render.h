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
	uint64_t max_frames; /* of each thread; 0: all */
	struct pyd_repr_limits limits;
};

/* What is shown in front of "field: value" of a map, in words for people:
 * "python app.py" and so on. Appends; nothing when it is not known. */
void pyd_render_program(struct pyd_dump_value header, struct pyd_text *t);
/* Appends a text value, escaped; else its number; else nothing. True when
 * something was put. */
bool pyd_render_value(struct pyd_dump_value v, struct pyd_text *t);
/* "12.3 MB". */
void pyd_render_size(uint64_t bytes, struct pyd_text *t);

PYD_MUST_CHECK enum pyd_code pyd_render_text(
	struct pyd_dump *d, const char *name,
	const struct pyd_render_options *opts, const struct pyd_sink *sink,
	struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_render_json(
	struct pyd_dump *d, const char *name,
	const struct pyd_render_options *opts, const struct pyd_sink *sink,
	struct pyd_err *err);

#endif
