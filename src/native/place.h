/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is at an address of the target's code: module, function, source line.
 * Files are those that are mapped, as pyd_module_open() proves; separate debug
 * information is taken from this machine alone, by build id. Nothing is asked
 * of any network. Code of no file is named by what its makers wrote for perf.
 */
#ifndef PYD_NATIVE_PLACE_H
#define PYD_NATIVE_PLACE_H

#include "native/module.h"

/* A function that a compiler inlined, and the position in it. */
struct pyd_inlined {
	const char *function; /* demangled */
	const char *file;     /* or NULL */
	int line;	      /* 0: not known */
};

struct pyd_place {
	const struct pyd_nmodule *module; /* NULL: code of no file */
	uint64_t address;     /* in the module's file; without one, remote */
	const char *function; /* demangled; NULL: no symbol covers it */
	const char *symbol; /* as the file has it, where it differs, or NULL */
	uint64_t offset;    /* in the function, bytes */
	const char *file;   /* of the source, or NULL */
	int line;	    /* 0: not known */
	/* What was inlined there, the innermost first; file and line are then
	 * where function calls the last of them. */
	const struct pyd_inlined *inlined;
	size_t ninlined;
};

struct pyd_places;
/* t and m must outlive it. */
PYD_MUST_CHECK enum pyd_code pyd_places_create(struct pyd_target *t,
					       const struct pyd_nmodules *m,
					       struct pyd_places **ret,
					       struct pyd_err *err);
/* Accepts NULL. */
void pyd_places_destroy(struct pyd_places *p);
/* No source lines are looked for after this moment (CLOCK_MONOTONIC; 0: no
 * limit), and none in debug information that takes long to unpack. Another
 * thread may look something up meanwhile. */
void pyd_places_deadline(struct pyd_places *p, uint64_t ns);
/*
 * From here on the memory of the target is not read: another thread may, while
 * this one looks up what is in files. What is needed for that is read now.
 */
PYD_MUST_CHECK enum pyd_code pyd_places_apart(struct pyd_places *p,
					      struct pyd_err *err);
/* Memory would have been read: names may be missing that others find. */
bool pyd_places_lack(const struct pyd_places *p);

/* What a map knows an address by: not 0. Any can stand in a broken stack; the
 * last two of all, where nothing is, have the same. */
static inline uint64_t pyd_place_key(pyd_addr pc)
{
	return pc + 1 ? pc + 1 : pc;
}

/* An address to be looked up, as pyd_places_find() takes it. */
struct pyd_place_ask {
	pyd_addr pc;
	bool exact;
	uint64_t order, unit; /* of use in there */
};

/*
 * Looks up many addresses, once each, so that pyd_places_find() has them at
 * hand: file by file, those that are asked for first first, with the debug
 * information of one file in memory at a time. Sorts v.
 */
PYD_MUST_CHECK enum pyd_code pyd_places_find_all(struct pyd_places *p,
						 struct pyd_place_ask *v,
						 size_t n, struct pyd_err *err);
/*
 * pc is an address to go on at: that of a call is looked up by the byte before
 * it, unless exact. The place lives as long as p.
 */
PYD_MUST_CHECK enum pyd_code pyd_places_find(struct pyd_places *p, pyd_addr pc,
					     bool exact,
					     const struct pyd_place **ret,
					     struct pyd_err *err);

#endif
