// SPDX-License-Identifier: Apache-2.0
#include "native/place.h"

#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "native/debuginfo.h"
#include "native/demangle.h"
#include "native/dwarf.h"
#include "native/perfmap.h"
#include "native/symtab.h"
#include "target/procfs.h"

enum {
	NAME_MAX_BYTES = 1024, /* of a demangled name */
	PATH_MAX_BYTES = 4096,
	VDSO_MAX = 1 << 20,
};

/* Of compressed debug information of one file, bytes that are unpacked in a
 * limited time. */
#define PACKED_MAX (16ULL << 20)

/* An ELF file that is open. */
struct file {
	int fd;
	Elf *elf;
};

struct module {
	bool loaded;
	struct pyd_symtab symtab;
	bool lines_loaded;
	struct file own;	 /* what is mapped */
	struct file split;	 /* its debug information */
	struct pyd_dwarf *dwarf; /* of one of both; NULL: none */
	uint8_t *vdso;		 /* memory of own */
};

struct pyd_places {
	struct pyd_target *t;
	const struct pyd_nmodules *modules;
	struct module *v;     /* parallel to modules->v */
	uint64_t deadline_ns; /* another thread may set it */
	bool apart;	      /* the target's memory is another thread's */
	bool lacks;
	struct pyd_map by_pc[2]; /* by exact; pyd_place_key() -> place */
	struct pyd_vec places;	 /* all of them, and their texts */
	struct pyd_map names;	 /* symbol's text -> demangled */
	bool perfmap_tried;
	struct pyd_perfmap *perfmap; /* NULL: there is none */
};

/* -- files -- */

static void file_close(struct file *f)
{
	if (f->elf)
		elf_end(f->elf);
	if (f->fd >= 0)
		close(f->fd);
	*f = (struct file) { .fd = -1 };
}

/* Takes fd, which may be -1. */
static void file_open(int fd, struct file *ret)
{
	ret->fd = fd;
	if (fd < 0)
		return;
	/* Read and not mapped: a file that shrinks would be a SIGBUS. */
	ret->elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!ret->elf || elf_kind(ret->elf) != ELF_K_ELF ||
	    gelf_getclass(ret->elf) != ELFCLASS64)
		file_close(ret);
}

/* The vdso is in no file, but in memory as it would be in one. */
static void open_vdso(struct pyd_places *p, const struct pyd_nmodule *m,
		      struct module *o)
{
	size_t len = m->mod.end - m->mod.start;
	struct pyd_err ignored;

	if (len > VDSO_MAX)
		return;
	o->vdso = malloc(len);
	if (!o->vdso ||
	    pyd_target_read(p->t, m->mod.start, o->vdso, len, &ignored))
		return;
	o->own.elf = elf_memory((char *)o->vdso, len);
}

static enum pyd_code load(struct pyd_places *p, const struct pyd_nmodule *m,
			  struct module *o, struct pyd_err *err)
{
	struct pyd_err why = { 0 };
	enum pyd_code code = PYD_OK;
	int fd = -1;

	o->loaded = true;
	o->own.fd = o->split.fd = -1;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return PYD_OK;
	if (m->vdso)
		open_vdso(p, m, o);
	else if (pyd_module_open(&p->modules->elf, &m->mod, &fd, &why))
		pyd_log_debug("no symbols out of the file of %s: %s",
			      m->mod.path, why.msg);
	if (!m->vdso)
		file_open(fd, &o->own);
	if (o->own.elf)
		code = pyd_symtab_add(&o->symtab, o->own.elf, err);
	if (!code && !o->symtab.whole && !m->vdso) {
		file_open(pyd_debuginfo_open(&p->modules->elf, &m->mod),
			  &o->split);
		if (o->split.elf)
			code = pyd_symtab_add(&o->symtab, o->split.elf, err);
	}
	if (code || pyd_symtab_any(&o->symtab))
		return code;
	if (!p->apart)
		return pyd_symtab_add_memory(&o->symtab, p->t, &m->mod, err);
	p->lacks = true;
	return PYD_OK;
}

static uint64_t deadline(const struct pyd_places *p)
{
	return __atomic_load_n(&p->deadline_ns, __ATOMIC_RELAXED);
}

static void load_lines(struct pyd_places *p, const struct pyd_nmodule *m,
		       struct module *o)
{
	/* Where time is limited, what takes seconds to unpack is left alone. */
	uint64_t max = deadline(p) ? PACKED_MAX : UINT64_MAX;

	o->lines_loaded = true;
	o->dwarf = pyd_dwarf_open(o->own.elf, o->own.fd, max);
	if (o->dwarf || m->vdso)
		return;
	if (o->split.fd < 0)
		file_open(pyd_debuginfo_open(&p->modules->elf, &m->mod),
			  &o->split);
	o->dwarf = pyd_dwarf_open(o->split.elf, o->split.fd, max);
}

/* -- lines -- */

