/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a snapshot share: snapshot.c, collect.c. */
#ifndef PYD_WALK_SNAPSHOT_PRIVATE_H
#define PYD_WALK_SNAPSHOT_PRIVATE_H

#include "layout/ctype.h"
#include "runtime/runtime.h"
#include "target/elf.h"
#include "walk/gcroots.h"
#include "walk/native.h"
#include "walk/sources.h"
#include "walk/stacks.h"
#include "walk/subject.h"
#include "walk/waits.h"

/* What --native=auto may take while the target stands. */
#define PYD_NATIVE_STOP_NS 200000000ULL

/* All that one snapshot holds, for a teardown in one place. */
struct pyd_snapshot {
	const struct pyd_snapshot_options *opts;
	struct pyd_subject *subject;
	struct pyd_ctypes ctypes;
	struct pyd_layouts layouts;
	struct pyd_modules modules;
	struct pyd_runtime runtime;
	struct pyd_reader reader;
	struct pyd_writer *writer;
	struct pyd_stacks stacks;
	struct pyd_native native;
	struct pyd_waits waits;
	struct pyd_sources sources;
	struct pyd_walk walk;
	struct pyd_gcroots gcroots;
	struct pyd_redact *redact; /* NULL: off */
	uint64_t deadline_ns;	   /* CLOCK_MONOTONIC; 0: none */
	/* Where all is read before it is written (collect.c). */
	struct pyd_collect {
		bool on;    /* now */
		bool begun; /* what it took is there, to be forgotten */
		struct pyd_writer *nowhere;
		struct pyd_subject view; /* the subject without its files */
		struct pyd_subject_ops ops;
		struct pyd_node node; /* memory of one that was large */
		/* The walk is to end after that many objects, as it did. */
		bool ended;
		uint64_t objects;
		int looks; /* of pyd_collect_ahead() */
	} collect;
};

/* -- snapshot.c -- */

/* Threads as the frozen memory has them: some may have come and gone. Begins
 * s->reader. */
PYD_MUST_CHECK enum pyd_code pyd_snapshot_threads(struct pyd_snapshot *s,
						  struct pyd_err *err);
/* Does something with the file of each code object that a frame has. */
PYD_MUST_CHECK enum pyd_code pyd_snapshot_files(
	struct pyd_snapshot *s,
	enum pyd_code (*fn)(struct pyd_sources *s, const struct pyd_runtime *rt,
			    const char *file, struct pyd_err *err),
	struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_snapshot_walk(struct pyd_snapshot *s,
					       struct pyd_err *err);
/* Namespaces that --no-globals left out are looked at for secrets. */
PYD_MUST_CHECK enum pyd_code pyd_snapshot_ahead(struct pyd_snapshot *s,
						struct pyd_err *err);
/* The walk ends early enough for what it met to be written. */
uint64_t pyd_snapshot_hasten(const struct pyd_snapshot *s);

/* -- collect.c -- */

/* Has take() keep what is read, where limits keep that small. */
PYD_MUST_CHECK enum pyd_code pyd_collect_begin(struct pyd_snapshot *s,
					       struct pyd_err *err);
/* After take(): forgets what was made on the way. */
void pyd_collect_end(struct pyd_snapshot *s);
/* Sets up s->walk, that it reads as much as it did then. */
void pyd_collect_walk(struct pyd_snapshot *s);
/* In the place of pyd_snapshot_ahead() where the memory was kept: looks for the
 * names of secrets in the process, which runs. It has most of what the limits
 * leave out where it was, and nothing of that is dumped. */
PYD_MUST_CHECK enum pyd_code pyd_collect_ahead(struct pyd_snapshot *s,
					       struct pyd_err *err);
void pyd_collect_deinit(struct pyd_snapshot *s);

#endif
