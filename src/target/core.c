// SPDX-License-Identifier: Apache-2.0
#include "target/core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/arch.h"
#include "target/core_private.h"
#include "target/unpack.h"

/* -- reading -- */

static enum pyd_code fault(pyd_addr addr, const char *why, struct pyd_err *err)
{
	return pyd_err_at(err, PYD_FAULT, addr, "%s, at 0x%llx", why,
			  (unsigned long long)addr);
}

/* The first load that ends above addr; nloads when there is none. */
static size_t seek(const struct pyd_core *c, pyd_addr addr)
{
	size_t lo = 0, hi = c->nloads;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr >= c->loads[mid].end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static enum pyd_code read_core(struct pyd_core *c, pyd_addr addr,
			       uint64_t offset, uint8_t *buf, size_t len,
			       struct pyd_err *err)
{
	while (len) {
		ssize_t n;

		if (offset >= c->info.have || len > c->info.have - offset)
			return fault(addr, "the core is cut short", err);
		n = pread(c->fd, buf, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fault(addr, "the core file cannot be read", err);
		if (!n)
			return fault(addr, "the core is cut short", err);
		addr += (size_t)n;
		offset += (size_t)n;
		buf += n;
		len -= (size_t)n;
	}
	return PYD_OK;
}

/* len bytes that the core does not have, in one region. */
static enum pyd_code read_absent(struct pyd_core *c, pyd_addr addr,
				 uint8_t *buf, size_t len, struct pyd_err *err)
{
	const struct pyd_region *r = pyd_target_region(&c->base, addr);
	size_t i = seek(c, addr);

	if (!r)
		return fault(addr, "nothing is mapped", err);
	if (i < c->nloads && addr >= c->loads[i].start && c->loads[i].unwritten)
		return fault(addr,
			     "gdb could not read this memory when it wrote the "
			     "core",
			     err);
	if (r->inode && c->with_files)
		return pyd_core_read_file(c, r, addr, buf, len, err);
	if (!(r->prot & PYD_PROT_R))
		return fault(addr, "nothing is mapped readable", err);
	return fault(addr, "the core leaves this memory out", err);
}

static enum pyd_code core_read(struct pyd_target *t, pyd_addr addr, void *buf,
			       size_t len, struct pyd_err *err)
{
	struct pyd_core *c = (struct pyd_core *)t;
	uint8_t *to = buf;

	while (len) {
		size_t i = seek(c, addr);
		const struct pyd_core_load *l =
			i < c->nloads ? &c->loads[i] : NULL;
		const struct pyd_region *r = pyd_target_region(t, addr);
		size_t n = len;
		enum pyd_code code;

		if (l && addr >= l->start && addr - l->start < l->size) {
			uint64_t at = addr - l->start;

			if (n > l->size - at)
				n = (size_t)(l->size - at);
			code = read_core(c, addr, l->offset + at, to, n, err);
		} else {
			/* Up to where the core has something again. */
			if (l && addr < l->start && n > l->start - addr)
				n = (size_t)(l->start - addr);
			if (r && n > r->end - addr)
				n = (size_t)(r->end - addr);
			code = read_absent(c, addr, to, n, err);
		}
		if (code)
			return code;
		addr += n;
		to += n;
		len -= n;
	}
	return PYD_OK;
}

static enum pyd_code core_open_file(struct pyd_target *t,
				    const struct pyd_region *r, int *ret,
				    struct pyd_err *err)
{
	struct pyd_core *c = (struct pyd_core *)t;
	const struct pyd_core_file *f;
	int fd;

	if (!r->inode || r->inode > c->info.nfiles)
		return pyd_err_set(err, PYD_NOTFOUND, "no file is mapped");
	f = &c->info.files[r->inode - 1];
	if (f->fd < 0)
		return pyd_err_set(err, PYD_NOTFOUND, "%s: %s", f->path,
				   f->why);
	fd = dup(f->fd);
	if (fd < 0)
		return pyd_err_errno(err, PYD_NOTFOUND, errno, "%s", f->path);
	*ret = fd;
	return PYD_OK;
}

static void core_destroy(struct pyd_target *t)
{
	struct pyd_core *c = (struct pyd_core *)t;

	for (size_t i = 0; i < c->info.nfiles; i++) {
		if (c->info.files[i].fd >= 0)
			close(c->info.files[i].fd);
		free(c->info.files[i].found);
	}
	free(c->info.files);
	free(c->info.auxv);
	pyd_threads_deinit(&c->info.threads);
	free(c->loads);
	free(c->mappings);
	free(c->regions);
	free(c->names);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

static const struct pyd_target_ops core_ops = {
	.name = "core",
	.read = core_read,
	.open_file = core_open_file,
	.destroy = core_destroy,
};

const struct pyd_core_info *pyd_target_core_info(const struct pyd_target *t)
{
	return t->ops == &core_ops ? &((const struct pyd_core *)t)->info : NULL;
}

/* -- the file -- */

static const char *machine_name(unsigned int machine)
{
	static const struct {
		unsigned int machine;
		const char *name;
	} names[] = {
		{ EM_X86_64, "x86-64" },  { EM_AARCH64, "aarch64" },
		{ EM_386, "32-bit x86" }, { EM_ARM, "32-bit ARM" },
		{ EM_PPC64, "POWER" },	  { EM_S390, "s390" },
		{ EM_RISCV, "RISC-V" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].machine == machine)
			return names[i].name;
	return "another";
}

/* Whether it is a core that we read. */
static enum pyd_code check_kind(const char *path, int fd, struct pyd_err *err)
{
	Elf64_Ehdr e;
	ssize_t n = pread(fd, &e, sizeof(e), 0);
	const char *machine;

	if (n < 20 || memcmp(e.e_ident, ELFMAG, SELFMAG))
		return pyd_err_set(err, PYD_FORMAT, "%s is not a core file: %s",
				   path,
				   n == 0 ? "it is empty"
					  : "it does not begin as an ELF file "
					    "does (nor is it compressed with "
					    "gzip, xz, zstd or lz4)");
	/* Type and machine stand at the same place in both classes. */
	if (e.e_ident[EI_DATA] == ELFDATA2LSB && e.e_type != ET_CORE)
		return pyd_err_set(
			err, PYD_FORMAT,
			"%s is not a core file but %s; give the core, and the "
			"program by --exe",
			path,
			e.e_type == ET_EXEC || e.e_type == ET_DYN
				? "a program or library"
				: "another ELF file");
	machine = e.e_ident[EI_DATA] == ELFDATA2LSB ? machine_name(e.e_machine)
						    : "a big-endian";
	if (e.e_ident[EI_DATA] != ELFDATA2LSB ||
	    e.e_machine != pyd_arch_elf_machine)
		return pyd_err_set(err, PYD_UNSUPPORTED,
				   "%s is of %s machine; this pydumpd reads "
				   "%s alone: run pydumpd on such a machine",
				   path, machine, pyd_arch_name);
	if (e.e_ident[EI_CLASS] != ELFCLASS64)
		return pyd_err_set(err, PYD_UNSUPPORTED,
				   "%s is of a 32-bit process; pydumpd reads "
				   "64-bit ones",
				   path);
	if (n < (ssize_t)sizeof(e))
		return pyd_err_set(err, PYD_FORMAT,
				   "%s is cut short within its header", path);
	return PYD_OK;
}

static int by_start(const void *a, const void *b)
{
	const struct pyd_core_load *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static void add_load(struct pyd_core *c, const GElf_Phdr *ph)
{
	struct pyd_core_load l = {
		.start = ph->p_vaddr,
		.offset = ph->p_offset,
		.size = ph->p_filesz,
	};

	if (!ph->p_memsz || ph->p_memsz > UINT64_MAX - ph->p_vaddr ||
	    ph->p_offset > INT64_MAX || ph->p_filesz > INT64_MAX)
		return;
	l.end = ph->p_vaddr + ph->p_memsz;
	if (l.size > ph->p_memsz)
		l.size = ph->p_memsz;
	l.prot = (ph->p_flags & PF_R ? (unsigned int)PYD_PROT_R : 0) |
		 (ph->p_flags & PF_W ? (unsigned int)PYD_PROT_W : 0) |
		 (ph->p_flags & PF_X ? (unsigned int)PYD_PROT_X : 0);
	if (l.offset + l.size > c->info.size)
		c->info.size = l.offset + l.size;
	c->loads[c->nloads++] = l;
}

/* More than 65534 segments are counted by a section header at the end, which
 * a core that is cut does not have. The notes come right behind the segments'
 * headers then. */
static size_t count_headers(const struct pyd_core *c, Elf *elf)
{
	size_t n = 0;
	GElf_Ehdr e;
	Elf64_Phdr first;

	if (!elf_getphdrnum(elf, &n) && n)
		return n;
	if (!gelf_getehdr(elf, &e) || e.e_phnum != PN_XNUM ||
	    pread(c->fd, &first, sizeof(first), (off_t)e.e_phoff) !=
		    sizeof(first) ||
	    first.p_type != PT_NOTE || first.p_offset < e.e_phoff)
		return e.e_phnum == PN_XNUM ? 0 : e.e_phnum;
	return (first.p_offset - e.e_phoff) / sizeof(first);
}

static enum pyd_code read_headers(struct pyd_core *c, const char *path,
				  Elf *elf, struct pyd_err *err)
{
	size_t n = count_headers(c, elf), out = 0;
	GElf_Ehdr e;
	enum pyd_code code = PYD_OK;

	if (!gelf_getehdr(elf, &e) || !n || n > PYD_CORE_LOADS_MAX ||
	    e.e_phentsize != sizeof(Elf64_Phdr))
		return pyd_err_set(err, PYD_FORMAT,
				   "%s is no core file that makes sense: it "
				   "has no segments",
				   path);
	c->loads = calloc(n, sizeof(*c->loads));
	if (!c->loads)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; i < n && !code; i++) {
		Elf64_Phdr raw;
		GElf_Phdr *ph = &raw;

		/* Read here: libelf gives none when the last is cut off. */
		if (pread(c->fd, &raw, sizeof(raw),
			  (off_t)(e.e_phoff + i * sizeof(raw))) !=
		    (ssize_t)sizeof(raw))
			return pyd_err_set(err, PYD_FORMAT,
					   "%s is cut short within its "
					   "headers: %llu bytes are there",
					   path,
					   (unsigned long long)c->info.have);
		if (ph->p_type == PT_LOAD)
			add_load(c, ph);
		if (ph->p_type != PT_NOTE)
			continue;
		if (ph->p_offset <= INT64_MAX && ph->p_filesz <= INT64_MAX &&
		    ph->p_offset + ph->p_filesz > c->info.size)
			c->info.size = ph->p_offset + ph->p_filesz;
		code = pyd_core_read_notes(c, elf, ph, err);
	}
	if (code)
		return code;
	if (c->nloads)
		qsort(c->loads, c->nloads, sizeof(*c->loads), by_start);
	for (size_t i = 0; i < c->nloads; i++)
		if (!out || c->loads[i].start >= c->loads[out - 1].end)
			c->loads[out++] = c->loads[i];
	c->nloads = out;
	c->info.cut = c->info.size > c->info.have || c->info.why_cut[0];
	/* gdb writes notes last, the kernel first: without them it is gdb's. */
	if (c->info.cut && !c->info.threads.n && c->nloads &&
	    c->loads[0].offset < c->info.have) {
		c->of_gdb = c->info.no_notes = true;
		code = pyd_core_guess_files(c, err);
		if (code)
			return code;
	}
	return pyd_core_end_notes(c, err);
}

/* -- regions -- */

static void add_region(struct pyd_core *c, pyd_addr start, pyd_addr end,
		       const struct pyd_core_load *l,
		       const struct pyd_core_mapping *m)
{
	const struct pyd_core_info *info = &c->info;
	pyd_addr vdso = pyd_core_auxv(info, AT_SYSINFO_EHDR);
	struct pyd_region *r = &c->regions[c->base.nregions++];

	*r = (struct pyd_region) {
		.start = start,
		.end = end,
		/* gcore leaves out what it takes to be in the file. */
		.prot = l ? l->prot : (unsigned int)PYD_PROT_R,
		.path = "",
	};
	if (m) {
		r->file_offset = m->offset + (start - m->start);
		r->inode = m->file + 1;
		r->path = info->files[m->file].path;
		r->deleted = m->deleted;
	} else if (vdso && vdso >= start && vdso < end) {
		r->path = "[vdso]";
	}
	if (m && (!l || l->size < l->end - l->start)) {
		uint64_t have = l && l->start + l->size > start
					? l->start + l->size - start
					: 0;

		if (have < end - start)
			info->files[m->file].absent += end - start - have;
	}
}

/* Segments and mapped files, cut at each other's ends. */
static enum pyd_code make_regions(struct pyd_core *c, struct pyd_err *err)
{
	size_t i = 0, k = 0;
	pyd_addr at = 0;

	c->regions =
		calloc(2 * (c->nloads + c->nmappings) + 1, sizeof(*c->regions));
	if (!c->regions)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	while (i < c->nloads || k < c->nmappings) {
		const struct pyd_core_load *l =
			i < c->nloads ? &c->loads[i] : NULL;
		const struct pyd_core_mapping *m =
			k < c->nmappings ? &c->mappings[k] : NULL;
		pyd_addr end;

		if (l && l->end <= at) {
			i++;
			continue;
		}
		if (m && m->end <= at) {
			k++;
			continue;
		}
		/* Where the next one begins that is not entered yet. */
		if (!(l && l->start <= at) && !(m && m->start <= at)) {
			at = l && (!m || l->start < m->start) ? l->start
							      : m->start;
			continue;
		}
		end = UINT64_MAX;
		if (l)
			end = l->start <= at ? l->end : l->start;
		if (m && m->start <= at && m->end < end)
			end = m->end;
		if (m && m->start > at && m->start < end)
			end = m->start;
		add_region(c, at, end, l && l->start <= at ? l : NULL,
			   m && m->start <= at ? m : NULL);
		at = end;
	}
	c->base.regions = c->regions;
	return PYD_OK;
}

/* -- making one -- */

static enum pyd_code load(struct pyd_core *c,
			  const struct pyd_core_options *opts,
			  struct pyd_err *err)
{
	struct pyd_unpacked u;
	struct stat st;
	enum pyd_code code;
	Elf *elf;

	if (!stat(opts->path, &st))
		c->time_s = (uint64_t)st.st_mtim.tv_sec;
	code = pyd_unpack(opts->path, &u, err);
	if (code)
		return code;
	c->fd = u.fd;
	c->info.compression = u.format;
	memcpy(c->info.why_cut, u.why, sizeof(u.why));
	c->info.damaged = u.damaged;
	if (fstat(c->fd, &st))
		return pyd_err_errno(err, PYD_IO, errno, "cannot read %s",
				     opts->path);
	c->info.have = (uint64_t)st.st_size;
	code = check_kind(opts->path, c->fd, err);
	if (code)
		return code;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return pyd_err_set(err, PYD_FORMAT, "libelf is too old");
	elf = elf_begin(c->fd, ELF_C_READ, NULL);
	if (!elf)
		return pyd_err_set(err, PYD_FORMAT, "%s: %s", opts->path,
				   elf_errmsg(-1));
	code = read_headers(c, opts->path, elf, err);
	elf_end(elf);
	if (code)
		return code;
	if (!c->info.threads.n && !c->info.no_notes)
		return pyd_err_set(
			err, PYD_FORMAT, "%s has no threads%s", opts->path,
			c->info.cut ? ": it is cut short, and what tells of "
				      "them stood behind the cut; write it "
				      "again, with more room"
				    : "; it is no core of a process");
	if (c->of_gdb) {
		code = pyd_core_find_unwritten(c, err);
		if (code)
			return code;
	}
	code = make_regions(c, err);
	if (code)
		return code;
	if (!c->info.no_notes)
		c->base.in_exe = pyd_core_auxv(&c->info, AT_PHDR);
	return pyd_core_find_files(c, opts, err);
}

enum pyd_code pyd_target_core_create(const struct pyd_core_options *opts,
				     struct pyd_target **ret,
				     struct pyd_err *err)
{
	struct pyd_core *c = calloc(1, sizeof(*c));
	enum pyd_code code;

	if (!c)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	c->base.ops = &core_ops;
	c->fd = -1;
	c->info.uid = c->info.gid = -1;
	c->base.root = opts->sysroot;
	code = load(c, opts, err);
	if (code) {
		core_destroy(&c->base);
		return code;
	}
	*ret = &c->base;
	return PYD_OK;
}
