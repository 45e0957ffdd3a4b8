// SPDX-License-Identifier: Apache-2.0
#include "native/debuginfo.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/debuginfod.h"
#include "target/open_as.h"

/* Takes fd. */
static int verified(int fd, const struct pyd_module *mod)
{
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) ||
	    !pyd_module_is_file(mod, fd)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int open_verified(const char *path, const struct pyd_module *mod)
{
	return verified(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), mod);
}

static int open_in_root(const char *path, const struct pyd_modules *all,
			const struct pyd_module *mod)
{
	const struct pyd_region r = { .path = path };
	const struct pyd_process *p = all->process;
	struct pyd_err ignored;
	int fd;

	if (!p && all->target->root)
		return verified(pyd_open_as(all->target->root, path, geteuid(),
					    getegid()),
				mod);
	if (!p || pyd_region_open_path(p, &r, &fd, &ignored))
		return -1;
	return verified(fd, mod);
}

int pyd_debuginfo_open(const struct pyd_modules *all,
		       const struct pyd_module *mod)
{
	char id[2 * sizeof(mod->build_id) + 1];
	char path[256];
	int fd;

	if (mod->build_id_len < 2)
		return -1;
	pyd_module_build_id_hex(mod, id, sizeof(id));
	snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug",
		 id, id + 2);
	fd = open_verified(path, mod);
	for (int i = 0; i < PYD_DEBUGINFOD_PLACES && fd < 0; i++) {
		char cached[4096];

		if (pyd_debuginfod_path(i, id, "debuginfo", cached,
					sizeof(cached)))
			fd = open_verified(cached, mod);
	}
	if (fd < 0)
		fd = open_in_root(path, all, mod);
	return fd;
}
