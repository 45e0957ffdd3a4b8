/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk: from roots through all references, breadth first, so that what is
 * near the frames comes first and a budget cuts what is far. Each object is
 * read once and given to the writer. No recursion.
 */
#ifndef PYD_WALK_WALK_H
#define PYD_WALK_WALK_H

#include "dump/writer.h"
#include "read/reader.h"
#include "walk/filter.h"
#include "walk/limits.h"
#include "walk/redact.h"
#include "walk/shapes.h"
#include "walk/visited.h"
#include "walk/whole.h"

enum pyd_walk_phase {
	PYD_WALK_OBJECTS,
	PYD_WALK_TEXTS, /* all objects were met; see pyd_walk_texts() */
};

struct pyd_walk {
	struct pyd_reader *reader; /* not owned */
	struct pyd_writer *writer; /* not owned */
	/* Not owned; NULL: nothing is kept out. */
	struct pyd_redact *redact;
	struct pyd_vec beyond; /* met beyond a limit; see pyd_walk_ahead() */
	struct pyd_limits limits;
	uint64_t deadline_ns; /* CLOCK_MONOTONIC, 0: none */
	bool torn;	      /* the target runs: what is corrupt may be torn */
	/* Bytes from which on a text is read in pieces: see struct pyd_reader.
	 * 0: never, or of memory that changes. */
	uint64_t long_min;
	/* Nothing is written or counted: see struct pyd_subject, collect. */
	bool only_reads;
	bool few_ahead; /* less is looked at beyond the limits */
	/* Processor time for that; 0: as much as there is at most. */
	uint64_t ahead_ns;
	bool ends; /* after ends_at objects, for want of time */
	uint64_t ends_at;
	/* Called now and then; may be NULL. */
	void (*progress)(void *ctx, const struct pyd_walk *w);
	void *progress_ctx;
	enum pyd_walk_phase phase;
	uint64_t rewritten; /* texts that were read again, to be written */
	uint64_t began_ns;  /* CLOCK_MONOTONIC */
	uint64_t memory;    /* private memory of the target in use, bytes; 0:
			     * unknown */

	struct pyd_visited visited;
	struct pyd_shapes shapes;
	struct pyd_whole whole;
	struct pyd_filter filter;
	/* This level's objects and the next's. When no limit asks for an order
	 * and there are many, visited has what is beyond, and they come by
	 * address: what lies together is read together. */
	struct pyd_vec now, next;
	size_t at; /* in now */
	bool ordered;
	/* No limit and no filter has a say in what becomes of an object. */
	bool plain;
	uint64_t level;
	struct pyd_vec later; /* texts that visited has no bits for */
	struct pyd_map types; /* met as some object's type */
	/* Some of them, by a hash of the address: noted, followed, both. */
	pyd_addr noted[256], followed[256], settled[256];
	/* Keys of dicts that were met, likewise. */
	pyd_addr keys[256];
	struct pyd_vec type_list;
	struct pyd_node node;
	uint64_t objects, bytes, placeholders;
	struct pyd_cuts cuts;
	/* Which of cuts ended the walk, or NULL. */
	uint64_t *ended_by;
};

void pyd_walk_init(struct pyd_walk *w, struct pyd_reader *r,
		   struct pyd_writer *writer, const struct pyd_limits *limits);
void pyd_walk_deinit(struct pyd_walk *w);
/* Adds a root, in order; 0 and numbers without an object are passed over. */
PYD_MUST_CHECK enum pyd_code pyd_walk_root(struct pyd_walk *w, uint64_t ref,
					   struct pyd_err *err);
/* The same for a namespace, whose names are not cut. */
PYD_MUST_CHECK enum pyd_code pyd_walk_names(struct pyd_walk *w, uint64_t ref,
					    struct pyd_err *err);
/* Adds roots that come after all that was reached so far; when a limit ended
 * the walk before, counts those that are left out. */
PYD_MUST_CHECK enum pyd_code pyd_walk_more(struct pyd_walk *w,
					   const struct pyd_vec *roots,
					   struct pyd_err *err);
/* Walks until nothing is left or a limit is met; then adds the types of all
 * objects that were written, which no limit leaves out. */
PYD_MUST_CHECK enum pyd_code pyd_walk_run(struct pyd_walk *w,
					  struct pyd_err *err);
/*
 * What a limit keeps out of the dump may be what tells that something in it is
 * a secret: looks at some objects beyond the limits, in order, without writing
 * them. A bounded number, for a bounded time.
 */
PYD_MUST_CHECK enum pyd_code pyd_walk_ahead(struct pyd_walk *w,
					    struct pyd_err *err);
/* References of one object that it looks at where it looks at few. */
enum { PYD_WALK_SHARE = 32 };
/* The references of w->node are those of the last level: counts them, and notes
 * some. */
PYD_MUST_CHECK enum pyd_code pyd_walk_end(struct pyd_walk *w,
					  struct pyd_err *err);
/* Notes a reference for it. */
PYD_MUST_CHECK enum pyd_code pyd_walk_beyond(struct pyd_walk *w, uint64_t ref,
					     struct pyd_err *err);
/* Writes the texts that were kept back until all secrets are known. */
PYD_MUST_CHECK enum pyd_code pyd_walk_texts(struct pyd_walk *w,
					    struct pyd_err *err);

#endif
