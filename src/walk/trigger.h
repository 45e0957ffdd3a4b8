/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a dump was taken, for its header.
 */
#ifndef PYD_WALK_TRIGGER_H
#define PYD_WALK_TRIGGER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct pyd_pack;
struct pyd_redact;

struct pyd_trigger {
	const char *kind; /* "attach", "core"; NULL: "attach" */
	int signo;	  /* that ended, or is to end, the program; 0: none */
	int si_code;	  /* of siginfo, when has_info */
	bool has_info;
	bool has_address;
	pyd_addr address; /* that the faulting instruction asked for */
	pid_t thread;	  /* that the signal is for, as the dump has native_id;
			   * 0: not known */
	const char *core; /* path of the core file; NULL: none */
};

/* Writes "trigger" and its map. */
void pyd_trigger_pack(const struct pyd_trigger *t, struct pyd_redact *redact,
		      struct pyd_pack *p);

/* "SIGSEGV", or NULL. */
const char *pyd_signal_name(int signo);
/* "SEGV_MAPERR", or NULL when the code has no name. */
const char *pyd_signal_code_name(int signo, int si_code);

#endif
