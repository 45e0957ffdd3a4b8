/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The "kept" target: what is read of a process while it stands still is kept,
 * so that it can be read again when the process runs. What was not read then
 * is a fault; it is not read from the running process.
 */
#ifndef PYD_TARGET_KEPT_H
#define PYD_TARGET_KEPT_H

#include "target/process.h"

/* Room for max_bytes, in blocks of PYD_WINDOW_BYTES. It is given as it is
 * needed, and stays. */
PYD_MUST_CHECK enum pyd_code pyd_target_kept_create(size_t max_bytes,
						    struct pyd_target **ret,
						    struct pyd_err *err);
/*
 * Forgets all, and keeps what is read of inner from here on. Reads fail with
 * PYD_BUSY when the room is used up (pyd_target_kept_is_full() tells); and what
 * is not kept yet, from until_ns on (CLOCK_MONOTONIC; 0: no matter), or when
 * this thread has had own_ns more of a processor (0: no matter). inner is not
 * owned; its regions do not change meanwhile.
 */
void pyd_target_kept_open(struct pyd_target *t, struct pyd_target *inner,
			  uint64_t until_ns, uint64_t own_ns);
/*
 * What is asked for from here on, to the next opening, becomes wanted, for
 * good: what is read, and after the close what is missed.
 */
void pyd_target_kept_note(struct pyd_target *t, bool on);
/* Bytes that are wanted. */
uint64_t pyd_target_kept_wanted(const struct pyd_target *t);
/*
 * Right after an opening, and best before the process is stopped: gets ready to
 * read what is wanted and is no memory of a device. stops: it will be stopped
 * for that, and all processors are to read.
 */
void pyd_target_kept_plan(struct pyd_target *t, bool stops);
/* After the plan: that too. False: there is no room. */
PYD_MUST_CHECK bool pyd_target_kept_add(struct pyd_target *t, pyd_addr addr,
					size_t len);
/* While p stands still: reads at once what is planned. False: that failed, or
 * it is until_ns (CLOCK_MONOTONIC; 0: no matter), and nothing is kept. */
bool pyd_target_kept_ahead(struct pyd_target *t, const struct pyd_process *p,
			   uint64_t until_ns);
/* The process may run: it is not read any more. */
void pyd_target_kept_close(struct pyd_target *t);
/* After that, on: mapped files that the process can only read, and the vdso,
 * are read of it all the same. */
void pyd_target_kept_code(struct pyd_target *t, bool on);
/* Whether all that was read so is still mapped as it was, so that it was what
 * it is taken for. */
bool pyd_target_kept_is_true(struct pyd_target *t);
bool pyd_target_kept_is_full(const struct pyd_target *t);
/* Bytes that are kept. */
uint64_t pyd_target_kept_bytes(const struct pyd_target *t);
/* Reads since the close that found nothing kept. */
uint64_t pyd_target_kept_missed(const struct pyd_target *t);

#endif
