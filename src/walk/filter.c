// SPDX-License-Identifier: Apache-2.0
#include "walk/filter.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "read/object.h"

enum { NAME_BYTES = 1100 };

/* A verdict as a map keeps it: the number of the pattern above it. */
static uint64_t pack(enum pyd_verdict verdict, size_t pattern)
{
	return (uint64_t)pattern << 8 | (uint64_t)verdict;
}

bool pyd_filter_is_on(const struct pyd_filter *f)
{
	return f->include.n || f->exclude.n;
}

void pyd_filter_deinit(struct pyd_filter *f)
{
	pyd_map_deinit(&f->types);
	pyd_map_deinit(&f->spaces);
	pyd_node_deinit(&f->node);
	*f = (struct pyd_filter) { 0 };
}

/* "numpy.*" means the module numpy, too. */
static bool matches(const char *pattern, const char *name, bool module)
{
	char dotted[NAME_BYTES];

	if (!fnmatch(pattern, name, 0))
		return true;
	if (!module)
		return false;
	snprintf(dotted, sizeof(dotted), "%s.", name);
	return !fnmatch(pattern, dotted, 0);
}

static uint64_t judge(const struct pyd_filter *f, const char *name,
		      bool builtin, bool module)
{
	for (size_t i = 0; i < f->exclude.n; i++)
		if (matches(f->exclude.v[i], name, module))
			return pack(PYD_EXCLUDED, i);
	if (!f->include.n || builtin)
		return pack(PYD_TAKEN, 0);
	for (size_t i = 0; i < f->include.n; i++)
		if (matches(f->include.v[i], name, module))
			return pack(PYD_TAKEN, i);
	return pack(PYD_NOT_INCLUDED, 0);
}

struct modules {
	struct pyd_filter *filter;
	struct pyd_reader *reader;
};

/* One pair of sys.modules. Its values may be anything. */
static enum pyd_code module(void *ctx, pyd_addr key, pyd_addr value,
			    struct pyd_err *err)
{
	struct modules *m = ctx;
	struct pyd_filter *f = m->filter;
	char name[NAME_BYTES - 2];
	struct pyd_err why = { 0 };
	uint64_t verdict;
	enum pyd_code code =
		pyd_read_str(m->reader, key, name, sizeof(name), &why);

	if (!code)
		code = pyd_read_node(m->reader, value, &f->node, &why);
	if (code)
		return pyd_code_is_local(code)
			       ? PYD_OK
			       : pyd_err_set(err, code, "%s", why.msg);
	if (f->node.kind != PYD_KIND_module || !f->node.refs.len ||
	    !f->node.refs.data[0])
		return PYD_OK;
	verdict = judge(f, name, !strcmp(name, "builtins"), true);
	if ((verdict & 0xff) == PYD_TAKEN)
		return PYD_OK;
	return pyd_map_put(&f->spaces, f->node.refs.data[0], verdict, err);
}

enum pyd_code pyd_filter_modules(struct pyd_filter *f, struct pyd_reader *r,
				 pyd_addr modules, struct pyd_err *err)
{
	struct modules m = { .filter = f, .reader = r };
	struct pyd_err why = { 0 };
	enum pyd_code code;

	if (!pyd_filter_is_on(f))
		return PYD_OK;
	code = pyd_read_dict_each(r, modules, module, &m, &why);
	if (code && !pyd_code_is_local(code))
		return pyd_err_set(err, code, "%s", why.msg);
	return PYD_OK;
}

/* Of all instances of a type. A type that has no name is taken: its objects
 * say by themselves what is wrong. */
static enum pyd_code judge_type(struct pyd_filter *f, struct pyd_reader *r,
				pyd_addr type, uint64_t *ret,
				struct pyd_err *err)
{
	char name[NAME_BYTES];
	struct pyd_err why = { 0 };
	const char *s, *nul;
	enum pyd_code code;

	if (pyd_map_get(&f->types, type, ret))
		return PYD_OK;
	*ret = pack(PYD_TAKEN, 0);
	code = pyd_read_node(r, type, &f->node, &why);
	if (code && !pyd_code_is_local(code))
		return pyd_err_set(err, code, "%s", why.msg);
	s = (const char *)f->node.value.data;
	nul = code || f->node.kind != PYD_KIND_type
		      ? NULL
		      : memchr(s, 0, f->node.value.len);
	if (nul &&
	    memchr(nul + 1, 0, f->node.value.len - (size_t)(nul + 1 - s))) {
		snprintf(name, sizeof(name), "%s.%s", s, nul + 1);
		*ret = judge(f, name, !strcmp(s, "builtins"), false);
	}
	return pyd_map_put(&f->types, type, *ret, err);
}

enum pyd_code pyd_filter_judge(struct pyd_filter *f, struct pyd_reader *r,
			       pyd_addr addr, bool whole, enum pyd_verdict *ret,
			       char *why, size_t cap, struct pyd_err *err)
{
	uint64_t verdict = pack(PYD_TAKEN, 0), type;
	struct pyd_err ignored;
	enum pyd_code code = PYD_OK;

	if (!pyd_map_get(&f->spaces, addr, &verdict) && !whole &&
	    !pyd_target_read_u64(
		    r->target,
		    addr + (uint64_t)PYD_OFF(r->lay, object, ob_type), &type,
		    &ignored))
		code = judge_type(f, r, type, &verdict, err);
	if (code)
		return code;
	*ret = (enum pyd_verdict)(verdict & 0xff);
	if (*ret == PYD_EXCLUDED)
		snprintf(why, cap, "left out by --exclude '%s'",
			 f->exclude.v[verdict >> 8]);
	else if (*ret == PYD_NOT_INCLUDED)
		snprintf(why, cap, "left out: no --include matches");
	return PYD_OK;
}
