// SPDX-License-Identifier: Apache-2.0
/* The live process as the subject of a dump: stopping it, taking its memory,
 * and what /proc says of it. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "target/capture.h"
#include "target/cgroup.h"
#include "target/frame.h"
#include "target/open_as.h"
#include "walk/fds.h"
#include "walk/subject.h"

enum {
	/* A walk this shallow is over before a copy of much memory is, or a
	 * fork of very much. */
	SHALLOW_OBJECTS = 20000,
	SMALL_BYTES = 64 << 20,
	/* A copy of this much takes longer than a fork, which in turn needs
	 * threads of the process to run four times. */
	FORK_BYTES = 8 << 20,
	/* Copied in milliseconds. */
	BRIEF_BYTES = 64 << 20,
	/* Of its memory a busy process may change one part in so many while
	 * there is a snapshot. */
	FORK_SHARE = 4,
	PROC_MAX = 8 << 20,
};

#define HUGE_BYTES ((uint64_t)4 << 30)

const char *pyd_capture_mode_name(enum pyd_capture_mode mode)
{
	static const char *const names[] = {
		[PYD_CAPTURE_AUTO] = "auto", [PYD_CAPTURE_COPY] = "copy",
		[PYD_CAPTURE_FORK] = "fork", [PYD_CAPTURE_STOP] = "stop",
		[PYD_CAPTURE_LIVE] = "live",
	};

	return names[mode];
}

void pyd_capture_room(pid_t pid, struct pyd_capture_room *ret)
{
	ret->ours = pyd_capture_memory();
	ret->targets = pyd_cgroup_memory(pid, &ret->kills_all);
}

enum pyd_capture_mode pyd_capture_choose(uint64_t estimate,
					 const struct pyd_limits *limits,
					 bool may_fork,
					 const struct pyd_capture_room *room,
					 const char **ret_why)
{
	bool shallow =
		limits->depth == 1 ||
		(limits->max_objects && limits->max_objects <= SHALLOW_OBJECTS);

	if (shallow && estimate > (may_fork ? HUGE_BYTES : SMALL_BYTES)) {
		*ret_why = "the walk is shallow and the memory large";
		return PYD_CAPTURE_STOP;
	}
	if (may_fork && estimate > FORK_BYTES &&
	    room->targets >= estimate / (room->kills_all ? 1 : FORK_SHARE)) {
		*ret_why = "a fork takes less time than a copy";
		return PYD_CAPTURE_FORK;
	}
	if (estimate > room->ours / 2) {
		*ret_why = "a copy would take more than half of the free "
			   "memory";
		return PYD_CAPTURE_STOP;
	}
	*ret_why = may_fork && estimate > FORK_BYTES
			   ? "its control group has no memory for a fork"
			   : "a copy fits into memory";
	return PYD_CAPTURE_COPY;
}

struct live {
	struct pyd_subject base;
	const struct pyd_snapshot_options *opts;
	struct pyd_process process;
	enum pyd_capture_mode mode;
	struct pyd_capture *capture;
	struct pyd_stop *stop;
	uint64_t deadline_ns; /* of the copy; 0: none */
	/* Of what was done while it stood still. */
	enum pyd_code code;
	struct pyd_err err;
	/* Mode live. */
	struct pyd_threads listed;
	struct pyd_syscall *calls;
	struct pyd_socks *socks; /* once asked for */
	uint64_t *switches;	 /* of context, before the memory was taken */
	/* Mode fork. */
	struct pyd_gadgets gadgets;
	bool no_fork; /* it was refused */
	pid_t snapshot;
	struct pyd_process child;
	struct pyd_target *child_live;
	bool has_shared; /* memory that others can change */
	struct pyd_outside outside;
	struct pyd_target *inner; /* that frozen stands on, if any */
};

/* -- taking its memory -- */

static enum pyd_code prepare(struct live *s, struct pyd_err *err)
{
	struct pyd_err why = { 0 };
	uint64_t estimate = 0;
	const char *reason = "as asked for";
	struct pyd_capture_room room;
	enum pyd_code code;

