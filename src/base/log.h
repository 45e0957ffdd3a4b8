/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics to standard error, for commands and for -v. Libraries call only
 * pyd_log_debug(); the level is the one global beside the interrupt flag.
 */
#ifndef PYD_BASE_LOG_H
#define PYD_BASE_LOG_H

#include <signal.h>

enum pyd_log_level {
	PYD_LOG_ERROR = 0,  /* -q */
	PYD_LOG_NOTICE = 1, /* default */
	PYD_LOG_DEBUG = 2,  /* -v */
};

extern enum pyd_log_level pyd_log_level;
/* Set by the handler of SIGINT and SIGTERM; long loops look at it. */
extern volatile sig_atomic_t pyd_interrupted;

/* "pydumpd: ..." at any level. */
void pyd_log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "pydumpd: ..." unless -q. */
void pyd_log_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "pydumpd: debug: ..." only with -v. */
void pyd_log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
