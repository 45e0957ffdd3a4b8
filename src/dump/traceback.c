// SPDX-License-Identifier: Apache-2.0
#include "dump/traceback.h"

#include "dump/number.h"

/* Releases nothing: o is to be released when true was given. */
static bool get(struct pyd_dump *d, uint64_t ref, struct pyd_dump_object *o)
{
	return ref && !pyd_dump_object_get(d, ref, o, NULL);
}

static void put_frame(struct pyd_dump *d, const struct pyd_dump_object *tb,
		      void (*each)(void *ctx,
				   const struct pyd_traceback_frame *f),
		      void *ctx)
{
	struct pyd_dump_object frame = { 0 }, code = { 0 };
	struct pyd_traceback_frame f = {
		.lasti = pyd_value_i32(tb, 0),
		.line = pyd_value_i32(tb, 4),
		.end_line = pyd_value_i32(tb, 8),
		.col = pyd_value_i32(tb, 12),
		.end_col = pyd_value_i32(tb, 16),
		.ref = pyd_dump_object_field(d, tb, "frame"),
	};

	if (get(d, f.ref, &frame) && frame.kind == PYD_KIND_frame)
		f.frame = &frame;
	if (f.frame && get(d, pyd_dump_object_field(d, &frame, "code"), &code))
		f.code = &code;
	each(ctx, &f);
	pyd_dump_object_release(d, &code);
	pyd_dump_object_release(d, &frame);
}

bool pyd_traceback_each(struct pyd_dump *d, uint64_t traceback,
			void (*each)(void *ctx,
				     const struct pyd_traceback_frame *f),
			void *ctx)
{
	enum { FRAMES_MAX = 1000 }; /* a file may have a circle */
	struct pyd_dump_object o;
	uint32_t n = 0;
	bool more = false;

	while (traceback && !more) {
		if (!get(d, traceback, &o))
			return false;
		more = o.kind != PYD_KIND_traceback || n++ == FRAMES_MAX;
		if (!more)
			put_frame(d, &o, each, ctx);
		traceback = pyd_dump_object_field(d, &o, "next");
		pyd_dump_object_release(d, &o);
	}
	return !more;
}

void pyd_traceback_chain(struct pyd_dump *d, uint64_t exception,
			 void (*each)(void *ctx, bool cause, uint64_t exception,
				      uint64_t traceback),
			 void *ctx)
{
	enum { EXCEPTIONS_MAX = 100 }; /* a chain may be a circle */
	struct pyd_dump_object o;

	for (uint32_t n = 0; n < EXCEPTIONS_MAX; n++) {
		uint64_t next, traceback = 0;
		bool cause;

		if (!get(d, exception, &o))
			return;
		next = pyd_dump_object_field(d, &o, "cause");
		cause = next != 0;
		if (!cause && !(o.value_len && o.value[0]))
			next = pyd_dump_object_field(d, &o, "context");
		pyd_dump_object_release(d, &o);
		if (!get(d, next, &o))
			return;
		if (o.kind == PYD_KIND_exception)
			traceback = pyd_dump_object_field(d, &o, "traceback");
		pyd_dump_object_release(d, &o);
		each(ctx, cause, next, traceback);
		exception = next;
	}
}
