// SPDX-License-Identifier: Apache-2.0
#include "watch/core_pattern.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/procfs.h"

enum { MAX_WORDS = 64, CHUNK = 1 << 16, WAIT_MS = 60000 };

/* -- the crash -- */

static uint64_t core_limit_of(pid_t pid)
{
	struct pyd_buf buf = { 0 };
	struct pyd_err ignored;
	const char *line = NULL;
	unsigned long long soft = 0;

	if (!pyd_procfs_read(pid, "limits", 65536, &buf, &ignored))
		line = strstr((const char *)buf.data, "Max core file size");
	if (line && strspn(line + 18, " ") &&
	    !strncmp(line + 18 + strspn(line + 18, " "), "unlimited", 9))
		soft = UINT64_MAX;
	else if (!line || sscanf(line + 18, "%llu", &soft) != 1)
		soft = 0;
	pyd_buf_deinit(&buf);
	return soft;
}

static pid_t innermost(pid_t pid, pid_t tid)
{
	struct pyd_proc_status status;
	struct pyd_err ignored;

	if (pyd_procfs_status(pid, tid, &status, &ignored) || !status.n_ns_pids)
		return tid;
	return status.ns_pids[status.n_ns_pids - 1];
}

enum pyd_code pyd_crash_describe(struct pyd_crash *c, struct pyd_err *err)
{
	struct pyd_proc_status status;
	struct pyd_proc_stat stat;
	struct pyd_err ignored;
	enum pyd_code code = pyd_procfs_status(c->pid, 0, &status, err);

	if (!code)
		code = pyd_procfs_stat(c->pid, c->tid, &stat, err);
	if (code)
		return code;
	c->ns_pid = innermost(c->pid, c->pid);
	c->ns_tid = innermost(c->pid, c->tid);
	c->uid = status.uid;
	c->gid = status.gid;
	c->core_limit = core_limit_of(c->pid);
	snprintf(c->comm, sizeof(c->comm), "%.63s", stat.comm);
	if (pyd_procfs_link(c->pid, "exe", c->exe, sizeof(c->exe), &ignored))
		c->exe[0] = '\0';
	if (gethostname(c->host, sizeof(c->host)))
		c->host[0] = '\0';
	c->host[sizeof(c->host) - 1] = '\0';
	return PYD_OK;
}

/* -- specifiers -- */

/* Text that the program may have chosen: it must not change the directory. */
static enum pyd_code add_name(struct pyd_buf *b, const char *text,
			      struct pyd_err *err)
{
	size_t start = b->len;
	enum pyd_code code;

	if (!*text)
		return pyd_buf_append(b, "!", 1, err);
	code = pyd_buf_append(b, text, strlen(text), err);
	if (code)
		return code;

	char *p = (char *)b->data + start;

	for (size_t i = 0; start + i < b->len; i++)
		if (p[i] == '/')
			p[i] = '!';
	if (p[0] == '.' &&
	    (b->len - start == 1 || (b->len - start == 2 && p[1] == '.')))
		p[0] = '!';
	return PYD_OK;
}

static enum pyd_code add_number(struct pyd_buf *b, int64_t v,
				struct pyd_err *err)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%" PRId64, v);

	return pyd_buf_append(b, text, (size_t)n, err);
}

static enum pyd_code add_limit(struct pyd_buf *b, uint64_t v,
			       struct pyd_err *err)
{
	char text[32];
	/* As the kernel prints RLIM_INFINITY. */
	int n = snprintf(text, sizeof(text), "%" PRIu64, v);

	return pyd_buf_append(b, text, (size_t)n, err);
}

static enum pyd_code expand_one(char spec, const struct pyd_crash *c,
				struct pyd_buf *b, struct pyd_err *err)
{
	const char *slash = strrchr(c->exe, '/');

	switch (spec) {
	case '%':
		return pyd_buf_append(b, "%", 1, err);
	case 'P':
		return add_number(b, c->pid, err);
	case 'I':
		return add_number(b, c->tid, err);
	case 'p':
		return add_number(b, c->ns_pid, err);
	case 'i':
		return add_number(b, c->ns_tid, err);
	case 'u':
		return add_number(b, c->uid, err);
	case 'g':
		return add_number(b, c->gid, err);
	case 'd':
		return add_number(b, c->dump_mode, err);
	case 's':
		return add_number(b, c->sig, err);
	case 't':
		return add_number(b, c->time, err);
	case 'c':
		return add_limit(b, c->core_limit, err);
	case 'h':
		return add_name(b, c->host, err);
	case 'e':
		return add_name(b, c->comm, err);
	case 'E':
		return add_name(b, c->exe, err);
	case 'f':
		return add_name(b, slash ? slash + 1 : c->exe, err);
	default: /* as the kernel: nothing */
		return PYD_OK;
	}
}

