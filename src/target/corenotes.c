// SPDX-License-Identifier: Apache-2.0
/* The notes of a core: threads, the signal, mapped files. */
#include <elf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>

#include "target/core_private.h"
#include "target/tracee.h"

enum {
	MAX_NOTES = 256 << 20, /* bytes */
	MAX_THREADS = 1 << 20,
	MAX_MAPPINGS = 1 << 20,
	MAX_FILES = 1 << 14,
	SI_ADDR = 16, /* offset of si_addr in siginfo */
};

#ifndef NT_SIGINFO
#define NT_SIGINFO 0x53494749
#endif
#ifndef NT_FILE
#define NT_FILE 0x46494c45
#endif

static enum pyd_code no_memory(struct pyd_err *err)
{
	return pyd_err_set(err, PYD_NOMEM, "out of memory");
}

static enum pyd_code add_thread(struct pyd_core *c, const uint8_t *desc,
				size_t len, struct pyd_err *err)
{
	struct pyd_threads *t = &c->info.threads;
	struct elf_prstatus st;
	struct pyd_thread *v;

	if (len < sizeof(st) || t->n >= MAX_THREADS)
		return PYD_OK;
	memcpy(&st, desc, sizeof(st));
	if (!(t->n & (t->n - 1))) { /* the capacity is a power of two */
		v = realloc(t->v, (t->n ? 2 * t->n : 1) * sizeof(*v));
		if (!v)
			return no_memory(err);
		t->v = v;
	}
	v = &t->v[t->n];
	*v = (struct pyd_thread) {
		.tid = st.pr_pid,
		.ns_tid = st.pr_pid,
		.state = '?',
	};
	if (st.pr_pid <= 0 ||
	    !pyd_arch_core_regs(&st.pr_reg, sizeof(st.pr_reg), 0, &v->regs))
		return PYD_OK;
	/* The first is the one that died. */
	if (!t->n && st.pr_cursig > 0 && st.pr_cursig < 65) {
		c->info.signo = st.pr_cursig;
		c->info.thread = st.pr_pid;
	}
	t->n++;
	return PYD_OK;
}

static void read_process(struct pyd_core *c, const uint8_t *desc, size_t len)
{
	struct pyd_core_info *i = &c->info;
	struct elf_prpsinfo ps;

	if (len < sizeof(ps) || i->pid)
		return;
	memcpy(&ps, desc, sizeof(ps));
	i->pid = ps.pr_pid > 0 ? ps.pr_pid : 0;
	i->ppid = ps.pr_ppid > 0 ? ps.pr_ppid : 0;
	i->uid = ps.pr_uid;
	i->gid = ps.pr_gid;
	snprintf(i->comm, sizeof(i->comm), "%.16s", ps.pr_fname);
	snprintf(i->args, sizeof(i->args), "%.80s", ps.pr_psargs);
	for (size_t n = strlen(i->args); n && i->args[n - 1] == ' '; n--)
		i->args[n - 1] = '\0';
}

/* gdb writes one for each thread, the kernel one for the first. */
static void read_siginfo(struct pyd_core *c, const uint8_t *desc, size_t len)
{
	struct pyd_core_info *i = &c->info;
	int words[3];
	uint64_t address;

	if (len < SI_ADDR + sizeof(address) || i->has_info || i->threads.n != 1)
		return;
	memcpy(words, desc, sizeof(words));
	memcpy(&address, desc + SI_ADDR, sizeof(address));
	if (words[0] != i->signo || !i->signo)
		return;
	i->has_info = true;
	i->si_code = words[2];
	/* Sent by somebody, or a fault that has no address. */
	i->has_address = words[2] > 0 && words[2] != SI_KERNEL &&
			 (i->signo == SIGSEGV || i->signo == SIGBUS ||
			  i->signo == SIGILL || i->signo == SIGFPE ||
			  i->signo == SIGTRAP);
	i->address = i->has_address ? address : 0;
}

static enum pyd_code read_auxv(struct pyd_core *c, const uint8_t *desc,
			       size_t len, struct pyd_err *err)
{
	struct pyd_core_info *i = &c->info;
	size_t n = len / 16;

	if (i->auxv || !n || n > 1024)
		return PYD_OK;
	i->auxv = malloc(n * 16);
	if (!i->auxv)
		return no_memory(err);
	memcpy(i->auxv, desc, n * 16);
	while (i->nauxv < n && i->auxv[2 * i->nauxv])
		i->nauxv++;
	return PYD_OK;
}

static bool same_file(const struct pyd_core_file *f, const char *path)
{
	return !strcmp(f->path, path);
}

/* Most entries have the path of the one before them. */
static size_t file_of(struct pyd_core_info *i, const char *path, size_t hint)
{
	if (hint < i->nfiles && same_file(&i->files[hint], path))
		return hint;
	for (size_t k = 0; k < i->nfiles; k++)
		if (same_file(&i->files[k], path))
			return k;
	return i->nfiles;
}

