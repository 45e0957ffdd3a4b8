/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors as values. A function that can fail returns enum pyd_code, fills
 * the caller's struct pyd_err on failure and leaves its outputs untouched.
 */
#ifndef PYD_BASE_ERR_H
#define PYD_BASE_ERR_H

#include <stdbool.h>
#include <stdint.h>

/* An address in the target, never a pointer of ours. */
typedef uint64_t pyd_addr;

enum pyd_code {
	PYD_OK = 0,

	/* These belong to one object: the walker turns them into
	 * placeholders. */
	PYD_FAULT,   /* remote memory is not readable */
	PYD_CORRUPT, /* remote bytes are impossible */
	PYD_LIMIT,   /* a limit or budget was reached */

	/* These end the run. */
	PYD_NOMEM,	 /* our own memory */
	PYD_GONE,	 /* the process ended or was replaced by exec */
	PYD_PERM,	 /* not permitted */
	PYD_IO,		 /* a file of ours could not be read or written */
	PYD_UNSUPPORTED, /* version or build without a table, other arch */
	PYD_NOTFOUND,	 /* no such process, symbol, file */
	PYD_NOTPYTHON,	 /* no interpreter in that process */
	PYD_FORMAT,	 /* a dump or table that does not parse */
	PYD_USAGE,	 /* the caller's arguments */
	PYD_INTERRUPTED, /* the person pressed ^C, or --timeout */
	PYD_BUSY,	 /* already traced, or does not stop in time */
};

struct pyd_err {
	enum pyd_code code;
	int errnum;    /* errno, or 0 */
	pyd_addr addr; /* remote address, or 0 */
	char msg[480]; /* lower-case; names the subject; no newline */
};

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

/* A stable lower-case word: "fault", "corrupt", ... */
const char *pyd_code_name(enum pyd_code code);

#define PYD_MUST_CHECK __attribute__((warn_unused_result))

#endif
