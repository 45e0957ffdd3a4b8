// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"

static const struct pyd_cmd *const cmds[] = {
	&pyd_cmd_attach,  &pyd_cmd_run,	   &pyd_cmd_watch, &pyd_cmd_core,
	&pyd_cmd_handler, &pyd_cmd_load,   &pyd_cmd_peek,  &pyd_cmd_show,
	&pyd_cmd_ps,	  &pyd_cmd_doctor,
};

static void usage(FILE *f)
{
	fprintf(f, "Usage: pydumpd COMMAND [OPTION...]\n"
		   "Core dumps for Python.\n\n");
	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++)
		fprintf(f, "  %-8s %s\n", cmds[i]->name, cmds[i]->summary);
	fprintf(f, "\n'pydumpd COMMAND --help' tells more, and so does "
		   "pydumpd(1).\n");
}

/* What glibc raises by itself: blocks that are larger go back to the kernel
 * when they are freed. A dumper's own memory is bounded. */
#define LARGE_BLOCK (1 << 20)

/* A file that is opened where a standard stream is closed would get what is
 * meant for that: messages, in a dump. What is there instead fails as a closed
 * one does, and programs that we execute do not have it. */
static void fill_standard_streams(void)
{
	int fd;

	do
		fd = open("/", O_PATH | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	fill_standard_streams();
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	if (argc < 2) {
		usage(stderr);
		return PYD_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		usage(stdout);
		return PYD_EXIT_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("pydumpd %s\n", PYD_VERSION);
		return PYD_EXIT_OK;
	}
	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		if (strcmp(argv[1], cmds[i]->name))
			continue;

		char name[64];

		snprintf(name, sizeof(name), "pydumpd %s", cmds[i]->name);
		argv[1] = name;
		return cmds[i]->run(argc - 1, argv + 1);
	}
	fprintf(stderr,
		"pydumpd: no command '%s'; 'pydumpd --help' lists them\n",
		argv[1]);
	return PYD_EXIT_USAGE;
}
