// SPDX-License-Identifier: Apache-2.0
#include "native/module.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target/arch.h"

enum {
	MAX_PHDRS = 256,
	/* Encodings of .eh_frame_hdr that linkers write (LSB, 10.6.2). */
	ENC_UDATA4 = 0x03,
	ENC_DATAREL_SDATA4 = 0x3b,
	FDES_MAX = 1 << 24,
};

/* The binary search table; anything else but what linkers write is none. */
static void read_hdr(struct pyd_target *t, struct pyd_nmodule *m, pyd_addr addr,
		     uint64_t size)
{
	struct {
		uint8_t version, ptr_enc, count_enc, table_enc;
		int32_t ptr;
		uint32_t count;
	} h;
	struct pyd_err ignored;

	if (size < sizeof(h) || addr < m->mod.start || addr >= m->mod.end ||
	    pyd_target_read(t, addr, &h, sizeof(h), &ignored))
		return;
	/* The pointer to .eh_frame has four bytes in whatever it is relative
	 * to; nothing here needs it. */
	if (h.version != 1 || (h.ptr_enc & 0x0f) != 0x0b ||
	    h.count_enc != ENC_UDATA4 || h.table_enc != ENC_DATAREL_SDATA4 ||
	    !h.count || h.count > FDES_MAX || h.count > (size - sizeof(h)) / 8)
		return;
	m->hdr = addr;
	m->table = addr + sizeof(h);
	m->nfdes = h.count;
}

/* Reads the program headers at mod->start. False when there are none. */
static bool read_phdrs(struct pyd_target *t, struct pyd_nmodule *m)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	Elf64_Phdr ph[MAX_PHDRS];
	struct pyd_err ignored;
	Elf64_Ehdr eh;

	if (pyd_target_read(t, m->mod.start, &eh, sizeof(eh), &ignored) ||
	    memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_machine != pyd_arch_elf_machine ||
	    eh.e_phentsize != sizeof(*ph) || !eh.e_phnum ||
	    eh.e_phnum > MAX_PHDRS || eh.e_phoff > 1U << 20 ||
	    pyd_target_read(t, m->mod.start + eh.e_phoff, ph,
			    eh.e_phnum * sizeof(*ph), &ignored))
		return false;
	for (unsigned int i = 0; m->vdso && i < eh.e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD && !(ph[i].p_offset & ~(page - 1)))
			m->mod.bias =
				m->mod.start - (ph[i].p_vaddr & ~(page - 1));
	}
	for (unsigned int i = 0; i < eh.e_phnum; i++)
		if (ph[i].p_type == PT_GNU_EH_FRAME)
			read_hdr(t, m, m->mod.bias + ph[i].p_vaddr,
				 ph[i].p_memsz);
	return true;
}

static int by_start(const void *a, const void *b)
{
	const struct pyd_nmodule *x = a;
	const struct pyd_nmodule *y = b;

	return (x->mod.start > y->mod.start) - (x->mod.start < y->mod.start);
}

enum pyd_code pyd_nmodules_load(struct pyd_target *t,
				const struct pyd_process *p,
				struct pyd_nmodules *ret, struct pyd_err *err)
{
	struct pyd_nmodules m = { 0 };
	enum pyd_code code = pyd_modules_load(t, p, &m.elf, err);

	if (code)
		return code;
	m.v = calloc(m.elf.n + 1, sizeof(*m.v));
	if (!m.v) {
		pyd_nmodules_deinit(&m);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < m.elf.n; i++) {
		m.v[m.n].mod = m.elf.v[i];
		m.n += read_phdrs(t, &m.v[m.n]);
	}
	for (size_t i = 0; i < t->nregions; i++) {
		const struct pyd_region *r = &t->regions[i];
		struct pyd_nmodule *v = &m.v[m.n];

		if (strcmp(r->path, "[vdso]") != 0)
			continue;
		*v = (struct pyd_nmodule) {
			.vdso = true,
			.mod = { .path = "[vdso]",
				 .start = r->start,
				 .end = r->end,
				 .is_pie = 1 },
		};
		m.n += read_phdrs(t, v);
		break;
	}
	qsort(m.v, m.n, sizeof(*m.v), by_start);
	*ret = m;
	return PYD_OK;
}

void pyd_nmodules_deinit(struct pyd_nmodules *m)
{
	free(m->v);
	pyd_modules_deinit(&m->elf);
	*m = (struct pyd_nmodules) { 0 };
}

const struct pyd_nmodule *pyd_nmodules_find(const struct pyd_nmodules *m,
					    pyd_addr addr)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->v[mid].mod.start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && addr < m->v[lo - 1].mod.end ? &m->v[lo - 1] : NULL;
}
