// SPDX-License-Identifier: Apache-2.0
#include "walk/meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "target/arch.h"
#include "walk/pack.h"

enum { MODULES_MAX = 10000 };

static void pack_time(struct pyd_pack *p, int64_t s, int64_t us)
{
	time_t t = (time_t)s;
	struct tm tm;
	char text[64];

	gmtime_r(&t, &tm);

	size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);

	if (us >= 0)
		snprintf(text + n, sizeof(text) - n, ".%06lldZ", (long long)us);
	else
		snprintf(text + n, sizeof(text) - n, "Z");
	pyd_pack_text(p, text);
}

/* nil when it is not known. */
static void pack_known(const struct pyd_meta *m, struct pyd_pack *p,
		       const char *key, const char *text)
{
	pyd_pack_text(p, key);
	pyd_redact_pack(m->redact, p, text[0] ? text : NULL);
}

static void pack_argv(const struct pyd_meta *m, struct pyd_pack *p)
{
	struct pyd_buf b = { 0 };
	struct pyd_err ignored;
	size_t n = 0;

	pyd_pack_text(p, "argv");
	if (m->subject->ops->argv(m->subject, &b, &ignored) ||
	    (m->redact && pyd_redact_argv(m->redact, &b, &ignored))) {
		pyd_buf_deinit(&b);
		pyd_pack_array(p, 0);
		return;
	}
	for (size_t i = 0; i < b.len; i++)
		n += b.data[i] == '\0';
	/* A process may have overwritten it without a last NUL. */
	if (b.len && b.data[b.len - 1] != '\0')
		n++;
	pyd_pack_array(p, n);
	for (size_t i = 0, at = 0; i < n; i++) {
		size_t len = strnlen((const char *)b.data + at, b.len - at);

		pyd_pack_text_n(p, (const char *)b.data + at, len);
		at += len + 1;
	}
	pyd_buf_deinit(&b);
}

static void pack_process(const struct pyd_meta *m, struct pyd_pack *p)
{
	const struct pyd_facts *f = &m->subject->facts;
	const struct pyd_modules *modules = m->modules;
	char hex[160] = "";

	pyd_pack_text(p, "process");
	pyd_pack_map(p, 13);
	pyd_pack_kv_opt(p, "pid", f->pid ? f->pid : -1);
	pyd_pack_text(p, "ns_pids");
	pyd_pack_array(p, f->n_ns_pids);
	for (unsigned int i = 0; i < f->n_ns_pids; i++)
		pyd_pack_i64(p, f->ns_pids[i]);
	pyd_pack_kv_opt(p, "ppid", f->ppid ? f->ppid : -1);
	pyd_pack_kv_opt(p, "uid", f->uid);
	pyd_pack_kv_opt(p, "gid", f->gid);
	pyd_pack_kv_text(p, "user", f->user[0] ? f->user : NULL);
	pack_argv(m, p);
	pack_known(m, p, "exe", f->exe);
	for (size_t i = 0; modules && i < modules->n; i++)
		if (modules->v[i].is_exe)
			pyd_module_build_id_hex(&modules->v[i], hex,
						sizeof(hex));
	pyd_pack_kv_text(p, "exe_build_id", hex[0] ? hex : NULL);
	pack_known(m, p, "cwd", f->cwd);
	pyd_pack_text(p, "start_time");
	if (f->start_s)
		pack_time(p, f->start_s, -1);
	else
		pyd_pack_nil(p);
	pyd_pack_kv_opt(p, "rss", f->rss ? (int64_t)f->rss : -1);
	pack_known(m, p, "comm", f->comm);
}

static void pack_host(const struct pyd_facts *f, struct pyd_pack *p)
{
	pyd_pack_text(p, "host");
	pyd_pack_map(p, 5);
	pyd_pack_kv_text(p, "hostname", f->hostname[0] ? f->hostname : NULL);
	pyd_pack_kv_text(p, "os", "Linux");
	pyd_pack_kv_text(p, "kernel", f->kernel[0] ? f->kernel : NULL);
	pyd_pack_kv_text(p, "arch", pyd_arch_name);
	pyd_pack_kv_text(p, "boot_id", f->boot_id[0] ? f->boot_id : NULL);
}

static void pack_sys_str(struct pyd_pack *p, const struct pyd_runtime *rt,
			 struct pyd_reader *r, const char *key,
			 const char *attr)
{
	char text[4096];
	pyd_addr value = 0;
	struct pyd_err ignored;

	pyd_pack_text(p, key);
	if (!rt->ninterps ||
	    pyd_read_dict_str(r, rt->interps[0].sysdict, attr, &value,
			      &ignored) ||
	    !value || pyd_read_str(r, value, text, sizeof(text), &ignored))
		pyd_pack_nil(p);
	else
		pyd_pack_text(p, text);
}