	s->mode = s->opts->capture;
	if (s->mode == PYD_CAPTURE_AUTO) {
		code = pyd_capture_estimate(&s->process, &estimate, err);
		if (code)
			return code;
		pyd_capture_room(s->process.pid, &room);
		s->mode = pyd_capture_choose(estimate, &s->opts->limits,
					     !s->opts->no_inject && !s->no_fork,
					     &room, &reason);
	}
	if (s->mode == PYD_CAPTURE_FORK) {
		code = pyd_gadgets_find(s->base.target, &s->gadgets, err);
		if (code)
			return code;
	}
	pyd_log_debug("capture: %s (%s)", pyd_capture_mode_name(s->mode),
		      reason);
	if (s->mode != PYD_CAPTURE_COPY && s->mode != PYD_CAPTURE_LIVE)
		return PYD_OK;
	code = pyd_capture_prepare(&s->process, &s->capture, &why);
	if (!code)
		return PYD_OK;
	if (code == PYD_NOMEM && s->opts->capture == PYD_CAPTURE_AUTO) {
		pyd_log_notice("capture: stop, since %s", why.msg);
		s->mode = PYD_CAPTURE_STOP;
		return PYD_OK;
	}
	*err = why;
	return code;
}

/* -- while it stands still -- */

static void note_time(struct pyd_subject *s)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	s->taken_real_ns =
		(uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
	s->taken_ns = pyd_now_ns();
}

/* In the thread that stopped it. True: it may go on. */
static bool while_stopped(void *ctx, uint64_t begin_ns, pid_t snapshot)
{
	struct live *s = ctx;
	uint64_t end_ns = s->opts->stop.max_pause_ns;

	if (end_ns) {
		end_ns += begin_ns;
		if (!s->deadline_ns || end_ns < s->deadline_ns)
			s->deadline_ns = end_ns;
	}
	note_time(&s->base);
	s->snapshot = snapshot;
	s->code = PYD_OK;
	if (s->has_shared)
		s->code = pyd_outside_shared(&s->process, &s->outside, &s->err);
	if (s->code)
		return true;
	if (s->mode == PYD_CAPTURE_FORK)
		s->code = pyd_outside_take(&s->process, snapshot, &s->outside,
					   &s->err);
	else if (s->mode == PYD_CAPTURE_COPY) {
		pyd_capture_deadline(s->capture, s->deadline_ns);
		s->code = pyd_capture_take(s->capture, &s->err);
	}
	if (s->code == PYD_LIMIT && end_ns && s->deadline_ns == end_ns) {
		s->code = pyd_err_set(&s->err, PYD_BUSY,
				      "a copy of process %d takes longer than "
				      "--max-pause lets it stand; dump with "
				      "--capture=fork or live, or give it more",
				      s->process.pid);
		return true;
	}
	/* Its time is over: the stacks can still be read. */
	return s->mode != PYD_CAPTURE_STOP &&
	       (s->code != PYD_LIMIT || s->mode != PYD_CAPTURE_COPY);
}

static enum pyd_code stop(struct live *s, struct pyd_err *err)
{
	const struct pyd_target *t = s->base.target;

	const struct pyd_stop_work work = {
		.fork = s->mode == PYD_CAPTURE_FORK ? s->base.target : NULL,
		.gadgets = &s->gadgets,
		.run = while_stopped,
		.ctx = s,
		.brief = s->mode == PYD_CAPTURE_FORK ||
			 (s->mode == PYD_CAPTURE_COPY &&
			  pyd_capture_planned(s->capture) < BRIEF_BYTES),
	};
	struct pyd_stop_options opts = s->opts->stop;
	enum pyd_code code;

	s->has_shared = false;
	for (size_t i = 0; i < t->nregions; i++)
		s->has_shared |= pyd_region_is_shared(&t->regions[i]);
	if (s->mode != PYD_CAPTURE_STOP)
		opts.work = &work;
	code = pyd_stop_all(&s->process, &opts, &s->stop, err);
	if (code)
		return code;
	s->base.threads = pyd_stop_threads(s->stop);
	if (s->mode == PYD_CAPTURE_STOP)
		note_time(&s->base);
	if (opts.max_pause_ns && !opts.owner)
		s->base.pause_end_ns =
			pyd_stop_begin_ns(s->stop) + opts.max_pause_ns;
	return PYD_OK;
}

/* What does not change is read in blocks that are kept; what lies outside of
 * the capture is no part of them. */
static enum pyd_code freeze(struct live *s, struct pyd_target *live,
			    struct pyd_err *err)
{
	if (s->outside.n) {
		enum pyd_code code = pyd_target_outside_create(
			&s->outside, live, &s->inner, err);

		if (code)
			return code;
		s->base.outside = &s->outside;
		live = s->inner;
	}
	return pyd_target_cache_create(live, 0, &s->base.frozen, err);
}

