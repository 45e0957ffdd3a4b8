// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

enum pyd_log_level pyd_log_level = PYD_LOG_NOTICE;
volatile sig_atomic_t pyd_interrupted;

static void put(const char *head, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static void put(const char *head, const char *fmt, va_list ap)
{
	char line[1024];

	/* One write: lines of several processes do not mix. */
	vsnprintf(line, sizeof(line), fmt, ap);
	fprintf(stderr, "pydumpd: %s%s\n", head, line);
}

void pyd_log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put("", fmt, ap);
	va_end(ap);
}

void pyd_log_notice(const char *fmt, ...)
{
	va_list ap;

	if (pyd_log_level < PYD_LOG_NOTICE)
		return;
	va_start(ap, fmt);
	put("", fmt, ap);
	va_end(ap);
}

void pyd_log_debug(const char *fmt, ...)
{
	va_list ap;

	if (pyd_log_level < PYD_LOG_DEBUG)
		return;
	va_start(ap, fmt);
	put("debug: ", fmt, ap);
	va_end(ap);
}
