/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of code that is in no file, as its makers write them down for perf:
 * /tmp/perf-PID.map, in the target's own root and by its own number. The file
 * is believed when it belongs to the target's user, nobody else may write to
 * it, and it was made after the process was: numbers of processes come again,
 * and nobody removes these files.
 */
#ifndef PYD_NATIVE_PERFMAP_H
#define PYD_NATIVE_PERFMAP_H

#include <stdbool.h>

#include "target/process.h"
#include "target/target.h"

struct pyd_perfmap;

/* A piece of code. */
struct pyd_perfname {
	pyd_addr start;
	uint64_t size;
	const char *name; /* lives as long as the map; no control characters */
};

/* NULL: there is none that is believed, or no memory; said at log level
 * debug. */
struct pyd_perfmap *pyd_perfmap_open(const struct pyd_process *p);
/* The same of a text, which is changed and must outlive the map. */
struct pyd_perfmap *pyd_perfmap_parse(char *text, size_t len);
/* Accepts NULL. */
void pyd_perfmap_close(struct pyd_perfmap *m);
/* What addr lies in: of several the one that was written last. */
bool pyd_perfmap_find(const struct pyd_perfmap *m, pyd_addr addr,
		      struct pyd_perfname *ret);

#endif
