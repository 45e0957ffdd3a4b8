// SPDX-License-Identifier: Apache-2.0
#include "native/symtab.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_SECTIONS = 65536,
	MAX_SYMBOLS = 1 << 21, /* of one module */
	MAX_NAME = 16384,
	/* What a function of unknown size may have: hand-written assembly. */
	UNSIZED_MAX = 4096,
	DYNSYMS_MAX = 1 << 18,
	DYNSTR_MAX = 64 << 20,
	READ_BYTES = 1 << 16,
	/* Addresses that are looked up before it is worth to sort. */
	SCANS = 8,
};

/* One symbol table. */
struct pyd_symbols {
	const Elf64_Sym *v;
	size_t n;
	const char *names;
	size_t names_len;
	Elf *elf;	/* to tell what a section holds; NULL: out of memory */
	void *owned[2]; /* v and names, where they are copies */
};

/* Of several names for one place: what the linker exports first, then what
 * reads best. */
static uint8_t rank_of(unsigned char info, const char *name)
{
	unsigned int rank = 0;

	switch (GELF_ST_BIND(info)) {
	case STB_GLOBAL:
	case STB_GNU_UNIQUE:
		break;
	case STB_WEAK:
		rank = 16;
		break;
	default:
		rank = 32;
		break;
	}
	if (GELF_ST_TYPE(info) == STT_NOTYPE)
		rank += 64;
	while (*name == '_' && rank % 16 < 3) {
		name++;
		rank++;
	}
	return (uint8_t)rank;
}

/* The name, if it is that of a function. */
static const char *function_name(const struct pyd_symbols *t,
				 const Elf64_Sym *sym)
{
	unsigned int type = ELF64_ST_TYPE(sym->st_info);
	const char *name;
	size_t room;

	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx >= SHN_LORESERVE ||
	    (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) ||
	    sym->st_name >= t->names_len)
		return NULL;
	name = t->names + sym->st_name;
	room = t->names_len - sym->st_name;
	room = room < MAX_NAME ? room : MAX_NAME;
	/* Marks of some linkers and of the ARM ABI: $x, $d. */
	if (!name[0] || name[0] == '$' || strnlen(name, room) == room)
		return NULL;
	/* In memory nothing tells what a section holds. */
	if (!t->elf)
		return type != STT_NOTYPE && sym->st_size ? name : NULL;
	/* Labels of code come without a type; so do others. */
	if (type == STT_NOTYPE) {
		Elf_Scn *in = elf_getscn(t->elf, sym->st_shndx);
		GElf_Shdr where;

		if (!in || !gelf_getshdr(in, &where) ||
		    !(where.sh_flags & SHF_EXECINSTR))
			return NULL;
	}
	return name;
}

/* -- tables -- */

static enum pyd_code add(struct pyd_symtab *s, const struct pyd_symbols *t,
			 struct pyd_err *err)
{
	struct pyd_symbols *v =
		reallocarray(s->tables, s->ntables + 1, sizeof(*v));

	if (!v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	s->tables = v;
	v[s->ntables] = *t;
	if (t->n > MAX_SYMBOLS)
		v[s->ntables].n = MAX_SYMBOLS;
	s->ntables++;
	return PYD_OK;
}

enum pyd_code pyd_symtab_add_symbols(struct pyd_symtab *s, const Elf64_Sym *v,
				     size_t n, const char *names, size_t len,
				     struct pyd_err *err)
{
	const struct pyd_symbols t = {
		.v = v,
		.n = n,
		.names = names,
		.names_len = len,
	};

