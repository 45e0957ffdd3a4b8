// SPDX-License-Identifier: Apache-2.0
#include "dump/run.h"

#include <stdlib.h>

#include "dump/column.h"
#include "dump/mp.h"

/* Bytes of the list of batches in one index frame. */
#define LIST_BYTES 65536U

static enum pyd_code nomem(struct pyd_err *err)
{
	return pyd_err_set(err, PYD_NOMEM, "out of memory");
}

/* For addresses that are too far apart: any at all. */
static enum pyd_code sort_wide(const struct pyd_job *job,
			       struct pyd_radix_item **ret, struct pyd_err *err)
{
	struct pyd_radix_item *run = calloc(job->nrun, sizeof(*run));
	struct pyd_radix_item *tmp = calloc(job->nrun, sizeof(*tmp));
	size_t i = 0;

	if (!run || !tmp) {
		free(run);
		free(tmp);
		return nomem(err);
	}
	for (size_t k = 0; k < job->batches.len; k += 2)
		for (uint64_t n = job->batches.data[k + 1]; n; n--, i++)
			run[i] = (struct pyd_radix_item) {
				.key = job->run[i],
				.tag = (uint32_t)(k / 2),
			};
	pyd_radix_sort(run, tmp, i);
	free(tmp);
	*ret = run;
	return PYD_OK;
}

static enum pyd_code sort_words(struct pyd_job *job, struct pyd_vec *tmp,
				struct pyd_run_order *o, unsigned int width,
				struct pyd_err *err)
{
	uint64_t *v = job->run;
	size_t i = 0;
	enum pyd_code code;

	pyd_vec_clear(tmp);
	code = pyd_vec_reserve(tmp, job->nrun, err);
	if (code)
		return code;
	for (size_t k = 0; k < job->batches.len; k += 2)
		for (uint64_t n = job->batches.data[k + 1]; n; n--, i++)
			v[i] = (v[i] - o->low) >> o->shift << o->tag_bits |
			       k / 2;
	o->words = pyd_radix_words(v, tmp->data, i, o->tag_bits + width);
	return PYD_OK;
}

enum pyd_code pyd_run_sort(struct pyd_job *job, struct pyd_vec *tmp,
			   struct pyd_run_order *ret, struct pyd_err *err)
{
	struct pyd_run_order o = { 0 };
	uint64_t low = UINT64_MAX, high = 0, differ = 0;
	unsigned int width;
	enum pyd_code code;

	for (size_t i = 0; i < job->nrun; i++) {
		low = job->run[i] < low ? job->run[i] : low;
		high = job->run[i] > high ? job->run[i] : high;
		differ |= job->run[i] ^ job->run[0];
	}
	o.low = low;
	o.shift = differ ? (unsigned int)__builtin_ctzll(differ) : 0;
	o.tag_bits = pyd_radix_width(job->batches.len / 2);
	width = pyd_radix_width((high - low) >> o.shift);
	code = width + o.tag_bits <= 64 ? sort_words(job, tmp, &o, width, err)
					: sort_wide(job, &o.wide, err);
	if (!code)
		*ret = o;
	return code;
}

void pyd_run_order_deinit(struct pyd_run_order *o)
{
	free(o->wide);
	*o = (struct pyd_run_order) { 0 };
}

enum pyd_code pyd_run_pack(const struct pyd_job *job,
			   const struct pyd_run_order *order, size_t from,
			   size_t to, struct pyd_vec *words,
			   struct pyd_buf *out, struct pyd_err *err)
{
	size_t n = to - from;
	struct pyd_mp_out o = { .buf = out, .err = err };
	uint8_t *addr, *batch;

	pyd_buf_clear(out);
	pyd_vec_clear(words);
	o.code = pyd_vec_reserve(words, n, err);
	if (!o.code)
		o.code = pyd_buf_reserve(out, 10 * n + LIST_BYTES + 256, err);
	pyd_mp_put_map(&o, 6);
	pyd_mp_put_str(&o, "kind");
	pyd_mp_put_str(&o, "index");
	pyd_mp_put_str(&o, "lo");
	pyd_mp_put_uint(&o, pyd_run_addr(order, from));
	pyd_mp_put_str(&o, "hi");
	pyd_mp_put_uint(&o, pyd_run_addr(order, to - 1));
	pyd_mp_put_str(&o, "batches");
	pyd_mp_put_array(&o, (uint32_t)job->batches.len / 2);
	for (size_t i = 0; i < job->batches.len; i += 2)
		pyd_mp_put_uint(&o, job->batches.data[i]);
	pyd_mp_put_str(&o, "addr");
	addr = pyd_mp_put_bin(&o, 8 * n);
	if (o.code)
		return o.code;
	for (size_t i = 0; i < n; i++)
		words->data[i] = pyd_run_addr(order, from + i);
	pyd_column_put64(addr, words->data, n, true);
	pyd_mp_put_str(&o, "batch");
	batch = pyd_mp_put_bin(&o, 2 * n);
	if (o.code)
		return o.code;
	for (size_t i = 0; i < n; i++) {
		uint32_t tag = pyd_run_batch(order, from + i);

		batch[2 * i] = (uint8_t)tag;
		batch[2 * i + 1] = (uint8_t)(tag >> 8);
	}
	return PYD_OK;
}
