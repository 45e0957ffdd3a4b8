// SPDX-License-Identifier: Apache-2.0
/* The files that were mapped into the process of a core. */
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "target/arch.h"
#include "target/core_private.h"
#include "target/debuginfod.h"
#include "target/elf.h"
#include "target/open_as.h"

enum { PAGE = 4096 };

/* What a file here says of itself. */
struct candidate {
	int fd;
	uint8_t build_id[64];
	size_t build_id_len;
	GElf_Ehdr eh;
	Elf64_Phdr ph[64];
	size_t nph;
};

static void hex(const uint8_t *id, size_t len, char *buf, size_t cap)
{
	snprintf(buf, cap, "none");
	for (size_t i = 0; i < len && 2 * i + 3 <= cap; i++)
		snprintf(buf + 2 * i, 3, "%02x", id[i]);
}

/* Takes fd. False: it is no ELF file of this machine. */
static bool look(int fd, struct candidate *ret)
{
	struct candidate c = { .fd = fd };
	struct stat st;
	Elf *elf = NULL;
	const void *id;
	ssize_t len;
	bool good = false;

	if (elf_version(EV_CURRENT) == EV_NONE || fstat(fd, &st) ||
	    !S_ISREG(st.st_mode))
		goto out;
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF ||
	    gelf_getclass(elf) != ELFCLASS64 || !gelf_getehdr(elf, &c.eh) ||
	    c.eh.e_machine != pyd_arch_elf_machine ||
	    (c.eh.e_type != ET_EXEC && c.eh.e_type != ET_DYN) ||
	    c.eh.e_phentsize != sizeof(*c.ph) || c.eh.e_phnum > 64 ||
	    pread(fd, c.ph, c.eh.e_phnum * sizeof(*c.ph),
		  (off_t)c.eh.e_phoff) !=
		    (ssize_t)(c.eh.e_phnum * sizeof(*c.ph)))
		goto out;
	c.nph = c.eh.e_phnum;
	len = dwelf_elf_gnu_build_id(elf, &id);
	if (len > 0 && (size_t)len <= sizeof(c.build_id)) {
		memcpy(c.build_id, id, (size_t)len);
		c.build_id_len = (size_t)len;
	}
	good = true;
out:
	if (elf)
		elf_end(elf);
	if (good)
		*ret = c;
	else
		close(fd);
	return good;
}

/* Every mapping of the file lies in a segment as a loader would map it. */
static bool layout_fits(const struct pyd_core *c, size_t file,
			const struct candidate *cand)
{
	for (size_t i = 0; i < c->nmappings; i++) {
		const struct pyd_core_mapping *m = &c->mappings[i];
		const struct pyd_region *r =
			pyd_target_region(&c->base, m->start);
		bool fits = false;

		/* Loaders leave gaps between segments mapped to nothing. */
		if (m->file != file || !r || !(r->prot & PYD_PROT_R))
			continue;
		for (size_t k = 0; k < cand->nph && !fits; k++) {
			const Elf64_Phdr *ph = &cand->ph[k];

			fits = ph->p_type == PT_LOAD &&
			       ph->p_offset <= INT64_MAX &&
			       ph->p_filesz <= INT64_MAX &&
			       m->offset >= (ph->p_offset & ~(PAGE - 1ULL)) &&
			       m->offset < ph->p_offset + ph->p_filesz &&
			       m->end - m->start <= ph->p_filesz + 2 * PAGE;
		}
		if (!fits)
			return false;
	}
	return true;
}

/* The headers as the core has them are those of the file. False also when the
 * core does not have them. */
static bool headers_fit(struct pyd_core *c, pyd_addr start,
			const struct candidate *cand)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph[64];
	struct pyd_err ignored;
	Elf64_Ehdr theirs;

	return cand->nph &&
	       pread(cand->fd, &theirs, sizeof(theirs), 0) == sizeof(theirs) &&
	       !pyd_target_read(&c->base, start, &eh, sizeof(eh), &ignored) &&
	       !memcmp(&eh, &theirs, sizeof(eh)) &&
	       !pyd_target_read(&c->base, start + eh.e_phoff, ph,
				cand->nph * sizeof(*ph), &ignored) &&
	       !memcmp(ph, cand->ph, cand->nph * sizeof(*ph));
}

/* Where offset 0 of the file is mapped; 0: nowhere. */
static pyd_addr first_mapping(const struct pyd_core *c, size_t file)
{
	for (size_t i = 0; i < c->nmappings; i++)
		if (c->mappings[i].file == file && !c->mappings[i].offset)
			return c->mappings[i].start;
	return 0;
}

