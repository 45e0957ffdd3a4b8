// SPDX-License-Identifier: Apache-2.0
/* System calls in words. */
#include <inttypes.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

#include "walk/waits.h"

enum {
	FDS_SHOWN = 32,
	EPOLL_MAX = 64 << 10, /* bytes of its fdinfo */
};

#define NS 1000000000ULL
#define NO_TIME UINT64_MAX

/* How an argument is to be read. */
enum arg {
	ARG_END,
	ARG_FD,
	ARG_NUMBER,   /* signed */
	ARG_HEX,      /* an address or flags */
	ARG_TIMESPEC, /* relative */
	ARG_TIMEVAL,
	ARG_MS,
};

/* clang-format off */
static const struct shape {
	long nr;
	enum arg args[6];
} shapes[] = {
	{ SYS_read,	{ ARG_FD, ARG_HEX, ARG_NUMBER } },
	{ SYS_write,	{ ARG_FD, ARG_HEX, ARG_NUMBER } },
	{ SYS_readv,	{ ARG_FD, ARG_HEX, ARG_NUMBER } },
	{ SYS_writev,	{ ARG_FD, ARG_HEX, ARG_NUMBER } },
	{ SYS_pread64,	{ ARG_FD, ARG_HEX, ARG_NUMBER, ARG_NUMBER } },
	{ SYS_pwrite64,	{ ARG_FD, ARG_HEX, ARG_NUMBER, ARG_NUMBER } },
	{ SYS_recvfrom,	{ ARG_FD, ARG_HEX, ARG_NUMBER, ARG_HEX } },
	{ SYS_sendto,	{ ARG_FD, ARG_HEX, ARG_NUMBER, ARG_HEX } },
	{ SYS_recvmsg,	{ ARG_FD, ARG_HEX, ARG_HEX } },
	{ SYS_sendmsg,	{ ARG_FD, ARG_HEX, ARG_HEX } },
	{ SYS_accept,	{ ARG_FD, ARG_HEX, ARG_HEX } },
	{ SYS_accept4,	{ ARG_FD, ARG_HEX, ARG_HEX, ARG_HEX } },
	{ SYS_connect,	{ ARG_FD, ARG_HEX, ARG_NUMBER } },
	{ SYS_fsync,	{ ARG_FD } },
	{ SYS_fdatasync, { ARG_FD } },
	{ SYS_flock,	{ ARG_FD, ARG_HEX } },
	{ SYS_fcntl,	{ ARG_FD, ARG_NUMBER, ARG_HEX } },
	{ SYS_ioctl,	{ ARG_FD, ARG_HEX, ARG_HEX } },
	{ SYS_sendfile,	{ ARG_FD, ARG_FD, ARG_HEX, ARG_NUMBER } },
	{ SYS_splice,	{ ARG_FD, ARG_HEX, ARG_FD, ARG_HEX, ARG_NUMBER } },
	{ SYS_epoll_pwait, { ARG_FD, ARG_HEX, ARG_NUMBER, ARG_MS } },
	{ SYS_ppoll,	{ ARG_HEX, ARG_NUMBER, ARG_TIMESPEC } },
	{ SYS_pselect6,	{ ARG_NUMBER, ARG_HEX, ARG_HEX, ARG_HEX, ARG_TIMESPEC } },
	{ SYS_nanosleep, { ARG_TIMESPEC } },
	{ SYS_wait4,	{ ARG_NUMBER, ARG_HEX, ARG_HEX } },
	{ SYS_waitid,	{ ARG_NUMBER, ARG_NUMBER, ARG_HEX, ARG_HEX } },
	{ SYS_futex,	{ ARG_HEX, ARG_END } },
#ifdef SYS_poll
	{ SYS_epoll_wait, { ARG_FD, ARG_HEX, ARG_NUMBER, ARG_MS } },
	{ SYS_poll,	{ ARG_HEX, ARG_NUMBER, ARG_MS } },
	{ SYS_select,	{ ARG_NUMBER, ARG_HEX, ARG_HEX, ARG_HEX, ARG_TIMEVAL } },
	{ SYS_pause,	{ ARG_END } },
#endif
};
/* clang-format on */