enum pyd_code pyd_core_pattern_expand(const char *pattern,
				      const struct pyd_crash *c,
				      struct pyd_buf *ret, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	pyd_buf_clear(ret);
	for (const char *p = pattern; *p && !code; p++) {
		if (*p != '%')
			code = pyd_buf_append(ret, p, 1, err);
		else if (p[1])
			code = expand_one(*++p, c, ret, err);
	}
	/* The NUL does not count. */
	if (!code)
		code = pyd_buf_append(ret, "", 1, err);
	if (!code)
		ret->len--;
	return code;
}

void pyd_core_pattern_free(char **argv)
{
	for (size_t i = 0; argv && argv[i]; i++)
		free(argv[i]);
	free(argv);
}

enum pyd_code pyd_core_pattern_argv(const char *pattern,
				    const struct pyd_crash *c, char ***ret,
				    struct pyd_err *err)
{
	char **argv = calloc(MAX_WORDS + 1, sizeof(*argv));
	char *words = strdup(pattern + pyd_core_pattern_is_pipe(pattern));
	struct pyd_buf word = { 0 };
	char *save = NULL;
	size_t n = 0;
	enum pyd_code code = PYD_OK;

	if (!argv || !words)
		code = pyd_err_set(err, PYD_NOMEM, "out of memory");
	for (char *w = code ? NULL : strtok_r(words, " \t\n", &save);
	     w && !code && n < MAX_WORDS; w = strtok_r(NULL, " \t\n", &save)) {
		code = pyd_core_pattern_expand(w, c, &word, err);
		if (code)
			break;
		argv[n] = strdup((const char *)word.data);
		if (!argv[n++])
			code = pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	if (!code && (!n || argv[0][0] != '/'))
		code = pyd_err_set(err, PYD_USAGE,
				   "core_pattern '%s' names no program by its "
				   "absolute path",
				   pattern);
	pyd_buf_deinit(&word);
	free(words);
	if (code) {
		pyd_core_pattern_free(argv);
		return code;
	}
	*ret = argv;
	return PYD_OK;
}

/* -- handing on -- */

/* Some time, in parts that poll() takes; false when it is over. */
static bool wait_for(int fd, short events, uint64_t ms)
{
	uint64_t end = pyd_now_ns() / 1000000 + ms, now;

	while ((now = pyd_now_ns() / 1000000) < end) {
		struct pollfd p = { .fd = fd, .events = events };
		int part = end - now < WAIT_MS ? (int)(end - now) : WAIT_MS;

		if (poll(&p, 1, part) > 0)
			return true;
	}
	return false;
}

bool pyd_wait_child(pid_t child, uint64_t ms)
{
	int fd = (int)syscall(SYS_pidfd_open, child, 0);
	/* Without it there is nothing to wait by; it is waited for then. */
	bool ended = fd < 0 || wait_for(fd, POLLIN, ms);

	if (fd >= 0)
		close(fd);
	return ended;
}

static bool write_whole(int fd, const void *data, size_t len,
			uint64_t patience_ms)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = write(fd, (const char *)data + at, len - at);

		if (n > 0)
			at += (size_t)n;
		else if (errno == EAGAIN) {
			if (wait_for(fd, POLLOUT, patience_ms))
				continue;
			errno = ETIMEDOUT;
			return false;
		} else if (errno != EINTR)
			return false;
	}
	return true;
}

