// SPDX-License-Identifier: Apache-2.0
#include "native/unwind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "native/cfi.h"
#include "native/regs.h"
#include "target/procfs.h"

enum {
	PAGE = 4096,
	PAGES = 512, /* power of two */
	/* Words that one step may read: a program in unwind tables that never
	 * ends is cut short. */
	STEP_READS = 1 << 16,
	CACHE_LOG = 12, /* of libunwind: places that it has met */
	/* Signal handlers may run on stacks of their own, in any direction. */
	JUMPS_MAX = 64,
	LOOK_AT_TIME = 512, /* frames between two looks */
};

/* libunwind exports its search of a binary search table in remote memory,
 * which every debugger that uses it needs, but no header declares it. */
extern int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t as,
					      unw_word_t ip, unw_dyn_info_t *di,
					      unw_proc_info_t *pi,
					      int need_unwind_info, void *arg);

struct page {
	pyd_addr key; /* its address with bit 0 set; 0: empty */
	bool readable;
	uint8_t bytes[PAGE];
};

struct pyd_unwinder {
	struct pyd_target *t;
	const struct pyd_nmodules *modules;
	struct pyd_cfis *cfis;
	unw_addr_space_t as;
	struct page *pages; /* PAGES, direct mapped */
	unw_word_t regs[PYD_UNW_REGS];
	uint32_t reads; /* in this step */
	bool missed;	/* no unwind information in this step */
	enum pyd_code fatal;
	struct pyd_err err; /* of fatal */
};

/* -- memory -- */

static bool read_bytes(struct pyd_unwinder *u, pyd_addr addr, void *buf,
		       size_t len)
{
	struct page *p = &u->pages[addr / PAGE % PAGES];
	pyd_addr start = addr & ~(pyd_addr)(PAGE - 1);
	struct pyd_err err;
	enum pyd_code code;

	if (len > PAGE - (addr - start) || u->fatal)
		goto exactly;
	if (p->key != (start | 1)) {
		p->key = start | 1;
		code = pyd_target_read(u->t, start, p->bytes, PAGE, &err);
		p->readable = !code;
		if (code && !pyd_code_is_local(code)) {
			u->fatal = code;
			u->err = err;
			return false;
		}
	}
	if (!p->readable)
		goto exactly;
	memcpy(buf, p->bytes + (addr - start), len);
	return true;
exactly:
	if (u->fatal)
		return false;
	code = pyd_target_read(u->t, addr, buf, len, &err);
	if (code && !pyd_code_is_local(code)) {
		u->fatal = code;
		u->err = err;
	}
	return !code;
}

static bool read_word(struct pyd_unwinder *u, pyd_addr addr, uint64_t *ret)
{
	return read_bytes(u, addr, ret, sizeof(*ret));
}

static bool is_code(const struct pyd_unwinder *u, pyd_addr addr)
{
	const struct pyd_region *r = pyd_target_region(u->t, addr);

	return r && r->prot & PYD_PROT_X;
}

/* True when addr lies behind a call. */
static bool is_return(struct pyd_unwinder *u, pyd_addr addr)
{
	uint8_t bytes[PYD_UNW_CALL_MAX];

	return addr > sizeof(bytes) && is_code(u, addr) &&
	       is_code(u, addr - sizeof(bytes)) &&
	       read_bytes(u, addr - sizeof(bytes), bytes, sizeof(bytes)) &&
	       pyd_unw_is_call(bytes, sizeof(bytes));
}

static bool is_signal_frame(struct pyd_unwinder *u, pyd_addr pc)
{
	uint8_t bytes[PYD_UNW_RETURN_LEN];

	return read_bytes(u, pc, bytes, sizeof(bytes)) &&
	       pyd_unw_is_sigreturn(bytes);
}

/* -- what libunwind asks for -- */

static int find_proc_info(unw_addr_space_t as, unw_word_t ip,
			  unw_proc_info_t *pi, int need, void *arg)
{
	struct pyd_unwinder *u = arg;
	const struct pyd_nmodule *m = pyd_nmodules_find(u->modules, ip);
	int ret = -UNW_ENOINFO;

	if (m && m->table) {
		unw_dyn_info_t di = {
			.start_ip = m->mod.start,
			.end_ip = m->mod.end,
			.format = UNW_INFO_FORMAT_REMOTE_TABLE,
			.u.rti = {
				.segbase = m->hdr,
				.table_data = m->table,
				.table_len = m->nfdes * 8 / sizeof(unw_word_t),
			},
		};

		ret = UNW_OBJ(dwarf_search_unwind_table)(as, ip, &di, pi, need,
							 arg);
	}
	if (ret < 0)
		u->missed = true;
	return ret < 0 ? -UNW_ENOINFO : ret;
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *pi, void *arg)
{
	(void)as;
	(void)pi;
	(void)arg;
}

