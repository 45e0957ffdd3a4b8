/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The "core" target: an ELF core file of the kernel, of gdb's gcore or of
 * systemd-coredump, plain or compressed. What the core leaves out of the files
 * that were mapped comes from those files, when they are proved to be the same;
 * all else that is not there is unreadable, with the reason. A core is
 * untrusted.
 */
#ifndef PYD_TARGET_CORE_H
#define PYD_TARGET_CORE_H

#include <stdbool.h>

#include "base/buf.h"
#include "target/stop.h"
#include "target/target.h"

struct pyd_core_options {
	const char *path;
	const char *exe;     /* the program's file; NULL: where it was */
	const char *sysroot; /* folder that files are below; NULL: the root */
};

enum pyd_core_file_state {
	PYD_CORE_FILE_MISSING,	  /* not found, or not the one; why */
	PYD_CORE_FILE_VERIFIED,	  /* its build id is the one in the core */
	PYD_CORE_FILE_UNVERIFIED, /* no build id to compare; the rest fits */
};

enum { PYD_CORE_RANGES = 16 };

/* A file that was mapped. */
struct pyd_core_file {
	const char *path;
	enum pyd_core_file_state state;
	char *found; /* where it was found; NULL */
	int fd;	     /* -1: none */
	char why[600];
	uint8_t build_id[64]; /* as the core has it */
	uint8_t build_id_len; /* 0: the core does not tell */
	bool is_elf;	      /* as far as the core tells */
	bool is_exe;
	uint64_t absent; /* bytes of its mappings that the core lacks */
	/* Parts of the file that the program cannot write to. */
	struct {
		uint64_t start, end;
	} constant[PYD_CORE_RANGES];
	unsigned int nconstant;
};

struct pyd_core_info {
	pid_t pid; /* 0: not known */
	pid_t ppid;
	int64_t uid; /* -1: not known */
	int64_t gid;
	char comm[17];
	char args[81];		    /* the first of the command line, or "" */
	struct pyd_threads threads; /* the main thread first; with registers */
	/* It is gdb's, and cut before the notes, which stand at its end: no
	 * threads of the kernel, no registers, no signal. */
	bool no_notes;
	/* Why the kernel wrote it; 0: no signal, or gcore. */
	int signo;
	bool has_info;
	int si_code;
	bool has_address;
	pyd_addr address;
	pid_t thread;	/* that the signal was for; 0: not known */
	uint64_t *auxv; /* pairs, without the last (0, 0) */
	size_t nauxv;
	struct pyd_core_file *files;
	size_t nfiles;
	const char *compression; /* "zstd"...; NULL: none */
	uint64_t size;		 /* bytes that there should be */
	uint64_t have;		 /* bytes that there are */
	bool cut;		 /* have < size */
	uint64_t unwritten;	 /* bytes that gdb left out, as if zeros */
	char why_cut[160];	 /* of a compressed one; "" */
	bool damaged; /* of a compressed one: any byte may be wrong */
};

/*
 * PYD_FORMAT: not a core; PYD_UNSUPPORTED: of another architecture or of 32
 * bits; PYD_IO: it, or room to decompress it; PYD_NOTFOUND: --exe or --sysroot
 * is not there, or not the program's. Each says what to do.
 */
PYD_MUST_CHECK enum pyd_code pyd_target_core_create(
	const struct pyd_core_options *opts, struct pyd_target **ret,
	struct pyd_err *err);
/* Valid as long as the target. */
const struct pyd_core_info *pyd_target_core_info(const struct pyd_target *t);
/* The value of an entry of the auxiliary vector; 0: none. */
uint64_t pyd_core_auxv(const struct pyd_core_info *info, uint64_t type);
/*
 * Arguments and environment as they lie on the main thread's stack:
 * NUL-terminated each; both are replaced. PYD_NOTFOUND: they are not there.
 */
PYD_MUST_CHECK enum pyd_code pyd_core_arguments(struct pyd_target *t,
						struct pyd_buf *argv,
						struct pyd_buf *env,
						struct pyd_err *err);

#endif
