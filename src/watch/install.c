// SPDX-License-Identifier: Apache-2.0
#include "watch/install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "watch/core_pattern.h"

#define PATTERN_FILE "/proc/sys/kernel/core_pattern"
#define LIMIT_FILE "/proc/sys/kernel/core_pipe_limit"
/* Crashes at a time; 0 would not let the process wait for its handler. */
#define PIPE_LIMIT 16U

enum { FILE_MAX = 1 << 16, WORDS_MAX = 1000 };

/* -- small files -- */

static enum pyd_code read_small(const char *path, struct pyd_buf *ret,
				struct pyd_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char chunk[4096];
	enum pyd_code code = PYD_OK;

	pyd_buf_clear(ret);
	if (fd < 0)
		return pyd_err_errno(err,
				     errno == ENOENT ? PYD_NOTFOUND : PYD_PERM,
				     errno, "cannot read %s", path);
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || code || ret->len > FILE_MAX)
			break;
		code = pyd_buf_append(ret, chunk, (size_t)n, err);
	}
	close(fd);
	if (!code)
		code = pyd_buf_append(ret, "", 1, err);
	return code;
}

static enum pyd_code cannot_set(const char *path, struct pyd_err *err)
{
	int errnum = errno;

	return pyd_err_errno(err, errnum == ENOENT ? PYD_IO : PYD_PERM, errnum,
			     "cannot write %s%s", path,
			     errnum == EACCES || errnum == EPERM ||
					     errnum == EROFS
				     ? "; run as root on the host, outside of "
				       "containers"
			     : errnum == ENOENT ? "; its folder has to be there"
						: "");
}

static enum pyd_code can_set(const char *path, struct pyd_err *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return cannot_set(path, err);
	close(fd);
	return PYD_OK;
}

/* A setting of the kernel: one write. */
static enum pyd_code set(const char *path, const char *text,
			 struct pyd_err *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);

	if (fd < 0)
		return cannot_set(path, err);
	if (write(fd, text, len) != (ssize_t)len) {
		close(fd);
		return cannot_set(path, err);
	}
	close(fd);
	return PYD_OK;
}

/* A file of ours: whole or not at all. */
static enum pyd_code write_file(const char *etc, const char *name,
				const char *text, struct pyd_err *err)
{
	char path[4096], part[4160];
	FILE *f;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", etc, name);
	snprintf(part, sizeof(part), "%s.new", path);
	unlink(part);
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f) {
		enum pyd_code code = cannot_set(path, err);

		if (fd >= 0)
			close(fd);
		return code;
	}
	fputs(text, f);
	if (fflush(f) || fsync(fd) || rename(part, path)) {
		enum pyd_code code = cannot_set(path, err);

		fclose(f);
		unlink(part);
		return code;
	}
	fclose(f);
	return PYD_OK;
}

static void remove_file(const char *etc, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", etc, name);
	unlink(path);
}

/* -- what is kept -- */

enum pyd_code pyd_install_add_option(struct pyd_install *in, const char *word,
				     struct pyd_err *err)
{
	char **v;

	if (strchr(word, '\n') || in->noptions >= WORDS_MAX)
		return pyd_err_set(err, PYD_USAGE,
				   "an option has a line break, or there are "
				   "too many");
	v = reallocarray(in->options, in->noptions + 1, sizeof(*v));
	if (v)
		in->options = v;
	if (!v || !(v[in->noptions] = strdup(word)))
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	in->noptions++;
	return PYD_OK;
}

void pyd_install_deinit(struct pyd_install *in)
{
	for (size_t i = 0; i < in->noptions; i++)
		free(in->options[i]);
	free(in->options);
	*in = (struct pyd_install) { 0 };
}

static enum pyd_code load_options(struct pyd_install *in, char *text,
				  struct pyd_err *err)
{
	char *save = NULL;
	enum pyd_code code = PYD_OK;

	for (char *w = strtok_r(text, "\n", &save); w && !code;
	     w = strtok_r(NULL, "\n", &save))
		if (w[0] != '#')
			code = pyd_install_add_option(in, w, err);
	return code;
}

/* A pattern may be empty: its line is there nevertheless. */
static void load_previous(struct pyd_install *in, const char *text)
{
	size_t len = strcspn(text, "\n");

	in->is_there = true;
	snprintf(in->previous, sizeof(in->previous), "%.*s", (int)len, text);
	if (text[len])
		in->previous_limit =
			(unsigned int)strtoul(text + len + 1, NULL, 10);
}

enum pyd_code pyd_install_load(const char *etc, struct pyd_install *ret,
			       struct pyd_err *err)
{
	struct pyd_install in = { .etc = etc };
	struct pyd_buf buf = { 0 };
	char path[4096];
	enum pyd_code code;

