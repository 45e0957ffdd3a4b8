// SPDX-License-Identifier: Apache-2.0
#include "watch/quota.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
	HOUR = 3600,
	TIMES_MAX = 1 << 16, /* of the file that is read */
	LOCK_TRIES = 100,
	LOCK_PAUSE_NS = 20000000,
};

/* -- dumps that are there -- */

struct found {
	char *name;
	struct timespec mtime;
};

static int newest_first(const void *a, const void *b)
{
	const struct timespec *x = &((const struct found *)a)->mtime;
	const struct timespec *y = &((const struct found *)b)->mtime;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? 1 : -1;
	return (x->tv_nsec < y->tv_nsec) - (x->tv_nsec > y->tv_nsec);
}

static bool ends_with(const char *name, const char *suffix)
{
	size_t len = strlen(name), n = strlen(suffix);

	return len > n && !strcmp(name + len - n, suffix);
}

static bool is_dump(const char *name)
{
	return name[0] != '.' && ends_with(name, ".pydump");
}

/* As dump/file.c calls what is not complete. */
static bool is_part(const char *name)
{
	return name[0] == '.' && strstr(name, ".pydump.") &&
	       ends_with(name, ".part");
}

/* The files of a folder, the newest first; 0 when it cannot be read. */
static size_t list(const char *dir, bool (*want)(const char *name),
		   struct found **ret)
{
	DIR *d = opendir(dir);
	struct found *v = NULL;
	size_t n = 0, cap = 0;

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		struct stat st;

		if (!want(e->d_name) ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    !S_ISREG(st.st_mode))
			continue;
		if (n == cap) {
			void *p = reallocarray(v, cap + 256, sizeof(*v));

			if (!p)
				break;
			v = p;
			cap += 256;
		}
		v[n] = (struct found) { strdup(e->d_name), st.st_mtim };
		if (!v[n].name)
			break;
		n++;
	}
	if (d)
		closedir(d);
	if (n)
		qsort(v, n, sizeof(*v), newest_first);
	*ret = v;
	return n;
}

static void free_list(struct found *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i].name);
	free(v);
}

size_t pyd_quota_count(const char *dir)
{
	struct found *v;
	size_t n = list(dir, is_dump, &v);

	free_list(v, n);
	return n;
}

static void remove_in(const char *dir, const char *name)
{
	char path[8192];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}

void pyd_quota_tidy(const struct pyd_quota *q)
{
	time_t now = time(NULL);
	struct found *v;
	size_t n = list(q->dir, is_part, &v);

	for (size_t i = 0; i < n; i++)
		if (v[i].mtime.tv_sec < now - HOUR)
			remove_in(q->dir, v[i].name);
	free_list(v, n);
	if (!q->keep)
		return;
	n = list(q->dir, is_dump, &v);
	for (size_t i = (size_t)q->keep; i < n; i++)
		remove_in(q->dir, v[i].name);
	free_list(v, n);
}

void pyd_quota_remove_part(const char *path)
{
	const char *base = strrchr(path, '/');
	char dir[4096];
	struct found *v;
	size_t n;

	if (!base)
		return;
	snprintf(dir, sizeof(dir), "%.*s", (int)(base - path), path);
	base++;
	n = list(dir, is_part, &v);
	for (size_t i = 0; i < n; i++)
		if (!strncmp(v[i].name + 1, base, strlen(base)))
			remove_in(dir, v[i].name);
	free_list(v, n);
}

/* -- the disk -- */

bool pyd_quota_has_room(const struct pyd_quota *q)
{
	struct statvfs fs;

	return !q->min_free || statvfs(q->dir, &fs) ||
	       (uint64_t)fs.f_bavail * fs.f_frsize >= q->min_free;
}

/* -- dumps of the last hour -- */

struct times {
	int64_t *v;
	size_t n;
};

/* Open and locked; -1: not within two seconds. */
static int open_times(const struct pyd_quota *q)
{
	const struct timespec pause = { 0, LOCK_PAUSE_NS };
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/handler.recent", q->dir);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	for (int i = 0; fd >= 0 && i < LOCK_TRIES; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return fd;
		nanosleep(&pause, NULL);
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Those of the last hour: a clock that was put back makes none of the future.
 */
static struct times read_times(int fd, int64_t now)
{
	struct times t = { 0 };
	char *text = malloc(TIMES_MAX + 1), *save = NULL;
	ssize_t len = text ? pread(fd, text, TIMES_MAX, 0) : -1;

	t.v = calloc(TIMES_MAX / 2 + 2, sizeof(*t.v));
	if (len > 0 && t.v) {
		text[len] = '\0';
		for (char *w = strtok_r(text, "\n", &save); w;
		     w = strtok_r(NULL, "\n", &save)) {
			int64_t at = strtoll(w, NULL, 10);

			if (at > now - HOUR && at <= now)
				t.v[t.n++] = at;
		}
	}
	free(text);
	return t;
}

static bool write_times(int fd, const struct times *t)
{
	bool good = !ftruncate(fd, 0);
	off_t at = 0;

	for (size_t i = 0; i < t->n && good; i++) {
		char line[32];
		int n = snprintf(line, sizeof(line), "%" PRId64 "\n", t->v[i]);

		good = pwrite(fd, line, (size_t)n, at) == n;
		at += n;
	}
	return good;
}

const char *pyd_quota_take(const struct pyd_quota *q, int64_t *ret)
{
	int64_t now = time(NULL);
	const char *why = NULL;
	struct times t;
	int fd;

	if (!pyd_quota_has_room(q))
		return "less than --min-free is free there";
	*ret = now;
	if (!q->rate)
		return NULL;
	fd = open_times(q);
	if (fd < 0)
		return "handler.recent, which --rate needs, cannot be written "
		       "there";
	t = read_times(fd, now);
	if (!t.v)
		why = "out of memory";
	else if (t.n >= q->rate || t.n >= TIMES_MAX / 16)
		why = "there were as many in the last hour as --rate allows";
	if (!why) {
		t.v[t.n++] = now;
		if (!write_times(fd, &t))
			why = "No space left for handler.recent, which --rate "
			      "needs";
	}
	free(t.v);
	close(fd);
	return why;
}

void pyd_quota_give_back(const struct pyd_quota *q, int64_t taken)
{
	int fd = q->rate ? open_times(q) : -1;
	struct times t;

	if (fd < 0)
		return;
	t = read_times(fd, time(NULL));
	for (size_t i = 0; i < t.n; i++)
		if (t.v[i] == taken) {
			t.v[i] = t.v[--t.n];
			(void)write_times(fd, &t);
			break;
		}
	free(t.v);
	close(fd);
}
