// SPDX-License-Identifier: Apache-2.0
#include "layout/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

/* A table has some 10 kB. */
enum { FILE_MAX = 4 << 20 };

struct each {
	const char *suffix;
	enum pyd_code (*fn)(void *ctx, const char *where, const char *text,
			    size_t len, struct pyd_err *err);
	void *ctx;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static enum pyd_code read_all(int fd, const char *path, struct pyd_buf *buf,
			      struct pyd_err *err)
{
	for (;;) {
		enum pyd_code rc = pyd_buf_reserve(buf, 16384, err);
		ssize_t n;

		if (rc)
			return rc;
		n = read(fd, buf->data + buf->len, 16384);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pyd_err_errno(err, PYD_IO, errno,
					     "cannot read %s", path);
		if (!n)
			return PYD_OK;
		buf->len += (size_t)n;
		if (buf->len > FILE_MAX)
			return pyd_err_set(err, PYD_FORMAT,
					   "%s: too large for a table", path);
	}
}

static enum pyd_code one(const struct each *e, int fd, const char *path,
			 struct pyd_err *err)
{
	__attribute__((cleanup(pyd_buf_deinit))) struct pyd_buf buf = { 0 };
	enum pyd_code rc = read_all(fd, path, &buf, err);

	if (rc)
		return rc;
	return e->fn(e->ctx, path, buf.data ? (const char *)buf.data : "",
		     buf.len, err);
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), n = strlen(suffix);

	return len > n && !strcmp(name + len - n, suffix);
}

static void free_names(struct dirent **names, int n)
{
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

static enum pyd_code directory(const struct each *e, int dir, const char *path,
			       struct pyd_err *err)
{
	struct dirent **names;
	enum pyd_code rc = PYD_OK;
	int n = scandirat(dir, ".", &names, NULL, alphasort);
	bool found = false;

	if (n < 0)
		return pyd_err_errno(err, PYD_IO, errno, "cannot list %s",
				     path);
	for (int i = 0; i < n && !rc; i++) {
		__attribute__((cleanup(close_fd))) int fd = -1;
		char full[512];

		if (!has_suffix(names[i]->d_name, e->suffix))
			continue;
		found = true;
		fd = openat(dir, names[i]->d_name,
			    O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		snprintf(full, sizeof(full), "%s/%s", path, names[i]->d_name);
		if (fd < 0)
			rc = pyd_err_errno(err, PYD_IO, errno, "cannot open %s",
					   full);
		else
			rc = one(e, fd, full, err);
	}
	free_names(names, n);
	if (!rc && !found)
		rc = pyd_err_set(err, PYD_NOTFOUND,
				 "no file in %s is named *%s", path, e->suffix);
	return rc;
}

enum pyd_code pyd_files_each(const char *path, const char *suffix,
			     enum pyd_code (*fn)(void *ctx, const char *where,
						 const char *text, size_t len,
						 struct pyd_err *err),
			     void *ctx, struct pyd_err *err)
{
	const struct each e = { .suffix = suffix, .fn = fn, .ctx = ctx };
	/* O_NONBLOCK: a FIFO must not hang us. */
	__attribute__((cleanup(close_fd))) int fd =
		open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return pyd_err_errno(err, PYD_IO, errno, "cannot open %s",
				     path);
	if (S_ISDIR(st.st_mode))
		return directory(&e, fd, path, err);
	return one(&e, fd, path, err);
}
