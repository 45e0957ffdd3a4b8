// SPDX-License-Identifier: Apache-2.0
#include "runtime/interp.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_INTERPS = 10000 };

static enum pyd_code read_field(struct pyd_target *t, pyd_addr base,
				int32_t off, uint64_t *ret, struct pyd_err *err)
{
	if (off < 0) {
		*ret = 0;
		return PYD_OK;
	}
	return pyd_target_read_u64(t, base + (uint64_t)off, ret, err);
}

static enum pyd_code read_interp(struct pyd_target *t,
				 const struct pyd_layout *lay, pyd_addr addr,
				 struct pyd_interpreter *ret,
				 pyd_addr *ret_next, struct pyd_err *err)
{
	struct pyd_interpreter in = { .addr = addr };
	uint64_t id = 0;
	uint64_t next = 0;
	uint64_t tstate = 0;
	uint64_t back;
	enum pyd_code code;

	code = read_field(t, addr, PYD_OFF(lay, interp, id), &id, err);
	if (!code)
		code = read_field(t, addr, PYD_OFF(lay, interp, next), &next,
				  err);
	if (!code)
		code = read_field(t, addr, PYD_OFF(lay, interp, modules),
				  &in.modules, err);
	if (!code)
		code = read_field(t, addr, PYD_OFF(lay, interp, sysdict),
				  &in.sysdict, err);
	if (!code)
		code = read_field(t, addr, PYD_OFF(lay, interp, builtins),
				  &in.builtins, err);
	if (!code)
		code = read_field(t, addr, PYD_OFF(lay, interp, threads_head),
				  &tstate, err);
	if (code)
		return code;
	if ((next | tstate | in.modules | in.sysdict | in.builtins) % 8)
		return pyd_err_at(err, PYD_CORRUPT, addr,
				  "interpreter at 0x%llx has odd pointers",
				  (unsigned long long)addr);
	if (tstate) {
		code = read_field(t, tstate, PYD_OFF(lay, tstate, interp),
				  &back, err);
		if (code)
			return code;
		if (back != addr)
			return pyd_err_at(err, PYD_CORRUPT, tstate,
					  "thread state at 0x%llx belongs to "
					  "another interpreter",
					  (unsigned long long)tstate);
	}
	in.id = (int64_t)id;
	in.main = !id;
	*ret = in;
	*ret_next = next;
	return PYD_OK;
}

static int main_first(const void *a, const void *b)
{
	const struct pyd_interpreter *x = a;
	const struct pyd_interpreter *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static enum pyd_code grow(struct pyd_interpreter **v, size_t n,
			  struct pyd_err *err)
{
	if (n & (n - 1)) /* the capacity is the next power of two */
		return PYD_OK;

	struct pyd_interpreter *more =
		realloc(*v, (n ? 2 * n : 1) * sizeof(*more));

	if (!more)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	*v = more;
	return PYD_OK;
}

enum pyd_code pyd_interps_list(struct pyd_target *t, struct pyd_runtime *rt,
			       struct pyd_err *err)
{
	const struct pyd_layout *lay = &rt->lay;
	struct pyd_interpreter *v = NULL;
	struct pyd_map seen = { 0 };
	size_t n = 0;
	uint64_t at = 0;
	uint64_t known;
	enum pyd_code code;

	code = read_field(t, rt->addr, PYD_OFF(lay, runtime, interpreters_head),
			  &at, err);
	if (code)
		return code;
	if (!at)
		return pyd_err_set(
			err, PYD_NOTPYTHON,
			"Python is loaded but not running: it is not "
			"initialised yet, or has ended; try again "
			"when it runs Python code");
	while (at && !code) {
		if (at % 8 || n >= MAX_INTERPS ||
		    pyd_map_get(&seen, at, &known))
			code = pyd_err_at(err, PYD_CORRUPT, at,
					  "the list of interpreters does not "
					  "hold up");
		if (!code)
			code = pyd_map_put(&seen, at, 1, err);
		if (!code)
			code = grow(&v, n, err);
		if (!code)
			code = read_interp(t, lay, at, &v[n], &at, err);
		n += !code;
	}
	pyd_map_deinit(&seen);
	if (code) {
		free(v);
		return code;
	}
	qsort(v, n, sizeof(*v), main_first);
	free(rt->interps);
	rt->interps = v;
	rt->ninterps = n;
	return PYD_OK;
}
