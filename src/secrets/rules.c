// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secrets/random.h"
#include "secrets/rules_private.h"

enum {
	FILE_BYTES_MAX = 4 << 20,
	VALUE_MAX = 4096, /* of a value that the allow-list is asked about */
};

/* -- files -- */

static enum pyd_code read_file(struct pyd_rules *r, const char *path,
			       bool must_exist, struct pyd_err *err)
{
	struct pyd_buf b = { 0 };
	char **files;
	FILE *f = fopen(path, "re");
	enum pyd_code code = PYD_OK;
	size_t n;

	if (!f && !must_exist && (errno == ENOENT || errno == ENOTDIR))
		return PYD_OK;
	if (!f)
		return pyd_err_errno(err, PYD_USAGE, errno,
				     "cannot read rules %.200s", path);
	do {
		code = pyd_buf_reserve(&b, 1 << 16, err);
		if (code)
			break;
		n = fread(b.data + b.len, 1, 1 << 16, f);
		b.len += n;
	} while (n && b.len <= FILE_BYTES_MAX);
	if (!code && ferror(f))
		code = pyd_err_errno(err, PYD_USAGE, errno,
				     "cannot read rules %.200s", path);
	if (!code && b.len > FILE_BYTES_MAX)
		code = pyd_err_set(err, PYD_USAGE,
				   "%.200s is too large for rules", path);
	fclose(f);
	if (!code)
		code = pyd_rules_parse(r, path, (const char *)b.data, b.len,
				       err);
	pyd_buf_deinit(&b);
	if (code)
		return code;
	files = reallocarray(r->files, r->nfiles + 1, sizeof(*files));
	if (files)
		r->files = files;
	if (!files || !(files[r->nfiles] = strdup(path)))
		return pyd_err_set(err, PYD_NOMEM, "out of memory for rules");
	r->nfiles++;
	return PYD_OK;
}

static void set_limits(pcre2_match_context *c)
{
	pcre2_set_match_limit(c, PYD_MATCH_LIMIT);
	pcre2_set_depth_limit(c, PYD_MATCH_LIMIT);
	pcre2_set_heap_limit(c, 64 << 10); /* kB */
}

enum pyd_code pyd_rules_create(struct pyd_rules **ret, struct pyd_err *err)
{
	struct pyd_rules *r = calloc(1, sizeof(*r));
	enum pyd_code code;

	if (!r)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for rules");
	r->context = pcre2_match_context_create(NULL);
	r->plain = pcre2_match_context_create(NULL);
	r->match = pcre2_match_data_create(32, NULL);
	if (!r->context || !r->plain || !r->match) {
		pyd_rules_destroy(r);
		return pyd_err_set(err, PYD_NOMEM, "out of memory for rules");
	}
	set_limits(r->context);
	set_limits(r->plain);
	code = pyd_rules_parse_as(r, "built-in rules", true, pyd_rules_builtin,
				  pyd_rules_builtin_len, err);
	if (code) {
		pyd_rules_destroy(r);
		return code;
	}
	*ret = r;
	return PYD_OK;
}

/* HOME may still be that of who we were before. */
static bool is_ours(const char *home)
{
	struct stat st;

	return home[0] == '/' && !stat(home, &st) &&
	       (geteuid() == 0 || st.st_uid == geteuid());
}

enum pyd_code pyd_rules_load(const char *file, struct pyd_rules **ret,
			     struct pyd_err *err)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char path[4096] = "";
	struct pyd_rules *r;
	enum pyd_code code = pyd_rules_create(&r, err);

	if (code)
		return code;
	if (config && config[0] == '/')
		snprintf(path, sizeof(path), "%s/pydumpd/redact.conf", config);
	else if (home && is_ours(home))
		snprintf(path, sizeof(path), "%s/.config/pydumpd/redact.conf",
			 home);
	code = read_file(r, "/etc/pydumpd/redact.conf", false, err);
	if (!code && path[0])
		code = read_file(r, path, false, err);
	if (!code && file)
		code = read_file(r, file, true, err);
	if (code) {
		pyd_rules_destroy(r);
		return code;
	}
	*ret = r;
	return PYD_OK;
}

