// SPDX-License-Identifier: Apache-2.0
/*
 * The guard: the process that was started as pydumpd. It is the parent of the
 * program and of the tracer, passes signals on, and ends as the program did.
 * It does nothing that could fail in the middle: when the tracer dies, the
 * program runs on, and the guard takes away what the tracer left.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "target/process.h"
#include "watch/tracer.h"

enum {
	STATUS_FAILED = 1,
	STATUS_NOT_EXECUTABLE = 126,
	STATUS_NOT_FOUND = 127,
};

struct guard {
	const struct pyd_watch_options *o;
	struct pyd_armed *armed;
	sigset_t old_mask;
	struct sigaction old_child; /* for SIGCHLD */
	pid_t program;		    /* 0: we run none, or it has ended */
	int status;		    /* of the program, by waitpid() */
	pid_t tracer;		    /* 0: it has ended */
	bool told;		    /* the tracer is to end */
};

static bool make_pipe(int fds[2])
{
	if (!pipe2(fds, O_CLOEXEC))
		return true;
	pyd_log_error("no pipe: %s", strerror(errno));
	return false;
}

/* From here on messages go to the log. The program has the old one. */
static bool open_log(const struct pyd_watch_options *o)
{
	int fd;

	if (!o->log)
		return true;
	fd = open(o->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0) {
		pyd_log_error("cannot write to %s: %s", o->log,
			      strerror(errno));
		return false;
	}
	dup2(fd, STDERR_FILENO);
	close(fd);
	return true;
}

/* -- the two children -- */

/* Waits until it is traced. Gives errno through err_fd when it cannot be. */
static void be_program(const struct guard *g, char **argv, int go_fd,
		       int err_fd)
{
	char byte;
	int e;

	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
	if (read(go_fd, &byte, 1) != 1)
		_exit(STATUS_FAILED);
	/* What it runs would keep it: traced now, it needs it no more. */
	prctl(PR_SET_PTRACER, 0, 0, 0, 0);
	sigaction(SIGCHLD, &g->old_child, NULL);
	sigprocmask(SIG_SETMASK, &g->old_mask, NULL);
	execvp(argv[0], argv);
	e = errno;
	if (write(err_fd, &e, sizeof(e)) != sizeof(e))
		_exit(STATUS_FAILED);
	_exit(e == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE);
}

/* Gives why it cannot be in text; "" when all is well. */
static bool start_tracer(struct guard *g, const pid_t *pids, size_t n,
			 bool starts, char *text, size_t cap)
{
	size_t have = 0;
	int fds[2];
	ssize_t got;

	if (!make_pipe(fds))
		return false;
	g->tracer = fork();
	if (!g->tracer) {
		const struct pyd_tracer_job job = {
			.o = g->o,
			.pids = pids,
			.n = n,
			.starts = starts,
			.armed = g->armed,
			.ready_fd = fds[1],
		};

		close(fds[0]);
		/* Without a guard it ends, in good order. */
		prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
		prctl(PR_SET_NAME, "pydumpd-tracer", 0, 0, 0);
		_exit(pyd_tracer_main(&job));
	}
	close(fds[1]);
	if (g->tracer < 0) {
		pyd_log_error("cannot fork: %s", strerror(errno));
		close(fds[0]);
		g->tracer = 0;
		return false;
	}
	while (have < cap &&
	       ((got = read(fds[0], text + have, cap - have)) > 0 ||
		(got < 0 && errno == EINTR)))
		have += got > 0 ? (size_t)got : 0;
	close(fds[0]);
	if (!have)
		snprintf(text, cap, "the tracer has died");
	text[cap - 1] = '\0';
	return true;
}

/* -- while it runs -- */

/* What a tracer that died has left, so that no thread meets a breakpoint that
 * nobody waits for. */
static void disarm(struct guard *g)
{
	const struct pyd_stop_options opts = { .disarm = true };

	for (size_t i = 0; i < PYD_ARMED_MAX; i++) {
		struct pyd_process process;
		struct pyd_stop *stop = NULL;
		struct pyd_err err = { 0 };

		if (!g->armed->pids[i] ||
		    pyd_process_open(g->armed->pids[i], &process, &err))
			continue;
		if (pyd_stop_all(&process, &opts, &stop, &err))
			pyd_log_debug("%s", err.msg);
		pyd_stop_destroy(stop);
		pyd_process_close(&process);
		g->armed->pids[i] = 0;
	}
}

static bool is_stopped(pid_t pid)
{
	struct pyd_proc_stat stat;
	struct pyd_err ignored;

	return !pyd_procfs_stat(pid, 0, &stat, &ignored) &&
	       (stat.state == 'T' || stat.state == 't');
}

/* The terminal stopped it: who started us is to see that, and we go on when it
 * does. */
static void stop_along(const struct guard *g, int sig)
{
	if (sig != SIGTSTP && sig != SIGTTIN && sig != SIGTTOU)
		return;
	(void)kill(getpid(), SIGSTOP);
	if (is_stopped(g->program))
		(void)kill(g->program, SIGCONT);
}

