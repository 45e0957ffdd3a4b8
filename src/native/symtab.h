/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions that a module's symbol tables name: out of its file, of
 * separate debug information, or of the dynamic symbols in the target's memory
 * where no file can be had.
 */
#ifndef PYD_NATIVE_SYMTAB_H
#define PYD_NATIVE_SYMTAB_H

#include <libelf.h>

#include "native/module.h"

struct pyd_function {
	uint64_t addr;	  /* as the file has it, without the bias */
	uint64_t size;	  /* 0: not told */
	const char *name; /* mangled; lives as long as the tables */
	uint32_t order;	  /* in which the tables have them */
	uint8_t rank;	  /* of names for one address; the lowest is taken */
};

struct pyd_symbols;

struct pyd_symtab {
	struct pyd_symbols *tables;
	size_t ntables;
	bool whole; /* it has the static functions too */
	/* For a few addresses the tables are gone through as they are. Then
	 * they are sorted: once per address. */
	unsigned int asked;
	struct pyd_function *v; /* NULL: not sorted */
	size_t n;
	size_t cap;
};

/* Adds what the tables of an ELF file hold; elf must outlive s. */
PYD_MUST_CHECK enum pyd_code pyd_symtab_add(struct pyd_symtab *s, Elf *elf,
					    struct pyd_err *err);
/* Adds n symbols with len bytes of names, which must outlive s. */
PYD_MUST_CHECK enum pyd_code pyd_symtab_add_symbols(struct pyd_symtab *s,
						    const Elf64_Sym *v,
						    size_t n, const char *names,
						    size_t len,
						    struct pyd_err *err);
/* Adds the dynamic symbols that lie in the target's memory. */
PYD_MUST_CHECK enum pyd_code pyd_symtab_add_memory(struct pyd_symtab *s,
						   struct pyd_target *t,
						   const struct pyd_module *mod,
						   struct pyd_err *err);
void pyd_symtab_deinit(struct pyd_symtab *s);
/* True when it names a function, whatever its address. */
bool pyd_symtab_any(const struct pyd_symtab *s);
/* The function that addr lies in. False: one that ends before is none. */
bool pyd_symtab_find(struct pyd_symtab *s, uint64_t addr,
		     struct pyd_function *ret);

#endif
