// SPDX-License-Identifier: Apache-2.0
/* The kernel's core_pattern: expanded as the kernel does, and handed on. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watch/core_pattern.h"
#include "watch/install.h"

static struct pyd_crash example(void)
{
	return (struct pyd_crash) {
		.pid = 4242,
		.tid = 4243,
		.ns_pid = 7,
		.ns_tid = 8,
		.sig = 11,
		.time = 1795900000,
		.dump_mode = 1,
		.uid = 1000,
		.gid = 100,
		.core_limit = UINT64_MAX,
		.comm = "a/b c",
		.exe = "/usr/bin/python3",
		.host = "web-1",
	};
}

static void expands(const char *pattern, const char *want)
{
	const struct pyd_crash c = example();
	struct pyd_buf buf = { 0 };
	struct pyd_err err;

	cr_assert_eq(pyd_core_pattern_expand(pattern, &c, &buf, &err), PYD_OK);
	cr_assert_str_eq((const char *)buf.data, want);
	cr_assert_eq(buf.len, strlen(want));
	pyd_buf_deinit(&buf);
}

Test(core_pattern, specifiers)
{
	expands("", "");
	expands("core", "core");
	expands("%P %I %p %i", "4242 4243 7 8");
	expands("%s-%t-%u-%g-%d", "11-1795900000-1000-100-1");
	expands("%c", "18446744073709551615");
	expands("%h", "web-1");
	expands("%%%", "%");
	expands("x%yz", "xz");
}

Test(core_pattern, names_make_no_directories)
{
	struct pyd_crash c = example();
	struct pyd_buf buf = { 0 };
	struct pyd_err err;
	static const struct {
		const char *comm, *want;
	} names[] = {
		{ "..", "/c/!./x" },
		{ ".", "/c/!/x" },
		{ "", "/c/!/x" },
		{ "../../etc", "/c/..!..!etc/x" },
		{ ".hidden", "/c/.hidden/x" },
	};

	expands("/c/%e", "/c/a!b c");
	expands("%E %f", "!usr!bin!python3 python3");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(c.comm, sizeof(c.comm), "%s", names[i].comm);
		cr_assert_eq(pyd_core_pattern_expand("/c/%e/x", &c, &buf, &err),
			     PYD_OK);
		cr_assert_str_eq((const char *)buf.data, names[i].want);
	}
	pyd_buf_deinit(&buf);
}

Test(core_pattern, a_blank_makes_no_argument)
{
	const struct pyd_crash c = example();
	struct pyd_err err;
	char **argv;

	cr_assert_eq(
		pyd_core_pattern_argv("|/bin/x  %e %F -%P", &c, &argv, &err),
		PYD_OK);
	cr_assert_str_eq(argv[0], "/bin/x");
	cr_assert_str_eq(argv[1], "a!b c");
	cr_assert_str_eq(argv[2], "");
	cr_assert_str_eq(argv[3], "-4242");
	cr_assert_null(argv[4]);
	pyd_core_pattern_free(argv);
	cr_assert_eq(pyd_core_pattern_argv("| ", &c, &argv, &err), PYD_USAGE);
	cr_assert_eq(pyd_core_pattern_argv("|x %P", &c, &argv, &err),
		     PYD_USAGE);
}

Test(core_pattern, ours)
{
	cr_assert(pyd_core_pattern_is_ours("|/a/pydumpd handler %P"));
	cr_assert_not(pyd_core_pattern_is_ours("|/a/pydumpd run %P"));
	cr_assert_not(pyd_core_pattern_is_ours("|/a/xpydumpd2 handler %P"));
	cr_assert_not(pyd_core_pattern_is_ours("/a/pydumpd handler %P"));
	cr_assert_not(pyd_core_pattern_is_ours("|pydumpd handler %P"));
	cr_assert_not(pyd_core_pattern_is_ours(""));
}

/* A core of 200,000 bytes, the first 1000 of which were read. */
struct stream {
	struct pyd_buf head;
	struct pyd_core_stream core;
	pid_t writer;
};

static void open_stream(struct stream *s)
{
	struct pyd_err err;
	int ends[2];

	*s = (struct stream) { 0 };
	cr_assert_eq(pyd_buf_reserve(&s->head, 1000, &err), PYD_OK);
	memset(s->head.data, 'h', 1000);
	s->head.len = 1000;
	cr_assert_eq(pipe(ends), 0);
	s->writer = fork();
	if (!s->writer) {
		char rest[199000];

		close(ends[0]);
		memset(rest, 'r', sizeof(rest));
		for (size_t at = 0; at < sizeof(rest);) {
			ssize_t n =
				write(ends[1], rest + at, sizeof(rest) - at);

			if (n <= 0)
				_exit(1);
			at += (size_t)n;
		}
		_exit(0);
	}
	close(ends[1]);
	s->core = (struct pyd_core_stream) { &s->head, ends[0] };
	signal(SIGPIPE, SIG_IGN);
}

