// SPDX-License-Identifier: Apache-2.0
#include "watch/budget.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

const char *pyd_budget_take(struct pyd_budget *b)
{
	const struct pyd_watch_options *o = b->o;
	uint64_t now = pyd_now_ns();
	const char *why = NULL;

	if (o->max_dumps && b->begun >= o->max_dumps)
		why = "as many as --max-dumps allows have been written";
	else if (o->cooldown_ns && b->last_ns &&
		 now - b->last_ns < o->cooldown_ns)
		why = "the last one was less than --cooldown ago";
	if (why) {
		why = b->said ? "" : why;
		b->said = true;
		return why;
	}
	b->said = false;
	b->begun++;
	b->before_ns = b->last_ns;
	b->last_ns = now;
	return NULL;
}

void pyd_budget_give_back(struct pyd_budget *b, bool never)
{
	if (b->begun)
		b->begun--;
	if (never)
		b->last_ns = b->before_ns;
}

void pyd_budget_done(struct pyd_budget *b, const char *path)
{
	char **v;

	if (!b->o->keep)
		return;
	v = reallocarray(b->paths, b->npaths + 1, sizeof(*v));
	if (!v)
		return;
	b->paths = v;
	v[b->npaths] = strdup(path);
	if (!v[b->npaths])
		return;
	b->npaths++;
	while (b->npaths > b->o->keep) {
		if (unlink(v[0]))
			pyd_log_debug("%s: %s", v[0], strerror(errno));
		free(v[0]);
		memmove(v, v + 1, --b->npaths * sizeof(*v));
	}
}

void pyd_budget_deinit(struct pyd_budget *b)
{
	for (size_t i = 0; i < b->npaths; i++)
		free(b->paths[i]);
	free(b->paths);
}
