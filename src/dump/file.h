/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that appears under its name only when it is complete: written beside
 * it as ".NAME.XXXXXX.part", mode 0600, then renamed without overwriting. Or
 * standard output, which gets nothing that might have to be taken back: until
 * pyd_file_settle() the data waits in a file without a name.
 */
#ifndef PYD_DUMP_FILE_H
#define PYD_DUMP_FILE_H

#include <stddef.h>

#include "base/err.h"

struct pyd_file {
	char *path; /* final */
	char *part; /* NULL once it is renamed, or when there is none */
	int fd;
	int stream; /* standard output that the data waits for; -1: none */
};

/* The name that means standard output. */
#define PYD_FILE_STDOUT "-"

/* PYD_IO with what to do when path exists, or its directory is missing or not
 * writable; for standard output, when there is no room for what waits. */
PYD_MUST_CHECK enum pyd_code pyd_file_create(struct pyd_file *f,
					     const char *path,
					     struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_file_write(struct pyd_file *f,
					    const void *data, size_t len,
					    struct pyd_err *err);
/* What was written is final: sends it to standard output, and from here on all
 * else as it comes. Nothing to do for a file with a name. */
PYD_MUST_CHECK enum pyd_code pyd_file_settle(struct pyd_file *f,
					     struct pyd_err *err);
/* Settles, or: fsync, rename, fsync of the directory. */
PYD_MUST_CHECK enum pyd_code pyd_file_commit(struct pyd_file *f,
					     struct pyd_err *err);
/* Removes the part unless it was committed. Safe on a zeroed or half-made
 * one with fd -1. */
void pyd_file_deinit(struct pyd_file *f);

#endif
