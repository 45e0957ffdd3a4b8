/* SPDX-License-Identifier: Apache-2.0 */
/* A run of the index: addresses of many batches, put in order. */
#ifndef PYD_DUMP_RUN_H
#define PYD_DUMP_RUN_H

#include "dump/job.h"

/* The addresses of an INDEX job in order, each with its batch's place in the
 * list of batches. Most fit into the words of the run itself, an address and
 * its batch in one. */
struct pyd_run_order {
	const uint64_t *words; /* the job's, or tmp's */
	uint64_t low;
	unsigned int shift, tag_bits;
	struct pyd_radix_item *wide; /* owned; instead of words, or NULL */
};

static inline uint64_t pyd_run_addr(const struct pyd_run_order *o, size_t i)
{
	if (o->wide)
		return o->wide[i].key;
	return (o->words[i] >> o->tag_bits << o->shift) + o->low;
}

static inline uint32_t pyd_run_batch(const struct pyd_run_order *o, size_t i)
{
	if (o->wide)
		return o->wide[i].tag;
	return (uint32_t)(o->words[i] & ((1ULL << o->tag_bits) - 1));
}

/* The run of the job is not to be used but through *ret from then on. tmp is
 * kept from run to run, and as long as *ret. */
PYD_MUST_CHECK enum pyd_code pyd_run_sort(struct pyd_job *job,
					  struct pyd_vec *tmp,
					  struct pyd_run_order *ret,
					  struct pyd_err *err);
void pyd_run_order_deinit(struct pyd_run_order *o);

/* Packs the index frame of the entries from..to into out, which is cleared
 * first. words: what is kept from frame to frame. */
PYD_MUST_CHECK enum pyd_code pyd_run_pack(const struct pyd_job *job,
					  const struct pyd_run_order *o,
					  size_t from, size_t to,
					  struct pyd_vec *words,
					  struct pyd_buf *out,
					  struct pyd_err *err);

#endif