/* Its memory is the snapshot's, which nobody changes. */
static enum pyd_code take_fork(struct live *s, struct pyd_err *err)
{
	enum pyd_code code = pyd_outside_look(s->snapshot, &s->outside, err);

	if (!code)
		code = pyd_process_open(s->snapshot, &s->child, err);
	if (code)
		return code;
	/* process_vm_readv would make a copy of every page, for the child. */
	s->child.no_vm_readv = 1;
	code = pyd_target_process_create(&s->child, &s->child_live, err);
	if (code)
		return code;
	return freeze(s, s->child_live, err);
}

static enum pyd_code take_stop(struct live *s, struct pyd_err *err)
{
	enum pyd_code code =
		pyd_outside_list(s->base.target, true, &s->outside, err);

	return code ? code : freeze(s, s->base.target, err);
}

/* The time was over before all was copied. The stacks are still read, out of
 * the process itself, so that the dump has frames at least. */
static enum pyd_code without_copy(struct live *s, struct pyd_err *err)
{
	pyd_log_notice("capture: --timeout ended the copy; only frames are "
		       "dumped");
	pyd_capture_destroy(s->capture);
	s->capture = NULL;
	pyd_outside_deinit(&s->outside);
	if (s->stop)
		s->mode = PYD_CAPTURE_STOP;
	return take_stop(s, err);
}

/* -- what threads do while nobody stops them -- */

static enum pyd_code look_at_calls(struct live *s, struct pyd_err *err)
{
	const struct pyd_threads *t = &s->listed;

	s->calls = calloc(t->n, sizeof(*s->calls));
	s->switches = calloc(t->n, sizeof(*s->switches));
	if (!s->calls || !s->switches)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (size_t i = 0; i < t->n; i++)
		pyd_call_of_proc(s->process.pid, t->v[i].tid, &s->calls[i],
				 &s->switches[i]);
	s->base.calls = s->calls;
	return PYD_OK;
}

/* A thread that was neither woken nor ran, as its switches of context tell,
 * has waited all the while: what was read of it holds together. */
static void look_again(struct live *s)
{
	for (size_t i = 0; i < s->listed.n; i++) {
		struct pyd_syscall now;
		uint64_t switches;

		pyd_call_of_proc(s->process.pid, s->listed.v[i].tid, &now,
				 &switches);
		if (!switches || switches != s->switches[i] ||
		    now.state != s->calls[i].state ||
		    now.nr != s->calls[i].nr ||
		    memcmp(now.args, s->calls[i].args, sizeof(now.args)) != 0)
			s->calls[i].state = PYD_CALL_UNKNOWN;
	}
}

/* What is read is the copy, but for what lies outside of it. */
static enum pyd_code leave_out(struct live *s, struct pyd_err *err)
{
	struct pyd_target *copy = s->base.frozen;
	enum pyd_code code = pyd_outside_list(copy, false, &s->outside, err);

	if (!code)
		code = pyd_outside_unread(copy, pyd_capture_unread(s->capture),
					  &s->outside, err);
	if (code || !s->outside.n)
		return code;
	code = pyd_target_outside_create(&s->outside, copy, &s->base.frozen,
					 err);
	if (code)
		return code;
	s->inner = copy;
	s->base.outside = &s->outside;
	/* What is read without a call is memory of the copy alone. */
	s->base.frozen->windows = copy->windows;
	return PYD_OK;
}

static enum pyd_code take_copy(struct live *s, struct pyd_err *err)
{
	struct pyd_capture_stats got = { 0 };
	enum pyd_code code =
		pyd_capture_target(s->capture, &s->base.frozen, &got, err);

	if (code)
		return code;
	s->base.captured_bytes = got.bytes;
	if (got.unreadable)
		pyd_log_notice("%llu bytes of memory could not be copied",
			       (unsigned long long)got.unreadable);
	return s->mode == PYD_CAPTURE_COPY ? leave_out(s, err) : PYD_OK;
}

static enum pyd_code take_live(struct live *s, struct pyd_err *err)
{
	enum pyd_code code = pyd_threads_list(&s->process, &s->listed, err);

	s->base.threads = &s->listed;
	if (!code)
		code = look_at_calls(s, err);
	if (code)
		return code;
	note_time(&s->base);
	s->code = pyd_capture_take(s->capture, &s->err);
	look_again(s);
	return PYD_OK;
}

