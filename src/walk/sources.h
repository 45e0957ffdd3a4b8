/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of the files that frames name: the target's own linecache first
 * (also for text that is in no file), else the file as the target sees it.
 */
#ifndef PYD_WALK_SOURCES_H
#define PYD_WALK_SOURCES_H

#include "dump/writer.h"
#include "runtime/runtime.h"
#include "walk/redact.h"
#include "walk/subject.h"

struct pyd_sources {
	struct pyd_subject *subject; /* may be NULL: no files */
	struct pyd_reader *reader;
	struct pyd_writer *writer;
	struct pyd_redact *redact; /* may be NULL */
	struct pyd_map done;	   /* hash of the name -> 1 */
	/* linecache.cache: hash of the name -> its list of lines */
	struct pyd_map cache;
	bool cache_read;
	uint64_t bytes;		/* of text so far */
	struct pyd_map learned; /* hash of the name -> 1 */
	uint64_t learned_bytes;
};

/* Writes the text of one file, once. A file without text is passed over. */
PYD_MUST_CHECK enum pyd_code pyd_sources_add(struct pyd_sources *s,
					     const struct pyd_runtime *rt,
					     const char *file,
					     struct pyd_err *err);
/* Learns the secrets in the text of one file, once. */
PYD_MUST_CHECK enum pyd_code pyd_sources_learn(struct pyd_sources *s,
					       const struct pyd_runtime *rt,
					       const char *file,
					       struct pyd_err *err);
/* Reads what the two will need of the target's memory. */
PYD_MUST_CHECK enum pyd_code pyd_sources_touch(struct pyd_sources *s,
					       const struct pyd_runtime *rt,
					       const char *file,
					       struct pyd_err *err);
void pyd_sources_deinit(struct pyd_sources *s);

#endif