	snprintf(path, sizeof(path), "%s/pydumpd/handler.conf", etc);
	code = read_small(path, &buf, err);
	if (!code)
		code = load_options(&in, (char *)buf.data, err);
	if (!code || code == PYD_NOTFOUND) {
		snprintf(path, sizeof(path), "%s/pydumpd/handler.previous",
			 etc);
		code = read_small(path, &buf, err);
	}
	if (!code)
		load_previous(&in, (const char *)buf.data);
	if (code == PYD_NOTFOUND)
		code = PYD_OK;
	pyd_buf_deinit(&buf);
	if (code)
		pyd_install_deinit(&in);
	else
		*ret = in;
	return code;
}

/* -- the pattern -- */

enum pyd_code pyd_core_pattern_read(char *buf, size_t cap, struct pyd_err *err)
{
	struct pyd_buf text = { 0 };
	enum pyd_code code = read_small(PATTERN_FILE, &text, err);

	if (!code)
		snprintf(buf, cap, "%.*s",
			 (int)strcspn((const char *)text.data, "\n"),
			 (const char *)text.data);
	pyd_buf_deinit(&text);
	return code;
}

bool pyd_core_pattern_is_ours(const char *pattern)
{
	size_t len = strcspn(pattern, " ");
	static const char name[] = "/pydumpd";

	return pyd_core_pattern_is_pipe(pattern) && len > sizeof(name) - 1 &&
	       !strncmp(pattern + len - (sizeof(name) - 1), name,
			sizeof(name) - 1) &&
	       !strncmp(pattern + len, " handler ", 9);
}

static unsigned int pipe_limit(void)
{
	struct pyd_buf text = { 0 };
	struct pyd_err ignored;
	unsigned int v = 0;

	if (!read_small(LIMIT_FILE, &text, &ignored))
		v = (unsigned int)strtoul((const char *)text.data, NULL, 10);
	pyd_buf_deinit(&text);
	return v;
}

/* The kernel runs it as root: nobody else may change it. */
static enum pyd_code check_program(const char *exe, struct pyd_err *err)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s", exe);
	for (;;) {
		struct stat st;
		char *slash = strrchr(path, '/');

		if (stat(*path ? path : "/", &st))
			return pyd_err_errno(err, PYD_IO, errno,
					     "cannot look at %s", path);
		if (st.st_uid != 0 ||
		    (st.st_mode & 022 &&
		     !(S_ISDIR(st.st_mode) && st.st_mode & S_ISVTX)))
			return pyd_err_set(
				err, PYD_PERM,
				"%s can be changed by others than root, and "
				"the kernel would run %s as root; install "
				"pydumpd (make install) and use that one",
				*path ? path : "/", exe);
		if (!slash)
			return PYD_OK;
		*slash = '\0';
	}
}

static enum pyd_code our_pattern(const char *etc, char *buf, size_t cap,
				 struct pyd_err *err)
{
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	int len;
	enum pyd_code code;

	if (n < 0)
		return pyd_err_errno(err, PYD_IO, errno,
				     "cannot tell where pydumpd is");
	exe[n] = '\0';
	code = check_program(exe, err);
	if (code)
		return code;
	len = strcmp(etc, "/etc")
		      ? snprintf(buf, cap,
				 "|%s handler --etc=%s %%P %%I %%s %%t %%d",
				 exe, etc)
		      : snprintf(buf, cap, "|%s handler %%P %%I %%s %%t %%d",
				 exe);
	if (len < 0 || (size_t)len >= cap || strchr(exe, ' ') ||
	    strchr(etc, ' ') || strchr(exe, '%') || strchr(etc, '%'))
		return pyd_err_set(err, PYD_USAGE,
				   "the kernel takes no pattern as long as "
				   "'%s', or with such characters; install "
				   "pydumpd where its path is shorter",
				   buf);
	if (!pyd_core_pattern_is_ours(buf))
		return pyd_err_set(err, PYD_USAGE,
				   "the program %s is not called pydumpd", exe);
	return PYD_OK;
}

static enum pyd_code make_dir(const char *path, mode_t mode,
			      struct pyd_err *err)
{
	if (mkdir(path, mode) && errno != EEXIST)
		return cannot_set(path, err);
	return PYD_OK;
}

