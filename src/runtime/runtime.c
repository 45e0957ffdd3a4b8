// SPDX-License-Identifier: Apache-2.0
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "runtime/interp.h"
#include "target/capture.h"

/* The target runs: what is read in the middle of a change is read again. */
enum { ATTEMPTS = 4 };

/* -- does a table fit? -- */

static enum pyd_code sys_str(struct pyd_reader *r, pyd_addr sysdict,
			     const char *key, char *buf, size_t cap,
			     struct pyd_err *err)
{
	pyd_addr value = 0;
	enum pyd_code code = pyd_read_dict_str(r, sysdict, key, &value, err);

	if (code || !value)
		return code;
	return pyd_read_str(r, value, buf, cap, err);
}

/* What the interpreter says of itself must agree with the table. */
static enum pyd_code check_sys(struct pyd_reader *r, struct pyd_runtime *rt,
			       uint32_t probed, struct pyd_err *err)
{
	const struct pyd_layout *lay = &rt->lay;
	const struct pyd_interpreter *in = &rt->interps[0];
	pyd_addr value = 0;
	int64_t said = 0;
	enum pyd_code code;

	if (!in->sysdict)
		return pyd_err_set(err, PYD_NOTPYTHON,
				   "Python has no sys module: it is being "
				   "initialised, or about to end; try again "
				   "when it runs Python code");
	code = pyd_read_dict_str(r, in->sysdict, "hexversion", &value, err);
	if (!code && !value)
		code = pyd_err_set(err, PYD_CORRUPT,
				   "sys has no hexversion; Python is being "
				   "initialised, or the table does not fit");
	if (!code)
		code = pyd_read_i64(r, value, &said, err);
	if (code)
		return code;
	if (said < 0 || said > UINT32_MAX ||
	    !pyd_layout_covers(lay, (uint32_t)said) ||
	    (probed && said != probed))
		return pyd_err_set(err, PYD_CORRUPT,
				   "sys.hexversion is 0x%llx, not that of "
				   "table %s",
				   (unsigned long long)said, lay->name);
	rt->hex = (uint32_t)said;
	code = sys_str(r, in->sysdict, "abiflags", rt->abiflags,
		       sizeof(rt->abiflags), err);
	if (!code)
		code = pyd_read_dict_str(r, in->sysdict, "gettotalrefcount",
					 &value, err);
	if (code)
		return code;

	/* sys.gettotalrefcount is there in debug builds only; programs that
	 * embed Python may lack abiflags. */
	bool debug = value || strchr(rt->abiflags, 'd');

	if (debug != !!(lay->flags & PYD_LAYOUT_DEBUG))
		return pyd_err_set(err, PYD_CORRUPT,
				   "it is %s build, unlike table %s",
				   debug ? "a debug" : "a release", lay->name);
	rt->debug = debug;
	rt->free_threaded = lay->flags & PYD_LAYOUT_FREE_THREADED;
	/* Nice to have. */
	struct pyd_err ignored;

	if (sys_str(r, in->sysdict, "version", rt->full_version,
		    sizeof(rt->full_version), &ignored))
		rt->full_version[0] = 0;
	for (char *p = rt->full_version; *p; p++)
		if (*p == '\n')
			*p = ' ';
	return PYD_OK;
}

static enum pyd_code check_in(struct pyd_target *t, struct pyd_runtime *rt,
			      uint32_t probed, struct pyd_err *err)
{
	struct pyd_reader r;
	enum pyd_code code = pyd_interps_list(t, rt, err);

	if (!code && !rt->interps[0].main)
		code = pyd_err_set(err, PYD_CORRUPT,
				   "there is no main interpreter");
	if (!code)
		code = pyd_reader_init(&r, t, &rt->lay, err);
	if (code)
		return code;
	for (size_t i = 0; i < rt->ninterps && !code; i++)
		code = pyd_vec_push(&r.interps, rt->interps[i].addr, err);
	if (!code)
		code = check_sys(&r, rt, probed, err);
	pyd_reader_deinit(&r);
	return code;
}

static enum pyd_code check_table(struct pyd_target *t, struct pyd_runtime *rt,
				 uint32_t probed, struct pyd_err *err)
{
	struct pyd_target *brief;
	enum pyd_code code = pyd_target_cache_brief(t, &brief, err);

	if (code)
		return code;
	code = check_in(brief, rt, probed, err);
	pyd_target_destroy(brief);
	return code;
}

