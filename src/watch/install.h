/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Being the kernel's core_pattern: set, kept over a restart, and put back.
 *
 *	ETC/pydumpd/handler.conf	the options, a word a line
 *	ETC/pydumpd/handler.previous	core_pattern and core_pipe_limit before
 *	ETC/sysctl.d/60-pydumpd.conf	both as they are set at a start; after
 *					systemd-coredump's 50-coredump.conf
 */
#ifndef PYD_WATCH_INSTALL_H
#define PYD_WATCH_INSTALL_H

#include "base/buf.h"

struct pyd_install {
	const char *etc; /* "/etc"; not owned */
	char **options;	 /* words, without the command's name */
	size_t noptions;
	bool is_there; /* there is a handler.previous */
	char previous[256];
	unsigned int previous_limit;
};

/* What is kept; nothing when there is nothing. */
PYD_MUST_CHECK enum pyd_code pyd_install_load(const char *etc,
					      struct pyd_install *ret,
					      struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_install_add_option(struct pyd_install *in,
						    const char *word,
						    struct pyd_err *err);
/* Makes dir, writes the files and sets the pattern; a pattern that is ours
 * already stays the same, with the options of in. PYD_PERM, PYD_USAGE. */
PYD_MUST_CHECK enum pyd_code pyd_install_do(struct pyd_install *in,
					    const char *dir,
					    struct pyd_err *err);
/* Puts the pattern back, unless somebody else has set another one since, and
 * removes the files. PYD_NOTFOUND: nothing is installed. */
PYD_MUST_CHECK enum pyd_code pyd_install_undo(const struct pyd_install *in,
					      struct pyd_err *err);
void pyd_install_deinit(struct pyd_install *in);

/* The pattern as it is, without its newline. */
PYD_MUST_CHECK enum pyd_code pyd_core_pattern_read(char *buf, size_t cap,
						   struct pyd_err *err);
/* True when a pattern calls a pydumpd. */
bool pyd_core_pattern_is_ours(const char *pattern);

#endif
