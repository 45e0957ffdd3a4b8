// SPDX-License-Identifier: Apache-2.0
#include "watch/handler.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "target/core.h"
#include "target/procfs.h"
#include "target/tracee.h"
#include "walk/name.h"

/* Of a core: its headers and notes. Half a megabyte for 100 threads. */
#define HEAD_MAX ((size_t)64 << 20)

/* After the deadline, for the dump to end by itself. */
enum { GRACE_MS = 2000 };

struct handler {
	const struct pyd_handler_options *o;
	struct pyd_crash *c;
	struct pyd_buf head; /* of the core, as far as it was read */
	bool has_notes;	     /* they are in head */
	int core;
	bool full; /* the disk, while the dump was written */
	struct pyd_trigger trigger;
	char path[4096];
};

/* -- the core's notes -- */

/* Until the head has that many bytes; false at the core's end. */
static bool read_head(struct handler *h, size_t want)
{
	struct pyd_err ignored;

	if (want > HEAD_MAX ||
	    (want > h->head.len &&
	     pyd_buf_reserve(&h->head, want - h->head.len, &ignored)))
		return false;
	while (h->head.len < want) {
		ssize_t n = read(h->core, h->head.data + h->head.len,
				 want - h->head.len);

		if (n < 0 && errno == EINTR && !pyd_interrupted)
			continue;
		if (n <= 0)
			return false;
		h->head.len += (size_t)n;
	}
	return true;
}

/* All up to the end of the notes, which the kernel puts first. */
static bool read_notes(struct handler *h)
{
	Elf64_Ehdr eh;
	uint64_t n;

	if (!read_head(h, sizeof(eh)))
		return false;
	memcpy(&eh, h->head.data, sizeof(eh));
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_type != ET_CORE ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_phentsize != sizeof(Elf64_Phdr) || eh.e_phoff > HEAD_MAX)
		return false;
	n = eh.e_phnum;
	/* The true number stands behind the memory: too far for us. */
	if (n == PN_XNUM)
		return false;
	if (!read_head(h, (size_t)eh.e_phoff + n * sizeof(Elf64_Phdr)))
		return false;
	for (uint64_t i = 0; i < n; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, h->head.data + eh.e_phoff + i * sizeof(ph),
		       sizeof(ph));
		if (ph.p_type != PT_NOTE)
			continue;
		return ph.p_offset <= HEAD_MAX && ph.p_filesz <= HEAD_MAX &&
		       read_head(h, (size_t)(ph.p_offset + ph.p_filesz));
	}
	return false;
}

/* -- the process stands still by itself -- */

/* Its threads, with the registers that the core has. Ids in a core are those
 * of the process's own namespace. */
static void add_registers(const struct pyd_core_info *info,
			  struct pyd_threads *threads,
			  struct pyd_trigger *trigger)
{
	for (size_t i = 0; i < threads->n; i++)
		for (size_t k = 0; k < info->threads.n; k++) {
			const struct pyd_thread *t = &info->threads.v[k];

			if (t->tid != threads->v[i].ns_tid)
				continue;
			threads->v[i].regs = t->regs;
			if (threads->v[i].tid == trigger->thread) {
				trigger->has_regs = true;
				trigger->regs = t->regs;
			}
			break;
		}
}

/* The head alone is a core that was cut short: it has the notes. Without them
 * a dump has no registers, and all else. */