static char *keep(struct pyd_places *p, const char *text)
{
	struct pyd_err ignored;
	size_t n = strlen(text);
	char *s;

	n = n < PATH_MAX_BYTES ? n : PATH_MAX_BYTES - 1;
	s = malloc(n + 1);
	if (!s)
		return NULL;
	memcpy(s, text, n);
	s[n] = '\0';
	if (pyd_vec_push(&p->places, (uintptr_t)s, &ignored)) {
		free(s);
		return NULL;
	}
	return s;
}

/* Demangled, where it is mangled; NULL: no memory. */
static const char *readable(struct pyd_places *p, const char *symbol)
{
	char buf[NAME_MAX_BYTES];

	return keep(p, pyd_demangle(symbol, buf, sizeof(buf)) ? buf : symbol);
}

static void find_line(struct pyd_places *p, struct module *o, uint64_t addr,
		      struct pyd_place *ret)
{
	struct pyd_source_line inlined[PYD_INLINED_MAX], line;
	struct pyd_inlined *v;
	struct pyd_err ignored;
	size_t n;

	if (!o->dwarf)
		return;
	n = pyd_dwarf_find(o->dwarf, addr, inlined, &line);
	ret->file = line.file ? keep(p, line.file) : NULL;
	ret->line = ret->file ? line.line : 0;
	if (!n)
		return;
	v = calloc(n, sizeof(*v));
	if (!v || pyd_vec_push(&p->places, (uintptr_t)v, &ignored)) {
		free(v);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		v[i].function = readable(p, inlined[i].function);
		if (!v[i].function)
			return;
		v[i].file = inlined[i].file ? keep(p, inlined[i].file) : NULL;
		v[i].line = v[i].file ? inlined[i].line : 0;
	}
	ret->inlined = v;
	ret->ninlined = n;
}

/* -- places -- */

enum pyd_code pyd_places_create(struct pyd_target *t,
				const struct pyd_nmodules *m,
				struct pyd_places **ret, struct pyd_err *err)
{
	struct pyd_places *p = calloc(1, sizeof(*p));

	if (p)
		p->v = calloc(m->n + 1, sizeof(*p->v));
	if (!p || !p->v) {
		pyd_places_destroy(p);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	p->t = t;
	p->modules = m;
	*ret = p;
	return PYD_OK;
}

void pyd_places_destroy(struct pyd_places *p)
{
	if (!p)
		return;
	for (size_t i = 0; p->v && i < p->modules->n; i++) {
		struct module *o = &p->v[i];

		if (!o->loaded)
			continue;
		pyd_dwarf_close(o->dwarf);
		file_close(&o->own);
		file_close(&o->split);
		pyd_symtab_deinit(&o->symtab);
		free(o->vdso);
	}
	for (size_t i = 0; i < p->places.len; i++)
		free((void *)(uintptr_t)p->places.data[i]);
	pyd_vec_deinit(&p->places);
	pyd_map_deinit(&p->by_pc[0]);
	pyd_map_deinit(&p->by_pc[1]);
	pyd_map_deinit(&p->names);
	pyd_perfmap_close(p->perfmap);
	free(p->v);
	free(p);
}

void pyd_places_deadline(struct pyd_places *p, uint64_t ns)
{
	__atomic_store_n(&p->deadline_ns, ns, __ATOMIC_RELAXED);
}

enum pyd_code pyd_places_apart(struct pyd_places *p, struct pyd_err *err)
{
	for (size_t i = 0; i < p->modules->n; i++) {
		enum pyd_code code;

		/* It is in memory alone. */
		if (!p->modules->v[i].vdso || p->v[i].loaded)
			continue;
		code = load(p, &p->modules->v[i], &p->v[i], err);
		if (code)
			return code;
	}
	p->apart = true;
	return PYD_OK;
}

bool pyd_places_lack(const struct pyd_places *p)
{
	return p->lacks;
}

static void name_place(struct pyd_places *p, const char *symbol,
		       struct pyd_place *ret)
{
	char buf[NAME_MAX_BYTES];
	struct pyd_err ignored;
	uint64_t known;

	if (pyd_map_get(&p->names, (uintptr_t)symbol, &known)) {
		ret->function = (const char *)(uintptr_t)known;
	} else {
		if (pyd_demangle(symbol, buf, sizeof(buf)))
			ret->function = keep(p, buf);
		if (!ret->function)
			ret->function = symbol;
		if (pyd_map_put(&p->names, (uintptr_t)symbol,
				(uintptr_t)ret->function, &ignored))
			pyd_log_debug("a name is looked up again");
	}
	if (ret->function != symbol)
		ret->symbol = symbol;
}

/* Code of no file. */
static void name_alien(struct pyd_places *p, pyd_addr at, struct pyd_place *ret)
{
	const struct pyd_region *r = pyd_target_region(p->t, at);
	struct pyd_perfname found;

	/* A core has no /tmp: what is here may be of another process. */
	if (!r || !(r->prot & PYD_PROT_X) || !p->modules->elf.process)
		return;
	if (!p->perfmap_tried)
		p->perfmap = pyd_perfmap_open(p->modules->elf.process);
	p->perfmap_tried = true;
	if (!p->perfmap || !pyd_perfmap_find(p->perfmap, at, &found))
		return;
	name_place(p, found.name, ret);
	ret->offset = ret->address - found.start;
}

static enum pyd_code fill(struct pyd_places *p, pyd_addr pc, bool exact,
			  struct pyd_place *ret, struct pyd_err *err)
{
	pyd_addr at = exact || !pc ? pc : pc - 1;
	const struct pyd_nmodule *m = pyd_nmodules_find(p->modules, at);
	struct pyd_function f;
	struct module *o;
	enum pyd_code code;

