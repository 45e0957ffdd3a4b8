/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Python runtime of a target: where _PyRuntime is, which version and build
 * it is, its layout, its interpreters and threads.
 */
#ifndef PYD_RUNTIME_RUNTIME_H
#define PYD_RUNTIME_RUNTIME_H

#include "layout/layout.h"
#include "read/reader.h"
#include "runtime/candidate.h"
#include "target/process.h"
#include "target/stop.h"

struct pyd_interpreter {
	pyd_addr addr;
	int64_t id;
	pyd_addr modules;  /* sys.modules, a dict */
	pyd_addr sysdict;  /* namespace of module sys */
	pyd_addr builtins; /* namespace of module builtins */
	bool main;
};

struct pyd_pythread {
	pyd_addr addr;	    /* PyThreadState */
	size_t interp;	    /* position in pyd_runtime.interps */
	uint64_t ident;	    /* threading.get_ident() */
	pid_t native_id;    /* as we see it; 0: unknown */
	pid_t ns_native_id; /* in the target's innermost PID namespace */
	bool gil;	    /* holds the GIL of its interpreter */
	bool main;	    /* the main thread of the main interpreter */
	pyd_addr thread;    /* threading.Thread object, or 0 */
	char name[128];	    /* threading's name, UTF-8; "" if none */
	char os_name[20];   /* "" if not known */
	char state;	    /* /proc state letter, '?' if not known */
};

struct pyd_runtime {
	pyd_addr addr;		/* _PyRuntime */
	uint32_t hex;		/* sys.hexversion */
	char version[64];	/* "3.11.7", "3.15.0rc1" */
	char full_version[256]; /* sys.version, "" until known */
	char abiflags[16];
	bool debug;
	bool free_threaded;
	bool shared;	   /* in a libpython, not in the executable */
	char module[1024]; /* ELF file that holds it, as in maps */
	struct pyd_layout lay;
	bool debug_offsets; /* _Py_DebugOffsets were used */
	bool finalizing;    /* it has begun to end */
	char notes[1024];   /* disagreements, second candidates; "" none */
	struct pyd_interpreter *interps; /* the main one first */
	size_t ninterps;
	struct pyd_pythread *threads; /* main thread first, then as listed */
	size_t nthreads;
};

/*
 * Finds the runtime in a target that need not be stopped: candidates, version,
 * table, validation. Interpreters are listed, threads are not. PYD_NOTPYTHON,
 * PYD_UNSUPPORTED, PYD_PERM..., each with what to do. p may be NULL (recorded
 * image).
 */
PYD_MUST_CHECK enum pyd_code pyd_runtime_find(struct pyd_target *t,
					      const struct pyd_process *p,
					      const struct pyd_layouts *tables,
					      struct pyd_runtime *ret,
					      struct pyd_err *err);
/*
 * The same, and gives what was looked at and why it was taken or not, also on
 * failure (ret_seen is then to be released too). quick: only what costs little
 * (pydumpd ps).
 */
PYD_MUST_CHECK enum pyd_code pyd_runtime_search(
	struct pyd_target *t, const struct pyd_process *p,
	const struct pyd_layouts *tables, bool quick, struct pyd_runtime *ret,
	struct pyd_candidates *ret_seen, struct pyd_err *err);
/*
 * Lists interpreters and threads again, from a frozen target, through r, whose
 * layout is rt->lay; also gives r the interpreters (pyd_reader.interps).
 * os: the threads as the kernel has them (pyd_stop_threads() or
 * pyd_threads_list()), for native ids, names and states; may be NULL.
 */
PYD_MUST_CHECK enum pyd_code pyd_runtime_threads(struct pyd_runtime *rt,
						 struct pyd_reader *r,
						 const struct pyd_threads *os,
						 struct pyd_err *err);
void pyd_runtime_deinit(struct pyd_runtime *rt);

#endif
