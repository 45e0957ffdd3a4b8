// SPDX-License-Identifier: Apache-2.0
#include "native/perfmap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "target/open_as.h"

enum {
	/* Of a longer file the end, which is newer, is read. */
	TEXT_MAX = 16 << 20,
	NAMES_MAX = 1 << 18,
	NAME_BYTES = 4096,
	/* Pieces around one address that are looked at. */
	TRIES = 4096,
};

#define SECOND 1000000000LL

struct entry {
	pyd_addr start, end;
	pyd_addr reach; /* the highest end of all up to this one */
	uint32_t name;	/* in text */
	uint32_t order; /* in which they were written */
};

struct pyd_perfmap {
	char *text;
	char *owned;	 /* text, or NULL */
	struct entry *v; /* sorted by start, then order */
	size_t n, cap;
};

/* -- reading -- */

/* A number in base 16, with or without "0x". */
static bool number(char **at, const char *end, uint64_t *ret)
{
	char *p = *at;
	uint64_t n = 0;
	int digits = 0;

	if (end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x')
		p += 2;
	for (; p < end; p++, digits++) {
		int lower = *p | 0x20;

		if (*p >= '0' && *p <= '9')
			n = n << 4 | (uint64_t)(*p - '0');
		else if (lower >= 'a' && lower <= 'f')
			n = n << 4 | (uint64_t)(lower - 'a' + 10);
		else
			break;
	}
	if (!digits || digits > 16 || p == end || *p != ' ')
		return false;
	while (p < end && *p == ' ')
		p++;
	*at = p;
	*ret = n;
	return true;
}

/* "START SIZE name"; ends the name where its line ends. False: no memory. */
static bool add_line(struct pyd_perfmap *m, char *line, char *end)
{
	uint64_t start, size;
	char *at = line;

	if (!number(&at, end, &start) || !number(&at, end, &size) || !size ||
	    size > UINT64_MAX - start || at == end || end - at >= NAME_BYTES)
		return true;
	for (const char *p = at; p < end; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return true;
	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 256;
		struct entry *v = reallocarray(m->v, cap, sizeof(*v));

		if (!v)
			return false;
		m->v = v;
		m->cap = cap;
	}
	*end = '\0';
	m->v[m->n] = (struct entry) {
		.start = start,
		.end = start + size,
		.name = (uint32_t)(at - m->text),
		.order = (uint32_t)m->n,
	};
	m->n++;
	return true;
}

static int by_start(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

struct pyd_perfmap *pyd_perfmap_parse(char *text, size_t len)
{
	struct pyd_perfmap *m = calloc(1, sizeof(*m));
	size_t lines = 0, at = 0;

	if (!m || len > TEXT_MAX) {
		free(m);
		return NULL;
	}
	m->text = text;
	/* The last NAMES_MAX lines. The last one of all may be being written,
	 * and does not count without an end. */
	for (size_t i = len; i && lines <= NAMES_MAX; i--)
		if (text[i - 1] == '\n' && ++lines > NAMES_MAX)
			at = i;
	while (at < len) {
		char *end = memchr(text + at, '\n', len - at);

		if (!end)
			break;
		if (!add_line(m, text + at, end)) {
			pyd_perfmap_close(m);
			return NULL;
		}
		at = (size_t)(end - text) + 1;
	}
	if (m->n)
		qsort(m->v, m->n, sizeof(*m->v), by_start);
	for (size_t i = 0; i < m->n; i++)
		m->v[i].reach = i && m->v[i - 1].reach > m->v[i].end
					? m->v[i - 1].reach
					: m->v[i].end;
	return m;
}

/* -- the file -- */

static int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

/* NULL: it is the process's own; else why not. */
static const char *doubt(int fd, const struct pyd_process *p)
{
	int64_t ticks = (int64_t)sysconf(_SC_CLK_TCK), born, made;
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH,
		  STATX_TYPE | STATX_MODE | STATX_UID | STATX_BTIME, &st) ||
	    !S_ISREG(st.stx_mode))
		return "it is no file";
	if (st.stx_uid != p->status.euid)
		return "it belongs to another user";
	if (st.stx_mode & S_IWOTH)
		return "everybody may write to it";
	if (!(st.stx_mask & STATX_BTIME))
		return "nothing tells when it was made";
	/* In ticks since the start of the machine. */
	born = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME) +
	       (int64_t)p->stat.start_time * (SECOND / ticks);
	made = st.stx_btime.tv_sec * SECOND + st.stx_btime.tv_nsec;
	return made + 2 * (SECOND / ticks) < born
		       ? "it is older than the process"
		       : NULL;
}

/* Reads what there is, at most the last TEXT_MAX bytes. */
static char *read_end(int fd, size_t *ret_len)
{
	struct stat st;
	size_t len, n = 0;
	off_t from;
	char *text;

	if (fstat(fd, &st) || st.st_size <= 0)
		return NULL;
	from = st.st_size > TEXT_MAX ? st.st_size - TEXT_MAX : 0;
	len = (size_t)(st.st_size - from);
	text = malloc(len);
	while (text && n < len) {
		ssize_t got = pread(fd, text + n, len - n, from + (off_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	/* A line that begins in what was left out is none. */
	if (text && from) {
		char *end = memchr(text, '\n', n);
		size_t cut = end ? (size_t)(end - text) + 1 : n;

		memmove(text, text + cut, n - cut);
		n -= cut;
	}
	*ret_len = n;
	return text;
}

struct pyd_perfmap *pyd_perfmap_open(const struct pyd_process *p)
{
	const struct pyd_proc_status *st = &p->status;
	pid_t pid = st->n_ns_pids ? st->ns_pids[st->n_ns_pids - 1] : p->pid;
	struct pyd_perfmap *m = NULL;
	char root[64], path[64];
	const char *why;
	char *text;
	size_t len;
	int fd;

	snprintf(root, sizeof(root), "/proc/%d/root", (int)p->pid);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)pid);
	fd = pyd_open_as(root, path, st->euid, st->egid);
	if (fd < 0)
		return NULL;
	why = doubt(fd, p);
	if (why) {
		pyd_log_debug("%s is left alone: %s", path, why);
		close(fd);
		return NULL;
	}
	text = read_end(fd, &len);
	close(fd);
	if (text)
		m = pyd_perfmap_parse(text, len);
	if (m)
		m->owned = text;
	else
		free(text);
	if (m)
		pyd_log_debug("%s names %zu pieces of code", path, m->n);
	return m;
}

void pyd_perfmap_close(struct pyd_perfmap *m)
{
	if (!m)
		return;
	free(m->owned);
	free(m->v);
	free(m);
}

/* -- looking up -- */

bool pyd_perfmap_find(const struct pyd_perfmap *m, pyd_addr addr,
		      struct pyd_perfname *ret)
{
	const struct entry *best = NULL;
	size_t lo = 0, hi = m->n, tries = 0;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->v[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo && m->v[lo - 1].reach > addr; lo--) {
		const struct entry *e = &m->v[lo - 1];

		/* Which is the newest would not be known. */
		if (++tries > TRIES)
			return false;
		if (e->end > addr && (!best || e->order > best->order))
			best = e;
	}
	if (!best)
		return false;
	*ret = (struct pyd_perfname) {
		.start = best->start,
		.size = best->end - best->start,
		.name = m->text + best->name,
	};
	return true;
}
