// SPDX-License-Identifier: Apache-2.0
/* The environment and the arguments of the process. */
#include <stdlib.h>
#include <string.h>

#include "walk/redact_state.h"
#include "walk/subject.h"

enum { VARIABLES_MAX = 1 << 16 };

uint32_t pyd_redact_env_find(const struct pyd_redact *rd, const uint8_t *name,
			     size_t n)
{
	uint64_t found;

	if (!rd->nenv || !n ||
	    !pyd_map_get(&rd->env, pyd_redact_hash(name, n), &found))
		return 0;
	return (uint32_t)found;
}

/* Learns what is secret in a value by itself. */
static enum pyd_code learn(struct pyd_redact *rd, const uint8_t *s, size_t n,
			   struct pyd_err *err)
{
	enum pyd_code code;

	if (!pyd_match_worth(&rd->matcher, s, n))
		return PYD_OK;
	rd->spans.n = 0;
	code = pyd_match(&rd->matcher, s, n, PYD_MATCH_ALL, &rd->spans, err);
	pyd_spans_merge(&rd->spans);
	for (size_t i = 0; i < rd->spans.n && !code; i++)
		code = pyd_known_add(&rd->known, s + rd->spans.v[i].at,
				     rd->spans.v[i].len, err);
	return code;
}

/* "NAME=VALUE" */
static enum pyd_code variable(struct pyd_redact *rd, char *text, size_t n,
			      struct pyd_err *err)
{
	char *eq = memchr(text, '=', n);
	const uint8_t *value;
	size_t len, name_len;
	struct pyd_redact_env *v;
	enum pyd_name_class class;
	enum pyd_code code;

	if (!eq || eq == text)
		return PYD_OK;
	name_len = (size_t)(eq - text);
	value = (const uint8_t *)eq + 1;
	len = n - name_len - 1;
	code = learn(rd, value, len, err);
	if (code)
		return code;
	class = pyd_rules_class(rd->rules, text, name_len);
	if (class != PYD_CLASS_ARGV && !rd->rules->off[PYD_RULE_NAME] &&
	    pyd_rules_is_value(rd->rules, class, value, len)) {
		code = pyd_known_add(&rd->known, value, len, err);
		if (code)
			return code;
	}
	*eq = '\0';
	if (rd->rules->off[PYD_RULE_ENV] || len < 2 ||
	    pyd_rules_allow_env(rd->rules, text) || rd->nenv == VARIABLES_MAX)
		return PYD_OK;
	v = reallocarray(rd->env_v, rd->nenv + 1, sizeof(*v));
	if (!v)
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	rd->env_v = v;
	v[rd->nenv++].value = pyd_siphash(&rd->tag_key, value, len);
	return pyd_map_put(&rd->env, pyd_redact_hash(text, name_len), rd->nenv,
			   err);
}

enum pyd_code pyd_redact_process(struct pyd_redact *rd,
				 struct pyd_subject *subject,
				 struct pyd_err *err)
{
	struct pyd_buf b = { 0 };
	struct pyd_err ignored;
	enum pyd_code code = PYD_OK;

	if (!subject->ops->environ(subject, &b, &ignored)) {
		for (size_t i = 0; i < b.len && !code;) {
			char *s = (char *)b.data + i;
			size_t n = strnlen(s, b.len - i);

			code = variable(rd, s, n, err);
			i += n + 1;
		}
	}
	if (b.data)
		explicit_bzero(b.data, b.cap);
	pyd_buf_clear(&b);
	if (!code && !subject->ops->argv(subject, &b, &ignored))
		code = pyd_redact_argv(rd, &b, err);
	/* Nothing of it was written yet. */
	memset(rd->counts, 0, pyd_rules_count(rd->rules) * sizeof(*rd->counts));
	pyd_buf_deinit(&b);
	return code;
}

/* The part of "user:password" behind the colon, for curl and its like. */
static const char *after_user(const char *option, const char *value)
{
	static const char *const options[] = { "-u", "--user", "-U",
					       "--proxy-user" };
	const char *colon = strchr(value, ':');

	for (size_t i = 0; colon && i < sizeof(options) / sizeof(options[0]);
	     i++)
		if (!strcmp(option, options[i]))
			return colon[1] ? colon + 1 : NULL;
	return NULL;
}

enum pyd_code pyd_redact_argv(struct pyd_redact *rd, struct pyd_buf *args,
			      struct pyd_err *err)
{
	enum pyd_name_class class = PYD_CLASS_PLAIN;
	struct pyd_buf out = { 0 };
	const char *before = "";
	enum pyd_code code = PYD_OK;

	if (!args->len)
		return PYD_OK;
	/* A process may have overwritten it without a last NUL. */
	if (args->data[args->len - 1]) {
		code = pyd_buf_append(args, "", 1, err);
		if (code)
			return code;
	}
	for (size_t i = 0; i < args->len && !code;) {
		const char *s = (const char *)args->data + i;
		size_t n = strlen(s), skip = strspn(s, "-");
		const char *user = after_user(before, s);

		if (class && *s != '-' && !rd->rules->off[PYD_RULE_ARGV] &&
		    pyd_rules_is_value(rd->rules, class, (const uint8_t *)s,
				       n)) {
			code = pyd_known_add(&rd->known, (const uint8_t *)s, n,
					     err);
			user = s;
		} else if (user) {
			code = pyd_known_add(&rd->known, (const uint8_t *)user,
					     strlen(user), err);
		}
		if (!code && user) {
			code = pyd_buf_append(&out, s, (size_t)(user - s), err);
			for (; *user && !code; user++)
				code = pyd_buf_append(&out, "*", 1, err);
			rd->counts[PYD_RULE_ARGV]++;
		} else if (!code) {
			code = pyd_redact_text(rd, s, n, &out, err);
		}
		if (!code)
			code = pyd_buf_append(&out, "", 1, err);
		class = PYD_CLASS_PLAIN;
		if (*s == '-')
			class = pyd_rules_class(rd->rules, s + skip, n - skip);
		if (class == PYD_CLASS_ARGV)
			class = PYD_CLASS_PLAIN;
		before = s;
		i += n + 1;
	}
	if (code) {
		pyd_buf_deinit(&out);
		return code;
	}
	explicit_bzero(args->data, args->len);
	pyd_buf_deinit(args);
	*args = out;
	return PYD_OK;
}

enum pyd_code pyd_redact_environ(struct pyd_redact *rd, struct pyd_reader *r,
				 const struct pyd_runtime *rt,
				 struct pyd_err *err)
{
	static const struct {
		const char *module, *attr;
	} places[] = { { "os", "environ" },
		       { "os", "environb" },
		       { "posix", "environ" } };

	for (size_t i = 0; i < rt->ninterps; i++) {
		for (size_t k = 0; k < sizeof(places) / sizeof(places[0]);
		     k++) {
			pyd_addr module = 0, value = 0, data = 0;
			struct pyd_err why;
			enum pyd_code code;

			if (pyd_read_dict_str(r, rt->interps[i].modules,
					      places[k].module, &module,
					      &why) ||
			    !module ||
			    pyd_read_attr(r, module, places[k].attr, &value,
					  &why) ||
			    !value)
				continue;
			/* os.environ keeps a dict in _data; posix.environ
			 * is one. */
			if (pyd_read_attr(r, value, "_data", &data, &why))
				data = 0;
			code = pyd_redact_note(rd, data ? data : value,
					       PYD_RULE_ENV, PYD_CLASS_ENVIRON,
					       0, err);
			if (code)
				return code;
		}
	}
	return PYD_OK;
}
