// SPDX-License-Identifier: Apache-2.0
/* Modules and exported symbols, out of the target's memory. */
#include "target/elf.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/arch.h"

enum {
	MAX_PHDRS = 256,
	MAX_DYNAMIC = 65536, /* bytes */
	MAX_NOTES = 65536,   /* bytes */
	MAX_CHAIN = 1 << 16,
	MAX_NAME = 256,
};

/* -- one module -- */

static bool good_header(const Elf64_Ehdr *e)
{
	return !memcmp(e->e_ident, ELFMAG, SELFMAG) &&
	       e->e_ident[EI_CLASS] == ELFCLASS64 &&
	       e->e_ident[EI_DATA] == ELFDATA2LSB &&
	       (e->e_type == ET_EXEC || e->e_type == ET_DYN) &&
	       e->e_machine == pyd_arch_elf_machine &&
	       e->e_phentsize == sizeof(Elf64_Phdr) && e->e_phnum &&
	       e->e_phnum <= MAX_PHDRS && e->e_phoff <= 1U << 20;
}

static void read_build_id(struct pyd_target *t, struct pyd_module *mod,
			  pyd_addr addr, uint64_t size)
{
	uint8_t buf[4096];
	struct pyd_err ignored;

	size = size < sizeof(buf) ? size : sizeof(buf);
	if (pyd_target_read(t, addr, buf, size, &ignored))
		return;
	for (uint64_t at = 0; size - at >= sizeof(Elf64_Nhdr);) {
		Elf64_Nhdr n;

		memcpy(&n, buf + at, sizeof(n));
		at += sizeof(n);

		uint64_t name = ((uint64_t)n.n_namesz + 3) & ~3ULL;
		uint64_t desc = ((uint64_t)n.n_descsz + 3) & ~3ULL;

		if (name > size - at || desc > size - at - name)
			return;
		if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 &&
		    !memcmp(buf + at, "GNU", 4) && n.n_descsz &&
		    n.n_descsz <= sizeof(mod->build_id)) {
			memcpy(mod->build_id, buf + at + name, n.n_descsz);
			mod->build_id_len = (uint8_t)n.n_descsz;
			return;
		}
		at += name + desc;
	}
}

/*
 * A file can also be mapped as data, whole, by a program that looks into it
 * (ctypes.util, debuggers). Then segments do not lie where a loader puts them.
 */
static bool segment_is_mapped(const struct pyd_target *t,
			      const struct pyd_region *first,
			      const Elf64_Phdr *ph, uint64_t bias,
			      uint64_t page)
{
	pyd_addr at = (bias + ph->p_vaddr) & ~(page - 1);
	const struct pyd_region *r = pyd_target_region(t, at);

	if (!ph->p_filesz)
		return true;
	if (!r)
		return false;
	if (r->inode != first->inode || r->dev != first->dev)
		/* Some programs move their text to huge pages. */
		return !r->inode && ph->p_flags & PF_X;
	return r->file_offset + (at - r->start) == (ph->p_offset & ~(page - 1));
}

/* False when there is no module at the region. */
static bool read_module(struct pyd_target *t, const struct pyd_region *r,
			struct pyd_module *ret)
{
	struct pyd_module mod = {
		.path = r->path,
		.dev = r->dev,
		.inode = r->inode,
		.start = r->start,
		.deleted = r->deleted,
	};
	Elf64_Ehdr eh;
	Elf64_Phdr ph[MAX_PHDRS];
	struct pyd_err ignored;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (pyd_target_read(t, r->start, &eh, sizeof(eh), &ignored) ||
	    !good_header(&eh) ||
	    pyd_target_read(t, r->start + eh.e_phoff, ph,
			    eh.e_phnum * sizeof(*ph), &ignored))
		return false;

	/* The load bias comes from the segment that holds file offset 0: a
	 * file offset is not an address. */
	bool found = false;

	for (unsigned int i = 0; i < eh.e_phnum && !found; i++) {
		if (ph[i].p_type != PT_LOAD || ph[i].p_offset & ~(page - 1))
			continue;
		mod.bias = r->start - (ph[i].p_vaddr & ~(page - 1));
		found = true;
	}
	if (!found)
		return false;
	mod.is_pie = eh.e_type == ET_DYN;

