/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One dump, from the process or core file to the finished file: find, stop,
 * take, let go, walk, write.
 */
#ifndef PYD_WALK_SNAPSHOT_H
#define PYD_WALK_SNAPSHOT_H

#include "target/core.h"
#include "target/stop.h"
#include "walk/native.h"
#include "walk/trigger.h"
#include "walk/walk.h"

enum pyd_capture_mode {
	PYD_CAPTURE_AUTO,
	PYD_CAPTURE_COPY,
	PYD_CAPTURE_FORK,
	PYD_CAPTURE_STOP,
	PYD_CAPTURE_LIVE,
};
const char *pyd_capture_mode_name(enum pyd_capture_mode mode);

struct pyd_snapshot_options {
	pid_t pid;
	const struct pyd_core_options *core; /* NULL: the live process pid */
	const struct pyd_trigger *trigger;   /* NULL: what the subject says */
	const char *path;		     /* final name of the dump */
	const char *description;	     /* may be NULL */
	const char *offsets; /* table file or directory, may be NULL */
	const char *types;   /* descriptions of C types, likewise */
	enum pyd_capture_mode capture;
	enum pyd_native_mode native;
	struct pyd_stop_options stop; /* who stops the process, how long */
	bool no_inject; /* the target makes no system call for us: no fork */
	struct pyd_limits limits;
	struct pyd_rules *rules; /* about secrets; NULL: they are kept */
	int level;		 /* of zstd; 0: the default */
	/* See struct pyd_walk; may be NULL. */
	void (*progress)(void *ctx, const struct pyd_walk *w);
	void *progress_ctx;
};

struct pyd_snapshot_stats {
	const char *capture; /* mode that was used */
	uint64_t threads, frames, objects, bytes, placeholders;
	uint64_t redacted; /* values */
	uint64_t file_bytes;
	uint64_t captured_bytes; /* of memory, in mode copy */
	uint64_t pause_ns, walk_ns, total_ns;
	bool timeout;
	struct pyd_cuts cuts;
	uint64_t gc_roots;   /* with limits.gc */
	const char *gc_note; /* valid while the dump is written */
};

/*
 * Takes the dump. On failure there is no file under path, the target runs as
 * before, and err says what to do.
 */
PYD_MUST_CHECK enum pyd_code pyd_snapshot_take(
	const struct pyd_snapshot_options *opts, struct pyd_snapshot_stats *ret,
	struct pyd_err *err);

/* Memory that there is for a capture, bytes. */
struct pyd_capture_room {
	uint64_t ours;	  /* for a copy: pyd_capture_memory() */
	uint64_t targets; /* of its control groups: for what it changes, and so
			   * has twice, while there is a forked snapshot */
	bool kills_all;	  /* that, when it is too much, ends all of them */
};
void pyd_capture_room(pid_t pid, struct pyd_capture_room *ret);

/* A dump that limits keep small, tried while the process runs. */
struct pyd_rehearsal {
	bool done; /* false: it takes longer, or reads more than is kept */
	uint64_t ns;
	uint64_t bytes;
	/* What of that is wanted, where it can be read by one call, and the
	 * process stands for no more; 0: it cannot. */
	uint64_t glance_bytes;
};

/* Whether a dump may be so small that the process can stand for all that it
 * reads. */
bool pyd_limits_are_near(const struct pyd_limits *l);
/* About how long a mode stops a process whose private memory in use is estimate
 * bytes; 0: not known. */
uint64_t pyd_capture_expect_ns(enum pyd_capture_mode mode, uint64_t estimate);

/* What "auto" chooses for such a process, and why (a static text). rehearsal is
 * NULL when there was none. */
enum pyd_capture_mode pyd_capture_choose(uint64_t estimate,
					 const struct pyd_limits *limits,
					 bool may_fork,
					 const struct pyd_capture_room *room,
					 const struct pyd_rehearsal *rehearsal,
					 const char **ret_why);

#endif
