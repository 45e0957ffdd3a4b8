/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places where a _PyRuntime may be: symbols and sections of that name in any
 * module that is mapped, whatever it is called, and the cookie of 3.13+.
 */
#ifndef PYD_RUNTIME_CANDIDATE_H
#define PYD_RUNTIME_CANDIDATE_H

#include "target/elf.h"

enum pyd_candidate_source {
	PYD_CANDIDATE_DYNAMIC = PYD_SYMBOL_DYNAMIC,
	PYD_CANDIDATE_FILE = PYD_SYMBOL_FILE,
	PYD_CANDIDATE_SECTION = PYD_SYMBOL_SECTION,
	PYD_CANDIDATE_COOKIE, /* found by looking through writable data */
};

struct pyd_candidate {
	pyd_addr addr;
	char module[1024]; /* path as in maps */
	bool is_exe;
	enum pyd_candidate_source source;
	bool cookie;	    /* has _Py_DebugOffsets (3.13+) */
	uint32_t hex;	    /* of the cookie or Py_Version; 0: unknown */
	bool free_threaded; /* as the cookie says */
	enum pyd_code code; /* PYD_OK: it is a live runtime */
	char verdict[320];  /* why not, or what it is */
	char table[64];	    /* layout that fits, "" if none */
};

struct pyd_candidates {
	struct pyd_candidate *v;
	size_t n;
	size_t nmodules;
	/* When there are none: a runtime that we know not to read, such as
	 * "Python 3.6 or older", "PyPy"; "" else. */
	char other[64];
};

/* How hard to look. */
enum pyd_candidate_depth {
	PYD_LOOK_QUICK, /* exported symbols, and the file of the executable */
	PYD_LOOK_FILES, /* the files of all modules */
	PYD_LOOK_DATA,	/* through all writable data of modules */
};
#define PYD_LOOK_LAST PYD_LOOK_DATA

/* Those that this depth adds to the ones before it. Finding none is no failure.
 * ret is replaced. */
PYD_MUST_CHECK enum pyd_code pyd_candidates_find(struct pyd_target *t,
						 const struct pyd_process *p,
						 enum pyd_candidate_depth depth,
						 struct pyd_candidates *ret,
						 struct pyd_err *err);
void pyd_candidates_deinit(struct pyd_candidates *c);
const char *pyd_candidate_source_name(enum pyd_candidate_source s);

#endif