	uint64_t limit = 0;

	for (unsigned int i = 0; i < eh.e_phnum; i++) {
		if (ph[i].p_type != PT_LOAD)
			continue;
		if (ph[i].p_memsz > INT64_MAX || ph[i].p_vaddr > INT64_MAX ||
		    !segment_is_mapped(t, r, &ph[i], mod.bias, page))
			return false;
		if (ph[i].p_vaddr + ph[i].p_memsz > limit)
			limit = ph[i].p_vaddr + ph[i].p_memsz;
	}
	mod.end = mod.bias + limit;
	if (mod.end < mod.start)
		return false;
	for (unsigned int i = 0; i < eh.e_phnum; i++) {
		if (ph[i].p_type == PT_DYNAMIC) {
			mod.dynamic = mod.bias + ph[i].p_vaddr;
			mod.dynamic_size = ph[i].p_memsz;
		}
		if (ph[i].p_type == PT_NOTE && !mod.build_id_len)
			read_build_id(t, &mod, mod.bias + ph[i].p_vaddr,
				      ph[i].p_memsz);
	}
	*ret = mod;
	return true;
}

/* -- all modules -- */

static void mark_exe(struct pyd_modules *m)
{
	char path[64];
	char link[4096];
	struct stat st;
	struct pyd_err ignored;

	if (!m->process) {
		pyd_addr at = m->target->in_exe;

		for (size_t i = 0; at && i < m->n; i++)
			if (at >= m->v[i].start && at < m->v[i].end)
				m->v[i].is_exe = 1;
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/exe", m->process->pid);
	for (size_t i = 0; !stat(path, &st) && i < m->n; i++) {
		if (m->v[i].inode == st.st_ino && m->v[i].dev == st.st_dev) {
			m->v[i].is_exe = 1;
			return;
		}
	}
	/* Some file systems (overlay, btrfs) show another device in maps. */
	if (pyd_procfs_link(m->process->pid, "exe", link, sizeof(link),
			    &ignored))
		return;

	char *deleted = strstr(link, " (deleted)");

	if (deleted && !deleted[10])
		*deleted = 0;
	for (size_t i = 0; i < m->n; i++) {
		if (!strcmp(m->v[i].path, link)) {
			m->v[i].is_exe = 1;
			return;
		}
	}
}

/* Regions can be read again, modules live on: they own their paths. */
static enum pyd_code own_paths(struct pyd_modules *m, struct pyd_err *err)
{
	size_t len = 0;

	for (size_t i = 0; i < m->n; i++)
		len += strlen(m->v[i].path) + 1;
	m->paths = malloc(len ? len : 1);
	if (!m->paths)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");

	char *to = m->paths;

	for (size_t i = 0; i < m->n; i++) {
		size_t n = strlen(m->v[i].path) + 1;

		memcpy(to, m->v[i].path, n);
		m->v[i].path = to;
		to += n;
	}
	return PYD_OK;
}

enum pyd_code pyd_modules_load(struct pyd_target *t,
			       const struct pyd_process *p,
			       struct pyd_modules *ret, struct pyd_err *err)
{
	struct pyd_modules m = { .target = t, .process = p };
	size_t candidates = 0;

	for (size_t i = 0; i < t->nregions; i++)
		candidates += t->regions[i].inode && !t->regions[i].file_offset;
	m.v = calloc(candidates ? candidates : 1, sizeof(*m.v));
	if (!m.v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; i < t->nregions; i++) {
		const struct pyd_region *r = &t->regions[i];

		if (r->inode && !r->file_offset && r->prot & PYD_PROT_R &&
		    strncmp(r->path, "/dev/", 5))
			m.n += read_module(t, r, &m.v[m.n]);
	}

	enum pyd_code code = own_paths(&m, err);

	if (code) {
		pyd_modules_deinit(&m);
		return code;
	}
	mark_exe(&m);
	*ret = m;
	return PYD_OK;
}

void pyd_modules_deinit(struct pyd_modules *m)
{
	free(m->v);
	free(m->paths);
	*m = (struct pyd_modules) { 0 };
}

void pyd_module_build_id_hex(const struct pyd_module *mod, char *buf,
			     size_t cap)
{
	if (cap)
		buf[0] = 0;
	for (size_t i = 0; i < mod->build_id_len && 2 * i + 3 <= cap; i++)
		snprintf(buf + 2 * i, 3, "%02x", mod->build_id[i]);
}

const char *pyd_symbol_source_name(enum pyd_symbol_source s)
{
	switch (s) {
	case PYD_SYMBOL_DYNAMIC:
		return "dynamic symbol in memory";
	case PYD_SYMBOL_FILE:
		return "symbol of the file";
	case PYD_SYMBOL_SECTION:
		return "section of the file";
	}
	return "unknown";
}

/* -- exported symbols -- */

struct dynamic {
	pyd_addr symtab;
	pyd_addr strtab;
	uint64_t strsz;
	pyd_addr hash;
	pyd_addr gnu_hash;
};

/* glibc's loader makes these absolute in place, musl's leaves them. */
static pyd_addr absolute(const struct pyd_module *mod, uint64_t value)
{
	return value >= mod->start && value < mod->end ? value
						       : value + mod->bias;
}

static enum pyd_code read_dynamic(const struct pyd_modules *m,
				  const struct pyd_module *mod,
				  struct dynamic *ret, struct pyd_err *err)
{
	struct dynamic d = { 0 };
	Elf64_Dyn page[64];
	uint64_t size = mod->dynamic_size < MAX_DYNAMIC ? mod->dynamic_size
							: MAX_DYNAMIC;
	uint64_t count = size / sizeof(Elf64_Dyn);
	bool end = false;

	if (!mod->dynamic)
		return pyd_err_set(err, PYD_NOTFOUND,
				   "%s has no dynamic section", mod->path);
	for (uint64_t i = 0; i < count && !end; i += 64) {
		uint64_t n = count - i < 64 ? count - i : 64;
		enum pyd_code code = pyd_target_read(
			m->target, mod->dynamic + i * sizeof(Elf64_Dyn), page,
			n * sizeof(Elf64_Dyn), err);

		if (code)
			return code;
		for (uint64_t j = 0; j < n && !end; j++) {
			uint64_t value = page[j].d_un.d_val;

			switch (page[j].d_tag) {
			case DT_NULL:
				end = true;
				break;
			case DT_SYMTAB:
				d.symtab = absolute(mod, value);
				break;
			case DT_STRTAB:
				d.strtab = absolute(mod, value);
				break;
			case DT_STRSZ:
				d.strsz = value;
				break;
			case DT_HASH:
				d.hash = absolute(mod, value);
				break;
			case DT_GNU_HASH:
				d.gnu_hash = absolute(mod, value);
				break;
			default:
				break;
			}
		}
	}
	if (!d.symtab || !d.strtab || (!d.hash && !d.gnu_hash))
		return pyd_err_set(err, PYD_NOTFOUND, "%s exports no symbols",
				   mod->path);
	*ret = d;
	return PYD_OK;
}

/* True when symbol number i is the one, and defined. */
static bool is_symbol(const struct pyd_modules *m, const struct dynamic *d,
		      uint32_t i, const char *name, Elf64_Sym *ret)
{
	char buf[MAX_NAME];
	struct pyd_err ignored;
	Elf64_Sym sym;
	size_t len = strlen(name) + 1;

	if (len > sizeof(buf) ||
	    pyd_target_read(m->target, d->symtab + (uint64_t)i * sizeof(sym),
			    &sym, sizeof(sym), &ignored) ||
	    sym.st_shndx == SHN_UNDEF || sym.st_name >= d->strsz ||
	    len > d->strsz - sym.st_name ||
	    ELF64_ST_TYPE(sym.st_info) == STT_TLS ||
	    pyd_target_read(m->target, d->strtab + sym.st_name, buf, len,
			    &ignored) ||
	    memcmp(buf, name, len))
		return false;
	*ret = sym;
	return true;
}

static bool find_gnu(const struct pyd_modules *m, const struct dynamic *d,
		     const char *name, Elf64_Sym *ret)
{
	struct {
		uint32_t nbuckets;
		uint32_t first;
		uint32_t bloom_words;
		uint32_t bloom_shift;
	} head;
	struct pyd_err ignored;
	uint32_t hash = 5381;

	for (const char *p = name; *p; p++)
		hash = hash * 33 + (unsigned char)*p;
	if (pyd_target_read(m->target, d->gnu_hash, &head, sizeof(head),
			    &ignored) ||
	    !head.nbuckets || !head.bloom_words)
		return false;

	pyd_addr bloom = d->gnu_hash + sizeof(head);
	uint64_t word;

	/* Most modules end here. */
	if (pyd_target_read_u64(
		    m->target,
		    bloom + (uint64_t)(hash / 64 % head.bloom_words) * 8, &word,
		    &ignored) ||
	    !(word >> (hash % 64) & 1) ||
	    !(word >> (hash >> (head.bloom_shift & 31)) % 64 & 1))
		return false;

	pyd_addr buckets = bloom + (uint64_t)head.bloom_words * 8;
	pyd_addr chains = buckets + (uint64_t)head.nbuckets * 4;
	uint32_t i;

	if (pyd_target_read(m->target,
			    buckets + (uint64_t)(hash % head.nbuckets) * 4, &i,
			    sizeof(i), &ignored) ||
	    i < head.first)
		return false;
	for (unsigned int steps = 0; steps < MAX_CHAIN; steps++, i++) {
		uint32_t h;

		if (pyd_target_read(m->target,
				    chains + (uint64_t)(i - head.first) * 4, &h,
				    sizeof(h), &ignored))
			return false;
		if ((h | 1) == (hash | 1) && is_symbol(m, d, i, name, ret))
			return true;
		if (h & 1)
			return false;
	}
	return false;
}

static bool find_sysv(const struct pyd_modules *m, const struct dynamic *d,
		      const char *name, Elf64_Sym *ret)
{
	uint32_t head[2]; /* buckets, chains */
	struct pyd_err ignored;
	uint32_t hash = 0;
	uint32_t i;

	for (const char *p = name; *p; p++) {
		hash = (hash << 4) + (unsigned char)*p;
		hash ^= (hash & 0xf0000000U) >> 24;
		hash &= 0x0fffffffU;
	}
	if (pyd_target_read(m->target, d->hash, head, sizeof(head), &ignored) ||
	    !head[0] ||
	    pyd_target_read(m->target,
			    d->hash + 8 + (uint64_t)(hash % head[0]) * 4, &i,
			    sizeof(i), &ignored))
		return false;
	for (unsigned int steps = 0; i && i < head[1] && steps < MAX_CHAIN;
	     steps++) {
		if (is_symbol(m, d, i, name, ret))
			return true;
		if (pyd_target_read(m->target,
				    d->hash + 8 + (uint64_t)head[0] * 4 +
					    (uint64_t)i * 4,
				    &i, sizeof(i), &ignored))
			return false;
	}
	return false;
}

enum pyd_code pyd_module_dynsym(const struct pyd_modules *m,
				const struct pyd_module *mod, const char *name,
				struct pyd_symbol *ret, struct pyd_err *err)
{
	struct dynamic d;
	Elf64_Sym sym;
	enum pyd_code code = read_dynamic(m, mod, &d, err);

	if (code)
		return pyd_code_is_local(code) ? PYD_NOTFOUND : code;
	if (!(d.gnu_hash && find_gnu(m, &d, name, &sym)) &&
	    !(d.hash && find_sysv(m, &d, name, &sym)))
		return pyd_err_set(err, PYD_NOTFOUND, "%s exports no %s",
				   mod->path, name);
	*ret = (struct pyd_symbol) {
		.addr = sym.st_value + mod->bias,
		.size = sym.st_size,
		.source = PYD_SYMBOL_DYNAMIC,
	};
	return PYD_OK;
}

enum pyd_code pyd_module_symbol(const struct pyd_modules *m,
				const struct pyd_module *mod, const char *name,
				struct pyd_symbol *ret, struct pyd_err *err)
{
	enum pyd_code code = pyd_module_dynsym(m, mod, name, ret, err);

	if (code != PYD_NOTFOUND)
		return code;
	return pyd_module_filesym(m, mod, name, NULL, ret, err);
}
