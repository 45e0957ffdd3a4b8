/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors as values. A function that can fail returns enum pyd_code, fills
 * the caller's struct pyd_err on failure and leaves its outputs untouched.
 */
#ifndef PYDUMPD_ERROR_H
#define PYDUMPD_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An address in the target, never a pointer of ours. */
typedef uint64_t pyd_addr;

#define PYD_MUST_CHECK __attribute__((warn_unused_result))

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

/* A stable lower-case word: "fault", "corrupt", ... */
const char *pyd_code_name(enum pyd_code code);

#ifdef __cplusplus
}
#endif

#endif
