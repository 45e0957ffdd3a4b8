// SPDX-License-Identifier: Apache-2.0
/* The live process as the subject of a dump: what /proc says of it. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log.h"
#include "target/open_as.h"
#include "walk/live_private.h"
#include "walk/peers.h"

enum { PROC_MAX = 8 << 20 };

static void live_destroy(struct pyd_subject *base)
{
	struct pyd_live *s = (struct pyd_live *)base;

	pyd_live_abandon(base);
	pyd_socks_destroy(s->socks);
	pyd_threads_deinit(&s->listed);
	free(s->calls);
	free(s->switches);
	pyd_target_destroy(base->frozen);
	pyd_target_destroy(s->inner);
	pyd_outside_deinit(&s->outside);
	pyd_target_destroy(s->child_live);
	pyd_process_close(&s->child);
	pyd_target_destroy(s->kept);
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
	struct pyd_live *s = (struct pyd_live *)base;
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
	struct pyd_live *live = (struct pyd_live *)s;

	pyd_fds_text(s->process, &live->socks, fd, buf, cap);
}

static void live_peers_text(struct pyd_subject *s, struct pyd_target *mem,
			    const struct pyd_syscall *c, char *buf, size_t cap)
{
	pyd_peers_text(s->process, mem, c, buf, cap);
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
	.take = pyd_live_take,
	.drop = pyd_live_drop,
	.release = pyd_live_release,
	.abandon = pyd_live_abandon,
	.memory = live_memory,
	.argv = live_argv,
	.environ = live_environ,
	.open_source = live_open_source,
	.fds = live_fds,
	.fd_text = live_fd_text,
	.peers_text = live_peers_text,
	.destroy = live_destroy,
};

enum pyd_code pyd_subject_live(const struct pyd_snapshot_options *opts,
			       struct pyd_subject **ret, struct pyd_err *err)
{
	struct pyd_live *s = calloc(1, sizeof(*s));
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