static void read_finalizing(struct pyd_target *t, struct pyd_runtime *rt)
{
	int32_t off = PYD_OFF(&rt->lay, runtime, finalizing);
	uint64_t value = 0;
	struct pyd_err ignored;

	/* The thread state that ends the runtime, or NULL. */
	rt->finalizing = off >= 0 &&
			 !pyd_target_read_u64(t, rt->addr + (uint64_t)off,
					      &value, &ignored) &&
			 value;
}

/* Then what was in motion has settled; memory may have grown. */
static void wait_a_moment(struct pyd_target *t)
{
	struct timespec pause = { .tv_nsec = 3000000 };
	struct pyd_err ignored;

	nanosleep(&pause, NULL);
	if (pyd_target_process_refresh(t, &ignored))
		pyd_log_debug("maps: %s", ignored.msg);
}

/* Tries rt->lay on the candidate; completes rt. */
static enum pyd_code try_table(struct pyd_target *t,
			       const struct pyd_candidate *c,
			       struct pyd_runtime *rt, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	rt->addr = c->addr;
	rt->notes[0] = 0;
	rt->debug_offsets = false;
	if (c->cookie) {
		uint8_t bytes[PYD_DEBUG_OFFSETS_MAX];
		struct pyd_err inner;

		code = pyd_target_read(t, c->addr, bytes, sizeof(bytes), err);
		if (code)
			return code;
		code = pyd_layout_apply_debug_offsets(
			&rt->lay, bytes, sizeof(bytes), rt->notes,
			sizeof(rt->notes), &inner);
		if (code && code != PYD_CORRUPT) {
			*err = inner;
			return code;
		}
		/* Implausible ones are left alone: the table of that very
		 * version then has to hold by itself. */
		if (code)
			snprintf(rt->notes, sizeof(rt->notes),
				 "debug offsets not used: %s", inner.msg);
		rt->debug_offsets = !code;
	}
	for (int i = 0; i < ATTEMPTS; i++) {
		code = check_table(t, rt, c->hex, err);
		if (!code || !pyd_code_is_local(code) || !t->pid)
			break;
		if (i + 1 < ATTEMPTS)
			wait_a_moment(t);
	}
	if (code)
		return code;
	read_finalizing(t, rt);
	pyd_version_text(rt->hex, rt->version, sizeof(rt->version));
	snprintf(rt->module, sizeof(rt->module), "%s", c->module);
	rt->shared = t->pid || t->in_exe ? !c->is_exe
					 : strstr(c->module, ".so") != NULL;
	return PYD_OK;
}

/* Failures that say nothing about the candidate. */
static bool is_fatal(enum pyd_code code)
{
	return code == PYD_GONE || code == PYD_PERM || code == PYD_NOMEM ||
	       code == PYD_INTERRUPTED;
}

/* The version is known: at most the two builds of it. */
static enum pyd_code try_version(struct pyd_target *t,
				 const struct pyd_layouts *tables,
				 const struct pyd_candidate *c,
				 struct pyd_runtime *rt, struct pyd_err *err)
{
	static const unsigned int builds[] = { 0, PYD_LAYOUT_DEBUG };
	unsigned int ft = c->free_threaded ? PYD_LAYOUT_FREE_THREADED : 0;
	enum pyd_code first = PYD_OK;

	for (size_t i = 0; i < 2; i++) {
		struct pyd_err inner = { 0 };
		enum pyd_code code = pyd_layout_select(
			tables, c->hex, builds[i] | ft, &rt->lay, &inner);

		if (!code)
			code = try_table(t, c, rt, &inner);
		if (!code)
			return PYD_OK;
		/* "Not initialised" is true whatever the build is; else the
		 * debug table's failure tells more, when both fail. */
		if (!first || code == PYD_NOTPYTHON || is_fatal(code)) {
			first = code;
			*err = inner;
		}
		if (is_fatal(code))
			break;
	}
	return first;
}