static int no_dyn_info(unw_addr_space_t as, unw_word_t *ret, void *arg)
{
	(void)as;
	(void)ret;
	(void)arg;
	return -UNW_ENOINFO;
}

static int access_mem(unw_addr_space_t as, unw_word_t addr, unw_word_t *val,
		      int write, void *arg)
{
	struct pyd_unwinder *u = arg;

	(void)as;
	if (write || ++u->reads > STEP_READS || !read_word(u, addr, val))
		return -UNW_EINVAL;
	return 0;
}

static int access_reg(unw_addr_space_t as, unw_regnum_t reg, unw_word_t *val,
		      int write, void *arg)
{
	struct pyd_unwinder *u = arg;

	(void)as;
	if (write || reg < 0 || reg >= PYD_UNW_REGS)
		return -UNW_EBADREG;
	*val = u->regs[reg];
	return 0;
}

static int access_fpreg(unw_addr_space_t as, unw_regnum_t reg, unw_fpreg_t *val,
			int write, void *arg)
{
	(void)as;
	(void)reg;
	(void)val;
	(void)write;
	(void)arg;
	return -UNW_EBADREG;
}

static int no_resume(unw_addr_space_t as, unw_cursor_t *c, void *arg)
{
	(void)as;
	(void)c;
	(void)arg;
	return -UNW_EINVAL;
}

static int no_proc_name(unw_addr_space_t as, unw_word_t addr, char *buf,
			size_t cap, unw_word_t *off, void *arg)
{
	(void)as;
	(void)addr;
	(void)buf;
	(void)cap;
	(void)off;
	(void)arg;
	return -UNW_ENOINFO;
}

/* -- one unwinder -- */

enum pyd_code pyd_unwinder_create(struct pyd_target *t,
				  const struct pyd_nmodules *m,
				  struct pyd_unwinder **ret,
				  struct pyd_err *err)
{
	unw_accessors_t accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = no_dyn_info,
		.access_mem = access_mem,
		.access_reg = access_reg,
		.access_fpreg = access_fpreg,
		.resume = no_resume,
		.get_proc_name = no_proc_name,
	};
	struct pyd_unwinder *u = calloc(1, sizeof(*u));

	if (u) {
		/* Those that are not used take no memory. */
		u->pages = calloc(PAGES, sizeof(*u->pages));
		u->cfis = pyd_cfis_create(m);
		u->as = unw_create_addr_space(&accessors, 0);
	}
	if (!u || !u->pages || !u->cfis || !u->as) {
		pyd_unwinder_destroy(u);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	u->t = t;
	u->modules = m;
	/* Threads of one program wait in the same places. */
	(void)unw_set_caching_policy(u->as, UNW_CACHE_GLOBAL);
	(void)unw_set_cache_size(u->as, 1 << CACHE_LOG, 0);
	*ret = u;
	return PYD_OK;
}

void pyd_unwinder_destroy(struct pyd_unwinder *u)
{
	if (!u)
		return;
	if (u->as)
		unw_destroy_addr_space(u->as);
	pyd_cfis_destroy(u->cfis);
	free(u->pages);
	free(u);
}

void pyd_calls_deinit(struct pyd_calls *c)
{
	free(c->v);
	*c = (struct pyd_calls) { 0 };
}

static enum pyd_code push(struct pyd_calls *c, const struct pyd_call *call,
			  struct pyd_err *err)
{
	if (c->n == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 64;
		struct pyd_call *v = reallocarray(c->v, cap, sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM, "out of memory");
		c->v = v;
		c->cap = cap;
	}
	c->v[c->n++] = *call;
	return PYD_OK;
}

/* -- stepping -- */

static bool get_call(unw_cursor_t *c, struct pyd_call *ret)
{
	unw_word_t v;

	if (unw_get_reg(c, UNW_REG_IP, &v) < 0)
		return false;
	ret->pc = v;
	if (unw_get_reg(c, UNW_REG_SP, &v) < 0)
		return false;
	ret->sp = v;
	for (size_t i = 0; i < pyd_unw_nsaved; i++) {
		if (unw_get_reg(c, pyd_unw_saved[i], &v) < 0)
			v = 0;
		ret->saved[i] = v;
	}
	return true;
}

static uint64_t frame_pointer(const struct pyd_call *c)
{
	for (size_t i = 0; i < pyd_unw_nsaved; i++)
		if (pyd_unw_saved[i] == pyd_unw_fp)
			return c->saved[i];
	return 0;
}

static void set_frame_pointer(struct pyd_call *c, uint64_t fp)
{
	for (size_t i = 0; i < pyd_unw_nsaved; i++)
		if (pyd_unw_saved[i] == pyd_unw_fp)
			c->saved[i] = fp;
}

