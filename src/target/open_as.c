// SPDX-License-Identifier: Apache-2.0
#include "target/open_as.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

struct identity {
	uid_t uid;
	gid_t gid;
};

static struct identity become(uid_t uid, gid_t gid)
{
	struct identity old = { geteuid(), getegid() };

	if (geteuid() == 0 && uid != 0) {
		old.gid = (gid_t)setfsgid(gid);
		old.uid = (uid_t)setfsuid(uid);
	}
	return old;
}

static void become_again(struct identity old)
{
	setfsuid(old.uid);
	setfsgid(old.gid);
}

static int open_in(const char *root, const char *file)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		/* Links inside a container stay inside it. */
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (dir < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, dir, file, &how, sizeof(how));
	if (fd < 0 && errno == ENOSYS && file[0] == '/')
		fd = openat(dir, file + 1, (int)how.flags);
	close(dir);
	return fd;
}

int pyd_open_as(const char *root, const char *file, uid_t uid, gid_t gid)
{
	struct identity old = become(uid, gid);
	int fd = open_in(root, file);

	become_again(old);
	return fd;
}
