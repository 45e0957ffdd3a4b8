// SPDX-License-Identifier: Apache-2.0
#include "cmd/describe.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Bytes of the valid UTF-8 character at s, or 0. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	size_t n = s[0] < 0x80	 ? 1
		   : s[0] < 0xc2 ? 0
		   : s[0] < 0xe0 ? 2
		   : s[0] < 0xf0 ? 3
		   : s[0] < 0xf5 ? 4
				 : 0;

	if (!n || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Too long forms, surrogates, beyond the last character. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

void pyd_describe_text(const char *text, size_t len, char *buf, size_t cap)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t out = 0;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_length(s + i, len - i);
		/* C1 control characters are two bytes, c2 80 to c2 9f. */
		bool control = (n == 1 && (s[i] < 0x20 || s[i] == 0x7f)) ||
			       (n == 2 && s[i] == 0xc2 && s[i + 1] < 0xa0);
		const char *from = text + i;

		if (!n) {
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
