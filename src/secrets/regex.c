// SPDX-License-Identifier: Apache-2.0
#include "secrets/regex.h"

#include <stdlib.h>
#include <string.h>

enum pyd_code pyd_regex_init(struct pyd_regex *x, const char *text, size_t len,
			     struct pyd_err *err)
{
	*x = (struct pyd_regex) { .text = strndup(text, len) };
	if (!x->text)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for rules");
	return PYD_OK;
}

void pyd_regex_deinit(struct pyd_regex *x)
{
	pcre2_code_free(x->code);
	free(x->text);
	*x = (struct pyd_regex) { 0 };
}

enum pyd_code pyd_regex_compile(struct pyd_regex *x, uint32_t options,
				size_t *ret_at, struct pyd_err *err)
{
	size_t len = strlen(x->text), at = 0;
	PCRE2_UCHAR text[160] = "";
	int number;

	if (x->code)
		return PYD_OK;
	x->code = pcre2_compile((PCRE2_SPTR)x->text, len,
				options | PCRE2_NEVER_BACKSLASH_C |
					PCRE2_NEVER_UTF,
				&number, &at, NULL);
	if (x->code)
		return PYD_OK;
	pcre2_get_error_message(number, text, sizeof(text));
	*ret_at = at < len ? at : len;
	return pyd_err_set(err, PYD_USAGE, "%s", (const char *)text);
}

enum pyd_code pyd_regex_ready(struct pyd_regex *x, uint32_t options,
			      struct pyd_err *err)
{
	size_t ignored;

	if (x->fast)
		return PYD_OK;
	if (pyd_regex_compile(x, options, &ignored, err))
		return pyd_err_set(err, PYD_NOMEM, "out of memory for rules");
	/* Without the compiler it is slower and matches the same. */
	pcre2_jit_compile(x->code, PCRE2_JIT_COMPLETE);
	x->fast = true;
	return PYD_OK;
}
