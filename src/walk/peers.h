/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who outside of a process a system call of it waits for: the child that is to
 * end, who holds a lock on a file, who has the other end of a pipe. As /proc
 * has it when asked.
 */
#ifndef PYD_WALK_PEERS_H
#define PYD_WALK_PEERS_H

#include "target/process.h"
#include "target/syscall.h"
#include "target/target.h"

/* mem: the memory of the process. "the end of process 4242 (sleep)", or "" when
 * nothing tells. */
void pyd_peers_text(const struct pyd_process *p, struct pyd_target *mem,
		    const struct pyd_syscall *c, char *buf, size_t cap);

#endif
