// SPDX-License-Identifier: Apache-2.0
#include "child.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>

#include "target/elf.h"

static struct pyd_err err;

/* Found by its name in the file of this program. */
uint64_t pyd_test_marker[4] = { 0x6d61726b, 1, 2, 3 };
static uint64_t in_section __attribute__((section(".PydTest"), used)) = 5;

static void idle(struct child *c)
{
	child_tell(c);
	child_wait(c);
}

struct opened {
	struct child c;
	struct pyd_process p;
	struct pyd_target *t;
	struct pyd_modules m;
};

static struct opened *open_child(void (*fn)(struct child *c))
{
	/* The target points into it: it must not move. */
	struct opened *o = calloc(1, sizeof(*o));

	o->c = child_start(fn);
	child_listen(&o->c);
	cr_assert_eq(pyd_process_open(o->c.pid, &o->p, &err), PYD_OK);
	cr_assert_eq(pyd_target_process_create(&o->p, &o->t, &err), PYD_OK);
	cr_assert_eq(pyd_modules_load(o->t, &o->p, &o->m, &err), PYD_OK);
	return o;
}

static void close_child(struct opened *o)
{
	pyd_modules_deinit(&o->m);
	pyd_target_destroy(o->t);
	pyd_process_close(&o->p);
	child_end(&o->c);
	free(o);
}

static const struct pyd_module *exe_of(const struct opened *o)
{
	for (size_t i = 0; i < o->m.n; i++)
		if (o->m.v[i].is_exe)
			return &o->m.v[i];
	cr_assert(false, "no executable among %zu modules", o->m.n);
	abort();
}

/* What the loader says of a module of this process, by any address in it. */
struct asked {
	uintptr_t at;
	uint64_t bias;
	int found;
};

static int ask(struct dl_phdr_info *info, size_t size, void *data)
{
	struct asked *a = data;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

		if (info->dlpi_phdr[i].p_type == PT_LOAD && a->at >= start &&
		    a->at < start + info->dlpi_phdr[i].p_memsz) {
			a->bias = info->dlpi_addr;
			a->found = 1;
		}
	}
	return 0;
}

Test(elf, modules_of_this_program)
{
	struct opened *o = open_child(idle);
	int matched = 0;

	/* A forked child has the mappings of this process. */
	for (size_t i = 0; i < o->m.n; i++) {
		struct asked a = { .at = (uintptr_t)o->m.v[i].start };

		dl_iterate_phdr(ask, &a);
		cr_expect(a.found, "%s is no module", o->m.v[i].path);
		cr_expect_eq(a.bias, o->m.v[i].bias, "bias of %s",
			     o->m.v[i].path);
		matched += a.found;
	}
	cr_expect_geq(matched, 3);
	close_child(o);
}

Test(elf, symbols)
{
	struct opened *o = open_child(idle);
	struct pyd_symbol sym;
	size_t found = 0;

	cr_assert_eq(pyd_module_symbol(&o->m, exe_of(o), "pyd_test_marker",
				       &sym, &err),
		     PYD_OK, "%s", err.msg);
	cr_expect_eq(sym.addr, (pyd_addr)(uintptr_t)pyd_test_marker);
	cr_expect_eq(sym.size, sizeof(pyd_test_marker));
	cr_assert_eq(pyd_module_filesym(&o->m, exe_of(o), "no_such_symbol",
					".PydTest", &sym, &err),
		     PYD_OK, "%s", err.msg);
	cr_expect_eq(sym.addr, (pyd_addr)(uintptr_t)&in_section);
	cr_expect_eq(sym.source, PYD_SYMBOL_SECTION);
	cr_expect_eq(pyd_module_symbol(&o->m, exe_of(o), "no_such_symbol", &sym,
				       &err),
		     PYD_NOTFOUND);

	/* One that the C library exports; no ifunc. */
	pyd_addr want = (pyd_addr)(uintptr_t)dlsym(RTLD_DEFAULT, "qsort");

	cr_assert(want);
	for (size_t i = 0; i < o->m.n; i++) {
		struct pyd_symbol other;

		if (pyd_module_dynsym(&o->m, &o->m.v[i], "qsort", &sym, &err))
			continue;
		found += sym.addr == want;
		cr_expect_eq(pyd_module_filesym(&o->m, &o->m.v[i], "qsort",
						NULL, &other, &err),
			     PYD_OK, "%s", err.msg);
		cr_expect_eq(other.addr, sym.addr);
		cr_expect_eq(other.size, sym.size);
	}
	cr_expect_eq(found, 1);
	cr_expect_eq(pyd_module_dynsym(&o->m, exe_of(o), "", &sym, &err),
		     PYD_NOTFOUND);
	close_child(o);
}

