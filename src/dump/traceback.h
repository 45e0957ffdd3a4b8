/* SPDX-License-Identifier: Apache-2.0 */
/* What an exception came through and what it was raised from, out of the
 * objects of a dump. All of it is untrusted. */
#ifndef PYD_DUMP_TRACEBACK_H
#define PYD_DUMP_TRACEBACK_H

#include "pydumpd/dump.h"

/* A frame that an exception came through. The objects are valid in the
 * callback. */
struct pyd_traceback_frame {
	/* Bytes into the code; line from 1; columns from 0, in UTF-8 bytes. -1:
	 * not known. */
	int32_t lasti, line, end_line, col, end_col;
	uint64_t ref;		       /* of the frame object */
	struct pyd_dump_object *frame; /* NULL: was not dumped */
	struct pyd_dump_object *code;  /* likewise */
};

/* Calls back for each frame of a traceback, the oldest first. False when there
 * are more of them than the file has, or than anybody could want. */
bool pyd_traceback_each(struct pyd_dump *d, uint64_t traceback,
			void (*each)(void *ctx,
				     const struct pyd_traceback_frame *f),
			void *ctx);

/* Calls back for the exceptions that one was raised from (cause) or while they
 * were handled (context), as Python prints them: the nearest first, no context
 * that `from` suppresses. At most 100. */
void pyd_traceback_chain(struct pyd_dump *d, uint64_t exception,
			 void (*each)(void *ctx, bool cause, uint64_t exception,
				      uint64_t traceback),
			 void *ctx);

#endif
