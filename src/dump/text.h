/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of a dump made fit for a terminal. What a dump holds may be anything:
 * control characters, escape sequences, marks that turn the direction of
 * writing, bytes that are no UTF-8.
 */
#ifndef PYD_DUMP_TEXT_H
#define PYD_DUMP_TEXT_H

#include "base/buf.h"

/* Growing text; errors stick, as in dump/mp.h. Not NUL-terminated. */
struct pyd_text {
	struct pyd_buf buf;
	enum pyd_code code;
	struct pyd_err *err;
};

void pyd_text_raw(struct pyd_text *t, const char *s, size_t len);
void pyd_text_printf(struct pyd_text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Escaped: \n, \t, \r, \\ and the quote when there is one, \xNN, \uNNNN. Bytes
 * that are no UTF-8 as \xNN. quote 0: no quote to escape, backslashes stay.
 * At most max characters; returns whether all of it was put. */
bool pyd_text_escaped(struct pyd_text *t, const char *s, size_t len, char quote,
		      size_t max);
/* Whether a character would not be shown as itself. */
bool pyd_text_unprintable(uint32_t c);
void pyd_text_deinit(struct pyd_text *t);

#endif