static bool read_for_cfi(void *ctx, pyd_addr addr, uint64_t *ret)
{
	struct pyd_unwinder *u = ctx;

	return ++u->reads <= STEP_READS && read_word(u, addr, ret);
}

/* Of what lies in memory nothing tells, but the file may. */
static bool step_by_file(struct pyd_unwinder *u, const struct pyd_call *c,
			 struct pyd_call *ret)
{
	struct pyd_cfi_frame f = { .pc = c->pc, .exact = c->exact };
	struct pyd_cfi_caller to;

	if (c->how == PYD_CALL_REGS) {
		memcpy(f.regs, u->regs, sizeof(f.regs));
		f.known = UINT64_MAX;
	}
	for (size_t i = 0; i < pyd_unw_nsaved; i++) {
		f.regs[pyd_unw_saved[i]] = c->saved[i];
		f.known |= 1ULL << pyd_unw_saved[i];
	}
	f.regs[UNW_TDEP_SP] = c->sp;
	f.regs[UNW_TDEP_IP] = c->pc;
	f.known |= 1ULL << UNW_TDEP_SP | 1ULL << UNW_TDEP_IP;
	if (!pyd_cfis_step(u->cfis, &f, read_for_cfi, u, &to))
		return false;
	*ret = (struct pyd_call) {
		.pc = to.pc,
		.sp = to.sp,
		.how = PYD_CALL_TABLE,
		.exact = to.exact,
	};
	memcpy(ret->saved, to.saved, sizeof(ret->saved));
	return true;
}

/* What is left of the function takes words off the stack and returns: so do
 * the trampolines of "python -X perf". */
static bool step_by_end(struct pyd_unwinder *u, const struct pyd_call *c,
			struct pyd_call *ret)
{
	const struct pyd_region *stack = pyd_target_region(u->t, c->sp);
	const struct pyd_region *code = pyd_target_region(u->t, c->pc);
	uint8_t bytes[PYD_UNW_END_MAX];
	struct pyd_call next = *ret;
	struct pyd_unw_end end;
	size_t n = sizeof(bytes);
	uint64_t back;

	if (!stack || !(stack->prot & PYD_PROT_W) || !code ||
	    !(code->prot & PYD_PROT_X))
		return false;
	if (n > code->end - c->pc)
		n = (size_t)(code->end - c->pc);
	if (!read_bytes(u, c->pc, bytes, n) ||
	    !pyd_unw_is_end(bytes, n, &end) ||
	    /* A call is made with an aligned stack. One that never comes back
	     * may have another function behind it. */
	    (!c->exact && (c->sp + end.back) % 16 != 8) ||
	    end.back >= stack->end - c->sp ||
	    !read_word(u, c->sp + end.back, &back) || !is_return(u, back))
		return false;
	for (size_t i = 0; i < pyd_unw_nsaved; i++)
		if (end.saved[i] != UINT64_MAX &&
		    !read_word(u, c->sp + end.saved[i], &next.saved[i]))
			return false;
	next.pc = back;
	next.sp = c->sp + end.back + 8;
	next.how = PYD_CALL_END;
	*ret = next;
	return true;
}

/*
 * Without unwind tables. A frame pointer is believed when it points up the same
 * stack, at a return address behind a call. Where no code is at all, something
 * that is no function was called, and the return address is the newest word.
 */
static bool step_without_table(struct pyd_unwinder *u, const struct pyd_call *c,
			       struct pyd_call *ret)
{
	const struct pyd_region *stack = pyd_target_region(u->t, c->sp);
	uint64_t fp = frame_pointer(c), back, up;

	*ret = *c;
	ret->exact = false;
	if (c->exact && pyd_unw_call_pushes && !is_code(u, c->pc) &&
	    read_word(u, c->sp, &back) && is_return(u, back)) {
		ret->pc = back;
		ret->sp = c->sp + 8;
		ret->how = PYD_CALL_TOP;
		return true;
	}
	if (step_by_end(u, c, ret))
		return true;
	if (!stack || !(stack->prot & PYD_PROT_W) || fp % 8 || fp < c->sp ||
	    fp >= stack->end || !read_word(u, fp, &up) ||
	    !read_word(u, fp + 8, &back) || !is_return(u, back))
		return false;
	ret->pc = back;
	ret->sp = fp + 16;
	ret->how = PYD_CALL_FP;
	set_frame_pointer(ret, up);
	return true;
}

/* Makes libunwind go on at a frame that it did not find. */
static bool restart(struct pyd_unwinder *u, unw_cursor_t *cursor,
		    const struct pyd_call *c)
{
	for (size_t i = 0; i < pyd_unw_nsaved; i++)
		u->regs[pyd_unw_saved[i]] = c->saved[i];
	/* It looks for the very address that it starts with, and the function
	 * may end with the call. */
	u->regs[UNW_REG_IP] = c->exact || c->signal ? c->pc : c->pc - 1;
	u->regs[UNW_REG_SP] = c->sp;
	return unw_init_remote(cursor, u->as, u) >= 0;
}

