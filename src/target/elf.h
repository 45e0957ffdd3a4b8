/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF modules mapped into a target, their symbols and sections. Files and
 * memory are untrusted; everything is bounded. A module is known by what is
 * mapped, not by its name; one file mapped twice gives two modules.
 */
#ifndef PYD_TARGET_ELF_H
#define PYD_TARGET_ELF_H

#include <stdbool.h>

#include "target/process.h"

struct pyd_module {
	const char *path; /* of the region; lives as long as the modules */
	uint64_t dev;
	uint64_t inode;
	pyd_addr start;	  /* where file offset 0 is mapped */
	pyd_addr end;	  /* end of the last load segment */
	uint64_t bias;	  /* remote address = bias + vaddr of the file */
	pyd_addr dynamic; /* remote address, 0: none */
	uint64_t dynamic_size;
	uint8_t deleted;
	uint8_t is_exe; /* what /proc/PID/exe is */
	uint8_t is_pie; /* ET_DYN */
	uint8_t build_id[64];
	uint8_t build_id_len;
};

struct pyd_modules {
	struct pyd_module *v;
	size_t n;
	struct pyd_target *target; /* not owned */
	const struct pyd_process
		*process; /* not owned; NULL: none (image, core) */
	char *paths;
};

/* p may be NULL: then only what is in memory counts. */
PYD_MUST_CHECK enum pyd_code pyd_modules_load(struct pyd_target *t,
					      const struct pyd_process *p,
					      struct pyd_modules *ret,
					      struct pyd_err *err);
void pyd_modules_deinit(struct pyd_modules *m);

enum pyd_symbol_source {
	PYD_SYMBOL_DYNAMIC, /* dynamic symbol table in the target's memory */
	PYD_SYMBOL_FILE,    /* .symtab or .dynsym of the file */
	PYD_SYMBOL_SECTION, /* start of the section of the given name */
};
const char *pyd_symbol_source_name(enum pyd_symbol_source s);

struct pyd_symbol {
	pyd_addr addr;
	uint64_t size; /* as the symbol says; 0: unknown */
	enum pyd_symbol_source source;
};

/* A defined, exported symbol, out of the target's memory. PYD_NOTFOUND. */
PYD_MUST_CHECK enum pyd_code pyd_module_dynsym(const struct pyd_modules *m,
					       const struct pyd_module *mod,
					       const char *name,
					       struct pyd_symbol *ret,
					       struct pyd_err *err);
/* A symbol (name) or else a section (section, may be NULL) out of the file, as
 * the target sees it, after verifying that it is the file that is mapped.
 * PYD_NOTFOUND also when the file cannot be had; the message says why. */
PYD_MUST_CHECK enum pyd_code pyd_module_filesym(const struct pyd_modules *m,
						const struct pyd_module *mod,
						const char *name,
						const char *section,
						struct pyd_symbol *ret,
						struct pyd_err *err);
/* Both, in this order. */
PYD_MUST_CHECK enum pyd_code pyd_module_symbol(const struct pyd_modules *m,
					       const struct pyd_module *mod,
					       const char *name,
					       struct pyd_symbol *ret,
					       struct pyd_err *err);
/* Opens the file of a region of the target: /proc/PID/root + path, map_files,
 * exe; verified by device and inode, or by build id. *ret is an fd. */
PYD_MUST_CHECK enum pyd_code pyd_module_open(const struct pyd_modules *m,
					     const struct pyd_module *mod,
					     int *ret, struct pyd_err *err);
/* True when the file behind fd has the module's build id: it is the one that
 * is mapped, or debug information that was split from it. fd stays open. */
bool pyd_module_is_file(const struct pyd_module *mod, int fd);
/* Lower-case hex of the build id, "" if none; cap >= 129 holds all. */
void pyd_module_build_id_hex(const struct pyd_module *mod, char *buf,
			     size_t cap);

#endif
