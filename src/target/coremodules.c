// SPDX-License-Identifier: Apache-2.0
/*
 * The mapped files of a core that is cut before its notes: gdb writes them
 * behind the memory. Modules begin with their headers, which are in the memory;
 * the dynamic linker's list has their names, and the top of the main stack that
 * of the program. What a name leads to is proved later, by build id.
 */
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/arch.h"
#include "target/core_private.h"

enum {
	PAGE = 4096,
	MODULES_MAX = 2048,
	PHDRS_MAX = 64,
	PATH_BYTES = 512,
	DYNAMIC_MAX = 256,
	LINKS_MAX = 4096,
};

struct module {
	pyd_addr bias;
	pyd_addr dynamic;
	uint64_t dynamic_size;
	Elf64_Phdr ph[PHDRS_MAX];
	size_t nph;
};

static bool read_at(struct pyd_core *c, pyd_addr addr, void *buf, size_t len)
{
	struct pyd_err ignored;

	return !pyd_target_read(&c->base, addr, buf, len, &ignored);
}

static char *name_at(struct pyd_core *c, size_t i)
{
	return c->names + i * PATH_BYTES;
}

/* A module whose headers begin a segment. */
static bool read_module(struct pyd_core *c, pyd_addr at, struct module *ret)
{
	struct module m = { 0 };
	Elf64_Ehdr eh;
	bool first = false;

	if (at % PAGE || !read_at(c, at, &eh, sizeof(eh)) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_machine != pyd_arch_elf_machine ||
	    (eh.e_type != ET_EXEC && eh.e_type != ET_DYN) ||
	    eh.e_phentsize != sizeof(*m.ph) || eh.e_phnum > PHDRS_MAX ||
	    eh.e_phoff > PAGE ||
	    !read_at(c, at + eh.e_phoff, m.ph, eh.e_phnum * sizeof(*m.ph)))
		return false;
	m.nph = eh.e_phnum;
	for (size_t i = 0; i < m.nph && !first; i++) {
		first = m.ph[i].p_type == PT_LOAD && m.ph[i].p_offset < PAGE;
		m.bias = at - (m.ph[i].p_vaddr & ~(PAGE - 1ULL));
	}
	for (size_t i = 0; i < m.nph; i++)
		if (m.ph[i].p_type == PT_DYNAMIC) {
			m.dynamic = m.bias + m.ph[i].p_vaddr;
			m.dynamic_size = m.ph[i].p_memsz;
		}
	*ret = m;
	return first;
}

/* Enters the module as file number i. */
static void map_module(struct pyd_core *c, const struct module *m, size_t i)
{
	for (size_t k = 0; k < m->nph; k++) {
		const Elf64_Phdr *ph = &m->ph[k];
		uint64_t in_page = ph->p_vaddr % PAGE;

		if (ph->p_type != PT_LOAD || !ph->p_filesz ||
		    ph->p_filesz > INT64_MAX / 2 ||
		    m->bias + ph->p_vaddr > INT64_MAX / 2 ||
		    ph->p_offset > INT64_MAX || ph->p_offset % PAGE != in_page)
			continue;
		c->mappings[c->nmappings++] = (struct pyd_core_mapping) {
			.start = m->bias + ph->p_vaddr - in_page,
			.end = (m->bias + ph->p_vaddr + ph->p_filesz + PAGE -
				1) &
			       ~(PAGE - 1ULL),
			.offset = ph->p_offset - in_page,
			.file = i,
		};
	}
}

/* The dynamic linker's list, by the entry that it fills in for debuggers; 0:
 * this is not the program. */
