/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The open files of the target, as /proc has them right after the stop: what
 * a socket is connected to, which file a number stands for.
 */
#ifndef PYD_WALK_FDS_H
#define PYD_WALK_FDS_H

#include "dump/writer.h"
#include "target/process.h"
#include "walk/redact.h"

/* Writes the frame "fds"; redact may be NULL. What /proc does not tell is left
 * out; only failures of the writer and of memory are failures. */
PYD_MUST_CHECK enum pyd_code pyd_fds_write(const struct pyd_process *p,
					   struct pyd_redact *redact,
					   struct pyd_writer *w,
					   struct pyd_err *err);

struct pyd_socks;
/* What a descriptor of the process is: its target, of a socket what it is
 * connected to; "" when it is not told. The table of sockets is read once into
 * *socks, NULL at first, which the caller destroys. */
void pyd_fds_text(const struct pyd_process *p, struct pyd_socks **socks, int fd,
		  char *buf, size_t cap);
/* Accepts NULL. */
void pyd_socks_destroy(struct pyd_socks *s);

#endif
