// SPDX-License-Identifier: Apache-2.0
#include "native/cfi.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "native/debuginfo.h"
#include "native/sections.h"

enum {
	STACK_MAX = 32, /* values of an expression */
	OPS_MAX = 256,
};

/* Of one file; what one asks for lies anywhere in it. */
#define FRAME_BYTES_MAX (64ULL << 20)

struct table {
	bool loaded;
	int fd;
	Elf *elf;
	struct pyd_sections *s;
	Dwarf *dw;
	Dwarf_CFI *cfi; /* of dw; NULL: there is none */
};

struct pyd_cfis {
	const struct pyd_nmodules *modules;
	struct table *v; /* parallel to modules->v */
};

/* -- files -- */

static void table_close(struct table *t)
{
	if (t->dw)
		dwarf_end(t->dw);
	pyd_sections_close(t->s);
	if (t->elf)
		elf_end(t->elf);
	if (t->fd >= 0)
		close(t->fd);
	*t = (struct table) { .loaded = true, .fd = -1 };
}

/* Takes fd, which may be -1. */
static bool table_open(struct table *t, int fd)
{
	uint64_t size;

	t->fd = fd;
	if (fd >= 0)
		t->elf = elf_begin(fd, ELF_C_READ, NULL);
	if (t->elf)
		t->s = pyd_sections_open(t->elf, fd);
	size = t->s ? pyd_sections_size(t->s, PYD_SECTION_FRAME) : 0;
	if (size && size <= FRAME_BYTES_MAX &&
	    pyd_sections_load(t->s, PYD_SECTION_FRAME, 0, size) &&
	    pyd_sections_elf(t->s))
		t->dw = dwarf_begin_elf(pyd_sections_elf(t->s), DWARF_C_READ,
					NULL);
	if (t->dw)
		t->cfi = dwarf_getcfi(t->dw);
	if (!t->cfi)
		table_close(t);
	return t->cfi;
}

static void load(struct pyd_cfis *c, const struct pyd_nmodule *m,
		 struct table *t)
{
	struct pyd_err why = { 0 };
	int fd = -1;

	t->loaded = true;
	t->fd = -1;
	if (m->vdso || elf_version(EV_CURRENT) == EV_NONE)
		return;
	if (pyd_module_open(&c->modules->elf, &m->mod, &fd, &why))
		pyd_log_debug("no unwind tables out of the file of %s: %s",
			      m->mod.path, why.msg);
	if (table_open(t, fd) ||
	    table_open(t, pyd_debuginfo_open(&c->modules->elf, &m->mod)))
		pyd_log_debug("%s is unwound by .debug_frame", m->mod.path);
}

struct pyd_cfis *pyd_cfis_create(const struct pyd_nmodules *m)
{
	struct pyd_cfis *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->modules = m;
	c->v = calloc(m->n + 1, sizeof(*c->v));
	if (c->v)
		return c;
	free(c);
	return NULL;
}

void pyd_cfis_destroy(struct pyd_cfis *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->modules->n; i++)
		if (c->v[i].loaded)
			table_close(&c->v[i]);
	free(c->v);
	free(c);
}

/* -- expressions -- */

struct machine {
	const struct pyd_cfi_frame *of;
	uint64_t cfa;
	bool has_cfa;
	pyd_cfi_read *read;
	void *ctx;
	uint64_t stack[STACK_MAX];
	size_t n;
};

static bool push(struct machine *m, uint64_t v)
{
	if (m->n == STACK_MAX)
		return false;
	m->stack[m->n++] = v;
	return true;
}

static bool push_reg(struct machine *m, uint64_t reg, uint64_t offset)
{
	return reg < PYD_UNW_REGS && m->of->known >> reg & 1 &&
	       push(m, m->of->regs[reg] + offset);
}

/* Of two values the lower one is replaced. */
static bool combine(struct machine *m, uint8_t atom)
{
	uint64_t *a, b;

	if (m->n < 2)
		return false;
	b = m->stack[--m->n];
	a = &m->stack[m->n - 1];
	switch (atom) {
	case DW_OP_plus:
		*a += b;
		break;
	case DW_OP_minus:
		*a -= b;
		break;
	case DW_OP_mul:
		*a *= b;
		break;
	case DW_OP_and:
		*a &= b;
		break;
	case DW_OP_or:
		*a |= b;
		break;
	case DW_OP_xor:
		*a ^= b;
		break;
	case DW_OP_shl:
		*a = b < 64 ? *a << b : 0;
		break;
	case DW_OP_shr:
		*a = b < 64 ? *a >> b : 0;
		break;
	case DW_OP_eq:
		*a = *a == b;
		break;
	case DW_OP_ne:
		*a = *a != b;
		break;
	case DW_OP_lt:
		*a = (int64_t)*a < (int64_t)b;
		break;
	case DW_OP_le:
		*a = (int64_t)*a <= (int64_t)b;
		break;
	case DW_OP_gt:
		*a = (int64_t)*a > (int64_t)b;
		break;
	case DW_OP_ge:
		*a = (int64_t)*a >= (int64_t)b;
		break;
	default:
		return false;
	}
	return true;
}