/* Asks each table that the file's name speaks for, or each other one. */
static enum pyd_code ask(struct pyd_target *t, const struct pyd_layouts *tables,
			 const struct pyd_candidate *c, bool named,
			 size_t *tried, size_t *empty, struct pyd_runtime *rt,
			 struct pyd_err *err)
{
	for (size_t i = 0; i < tables->n; i++) {
		struct pyd_layout *lay;
		enum pyd_code code;

		if (pyd_layouts_is_named(tables, i, c->module) != named)
			continue;
		code = pyd_layouts_get(tables, i, &lay, err);
		if (code)
			return code;
		/* Those have a cookie, or are not this one. */
		if (lay->debug_size)
			continue;
		++*tried;
		rt->lay = *lay;
		rt->addr = c->addr;
		code = check_table(t, rt, 0, err);
		if (!code || is_fatal(code))
			return code;
		*empty += code == PYD_NOTPYTHON;
	}
	return PYD_NOTFOUND;
}

/* The version is not known (3.10 and older): each table is asked. */
static enum pyd_code try_all(struct pyd_target *t,
			     const struct pyd_layouts *tables,
			     const struct pyd_candidate *c,
			     struct pyd_runtime *rt, struct pyd_err *err)
{
	size_t empty = 0;
	size_t tried = 0;

	/* Without a pause between attempts first: most tables are wrong. */
	for (int round = 0; round < ATTEMPTS; round++) {
		enum pyd_code code;

		empty = tried = 0;
		code = ask(t, tables, c, true, &tried, &empty, rt, err);
		if (code == PYD_NOTFOUND)
			code = ask(t, tables, c, false, &tried, &empty, rt,
				   err);
		if (!code)
			return try_table(t, c, rt, err);
		if (code != PYD_NOTFOUND)
			return code;
		if (!t->pid || (empty == tried && tried))
			break;
		wait_a_moment(t);
	}
	/* The last message says it. */
	if (tried && empty == tried)
		return PYD_NOTPYTHON;
	return pyd_err_set(err, PYD_UNSUPPORTED,
			   "_PyRuntime at 0x%llx in %s does not look like any "
			   "version that there is a table for (%zu tried): a "
			   "patched build, or Python is being initialised; "
			   "doc/HOWTO_ADD_A_VERSION.md tells how to make a "
			   "table",
			   (unsigned long long)c->addr, c->module, tried);
}

/* -- the search -- */

static bool has_threads(struct pyd_target *t, const struct pyd_runtime *rt)
{
	struct pyd_err ignored;

	for (size_t i = 0; i < rt->ninterps; i++) {
		uint64_t head = 0;

		if (!pyd_target_read_u64(
			    t,
			    rt->interps[i].addr +
				    (uint64_t)PYD_OFF(&rt->lay, interp,
						      threads_head),
			    &head, &ignored) &&
		    head)
			return true;
	}
	return false;
}

static void note_second(struct pyd_runtime *rt, const struct pyd_runtime *other)
{
	size_t n = strlen(rt->notes);

	snprintf(rt->notes + n, sizeof(rt->notes) - n,
		 "%sa second runtime, Python %s in %s at 0x%llx, was not taken",
		 n ? "; " : "", other->version, other->module,
		 (unsigned long long)other->addr);
}

/* Of two failures the one that tells more. */
static int weight(enum pyd_code code)
{
	switch (code) {
	case PYD_UNSUPPORTED:
		return 3;
	case PYD_NOTPYTHON:
		return 2;
	default:
		return 1;
	}
}

static enum pyd_code judge(struct pyd_target *t,
			   const struct pyd_layouts *tables,
			   struct pyd_candidates *seen,
			   struct pyd_runtime *best, struct pyd_err *err)
{
	enum pyd_code result = PYD_NOTPYTHON;
	bool found = false;

