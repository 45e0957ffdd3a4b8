/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open dump, for the files that make up the reading API; and how an object
 * is found by its address: by the index frames, and where there are none, by a
 * look through all batches.
 */
#ifndef PYD_DUMP_LOOKUP_H
#define PYD_DUMP_LOOKUP_H

#include "dump/container.h"
#include "dump/objects.h"

/* Batches and index frames kept, by number and by bytes. */
#define PYD_CACHE_BATCHES 64
#define PYD_CACHE_BYTES (256UL << 20)
#define PYD_CACHE_INDEXES 32

struct pyd_dump_kind_entry {
	struct pyd_dump_kind pub;
	struct pyd_dump_value fields;
};

/* A decoded "index" frame. */
struct pyd_lookup_index {
	uint64_t frame; /* its number + 1; 0: unused */
	uint64_t used;
	uint64_t *addr;	 /* ascending */
	uint32_t *batch; /* frame numbers */
	size_t n;
};

/* A decoded "native" frame. */
struct pyd_native_chunk {
	size_t frame; /* its number + 1; 0: none */
	struct pyd_buf raw;
	struct pyd_dump_value *places, *threads;
	size_t nplaces, nthreads;
};

/* What no index tells of a file that was cut short. */
struct pyd_lookup_found {
	uint64_t addr;
	uint32_t frame;
};

struct pyd_dump {
	struct pyd_container c;
	char *name;
	int own_fd; /* or -1 */
	uint32_t format;

	struct pyd_buf header_raw, threads_raw, waits_raw, end_raw;
	struct pyd_dump_value header, threads, waits, end;
	struct pyd_column_spec specs[PYD_NCOLUMNS];
	struct pyd_dump_kind_entry kinds[256];

	uint32_t *batches; /* frame numbers of "objects" */
	size_t nbatches;
	uint64_t nobjects;

	struct {
		struct pyd_dump_batch *batch;
		uint32_t frame;
		uint64_t used;
	} cache[PYD_CACHE_BATCHES];
	struct pyd_lookup_index indexes[PYD_CACHE_INDEXES];
	uint64_t clock;

	struct pyd_native_chunk native;
	/* Where the native stacks of Python threads are: thread, number of the
	 * frame, position in it. */
	bool natives_listed;
	struct pyd_vec natives;

	/* Objects of batches that no index covers, sorted by address. */
	bool searched;
	struct pyd_lookup_found *found;
	size_t nfound, found_cap;
};

/* The batch in that frame, held. */
PYD_MUST_CHECK enum pyd_code pyd_dump_load_frame(struct pyd_dump *d,
						 uint32_t frame,
						 struct pyd_dump_batch **ret,
						 struct pyd_err *err);
/* The frame that holds the object; UINT32_MAX when none does. */
PYD_MUST_CHECK enum pyd_code pyd_lookup_frame(struct pyd_dump *d, pyd_addr addr,
					      uint32_t *ret,
					      struct pyd_err *err);
void pyd_lookup_deinit(struct pyd_dump *d);

void pyd_native_chunk_deinit(struct pyd_native_chunk *c);

#endif
