// SPDX-License-Identifier: Apache-2.0
/* A core file as the subject of a dump. */
#include <inttypes.h>
#include <linux/limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/log.h"
#include "target/capture.h"
#include "target/core.h"
#include "target/open_as.h"
#include "walk/subject.h"

enum { SHOWN_FILES = 8 };

struct core {
	struct pyd_subject base;
	const struct pyd_core_options *opts;
	const struct pyd_core_info *info;
	struct pyd_buf argv, env;
	bool has_args; /* argv and env are the process's own */
	char path[PATH_MAX];
	/* Who may see what the core names. */
	uid_t uid;
	gid_t gid;
};

static enum pyd_code core_take(struct pyd_subject *base, uint64_t deadline_ns,
			       struct pyd_err *err)
{
	struct core *s = (struct core *)base;

	(void)deadline_ns;
	base->threads = &s->info->threads;
	base->capture = "core";
	return pyd_target_cache_create(base->target, 0, &base->frozen, err);
}

static uint64_t core_memory(struct pyd_subject *base)
{
	return ((struct core *)base)->info->have;
}

static enum pyd_code give(const struct pyd_buf *from, bool known,
			  struct pyd_buf *buf, struct pyd_err *err)
{
	pyd_buf_clear(buf);
	if (!known)
		return pyd_err_set(err, PYD_NOTFOUND, "not in the core");
	return pyd_buf_append(buf, from->data, from->len, err);
}

static enum pyd_code core_argv(struct pyd_subject *base, struct pyd_buf *buf,
			       struct pyd_err *err)
{
	struct core *s = (struct core *)base;

	return give(&s->argv, s->argv.len != 0, buf, err);
}

static enum pyd_code core_environ(struct pyd_subject *base, struct pyd_buf *buf,
				  struct pyd_err *err)
{
	struct core *s = (struct core *)base;

	return give(&s->env, s->has_args, buf, err);
}

/* Where the program's working directory was, nobody knows. */
static int core_open_source(struct pyd_subject *base, const char *file)
{
	struct core *s = (struct core *)base;

	if (file[0] != '/')
		return -1;
	return pyd_open_as(s->opts->sysroot ? s->opts->sysroot : "/", file,
			   s->uid, s->gid);
}

static void wipe(struct pyd_buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	pyd_buf_deinit(b);
}

static void core_destroy(struct pyd_subject *base)
{
	struct core *s = (struct core *)base;

	wipe(&s->argv);
	wipe(&s->env);
	pyd_target_destroy(base->frozen);
	pyd_target_destroy(base->target);
	free(s);
}

static const struct pyd_subject_ops core_ops = {
	.take = core_take,
	.memory = core_memory,
	.argv = core_argv,
	.environ = core_environ,
	.open_source = core_open_source,
	.destroy = core_destroy,
};

/* -- what is known of it -- */

