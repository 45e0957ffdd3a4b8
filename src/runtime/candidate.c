// SPDX-License-Identifier: Apache-2.0
#include "runtime/candidate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layout/layout.h"
#include "target/capture.h"

#define SCAN_LIMIT ((uint64_t)256 << 20)

enum {
	MAX_CANDIDATES = 64,
	SCAN_BLOCK = 65536,
};

static enum pyd_code add(struct pyd_candidates *c, const struct pyd_module *mod,
			 pyd_addr addr, enum pyd_candidate_source source,
			 struct pyd_err *err)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].addr == addr)
			return PYD_OK;
	if (c->n == MAX_CANDIDATES || !addr || addr % 8)
		return PYD_OK;

	struct pyd_candidate *v = realloc(c->v, (c->n + 1) * sizeof(*v));

	if (!v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	c->v = v;
	v += c->n++;
	*v = (struct pyd_candidate) {
		.addr = addr,
		.is_exe = mod->is_exe,
		.source = source,
		.code = PYD_NOTPYTHON,
	};
	snprintf(v->module, sizeof(v->module), "%s", mod->path);
	return PYD_OK;
}

static void probe(const struct pyd_modules *m, const struct pyd_module *mod,
		  struct pyd_candidate *c)
{
	uint8_t bytes[PYD_DEBUG_OFFSETS_MAX];
	struct pyd_symbol sym;
	struct pyd_err ignored;
	uint64_t version;

	if (!pyd_target_read(m->target, c->addr, bytes, sizeof(bytes),
			     &ignored) &&
	    pyd_debug_offsets_probe(bytes, sizeof(bytes), &c->hex,
				    &c->free_threaded)) {
		c->cookie = true;
		return;
	}
	/* 3.11 and 3.12 have their version as a constant. */
	if (!pyd_module_dynsym(m, mod, "Py_Version", &sym, &ignored) ||
	    !pyd_module_filesym(m, mod, "Py_Version", NULL, &sym, &ignored)) {
		if (!pyd_target_read_u64(m->target, sym.addr, &version,
					 &ignored) &&
		    version <= UINT32_MAX)
			c->hex = (uint32_t)version;
	}
}

static enum pyd_code quick(const struct pyd_modules *m,
			   const struct pyd_module *mod,
			   struct pyd_candidates *c, struct pyd_err *err)
{
	struct pyd_symbol sym;
	struct pyd_err ignored;

	if (!pyd_module_dynsym(m, mod, "_PyRuntime", &sym, &ignored) ||
	    (mod->is_exe && !pyd_module_filesym(m, mod, "_PyRuntime",
						".PyRuntime", &sym, &ignored)))
		return add(c, mod, sym.addr,
			   (enum pyd_candidate_source)sym.source, err);
	return PYD_OK;
}

static enum pyd_code by_file(const struct pyd_modules *m,
			     const struct pyd_module *mod,
			     struct pyd_candidates *c, struct pyd_err *err)
{
	struct pyd_symbol sym;
	struct pyd_err ignored;

	if (mod->is_exe || pyd_module_filesym(m, mod, "_PyRuntime",
					      ".PyRuntime", &sym, &ignored))
		return PYD_OK;
	return add(c, mod, sym.addr, (enum pyd_candidate_source)sym.source,
		   err);
}

/* A stripped static executable still has the cookie in its data. */
static enum pyd_code by_data(const struct pyd_modules *m,
			     const struct pyd_module *mod, uint64_t *budget,
			     struct pyd_candidates *c, struct pyd_err *err)
{
	const struct pyd_target *t = m->target;
	uint8_t *buf = malloc(SCAN_BLOCK);
	enum pyd_code code = PYD_OK;

	if (!buf)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; i < t->nregions && !code; i++) {
		const struct pyd_region *r = &t->regions[i];
		struct pyd_err ignored;

		if (r->start < mod->start || r->start >= mod->end ||
		    !(r->prot & PYD_PROT_W) || r->inode != mod->inode)
			continue;
		for (pyd_addr at = r->start; at < r->end && *budget && !code;) {
			size_t n = r->end - at < SCAN_BLOCK
					   ? (size_t)(r->end - at)
					   : SCAN_BLOCK;

			*budget -= n < *budget ? n : *budget;
			if (!pyd_target_read(m->target, at, buf, n, &ignored))
				for (size_t j = 0; j + 8 <= n && !code; j += 8)
					if (!memcmp(buf + j, "xdebugpy", 8))
						code = add(c, mod, at + j,
							   PYD_CANDIDATE_COOKIE,
							   err);
			at += n;
		}
	}
	free(buf);
	return code;
}

/* Something of Python's kind that has no _PyRuntime. */
static const char *name_other(const struct pyd_modules *m)
{
	static const struct {
		const char *symbol;
		const char *name;
	} others[] = {
		{ "PyInterpreterState_Head", "Python 3.6 or older" },
		{ "rpython_startup_code", "PyPy" },
		{ "graal_create_isolate", "GraalVM" },
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		for (size_t j = 0; j < m->n; j++) {
			struct pyd_symbol sym;
			struct pyd_err ignored;

			if (!pyd_module_dynsym(m, &m->v[j], others[i].symbol,
					       &sym, &ignored))
				return others[i].name;
		}
	}
	return "";
}

enum pyd_code pyd_candidates_find(struct pyd_target *t,
				  const struct pyd_process *p,
				  enum pyd_candidate_depth depth,
				  struct pyd_candidates *ret,
				  struct pyd_err *err)
{
	struct pyd_candidates c = { 0 };
	struct pyd_target *brief;
	struct pyd_modules m;
	uint64_t budget = SCAN_LIMIT;
	enum pyd_code code = pyd_target_cache_brief(t, &brief, err);

	if (code)
		return code;
	code = pyd_modules_load(brief, p, &m, err);
	if (code) {
		pyd_target_destroy(brief);
		return code;
	}
	if (depth == PYD_LOOK_LAST)
		m.target = t; /* all of it is read, once */
	c.nmodules = m.n;
	for (size_t i = 0; i < m.n && !code; i++) {
		size_t first = c.n;

		if (depth == PYD_LOOK_QUICK)
			code = quick(&m, &m.v[i], &c, err);
		else if (depth == PYD_LOOK_FILES)
			code = by_file(&m, &m.v[i], &c, err);
		else
			code = by_data(&m, &m.v[i], &budget, &c, err);
		for (size_t j = first; j < c.n; j++)
			probe(&m, &m.v[i], &c.v[j]);
	}
	if (!c.n)
		snprintf(c.other, sizeof(c.other), "%s", name_other(&m));
	pyd_modules_deinit(&m);
	pyd_target_destroy(brief);
	if (code) {
		pyd_candidates_deinit(&c);
		return code;
	}
	*ret = c;
	return PYD_OK;
}

void pyd_candidates_deinit(struct pyd_candidates *c)
{
	free(c->v);
	*c = (struct pyd_candidates) { 0 };
}

const char *pyd_candidate_source_name(enum pyd_candidate_source s)
{
	if (s == PYD_CANDIDATE_COOKIE)
		return "cookie in data";
	return pyd_symbol_source_name((enum pyd_symbol_source)s);
}
