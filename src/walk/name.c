// SPDX-License-Identifier: Apache-2.0
#include "walk/name.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "target/procfs.h"

void pyd_program_name(pid_t pid, char *buf, size_t cap)
{
	struct pyd_buf cmdline = { 0 };
	struct pyd_proc_stat stat;
	struct pyd_err ignored;
	const char *name = NULL;

	/* The script, when an interpreter runs one. */
	if (!pyd_procfs_read(pid, "cmdline", 1 << 16, &cmdline, &ignored)) {
		const char *arg = (const char *)cmdline.data;
		const char *end = arg + cmdline.len;

		for (arg += strlen(arg) + 1; arg < end;
		     arg += strlen(arg) + 1) {
			if (arg[0] == '-' &&
			    (!strcmp(arg, "-m") || !strcmp(arg, "-c"))) {
				const char *next = arg + strlen(arg) + 1;

				if (arg[1] == 'm' && next < end)
					name = next;
				break;
			}
			if (arg[0] == '-' &&
			    (!strcmp(arg, "-X") || !strcmp(arg, "-W"))) {
				arg += strlen(arg) + 1;
				continue;
			}
			if (arg[0] && arg[0] != '-') {
				name = arg;
				break;
			}
		}
	}
	if (name && strrchr(name, '/'))
		name = strrchr(name, '/') + 1;
	if ((!name || !name[0]) && !pyd_procfs_stat(pid, 0, &stat, &ignored))
		name = stat.comm;
	snprintf(buf, cap, "%s", name && name[0] ? name : "python");
	pyd_buf_deinit(&cmdline);

	size_t n = strlen(buf);

	if (n > 3 && !strcmp(buf + n - 3, ".py"))
		buf[n - 3] = '\0';
	for (char *p = buf; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._+-", *p))
			*p = '_';
	if (buf[0] == '.' || buf[0] == '-')
		buf[0] = '_';
}

void pyd_dump_path(const char *dir, pid_t pid, char *buf, size_t cap)
{
	char name[128], stamp[32];
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm);
	pyd_program_name(pid, name, sizeof(name));
	snprintf(buf, cap, "%s%s%.100s-%d-%s.pydump", dir ? dir : "",
		 dir ? "/" : "", name, (int)pid, stamp);
}
