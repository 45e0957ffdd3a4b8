/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread of the target as its tracer has it; shared by stop.c and
 * release.c. All of these are called in the tracer thread only.
 */
#ifndef PYD_TARGET_TRACEE_H
#define PYD_TARGET_TRACEE_H

#include <signal.h>

#include "target/stop.h"

enum pyd_tracee_state {
	PYD_TRACEE_RUNS,    /* ours, not stopped */
	PYD_TRACEE_STOPPED, /* ours, in a ptrace stop */
	PYD_TRACEE_DYING,   /* killed, not reaped yet */
	PYD_TRACEE_GONE,    /* ended */
};

struct pyd_tracee {
	struct pyd_thread t;
	enum pyd_tracee_state state;
	int sig;	/* that it is stopped with, to be delivered; 0: none */
	siginfo_t info; /* of sig */
	/* After the release: it has gone through the kernel's exit path, in
	 * which it could take signals that are meant for another. */
	bool settled;
	uint64_t run_time; /* as seen first after the release; 0: not yet */
};

/* What /proc says of a thread; false when it has ended. */
bool pyd_thread_describe(const struct pyd_process *p, pid_t tid,
			 struct pyd_thread *ret);
/* Also the main thread, which stays as a zombie while others run on. */
bool pyd_thread_has_ended(const struct pyd_process *p, pid_t tid);
/* The main thread first, then by id. */
void pyd_threads_sort(struct pyd_threads *t, pid_t pid);

/* Looks once whether a thread has stopped or ended. */
void pyd_tracee_poll(struct pyd_tracee *e);
/* What waitpid() said of it. */
void pyd_tracee_note(struct pyd_tracee *e, bool failed, int status);
/*
 * Has a stopped thread go on, without a signal, to its very next stop: before
 * it runs any code of the program if interrupt is set, else with the signal
 * that waits for it, if one does. False: it has ended.
 */
bool pyd_tracee_restart(struct pyd_tracee *e, bool interrupt);
/* Was the signal for the process, and not for that very thread? Timers and
 * faults are a thread's, or cannot be told. */
bool pyd_signal_is_for_process(int sig, const siginfo_t *info);
struct pyd_fork;

/*
 * Lets stopped threads run, and serves as their tracer until all have
 * settled. When it is over the tracer thread may end, by which the kernel
 * detaches them without another stop. resumed is called when the last of them
 * was let run. With a forked snapshot it serves until that has ended, and has
 * the target collect it.
 */
void pyd_tracees_resume(const struct pyd_process *p, struct pyd_tracee *v,
			size_t n, const struct pyd_fork *snapshot,
			void (*resumed)(void *ctx), void *ctx);

#endif
