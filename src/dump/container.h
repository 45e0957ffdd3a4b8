/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file as a list of frames: found by the table of contents, or by hopping
 * from frame to frame when the file has none (cut short) or a wrong one.
 */
#ifndef PYD_DUMP_CONTAINER_H
#define PYD_DUMP_CONTAINER_H

#include <stddef.h>

#include "base/buf.h"
#include "pydumpd/dump.h"

enum pyd_frame_kind {
	PYD_FRAME_OTHER, /* of a newer writer */
	PYD_FRAME_HEADER,
	PYD_FRAME_THREADS,
	PYD_FRAME_FRAMES,
	PYD_FRAME_SOURCE,
	PYD_FRAME_NATIVE,
	PYD_FRAME_OBJECTS,
	PYD_FRAME_INDEX,
	PYD_FRAME_WAITS,
	PYD_FRAME_TOC,
	PYD_FRAME_END,
};

struct pyd_frame_entry {
	uint64_t offset;
	uint32_t csize;
	uint8_t kind;  /* enum pyd_frame_kind */
	bool bad;      /* damaged: seen while hopping */
	uint64_t a, b; /* objects: n; index: lo, hi; frames: thread, first */
};

struct pyd_container {
	int fd;		  /* not owned */
	const char *name; /* not owned */
	uint64_t size;
	uint64_t readable;
	bool complete;
	char damage[160];
	/* In the order of the file; numbers of frames are positions here. */
	struct pyd_frame_entry *frames;
	size_t nframes;
	size_t cap;
	void *dctx; /* ZSTD_DCtx */
	struct pyd_buf in;
};

/* fd of a regular file. Finds all frames; PYD_FORMAT when it is no dump. */
PYD_MUST_CHECK enum pyd_code pyd_container_open(struct pyd_container *c, int fd,
						const char *name,
						struct pyd_err *err);
void pyd_container_close(struct pyd_container *c);

/* Reads, decompresses and checks frame i: one whole msgpack map, to which *map
 * is set. out holds its bytes, and is the caller's to deinit. */
PYD_MUST_CHECK enum pyd_code pyd_container_load(struct pyd_container *c,
						size_t i, struct pyd_buf *out,
						struct pyd_dump_value *map,
						struct pyd_err *err);

#endif
