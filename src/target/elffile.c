// SPDX-License-Identifier: Apache-2.0
/* Symbols and sections out of the files that are mapped. */
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "target/elf.h"

enum {
	MAX_SECTIONS = 65536,
	MAX_SYMBOLS = 1 << 23,
};

struct file {
	int fd;
	Elf *elf;
};

static void file_close(struct file *f)
{
	if (f->elf)
		elf_end(f->elf);
	if (f->fd >= 0)
		close(f->fd);
}

/* Takes fd. */
static enum pyd_code file_open(int fd, struct file *ret, struct pyd_err *err)
{
	struct file f = { .fd = fd };
	const char *ident;
	size_t len;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return pyd_err_set(err, PYD_NOTFOUND, "libelf is too old");
	/* Read and not mapped: a file that shrinks would be a SIGBUS. */
	f.elf = elf_begin(fd, ELF_C_READ, NULL);
	ident = f.elf ? elf_getident(f.elf, &len) : NULL;
	if (!ident || elf_kind(f.elf) != ELF_K_ELF || len < EI_NIDENT ||
	    ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB) {
		file_close(&f);
		return pyd_err_set(err, PYD_NOTFOUND, "not a 64-bit ELF file");
	}
	*ret = f;
	return PYD_OK;
}

/* Of the section, where there are some: split debug information keeps program
 * headers that tell nothing true. */
static bool build_id_is(Elf *elf, const struct pyd_module *mod)
{
	const void *id;
	ssize_t len = dwelf_elf_gnu_build_id(elf, &id);

	return len > 0 && (size_t)len == mod->build_id_len &&
	       !memcmp(id, mod->build_id, (size_t)len);
}

bool pyd_module_is_file(const struct pyd_module *mod, int fd)
{
	int copy = mod->build_id_len ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	struct pyd_err ignored;
	struct file f;
	bool same;

	if (copy < 0 || file_open(copy, &f, &ignored))
		return false;
	same = build_id_is(f.elf, mod);
	file_close(&f);
	return same;
}

enum pyd_code pyd_module_open(const struct pyd_modules *m,
			      const struct pyd_module *mod, int *ret,
			      struct pyd_err *err)
{
	const struct pyd_region *r = pyd_target_region(m->target, mod->start);
	const struct pyd_process *p = m->process;
	struct pyd_err second;
	int fd;

	if (!p && r && m->target->ops->open_file)
		return m->target->ops->open_file(m->target, r, ret, err);
	if (!p || !r)
		return pyd_err_set(err, PYD_NOTFOUND,
				   "there is no process to ask for %s",
				   mod->path);
	if (!pyd_region_open(p, r, ret, err))
		return PYD_OK;
	if (mod->is_exe) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/exe", p->pid);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0) {
			*ret = fd;
			return PYD_OK;
		}
	}
	/* Device numbers in maps differ from stat's on some file systems; the
	 * build id is as good a proof. */
	if (!mod->build_id_len || pyd_region_open_path(p, r, &fd, &second))
		return PYD_NOTFOUND;

	if (!pyd_module_is_file(mod, fd)) {
		close(fd);
		return pyd_err_set(err, PYD_NOTFOUND,
				   "%s is another file now than the one that "
				   "is mapped",
				   mod->path);
	}
	*ret = fd;
	return PYD_OK;
}

static bool find_in_table(Elf *elf, Elf_Scn *scn, const GElf_Shdr *sh,
			  const char *name, GElf_Sym *ret)
{
	Elf_Data *data = elf_getdata(scn, NULL);

	if (!data || sh->sh_entsize != sizeof(Elf64_Sym))
		return false;

	size_t n = data->d_size / sizeof(Elf64_Sym);

	for (size_t i = 1; i < n && i < MAX_SYMBOLS; i++) {
		GElf_Sym sym;
		const char *s;

		if (!gelf_getsym(data, (int)i, &sym))
			return false;
		if (sym.st_shndx == SHN_UNDEF ||
		    GELF_ST_TYPE(sym.st_info) == STT_TLS)
			continue;
		s = elf_strptr(elf, sh->sh_link, sym.st_name);
		if (s && !strcmp(s, name)) {
			*ret = sym;
			return true;
		}
	}
	return false;
}

static bool find(Elf *elf, const char *name, const char *section,
		 struct pyd_symbol *ret)
{
	Elf_Scn *scn = NULL;
	size_t names = 0;
	bool found_section = false;
	bool have_names = !elf_getshdrstrndx(elf, &names);

	for (size_t i = 0; i < MAX_SECTIONS; i++) {
		GElf_Shdr sh;
		GElf_Sym sym;

		scn = elf_nextscn(elf, scn);
		if (!scn)
			break;
		if (!gelf_getshdr(scn, &sh))
			continue;
		if ((sh.sh_type == SHT_SYMTAB || sh.sh_type == SHT_DYNSYM) &&
		    find_in_table(elf, scn, &sh, name, &sym)) {
			*ret = (struct pyd_symbol) {
				.addr = sym.st_value,
				.size = sym.st_size,
				.source = PYD_SYMBOL_FILE,
			};
			return true;
		}
		if (!section || !have_names || !(sh.sh_flags & SHF_ALLOC))
			continue;

		const char *s = elf_strptr(elf, names, sh.sh_name);

		if (s && !strcmp(s, section)) {
			*ret = (struct pyd_symbol) {
				.addr = sh.sh_addr,
				.size = sh.sh_size,
				.source = PYD_SYMBOL_SECTION,
			};
			found_section = true;
		}
	}
	return found_section;
}

enum pyd_code pyd_module_filesym(const struct pyd_modules *m,
				 const struct pyd_module *mod, const char *name,
				 const char *section, struct pyd_symbol *ret,
				 struct pyd_err *err)
{
	struct pyd_symbol sym = { 0 };
	struct file f;
	int fd;
	enum pyd_code code = pyd_module_open(m, mod, &fd, err);

	if (!code)
		code = file_open(fd, &f, err);
	if (code)
		return code;

	bool found = find(f.elf, name, section, &sym);

	file_close(&f);
	if (!found)
		return pyd_err_set(err, PYD_NOTFOUND, "%s has no symbol %s",
				   mod->path, name);
	sym.addr += mod->bias;
	*ret = sym;
	return PYD_OK;
}