static void accept_file(struct pyd_core_file *f, const struct candidate *cand,
			enum pyd_core_file_state state, const char *path)
{
	f->fd = cand->fd;
	f->state = state;
	f->found = strdup(path);
	f->why[0] = '\0';
	for (size_t i = 0; i < cand->nph && f->nconstant < PYD_CORE_RANGES;
	     i++) {
		const Elf64_Phdr *ph = &cand->ph[i];

		if (ph->p_type != PT_LOAD || ph->p_flags & PF_W ||
		    ph->p_offset > INT64_MAX || ph->p_filesz > INT64_MAX)
			continue;
		f->constant[f->nconstant].start = ph->p_offset & ~(PAGE - 1ULL);
		f->constant[f->nconstant++].end =
			(ph->p_offset + ph->p_filesz + PAGE - 1) &
			~(PAGE - 1ULL);
	}
}

/* Whether the file behind cand is file number i; takes it, or closes it. */
static bool judge(struct pyd_core *c, size_t i, struct candidate *cand,
		  const char *path, bool ours)
{
	struct pyd_core_file *f = &c->info.files[i];
	char want[129], have[129];
	pyd_addr start = first_mapping(c, i);
	struct stat st;

	if (f->build_id_len) {
		if (cand->build_id_len == f->build_id_len &&
		    !memcmp(cand->build_id, f->build_id, f->build_id_len)) {
			accept_file(f, cand, PYD_CORE_FILE_VERIFIED, path);
			return true;
		}
		hex(f->build_id, f->build_id_len, want, sizeof(want));
		hex(cand->build_id, cand->build_id_len, have, sizeof(have));
		snprintf(f->why, sizeof(f->why),
			 "%.200s is another one: its build id is %s, that of "
			 "the process's %s",
			 path, have, want);
	} else if (!ours) {
		/* Another machine's file of that name proves nothing. */
		if (!f->why[0])
			snprintf(f->why, sizeof(f->why), "not found");
	} else if (f->is_elf
			   ? headers_fit(c, start, cand)
			   : layout_fits(c, i, cand) && !fstat(cand->fd, &st) &&
				     (uint64_t)st.st_mtim.tv_sec <= c->time_s) {
		accept_file(f, cand, PYD_CORE_FILE_UNVERIFIED, path);
		return true;
	} else {
		snprintf(f->why, sizeof(f->why),
			 "%.200s is another one: its %s", path,
			 f->is_elf ? "headers are not those in the core"
				   : "segments are not those that were "
				     "mapped, or it is newer than the core");
	}
	close(cand->fd);
	return false;
}

static bool try_path(struct pyd_core *c, size_t i, const char *root,
		     const char *path, bool ours)
{
	struct pyd_core_file *f = &c->info.files[i];
	int fd = pyd_open_as(root, path, geteuid(), getegid());
	struct candidate cand;
	char shown[4096];

	if (fd < 0) {
		if (!f->why[0])
			snprintf(f->why, sizeof(f->why), "not found");
		return false;
	}
	if (!look(fd, &cand)) {
		if (!f->why[0])
			snprintf(f->why, sizeof(f->why),
				 "no program or library, so that it cannot be "
				 "proved to be the same");
		return false;
	}
	snprintf(shown, sizeof(shown), "%s%s", strcmp(root, "/") ? root : "",
		 path);
	return judge(c, i, &cand, shown, ours);
}

/* Of a machine whose files are not here, debuginfod may have been asked. */
static bool try_cache(struct pyd_core *c, size_t i)
{
	struct pyd_core_file *f = &c->info.files[i];
	char id[129], path[4096], why[sizeof(f->why)];
	struct candidate cand;

	if (!f->build_id_len)
		return false;
	hex(f->build_id, f->build_id_len, id, sizeof(id));
	memcpy(why, f->why, sizeof(why));
	for (int k = 0; k < PYD_DEBUGINFOD_PLACES; k++) {
		int fd = -1;

		if (pyd_debuginfod_path(k, id, "executable", path,
					sizeof(path)))
			fd = open(path,
				  O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd >= 0 && look(fd, &cand) &&
		    judge(c, i, &cand, path, false))
			return true;
	}
	/* Why it is not at its place says more. */
	memcpy(f->why, why, sizeof(why));
	return false;
}

/* --exe: the program itself, or whatever file it is by its build id. */
static enum pyd_code use_exe(struct pyd_core *c, const char *path,
			     struct pyd_err *err)
{
	struct candidate cand;
	struct pyd_core_file *exe = NULL;
	char want[129], have[129];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return pyd_err_errno(err, PYD_NOTFOUND, errno,
				     "cannot use --exe %s", path);
	if (!look(fd, &cand))
		return pyd_err_set(err, PYD_NOTFOUND,
				   "cannot use --exe %s: it is not a program "
				   "of %s",
				   path, pyd_arch_name);
	for (size_t i = 0; i < c->info.nfiles; i++) {
		struct pyd_core_file *f = &c->info.files[i];

		if (f->is_exe)
			exe = f;
		if (f->build_id_len && f->build_id_len == cand.build_id_len &&
		    !memcmp(f->build_id, cand.build_id, f->build_id_len)) {
			accept_file(f, &cand, PYD_CORE_FILE_VERIFIED, path);
			return PYD_OK;
		}
	}
	if (exe && !exe->build_id_len) {
		if (judge(c, (size_t)(exe - c->info.files), &cand, path, true))
			return PYD_OK;
		return pyd_err_set(err, PYD_NOTFOUND, "cannot use --exe: %s",
				   exe->why);
	}
	close(cand.fd);
	hex(cand.build_id, cand.build_id_len, have, sizeof(have));
	if (!exe)
		return pyd_err_set(err, PYD_NOTFOUND,
				   "cannot use --exe %s: no file of the core "
				   "has its build id %s",
				   path, have);
	hex(exe->build_id, exe->build_id_len, want, sizeof(want));
	return pyd_err_set(err, PYD_NOTFOUND,
			   "cannot use --exe %s: its build id is %s; the core "
			   "is of %s, build id %s",
			   path, have, exe->path, want);
}