static enum pyd_code write_all(const struct pyd_install *in,
			       const char *pattern, struct pyd_err *err)
{
	char path[4096], text[1024];
	struct pyd_buf words = { 0 };
	enum pyd_code code;

	snprintf(path, sizeof(path), "%s/pydumpd", in->etc);
	code = make_dir(path, 0755, err);
	if (code)
		return code;
	snprintf(path, sizeof(path), "%s/sysctl.d", in->etc);
	code = make_dir(path, 0755, err);
	if (code)
		return code;
	static const char head[] = "# Options of \"pydumpd handler\", a word a "
				   "line; written by --install.\n";

	code = pyd_buf_append(&words, head, sizeof(head) - 1, err);
	for (size_t i = 0; i < in->noptions && !code; i++) {
		code = pyd_buf_append(&words, in->options[i],
				      strlen(in->options[i]), err);
		if (!code)
			code = pyd_buf_append(&words, "\n", 1, err);
	}
	if (!code)
		code = pyd_buf_append(&words, "", 1, err);
	if (!code)
		code = write_file(in->etc, "pydumpd/handler.conf",
				  (const char *)words.data, err);
	pyd_buf_deinit(&words);
	snprintf(text, sizeof(text), "%s\n%u\n", in->previous,
		 in->previous_limit);
	if (!code)
		code = write_file(in->etc, "pydumpd/handler.previous", text,
				  err);
	snprintf(text, sizeof(text),
		 "# Written by \"pydumpd handler --install\".\n"
		 "kernel.core_pattern=%s\nkernel.core_pipe_limit=%u\n",
		 pattern, in->previous_limit ? in->previous_limit : PIPE_LIMIT);
	if (!code)
		code = write_file(in->etc, "sysctl.d/60-pydumpd.conf", text,
				  err);
	return code;
}

/* Others may have files in the folder. */
static void remove_all(const char *etc)
{
	char dir[4096];

	remove_file(etc, "sysctl.d/60-pydumpd.conf");
	remove_file(etc, "pydumpd/handler.previous");
	remove_file(etc, "pydumpd/handler.conf");
	snprintf(dir, sizeof(dir), "%s/pydumpd", etc);
	(void)rmdir(dir);
}

/* The files first: no crash finds the pattern without them. */
static enum pyd_code put_in_place(struct pyd_install *in, const char *dir,
				  const char *pattern, struct pyd_err *err)
{
	const bool made = !mkdir(dir, 0700);
	const unsigned int before = pipe_limit();
	char limit[16];
	enum pyd_code code = made ? PYD_OK : make_dir(dir, 0700, err);

	if (!code)
		code = write_all(in, pattern, err);
	snprintf(limit, sizeof(limit), "%u",
		 in->previous_limit ? in->previous_limit : PIPE_LIMIT);
	if (!code)
		code = set(LIMIT_FILE, limit, err);
	if (!code) {
		struct pyd_err ignored;

		code = set(PATTERN_FILE, pattern, err);
		snprintf(limit, sizeof(limit), "%u", before);
		if (code && set(LIMIT_FILE, limit, &ignored))
			pyd_log_debug("%s", ignored.msg);
	}
	if (code && made)
		(void)rmdir(dir);
	return code;
}

enum pyd_code pyd_install_do(struct pyd_install *in, const char *dir,
			     struct pyd_err *err)
{
	struct pyd_install old;
	char now[256], ours[PYD_CORE_PATTERN_MAX];
	bool again;
	/* Whose the program is cannot be told in a container. */
	enum pyd_code code = can_set(PATTERN_FILE, err);

	if (!code)
		code = our_pattern(in->etc, ours, sizeof(ours), err);
	if (!code)
		code = pyd_core_pattern_read(now, sizeof(now), err);
	if (!code)
		code = pyd_install_load(in->etc, &old, err);
	if (code)
		return code;
	if (old.is_there && pyd_core_pattern_is_ours(now)) {
		memcpy(in->previous, old.previous, sizeof(in->previous));
		in->previous_limit = old.previous_limit;
	} else {
		memcpy(in->previous, now, sizeof(in->previous));
		in->previous_limit = pipe_limit();
	}
	again = old.is_there;
	pyd_install_deinit(&old);
	/* One of ours whose files are gone: passing on to it would not end. */
	if (pyd_core_pattern_is_ours(in->previous))
		snprintf(in->previous, sizeof(in->previous), "core");
	code = put_in_place(in, dir, ours, err);
	if (code && !again)
		remove_all(in->etc);
	return code;
}

enum pyd_code pyd_install_undo(const struct pyd_install *in,
			       struct pyd_err *err)
{
	char now[256], text[264];
	enum pyd_code code = pyd_core_pattern_read(now, sizeof(now), err);

	if (code)
		return code;
	if (!in->is_there)
		return pyd_err_set(err, PYD_NOTFOUND,
				   "nothing is installed: %s/pydumpd/"
				   "handler.previous is not there",
				   in->etc);
	if (pyd_core_pattern_is_ours(now)) {
		/* An empty pattern is set by an empty line. */
		snprintf(text, sizeof(text), "%s\n", in->previous);
		code = set(PATTERN_FILE, text, err);
		snprintf(text, sizeof(text), "%u", in->previous_limit);
		if (!code)
			code = set(LIMIT_FILE, text, err);
		if (code)
			return code;
	}
	remove_all(in->etc);
	return PYD_OK;
}