static const struct shape *shape_of(long nr)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (shapes[i].nr == nr)
			return &shapes[i];
	return NULL;
}

/* What is said of one call. */
struct saying {
	const struct pyd_waits *w;
	const struct pyd_syscall *c;
	struct pyd_say text;
	int fds[FDS_SHOWN];
	size_t nfds;
	uint64_t left_ns; /* NO_TIME: no end, or not known */
};

static void add_fd(struct saying *s, int64_t fd)
{
	for (size_t i = 0; i < s->nfds; i++)
		if (s->fds[i] == fd)
			return;
	if (fd >= 0 && fd <= INT32_MAX && s->nfds < FDS_SHOWN)
		s->fds[s->nfds++] = (int)fd;
}

/* scale: nanoseconds of the second word. */
static uint64_t time_at(const struct saying *s, uint64_t addr, uint64_t scale)
{
	int64_t v[2];
	struct pyd_err ignored;

	if (!addr ||
	    pyd_target_read(s->w->r->target, addr, v, sizeof(v), &ignored) ||
	    v[0] < 0 || v[0] > INT32_MAX || v[1] < 0 || v[1] >= (int64_t)NS)
		return NO_TIME;
	return (uint64_t)v[0] * NS + (uint64_t)v[1] * scale;
}

/* From when the memory was taken until a time of a clock. */
static uint64_t until(const struct saying *s, uint64_t at, bool realtime)
{
	uint64_t now = realtime ? s->w->subject->taken_real_ns
				: s->w->subject->taken_ns;

	if (at == NO_TIME || !now)
		return NO_TIME;
	return at > now ? at - now : 0;
}

static void say_time(struct saying *s, const char *what)
{
	if (s->left_ns != NO_TIME)
		pyd_say(&s->text, "%s%.3f s", what, (double)s->left_ns / 1e9);
}

static void say_futex(struct saying *s)
{
	static const char *const names[] = {
		"FUTEX_WAIT",
		"FUTEX_WAKE",
		"FUTEX_FD",
		"FUTEX_REQUEUE",
		"FUTEX_CMP_REQUEUE",
		"FUTEX_WAKE_OP",
		"FUTEX_LOCK_PI",
		"FUTEX_UNLOCK_PI",
		"FUTEX_TRYLOCK_PI",
		"FUTEX_WAIT_BITSET",
		"FUTEX_WAKE_BITSET",
		"FUTEX_WAIT_REQUEUE_PI",
		"FUTEX_CMP_REQUEUE_PI",
		"FUTEX_LOCK_PI2",
	};
	const uint64_t *a = s->c->args;
	unsigned int op = (unsigned int)a[1] & (unsigned int)FUTEX_CMD_MASK;

	if (op < sizeof(names) / sizeof(names[0]))
		pyd_say(&s->text, ", %s", names[op]);
	else
		pyd_say(&s->text, ", %u", op);
	if (a[1] & FUTEX_PRIVATE_FLAG)
		pyd_say(&s->text, "_PRIVATE");
	pyd_say(&s->text, ", %u", (unsigned int)a[2]);
	if (!a[3] || (op != FUTEX_WAIT && op != FUTEX_WAIT_BITSET))
		return;
	s->left_ns = time_at(s, a[3], 1);
	if (op == FUTEX_WAIT_BITSET)
		s->left_ns = until(s, s->left_ns, a[1] & FUTEX_CLOCK_REALTIME);
	say_time(s, op == FUTEX_WAIT ? ", timeout " : ", time left ");
}

static void add_poll(struct saying *s)
{
	for (uint64_t i = 0; i < s->c->args[1] && i < FDS_SHOWN; i++) {
		struct pollfd p;
		struct pyd_err ignored;

		if (pyd_target_read(s->w->r->target,
				    s->c->args[0] + i * sizeof(p), &p,
				    sizeof(p), &ignored))
			return;
		add_fd(s, p.fd);
	}
}