/* What the core itself tells of its modules. */
static enum pyd_code read_ids(struct pyd_core *c, struct pyd_err *err)
{
	struct pyd_modules m;
	enum pyd_code code = pyd_modules_load(&c->base, NULL, &m, err);

	if (code)
		return code;
	for (size_t i = 0; i < m.n; i++) {
		const struct pyd_region *r =
			pyd_target_region(&c->base, m.v[i].start);
		struct pyd_core_file *f;

		if (!r || !r->inode)
			continue;
		f = &c->info.files[r->inode - 1];
		f->is_elf = true;
		if (!f->build_id_len) {
			memcpy(f->build_id, m.v[i].build_id,
			       sizeof(f->build_id));
			f->build_id_len = m.v[i].build_id_len;
		}
	}
	pyd_modules_deinit(&m);
	return PYD_OK;
}

enum pyd_code pyd_core_find_files(struct pyd_core *c,
				  const struct pyd_core_options *opts,
				  struct pyd_err *err)
{
	const struct pyd_region *r =
		pyd_target_region(&c->base, c->base.in_exe);
	const char *root = opts->sysroot ? opts->sysroot : "/";
	struct stat st;
	enum pyd_code code = read_ids(c, err);

	if (code)
		return code;
	if (opts->sysroot && (stat(opts->sysroot, &st) || !S_ISDIR(st.st_mode)))
		return pyd_err_set(err, PYD_NOTFOUND,
				   "cannot use --sysroot %s: it is not a "
				   "folder",
				   opts->sysroot);
	if (r && r->inode)
		c->info.files[r->inode - 1].is_exe = true;
	if (opts->exe) {
		code = use_exe(c, opts->exe, err);
		if (code)
			return code;
	}
	for (size_t i = 0; i < c->info.nfiles; i++) {
		struct pyd_core_file *f = &c->info.files[i];

		if (f->fd >= 0)
			continue;
		if (f->path[0] != '/' || !strncmp(f->path, "/dev/", 5) ||
		    !strncmp(f->path, "/SYSV", 5) ||
		    !strncmp(f->path, "/memfd:", 7)) {
			snprintf(f->why, sizeof(f->why), "no file");
			(void)try_cache(c, i);
			continue;
		}
		if (!try_path(c, i, root, f->path, true) &&
		    !(opts->sysroot && try_path(c, i, "/", f->path, false)))
			(void)try_cache(c, i);
		pyd_log_debug("core: %s: %s", f->path,
			      f->state == PYD_CORE_FILE_VERIFIED
				      ? "the same, by its build id"
			      : f->state == PYD_CORE_FILE_UNVERIFIED
				      ? "taken without a build id to compare"
				      : f->why);
	}
	c->with_files = true;
	return PYD_OK;
}

enum pyd_code pyd_core_read_file(struct pyd_core *c, const struct pyd_region *r,
				 pyd_addr addr, uint8_t *buf, size_t len,
				 struct pyd_err *err)
{
	const struct pyd_core_file *f = &c->info.files[r->inode - 1];
	uint64_t at = r->file_offset + (addr - r->start);
	bool constant = false;

	if (r->prot & PYD_PROT_W)
		return pyd_err_at(err, PYD_FAULT, addr,
				  "the core leaves out what the program can "
				  "write to, at 0x%llx",
				  (unsigned long long)addr);
	if (f->fd < 0)
		return pyd_err_at(err, PYD_FAULT, addr,
				  "the core leaves out %s, and %s", f->path,
				  f->why);
	for (unsigned int i = 0; i < f->nconstant && !constant; i++)
		constant = at >= f->constant[i].start &&
			   at < f->constant[i].end &&
			   len <= f->constant[i].end - at;
	if (!constant)
		return pyd_err_at(err, PYD_FAULT, addr,
				  "the core leaves out a part of %s that can "
				  "change, at 0x%llx",
				  f->path, (unsigned long long)addr);
	while (len) {
		ssize_t n = pread(f->fd, buf, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return pyd_err_at(err, PYD_FAULT, addr,
					  "%s ends before 0x%llx", f->path,
					  (unsigned long long)addr);
		at += (size_t)n;
		buf += n;
		len -= (size_t)n;
	}
	return PYD_OK;
}
