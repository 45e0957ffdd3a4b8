// SPDX-License-Identifier: Apache-2.0
/*
 * bulkread PID: how long a plain bulk read of a process's memory takes, for
 * "make bench" to hold the pause of copy mode against. Reads what is private,
 * writable and present, with process_vm_readv into memory that was touched
 * before, and prints bytes and nanoseconds. The process is not stopped.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
	BLOCK = 1 << 20, /* bytes of one piece */
	PIECES = 64,	 /* pieces of one system call */
	RANGES_MAX = 1 << 20,
};

struct range {
	uintptr_t start, end;
};

static struct range *ranges;
static size_t n_ranges;

/* Adds the present pages of a mapping, by the highest bit of their entries in
 * /proc/PID/pagemap. */
static int add_present(int pagemap, uintptr_t start, uintptr_t end, long page)
{
	uint64_t entry[512];

	for (uintptr_t at = start; at < end;) {
		size_t want = (end - at) / (size_t)page;

		if (want > 512)
			want = 512;

		ssize_t got = pread(pagemap, entry, want * 8,
				    (off_t)(at / (size_t)page * 8));

		if (got < 8)
			return -1;
		for (ssize_t i = 0; i < got / 8; i++, at += (size_t)page) {
			if (!(entry[i] >> 63))
				continue;
			if (n_ranges && ranges[n_ranges - 1].end == at)
				ranges[n_ranges - 1].end += (size_t)page;
			else if (n_ranges < RANGES_MAX)
				ranges[n_ranges++] =
					(struct range) { at,
							 at + (size_t)page };
		}
	}
	return 0;
}

static int find_ranges(const char *pid)
{
	char path[64], line[4352], perms[8];
	unsigned long start, end;

	snprintf(path, sizeof(path), "/proc/%s/pagemap", pid);

	int pagemap = open(path, O_RDONLY | O_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);

	FILE *maps = fopen(path, "re");

	ranges = calloc(RANGES_MAX, sizeof(*ranges));
	if (!maps || pagemap < 0 || !ranges)
		return -1;
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &start, &end, perms) != 3)
			return -1;
		if (perms[1] == 'w' && perms[3] == 'p' &&
		    add_present(pagemap, start, end, sysconf(_SC_PAGESIZE)))
			return -1;
	}
	fclose(maps);
	close(pagemap);
	return 0;
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* The bytes read; what is gone meanwhile is passed over. */
static size_t read_all(pid_t pid, char *buf)
{
	struct iovec remote[PIECES];
	size_t total = 0, batch = 0;
	int n = 0;

	for (size_t i = 0; i <= n_ranges; i++) {
		uintptr_t at = i < n_ranges ? ranges[i].start : 0;
		uintptr_t end = i < n_ranges ? ranges[i].end : 0;

		do {
			if (n && (n == PIECES || i == n_ranges)) {
				struct iovec local = { buf + total, batch };
				ssize_t got =
					process_vm_readv(pid, &local, 1, remote,
							 (unsigned long)n, 0);

				total += got > 0 ? (size_t)got : 0;
				batch = 0;
				n = 0;
			}
			if (at >= end)
				break;

			size_t len = end - at < BLOCK ? end - at : BLOCK;

			remote[n].iov_base = (void *)at;
			remote[n++].iov_len = len;
			batch += len;
			at += len;
		} while (1);
	}
	return total;
}

int main(int argc, char **argv)
{
	size_t size = 0;

	if (argc != 2 || find_ranges(argv[1])) {
		fprintf(stderr, "bulkread: %s\n",
			argc == 2 ? strerror(errno) : "PID");
		return 2;
	}
	for (size_t i = 0; i < n_ranges; i++)
		size += ranges[i].end - ranges[i].start;

	char *buf = mmap(NULL, size + 1, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (buf == MAP_FAILED)
		return 1;

	uint64_t begin = now();
	size_t got = read_all((pid_t)atoi(argv[1]), buf);

	printf("%zu %llu\n", got, (unsigned long long)(now() - begin));
	return got ? 0 : 1;
}