static void pack_python(struct pyd_pack *p, const struct pyd_runtime *rt,
			struct pyd_reader *r)
{
	pyd_pack_text(p, "python");
	pyd_pack_map(p, 10);
	pyd_pack_kv_text(p, "version", rt->version);
	pyd_pack_kv_u64(p, "hex", rt->hex);
	pyd_pack_kv_text(p, "implementation", "cpython");
	pyd_pack_kv_bool(p, "debug", rt->debug);
	pyd_pack_kv_bool(p, "free_threaded", rt->free_threaded);
	pack_sys_str(p, rt, r, "prefix", "prefix");
	pack_sys_str(p, rt, r, "executable", "executable");
	pyd_pack_kv_text(p, "full_version",
			 rt->full_version[0] ? rt->full_version : NULL);
	pyd_pack_kv_text(p, "abiflags", rt->abiflags);
	pyd_pack_kv_text(p, "module", rt->module);
	pyd_pack_text(p, "layout");
	pyd_pack_map(p, 4);
	pyd_pack_kv_text(p, "name", rt->lay.name);
	pyd_pack_kv_text(p, "provenance", rt->lay.provenance);
	pyd_pack_kv_bool(p, "debug_offsets", rt->debug_offsets);
	pyd_pack_kv_text(p, "notes", rt->notes[0] ? rt->notes : NULL);
}

static void pack_limit(struct pyd_pack *p, const char *key, uint64_t v)
{
	pyd_pack_text(p, key);
	if (v)
		pyd_pack_u64(p, v);
	else
		pyd_pack_nil(p);
}

static void pack_patterns(struct pyd_pack *p, const char *key,
			  const struct pyd_patterns *patterns)
{
	pyd_pack_text(p, key);
	pyd_pack_array(p, patterns->n);
	for (size_t i = 0; i < patterns->n; i++)
		pyd_pack_text(p, patterns->v[i]);
}

static void pack_limits(struct pyd_pack *p, const struct pyd_limits *l)
{
	pyd_pack_text(p, "limits");
	pyd_pack_map(p, 11);
	pack_limit(p, "depth", l->depth);
	pack_limit(p, "max_objects", l->max_objects);
	pack_limit(p, "max_bytes", l->max_bytes);
	pack_limit(p, "max_string", l->max_string);
	pack_limit(p, "max_items", l->max_items);
	pack_limit(p, "max_blob", l->max_blob);
	pyd_pack_text(p, "timeout");
	if (l->timeout_ns)
		msgpack_pack_double(&p->pk, (double)l->timeout_ns / 1e9);
	else
		pyd_pack_nil(p);
	pyd_pack_kv_bool(p, "globals", !l->no_globals);
	pyd_pack_kv_bool(p, "gc", l->gc);
	pack_patterns(p, "include", &l->include);
	pack_patterns(p, "exclude", &l->exclude);
}

static void pack_modules(struct pyd_pack *p, const struct pyd_modules *m)
{
	size_t n = m ? m->n : 0;

	if (n > MODULES_MAX)
		n = MODULES_MAX;
	pyd_pack_text(p, "modules");
	pyd_pack_array(p, n);
	for (size_t i = 0; i < n; i++) {
		char hex[160] = "";

		pyd_module_build_id_hex(&m->v[i], hex, sizeof(hex));
		pyd_pack_map(p, 4);
		pyd_pack_kv_text(p, "path", m->v[i].path);
		pyd_pack_kv_text(p, "build_id", hex[0] ? hex : NULL);
		pyd_pack_kv_u64(p, "start", m->v[i].start);
		pyd_pack_kv_u64(p, "end", m->v[i].end);
	}
}

enum { MAX_OUTSIDE = 10000 };

static void pack_outside(struct pyd_pack *p, const struct pyd_outside *o)
{
	size_t n = 0;

	/* What was copied all the same is not left out. */
	for (size_t i = 0; o && i < o->n && n < MAX_OUTSIDE; i++)
		n += !o->v[i].data;
	pyd_pack_text(p, "not_captured");
	pyd_pack_array(p, n);
	for (size_t i = 0; n; i++) {
		if (o->v[i].data)
			continue;
		n--;
		pyd_pack_map(p, 4);
		pyd_pack_kv_u64(p, "start", o->v[i].start);
		pyd_pack_kv_u64(p, "end", o->v[i].end);
		pyd_pack_kv_text(p, "path", o->v[i].path);
		pyd_pack_kv_text(p, "why", pyd_outside_word(o->v[i].why));
	}
}

static void pack_capture(struct pyd_pack *p, const struct pyd_subject *s)
{
	const struct pyd_threads *t = s->threads;
	size_t asleep = 0;

	pyd_pack_text(p, "capture");
	pyd_pack_map(p, 4 + (s->damaged != NULL));
	pyd_pack_kv_text(p, "mode", s->capture);
	pyd_pack_kv_bool(p, "torn", s->torn);
	if (s->damaged)
		pyd_pack_kv_text(p, "damaged", s->damaged);
	for (size_t i = 0; t && i < t->n; i++)
		asleep += t->v[i].asleep;
	pack_outside(p, s->outside);
	pyd_pack_text(p, "asleep");
	pyd_pack_array(p, asleep);
	for (size_t i = 0; t && i < t->n; i++)
		if (t->v[i].asleep)
			pyd_pack_u64(p, (uint64_t)t->v[i].tid);
}

