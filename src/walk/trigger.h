/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a dump was taken, for its header.
 */
#ifndef PYD_WALK_TRIGGER_H
#define PYD_WALK_TRIGGER_H

#include <stdbool.h>
#include <sys/types.h>

#include "target/arch.h"

struct pyd_pack;
struct pyd_redact;

struct pyd_trigger {
	/* "attach", "core", "signal", "exception", "exit", "hang", "timeout",
	 * "rss", "request"; NULL: "attach" */
	const char *kind;
	int signo;   /* that ended, or is to end, the program; 0: none */
	int si_code; /* of siginfo, when has_info */
	bool has_info;
	bool has_address;
	pyd_addr address;  /* that the faulting instruction asked for */
	pid_t thread;	   /* that the signal is for, as the dump has native_id;
			    * 0: not known */
	bool faulthandler; /* that has a handler for the signal */
	bool has_regs;
	struct pyd_regs regs;	  /* of thread, as the trigger found it */
	pyd_addr exception;	  /* that nobody catches, of thread; 0: none */
	char exception_type[128]; /* its name; "": none */
	/* Of one that is no object, or has not all of it yet; 0: its own. */
	pyd_addr exception_class, traceback;
	bool has_status;
	int status;	  /* of the exit */
	const char *core; /* path of the core file; NULL: none */
};

/* Writes "trigger" and its map. */
void pyd_trigger_pack(const struct pyd_trigger *t, struct pyd_redact *redact,
		      struct pyd_pack *p);

/* "SIGSEGV", or NULL. */
const char *pyd_signal_name(int signo);

#endif
