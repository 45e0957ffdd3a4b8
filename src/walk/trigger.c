// SPDX-License-Identifier: Apache-2.0
#include "walk/trigger.h"

#include <signal.h>
#include <stddef.h>

#include "walk/pack.h"
#include "walk/redact.h"

const char *pyd_signal_name(int signo)
{
	/* clang-format off */
	static const char *const names[] = {
		[SIGHUP] = "SIGHUP",	   [SIGINT] = "SIGINT",
		[SIGQUIT] = "SIGQUIT",	   [SIGILL] = "SIGILL",
		[SIGTRAP] = "SIGTRAP",	   [SIGABRT] = "SIGABRT",
		[SIGBUS] = "SIGBUS",	   [SIGFPE] = "SIGFPE",
		[SIGKILL] = "SIGKILL",	   [SIGUSR1] = "SIGUSR1",
		[SIGSEGV] = "SIGSEGV",	   [SIGUSR2] = "SIGUSR2",
		[SIGPIPE] = "SIGPIPE",	   [SIGALRM] = "SIGALRM",
		[SIGTERM] = "SIGTERM",	   [SIGSTKFLT] = "SIGSTKFLT",
		[SIGCHLD] = "SIGCHLD",	   [SIGCONT] = "SIGCONT",
		[SIGSTOP] = "SIGSTOP",	   [SIGTSTP] = "SIGTSTP",
		[SIGTTIN] = "SIGTTIN",	   [SIGTTOU] = "SIGTTOU",
		[SIGURG] = "SIGURG",	   [SIGXCPU] = "SIGXCPU",
		[SIGXFSZ] = "SIGXFSZ",	   [SIGVTALRM] = "SIGVTALRM",
		[SIGPROF] = "SIGPROF",	   [SIGWINCH] = "SIGWINCH",
		[SIGIO] = "SIGIO",	   [SIGPWR] = "SIGPWR",
		[SIGSYS] = "SIGSYS",
	};
	/* clang-format on */

	if (signo <= 0 || (size_t)signo >= sizeof(names) / sizeof(names[0]))
		return NULL;
	return names[signo];
}

/* "SEGV_MAPERR", or NULL when the code has no name. */
static const char *code_name(int signo, int si_code)
{
#define CODE(sig, code)                                                        \
	{                                                                      \
		sig, code, #code                                               \
	}
	static const struct {
		int signo; /* 0: any */
		int code;
		const char *name;
	} codes[] = {
		CODE(0, SI_USER),
		CODE(0, SI_KERNEL),
		CODE(0, SI_QUEUE),
		CODE(0, SI_TIMER),
		CODE(0, SI_MESGQ),
		CODE(0, SI_ASYNCIO),
		CODE(0, SI_TKILL),
		CODE(SIGSEGV, SEGV_MAPERR),
		CODE(SIGSEGV, SEGV_ACCERR),
		CODE(SIGSEGV, SEGV_BNDERR),
		CODE(SIGSEGV, SEGV_PKUERR),
		CODE(SIGBUS, BUS_ADRALN),
		CODE(SIGBUS, BUS_ADRERR),
		CODE(SIGBUS, BUS_OBJERR),
		CODE(SIGBUS, BUS_MCEERR_AR),
		CODE(SIGBUS, BUS_MCEERR_AO),
		CODE(SIGFPE, FPE_INTDIV),
		CODE(SIGFPE, FPE_INTOVF),
		CODE(SIGFPE, FPE_FLTDIV),
		CODE(SIGFPE, FPE_FLTOVF),
		CODE(SIGFPE, FPE_FLTUND),
		CODE(SIGFPE, FPE_FLTRES),
		CODE(SIGFPE, FPE_FLTINV),
		CODE(SIGFPE, FPE_FLTSUB),
		CODE(SIGILL, ILL_ILLOPC),
		CODE(SIGILL, ILL_ILLOPN),
		CODE(SIGILL, ILL_ILLADR),
		CODE(SIGILL, ILL_ILLTRP),
		CODE(SIGILL, ILL_PRVOPC),
		CODE(SIGILL, ILL_PRVREG),
		CODE(SIGILL, ILL_COPROC),
		CODE(SIGILL, ILL_BADSTK),
		CODE(SIGTRAP, TRAP_BRKPT),
		CODE(SIGTRAP, TRAP_TRACE),
	};
#undef CODE

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if ((!codes[i].signo || codes[i].signo == signo) &&
		    codes[i].code == si_code)
			return codes[i].name;
	return NULL;
}

static void pack_regs(struct pyd_pack *p, const struct pyd_regs *regs)
{
	const char *name;
	uint64_t value;
	size_t n = 0;

	while (pyd_arch_reg(regs, n, &value))
		n++;
	pyd_pack_text(p, "registers");
	pyd_pack_map(p, n);
	for (size_t i = 0; (name = pyd_arch_reg(regs, i, &value)); i++)
		pyd_pack_kv_u64(p, name, value);
}

void pyd_trigger_pack(const struct pyd_trigger *t, struct pyd_redact *redact,
		      struct pyd_pack *p)
{
	const char *code = t->has_info ? code_name(t->signo, t->si_code) : NULL;

	const bool thread = t->signo || t->thread;

	pyd_pack_text(p, "trigger");
	pyd_pack_map(
		p, 1 + (t->signo ? 3U : 0) + thread + t->has_info +
			   t->has_address + t->faulthandler + t->has_status +
			   t->has_regs + (t->exception != 0) +
			   (t->exception_type[0] != '\0') + (t->core != NULL));
	pyd_pack_kv_text(p, "kind", t->kind ? t->kind : "attach");
	if (t->signo) {
		pyd_pack_kv_text(p, "signal", pyd_signal_name(t->signo));
		pyd_pack_kv_i64(p, "signo", t->signo);
		pyd_pack_kv_text(p, "code", code);
	}
	if (thread)
		pyd_pack_kv_opt(p, "thread", t->thread ? t->thread : -1);
	if (t->has_info)
		pyd_pack_kv_i64(p, "si_code", t->si_code);
	if (t->has_address)
		pyd_pack_kv_u64(p, "address", t->address);
	if (t->faulthandler)
		pyd_pack_kv_bool(p, "faulthandler", true);
	if (t->has_status)
		pyd_pack_kv_i64(p, "status", t->status);
	if (t->exception)
		pyd_pack_kv_u64(p, "exception", t->exception);
	if (t->exception_type[0])
		pyd_pack_kv_text(p, "type", t->exception_type);
	if (t->has_regs)
		pack_regs(p, &t->regs);
	if (t->core) {
		pyd_pack_text(p, "core");
		pyd_redact_pack(redact, p, t->core);
	}
}