enum pyd_code pyd_meta_touch(const struct pyd_runtime *rt, struct pyd_reader *r,
			     struct pyd_err *err)
{
	struct pyd_pack p;
	enum pyd_code code;

	pyd_pack_init(&p);
	pack_python(&p, rt, r);
	code = pyd_pack_check(&p, err);
	pyd_pack_deinit(&p);
	return code;
}

enum pyd_code pyd_meta_write_header(const struct pyd_meta *m,
				    struct pyd_reader *r, struct pyd_writer *w,
				    struct pyd_err *err)
{
	const struct pyd_subject *subject = m->subject;
	struct pyd_pack p;
	enum pyd_code code;

	pyd_pack_init(&p);
	/* kind; the pairs of the format; python, layout, process, host, time,
	 * description, trigger, capture, limits, redaction, modules */
	pyd_pack_map(&p, 1 + PYD_WRITER_FORMAT_PAIRS + 11);
	pyd_pack_kv_text(&p, "kind", "header");
	pyd_writer_pack_format(&p.pk);
	pack_python(&p, m->runtime, r);
	pack_process(m, &p);
	pack_host(&subject->facts, &p);
	pyd_pack_text(&p, "time");
	pack_time(&p, m->begin_s, m->begin_us);
	pyd_pack_text(&p, "description");
	pyd_redact_pack(m->redact, &p, m->opts->description);
	pyd_trigger_pack(m->opts->trigger ? m->opts->trigger
					  : &subject->trigger,
			 m->redact, &p);
	pack_capture(&p, subject);
	pack_limits(&p, &m->opts->limits);
	pyd_redact_pack_header(m->redact, &p);
	pack_modules(&p, m->modules);
	code = pyd_pack_check(&p, err);
	if (!code)
		code = pyd_writer_frame(w, "header", &p.buf, NULL, 0, err);
	pyd_pack_deinit(&p);
	return code;
}

enum pyd_code pyd_meta_write_end(const struct pyd_snapshot_stats *stats,
				 const struct pyd_cuts *cuts,
				 const struct pyd_redact *redact, uint64_t toc,
				 struct pyd_writer *w, struct pyd_err *err)
{
	const struct {
		const char *name;
		uint64_t n;
	} limits[] = {
		{ "depth", cuts->depth },
		{ "max_objects", cuts->max_objects },
		{ "max_bytes", cuts->max_bytes },
		{ "max_string", cuts->strings },
		{ "max_items", cuts->items },
		{ "max_blob", cuts->blobs },
		{ "exclude", cuts->excluded },
		{ "include", cuts->not_included },
		{ "timeout", cuts->timeout },
		{ "globals", cuts->globals },
	};
	const size_t nlimits = sizeof(limits) / sizeof(limits[0]);
	struct pyd_pack p;
	size_t n = 0;
	enum pyd_code code;

	pyd_pack_init(&p);
	pyd_pack_map(&p, 16);
	pyd_pack_kv_text(&p, "kind", "end");
	pyd_pack_kv_bool(&p, "complete", true);
	pyd_pack_kv_u64(&p, "objects", stats->objects);
	pyd_pack_kv_u64(&p, "bytes", stats->bytes);
	pyd_pack_kv_u64(&p, "threads", stats->threads);
	pyd_pack_kv_u64(&p, "frames", stats->frames);
	pyd_pack_kv_u64(&p, "placeholders", stats->placeholders);
	/* Nobody stood still for a core. */
	pyd_pack_kv_opt(
		&p, "pause_ns",
		strcmp(stats->capture, "core") ? (int64_t)stats->pause_ns : -1);
	pyd_pack_kv_u64(&p, "walk_ns", stats->walk_ns);
	pyd_pack_kv_u64(&p, "total_ns", stats->total_ns);
	pyd_pack_text(&p, "cut");
	for (size_t i = 0; i < nlimits; i++)
		n += limits[i].n != 0;
	pyd_pack_map(&p, n);
	for (size_t i = 0; i < nlimits; i++)
		if (limits[i].n)
			pyd_pack_kv_u64(&p, limits[i].name, limits[i].n);
	pyd_redact_pack_end(redact, &p);
	pyd_pack_kv_bool(&p, "timeout", stats->timeout);
	pyd_pack_kv_u64(&p, "gc_roots", stats->gc_roots);
	pyd_pack_kv_text(&p, "gc_note",
			 stats->gc_note && *stats->gc_note ? stats->gc_note
							   : NULL);
	pyd_pack_kv_u64(&p, "toc", toc);
	code = pyd_pack_check(&p, err);
	if (!code)
		code = pyd_writer_frame(w, "end", &p.buf, NULL, 0, err);
	pyd_pack_deinit(&p);
	return code;
}