/* systemd-coredump tells more, beside the core. */
static bool get_xattr(const char *path, const char *name, char *buf, size_t cap)
{
	char full[64];
	ssize_t n;

	snprintf(full, sizeof(full), "user.coredump.%s", name);
	n = getxattr(path, full, buf, cap - 1);
	buf[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static void set_time(struct pyd_facts *f, uint64_t us)
{
	f->time_s = (int64_t)(us / 1000000);
	f->time_us = (int64_t)(us % 1000000);
}

/* systemd: core.COMM.UID.BOOT.PID.MICROSECONDS, with a suffix when it is
 * compressed; COMM may hold dots. */
static void read_name(const char *path, struct pyd_facts *f)
{
	const char *base = strrchr(path, '/');
	char name[NAME_MAX + 1], *part[64] = { 0 };
	size_t n = 0;
	char *save = NULL, *end;

	snprintf(name, sizeof(name), "%s", base ? base + 1 : path);
	for (char *p = strtok_r(name, ".", &save); p && n < 64;
	     p = strtok_r(NULL, ".", &save))
		part[n++] = p;
	if (n && (!strcmp(part[n - 1], "zst") || !strcmp(part[n - 1], "xz") ||
		  !strcmp(part[n - 1], "lz4") || !strcmp(part[n - 1], "gz")))
		n--;
	if (n < 6 || strcmp(part[0], "core") || strlen(part[n - 3]) != 32 ||
	    strspn(part[n - 3], "0123456789abcdef") != 32)
		return;

	uint64_t us = strtoull(part[n - 1], &end, 10);

	if (*end || us < 1000000000000000ULL || us > 1ULL << 60)
		return;
	set_time(f, us);
	snprintf(f->boot_id, sizeof(f->boot_id), "%.8s-%.4s-%.4s-%.4s-%.12s",
		 part[n - 3], part[n - 3] + 8, part[n - 3] + 12,
		 part[n - 3] + 16, part[n - 3] + 20);
}

static void read_xattrs(const char *path, struct pyd_facts *f)
{
	char buf[4096], *end;

	if (get_xattr(path, "hostname", buf, sizeof(buf)))
		snprintf(f->hostname, sizeof(f->hostname), "%.255s", buf);
	if (!f->exe[0] && get_xattr(path, "exe", buf, sizeof(buf)))
		snprintf(f->exe, sizeof(f->exe), "%s", buf);
	if (!get_xattr(path, "timestamp", buf, sizeof(buf)))
		return;

	uint64_t us = strtoull(buf, &end, 10);

	if (!*end && us > 1000000000000000ULL && us < 1ULL << 60)
		set_time(f, us);
}

static bool is_our_boot(const char *boot_id)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	char ours[64] = "";

	if (!f)
		return false;
	if (!fgets(ours, sizeof(ours), f))
		ours[0] = '\0';
	fclose(f);
	ours[strcspn(ours, "\n")] = '\0';
	return ours[0] && !strcmp(ours, boot_id);
}

static void find_facts(struct core *s)
{
	const struct pyd_core_info *i = s->info;
	struct pyd_facts *f = &s->base.facts;
	struct passwd pw, *found = NULL;
	char room[4096];
	struct stat st;

	f->pid = i->pid;
	f->ppid = i->ppid;
	f->uid = i->uid;
	f->gid = i->gid;
	snprintf(f->comm, sizeof(f->comm), "%s", i->comm);
	for (size_t k = 0; k < i->nfiles; k++)
		if (i->files[k].is_exe)
			snprintf(f->exe, sizeof(f->exe), "%s",
				 i->files[k].path);
	s->uid = geteuid();
	s->gid = getegid();
	if (!stat(s->opts->path, &st)) {
		f->time_s = st.st_mtim.tv_sec;
		f->time_us = st.st_mtim.tv_nsec / 1000;
		/* Root's cores are the kernel's or systemd's, which wrote the
		 * process's user into them; others are their owner's. */
		s->uid = st.st_uid ? st.st_uid : i->uid > 0 ? (uid_t)i->uid : 0;
		s->gid = st.st_uid ? st.st_gid : i->gid > 0 ? (gid_t)i->gid : 0;
	}
	read_name(s->opts->path, f);
	read_xattrs(s->opts->path, f);
	/* A number means a user on the machine of the process alone. */
	if (f->uid >= 0 && is_our_boot(f->boot_id) &&
	    !getpwuid_r((uid_t)f->uid, &pw, room, sizeof(room), &found) &&
	    found)
		snprintf(f->user, sizeof(f->user), "%s", found->pw_name);
}

static void find_trigger(struct core *s)
{
	const struct pyd_core_info *i = s->info;

	if (!realpath(s->opts->path, s->path))
		snprintf(s->path, sizeof(s->path), "%s", s->opts->path);
	s->base.trigger = (struct pyd_trigger) {
		.kind = "core",
		.signo = i->signo,
		.has_info = i->has_info,
		.si_code = i->si_code,
		.has_address = i->has_address,
		.address = i->address,
		.thread = i->thread,
		.core = s->path,
	};
	for (size_t k = 0; i->signo && k < i->threads.n; k++)
		if (i->threads.v[k].tid == i->thread) {
			s->base.trigger.has_regs = true;
			s->base.trigger.regs = i->threads.v[k].regs;
		}
}

static enum pyd_code find_arguments(struct core *s, struct pyd_err *err)
{
	struct pyd_err why;
	enum pyd_code code =
		pyd_core_arguments(s->base.target, &s->argv, &s->env, &why);

	s->has_args = !code;
	if (!code)
		return PYD_OK;
	if (code != PYD_NOTFOUND) {
		*err = why;
		return code;
	}
	pyd_log_notice("%s; of the arguments only the first 80 characters are "
		       "known, and of the environment what Python has of it",
		       why.msg);
	pyd_buf_clear(&s->argv);
	if (!s->info->args[0])
		return PYD_OK;
	return pyd_buf_append(&s->argv, s->info->args,
			      strlen(s->info->args) + 1, err);
}

/* -- what is missing -- */

static void say_missing(const struct pyd_core_file *f)
{
	char id[129] = "";

	for (size_t k = 0; k < f->build_id_len; k++)
		snprintf(id + 2 * k, 3, "%02x", f->build_id[k]);
	pyd_log_notice("%s (build id %s) is not there to read from: %s%s",
		       f->path, id[0] ? id : "not known", f->why,
		       f->is_exe ? "; give it by --exe or --sysroot"
				 : "; give it by --sysroot");
}

static void report_files(const struct core *s)
{
	const struct pyd_core_info *i = s->info;
	uint64_t missing = 0, unverified = 0;

	for (size_t k = 0; k < i->nfiles; k++) {
		const struct pyd_core_file *f = &i->files[k];

		if (!f->absent)
			continue;
		unverified += f->state == PYD_CORE_FILE_UNVERIFIED;
		if (f->state != PYD_CORE_FILE_MISSING ||
		    (!f->is_elf && !f->is_exe))
			continue;
		/* The program comes first in an address space, or is told. */
		if (f->is_exe || missing < SHOWN_FILES)
			say_missing(f);
		missing++;
	}
	if (missing > SHOWN_FILES)
		pyd_log_notice("%" PRIu64 " files in all are not there to read "
			       "from (-v lists them): names of types and other "
			       "constants in them are missing; give --sysroot, "
			       "a folder with the files of the program's "
			       "machine",
			       missing);
	if (unverified)
		pyd_log_notice("%" PRIu64 " file%s could not be verified by "
			       "build id; they fit by their headers, as far "
			       "as the core tells (-v lists them)",
			       unverified, unverified == 1 ? "" : "s");
}

static void report_cut(const struct core *s)
{
	const struct pyd_core_info *i = s->info;

	if (i->unwritten)
		pyd_log_notice("gdb could not read %" PRIu64 " bytes when it "
			       "wrote the core (guard pages of threads' "
			       "stacks); they are unreadable here",
			       i->unwritten);
	if (i->no_notes)
		pyd_log_notice("gdb writes what it knows of threads last, and "
			       "that is cut off: there are no native stacks, "
			       "thread ids, registers, signal and process id; "
			       "mapped files are those that the memory names");
	if (i->damaged)
		pyd_log_notice("%s: any value may be wrong; get the core anew "
			       "from where it was written",
			       i->why_cut);
	if (!i->cut || (i->damaged && i->have >= i->size))
		return;
	if (i->have < i->size)
		pyd_log_notice("the core is cut short: %" PRIu64 " of %" PRIu64
			       " bytes are there%s%s; what lies beyond is "
			       "unreadable",
			       i->have, i->size, i->why_cut[0] ? ", for " : "",
			       i->why_cut);
	else
		pyd_log_notice("the core's end is missing (%s), but nothing "
			       "that is needed",
			       i->why_cut);
}

enum pyd_code pyd_subject_core(const struct pyd_snapshot_options *opts,
			       struct pyd_subject **ret, struct pyd_err *err)
{
	struct core *s = calloc(1, sizeof(*s));
	enum pyd_code code;

	if (!s)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	s->base.ops = &core_ops;
	s->opts = opts->core;
	code = pyd_target_core_create(opts->core, &s->base.target, err);
	if (!code) {
		s->info = pyd_target_core_info(s->base.target);
		if (opts->pid && s->info->pid != opts->pid)
			code = pyd_err_set(err, PYD_NOTFOUND,
					   "%s is the core of process %d, not "
					   "of %d",
					   opts->core->path, s->info->pid,
					   opts->pid);
	}
	if (!code)
		code = find_arguments(s, err);
	if (code) {
		core_destroy(&s->base);
		return code;
	}
	if (s->info->cut)
		s->base.lacks = "the core is cut short";
	if (s->info->damaged)
		s->base.damaged = s->info->why_cut;
	find_facts(s);
	find_trigger(s);
	report_cut(s);
	report_files(s);
	*ret = &s->base;
	return PYD_OK;
}
