// SPDX-License-Identifier: Apache-2.0
#include "watch/fatal.h"

#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "target/process.h"

enum {
	DATA_MAX = 8 << 20, /* bytes of one region */
	STRIDE_MAX = 512,   /* of one entry; with a struct sigaction in it */
	ENTRIES = 5,	    /* at least, in the order of the source */
};

/* How an entry begins, and what the name of the signal is. */
struct entry {
	int32_t signum;
	int32_t enabled;
	pyd_addr name;
};

static bool is_entry(struct pyd_target *t, const uint8_t *at, int signum,
		     const char *name)
{
	struct entry e;
	char text[32];
	struct pyd_err ignored;

	memcpy(&e, at, sizeof(e));
	return e.signum == signum && (e.enabled == 0 || e.enabled == 1) &&
	       !pyd_target_read_cstr(t, e.name, text, sizeof(text), NULL,
				     &ignored) &&
	       !fnmatch(name, text, 0);
}

/* The table, if it is at that place: is sig enabled in it? */
static bool enabled_at(struct pyd_target *t, const uint8_t *at, size_t left,
		       int sig, bool *ret)
{
	static const struct {
		int signum;
		const char *name; /* a glob */
	} entries[ENTRIES] = {
		{ SIGBUS, "Bus error" },
		{ SIGILL, "Illegal instruction" },
		{ SIGFPE, "Floating?point exception" },
		{ SIGABRT, "Aborted" },
		{ SIGSEGV, "Segmentation fault" },
	};
	size_t stride = sizeof(struct entry);

	if (left < sizeof(struct entry) ||
	    !is_entry(t, at, entries[0].signum, entries[0].name))
		return false;
	while (stride <= STRIDE_MAX &&
	       (left < stride + sizeof(struct entry) ||
		!is_entry(t, at + stride, entries[1].signum, entries[1].name)))
		stride += 8;
	if (stride > STRIDE_MAX)
		return false;
	for (size_t i = 0; i < ENTRIES; i++) {
		struct entry e;

		if (left < i * stride + sizeof(e) ||
		    !is_entry(t, at + i * stride, entries[i].signum,
			      entries[i].name))
			return false;
		memcpy(&e, at + i * stride, sizeof(e));
		if (e.signum == sig)
			*ret = e.enabled;
	}
	return true;
}

static bool look_in(struct pyd_target *t, const struct pyd_region *r, int sig,
		    bool *ret)
{
	size_t len = (size_t)(r->end - r->start);
	struct pyd_err ignored;
	bool found = false;
	uint8_t *data;

	if (len > DATA_MAX)
		return false;
	data = malloc(len);
	if (data && !pyd_target_read(t, r->start, data, len, &ignored))
		for (size_t i = 0; i + sizeof(struct entry) <= len && !found;
		     i += 8)
			found = data[i] == SIGBUS &&
				enabled_at(t, data + i, len - i, sig, ret);
	free(data);
	return found;
}

static bool goes_to_faulthandler(pid_t pid, int sig)
{
	struct pyd_process p = { .pidfd = -1, .memfd = -1 };
	struct pyd_target *t = NULL;
	struct pyd_err ignored;
	bool enabled = false;

	if (!pyd_process_open(pid, &p, &ignored) &&
	    !pyd_target_process_create(&p, &t, &ignored))
		for (size_t i = 0; i < t->nregions; i++) {
			const struct pyd_region *r = &t->regions[i];

			if (r->inode && r->prot & PYD_PROT_W &&
			    !(r->prot & PYD_PROT_SHARED) &&
			    look_in(t, r, sig, &enabled))
				break;
		}
	pyd_target_destroy(t);
	pyd_process_close(&p);
	return enabled;
}

enum pyd_fate pyd_fate_of(pid_t pid, pid_t tid, int sig)
{
	struct pyd_proc_status s;
	struct pyd_err ignored;

	if (sig == SIGKILL)
		return PYD_FATE_FATAL;
	if (pyd_procfs_status(pid, tid, &s, &ignored))
		return PYD_FATE_HANDLED;
	if (s.sig_ignored >> (sig - 1) & 1)
		return PYD_FATE_HANDLED;
	if (s.sig_caught >> (sig - 1) & 1)
		return goes_to_faulthandler(pid, sig) ? PYD_FATE_FAULTHANDLER
						      : PYD_FATE_HANDLED;
	switch (sig) {
	case SIGCHLD:
	case SIGCONT:
	case SIGURG:
	case SIGWINCH:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return PYD_FATE_HANDLED;
	default:
		return PYD_FATE_FATAL;
	}
}

bool pyd_is_fault(int sig, const siginfo_t *info)
{
	return (sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE ||
		sig == SIGILL) &&
	       info->si_code > 0 && info->si_code != SI_KERNEL;
}
