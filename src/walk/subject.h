/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a dump is of: a live process or a core file. It gives memory, threads
 * and what else is known of the program; what it cannot give is left out of
 * the dump, and nobody has to ask which of them it is.
 */
#ifndef PYD_WALK_SUBJECT_H
#define PYD_WALK_SUBJECT_H

#include "dump/writer.h"
#include "target/outside.h"
#include "target/process.h"
#include "target/stop.h"
#include "target/syscall.h"
#include "walk/redact.h"
#include "walk/snapshot.h"
#include "walk/trigger.h"

/* For the header. What is not known is 0, "" or -1. */
struct pyd_facts {
	pid_t pid;
	pid_t ppid;
	pid_t ns_pids[PYD_NS_DEPTH]; /* outer to inner */
	unsigned int n_ns_pids;
	int64_t uid; /* -1: not known */
	int64_t gid; /* likewise */
	char user[256];
	char comm[68];
	char exe[4096];
	char cwd[4096];
	int64_t start_s; /* seconds since 1970 at which the program began */
	int64_t time_s;	 /* when the memory was as it is dumped; 0: by now */
	int64_t time_us;
	uint64_t rss; /* bytes */
	char hostname[256];
	char kernel[128]; /* its release */
	char boot_id[64];
};

struct pyd_subject;

struct pyd_subject_ops {
	/*
	 * Takes threads and memory: sets threads, frozen, capture, torn.
	 * Memory is to be taken by deadline_ns (CLOCK_MONOTONIC; 0: none).
	 */
	enum pyd_code (*take)(struct pyd_subject *s, uint64_t deadline_ns,
			      struct pyd_err *err);
	/* Forgets what was taken, so that it can be taken again; NULL when
	 * that gives nothing new. */
	void (*drop)(struct pyd_subject *s);
	/* All that was wanted has been read: the target may run on. Sets
	 * pause_ns. May be NULL. */
	void (*release)(struct pyd_subject *s);
	/* The same whatever the state is, before all else is torn down; may
	 * be NULL. frozen is not read after it. */
	void (*abandon)(struct pyd_subject *s);
	/* About how much private memory is in use, bytes; 0: not known. */
	uint64_t (*memory)(struct pyd_subject *s);
	/* NUL-terminated each; buf is replaced. Not known: PYD_NOTFOUND. */
	enum pyd_code (*argv)(struct pyd_subject *s, struct pyd_buf *buf,
			      struct pyd_err *err);
	enum pyd_code (*environ)(struct pyd_subject *s, struct pyd_buf *buf,
				 struct pyd_err *err);
	/* Opens a file by the name that a code object has; an fd, or -1. */
	int (*open_source)(struct pyd_subject *s, const char *file);
	/* Writes the open files; NULL: they are not known. */
	enum pyd_code (*fds)(struct pyd_subject *s, struct pyd_redact *redact,
			     struct pyd_writer *w, struct pyd_err *err);
	/* What an open file is, in words; "" when not known. NULL: likewise. */
	void (*fd_text)(struct pyd_subject *s, int fd, char *buf, size_t cap);
	/* Who else a system call waits for, in words; likewise. */
	void (*peers_text)(struct pyd_subject *s, struct pyd_target *mem,
			   const struct pyd_syscall *c, char *buf, size_t cap);
	void (*destroy)(struct pyd_subject *s);
};

struct pyd_subject {
	const struct pyd_subject_ops *ops;
	struct pyd_facts facts;
	struct pyd_trigger trigger; /* unless the options have one */
	/* Memory to find the interpreter in, which may still change; owned. */
	struct pyd_target *target;
	const struct pyd_process *process; /* NULL: there is none; owned */
	/* After take(); owned. */
	const struct pyd_threads *threads;
	/* System calls of the threads, in their order; NULL: the registers
	 * tell. Those that moved on meanwhile are unknown. */
	const struct pyd_syscall *calls;
	/* CLOCK_MONOTONIC and CLOCK_REALTIME of the target when its memory was
	 * taken; 0: not known. */
	uint64_t taken_ns;
	uint64_t taken_real_ns;
	struct pyd_target *frozen;
	/*
	 * Set before take(), where limits keep the dump small; else NULL. Reads
	 * all that the dump needs of frozen, which keeps it: so that it can be
	 * made again of what is kept. rehearses: the process runs, frozen and
	 * threads are not to be trusted, what is read is forgotten. In any
	 * thread, while the caller of take() waits.
	 */
	enum pyd_code (*collect)(void *ctx, bool rehearses,
				 struct pyd_err *err);
	/* While it stands, where what collect() needs was planned before: adds
	 * the stacks and arguments of threads to what kept is to read ahead.
	 * threads is NULL: only whether that can be. PYD_UNSUPPORTED,
	 * PYD_LIMIT: it cannot. */
	enum pyd_code (*collect_threads)(void *ctx, struct pyd_target *kept,
					 const struct pyd_threads *threads,
					 struct pyd_err *err);
	/* After a rehearsal: forgets, and gets ready for the next time. */
	enum pyd_code (*collect_anew)(void *ctx, struct pyd_err *err);
	void *collect_ctx;
	/* After take(): frozen, when it is what collect() has read. */
	struct pyd_target *kept;
	const char *capture; /* "copy", "fork", "stop", "live", "core" */
	bool torn;	     /* the target ran meanwhile */
	const char *damaged; /* how the core is, so that any value may be wrong;
			      * NULL */
	const struct pyd_outside *outside; /* not captured; NULL: all is */
	const char *lacks; /* "the core is cut short": why what is not found
			    * may have been there; NULL */
	uint64_t captured_bytes;
	uint64_t pause_ns; /* after release() */
	/* Until the release: when the target goes on in any case, and what is
	 * read then is worth nothing; CLOCK_MONOTONIC, 0: never. */
	uint64_t pause_end_ns;
	bool expired; /* after release(): it went on before */
};

/* opts outlives it. */
PYD_MUST_CHECK enum pyd_code pyd_subject_live(
	const struct pyd_snapshot_options *opts, struct pyd_subject **ret,
	struct pyd_err *err);

/* opts->core is not NULL. */
PYD_MUST_CHECK enum pyd_code pyd_subject_core(
	const struct pyd_snapshot_options *opts, struct pyd_subject **ret,
	struct pyd_err *err);

/* Accepts NULL. */
static inline void pyd_subject_destroy(struct pyd_subject *s)
{
	if (s)
		s->ops->destroy(s);
}

#endif