	for (size_t i = 0; i < seen->n; i++) {
		struct pyd_candidate *c = &seen->v[i];
		struct pyd_runtime rt = { 0 };
		struct pyd_err inner = { 0 };

		c->code = c->hex ? try_version(t, tables, c, &rt, &inner)
				 : try_all(t, tables, c, &rt, &inner);
		if (is_fatal(c->code)) {
			pyd_runtime_deinit(&rt);
			if (found)
				pyd_runtime_deinit(best);
			*err = inner;
			return c->code;
		}
		if (c->code) {
			snprintf(c->verdict, sizeof(c->verdict), "%.319s",
				 inner.msg);
			pyd_runtime_deinit(&rt);
			if (!found && (result == PYD_NOTPYTHON ||
				       weight(c->code) > weight(result))) {
				result = c->code;
				*err = inner;
			}
			continue;
		}
		snprintf(c->table, sizeof(c->table), "%s", rt.lay.name);
		snprintf(c->verdict, sizeof(c->verdict), "Python %s%s%s",
			 rt.version, rt.debug ? ", debug build" : "",
			 rt.free_threaded ? ", free-threaded" : "");
		if (found && (has_threads(t, best) || !has_threads(t, &rt))) {
			note_second(best, &rt);
			pyd_runtime_deinit(&rt);
			continue;
		}
		if (found) {
			note_second(&rt, best);
			pyd_runtime_deinit(best);
		}
		*best = rt;
		found = true;
	}
	return found ? PYD_OK : result;
}

static enum pyd_code append(struct pyd_candidates *all,
			    struct pyd_candidates *more, struct pyd_err *err)
{
	struct pyd_candidate *v;

	all->nmodules = more->nmodules;
	memcpy(all->other, more->other, sizeof(all->other));
	if (!more->n)
		return PYD_OK;
	v = realloc(all->v, (all->n + more->n) * sizeof(*v));
	if (!v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	all->v = v;
	memcpy(v + all->n, more->v, more->n * sizeof(*v));
	all->n += more->n;
	return PYD_OK;
}

enum pyd_code pyd_runtime_search(struct pyd_target *t,
				 const struct pyd_process *p,
				 const struct pyd_layouts *tables, bool quick,
				 struct pyd_runtime *ret,
				 struct pyd_candidates *ret_seen,
				 struct pyd_err *err)
{
	int last = quick ? PYD_LOOK_QUICK : PYD_LOOK_LAST;
	enum pyd_code code = PYD_NOTPYTHON;
	struct pyd_err best = { 0 };

	*ret_seen = (struct pyd_candidates) { 0 };
	for (int depth = PYD_LOOK_QUICK; depth <= last; depth++) {
		struct pyd_candidates found = { 0 };
		struct pyd_runtime rt = { 0 };
		enum pyd_code more;

		code = pyd_candidates_find(
			t, p, (enum pyd_candidate_depth)depth, &found, err);
		if (code)
			return code;
		code = judge(t, tables, &found, &rt, err);
		more = append(ret_seen, &found, &best);
		if (found.n && code && !is_fatal(code))
			best = *err;
		pyd_candidates_deinit(&found);
		if (!code && more)
			pyd_runtime_deinit(&rt);
		if (more || is_fatal(code)) {
			if (more)
				*err = best;
			return more ? more : code;
		}
		if (!code) {
			pyd_log_debug("Python %s, table %s, _PyRuntime 0x%llx "
				      "in %s",
				      rt.version, rt.lay.name,
				      (unsigned long long)rt.addr, rt.module);
			*ret = rt;
			return PYD_OK;
		}
	}
	if (ret_seen->n) {
		*err = best;
		return best.code;
	}
	if (ret_seen->other[0])
		return pyd_err_set(err, PYD_UNSUPPORTED,
				   "the interpreter is %s; pydumpd reads "
				   "CPython 3.7 and newer",
				   ret_seen->other);
	return pyd_err_set(err, PYD_NOTPYTHON,
			   "not Python: none of its %zu modules has a "
			   "_PyRuntime (CPython 3.7 or newer)%s",
			   ret_seen->nmodules,
			   t->pid ? "; 'pydumpd ps' lists Python processes"
				  : "");
}

enum pyd_code pyd_runtime_find(struct pyd_target *t,
			       const struct pyd_process *p,
			       const struct pyd_layouts *tables,
			       struct pyd_runtime *ret, struct pyd_err *err)
{
	struct pyd_candidates seen;
	enum pyd_code code =
		pyd_runtime_search(t, p, tables, false, ret, &seen, err);

	pyd_candidates_deinit(&seen);
	if (code && t->pid && !is_fatal(code))
		pyd_err_prefix(err, "process %d", t->pid);
	return code;
}

void pyd_runtime_deinit(struct pyd_runtime *rt)
{
	free(rt->interps);
	free(rt->threads);
	*rt = (struct pyd_runtime) { 0 };
}
