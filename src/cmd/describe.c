// SPDX-License-Identifier: Apache-2.0
#include "cmd/describe.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "target/procfs.h"

void pyd_describe_user(uid_t uid, char *buf, size_t cap)
{
	struct passwd pw;
	struct passwd *found = NULL;
	char room[4096];

	if (!getpwuid_r(uid, &pw, room, sizeof(room), &found) && found)
		snprintf(buf, cap, "%s", found->pw_name);
	else
		snprintf(buf, cap, "%u", uid);
}

void pyd_describe_text(const char *text, size_t len, char *buf, size_t cap)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t out = 0;

	for (size_t i = 0; i < len;) {
		uint32_t c = 0;
		size_t n = pyd_utf8_char(s + i, len - i, &c);
		bool control = n && (c < 0x20 || (c >= 0x7f && c < 0xa0));
		const char *from = text + i;

		/* A surrogate is no character outside of Python. */
		if (!n || (c >= 0xd800 && c < 0xe000)) {
			from = "\xef\xbf\xbd"; /* U+FFFD */
			n = 3;
			i += 1;
		} else {
			i += n;
			if (control) {
				from = s[i - n] ? "?" : " ";
				n = 1;
			}
		}
		if (out + n >= cap)
			break;
		memcpy(buf + out, from, n);
		out += n;
	}
	buf[out] = 0;
}

void pyd_describe_command(pid_t pid, const char *comm, char *buf, size_t cap)
{
	struct pyd_buf line = { 0 };
	struct pyd_err ignored;
	size_t n;

	if (pyd_procfs_read(pid, "cmdline", 8U << 20, &line, &ignored) ||
	    !line.len) {
		char name[128];

		snprintf(name, sizeof(name), "[%s]", comm);
		pyd_describe_text(name, strlen(name), buf, cap);
	} else {
		n = line.len;
		while (n && !line.data[n - 1])
			n--;
		pyd_describe_text((const char *)line.data, n, buf, cap);
	}
	pyd_buf_deinit(&line);
}

struct json_object *pyd_describe_json(const char *text)
{
	size_t len = strlen(text);
	size_t cap = 3 * len + 1;
	char *buf = malloc(cap);
	struct json_object *ret;

	if (!buf)
		return NULL;
	pyd_describe_text(text, len, buf, cap);
	ret = json_object_new_string(buf);
	free(buf);
	return ret;
}
