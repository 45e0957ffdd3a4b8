// SPDX-License-Identifier: Apache-2.0
#include "cmd/report.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "target/procfs.h"

/* "1.2 M" */
static const char *scaled(double v, char *buf, size_t cap)
{
	static const char *const units[] = { "", "k", "M", "G", "T" };
	size_t u = 0;

	while (v >= 1000 && u + 1 < sizeof(units) / sizeof(units[0])) {
		v /= 1000;
		u++;
	}
	snprintf(buf, cap, u ? "%.1f %s" : "%.0f", v, units[u]);
	return buf;
}

/* "1.2 MB" */
static const char *human(uint64_t bytes, char *buf, size_t cap)
{
	scaled((double)bytes, buf, cap - 2);
	return strcat(buf, bytes < 1000 ? " B" : "B");
}

/* "at most 12 s left": what the process has in use may hold no more objects
 * than that. "" while that cannot be told. */
static void time_left(const struct pyd_walk *w, double elapsed, char *buf,
		      size_t cap)
{
	double left = w->memory > w->bytes ? (double)(w->memory - w->bytes) : 0;

	buf[0] = '\0';
	if (w->phase == PYD_WALK_OBJECTS && w->bytes && left > 0)
		snprintf(buf, cap, ", at most %.0f s left",
			 ceil(left * elapsed / (double)w->bytes));
}

void pyd_report_progress(void *ctx, const struct pyd_walk *w)
{
	struct pyd_progress *p = ctx;
	uint64_t now = pyd_now_ns();
	char size[32], rate[32], left[64];
	/* The walk may begin anew: the dump of a running one. */
	double elapsed = (double)(now - w->began_ns) / 1e9 + 1e-9;

	if (now - p->began < 1000000000ULL || now - p->shown < 200000000ULL)
		return;
	p->shown = now;
	human(w->bytes, size, sizeof(size));
	scaled((double)w->objects / elapsed, rate, sizeof(rate));
	time_left(w, elapsed, left, sizeof(left));
	fprintf(stderr,
		"\rpydumpd: %s%" PRIu64 " objects, %s, %s objects/s%s\033[K",
		w->phase == PYD_WALK_TEXTS ? "writing texts of " : "",
		w->objects, size, rate, left);
}

static void shell_quoted(const char *s, char *buf, size_t cap)
{
	bool plain = *s != '\0';
	size_t n = 0;

	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._+-/:@%=,", *p))
			plain = false;
	if (plain) {
		snprintf(buf, cap, "%s", s);
		return;
	}
	buf[n++] = '\'';
	for (const char *p = s; *p && n + 6 < cap; p++) {
		if (*p == '\'') {
			memcpy(buf + n, "'\\''", 4);
			n += 4;
		} else {
			buf[n++] = *p;
		}
	}
	buf[n++] = '\'';
	buf[n] = '\0';
}

static void report_cuts(const struct pyd_cuts *c)
{
	const struct {
		const char *option;
		uint64_t n;
	} cuts[] = {
		{ "--depth", c->depth },
		{ "--max-objects", c->max_objects },
		{ "--max-bytes", c->max_bytes },
		{ "--timeout", c->timeout },
		{ "--no-globals", c->globals },
	};
	const struct {
		const char *option;
		uint64_t n;
		const char *what;
	} objects[] = {
		{ "--max-string", c->strings, "cut" },
		{ "--max-items", c->items, "cut" },
		{ "--max-blob", c->blobs, "cut" },
		{ "--exclude", c->excluded, "left out" },
		{ "--include", c->not_included, "left out" },
	};

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
		if (cuts[i].n)
			pyd_log_notice("%s left out %" PRIu64 " references",
				       cuts[i].option, cuts[i].n);
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		if (objects[i].n)
			pyd_log_notice("%s %s %" PRIu64 " values",
				       objects[i].option, objects[i].what,
				       objects[i].n);
}

void pyd_report_dump(const char *path, const struct pyd_snapshot_stats *s)
{
	char bytes[32], file[32], quoted[8192], pause[64] = "out of a core";

	const uint64_t unread =
		s->placeholders - s->cuts.excluded - s->cuts.not_included;

	if (s->pause_ns || strcmp(s->capture, "core"))
		snprintf(pause, sizeof(pause), "paused %.1f ms (%s)",
			 (double)s->pause_ns / 1e6, s->capture);
	report_cuts(&s->cuts);
	if (unread)
		pyd_log_notice("%" PRIu64 " objects could not be read; the "
			       "dump says why at each",
			       unread);
	if (s->redacted)
		pyd_log_notice("%" PRIu64 " secrets redacted", s->redacted);
	pyd_log_notice("%" PRIu64 " thread%s, %" PRIu64 " frame%s, %" PRIu64
		       " objects of %s; %s, took %.2f s; "
		       "file %s",
		       s->threads, s->threads == 1 ? "" : "s", s->frames,
		       s->frames == 1 ? "" : "s", s->objects,
		       human(s->bytes, bytes, sizeof(bytes)), pause,
		       (double)s->total_ns / 1e9,
		       human(s->file_bytes, file, sizeof(file)));
	if (pyd_log_level >= PYD_LOG_NOTICE && path) {
		shell_quoted(path, quoted, sizeof(quoted));
		printf("pydumpd load %s\n", quoted);
	}
}
