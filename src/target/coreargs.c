// SPDX-License-Identifier: Apache-2.0
/* Arguments and environment out of a core: nothing in it says where they are,
 * but the kernel puts them onto the main thread's stack in a fixed order. */
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "target/core.h"

enum {
	/* The auxiliary vector lies right below the random bytes. */
	VECTOR_WINDOW = 1 << 16,
	/* Arguments and environment have at most 6 MiB together. */
	STRINGS_MAX = 8 << 20,
};

/* From the low end of the stack: argc, argv, NULL, environment, NULL,
 * auxiliary vector, some strings, then the texts of argv and environment,
 * and the name of the program. */
struct stack {
	uint8_t *data; /* what lies below and above the vector */
	pyd_addr start;
	size_t len;
	pyd_addr vector;
	pyd_addr name; /* AT_EXECFN: where the texts end */
	pyd_addr argv; /* lowest text of an argument; 0: none */
	pyd_addr env;  /* likewise */
	uint64_t argc;
};

static uint64_t word(const struct stack *s, pyd_addr at)
{
	uint64_t v;

	memcpy(&v, s->data + (at - s->start), sizeof(v));
	return v;
}

static pyd_addr find_vector(const struct stack *s,
			    const struct pyd_core_info *info, pyd_addr below)
{
	size_t len = info->nauxv * 16;
	pyd_addr at = below & ~7ULL;

	for (; at - s->start >= 8 && below - at < VECTOR_WINDOW; at -= 8)
		if (at + len <= s->start + s->len &&
		    !memcmp(s->data + (at - s->start), info->auxv, len))
			return at;
	return 0;
}

/* A pointer to a text that is still where the kernel put it. */
static bool is_text(const struct stack *s, uint64_t p)
{
	return p > s->vector && p < s->name;
}

/* Back from the vector, over the environment, to the number of arguments. */
static bool walk_back(struct stack *s)
{
	pyd_addr at = s->vector - 8;
	uint64_t n = 0;

	/* unsetenv() moves what is behind it to the front. */
	while (at > s->start && !word(s, at))
		at -= 8;
	for (; at > s->start && word(s, at); at -= 8, n++) {
		uint64_t p = word(s, at);

		if (p == n && n) { /* there is no environment */
			s->argc = n;
			s->argv = s->env;
			s->env = 0;
			return true;
		}
		if (is_text(s, p) && (!s->env || p < s->env))
			s->env = p;
	}
	n = 0;
	for (at -= 8; at > s->start; at -= 8, n++) {
		uint64_t p = word(s, at);

		if (p == n && n) {
			s->argc = n;
			return true;
		}
		if (!p)
			return false;
		if (is_text(s, p) && (!s->argv || p < s->argv))
			s->argv = p;
	}
	return false;
}

/* Where the texts of the arguments end. */
static pyd_addr end_of_argv(const struct stack *s)
{
	pyd_addr at = s->argv;

	for (uint64_t i = 0; i < s->argc && at < s->name; i++) {
		size_t left = (size_t)(s->name - at);
		const char *text = (const char *)s->data + (at - s->start);
		size_t n = strnlen(text, left);

		at += n < left ? n + 1 : n;
	}
	/* A title that a program sets may be longer than its arguments. */
	return s->env > s->argv && s->env < at ? s->env : at;
}

static enum pyd_code parse(struct stack *s, const struct pyd_core_info *info,
			   struct pyd_buf *argv, struct pyd_buf *env,
			   struct pyd_err *err)
{
	pyd_addr random = pyd_core_auxv(info, AT_RANDOM);
	pyd_addr end;
	enum pyd_code code;

	s->vector = find_vector(s, info, random);
	if (!s->vector || !walk_back(s) || !s->argv)
		return pyd_err_set(err, PYD_NOTFOUND,
				   "arguments and environment are not where "
				   "the kernel puts them");
	end = end_of_argv(s);
	pyd_buf_clear(argv);
	pyd_buf_clear(env);
	code = pyd_buf_append(argv, s->data + (s->argv - s->start),
			      (size_t)(end - s->argv), err);
	if (!code)
		code = pyd_buf_append(env, s->data + (end - s->start),
				      (size_t)(s->name - end), err);
	return code;
}

enum pyd_code pyd_core_arguments(struct pyd_target *t, struct pyd_buf *argv,
				 struct pyd_buf *env, struct pyd_err *err)
{
	const struct pyd_core_info *info = pyd_target_core_info(t);
	pyd_addr random = pyd_core_auxv(info, AT_RANDOM);
	pyd_addr name = pyd_core_auxv(info, AT_EXECFN);
	const struct pyd_region *r = pyd_target_region(t, random);
	struct stack s = { .name = name };
	enum pyd_code code;

	if (!r || name <= random || name >= r->end || r->start % 8 ||
	    name - random > STRINGS_MAX)
		return pyd_err_set(err, PYD_NOTFOUND,
				   "the core does not tell where arguments "
				   "and environment are");
	s.start = random - r->start > STRINGS_MAX
			  ? (random - STRINGS_MAX) & ~7ULL
			  : r->start;
	s.len = (size_t)(name - s.start);
	s.data = malloc(s.len + 8);
	if (!s.data)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	code = pyd_target_read(t, s.start, s.data, s.len, err);
	if (code)
		code = pyd_code_is_local(code) ? PYD_NOTFOUND : code;
	else
		code = parse(&s, info, argv, env, err);
	explicit_bzero(s.data, s.len);
	free(s.data);
	return code;
}
