// SPDX-License-Identifier: Apache-2.0
#include "walk/evals.h"

enum {
	CFRAMES_MAX = 1 << 20,
	STATE_SIZE = 4096, /* more than a PyThreadState with cframes has */
};

/* 3.10 has cframes that know nothing of frames: one for each. */
static bool one_each(const struct pyd_layout *lay)
{
	return lay->model_evalcall == PYD_M_evalcall_frame ||
	       (lay->model_evalcall == PYD_M_evalcall_cframe &&
		PYD_OFF(lay, cframe, current_frame) == PYD_ABSENT);
}

static uint64_t word(struct pyd_reader *r, pyd_addr base, int32_t off)
{
	struct pyd_err ignored;
	uint64_t v;

	if (!base || off == PYD_ABSENT ||
	    pyd_target_read_u64(r->target, base + (uint64_t)off, &v, &ignored))
		return 0;
	return v;
}

enum pyd_code pyd_evals_begin(struct pyd_evals *e, struct pyd_reader *r,
			      pyd_addr tstate, struct pyd_err *err)
{
	const struct pyd_layout *lay = r->lay;
	pyd_addr at;

	if (lay->model_evalcall != PYD_M_evalcall_cframe)
		return PYD_OK;
	at = word(r, tstate, PYD_OFF(lay, tstate, cframe));
	/* The last one is a member of the thread state; what its own link is
	 * nobody has set (3.10). */
	while (at && at - tstate >= STATE_SIZE &&
	       e->cframes.len < CFRAMES_MAX) {
		pyd_addr next = word(r, at, PYD_OFF(lay, cframe, previous));
		enum pyd_code code = pyd_vec_push(&e->cframes, at, err);
		if (!code)
			code = pyd_vec_push(
				&e->newest,
				word(r, at,
				     PYD_OFF(lay, cframe, current_frame)),
				err);
		if (code)
			return code;
		at = next;
	}
	return PYD_OK;
}

static enum pyd_code push(struct pyd_evals *e, pyd_addr place, uint64_t end,
			  struct pyd_err *err)
{
	enum pyd_code code = pyd_vec_push(&e->places, place, err);

	return code ? code : pyd_vec_push(&e->ends, end, err);
}

enum pyd_code pyd_evals_add(struct pyd_evals *e, const struct pyd_layout *lay,
			    pyd_addr addr, uint64_t number, bool shim,
			    bool entry, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;
	size_t k = e->places.len;

	if (lay->model_evalcall == PYD_M_evalcall_shim)
		return entry ? push(e, addr, number, err) : PYD_OK;
	if (shim)
		return PYD_OK;
	if (lay->model_evalcall == PYD_M_evalcall_frame)
		return push(e, addr, number + 1, err);
	if (one_each(lay))
		return k < e->cframes.len
			       ? push(e, e->cframes.data[k], number + 1, err)
			       : PYD_OK;
	/* The frame that ran when the next call began is the newest of an
	 * older call. */
	for (; !code && k + 1 < e->cframes.len && e->newest.data[k + 1] == addr;
	     k++)
		code = push(e, e->cframes.data[k], number, err);
	return code;
}

enum pyd_code pyd_evals_end(struct pyd_evals *e, const struct pyd_layout *lay,
			    uint64_t nframes, struct pyd_err *err)
{
	size_t k = e->places.len;

	e->nframes = nframes;
	if (lay->model_evalcall != PYD_M_evalcall_cframe || one_each(lay) ||
	    k >= e->cframes.len)
		return PYD_OK;
	return push(e, e->cframes.data[k], nframes, err);
}

void pyd_evals_deinit(struct pyd_evals *e)
{
	pyd_vec_deinit(&e->places);
	pyd_vec_deinit(&e->ends);
	pyd_vec_deinit(&e->cframes);
	pyd_vec_deinit(&e->newest);
	*e = (struct pyd_evals) { 0 };
}