static pyd_addr list_of(struct pyd_core *c, const struct module *m)
{
	Elf64_Dyn dyn[DYNAMIC_MAX];
	size_t n = m->dynamic_size / sizeof(*dyn);
	pyd_addr list = 0;

	if (!n || n > DYNAMIC_MAX ||
	    !read_at(c, m->dynamic, dyn, n * sizeof(*dyn)))
		return 0;
	for (size_t i = 0; i < n && dyn[i].d_tag != DT_NULL; i++)
		if (dyn[i].d_tag == DT_DEBUG && dyn[i].d_un.d_ptr &&
		    !read_at(c,
			     dyn[i].d_un.d_ptr +
				     offsetof(struct r_debug, r_map),
			     &list, sizeof(list)))
			return 0;
	return list;
}

static void read_name(struct pyd_core *c, pyd_addr at, char *buf)
{
	struct pyd_err ignored;
	uint8_t cut;

	if (!at ||
	    pyd_target_read_cstr(&c->base, at, buf, PATH_BYTES, &cut,
				 &ignored) ||
	    cut)
		buf[0] = '\0';
}

/* Names of all that the list has. */
static void name_modules(struct pyd_core *c, const struct module *v, size_t n,
			 pyd_addr list)
{
	for (int k = 0; list && k < LINKS_MAX; k++) {
		struct link_map l;

		if (!read_at(c, list, &l, sizeof(l)))
			return;
		for (size_t i = 0; i < n; i++)
			if (v[i].dynamic == (pyd_addr)(uintptr_t)l.l_ld &&
			    !*name_at(c, i))
				read_name(c, (pyd_addr)(uintptr_t)l.l_name,
					  name_at(c, i));
		list = (pyd_addr)(uintptr_t)l.l_next;
	}
}

/* The main stack ends with the name that the program was started by, and a
 * word of zeros. */
static void name_program(struct pyd_core *c, char *buf)
{
	for (size_t i = c->nloads; i-- > 0;) {
		const struct pyd_core_load *l = &c->loads[i];
		char tail[PATH_BYTES + 8];
		size_t at = PATH_BYTES - 1;

		if (!(l->prot & PYD_PROT_W) ||
		    l->end - l->start < sizeof(tail) ||
		    !read_at(c, l->end - sizeof(tail), tail, sizeof(tail)))
			continue;
		if (memcmp(tail + PATH_BYTES, "\0\0\0\0\0\0\0", 8) != 0 ||
		    tail[at])
			continue;
		while (at && tail[at - 1])
			at--;
		if (tail[at] != '/')
			continue;
		memcpy(buf, tail + at, PATH_BYTES - at);
		return;
	}
}

enum pyd_code pyd_core_guess_files(struct pyd_core *c, struct pyd_err *err)
{
	struct module *v;
	size_t n = 0, program = SIZE_MAX;

	if (c->mappings)
		return PYD_OK;
	v = calloc(MODULES_MAX, sizeof(*v));
	c->names = calloc(MODULES_MAX, PATH_BYTES);
	c->mappings =
		calloc(MODULES_MAX * (size_t)PHDRS_MAX, sizeof(*c->mappings));
	c->info.files = calloc(MODULES_MAX, sizeof(*c->info.files));
	if (!v || !c->names || !c->mappings || !c->info.files) {
		free(v);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < c->nloads && n < MODULES_MAX; i++)
		n += read_module(c, c->loads[i].start, &v[n]);
	for (size_t i = 0; i < n && program == SIZE_MAX; i++) {
		pyd_addr list = list_of(c, &v[i]);

		if (!list)
			continue;
		program = i;
		name_modules(c, v, n, list);
		name_program(c, name_at(c, i));
		c->base.in_exe = v[i].bias + v[i].ph[0].p_vaddr;
	}
	for (size_t i = 0; i < n; i++) {
		c->info.files[i].path = name_at(c, i);
		c->info.files[i].fd = -1;
		/* --exe gives any file by its build id. */
		if (!*name_at(c, i))
			snprintf(name_at(c, i), PATH_BYTES,
				 "the %s at 0x%llx, whose name is cut off",
				 i == program ? "program" : "module",
				 (unsigned long long)v[i].bias);
		map_module(c, &v[i], i);
	}
	c->info.nfiles = n;
	free(v);
	return PYD_OK;
}
