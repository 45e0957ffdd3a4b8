// SPDX-License-Identifier: Apache-2.0
#include "watch/dumping.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void enter(struct pyd_dumping *j, enum pyd_dumping_phase phase)
{
	pthread_mutex_lock(&j->lock);
	j->phase = phase;
	pthread_cond_broadcast(&j->change);
	pthread_mutex_unlock(&j->lock);
}

static void await(struct pyd_dumping *j, enum pyd_dumping_phase phase)
{
	pthread_mutex_lock(&j->lock);
	while (j->phase < phase)
		pthread_cond_wait(&j->change, &j->lock);
	pthread_mutex_unlock(&j->lock);
}

static void ask(struct pyd_dumping *j, enum pyd_dumping_phase phase)
{
	enter(j, phase);
	/* The tracer waits for signals. */
	(void)kill(getpid(), SIGCHLD);
	await(j, phase + 1);
}

static enum pyd_code hold(void *ctx, struct pyd_threads *ret,
			  struct pyd_err *err)
{
	struct pyd_dumping *j = ctx;

	ask(j, PYD_DUMPING_WANTS_HOLD);
	if (j->hold_code) {
		*err = j->hold_err;
		return j->hold_code;
	}
	*ret = j->threads;
	j->threads = (struct pyd_threads) { 0 };
	return PYD_OK;
}

static void release(void *ctx)
{
	ask(ctx, PYD_DUMPING_WANTS_RELEASE);
}

static void *work(void *arg)
{
	struct pyd_dumping *j = arg;
	const struct pyd_stop_owner owner = { hold, release, j };
	struct pyd_snapshot_options so = *j->o->snapshot;

	pyd_hwbreaker_leave(j->breaker);
	so.pid = j->p->pid;
	so.path = j->path;
	so.trigger = &j->trigger;
	so.stop.owner = &owner;
	/* It is traced for good; a snapshot of it would need its tracer. */
	so.no_inject = true;
	if (so.capture == PYD_CAPTURE_AUTO && j->final)
		so.capture = PYD_CAPTURE_STOP;
	j->code = pyd_snapshot_take(&so, &j->stats, &j->err);
	enter(j, PYD_DUMPING_DONE);
	(void)kill(getpid(), SIGCHLD);
	return NULL;
}

struct pyd_dumping *pyd_dumping_create(struct pyd_watched *p,
				       const struct pyd_watch_options *o,
				       const struct pyd_hwbreaker *breaker)
{
	struct pyd_dumping *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->p = p;
	j->o = o;
	j->breaker = breaker;
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->change, NULL);
	return j;
}

bool pyd_dumping_start(struct pyd_dumping *j)
{
	j->phase = PYD_DUMPING_RUNS;

	int e = pthread_create(&j->thread, NULL, work, j);

	if (!e)
		return true;
	j->thread = 0;
	j->code = pyd_err_errno(&j->err, PYD_NOMEM, e, "no thread to dump");
	j->phase = PYD_DUMPING_DONE;
	return false;
}

enum pyd_dumping_phase pyd_dumping_phase(struct pyd_dumping *j)
{
	enum pyd_dumping_phase phase;

	pthread_mutex_lock(&j->lock);
	phase = j->phase;
	pthread_mutex_unlock(&j->lock);
	return phase;
}

void pyd_dumping_held(struct pyd_dumping *j, struct pyd_threads *threads,
		      enum pyd_code code, const struct pyd_err *err)
{
	j->hold_code = code;
	if (code)
		j->hold_err = *err;
	else
		j->threads = *threads;
	enter(j, PYD_DUMPING_HELD);
}

void pyd_dumping_released(struct pyd_dumping *j)
{
	enter(j, PYD_DUMPING_RELEASED);
}

void pyd_dumping_destroy(struct pyd_dumping *j)
{
	if (j->thread)
		pthread_join(j->thread, NULL);
	pyd_threads_deinit(&j->threads);
	pthread_cond_destroy(&j->change);
	pthread_mutex_destroy(&j->lock);
	free(j);
}