	return add(s, &t, err);
}

static enum pyd_code add_table(struct pyd_symtab *s, Elf *elf, Elf_Scn *scn,
			       const GElf_Shdr *sh, struct pyd_err *err)
{
	Elf_Data *data, *names;
	Elf_Scn *strings = elf_getscn(elf, sh->sh_link);

	if (sh->sh_entsize != sizeof(Elf64_Sym) ||
	    sh->sh_flags & SHF_COMPRESSED || !strings)
		return PYD_OK;
	data = elf_getdata(scn, NULL);
	names = elf_getdata(strings, NULL);
	if (!data || !data->d_buf || !names || !names->d_buf)
		return PYD_OK;

	const struct pyd_symbols t = {
		.v = data->d_buf,
		.n = data->d_size / sizeof(Elf64_Sym),
		.names = names->d_buf,
		.names_len = names->d_size,
		.elf = elf,
	};

	if (sh->sh_type == SHT_SYMTAB && t.n > 1)
		s->whole = true;
	return add(s, &t, err);
}

enum pyd_code pyd_symtab_add(struct pyd_symtab *s, Elf *elf,
			     struct pyd_err *err)
{
	Elf_Scn *scn = NULL;

	for (size_t i = 0; i < MAX_SECTIONS; i++) {
		enum pyd_code code;
		GElf_Shdr sh;

		scn = elf_nextscn(elf, scn);
		if (!scn)
			break;
		if (!gelf_getshdr(scn, &sh) ||
		    (sh.sh_type != SHT_SYMTAB && sh.sh_type != SHT_DYNSYM))
			continue;
		code = add_table(s, elf, scn, &sh, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* -- without a file -- */

struct dynamic {
	pyd_addr symtab;
	pyd_addr strtab;
	uint64_t strsz;
};

static bool read_dynamic(struct pyd_target *t, const struct pyd_module *mod,
			 struct dynamic *ret)
{
	struct pyd_err ignored;
	struct dynamic d = { 0 };
	Elf64_Dyn page[64];
	uint64_t n = mod->dynamic_size / sizeof(page[0]);

	n = n < 64 ? n : 64;
	if (!mod->dynamic || pyd_target_read(t, mod->dynamic, page,
					     n * sizeof(page[0]), &ignored))
		return false;
	for (uint64_t i = 0; i < n && page[i].d_tag != DT_NULL; i++) {
		uint64_t v = page[i].d_un.d_val;
		/* glibc's loader makes these absolute in place. */
		pyd_addr at =
			v >= mod->start && v < mod->end ? v : v + mod->bias;

		if (page[i].d_tag == DT_SYMTAB)
			d.symtab = at;
		else if (page[i].d_tag == DT_STRTAB)
			d.strtab = at;
		else if (page[i].d_tag == DT_STRSZ)
			d.strsz = v;
	}
	*ret = d;
	return d.symtab && d.strtab && d.strsz;
}

/* As much of it as is readable; *ret_len bytes. NULL: no memory. */
static void *read_some(struct pyd_target *t, pyd_addr addr, uint64_t len,
		       size_t *ret_len)
{
	struct pyd_err ignored;
	uint8_t *buf = malloc(len);
	uint64_t n = 0;

	while (buf && n < len) {
		size_t more =
			len - n < READ_BYTES ? (size_t)(len - n) : READ_BYTES;

		if (pyd_target_read(t, addr + n, buf + n, more, &ignored))
			break;
		n += more;
	}
	*ret_len = (size_t)n;
	return buf;
}

enum pyd_code pyd_symtab_add_memory(struct pyd_symtab *s, struct pyd_target *t,
				    const struct pyd_module *mod,
				    struct pyd_err *err)
{
	struct pyd_symbols found = { 0 };
	enum pyd_code code = PYD_OK;
	struct dynamic d;
	uint64_t n;
	size_t len;

	/* Linkers put the names right behind the symbols; the table itself
	 * does not say how long it is. */
	if (!read_dynamic(t, mod, &d) || d.strtab <= d.symtab)
		return PYD_OK;
	n = (d.strtab - d.symtab) / sizeof(Elf64_Sym);
	n = n < DYNSYMS_MAX ? n : DYNSYMS_MAX;
	found.owned[0] = read_some(t, d.symtab, n * sizeof(Elf64_Sym), &len);
	found.v = found.owned[0];
	found.n = len / sizeof(Elf64_Sym);
	found.owned[1] = read_some(
		t, d.strtab, d.strsz < DYNSTR_MAX ? d.strsz : DYNSTR_MAX, &len);
	found.names = found.owned[1];
	found.names_len = len;
	if (!found.v || !found.names)
		code = pyd_err_set(err, PYD_NOMEM, "out of memory");
	if (!code)
		code = add(s, &found, err);
	if (code) {
		free(found.owned[0]);
		free(found.owned[1]);
	}
	return code;
}

void pyd_symtab_deinit(struct pyd_symtab *s)
{
	for (size_t i = 0; i < s->ntables; i++) {
		free(s->tables[i].owned[0]);
		free(s->tables[i].owned[1]);
	}
	free(s->tables);
	free(s->v);
	*s = (struct pyd_symtab) { 0 };
}

/* -- looking up -- */

static struct pyd_function function_of(const Elf64_Sym *sym, const char *name,
				       size_t order)
{
	return (struct pyd_function) {
		.addr = sym->st_value,
		.size = sym->st_size,
		.name = name,
		.order = (uint32_t)order,
		.rank = rank_of(sym->st_info, name),
	};
}

/* By address; of one address the best comes first. */
static int by_addr(const void *a, const void *b)
{
	const struct pyd_function *x = a;
	const struct pyd_function *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (!x->size != !y->size)
		return x->size ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

bool pyd_symtab_any(const struct pyd_symtab *s)
{
	for (size_t k = 0; k < s->ntables; k++)
		for (size_t i = 1; i < s->tables[k].n; i++)
			if (function_name(&s->tables[k], &s->tables[k].v[i]))
				return true;
	return false;
}

/* The best that begins at addr or before. */
static bool scan(const struct pyd_symtab *s, uint64_t addr,
		 struct pyd_function *ret)
{
	struct pyd_function best = { 0 };
	size_t before = 0;

	for (size_t k = 0; k < s->ntables; k++) {
		const struct pyd_symbols *t = &s->tables[k];

		for (size_t i = 1; i < t->n; i++) {
			const Elf64_Sym *sym = &t->v[i];
			struct pyd_function f;
			const char *name;

			if (sym->st_value > addr || sym->st_value < best.addr)
				continue;
			name = function_name(t, sym);
			if (!name)
				continue;
			f = function_of(sym, name, before + i);
			if (!best.name || f.addr > best.addr ||
			    by_addr(&f, &best) < 0)
				best = f;
		}
		before += t->n;
	}
	*ret = best;
	return best.name;
}

static bool push(struct pyd_symtab *s, const struct pyd_function *f)
{
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 1024;
		struct pyd_function *v = reallocarray(s->v, cap, sizeof(*v));

		if (!v)
			return false;
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n++] = *f;
	return true;
}

static void sort(struct pyd_symtab *s)
{
	size_t before = 0, n = 0;

	for (size_t k = 0; k < s->ntables; k++) {
		const struct pyd_symbols *t = &s->tables[k];

		for (size_t i = 1; i < t->n; i++) {
			const char *name = function_name(t, &t->v[i]);
			struct pyd_function f;

			if (!name)
				continue;
			f = function_of(&t->v[i], name, before + i);
			if (push(s, &f))
				continue;
			/* It goes on without. */
			free(s->v);
			s->v = NULL;
			s->n = s->cap = 0;
			return;
		}
		before += t->n;
	}
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_addr);
	for (size_t i = 0; i < s->n; i++)
		if (!n || s->v[n - 1].addr != s->v[i].addr)
			s->v[n++] = s->v[i];
	s->n = n;
}

static bool search(const struct pyd_symtab *s, uint64_t addr,
		   struct pyd_function *ret)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->v[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo)
		*ret = s->v[lo - 1];
	return lo;
}

bool pyd_symtab_find(struct pyd_symtab *s, uint64_t addr,
		     struct pyd_function *ret)
{
	struct pyd_function f;

	if (s->asked < SCANS && ++s->asked == SCANS)
		sort(s);
	if (!(s->v ? search(s, addr, &f) : scan(s, addr, &f)))
		return false;
	/* A stripped file names few functions: what lies behind the end of
	 * one is another, which has no name here. */
	if (f.size ? addr - f.addr >= f.size
		   : !s->whole || addr - f.addr >= UNSIZED_MAX)
		return false;
	*ret = f;
	return true;
}
