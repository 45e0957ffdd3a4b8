/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The "header" and "end" parts of a dump: what it is of, when, why and how it
 * was taken.
 */
#ifndef PYD_WALK_META_H
#define PYD_WALK_META_H

#include "runtime/runtime.h"
#include "target/elf.h"
#include "walk/snapshot.h"
#include "walk/subject.h"

struct pyd_meta {
	const struct pyd_snapshot_options *opts;
	struct pyd_subject *subject;
	const struct pyd_runtime *runtime;
	const struct pyd_modules *modules; /* may be NULL */
	struct pyd_redact *redact;	   /* likewise */
	int64_t begin_s;		   /* CLOCK_REALTIME */
	int64_t begin_us;
};

/* Reads what the header will need of the target's memory. */
PYD_MUST_CHECK enum pyd_code pyd_meta_touch(const struct pyd_runtime *rt,
					    struct pyd_reader *r,
					    struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_meta_write_header(const struct pyd_meta *m,
						   struct pyd_reader *r,
						   struct pyd_writer *w,
						   struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_meta_write_end(
	const struct pyd_snapshot_stats *stats, const struct pyd_cuts *cuts,
	const struct pyd_redact *redact, uint64_t toc, struct pyd_writer *w,
	struct pyd_err *err);

#endif
