/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process, held so that a recycled PID or an exec is noticed: by pidfd,
 * start time and an open /proc/PID/mem, which stays bound to the address
 * space that it was opened on.
 */
#ifndef PYD_TARGET_PROCESS_H
#define PYD_TARGET_PROCESS_H

#include "target/procfs.h"
#include "target/target.h"

struct pyd_process {
	pid_t pid;
	int pidfd;		       /* -1: the kernel has none */
	int memfd;		       /* -1 until pyd_process_access() */
	struct pyd_proc_stat stat;     /* as it was at the opening */
	struct pyd_proc_status status; /* likewise */
	/* A PID namespace below ours: ids that the target knows differ from
	 * those that we see. */
	uint8_t other_pid_ns;
	/* Some address that is mapped, to ask memfd about; 0: none yet. */
	pyd_addr probe;
	/* process_vm_readv was refused (seccomp); memfd is read instead. */
	uint8_t no_vm_readv;
};

/*
 * Opens pid. PYD_NOTFOUND: no such process, or it is a thread's id; PYD_GONE:
 * a zombie; PYD_UNSUPPORTED: a kernel thread; PYD_USAGE: ourselves. Does not
 * ask for permission yet.
 */
PYD_MUST_CHECK enum pyd_code pyd_process_open(pid_t pid,
					      struct pyd_process *ret,
					      struct pyd_err *err);
/*
 * Opens the memory for reading, which is the kernel's own check whether we
 * might trace it, without stopping it. PYD_PERM with reason and cure, PYD_GONE.
 * Being traced by another is not looked at here. Idempotent.
 */
PYD_MUST_CHECK enum pyd_code pyd_process_access(struct pyd_process *p,
						struct pyd_err *err);
/* PYD_GONE when it ended, was recycled, or replaced itself by exec since
 * pyd_process_access(). */
PYD_MUST_CHECK enum pyd_code pyd_process_check(const struct pyd_process *p,
					       struct pyd_err *err);
/* Only whether its address space is still the one it was. PYD_GONE. */
PYD_MUST_CHECK enum pyd_code pyd_process_check_memory(
	const struct pyd_process *p, struct pyd_err *err);
/* Accepts a zeroed or closed one. */
void pyd_process_close(struct pyd_process *p);

/* PYD_BUSY, with the tracer's pid and name, when somebody traces it. */
PYD_MUST_CHECK enum pyd_code pyd_process_untraced(const struct pyd_process *p,
						  struct pyd_err *err);
/* PYD_PERM when ptrace is refused to us altogether, by a seccomp filter. The
 * process is not touched. */
PYD_MUST_CHECK enum pyd_code pyd_process_ptrace(const struct pyd_process *p,
						struct pyd_err *err);
/*
 * Finds out why the kernel said errnum (EPERM, EACCES) and what to do. Always
 * fails: PYD_PERM, or PYD_GONE, PYD_BUSY when that is the reason.
 */
PYD_MUST_CHECK enum pyd_code pyd_process_explain(const struct pyd_process *p,
						 int errnum,
						 struct pyd_err *err);

/*
 * A target that reads the running process: process_vm_readv, or /proc/PID/mem
 * where that is refused. Calls pyd_process_access(). p must outlive it.
 */
PYD_MUST_CHECK enum pyd_code pyd_target_process_create(struct pyd_process *p,
						       struct pyd_target **ret,
						       struct pyd_err *err);
/* Reads the maps again. Pointers to regions become invalid. */
PYD_MUST_CHECK enum pyd_code pyd_target_process_refresh(struct pyd_target *t,
							struct pyd_err *err);
/* Reads what it can: *ret is the number of bytes from addr on, 0 at a fault.
 * Only PYD_GONE and PYD_PERM are failures. */
PYD_MUST_CHECK enum pyd_code pyd_process_read_some(struct pyd_process *p,
						   pyd_addr addr, void *buf,
						   size_t len, size_t *ret,
						   struct pyd_err *err);

/*
 * Opens the very file that a region maps, by /proc/PID/map_files, or by its
 * path below the process's root if device and inode agree. *ret is an fd that
 * is open for reading. PYD_NOTFOUND: it cannot be had, the message says why.
 */
PYD_MUST_CHECK enum pyd_code pyd_region_open(const struct pyd_process *p,
					     const struct pyd_region *r,
					     int *ret, struct pyd_err *err);
/* The path of a region below the process's root, unverified: another file may
 * have its name by now. Never blocks; regular files only. */
PYD_MUST_CHECK enum pyd_code pyd_region_open_path(const struct pyd_process *p,
						  const struct pyd_region *r,
						  int *ret,
						  struct pyd_err *err);

#endif
