/* SPDX-License-Identifier: Apache-2.0 */
/* What a dump is to leave out, and what was left out. */
#ifndef PYD_WALK_LIMITS_H
#define PYD_WALK_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Arrays, queues, buffers: beyond this a person looks at the file or the
 * socket rather than at the dump, and a few of them must not make a dump of
 * gigabytes. */
#define PYD_MAX_BLOB_DEFAULT (16ULL << 20)

/* Globs, as options gave them. */
struct pyd_patterns {
	const char **v; /* not owned */
	size_t n;
};

/* 0 means no limit. */
struct pyd_limits {
	uint64_t depth; /* references from a frame */
	uint64_t max_objects;
	uint64_t max_bytes;  /* sum of the objects' own sizes */
	uint64_t max_string; /* characters of a str */
	uint64_t max_items;  /* of a container */
	uint64_t max_blob;   /* bytes of memory of one object */
	uint64_t timeout_ns; /* of capture and walk */
	bool no_globals;     /* globals, builtins, modules' contents */
	bool gc;	     /* what the collector tracks is a root, too */
	struct pyd_patterns include, exclude;
};

/* References that were not followed, by limit; objects that were cut. */
struct pyd_cuts {
	uint64_t depth, max_objects, max_bytes, timeout, globals;
	uint64_t strings, items, blobs;	 /* objects cut */
	uint64_t excluded, not_included; /* objects left out */
};

#endif
