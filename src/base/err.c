// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(struct pyd_err *err, enum pyd_code code, int errnum,
		 pyd_addr addr, const char *fmt, va_list ap)
	__attribute__((format(printf, 5, 0)));

static void fill(struct pyd_err *err, enum pyd_code code, int errnum,
		 pyd_addr addr, const char *fmt, va_list ap)
{
	if (!err)
		return;

	/* Built aside: an argument may be the old message itself. */
	char msg[sizeof(err->msg)];
	vsnprintf(msg, sizeof(msg), fmt, ap);
	if (errnum) {
		size_t n = strlen(msg);
		snprintf(msg + n, sizeof(msg) - n, ": %s", strerror(errnum));
	}
	err->code = code;
	err->errnum = errnum;
	err->addr = addr;
	memcpy(err->msg, msg, sizeof(msg));
}

enum pyd_code pyd_err_set(struct pyd_err *err, enum pyd_code code,
			  const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, code, 0, 0, fmt, ap);
	va_end(ap);
	return code;
}

enum pyd_code pyd_err_errno(struct pyd_err *err, enum pyd_code code, int errnum,
			    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, code, errnum, 0, fmt, ap);
	va_end(ap);
	return code;
}

enum pyd_code pyd_err_at(struct pyd_err *err, enum pyd_code code, pyd_addr addr,
			 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, code, 0, addr, fmt, ap);
	va_end(ap);
	return code;
}

enum pyd_code pyd_err_prefix(struct pyd_err *err, const char *fmt, ...)
{
	if (!err)
		return PYD_CORRUPT;

	/* Room for both, so that only the copy back cuts. */
	char both[2 * sizeof(err->msg) + 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(both, sizeof(err->msg), fmt, ap);
	va_end(ap);

	size_t n = strlen(both);
	snprintf(both + n, sizeof(both) - n, ": %s", err->msg);
	memcpy(err->msg, both, sizeof(err->msg) - 1);
	err->msg[sizeof(err->msg) - 1] = '\0';
	return err->code;
}

const char *pyd_code_name(enum pyd_code code)
{
	static const char *const names[] = {
		[PYD_OK] = "ok",
		[PYD_FAULT] = "fault",
		[PYD_CORRUPT] = "corrupt",
		[PYD_LIMIT] = "limit",
		[PYD_NOMEM] = "no memory",
		[PYD_GONE] = "gone",
		[PYD_PERM] = "not permitted",
		[PYD_IO] = "i/o",
		[PYD_UNSUPPORTED] = "unsupported",
		[PYD_NOTFOUND] = "not found",
		[PYD_NOTPYTHON] = "not python",
		[PYD_FORMAT] = "format",
		[PYD_USAGE] = "usage",
		[PYD_INTERRUPTED] = "interrupted",
		[PYD_BUSY] = "busy",
	};

	if (code < 0 || (size_t)code >= sizeof(names) / sizeof(names[0]))
		return "unknown";
	return names[code];
}