/* What compilers write into these tables; anything else is not known. */
static bool run_op(struct machine *m, const Dwarf_Op *op)
{
	uint8_t atom = op->atom;
	uint64_t v;

	if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31)
		return push(m, atom - DW_OP_lit0);
	if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
		return push_reg(m, atom - DW_OP_breg0, op->number);
	switch (atom) {
	case DW_OP_bregx:
		return push_reg(m, op->number, op->number2);
	case DW_OP_call_frame_cfa:
		return m->has_cfa && push(m, m->cfa);
	case DW_OP_const1u:
	case DW_OP_const1s:
	case DW_OP_const2u:
	case DW_OP_const2s:
	case DW_OP_const4u:
	case DW_OP_const4s:
	case DW_OP_const8u:
	case DW_OP_const8s:
	case DW_OP_constu:
	case DW_OP_consts:
		return push(m, op->number);
	case DW_OP_plus_uconst:
		if (!m->n)
			return false;
		m->stack[m->n - 1] += op->number;
		return true;
	case DW_OP_dup:
		return m->n && push(m, m->stack[m->n - 1]);
	case DW_OP_deref:
		if (!m->n || !m->read(m->ctx, m->stack[m->n - 1], &v))
			return false;
		m->stack[m->n - 1] = v;
		return true;
	case DW_OP_nop:
		return true;
	default:
		return combine(m, atom);
	}
}

/* The value on top after these; *ret_is_value: it is no address of one. */
static bool run(struct machine *m, const Dwarf_Op *ops, size_t n, uint64_t *ret,
		bool *ret_is_value)
{
	m->n = 0;
	*ret_is_value = false;
	if (!n || n > OPS_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t atom = ops[i].atom;

		if (atom == DW_OP_stack_value && i == n - 1) {
			*ret_is_value = true;
		} else if (n == 1 && atom >= DW_OP_reg0 &&
			   atom <= DW_OP_reg31) {
			*ret_is_value = true;
			if (!push_reg(m, atom - DW_OP_reg0, 0))
				return false;
		} else if (n == 1 && atom == DW_OP_regx) {
			*ret_is_value = true;
			if (!push_reg(m, ops[i].number, 0))
				return false;
		} else if (!run_op(m, &ops[i])) {
			return false;
		}
	}
	if (!m->n)
		return false;
	*ret = m->stack[m->n - 1];
	return true;
}

/* -- one step -- */

enum found {
	FOUND,
	UNDEFINED, /* the function does not keep it */
	FAILED,
};

/* What the caller has in a register. */
static enum found find_reg(Dwarf_Frame *frame, struct machine *m, int reg,
			   uint64_t *ret)
{
	Dwarf_Op room[3], *ops;
	bool is_value;
	uint64_t v;
	size_t n;

	if (dwarf_frame_register(frame, reg, room, &ops, &n))
		return FAILED;
	if (!n && ops == room)
		return UNDEFINED;
	if (!n) { /* as it is */
		if (!(m->of->known >> reg & 1))
			return FAILED;
		*ret = m->of->regs[reg];
		return FOUND;
	}
	if (!run(m, ops, n, &v, &is_value))
		return FAILED;
	if (is_value)
		*ret = v;
	else if (!m->read(m->ctx, v, ret))
		return FAILED;
	return FOUND;
}

static bool step(Dwarf_Frame *frame, struct machine *m,
		 struct pyd_cfi_caller *ret)
{
	struct pyd_cfi_caller to = { 0 };
	bool is_value, signal;
	Dwarf_Op *ops;
	size_t n;
	int back = dwarf_frame_info(frame, NULL, NULL, &signal);

	if (back < 0 || back >= PYD_UNW_REGS ||
	    dwarf_frame_cfa(frame, &ops, &n) ||
	    !run(m, ops, n, &m->cfa, &is_value))
		return false;
	m->has_cfa = true;
	to.sp = m->cfa;
	to.exact = signal;
	for (size_t i = 0; i < pyd_unw_nsaved; i++)
		if (find_reg(frame, m, pyd_unw_saved[i], &to.saved[i]) ==
		    FAILED)
			return false;
	switch (find_reg(frame, m, back, &to.pc)) {
	case UNDEFINED: /* the oldest */
		to.pc = 0;
		break;
	case FAILED:
		return false;
	case FOUND:
		break;
	}
	*ret = to;
	return true;
}

bool pyd_cfis_step(struct pyd_cfis *c, const struct pyd_cfi_frame *of,
		   pyd_cfi_read *read, void *ctx, struct pyd_cfi_caller *ret)
{
	struct machine machine = { .of = of, .read = read, .ctx = ctx };
	pyd_addr at = of->exact || !of->pc ? of->pc : of->pc - 1;
	const struct pyd_nmodule *m = pyd_nmodules_find(c->modules, at);
	Dwarf_Frame *frame = NULL;
	struct table *t;
	bool done;

	if (!m)
		return false;
	t = &c->v[m - c->modules->v];
	if (!t->loaded)
		load(c, m, t);
	if (!t->cfi || dwarf_cfi_addrframe(t->cfi, at - m->mod.bias, &frame))
		return false;
	done = step(frame, &machine, ret);
	free(frame);
	return done;
}
