/* SPDX-License-Identifier: Apache-2.0 */
/* Filling of errors; what they are stands in the public header. */
#ifndef PYD_BASE_ERR_H
#define PYD_BASE_ERR_H

#include "pydumpd/error.h"

/* Fills *err (which may be NULL) and returns code. */
enum pyd_code pyd_err_set(struct pyd_err *err, enum pyd_code code,
			  const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with errno's text appended as ": text" and kept in errnum. */
enum pyd_code pyd_err_errno(struct pyd_err *err, enum pyd_code code, int errnum,
			    const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same with the remote address kept. */
enum pyd_code pyd_err_at(struct pyd_err *err, enum pyd_code code, pyd_addr addr,
			 const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Puts "fmt: " in front of the message that is there. Returns err->code. */
enum pyd_code pyd_err_prefix(struct pyd_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* True for PYD_FAULT, PYD_CORRUPT and PYD_LIMIT. */
static inline bool pyd_code_is_local(enum pyd_code code)
{
	return code >= PYD_FAULT && code <= PYD_LIMIT;
}

#endif