/* Stops the target as long as the mode needs it. */
static enum pyd_code take_once(struct live *s, uint64_t deadline_ns,
			       struct pyd_err *err)
{
	enum pyd_code code;

	s->deadline_ns = deadline_ns;
	if (s->capture)
		pyd_capture_deadline(s->capture, deadline_ns);
	s->code = PYD_OK;
	code = s->mode == PYD_CAPTURE_LIVE ? take_live(s, err) : stop(s, err);
	if (code)
		return code;
	if (s->mode == PYD_CAPTURE_STOP)
		return take_stop(s, err);
	if (s->code == PYD_LIMIT && s->capture)
		return without_copy(s, err);
	if (s->code) {
		*err = s->err;
		return s->code;
	}
	return s->mode == PYD_CAPTURE_FORK ? take_fork(s, err)
					   : take_copy(s, err);
}

static enum pyd_code live_take(struct pyd_subject *base, uint64_t deadline_ns,
			       struct pyd_err *err)
{
	struct live *s = (struct live *)base;
	enum pyd_code code = prepare(s, err);

	if (!code)
		code = take_once(s, deadline_ns, err);
	/* A process that cannot be forked can be copied. */
	if (code && s->mode == PYD_CAPTURE_FORK &&
	    s->opts->capture == PYD_CAPTURE_AUTO && !s->child.pid &&
	    (code == PYD_UNSUPPORTED || code == PYD_NOMEM || code == PYD_BUSY ||
	     code == PYD_NOTFOUND)) {
		pyd_log_notice("capture: copy, since %s", err->msg);
		s->no_fork = true;
		pyd_stop_destroy(s->stop);
		s->stop = NULL;
		s->base.threads = NULL;
		pyd_outside_deinit(&s->outside);
		code = prepare(s, err);
		if (!code)
			code = take_once(s, deadline_ns, err);
	}
	base->capture = pyd_capture_mode_name(s->mode);
	base->torn = s->mode == PYD_CAPTURE_LIVE;
	return code;
}

/* A list that a running target changes while it is copied does not hold up;
 * the next copy may. */
static void live_drop(struct pyd_subject *base)
{
	struct live *s = (struct live *)base;

	pyd_target_destroy(base->frozen);
	base->frozen = NULL;
	pyd_target_destroy(s->inner);
	s->inner = NULL;
	base->outside = NULL;
	pyd_outside_deinit(&s->outside);
	pyd_capture_destroy(s->capture);
	s->capture = NULL;
	pyd_threads_deinit(&s->listed);
	base->threads = NULL;
	free(s->calls);
	free(s->switches);
	s->calls = NULL;
	s->switches = NULL;
	base->calls = NULL;
}

static void live_release(struct pyd_subject *base)
{
	struct live *s = (struct live *)base;

	if (!s->stop)
		return;
	pyd_stop_release(s->stop);
	base->pause_ns = pyd_stop_end_ns(s->stop) - pyd_stop_begin_ns(s->stop);
	base->expired = pyd_stop_expired(s->stop);
}

static void live_abandon(struct pyd_subject *base)
{
	struct live *s = (struct live *)base;

	pyd_stop_destroy(s->stop);
	s->stop = NULL;
}

static void live_destroy(struct pyd_subject *base)
{
	struct live *s = (struct live *)base;

	live_abandon(base);
	pyd_socks_destroy(s->socks);
	pyd_threads_deinit(&s->listed);
	free(s->calls);
	free(s->switches);
	pyd_target_destroy(base->frozen);
	pyd_target_destroy(s->inner);
	pyd_outside_deinit(&s->outside);
	pyd_target_destroy(s->child_live);
	pyd_process_close(&s->child);
	pyd_capture_destroy(s->capture);
	pyd_target_destroy(base->target);
	pyd_process_close(&s->process);
	free(s);
}

/* -- what /proc says of it -- */

/* Seconds since 1970 at which the machine started; 0 when unknown. */
static int64_t boot_time(void)
{
	FILE *f = fopen("/proc/stat", "re");
	char line[4096];
	long long t = 0;

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "btime %lld", &t) == 1)
			break;
	fclose(f);
	return t;
}