static void close_stream(struct stream *s)
{
	close(s->core.fd);
	waitpid(s->writer, NULL, 0);
	pyd_buf_deinit(&s->head);
}

/* A folder, in which /proc/PID/cwd of this process is. */
static void enter_folder(char *dir)
{
	strcpy(dir, "/tmp/pydumpd-unit-XXXXXX");
	cr_assert(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
}

static struct pyd_crash ourselves(void)
{
	struct pyd_crash c = example();

	c.pid = c.tid = getpid();
	cr_assert_eq(pyd_crash_describe(&c, NULL), PYD_OK);
	c.core_limit = UINT64_MAX;
	return c;
}

Test(core_pattern, passed_to_a_program)
{
	struct pyd_crash c = ourselves();
	struct pyd_err err = { 0 };
	struct stream s;
	char dir[64], text[4200], pattern[200], line[64] = "";
	FILE *f;

	enter_folder(dir);
	open_stream(&s);
	f = fopen("count", "w");
	fputs("#!/bin/sh\necho $1 $(wc -c) >out\n", f);
	fclose(f);
	chmod("count", 0755);
	snprintf(pattern, sizeof(pattern), "|%s/count %%s", dir);
	cr_assert_eq(pyd_core_pattern_pass(pattern, &c, &s.core, 1000, text,
					   sizeof(text), &err),
		     PYD_OK, "%s", err.msg);
	f = fopen("out", "r");
	cr_assert(f && fgets(line, sizeof(line), f));
	fclose(f);
	cr_assert_str_eq(line, "11 200000\n");
	close_stream(&s);

	open_stream(&s);
	cr_assert_eq(pyd_core_pattern_pass("|/no/such/program", &c, &s.core,
					   1000, text, sizeof(text), &err),
		     PYD_IO);
	close_stream(&s);
}

static void passes_to_file(const char *pattern, uint64_t limit,
			   const char *file, long want)
{
	struct pyd_crash c = ourselves();
	struct pyd_err err = { 0 };
	struct stream s;
	struct stat st = { 0 };
	char text[4200];

	c.core_limit = limit;
	open_stream(&s);
	cr_assert_eq(pyd_core_pattern_pass(pattern, &c, &s.core, 1000, text,
					   sizeof(text), &err),
		     PYD_OK, "%s", err.msg);
	close_stream(&s);
	if (want < 0) {
		cr_assert_neq(stat(file, &st), 0);
		return;
	}
	cr_assert_eq(stat(file, &st), 0);
	cr_assert_eq(st.st_size, want);
	cr_assert_eq(st.st_mode & 0777, 0600);
	unlink(file);
}

Test(core_pattern, passed_to_a_file)
{
	char dir[64], name[128], pattern[128];

	if (getuid())
		cr_skip("needs root");
	enter_folder(dir);
	snprintf(name, sizeof(name), "core.%d", getpid());
	passes_to_file("core.%p", UINT64_MAX, name, 200000);
	passes_to_file("core.%p", 500, name, 500);
	passes_to_file("core.%p", 1500, name, 1500);
	passes_to_file("core.%p", 0, name, -1);
	snprintf(pattern, sizeof(pattern), "%s/x%%p", dir);
	snprintf(name, sizeof(name), "%s/x%d", dir, getpid());
	passes_to_file(pattern, UINT64_MAX, name, 200000);
}

/* A link, another's file, a second name: none is written through. */
Test(core_pattern, a_file_that_is_not_its_own)
{
	struct pyd_crash c = ourselves();
	struct pyd_err err = { 0 };
	struct stream s;
	char dir[64], text[4200];
	static const char *const names[] = { "link", "hard", "theirs",
					     "../out" };
	FILE *f;

	f = fopen("/proc/sys/kernel/core_uses_pid", "r");
	if (getuid() || !f || getc(f) != '0')
		cr_skip("needs root, and file names without a pid");
	fclose(f);
	enter_folder(dir);
	f = fopen("precious", "w");
	fputs("precious", f);
	fclose(f);
	cr_assert_eq(symlink("precious", "link"), 0);
	cr_assert_eq(link("precious", "hard"), 0);
	f = fopen("theirs", "w");
	fclose(f);
	cr_assert_eq(chown("theirs", 65534, 65534), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		open_stream(&s);
		cr_assert_neq(pyd_core_pattern_pass(names[i], &c, &s.core, 1000,
						    text, sizeof(text), &err),
			      PYD_OK, "%s", names[i]);
		close_stream(&s);
	}
	f = fopen("precious", "r");
	cr_assert(fgets(text, sizeof(text), f));
	fclose(f);
	cr_assert_str_eq(text, "precious");
}
