/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thread states of a watched interpreter, and their newest frames. Read of a
 * process of which one thread is stopped: what cannot be read is not there.
 */
#ifndef PYD_WATCH_FRAMES_H
#define PYD_WATCH_FRAMES_H

#include "read/frame.h"
#include "watch/python.h"

/* The thread state of the main interpreter that a stopped thread has; 0:
 * none. */
pyd_addr pyd_py_thread_state(struct pyd_python *y, struct pyd_reader *r,
			     const struct pyd_regs *regs);
/* Memory that was mapped since is not known to be there. */
void pyd_py_refresh(struct pyd_python *y);
/* The newest frame of Python code. False: there is none. f: empty, or of
 * before; to be released. */
bool pyd_py_newest_frame(struct pyd_reader *r, pyd_addr tstate,
			 struct pyd_frame *f);
/* The one that called it. */
bool pyd_py_next_frame(struct pyd_reader *r, struct pyd_frame *f);
bool pyd_py_has_frames(struct pyd_reader *r, pyd_addr tstate);
/* name may be NULL: any function of the file, which is told by its end. */
bool pyd_py_is_frame(const struct pyd_frame *f, const char *file,
		     const char *name);

#endif
