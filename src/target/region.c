// SPDX-License-Identifier: Apache-2.0
/* Files behind regions. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/process.h"

static enum pyd_code open_regular(const char *path, struct stat *st, int *ret,
				  struct pyd_err *err)
{
	/* The name is the target's choosing: a FIFO must not block us, a
	 * terminal not become ours. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return pyd_err_errno(err, PYD_NOTFOUND, errno, "%s", path);
	if (fstat(fd, st) || !S_ISREG(st->st_mode)) {
		close(fd);
		return pyd_err_set(err, PYD_NOTFOUND, "%s is not a file", path);
	}
	*ret = fd;
	return PYD_OK;
}

/* maps shows a path as we would reach it when it lies below our root (also for
 * a process in a chroot), else as it is in the process's mount namespace. */
enum way { WAY_ITS_ROOT, WAY_OUR_ROOT, WAYS };

static enum pyd_code open_path(const struct pyd_process *p,
			       const struct pyd_region *r, enum way way,
			       struct stat *st, int *ret, struct pyd_err *err)
{
	char path[4352];
	int n;

	if (r->path[0] != '/')
		return pyd_err_set(err, PYD_NOTFOUND, "no file is mapped");
	if (way == WAY_ITS_ROOT)
		n = snprintf(path, sizeof(path), "/proc/%d/root%s", p->pid,
			     r->path);
	else
		n = snprintf(path, sizeof(path), "%s", r->path);
	if (n < 0 || (size_t)n >= sizeof(path))
		return pyd_err_set(err, PYD_NOTFOUND, "the path is too long");
	return open_regular(path, st, ret, err);
}

enum pyd_code pyd_region_open_path(const struct pyd_process *p,
				   const struct pyd_region *r, int *ret,
				   struct pyd_err *err)
{
	struct stat st;

	if (!open_path(p, r, WAY_ITS_ROOT, &st, ret, err))
		return PYD_OK;
	return open_path(p, r, WAY_OUR_ROOT, &st, ret, NULL) ? PYD_NOTFOUND
							     : PYD_OK;
}

enum pyd_code pyd_region_open(const struct pyd_process *p,
			      const struct pyd_region *r, int *ret,
			      struct pyd_err *err)
{
	struct stat st;
	char path[96];
	int fd;

	if (!r->inode)
		return pyd_err_set(err, PYD_NOTFOUND, "no file is mapped");

	/* The kernel's own link to what is mapped, deleted or not; needs
	 * CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN. */
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", p->pid,
		 (unsigned long long)r->start, (unsigned long long)r->end);
	if (!open_regular(path, &st, ret, NULL))
		return PYD_OK;

	enum pyd_code code = PYD_NOTFOUND;

	for (int way = 0; way < WAYS; way++) {
		code = open_path(p, r, (enum way)way, &st, &fd, err);
		if (code)
			continue;
		if (st.st_dev == r->dev && st.st_ino == r->inode) {
			*ret = fd;
			return PYD_OK;
		}
		close(fd);
		code = pyd_err_set(err, PYD_NOTFOUND,
				   "%s is another file now than the one that "
				   "is mapped",
				   r->path);
	}
	return code;
}
