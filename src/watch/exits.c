// SPDX-License-Identifier: Apache-2.0
#include "watch/exits.h"

#include <string.h>

#include "read/type.h"

enum {
	BASES_MAX = 64,
	WORDS_MAX = 96, /* registers, and the stack of the calling function */
	STACK_WORDS = 64,
	CHAIN_MAX = 1 << 16,
};

static pyd_addr type_of(struct pyd_reader *r, pyd_addr object)
{
	return pyd_read_field(r, object, PYD_F_object_ob_type);
}

/* Types of a program's own may be named alike. */
static bool is_exit(struct pyd_reader *r, pyd_addr type)
{
	const struct pyd_type *t;
	struct pyd_err ignored;

	for (int i = 0; type && i < BASES_MAX; i++) {
		if (pyd_type_get(r, type, &t, &ignored))
			return false;
		if (!(t->flags & PYD_TPFLAG_HEAPTYPE) &&
		    !strcmp(t->name, "SystemExit"))
			return true;
		type = t->base;
	}
	return false;
}

static bool is_a(struct pyd_reader *r, pyd_addr object, const char *name)
{
	struct pyd_err ignored;
	char text[32];

	return object &&
	       !pyd_read_type_name(r, object, text, sizeof(text), &ignored) &&
	       !strcmp(text, name);
}

/* One that has been freed has its type still, but not its count. */
static bool is_traceback(struct pyd_reader *r, pyd_addr object)
{
	const uint64_t count =
		pyd_read_field(r, object, PYD_F_object_ob_refcnt);
	pyd_addr next;

	if (!count || count > 1U << 20 || !is_a(r, object, "traceback") ||
	    !is_a(r, pyd_read_field(r, object, PYD_F_traceback_tb_frame),
		  "frame"))
		return false;
	next = pyd_read_field(r, object, PYD_F_traceback_tb_next);
	return !next || is_a(r, next, "traceback");
}

static bool leads_to(struct pyd_reader *r, pyd_addr from, pyd_addr to)
{
	for (int i = 0; from && i < CHAIN_MAX; i++) {
		from = pyd_read_field(r, from, PYD_F_traceback_tb_next);
		if (from == to)
			return true;
	}
	return false;
}

/* What a function that was called just now may have of its caller's. */
static size_t words_of_caller(struct pyd_reader *r, const struct pyd_regs *regs,
			      pyd_addr ret[WORDS_MAX])
{
	struct pyd_err ignored;
	uint64_t value;
	size_t n = 0;

	while (n < WORDS_MAX - STACK_WORDS && pyd_arch_reg(regs, n, &value))
		ret[n++] = value;
	for (size_t i = 0; i < STACK_WORDS; i++)
		if (!pyd_target_read_u64(r->target, regs->sp + 8 * i, &ret[n],
					 &ignored))
			n++;
	return n;
}

/* Sets *to to a word of which there is one only; false: there are two. */
static bool only(pyd_addr *to, pyd_addr word)
{
	if (*to && *to != word)
		return false;
	*to = word;
	return true;
}

/* Up to 3.11: _Py_HandleSystemExit() of Python/pythonrun.c has taken type,
 * value and traceback out of the thread state. */
static bool find_fetched(struct pyd_reader *r, const struct pyd_regs *regs,
			 struct pyd_exits *ret)
{
	pyd_addr words[WORDS_MAX], head = 0;
	const size_t n = words_of_caller(r, regs, words);
	bool certain = true;

	for (size_t i = 0; i < n; i++)
		if (words[i] && words[i] % 8 == 0 && is_exit(r, words[i]) &&
		    !only(&ret->class, words[i]))
			return false;
	if (!ret->class)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!words[i] || words[i] % 8)
			continue;
		if (type_of(r, words[i]) == ret->class &&
		    !only(&ret->value, words[i]))
			return false;
		if (!is_traceback(r, words[i]) || words[i] == head ||
		    (head && leads_to(r, head, words[i])))
			continue;
		certain = !head || leads_to(r, words[i], head);
		if (!certain)
			break;
		head = words[i];
	}
	ret->traceback = certain ? head : 0;
	return true;
}

bool pyd_exits_find(struct pyd_reader *r, pyd_addr tstate,
		    const struct pyd_regs *regs, struct pyd_exits *ret)
{
	*ret = (struct pyd_exits) { 0 };
	if (PYD_OFF(r->lay, tstate, current_exception) == PYD_ABSENT)
		return find_fetched(r, regs, ret);
	ret->value = pyd_read_field(r, tstate, PYD_F_tstate_current_exception);
	ret->class = type_of(r, ret->value);
	return ret->value && is_exit(r, ret->class);
}