void pyd_rules_destroy(struct pyd_rules *r)
{
	if (!r)
		return;
	pyd_rules_forget(r);
	for (size_t i = 0; i < r->nfiles; i++)
		free(r->files[i]);
	free(r->files);
	pyd_names_deinit(&r->names);
	pcre2_match_context_free(r->context);
	pcre2_match_context_free(r->plain);
	pcre2_match_data_free(r->match);
	free(r);
}

/* -- questions -- */

const char *pyd_rules_id(const struct pyd_rules *r, size_t rule)
{
	static const char *const names[] = {
#define PYD_RULE(id, name) name,
		PYD_RULES(PYD_RULE)
#undef PYD_RULE
	};

	return rule < PYD_RULE_PATTERNS
		       ? names[rule]
		       : r->patterns[rule - PYD_RULE_PATTERNS].id;
}

bool pyd_rules_is_on(const struct pyd_rules *r, size_t rule)
{
	return rule < PYD_RULE_PATTERNS
		       ? !r->off[rule]
		       : !r->patterns[rule - PYD_RULE_PATTERNS].off;
}

/* The name of a file: where a key is, not the key. */
static bool is_path(const uint8_t *s, size_t n)
{
	size_t run = 0;

	if (n < 2 || s[0] != '/')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum(s[i]) && !strchr("/._-+@ ", s[i]))
			return false;
		run = s[i] == '.' || s[i] == '@' || s[i] == ' ' ? 0 : run + 1;
		if (run >= PYD_RANDOM_MIN && (i + 1 == n || s[i + 1] == '.') &&
		    pyd_is_random(s + i + 1 - run, run))
			return false;
	}
	return true;
}

bool pyd_rules_allow(const struct pyd_rules *r, const uint8_t *s, size_t n)
{
	if (!n || is_path(s, n))
		return true;
	if (n > VALUE_MAX)
		return false;
	if (pyd_names_is_name(&r->names, (const char *)s, n))
		return true;
	for (size_t i = 0; i < r->nallow; i++) {
		struct pyd_err ignored;

		/* Where memory ends nothing is allowed. */
		if (!pyd_regex_ready(&r->allow[i], PYD_REGEX_WHOLE, &ignored) &&
		    pcre2_match(r->allow[i].code, s, n, 0, 0, r->match,
				r->plain) >= 0)
			return true;
	}
	return false;
}

enum pyd_name_class pyd_rules_class(const struct pyd_rules *r, const char *name,
				    size_t n)
{
	enum pyd_name_class c = pyd_names_class(&r->names, name, n);

	for (size_t i = 0; c && i < r->nenv; i++)
		if (pyd_rules_is(name, n, r->env[i]))
			return PYD_CLASS_PLAIN;
	return c;
}

bool pyd_rules_allow_env(const struct pyd_rules *r, const char *name)
{
	for (size_t i = 0; i < r->nenv; i++) {
		const char *glob = r->env[i];

		/* Most begin otherwise. */
		if ((*glob == *name || strchr("*?[\\", *glob)) &&
		    !fnmatch(glob, name, 0))
			return true;
	}
	return false;
}

/* No spaces, no brackets; a digit, or long and mixed. */
static bool looks_like_key(const uint8_t *s, size_t n)
{
	bool digit = false, lower = false, upper = false;

	if (n < 6)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] <= ' ' || s[i] >= 0x7f ||
		    strchr("()<>{}|\\\"'`", s[i]))
			return false;
		digit |= isdigit(s[i]) != 0;
		lower |= islower(s[i]) != 0;
		upper |= isupper(s[i]) != 0;
	}
	return digit || (n >= 16 && lower && upper) || n >= 32;
}

bool pyd_rules_is_value(const struct pyd_rules *r, enum pyd_name_class c,
			const uint8_t *s, size_t n)
{
	size_t chars = 0;

	for (size_t i = 0; i < n && chars < 2; i++)
		chars += (s[i] & 0xc0) != 0x80;
	/* Strings of one character are shared by the whole program. */
	if (c == PYD_CLASS_PLAIN || chars < 2)
		return false;
	if (c != PYD_CLASS_SECRET && !looks_like_key(s, n))
		return false;
	return !pyd_rules_allow(r, s, n);
}