	ret->address = pc;
	if (!m) {
		name_alien(p, at, ret);
		return PYD_OK;
	}
	o = &p->v[m - p->modules->v];
	ret->module = m;
	ret->address = pc - m->mod.bias;
	if (!o->loaded) {
		code = load(p, m, o, err);
		if (code)
			return code;
	}
	if (pyd_symtab_find(&o->symtab, at - m->mod.bias, &f)) {
		name_place(p, f.name, ret);
		ret->offset = ret->address - f.addr;
	}
	if (deadline(p) && pyd_now_ns() > deadline(p))
		return PYD_OK;
	if (!o->lines_loaded)
		load_lines(p, m, o);
	find_line(p, o, at - m->mod.bias, ret);
	return PYD_OK;
}

enum pyd_code pyd_places_find(struct pyd_places *p, pyd_addr pc, bool exact,
			      const struct pyd_place **ret, struct pyd_err *err)
{
	uint64_t key = pyd_place_key(pc), known;
	struct pyd_place *place;
	enum pyd_code code;

	if (pyd_map_get(&p->by_pc[exact], key, &known)) {
		*ret = (const struct pyd_place *)(uintptr_t)known;
		return PYD_OK;
	}
	place = calloc(1, sizeof(*place));
	if (!place)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	code = pyd_vec_push(&p->places, (uintptr_t)place, err);
	if (code) {
		free(place);
		return code;
	}
	code = fill(p, pc, exact, place, err);
	if (!code)
		code = pyd_map_put(&p->by_pc[exact], key, (uintptr_t)place,
				   err);
	if (!code)
		*ret = place;
	return code;
}

/* -- many at once -- */

static const struct pyd_nmodule *module_of(const struct pyd_places *p,
					   const struct pyd_place_ask *a)
{
	return pyd_nmodules_find(p->modules,
				 a->exact || !a->pc ? a->pc : a->pc - 1);
}

static int by_order(const void *a, const void *b)
{
	const struct pyd_place_ask *x = a, *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	if (x->unit != y->unit)
		return x->unit < y->unit ? -1 : 1;
	return (x->pc > y->pc) - (x->pc < y->pc);
}

static uint64_t unit_of(const struct module *o, const struct pyd_nmodule *m,
			const struct pyd_place_ask *a)
{
	return pyd_dwarf_unit(o->dwarf, a->pc - !a->exact - m->mod.bias);
}

/* Those of one module. */
static enum pyd_code find_some(struct pyd_places *p, struct pyd_place_ask *v,
			       size_t n, struct pyd_err *err)
{
	const struct pyd_nmodule *m = module_of(p, &v[0]);
	struct module *o = m ? &p->v[m - p->modules->v] : NULL;
	enum pyd_code code = PYD_OK;

	for (size_t i = 0; i < n && !code; i++) {
		const struct pyd_place *ignored;

		code = pyd_places_find(p, v[i].pc, v[i].exact, &ignored, err);
		if (code || i || !m || !o->dwarf)
			continue;
		/* Debug information is at hand by now, and decoded for the
		 * first: it goes on from there. */
		for (size_t k = n; k-- > 0;)
			v[k].unit = unit_of(o, m, &v[k]) - unit_of(o, m, &v[0]);
		qsort(v + 1, n - 1, sizeof(*v), by_order);
	}
	if (!m)
		return code;
	/* It is opened again, should someone ask. */
	pyd_dwarf_close(o->dwarf);
	o->dwarf = NULL;
	o->lines_loaded = false;
	return code;
}

enum pyd_code pyd_places_find_all(struct pyd_places *p, struct pyd_place_ask *v,
				  size_t n, struct pyd_err *err)
{
	/* The first that asks for each module, and for none. */
	size_t *first = calloc(p->modules->n + 1, sizeof(*first));
	enum pyd_code code = PYD_OK;

	if (!first)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		const struct pyd_nmodule *m = module_of(p, &v[i]);
		size_t k = m ? (size_t)(m - p->modules->v) : p->modules->n;

		if (!first[k])
			first[k] = i + 1;
		v[i].order = first[k];
		v[i].unit = 0;
	}
	free(first);
	if (n)
		qsort(v, n, sizeof(*v), by_order);
	for (size_t i = 0, k; i < n && !code; i = k) {
		for (k = i + 1; k < n && v[k].order == v[i].order; k++)
			;
		code = find_some(p, v + i, k - i, err);
	}
	return code;
}