static void reap(struct guard *g)
{
	int status;

	while (g->program &&
	       waitpid(g->program, &status, WNOHANG | WUNTRACED) > 0) {
		if (WIFSTOPPED(status)) {
			stop_along(g, WSTOPSIG(status));
			continue;
		}
		g->status = status;
		g->program = 0;
	}
	if (!g->tracer || waitpid(g->tracer, &status, WNOHANG) <= 0)
		return;
	g->tracer = 0;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return;
	disarm(g);
	pyd_log_error("the tracer has ended early (%s %d); %s",
		      WIFSIGNALED(status) ? "signal" : "status",
		      WIFSIGNALED(status) ? WTERMSIG(status)
					  : WEXITSTATUS(status),
		      g->program ? "the program runs on, unwatched" : "");
}

static void end_tracer(struct guard *g)
{
	if (g->told || !g->tracer)
		return;
	g->told = true;
	(void)kill(g->tracer, SIGTERM);
}

/* One that was sent to us. The terminal has sent its own to the program too. */
static void pass_on(struct guard *g, int sig, const siginfo_t *info)
{
	if (sig == SIGUSR2 && g->o->triggers & PYD_ON_REQUEST) {
		if (g->tracer)
			(void)kill(g->tracer, SIGUSR2);
		return;
	}
	if (info->si_code == SI_KERNEL)
		return;
	if (g->program)
		(void)kill(g->program, sig);
}

static void block_all(struct guard *g)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &g->old_mask);
}

static void serve(struct guard *g, bool program)
{
	sigset_t set;

	/* Should the tracer die, we are to be first. Only where we may. */
	(void)setpriority(PRIO_PROCESS, 0, -20);
	sigfillset(&set);
	for (;;) {
		siginfo_t info;
		int sig;

		reap(g);
		if (program && !g->program)
			end_tracer(g);
		if (!g->program && !g->tracer)
			return;
		sig = sigwaitinfo(&set, &info);
		if (sig <= 0 || sig == SIGCHLD)
			continue;
		if (program)
			pass_on(g, sig, &info);
		else if (sig == SIGUSR2)
			(void)kill(g->tracer, SIGUSR2);
		else if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP ||
			 sig == SIGQUIT)
			end_tracer(g);
	}
}

static bool prepare(struct guard *g)
{
	g->armed = mmap(NULL, sizeof(*g->armed), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g->armed == MAP_FAILED) {
		pyd_log_error("out of memory");
		return false;
	}
	block_all(g);
	/* Ignored, as whoever started us may have it, nobody's end could be
	 * waited for. */
	sigaction(SIGCHLD, &(struct sigaction) { .sa_handler = SIG_DFL },
		  &g->old_child);
	return true;
}

/* -- run -- */

/* Why it could not be executed; 0: it was. */
static int exec_error(int fd)
{
	int e = 0;
	ssize_t got;

	do
		got = read(fd, &e, sizeof(e));
	while (got < 0 && errno == EINTR);
	return got == sizeof(e) ? e : 0;
}

int pyd_watch_run(const struct pyd_watch_options *o, char **argv,
		  int *ret_signal)
{
	struct guard g = { .o = o };
	int go[2], failed[2], e;
	char text[1024];
	pid_t program;

	*ret_signal = 0;
	if (!prepare(&g) || !make_pipe(go) || !make_pipe(failed))
		return STATUS_FAILED;
	g.program = program = fork();
	if (!program) {
		close(go[1]);
		close(failed[0]);
		be_program(&g, argv, go[0], failed[1]);
	}
	close(go[0]);
	close(failed[1]);
	if (program < 0) {
		pyd_log_error("cannot fork: %s", strerror(errno));
		return STATUS_FAILED;
	}
	if (!open_log(o) ||
	    !start_tracer(&g, &program, 1, true, text, sizeof(text)) || *text) {
		if (*text)
			pyd_log_error("cannot watch %s: %s", argv[0], text);
		close(go[1]);
		(void)waitpid(program, NULL, 0);
		return STATUS_FAILED;
	}
	if (write(go[1], "", 1) != 1)
		pyd_log_error("%s", strerror(errno));
	close(go[1]);
	e = exec_error(failed[0]);
	close(failed[0]);
	serve(&g, true);
	if (e) {
		pyd_log_error("cannot run %s: %s", argv[0], strerror(e));
		return e == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;
	}
	if (WIFSIGNALED(g.status))
		*ret_signal = WTERMSIG(g.status);
	sigprocmask(SIG_SETMASK, &g.old_mask, NULL);
	return WIFSIGNALED(g.status) ? 128 + WTERMSIG(g.status)
				     : WEXITSTATUS(g.status);
}

int pyd_watch_pids(const struct pyd_watch_options *o, const pid_t *pids,
		   size_t n)
{
	struct guard g = { .o = o };
	char text[1024];

	if (!prepare(&g) || !open_log(o) ||
	    !start_tracer(&g, pids, n, false, text, sizeof(text)))
		return STATUS_FAILED;
	if (*text) {
		pyd_log_error("%s", text);
		(void)waitpid(g.tracer, NULL, 0);
		return STATUS_FAILED;
	}
	serve(&g, false);
	return 0;
}
