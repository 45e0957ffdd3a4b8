/* SPDX-License-Identifier: Apache-2.0 */
/* What core.c, corenotes.c, corefiles.c, coregdb.c and coremodules.c share.
 */
#ifndef PYD_TARGET_CORE_PRIVATE_H
#define PYD_TARGET_CORE_PRIVATE_H

#include <gelf.h>
#include <libelf.h>

#include "target/core.h"
#include "target/maps.h"

enum { PYD_CORE_LOADS_MAX = 1 << 22 };

/* A PT_LOAD. */
struct pyd_core_load {
	pyd_addr start;
	pyd_addr end;	 /* of the memory */
	uint64_t offset; /* in the core */
	uint64_t size;	 /* bytes in the core, at most end - start */
	unsigned int prot;
	bool unwritten; /* size is 0: gdb could not read it */
};

/* An entry of NT_FILE. */
struct pyd_core_mapping {
	pyd_addr start;
	pyd_addr end;
	uint64_t offset; /* in the file, bytes */
	size_t file;	 /* in info.files */
	bool deleted;
};

struct pyd_core {
	struct pyd_target base;
	struct pyd_core_info info;
	int fd;
	struct pyd_core_load *loads; /* sorted, not overlapping */
	size_t nloads;
	struct pyd_core_mapping *mappings; /* likewise */
	size_t nmappings;
	struct pyd_region *regions;
	char *names;	 /* of files */
	uint64_t time_s; /* when the core was written; seconds */
	bool of_gdb;
	bool with_files; /* read from files what the core lacks */
};

/* All notes; those that do not parse are passed over. */
PYD_MUST_CHECK enum pyd_code pyd_core_read_notes(struct pyd_core *c, Elf *elf,
						 const GElf_Phdr *ph,
						 struct pyd_err *err);
/* After all notes: sorts threads and mappings. */
PYD_MUST_CHECK enum pyd_code pyd_core_end_notes(struct pyd_core *c,
						struct pyd_err *err);
/* Of a core of gdb's: splits loads into what it wrote and what it could not
 * read. */
PYD_MUST_CHECK enum pyd_code pyd_core_find_unwritten(struct pyd_core *c,
						     struct pyd_err *err);
/* Of a core without notes: mappings, as far as the memory tells. */
PYD_MUST_CHECK enum pyd_code pyd_core_guess_files(struct pyd_core *c,
						  struct pyd_err *err);
/* Finds the files. PYD_NOTFOUND: opts->exe is another one. */
PYD_MUST_CHECK enum pyd_code pyd_core_find_files(
	struct pyd_core *c, const struct pyd_core_options *opts,
	struct pyd_err *err);
/* Reads from the file of a region of the core. */
PYD_MUST_CHECK enum pyd_code pyd_core_read_file(struct pyd_core *c,
						const struct pyd_region *r,
						pyd_addr addr, uint8_t *buf,
						size_t len,
						struct pyd_err *err);

#endif