static void read_core(struct handler *h, struct pyd_threads *threads)
{
	struct pyd_core_options opts = { 0 };
	struct pyd_target *core = NULL;
	struct pyd_err err = { 0 };
	char path[64];
	int fd = -1;
	enum pyd_code code = PYD_FORMAT;

	if (h->has_notes)
		fd = memfd_create("core", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	opts.path = path;
	if (fd >= 0 &&
	    write(fd, h->head.data, h->head.len) == (ssize_t)h->head.len)
		code = pyd_target_core_create(&opts, &core, &err);
	if (!code) {
		const struct pyd_core_info *info = pyd_target_core_info(core);

		add_registers(info, threads, &h->trigger);
		h->trigger.has_info = info->has_info;
		h->trigger.si_code = info->si_code;
		h->trigger.has_address = info->has_address;
		h->trigger.address = info->address;
	} else {
		pyd_log_notice("%d (%s): no registers: %s", h->c->pid,
			       h->c->comm,
			       err.msg[0] ? err.msg : "the core has no notes");
	}
	pyd_target_destroy(core);
	if (fd >= 0)
		close(fd);
}

static enum pyd_code hold(void *ctx, struct pyd_threads *ret,
			  struct pyd_err *err)
{
	struct handler *h = ctx;
	struct pyd_process p;
	enum pyd_code code = pyd_process_open(h->c->pid, &p, err);

	if (code)
		return code;
	code = pyd_threads_list(&p, ret, err);
	pyd_process_close(&p);
	if (code)
		return code;
	read_core(h, ret);
	pyd_threads_sort(ret, h->c->pid);
	return PYD_OK;
}

static void let_go(void *ctx)
{
	(void)ctx;
}

/* -- one crash -- */

static void on_alarm(int sig)
{
	(void)sig;
	pyd_interrupted = 1;
}

static void set_alarm(uint64_t ns)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval t = {
		.it_value = { (time_t)(ns / 1000000000U),
			      (suseconds_t)(ns % 1000000000U / 1000) },
	};

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

/* Now and then while the dump grows. */
static void look_at_disk(void *ctx, const struct pyd_walk *w)
{
	struct handler *h = ctx;

	(void)w;
	if (pyd_quota_has_room(&h->o->quota))
		return;
	h->full = true;
	pyd_interrupted = 1;
}

/* How the dumping process ends. */
enum { DUMPED, NO_DUMP, NO_PYTHON };

static int dump(struct handler *h, const struct pyd_snapshot_options *given)
{
	const struct pyd_stop_owner owner = { hold, let_go, h };
	struct pyd_snapshot_options opts = *given;
	struct pyd_snapshot_stats stats;
	struct pyd_err err = { 0 };
	enum pyd_code code;

	opts.pid = h->c->pid;
	opts.path = h->path;
	h->trigger = (struct pyd_trigger) {
		.kind = "signal",
		.signo = h->c->sig,
		.thread = h->c->tid,
	};
	opts.trigger = &h->trigger;
	opts.stop.owner = &owner;
	/* It does not run, and no memory of ours is needed. */
	opts.capture = PYD_CAPTURE_STOP;
	opts.progress = look_at_disk;
	opts.progress_ctx = h;
	/* What is near the frames is there in time. */
	if (!opts.limits.timeout_ns ||
	    opts.limits.timeout_ns > h->o->deadline_ns / 2)
		opts.limits.timeout_ns = h->o->deadline_ns / 2;
	set_alarm(h->o->deadline_ns);
	code = pyd_snapshot_take(&opts, &stats, &err);
	set_alarm(0);
	if (code) {
		pyd_log_notice("%d (%s): no dump: %s", h->c->pid, h->c->comm,
			       h->full ? "it would leave less than --min-free"
			       : pyd_interrupted
				       ? "it took longer than --deadline"
				       : err.msg);
		return code == PYD_NOTPYTHON ? NO_PYTHON : NO_DUMP;
	}
	pyd_log_notice("%d (%s): signal %d: %s, %" PRIu64 " threads, %" PRIu64
		       " objects, %.2f s",
		       h->c->pid, h->c->comm, h->c->sig, h->path, stats.threads,
		       stats.objects, (double)stats.total_ns / 1e9);
	return DUMPED;
}

/* Waits, and ends a child that does not end by itself: a file system that
 * hangs, say. */
static int end_of(struct handler *h, pid_t child)
{
	uint64_t ms = h->o->deadline_ns / 1000000 + GRACE_MS;
	int status = 0;

	if (!pyd_wait_child(child, ms)) {
		pyd_log_notice("%d (%s): no dump: it took longer than "
			       "--deadline, and was ended",
			       h->c->pid, h->c->comm);
		kill(child, SIGKILL);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		pyd_log_notice("%d (%s): no dump: pydumpd itself died of "
			       "signal %d (%s); please report it",
			       h->c->pid, h->c->comm, WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
	else if (WIFSIGNALED(status))
		pyd_log_notice("%d (%s): no dump: pydumpd was killed; for want "
			       "of memory, or by somebody",
			       h->c->pid, h->c->comm);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/*
 * The dump is made by a child, so that whatever happens to it the crash is
 * handed on, and the process that died ends.
 */
static bool dump_apart(struct handler *h,
		       const struct pyd_snapshot_options *given)
{
	int64_t taken;
	const char *why = pyd_quota_take(&h->o->quota, &taken);
	pid_t child;
	int how;

	if (why) {
		pyd_log_notice("%d (%s): no dump in %s: %s", h->c->pid,
			       h->c->comm, h->o->quota.dir, why);
		return false;
	}
	pyd_dump_path(h->o->quota.dir, h->c->pid, h->path, sizeof(h->path));
	h->has_notes = read_notes(h);
	child = fork();
	if (!child) {
		/* Without the other there is nobody whom the kernel waits
		 * for. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(h->core);
		_exit(dump(h, given));
	}
	if (child < 0)
		pyd_log_notice("%d (%s): no dump: cannot fork: %s", h->c->pid,
			       h->c->comm, strerror(errno));
	how = child < 0 ? NO_DUMP : end_of(h, child);
	if (how == NO_DUMP || how == NO_PYTHON)
		pyd_quota_give_back(&h->o->quota, taken);
	else if (how != DUMPED)
		pyd_quota_remove_part(h->path);
	else
		pyd_quota_tidy(&h->o->quota);
	return how == DUMPED;
}

bool pyd_handler_crash(const struct pyd_handler_options *o,
		       const struct pyd_snapshot_options *snapshot,
		       struct pyd_crash *c, int core)
{
	struct handler h = { .o = o, .c = c, .core = core };
	const struct pyd_core_stream stream = { &h.head, core };
	struct pyd_err err = { 0 };
	char done[4200] = "";
	bool dumped;

	if (pyd_crash_describe(c, &err)) {
		pyd_log_error("%d: %s", c->pid, err.msg);
		return false;
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* ignored, none could be waited for */
	dumped = snapshot && dump_apart(&h, snapshot);
	if (o->pass == PYD_PASS_ALL ||
	    (o->pass == PYD_PASS_OTHERS && !dumped)) {
		if (pyd_core_pattern_pass(o->previous, c, &stream,
					  o->deadline_ns / 1000000, done,
					  sizeof(done), &err))
			pyd_log_error("%d (%s): %s", c->pid, c->comm, err.msg);
		else
			pyd_log_notice("%d (%s): passed on: %s", c->pid,
				       c->comm, done);
		dumped |= !err.code;
	}
	pyd_buf_deinit(&h.head);
	return dumped;
}
