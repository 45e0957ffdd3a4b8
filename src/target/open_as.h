/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening files that a target names: it must not make us read, for it, what
 * it may not read itself, nor lead us out of its root.
 */
#ifndef PYD_TARGET_OPEN_AS_H
#define PYD_TARGET_OPEN_AS_H

#include <sys/types.h>

/*
 * Opens file below the directory root for reading, as the given user when we
 * are root. Links are followed inside of root only. An fd that does not block,
 * or -1. Not for two threads at a time.
 */
int pyd_open_as(const char *root, const char *file, uid_t uid, gid_t gid);

#endif
