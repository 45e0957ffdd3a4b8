// SPDX-License-Identifier: Apache-2.0
#include "target/maps.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "target/procfs.h"

/* vm.max_map_count is 65530 by default, and some raise it to millions. */
enum { MAX_TEXT = 1 << 30 };

static bool hex(const char **at, const char *end, uint64_t *ret)
{
	uint64_t v = 0;
	const char *p = *at;

	for (; p < end && p - *at < 17; p++) {
		unsigned int d;

		if (*p >= '0' && *p <= '9')
			d = (unsigned int)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			d = (unsigned int)(*p - 'a' + 10);
		else
			break;
		v = v << 4 | d;
	}
	if (p == *at || p - *at > 16)
		return false;
	*at = p;
	*ret = v;
	return true;
}

static bool lit(const char **at, const char *end, char c)
{
	if (*at >= end || **at != c)
		return false;
	++*at;
	return true;
}

/* The kernel writes a newline in a name as \012 and nothing else escaped. */
static char *unescape(char *path)
{
	char *to = strchr(path, '\\');

	if (!to)
		return path + strlen(path);
	for (char *from = to; *from; to++) {
		if (!strncmp(from, "\\012", 4)) {
			*to = '\n';
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = 0;
	return to;
}

/* line is NUL-terminated at end. */
static bool parse_line(char *line, char *end, struct pyd_region *ret)
{
	struct pyd_region r = { .path = "" };
	const char *at = line;
	uint64_t maj, min;

	if (!hex(&at, end, &r.start) || !lit(&at, end, '-') ||
	    !hex(&at, end, &r.end) || !lit(&at, end, ' ') || end - at < 5)
		return false;
	if (at[0] == 'r')
		r.prot |= PYD_PROT_R;
	if (at[1] == 'w')
		r.prot |= PYD_PROT_W;
	if (at[2] == 'x')
		r.prot |= PYD_PROT_X;
	if (at[3] == 's')
		r.prot |= PYD_PROT_SHARED;
	at += 4;
	if (!lit(&at, end, ' ') || !hex(&at, end, &r.file_offset) ||
	    !lit(&at, end, ' ') || !hex(&at, end, &maj) ||
	    !lit(&at, end, ':') || !hex(&at, end, &min) || !lit(&at, end, ' '))
		return false;
	r.dev = makedev((unsigned int)maj, (unsigned int)min);

	const char *digits = at;

	for (; at < end && *at >= '0' && *at <= '9'; at++)
		r.inode = r.inode * 10 + (uint64_t)(*at - '0');
	if (at == digits || r.start >= r.end)
		return false;
	while (at < end && *at == ' ')
		at++;

	char *path = line + (at - line);
	static const char suffix[] = " (deleted)";
	size_t n = (size_t)(unescape(path) - path);

	if (n > sizeof(suffix) - 1 &&
	    !strcmp(path + n - (sizeof(suffix) - 1), suffix)) {
		path[n - (sizeof(suffix) - 1)] = 0;
		r.deleted = 1;
	}
	r.path = path;
	*ret = r;
	return true;
}

static int by_start(const void *a, const void *b)
{
	const struct pyd_region *x = a;
	const struct pyd_region *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* The file is not a snapshot: while mappings change under the reader, lines
 * can repeat or overlap. The first one wins. */
static size_t disentangle(struct pyd_region *r, size_t n)
{
	size_t out = 0;
	bool sorted = true;

	for (size_t i = 1; i < n && sorted; i++)
		sorted = r[i - 1].start <= r[i].start;
	if (!sorted)
		qsort(r, n, sizeof(*r), by_start);
	for (size_t i = 0; i < n; i++) {
		if (out && r[i].start < r[out - 1].end)
			continue;
		r[out++] = r[i];
	}
	return out;
}

enum pyd_code pyd_maps_parse(const char *text, size_t len, struct pyd_maps *ret,
			     struct pyd_err *err)
{
	struct pyd_maps m = { 0 };
	size_t lines = 0;

	for (const char *at = text, *end = text + len;
	     len && (at = memchr(at, '\n', (size_t)(end - at))); at++)
		lines++;

	m.text = malloc(len + 1);
	m.regions = calloc(lines + 1, sizeof(*m.regions));
	if (!m.text || !m.regions) {
		pyd_maps_deinit(&m);
		return pyd_err_set(err, PYD_NOMEM,
				   "out of memory for %zu regions", lines);
	}
	if (len)
		memcpy(m.text, text, len);
	m.text[len] = 0;

	char *line = m.text;
	char *stop = m.text + len;

	while (line < stop) {
		char *end = memchr(line, '\n', (size_t)(stop - line));

		if (!end)
			break;
		*end = 0;
		if (!parse_line(line, end, &m.regions[m.n])) {
			enum pyd_code code =
				pyd_err_set(err, PYD_CORRUPT,
					    "maps: cannot parse '%s'", line);
			pyd_maps_deinit(&m);
			return code;
		}
		m.n++;
		line = end + 1;
	}
	m.n = disentangle(m.regions, m.n);
	*ret = m;
	return PYD_OK;
}

enum pyd_code pyd_maps_text(pid_t pid, struct pyd_buf *ret, struct pyd_err *err)
{
	return pyd_procfs_read(pid, "maps", MAX_TEXT, ret, err);
}

enum pyd_code pyd_maps_read(pid_t pid, struct pyd_maps *ret,
			    struct pyd_err *err)
{
	struct pyd_buf buf = { 0 };
	struct pyd_maps m = { 0 };
	enum pyd_code code = pyd_maps_text(pid, &buf, err);

	if (!code)
		code = pyd_maps_parse((const char *)buf.data, buf.len, &m, err);
	pyd_buf_deinit(&buf);
	if (!code && !m.n) {
		pyd_maps_deinit(&m);
		code = pyd_err_set(err, PYD_GONE,
				   "process %d has no memory: it is a zombie "
				   "or about to end",
				   pid);
	}
	if (!code)
		*ret = m;
	return code;
}

void pyd_maps_deinit(struct pyd_maps *m)
{
	free(m->regions);
	free(m->text);
	*m = (struct pyd_maps) { 0 };
}

bool pyd_region_is_same(const struct pyd_region *a, const struct pyd_region *b)
{
	return a->start == b->start && a->end == b->end && a->prot == b->prot &&
	       a->inode == b->inode && a->dev == b->dev &&
	       a->file_offset == b->file_offset;
}

const struct pyd_region *pyd_regions_find(const struct pyd_region *regions,
					  size_t n, pyd_addr addr)
{
	size_t lo = 0;
	size_t hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr < regions[mid].start)
			hi = mid;
		else if (addr >= regions[mid].end)
			lo = mid + 1;
		else
			return &regions[mid];
	}
	return NULL;
}