static void add_select(struct saying *s)
{
	uint64_t n = s->c->args[0];

	for (size_t set = 1; set <= 3; set++) {
		fd_set bits;
		struct pyd_err ignored;

		if (!s->c->args[set] ||
		    pyd_target_read(s->w->r->target, s->c->args[set], &bits,
				    sizeof(bits), &ignored))
			continue;
		for (uint64_t fd = 0; fd < n && fd < FD_SETSIZE; fd++)
			if (FD_ISSET(fd, &bits))
				add_fd(s, (int64_t)fd);
	}
}

/* What an epoll watches, as /proc tells: "tfd:  5 events: ...". */
static void add_epoll(struct saying *s)
{
	const struct pyd_process *p = s->w->subject->process;
	struct pyd_buf buf = { 0 };
	struct pyd_err ignored;
	char name[64];

	snprintf(name, sizeof(name), "fdinfo/%d", (int)s->c->args[0]);
	if (p && !pyd_procfs_read(p->pid, name, EPOLL_MAX, &buf, &ignored)) {
		const char *at = (const char *)buf.data;

		while ((at = strstr(at, "tfd:"))) {
			at += 4;
			add_fd(s, strtol(at, NULL, 10));
		}
	}
	pyd_buf_deinit(&buf);
}

static void say_sleep(struct saying *s)
{
	const uint64_t *a = s->c->args;
	uint64_t t = time_at(s, a[2], 1);

	/* TIMER_ABSTIME; of a clock that we have. */
	if (a[1] & TIMER_ABSTIME)
		t = a[0] == CLOCK_MONOTONIC || a[0] == CLOCK_REALTIME
			    ? until(s, t, a[0] == CLOCK_REALTIME)
			    : NO_TIME;
	s->left_ns = t;
	pyd_say(&s->text, "%s",
		a[0] == CLOCK_MONOTONIC	 ? "CLOCK_MONOTONIC"
		: a[0] == CLOCK_REALTIME ? "CLOCK_REALTIME"
					 : "clock");
	if (!(a[1] & TIMER_ABSTIME))
		say_time(s, ", ");
	else
		say_time(s, ", time left ");
}

static void say_arg(struct saying *s, enum arg kind, uint64_t v)
{
	switch (kind) {
	case ARG_END:
		break;
	case ARG_FD:
		pyd_say(&s->text, "%d", (int)v);
		add_fd(s, (int)v);
		break;
	case ARG_NUMBER:
		/* The upper half of an int's register is anything. */
		pyd_say(&s->text, "%lld",
			v >> 32 == 0xffffffff || v >> 31 == 1
				? (long long)(int)v
				: (long long)v);
		break;
	case ARG_HEX:
		pyd_say(&s->text, v ? "0x%" PRIx64 : "%" PRIu64, v);
		break;
	case ARG_TIMESPEC:
	case ARG_TIMEVAL:
		s->left_ns = time_at(s, v, kind == ARG_TIMEVAL ? 1000 : 1);
		pyd_say(&s->text, "%s", v ? "" : "no timeout");
		say_time(s, "timeout ");
		break;
	case ARG_MS:
		if ((int)v < 0)
			pyd_say(&s->text, "no timeout");
		else
			s->left_ns = (uint64_t)(uint32_t)v * 1000000;
		say_time(s, "timeout ");
		break;
	}
}

bool pyd_waits_is_timed(const struct pyd_syscall *c)
{
	return c->nr == SYS_futex && c->args[3] &&
	       (((unsigned int)c->args[1] & (unsigned int)FUTEX_CMD_MASK) ==
			FUTEX_WAIT ||
		((unsigned int)c->args[1] & (unsigned int)FUTEX_CMD_MASK) ==
			FUTEX_WAIT_BITSET);
}