/* At most limit bytes. 0 or an errno; ETIMEDOUT: nobody takes them. */
static int copy_core(const struct pyd_core_stream *core, int to, uint64_t limit,
		     uint64_t patience_ms)
{
	size_t head = core->read->len < limit ? core->read->len : (size_t)limit;
	uint64_t left = limit - head;
	char *buf = malloc(CHUNK);
	int errnum = buf ? 0 : ENOMEM;

	if (!errnum && !write_whole(to, core->read->data, head, patience_ms))
		errnum = errno;
	while (left && !errnum) {
		ssize_t n = read(core->fd, buf,
				 left < CHUNK ? (size_t)left : CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		left -= (uint64_t)n;
		if (!write_whole(to, buf, (size_t)n, patience_ms))
			errnum = errno;
	}
	free(buf);
	return errnum;
}

static enum pyd_code pass_to_program(const char *pattern,
				     const struct pyd_crash *c,
				     const struct pyd_core_stream *core,
				     uint64_t patience_ms, char *ret_text,
				     size_t cap, struct pyd_err *err)
{
	char **argv;
	int ends[2], status = 0;
	bool late = false;
	pid_t child;
	enum pyd_code code = pyd_core_pattern_argv(pattern, c, &argv, err);

	if (code)
		return code;
	snprintf(ret_text, cap, "%.200s", argv[0]);
	if (pipe2(ends, O_CLOEXEC)) {
		pyd_core_pattern_free(argv);
		return pyd_err_errno(err, PYD_IO, errno, "no pipe");
	}
	child = fork();
	if (!child) {
		/* As the kernel starts it: nothing but the core. */
		signal(SIGPIPE, SIG_DFL);
		if (dup2(ends[0], STDIN_FILENO) >= 0)
			execv(argv[0], argv);
		_exit(127);
	}
	close(ends[0]);
	pyd_core_pattern_free(argv);
	/* A program that wants no more of it is no failure; one that hangs must
	 * not keep the process that died. */
	if (child > 0 && fcntl(ends[1], F_SETFL, O_NONBLOCK) >= 0)
		late = copy_core(core, ends[1], UINT64_MAX, patience_ms) ==
		       ETIMEDOUT;
	close(ends[1]);
	if (child > 0 && (late || !pyd_wait_child(child, patience_ms))) {
		snprintf(ret_text + strlen(ret_text), cap - strlen(ret_text),
			 ", which %s for %llu s and is not waited for any "
			 "longer",
			 late ? "reads nothing" : "does not end",
			 (unsigned long long)(patience_ms / 1000));
		return PYD_OK;
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (child < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 127))
		return pyd_err_set(err, PYD_IO, "cannot run %s", ret_text);
	return PYD_OK;
}

/* Opens the file below the process's own root, or in its directory; none of
 * its links leads out. */
static int open_core_file(const struct pyd_crash *c, const char *name)
{
	struct open_how how = {
		.flags = O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC |
			 O_NONBLOCK,
		.mode = 0600,
		.resolve = RESOLVE_NO_MAGICLINKS |
			   (name[0] == '/' ? RESOLVE_IN_ROOT : RESOLVE_BENEATH),
	};
	char dir[64];
	int dirfd, fd, errnum;

	snprintf(dir, sizeof(dir), "/proc/%d/%s", c->pid,
		 name[0] == '/' ? "root" : "cwd");
	dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
	errnum = errno;
	close(dirfd);
	errno = errnum;
	return fd;
}

static bool is_own_file(int fd, uid_t uid)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	       st.st_uid == uid;
}

static bool uses_pid(void)
{
	FILE *f = fopen("/proc/sys/kernel/core_uses_pid", "re");
	int on = 0;

	if (f && fscanf(f, "%d", &on) != 1)
		on = 0;
	if (f)
		fclose(f);
	return on;
}

/* "%p", but not in "%%p". */
static bool names_pid(const char *pattern)
{
	for (const char *p = pattern; (p = strchr(p, '%')) && p[1]; p += 2)
		if (p[1] == 'p')
			return true;
	return false;
}

static enum pyd_code write_core_file(const char *name,
				     const struct pyd_crash *c,
				     const struct pyd_core_stream *core,
				     struct pyd_err *err)
{
	int fd, errnum;

	if (setgroups(0, NULL))
		return pyd_err_errno(err, PYD_PERM, errno,
				     "cannot give up groups");
	setfsgid(c->gid);
	setfsuid(c->uid);
	fd = open_core_file(c, name);
	if (fd < 0)
		return pyd_err_errno(err, PYD_IO, errno, "cannot write %s",
				     name);
	if (!is_own_file(fd, c->uid))
		errnum = EEXIST;
	else if (ftruncate(fd, 0))
		errnum = errno;
	else
		errnum = copy_core(core, fd, c->core_limit, 0);
	close(fd);
	return errnum ? pyd_err_errno(err, PYD_IO, errnum, "cannot write %s",
				      name)
		      : PYD_OK;
}

static enum pyd_code pass_to_file(const char *pattern,
				  const struct pyd_crash *c,
				  const struct pyd_core_stream *core,
				  char *ret_text, size_t cap,
				  struct pyd_err *err)
{
	struct pyd_buf name = { 0 };
	const char *why = !c->core_limit      ? "RLIMIT_CORE is 0"
			  : !pattern[0]	      ? "the pattern is empty"
			  : c->dump_mode != 1 ? "it is not dumpable"
					      : NULL;
	enum pyd_code code;

	if (why) {
		snprintf(ret_text, cap, "no core file: %s", why);
		return PYD_OK;
	}
	code = pyd_core_pattern_expand(pattern, c, &name, err);
	if (!code && uses_pid() && !names_pid(pattern)) {
		code = pyd_buf_append(&name, ".", 1, err);
		if (!code)
			code = add_number(&name, c->ns_pid, err);
		if (!code)
			code = pyd_buf_append(&name, "", 1, err);
	}
	if (!code)
		code = write_core_file((const char *)name.data, c, core, err);
	if (!code)
		snprintf(ret_text, cap, "core file %s",
			 (const char *)name.data);
	pyd_buf_deinit(&name);
	return code;
}

enum pyd_code pyd_core_pattern_pass(const char *pattern,
				    const struct pyd_crash *c,
				    const struct pyd_core_stream *core,
				    uint64_t patience_ms, char *ret_text,
				    size_t cap, struct pyd_err *err)
{
	return pyd_core_pattern_is_pipe(pattern)
		       ? pass_to_program(pattern, c, core, patience_ms,
					 ret_text, cap, err)
		       : pass_to_file(pattern, c, core, ret_text, cap, err);
}
