/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a process's memory. Mode copy:
 *
 *	pyd_process_open, pyd_target_process_create, find the runtime
 *	pyd_capture_prepare	estimate, allocate and pre-fault (unstopped)
 *	pyd_stop_all
 *	pyd_capture_take	re-read maps, copy
 *	pyd_stop_release
 *	pyd_capture_target	the frozen target, which is walked
 *
 * Frozen is what a program can change: private memory that is anonymous,
 * writable, or was written. What is read beyond that (text, constants, shared
 * mappings) comes from the process, as long as its address space is there,
 * else from the very file that was mapped.
 *
 * Mode stop: pyd_target_cache_create over the live target between stop and
 * release. Mode live: the live target itself.
 */
#ifndef PYD_TARGET_CAPTURE_H
#define PYD_TARGET_CAPTURE_H

#include "target/process.h"

struct pyd_capture;

/* What copy would take, without doing it: bytes of private memory in use
 * (resident or swapped). For the choice of auto. */
PYD_MUST_CHECK enum pyd_code pyd_capture_estimate(struct pyd_process *p,
						  uint64_t *ret_bytes,
						  struct pyd_err *err);
/* Bytes that we may use without harm: free memory, and what the control groups
 * that we are in leave. */
uint64_t pyd_capture_memory(void);
/* PYD_NOMEM names the size and what to do. p must outlive the capture, not
 * the target that it gives. */
PYD_MUST_CHECK enum pyd_code pyd_capture_prepare(struct pyd_process *p,
						 struct pyd_capture **ret,
						 struct pyd_err *err);

/* Bytes that are likely to be copied. */
uint64_t pyd_capture_planned(const struct pyd_capture *c);

struct pyd_capture_stats {
	uint64_t bytes;	     /* copied */
	uint64_t unreadable; /* bytes that should have been copied */
	uint64_t begin_ns;   /* CLOCK_MONOTONIC */
	uint64_t end_ns;
	size_t segments;
	uint8_t grown;	    /* the prepared buffer was too small */
	uint8_t no_pagemap; /* /proc/PID/pagemap could not be read */
};

/* Copying is to be over by then (CLOCK_MONOTONIC; 0: no matter), else
 * pyd_capture_take fails with PYD_LIMIT. */
void pyd_capture_deadline(struct pyd_capture *c, uint64_t ns);
/* While it stands still. Once per capture. */
PYD_MUST_CHECK enum pyd_code pyd_capture_take(struct pyd_capture *c,
					      struct pyd_err *err);
/* What was taken; it may run again. Once. The target owns what it needs; the
 * capture may be destroyed before it. stats may be NULL. */
PYD_MUST_CHECK enum pyd_code pyd_capture_target(struct pyd_capture *c,
						struct pyd_target **ret,
						struct pyd_capture_stats *stats,
						struct pyd_err *err);
/* What should have been copied and could not be read: pairs of start and end,
 * owned by the capture. */
const struct pyd_vec *pyd_capture_unread(const struct pyd_capture *c);
/* Accepts NULL. */
void pyd_capture_destroy(struct pyd_capture *c);

/* A part of a copy that is held in memory. */
struct pyd_segment {
	pyd_addr start;
	pyd_addr end;
	const uint8_t *data;
};

/* Blocks of 16 KiB of inner, at most max_bytes (0: 28 MiB); those that were not
 * read for long go first. Only for a target that does not change. Owns not
 * inner. */
PYD_MUST_CHECK enum pyd_code pyd_target_cache_create(struct pyd_target *inner,
						     size_t max_bytes,
						     struct pyd_target **ret,
						     struct pyd_err *err);
/* For a moment's look at one that may run: what lies near to what was read is
 * not asked for again. A few blocks; regions are those of inner, which is not
 * to be refreshed meanwhile. */
PYD_MUST_CHECK enum pyd_code pyd_target_cache_brief(struct pyd_target *inner,
						    struct pyd_target **ret,
						    struct pyd_err *err);
/* The same for a look at many objects: as many blocks as
 * pyd_target_cache_create() has, which are read without a call. */
PYD_MUST_CHECK enum pyd_code pyd_target_cache_look(struct pyd_target *inner,
						   struct pyd_target **ret,
						   struct pyd_err *err);

#endif