/* Of a call that waits, in text. */
static struct saying describe(const struct pyd_waits *w,
			      const struct pyd_syscall *c, char *text,
			      size_t cap)
{
	struct saying said = {
		.w = w,
		.c = c,
		.text = { .buf = text, .cap = cap },
		.left_ns = NO_TIME,
	};
	struct saying *s = &said;
	const struct shape *shape = shape_of(c->nr);
	char name[64];
	long nr = c->nr;

	pyd_call_name(nr, name, sizeof(name));
	pyd_say(&s->text, "%s(", name);
	for (size_t i = 0; shape && i < 6 && shape->args[i]; i++) {
		if (i)
			pyd_say(&s->text, ", ");
		say_arg(s, shape->args[i], s->c->args[i]);
	}
	for (size_t i = 0; !shape && i < 6 && nr != SYS_clock_nanosleep; i++)
		pyd_say(&s->text, "%s0x%" PRIx64, i ? ", " : "", s->c->args[i]);
	if (nr == SYS_futex)
		say_futex(s);
	else if (nr == SYS_clock_nanosleep)
		say_sleep(s);
	else if (nr == SYS_ppoll)
		add_poll(s);
	else if (nr == SYS_epoll_pwait)
		add_epoll(s);
	else if (nr == SYS_pselect6)
		add_select(s);
#ifdef SYS_poll
	else if (nr == SYS_poll)
		add_poll(s);
	else if (nr == SYS_epoll_wait)
		add_epoll(s);
	else if (nr == SYS_select)
		add_select(s);
#endif
	pyd_say(&s->text, ")");
	return said;
}

void pyd_waits_pack_call(const struct pyd_waits *w, const struct pyd_waiter *t,
			 struct pyd_redact *redact, struct pyd_pack *p)
{
	char text[PYD_WAITS_TEXT];
	struct saying s;
	struct pyd_subject *subject = (struct pyd_subject *)w->subject;
	char name[64], target[1024] = "";

	if (t->call.state != PYD_CALL_WAITS) {
		pyd_pack_nil(p);
		return;
	}
	s = describe(w, &t->call, text, sizeof(text));
	pyd_call_name(t->call.nr, name, sizeof(name));
	pyd_pack_map(p, 8);
	pyd_pack_kv_opt(p, "number", t->call.nr);
	pyd_pack_kv_text(p, "name", name);
	pyd_pack_text(p, "args");
	pyd_pack_array(p, 6);
	for (size_t i = 0; i < 6; i++)
		pyd_pack_u64(p, t->call.args[i]);
	pyd_pack_kv_text(p, "text", text);
	pyd_pack_kv_bool(p, "sure", !t->call.guessed);
	pyd_pack_kv_opt(p, "left_ns",
			s.left_ns <= INT64_MAX ? (int64_t)s.left_ns : -1);
	if (subject->ops->peers_text)
		subject->ops->peers_text(subject, w->r->target, &t->call,
					 target, sizeof(target));
	pyd_pack_text(p, "peers");
	pyd_redact_pack(redact, p, *target ? target : NULL);
	pyd_pack_text(p, "fds");
	pyd_pack_array(p, s.nfds);
	for (size_t i = 0; i < s.nfds; i++) {
		target[0] = '\0';
		if (subject->ops->fd_text)
			subject->ops->fd_text(subject, s.fds[i], target,
					      sizeof(target));
		pyd_pack_map(p, 2);
		pyd_pack_kv_u64(p, "fd", (uint64_t)s.fds[i]);
		pyd_pack_text(p, "target");
		pyd_redact_pack(redact, p, *target ? target : NULL);
	}
}

void pyd_waits_say_call(const struct pyd_waits *w, const struct pyd_waiter *t,
			struct pyd_say *out)
{
	char text[PYD_WAITS_TEXT];

	(void)describe(w, &t->call, text, sizeof(text));
	pyd_say(out, "sits in %s", text);
}
