// SPDX-License-Identifier: Apache-2.0
#include "dump/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static enum pyd_code exists(const char *path, struct pyd_err *err)
{
	return pyd_err_set(err, PYD_IO,
			   "cannot write %s: it exists already; remove it or "
			   "choose another name with -o",
			   path);
}

/* What to do about an errno while the file is made. */
static enum pyd_code cannot_create(const char *path, int errnum,
				   struct pyd_err *err)
{
	const char *slash = strrchr(path, '/');
	int n = slash ? (int)(slash - path) + (slash == path) : 1;
	const char *dir = slash ? path : ".";
	const char *cure = "choose another place with -o or --dir";

	if (errnum == ENOENT)
		cure = "create it, or choose another place with -o or --dir";
	else if (errnum == ENOSPC || errnum == EDQUOT)
		cure = "free some space, or choose another place with -o or "
		       "--dir";
	pyd_err_set(err, PYD_IO, "cannot write in directory %.*s: %s; %s", n,
		    dir, strerror(errnum), cure);
	if (err)
		err->errnum = errnum;
	return PYD_IO;
}

/* A file without a name: on disk, else in memory. */
static int open_unnamed(void)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir && *dir ? dir : "/var/tmp",
		      O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd >= 0 ? fd : memfd_create("pydumpd", MFD_CLOEXEC);
}

static enum pyd_code create_stream(struct pyd_file *f, struct pyd_err *err)
{
	f->path = strdup("to standard output");
	if (!f->path)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	f->stream = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (f->stream < 0)
		return pyd_err_errno(err, PYD_IO, errno,
				     "cannot write to standard output");
	f->fd = open_unnamed();
	if (f->fd < 0)
		return pyd_err_errno(
			err, PYD_IO, errno,
			"no temporary file for what is not final "
			"yet; set TMPDIR to a directory with room, "
			"or write to a file with -o");
	return PYD_OK;
}

enum pyd_code pyd_file_create(struct pyd_file *f, const char *path,
			      struct pyd_err *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	int dirlen = slash ? (int)(slash + 1 - path) : 0;
	/* The part's name has 13 characters more. */
	int namelen = (int)strnlen(name, NAME_MAX - 13);
	struct stat st;

	*f = (struct pyd_file) { .fd = -1, .stream = -1 };
	if (!strcmp(path, PYD_FILE_STDOUT))
		return create_stream(f, err);
	if (!*name)
		return pyd_err_set(err, PYD_USAGE,
				   "cannot write '%s': it is no file name",
				   path);
	if (strlen(name) > NAME_MAX)
		return pyd_err_set(err, PYD_USAGE,
				   "cannot write %.64s...: a file name has at "
				   "most %d bytes; choose a shorter one with "
				   "-o",
				   path, NAME_MAX);
	if (!lstat(path, &st)) {
		if (S_ISDIR(st.st_mode))
			return pyd_err_set(err, PYD_IO,
					   "cannot write %s: it is a "
					   "directory; name a file in it with "
					   "-o, or give --dir",
					   path);
		return exists(path, err);
	}

	f->path = strdup(path);
	if (!f->path || asprintf(&f->part, "%.*s.%.*s.XXXXXX.part", dirlen,
				 path, namelen, name) < 0) {
		f->part = NULL;
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	f->fd = mkostemps(f->part, 5, O_CLOEXEC); /* 0600 by itself */
	if (f->fd < 0) {
		int errnum = errno;

		free(f->part);
		f->part = NULL;
		return cannot_create(path, errnum, err);
	}
	return PYD_OK;
}

static enum pyd_code cannot_write(const struct pyd_file *f, int errnum,
				  struct pyd_err *err)
{
	const char *cure = "free some space, choose another place with -o or "
			   "--dir, or dump less with --max-bytes";

	if (errnum == EPIPE)
		cure = "who reads it has ended";
	else if (errnum == EBADF)
		cure = "it is closed; name a file with -o";
	else if (f->stream >= 0)
		cure = "set TMPDIR to a directory with more room, or dump less "
		       "with --max-bytes";
	pyd_err_set(err, PYD_IO, "cannot write %s: %s; %s", f->path,
		    strerror(errnum), cure);
	if (err)
		err->errnum = errnum;
	return PYD_IO;
}

enum pyd_code pyd_file_write(struct pyd_file *f, const void *data, size_t len,
			     struct pyd_err *err)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(f->fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			return cannot_write(f, errno, err);
		}
		p += n;
		len -= (size_t)n;
	}
	return PYD_OK;
}

enum pyd_code pyd_file_settle(struct pyd_file *f, struct pyd_err *err)
{
	char buf[65536];
	int from = f->fd;
	off_t at = 0;
	enum pyd_code code = PYD_OK;

	if (f->stream < 0)
		return PYD_OK;
	f->fd = f->stream;
	f->stream = -1;
	while (!code) {
		ssize_t n = pread(from, buf, sizeof(buf), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			code = pyd_err_errno(err, PYD_IO, errno,
					     "cannot read what was written");
		if (n <= 0)
			break;
		code = pyd_file_write(f, buf, (size_t)n, err);
		at += n;
	}
	close(from);
	return code;
}

/* Gives the part its final name, which must not exist. 0 or an errno. */
static int rename_new(const char *part, const char *path)
{
	if (!renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
		return errno;
	/* File systems without the flag (NFS, some FUSE): link() does not
	 * overwrite either. */
	if (!link(part, path)) {
		unlink(part);
		return 0;
	}
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
		return errno;

	/* Nor links (FAT): what is left has a gap between look and rename. */
	struct stat st;

	if (!lstat(path, &st))
		return EEXIST;
	return rename(part, path) ? errno : 0;
}

static void sync_dir(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir =
		slash ? strndup(path, (size_t)(slash + 1 - path)) : strdup(".");
	int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	/* Ignored: the data is safe, and some file systems cannot do it. */
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(dir);
}

enum pyd_code pyd_file_commit(struct pyd_file *f, struct pyd_err *err)
{
	if (!f->part)
		return pyd_file_settle(f, err);
	if (fsync(f->fd) && errno != EINVAL && errno != EROFS)
		return pyd_err_errno(err, PYD_IO, errno, "cannot write %s",
				     f->path);

	int errnum = rename_new(f->part, f->path);

	if (errnum == EEXIST)
		return exists(f->path, err);
	if (errnum)
		return pyd_err_errno(err, PYD_IO, errnum,
				     "cannot rename %s to %s", f->part,
				     f->path);
	free(f->part);
	f->part = NULL;
	sync_dir(f->path);
	return PYD_OK;
}

void pyd_file_deinit(struct pyd_file *f)
{
	if (f->part)
		unlink(f->part);
	if (f->fd >= 0)
		close(f->fd);
	if (f->stream >= 0)
		close(f->stream);
	free(f->part);
	free(f->path);
	*f = (struct pyd_file) { .fd = -1, .stream = -1 };
}