static void note_no_table(struct pyd_unwinder *u, const struct pyd_call *c,
			  struct pyd_calls *ret)
{
	const struct pyd_nmodule *m = pyd_nmodules_find(u->modules, c->pc);

	if (m)
		snprintf(ret->note, sizeof(ret->note),
			 "%.100s has no unwind information for 0x%llx",
			 m->mod.path,
			 (unsigned long long)(c->pc - m->mod.bias));
	else
		snprintf(ret->note, sizeof(ret->note),
			 "0x%llx is %s: there is no unwind information",
			 (unsigned long long)c->pc,
			 is_code(u, c->pc) ? "code of no file" : "no code");
}

enum step {
	STEP_ON,
	STEP_END,
};

/* From frame *c to its caller, which replaces it. */
static enum step step(struct pyd_unwinder *u, unw_cursor_t *cursor,
		      struct pyd_call *c, struct pyd_calls *ret)
{
	struct pyd_call next = { .how = PYD_CALL_TABLE };
	unw_cursor_t before = *cursor;
	int n;

	u->missed = false;
	u->reads = 0;
	n = unw_step(cursor);
	/* Without tables libunwind guesses, unless it knows the frame for a
	 * signal handler's. */
	if ((n < 0 || u->missed) && !c->signal) {
		if (u->fatal)
			return STEP_END;
		u->reads = 0;
		if (step_by_file(u, c, &next)) {
			ret->whole = !next.pc;
		} else if (u->fatal || !step_without_table(u, c, &next)) {
			*cursor = before;
			note_no_table(u, c, ret);
			return STEP_END;
		}
		next.signal = next.pc && is_signal_frame(u, next.pc);
		if (ret->whole || !restart(u, cursor, &next))
			return STEP_END;
		*c = next;
		return STEP_ON;
	}
	if (n < 0) {
		snprintf(ret->note, sizeof(ret->note),
			 "the stack is unreadable or corrupt: %s",
			 unw_strerror(n));
		return STEP_END;
	}
	if (!n || !get_call(cursor, &next) || !next.pc) {
		ret->whole = true;
		return STEP_END;
	}
	next.exact = c->signal;
	next.signal = is_signal_frame(u, next.pc);
	*c = next;
	return STEP_ON;
}

static void note_cut(struct pyd_calls *ret, const char *text)
{
	snprintf(ret->note, sizeof(ret->note), "%s", text);
}

enum pyd_code pyd_unwind(struct pyd_unwinder *u, const struct pyd_regs *regs,
			 uint64_t deadline_ns, struct pyd_calls *ret,
			 struct pyd_err *err)
{
	struct pyd_call c = { .how = PYD_CALL_REGS, .exact = true };
	unsigned int jumps = 0;
	unw_cursor_t cursor;
	enum pyd_code code;

	ret->n = 0;
	ret->whole = false;
	ret->note[0] = '\0';
	pyd_unw_regs_get(regs, u->regs);
	u->reads = 0;
	if (unw_init_remote(&cursor, u->as, u) < 0 || !get_call(&cursor, &c)) {
		note_cut(ret, "its registers are not usable");
		return PYD_OK;
	}
	c.signal = is_signal_frame(u, c.pc);
	for (;;) {
		struct pyd_call from = c;

		if (ret->n >= PYD_CALLS_MAX) {
			note_cut(ret, "too many frames; the oldest are left "
				      "out");
			return PYD_OK;
		}
		code = push(ret, &c, err);
		if (code)
			return code;
		if (ret->n % LOOK_AT_TIME == 0) {
			if (pyd_interrupted)
				return pyd_err_set(err, PYD_INTERRUPTED,
						   "interrupted");
			if (deadline_ns && pyd_now_ns() > deadline_ns) {
				note_cut(ret, "the time for native stacks was "
					      "over; older frames are left "
					      "out");
				return PYD_OK;
			}
		}
		if (step(u, &cursor, &c, ret) == STEP_END)
			break;
		/* A stack has one direction; on processors that call through a
		 * register a function may use none of it. */
		if (c.sp > from.sp || from.signal ||
		    (!pyd_unw_call_pushes && from.exact && c.sp == from.sp &&
		     c.pc != from.pc)) {
			if (c.sp > from.sp || ++jumps <= JUMPS_MAX)
				continue;
		}
		note_cut(ret, "the stack is corrupt: it closes on itself");
		return PYD_OK;
	}
	if (u->fatal) {
		if (err)
			*err = u->err;
		return u->fatal;
	}
	return PYD_OK;
}
