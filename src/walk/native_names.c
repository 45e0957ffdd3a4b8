// SPDX-License-Identifier: Apache-2.0
/* The names of native frames: looked up before they are written, or beside what
 * else is done. */
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "target/procfs.h"
#include "walk/native_private.h"

/* For source lines, where time is limited: those of big programs take a while
 * to decode. */
#define LINES_NS 1000000000ULL

/* Looks up all places, each once. */
static enum pyd_code look_up_all(struct pyd_native *s, struct pyd_err *err)
{
	struct pyd_place_ask *v = NULL;
	enum pyd_code code = PYD_OK;
	struct pyd_map seen[2] = { 0 }; /* by exact */
	size_t n = 0, cap = 0;

	for (size_t i = 0; i < s->n && !code; i++) {
		for (size_t k = 0; k < s->v[i].n && !code; k++) {
			const struct pyd_native_call *c = &s->v[i].v[k];
			uint64_t key = pyd_place_key(c->pc), known;

			if (pyd_map_get(&seen[c->exact], key, &known))
				continue;
			code = pyd_map_put(&seen[c->exact], key, 1, err);
			if (code)
				break;
			if (n == cap) {
				size_t more = cap ? cap * 2 : 64;
				struct pyd_place_ask *all =
					reallocarray(v, more, sizeof(*v));

				if (!all) {
					code = pyd_err_set(err, PYD_NOMEM,
							   "out of memory");
					break;
				}
				v = all;
				cap = more;
			}
			v[n++] = (struct pyd_place_ask) { .pc = c->pc,
							  .exact = c->exact };
		}
	}
	if (!code)
		code = pyd_places_find_all(s->places, v, n, err);
	pyd_map_deinit(&seen[0]);
	pyd_map_deinit(&seen[1]);
	free(v);
	return code;
}

static void *work(void *arg)
{
	struct pyd_native *s = arg;

	s->code = look_up_all(s, &s->err);
	return NULL;
}

static enum pyd_code create_places(struct pyd_native *s, struct pyd_err *err)
{
	enum pyd_code code = PYD_OK;

	/* A dump that is written anew asks again. */
	if (!s->places)
		code = pyd_places_create(s->target, &s->modules, &s->places,
					 err);
	if (!code && s->budget_ns)
		pyd_places_deadline(s->places, pyd_now_ns() + LINES_NS);
	return code;
}

enum pyd_code pyd_native_begin(struct pyd_native *s, struct pyd_err *err)
{
	sigset_t all, old;
	enum pyd_code code;

	if (!s->taken || s->begun)
		return PYD_OK;
	code = create_places(s, err);
	if (!code)
		code = pyd_places_apart(s->places, err);
	if (code)
		return code;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	s->begun = !pthread_create(&s->thread, NULL, work, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (s->begun)
		return PYD_OK;
	pyd_places_destroy(s->places);
	s->places = NULL;
	return PYD_OK;
}

static void wait_for(struct pyd_native *s)
{
	if (!s->begun)
		return;
	pthread_join(s->thread, NULL);
	s->begun = false;
}

void pyd_native_cancel(struct pyd_native *s)
{
	if (s->begun)
		pyd_places_deadline(s->places, 1);
	wait_for(s);
}

enum pyd_code pyd_native_look_up(struct pyd_native *s, struct pyd_err *err)
{
	bool begun = s->begun;
	enum pyd_code code;

	wait_for(s);
	if (begun && s->code) {
		*err = s->err;
		return s->code;
	}
	if (begun && !pyd_places_lack(s->places))
		return PYD_OK;
	if (begun) {
		pyd_log_debug("native stacks: names are looked up in memory");
		pyd_places_destroy(s->places);
		s->places = NULL;
	}
	code = create_places(s, err);
	return code ? code : look_up_all(s, err);
}