static void find_host(struct pyd_facts *f)
{
	struct utsname u = { 0 };
	FILE *boot = fopen("/proc/sys/kernel/random/boot_id", "re");

	uname(&u);
	snprintf(f->hostname, sizeof(f->hostname), "%s", u.nodename);
	snprintf(f->kernel, sizeof(f->kernel), "%s", u.release);
	if (!boot)
		return;
	if (!fgets(f->boot_id, sizeof(f->boot_id), boot))
		f->boot_id[0] = '\0';
	f->boot_id[strcspn(f->boot_id, "\n")] = '\0';
	fclose(boot);
}

static void find_facts(const struct pyd_process *p, struct pyd_facts *f)
{
	const struct pyd_proc_status *st = &p->status;
	int64_t boot = boot_time();
	struct passwd pw, *found = NULL;
	char room[4096];
	struct pyd_err ignored;

	f->pid = p->pid;
	f->ppid = p->stat.ppid;
	f->n_ns_pids = st->n_ns_pids;
	memcpy(f->ns_pids, st->ns_pids, sizeof(f->ns_pids));
	f->uid = st->uid;
	f->gid = st->gid;
	if (!getpwuid_r(st->uid, &pw, room, sizeof(room), &found) && found)
		snprintf(f->user, sizeof(f->user), "%s", found->pw_name);
	snprintf(f->comm, sizeof(f->comm), "%s", p->stat.comm);
	if (pyd_procfs_link(p->pid, "exe", f->exe, sizeof(f->exe), &ignored))
		f->exe[0] = '\0';
	if (pyd_procfs_link(p->pid, "cwd", f->cwd, sizeof(f->cwd), &ignored))
		f->cwd[0] = '\0';
	if (boot)
		f->start_s = boot + (int64_t)(p->stat.start_time /
					      (uint64_t)sysconf(_SC_CLK_TCK));
	f->rss = p->stat.rss;
	find_host(f);
}

static uint64_t live_memory(struct pyd_subject *base)
{
	struct live *s = (struct live *)base;
	uint64_t bytes = 0;
	struct pyd_err ignored;

	if (pyd_capture_estimate(&s->process, &bytes, &ignored))
		return 0;
	return bytes;
}

static enum pyd_code live_argv(struct pyd_subject *s, struct pyd_buf *buf,
			       struct pyd_err *err)
{
	return pyd_procfs_read(s->process->pid, "cmdline", PROC_MAX, buf, err);
}

static enum pyd_code live_environ(struct pyd_subject *s, struct pyd_buf *buf,
				  struct pyd_err *err)
{
	return pyd_procfs_read(s->process->pid, "environ", PROC_MAX, buf, err);
}

static enum pyd_code live_fds(struct pyd_subject *s, struct pyd_redact *redact,
			      struct pyd_writer *w, struct pyd_err *err)
{
	return pyd_fds_write(s->process, redact, w, err);
}

static void live_fd_text(struct pyd_subject *s, int fd, char *buf, size_t cap)
{
	struct live *live = (struct live *)s;

	pyd_fds_text(s->process, &live->socks, fd, buf, cap);
}

/* A name without a leading slash starts at its working directory; where that
 * lies in its root is not followed upwards. */
static int live_open_source(struct pyd_subject *s, const char *file)
{
	const struct pyd_process *p = s->process;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)p->pid,
		 file[0] == '/' ? "root" : "cwd");
	return pyd_open_as(path, file, p->status.euid, p->status.egid);
}

static const struct pyd_subject_ops live_ops = {
	.take = live_take,
	.drop = live_drop,
	.release = live_release,
	.abandon = live_abandon,
	.memory = live_memory,
	.argv = live_argv,
	.environ = live_environ,
	.open_source = live_open_source,
	.fds = live_fds,
	.fd_text = live_fd_text,
	.destroy = live_destroy,
};

enum pyd_code pyd_subject_live(const struct pyd_snapshot_options *opts,
			       struct pyd_subject **ret, struct pyd_err *err)
{
	struct live *s = calloc(1, sizeof(*s));
	enum pyd_code code;

	if (!s)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	s->base.ops = &live_ops;
	s->base.process = &s->process;
	s->base.trigger.kind = "attach";
	s->opts = opts;
	code = pyd_process_open(opts->pid, &s->process, err);
	if (!code)
		code = pyd_target_process_create(&s->process, &s->base.target,
						 err);
	if (code) {
		live_destroy(&s->base);
		return code;
	}
	find_facts(&s->process, &s->base.facts);
	*ret = &s->base;
	return PYD_OK;
}