/* count, page size; count times start, end, offset in pages; names. */
static enum pyd_code read_mappings(struct pyd_core *c, const uint8_t *desc,
				   size_t len, struct pyd_err *err)
{
	struct pyd_core_info *info = &c->info;
	static const char suffix[] = " (deleted)";
	uint64_t head[2];
	size_t at, last = SIZE_MAX;

	if (len < sizeof(head) || c->mappings)
		return PYD_OK;
	memcpy(head, desc, sizeof(head));
	if (head[0] > (len - sizeof(head)) / 24 || head[0] > MAX_MAPPINGS ||
	    !head[1] || head[1] > 1U << 30)
		return PYD_OK;
	/* Offsets in bytes: nobody else does that. */
	c->of_gdb = head[1] == 1;
	c->mappings = calloc((size_t)head[0] + 1, sizeof(*c->mappings));
	info->files = calloc((size_t)head[0] + 1, sizeof(*info->files));
	at = sizeof(head) + (size_t)head[0] * 24;
	c->names = malloc(len - at + 1);
	if (!c->mappings || !info->files || !c->names)
		return no_memory(err);
	memcpy(c->names, desc + at, len - at);
	c->names[len - at] = '\0';

	char *name = c->names, *end = c->names + (len - at);

	for (uint64_t i = 0; i < head[0] && name < end; i++) {
		struct pyd_core_mapping *m = &c->mappings[c->nmappings];
		size_t n = strlen(name);
		char *next = name + n + 1;
		uint64_t w[3];

		memcpy(w, desc + sizeof(head) + i * 24, sizeof(w));
		m->start = w[0];
		m->end = w[1];
		m->deleted = n > sizeof(suffix) - 1 &&
			     !strcmp(name + n - (sizeof(suffix) - 1), suffix);
		if (m->deleted)
			name[n - (sizeof(suffix) - 1)] = '\0';
		m->file = file_of(info, name, last);
		last = m->file;
		if (m->file == MAX_FILES) {
			name = next;
			continue;
		}
		if (m->file == info->nfiles) {
			info->files[m->file].path = name;
			info->files[m->file].fd = -1;
			info->nfiles++;
		}
		name = next;
		if (m->start >= m->end || w[2] > INT64_MAX / head[1])
			continue;
		m->offset = w[2] * head[1];
		c->nmappings++;
	}
	return PYD_OK;
}

static enum pyd_code read_note(struct pyd_core *c, const GElf_Nhdr *n,
			       const char *name, const uint8_t *desc,
			       struct pyd_err *err)
{
	struct pyd_threads *t = &c->info.threads;
	uint64_t tls;

#ifdef NT_ARM_TLS
	if (n->n_type == NT_ARM_TLS && n->n_descsz >= sizeof(tls) && t->n &&
	    !strcmp(name, "LINUX")) {
		struct pyd_regs *r = &t->v[t->n - 1].regs;

		memcpy(&tls, desc, sizeof(tls));
		(void)pyd_arch_core_regs(&r->user, sizeof(r->user), tls, r);
		return PYD_OK;
	}
#endif
	if (strcmp(name, "CORE"))
		return PYD_OK;
	switch (n->n_type) {
	case NT_PRSTATUS:
		return add_thread(c, desc, n->n_descsz, err);
	case NT_PRPSINFO:
		read_process(c, desc, n->n_descsz);
		return PYD_OK;
	case NT_SIGINFO:
		read_siginfo(c, desc, n->n_descsz);
		return PYD_OK;
	case NT_AUXV:
		return read_auxv(c, desc, n->n_descsz, err);
	case NT_FILE:
		return read_mappings(c, desc, n->n_descsz, err);
	default:
		return PYD_OK;
	}
}

enum pyd_code pyd_core_read_notes(struct pyd_core *c, Elf *elf,
				  const GElf_Phdr *ph, struct pyd_err *err)
{
	uint64_t size = ph->p_filesz;
	enum pyd_code code = PYD_OK;
	size_t at = 0, next, name, desc;
	GElf_Nhdr n;
	Elf_Data *data;

	if (ph->p_offset >= c->info.have)
		return PYD_OK;
	/* Of a part that is cut, the notes that are whole. */
	if (size > c->info.have - ph->p_offset)
		size = c->info.have - ph->p_offset;
	if (size > MAX_NOTES)
		return PYD_OK;
	data = elf_getdata_rawchunk(elf, (int64_t)ph->p_offset, size,
				    ph->p_align == 8 ? ELF_T_NHDR8
						     : ELF_T_NHDR);
	while (data && !code &&
	       (next = gelf_getnote(data, at, &n, &name, &desc)) > 0) {
		const char *bytes = data->d_buf;

		at = next;
		if (n.n_namesz && !bytes[name + n.n_namesz - 1])
			code = read_note(c, &n, bytes + name,
					 (const uint8_t *)bytes + desc, err);
	}
	return code;
}

static int by_start(const void *a, const void *b)
{
	const struct pyd_core_mapping *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

enum pyd_code pyd_core_end_notes(struct pyd_core *c, struct pyd_err *err)
{
	struct pyd_core_info *i = &c->info;
	size_t out = 0;

	(void)err;
	if (c->nmappings)
		qsort(c->mappings, c->nmappings, sizeof(*c->mappings),
		      by_start);
	for (size_t k = 0; k < c->nmappings; k++)
		if (!out || c->mappings[k].start >= c->mappings[out - 1].end)
			c->mappings[out++] = c->mappings[k];
	c->nmappings = out;
	if (!i->threads.n)
		return PYD_OK;
	if (!i->pid)
		i->pid = i->threads.v[0].tid;
	pyd_threads_sort(&i->threads, i->pid);
	if (i->threads.v[0].tid == i->pid)
		memcpy(i->threads.v[0].comm, i->comm, sizeof(i->comm));
	return PYD_OK;
}

uint64_t pyd_core_auxv(const struct pyd_core_info *info, uint64_t type)
{
	for (size_t i = 0; i < info->nauxv; i++)
		if (info->auxv[2 * i] == type)
			return info->auxv[2 * i + 1];
	return 0;
}
