/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions that a module's symbol tables name, sorted by address: out of
 * its file, of separate debug information, or of the dynamic symbols in the
 * target's memory where no file can be had.
 */
#ifndef PYD_NATIVE_SYMTAB_H
#define PYD_NATIVE_SYMTAB_H

#include <libelf.h>

#include "base/buf.h"
#include "native/module.h"

struct pyd_function {
	uint64_t addr; /* as the file has it, without the bias */
	uint64_t size; /* 0: not told */
	uint32_t name; /* in .names */
	uint8_t rank;  /* of names for one address; the lowest is taken */
};

struct pyd_symtab {
	struct pyd_function *v; /* sorted, once per address */
	size_t n;
	size_t cap;
	struct pyd_buf names; /* NUL-terminated, mangled */
	bool whole;	      /* it has the static functions too */
};

/* Adds what the tables of an ELF file hold. */
PYD_MUST_CHECK enum pyd_code pyd_symtab_add(struct pyd_symtab *s, Elf *elf,
					    struct pyd_err *err);
/* Adds the dynamic symbols that lie in the target's memory. */
PYD_MUST_CHECK enum pyd_code pyd_symtab_add_memory(struct pyd_symtab *s,
						   struct pyd_target *t,
						   const struct pyd_module *mod,
						   struct pyd_err *err);
/* To be called when all is added. */
void pyd_symtab_sort(struct pyd_symtab *s);
void pyd_symtab_deinit(struct pyd_symtab *s);
/* The function that addr lies in, or NULL: one that ends before is none. */
const struct pyd_function *pyd_symtab_find(const struct pyd_symtab *s,
					   uint64_t addr);

#endif