static char folder[] = "/tmp/pydumpd-unit-XXXXXX";

/* Where the library is that this program was linked with. */
static void library_path(char *buf, size_t cap)
{
	Dl_info info;

	cr_assert(dladdr(dlsym(RTLD_DEFAULT, "elf_begin"), &info));
	snprintf(buf, cap, "%s", info.dli_fname);
}

static void copy_file(const char *from, const char *to)
{
	char cmd[1024];

	snprintf(cmd, sizeof(cmd), "cp -L '%s' '%s'", from, to);
	cr_assert_eq(system(cmd), 0);
}

/* Maps two copies of a library; one is replaced, one deleted; a third is
 * mapped as data only. */
static void load_copies(struct child *c)
{
	char lib[512];
	char one[600];
	char two[600];
	void *a;
	void *b;
	int fd;

	library_path(lib, sizeof(lib));
	snprintf(one, sizeof(one), "%s/one.so", folder);
	snprintf(two, sizeof(two), "%s/two with blanks.so", folder);
	copy_file(lib, one);
	copy_file(lib, two);
	a = dlopen(one, RTLD_NOW | RTLD_LOCAL);
	b = dlopen(two, RTLD_NOW | RTLD_LOCAL);
	if (!a || !b)
		_exit(75);
	c->shared->addr[0] = (uint64_t)(uintptr_t)dlsym(a, "elf_begin");
	c->shared->addr[1] = (uint64_t)(uintptr_t)dlsym(b, "elf_begin");
	fd = open(lib, O_RDONLY);
	mmap(NULL, 65536, PROT_READ, MAP_PRIVATE, fd, 0);
	unlink(one);
	unlink(two);
	copy_file("/bin/true", two);
	idle(c);
}

Test(elf, copies_that_are_deleted_or_replaced)
{
	cr_assert(mkdtemp(folder));

	struct opened *o = open_child(load_copies);
	size_t found = 0;

	for (size_t i = 0; i < o->m.n; i++) {
		const struct pyd_module *mod = &o->m.v[i];
		struct pyd_symbol sym;
		char id[129];
		int which;
		int fd;

		if (strncmp(mod->path, folder, strlen(folder)))
			continue;
		which = strstr(mod->path, "two with blanks.so") != NULL;
		cr_expect(mod->deleted);
		pyd_module_build_id_hex(mod, id, sizeof(id));
		cr_expect_geq(strlen(id), 16, "build id '%s'", id);
		cr_assert_eq(
			pyd_module_dynsym(&o->m, mod, "elf_begin", &sym, &err),
			PYD_OK, "%s", err.msg);
		cr_expect_eq(sym.addr, o->c.shared->addr[which]);
		/* By the kernel's link if we may; never the new file. */
		if (!pyd_module_open(&o->m, mod, &fd, &err)) {
			struct stat st;

			cr_assert_eq(fstat(fd, &st), 0);
			cr_expect_eq(st.st_ino, mod->inode);
			close(fd);
			cr_assert_eq(pyd_module_filesym(&o->m, mod, "elf_begin",
							NULL, &sym, &err),
				     PYD_OK, "%s", err.msg);
			cr_expect_eq(sym.addr, o->c.shared->addr[which]);
		}
		found++;
	}
	cr_expect_eq(found, 2);

	/* The real library: once loaded, once as data, which is no module. */
	char lib[512];
	struct stat st;
	size_t real = 0;

	library_path(lib, sizeof(lib));
	cr_assert_eq(stat(lib, &st), 0);
	for (size_t i = 0; i < o->m.n; i++)
		real += o->m.v[i].inode == st.st_ino;
	cr_expect_eq(real, 1);
	close_child(o);

	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", folder);
	cr_expect_eq(system(cmd), 0);
}

/* Without a process, as for an image: memory must do. */
Test(elf, out_of_memory_alone)
{
	struct opened *o = open_child(idle);
	struct pyd_modules m;
	struct pyd_symbol sym;
	size_t found = 0;

	cr_assert_eq(pyd_modules_load(o->t, NULL, &m, &err), PYD_OK);
	cr_expect_eq(m.n, o->m.n);
	for (size_t i = 0; i < m.n; i++)
		found += !pyd_module_symbol(&m, &m.v[i], "lsearch", &sym, &err);
	cr_expect_eq(found, 1);
	pyd_modules_deinit(&m);
	close_child(o);
}
