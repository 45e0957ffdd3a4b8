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

static bool is_function(const GElf_Sym *sym, const char *name)
{
	unsigned int type = GELF_ST_TYPE(sym->st_info);

	/* Marks of some linkers and of the ARM ABI: $x, $d. */
	return sym->st_shndx != SHN_UNDEF && sym->st_shndx < SHN_LORESERVE &&
	       (type == STT_FUNC || type == STT_GNU_IFUNC ||
		type == STT_NOTYPE) &&
	       name && name[0] && name[0] != '$' &&
	       strnlen(name, MAX_NAME) < MAX_NAME;
}

static enum pyd_code add(struct pyd_symtab *s, const GElf_Sym *sym,
			 const char *name, struct pyd_err *err)
{
	struct pyd_function f = {
		.addr = sym->st_value,
		.size = sym->st_size,
		.name = (uint32_t)s->names.len,
		.rank = rank_of(sym->st_info, name),
	};
	enum pyd_code code;

	if (s->n >= MAX_SYMBOLS || s->names.len > UINT32_MAX - MAX_NAME)
		return PYD_OK;
	code = pyd_buf_append(&s->names, name, strlen(name) + 1, err);
	if (code)
		return code;
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 1024;
		struct pyd_function *v = reallocarray(s->v, cap, sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n++] = f;
	return PYD_OK;
}

static enum pyd_code add_table(struct pyd_symtab *s, Elf *elf, Elf_Scn *scn,
			       const GElf_Shdr *sh, struct pyd_err *err)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t n;

	if (!data || sh->sh_entsize != sizeof(Elf64_Sym))
		return PYD_OK;
	n = data->d_size / sizeof(Elf64_Sym);
	if (sh->sh_type == SHT_SYMTAB && n > 1)
		s->whole = true;
	for (size_t i = 1; i < n && i < MAX_SYMBOLS; i++) {
		enum pyd_code code;
		const char *name;
		GElf_Sym sym;

		if (!gelf_getsym(data, (int)i, &sym))
			break;
		name = elf_strptr(elf, sh->sh_link, sym.st_name);
		if (!is_function(&sym, name))
			continue;
		/* Labels of code come without a type; so do others. */
		if (GELF_ST_TYPE(sym.st_info) == STT_NOTYPE) {
			Elf_Scn *in = elf_getscn(elf, sym.st_shndx);
			GElf_Shdr where;

			if (!in || !gelf_getshdr(in, &where) ||
			    !(where.sh_flags & SHF_EXECINSTR))
				continue;
		}
		code = add(s, &sym, name, err);
		if (code)
			return code;
	}
	return PYD_OK;
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

enum pyd_code pyd_symtab_add_memory(struct pyd_symtab *s, struct pyd_target *t,
				    const struct pyd_module *mod,
				    struct pyd_err *err)
{
	struct pyd_err ignored;
	struct dynamic d;

	/* Linkers put the names right behind the symbols; the table itself
	 * does not say how long it is. */
	if (!read_dynamic(t, mod, &d) || d.strtab <= d.symtab)
		return PYD_OK;
	for (uint64_t i = 1;
	     i < (d.strtab - d.symtab) / sizeof(Elf64_Sym) && i < DYNSYMS_MAX;
	     i++) {
		char name[1024];
		enum pyd_code code;
		Elf64_Sym sym;
		uint8_t cut;

		if (pyd_target_read(t, d.symtab + i * sizeof(sym), &sym,
				    sizeof(sym), &ignored))
			break;
		if (sym.st_name >= d.strsz || !sym.st_size ||
		    ELF64_ST_TYPE(sym.st_info) == STT_NOTYPE ||
		    pyd_target_read_cstr(t, d.strtab + sym.st_name, name,
					 sizeof(name), &cut, &ignored) ||
		    cut || !is_function((GElf_Sym *)&sym, name))
			continue;
		code = add(s, (GElf_Sym *)&sym, name, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* -- looking up -- */

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
	return (x->name > y->name) - (x->name < y->name);
}

void pyd_symtab_sort(struct pyd_symtab *s)
{
	size_t n = 0;

	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_addr);
	for (size_t i = 0; i < s->n; i++)
		if (!n || s->v[n - 1].addr != s->v[i].addr)
			s->v[n++] = s->v[i];
	s->n = n;
}

void pyd_symtab_deinit(struct pyd_symtab *s)
{
	free(s->v);
	pyd_buf_deinit(&s->names);
	*s = (struct pyd_symtab) { 0 };
}

const struct pyd_function *pyd_symtab_find(const struct pyd_symtab *s,
					   uint64_t addr)
{
	const struct pyd_function *f;
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->v[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	f = &s->v[lo - 1];
	/* A stripped file names few functions: what lies behind the end of
	 * one is another, which has no name here. */
	if (f->size)
		return addr - f->addr < f->size ? f : NULL;
	return s->whole && addr - f->addr < UNSIZED_MAX ? f : NULL;
}
