// SPDX-License-Identifier: Apache-2.0
/* Rules about secrets: names, patterns, random tokens, what is known. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"
#include "secrets/known.h"
#include "secrets/match.h"
#include "secrets/random.h"
#include "walk/redact_state.h"

static struct pyd_rules *rules(void)
{
	struct pyd_rules *r = NULL;
	struct pyd_err err = { 0 };

	cr_assert_eq(pyd_rules_create(&r, &err), PYD_OK, "%s", err.msg);
	return r;
}

static const uint8_t *bytes(const char *s)
{
	return (const uint8_t *)s;
}

Test(secrets, siphash_is_what_its_authors_say)
{
	/* The reference's vectors: key 00..0f, texts 00, 00 01, ... */
	struct pyd_siphash_key key = { 0x0706050403020100ULL,
				       0x0f0e0d0c0b0a0908ULL };
	uint8_t in[64];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	cr_assert_eq(pyd_siphash(&key, in, 0), 0x726fdb47dd0e0e31ULL);
	cr_assert_eq(pyd_siphash(&key, in, 8), 0x93f5f5799a932462ULL);
	cr_assert_eq(pyd_siphash(&key, in, 15), 0xa129ca6149be45e5ULL);
}

/* They are compiled as they are used: all of them must compile, and match no
 * empty text, as it is asked of a user's. */
Test(secrets, built_in_rules_are_right)
{
	struct pyd_rules *r = rules();
	struct pyd_err err = { 0 };
	const char *forget = "forget names patterns allow env\n";

	cr_assert_eq(pyd_rules_parse(r, "t", forget, strlen(forget), &err),
		     PYD_OK);
	cr_assert_eq(pyd_rules_parse(r, "built-in", pyd_rules_builtin,
				     pyd_rules_builtin_len, &err),
		     PYD_OK, "%s", err.msg);
	cr_assert_gt(r->npatterns, 20);
	for (size_t i = 0; i < r->npatterns; i++)
		cr_assert_not_null(r->patterns[i].regex.code);
	for (size_t i = 0; i < r->nallow; i++)
		cr_assert_not_null(r->allow[i].code);
	pyd_rules_destroy(r);
}

Test(secrets, names_by_their_words)
{
	static const struct {
		const char *name;
		enum pyd_name_class class;
	} cases[] = {
		{ "password", PYD_CLASS_SECRET },
		{ "PASSWORD", PYD_CLASS_SECRET },
		{ "db_password", PYD_CLASS_SECRET },
		{ "userPassword", PYD_CLASS_SECRET },
		{ "dbpassword", PYD_CLASS_SECRET },
		{ "password2", PYD_CLASS_SECRET },
		{ "password_hash", PYD_CLASS_SECRET },
		{ "password_of_the_user", PYD_CLASS_SECRET },
		{ "X-Api-Key", PYD_CLASS_SECRET },
		{ "APIKey", PYD_CLASS_SECRET },
		{ "apikey", PYD_CLASS_SECRET },
		{ "--api-key", PYD_CLASS_SECRET },
		{ "AWS_SECRET_ACCESS_KEY", PYD_CLASS_SECRET },
		{ "accessToken", PYD_CLASS_SECRET },
		{ "__secret", PYD_CLASS_SECRET },
		{ "Set-Cookie", PYD_CLASS_SECRET },
		{ "token", PYD_CLASS_MAYBE },
		{ "my_token", PYD_CLASS_MAYBE },
		{ "tokenizer", PYD_CLASS_PLAIN },
		{ "secretary", PYD_CLASS_PLAIN },
		{ "token_count", PYD_CLASS_PLAIN },
		{ "password_field", PYD_CLASS_PLAIN },
		{ "has_password", PYD_CLASS_PLAIN },
		{ "key", PYD_CLASS_PLAIN },
		{ "compass", PYD_CLASS_PLAIN },
		{ "enter the new password here", PYD_CLASS_PLAIN },
		{ "/etc/password", PYD_CLASS_PLAIN },
		{ "", PYD_CLASS_PLAIN },
		{ "argv", PYD_CLASS_ARGV },
	};
	struct pyd_rules *r = rules();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(pyd_rules_class(r, cases[i].name,
					     strlen(cases[i].name)),
			     cases[i].class, "%s", cases[i].name);
	/* A variable of the environment that may stay is none. */
	cr_expect_eq(pyd_rules_class(r, "PWD", 3), PYD_CLASS_PLAIN);
	cr_expect_eq(pyd_rules_class(r, "pwd", 3), PYD_CLASS_SECRET);
	pyd_rules_destroy(r);
}

Test(secrets, values_that_are_none)
{
	static const char *const none[] = {
		"",
		"x",
		"password",
		"db_password",
		"None",
		"Optional[str]",
		"${TOKEN}",
		"%(password)s",
		"********",
		"<password>",
		"required",
		"VARCHAR(128)",
		"your_api_key",
		"/etc/ssl/key.pem",
	};
	struct pyd_rules *r = rules();

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		cr_expect_not(pyd_rules_is_value(r, PYD_CLASS_SECRET,
						 bytes(none[i]),
						 strlen(none[i])),
			      "%s", none[i]);
	cr_expect(pyd_rules_is_value(r, PYD_CLASS_SECRET, bytes("hunter"), 6));
	cr_expect_not(
		pyd_rules_is_value(r, PYD_CLASS_MAYBE, bytes("hunter"), 6));
	cr_expect(pyd_rules_is_value(r, PYD_CLASS_MAYBE, bytes("hunter2"), 7));
	pyd_rules_destroy(r);
}

/* The text with asterisks for what is found in it. */
static void masked(struct pyd_matcher *m, const char *text, bool source,
		   char *out, size_t cap)
{
	struct pyd_spans spans = { 0 };
	struct pyd_err err = { 0 };
	size_t n = strlen(text);
	enum pyd_code code;

	cr_assert_lt(n, cap);
	memcpy(out, text, n + 1);
	cr_assert(source || pyd_match_worth(m, bytes(text), n) ||
			  !strchr(text, ':'),
		  "%s", text);
	code = source ? pyd_match_source(m, bytes(text), n, &spans, &err)
		      : pyd_match(m, bytes(text), n, PYD_MATCH_ALL, &spans,
				  &err);
	cr_assert_eq(code, PYD_OK, "%s", err.msg);
	pyd_spans_merge(&spans);
	n = pyd_redact_mask((uint8_t *)out, n, &spans, true);
	out[n] = '\0';
	pyd_spans_deinit(&spans);
}

Test(secrets, in_texts)
{
	static const char *const cases[][2] = {
		{ "postgres://bob:s3cr.et@db/x",
		  "postgres://bob:*******@db/x" },
		{ "redis://:abc@h", "redis://:***@h" },
		{ "https://bob:%s@db/x", "https://bob:%s@db/x" },
		{ "password=hunter2 x", "password=******* x" },
		{ "{\"api_key\": \"abcd\"}", "{\"api_key\": \"****\"}" },
		{ "{\\\"token\\\": \\\"abc123\\\"}",
		  "{\\\"token\\\": \\\"******\\\"}" },
		{ "mysql --password hunter2 -h x",
		  "mysql --password ******* -h x" },
		{ "<password>hunter2</password>",
		  "<password>*******</password>" },
		{ "X-Api-Key: a1b2c3d4", "X-Api-Key: ********" },
		{ "Authorization: Basic Ym9iOnB3",
		  "Authorization: Basic ********" },
		{ "Bearer abc123def456", "Bearer ************" },
		{ "password: the user's password",
		  "password: the user's password" },
		{ "secret=get_secret(name)", "secret=get_secret(name)" },
		{ "tokenizer: abc123def", "tokenizer: abc123def" },
		{ "p\303\244ss password=h\303\274nter2",
		  "p\303\244ss password=*******" },
		{ "id 123e4567-e89b-42d3-a456-426614174000:",
		  "id 123e4567-e89b-42d3-a456-426614174000:" },
		{ "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nAbCd\n"
		  "-----END PRIVATE KEY-----",
		  "-----BEGIN PRIVATE KEY-----\n****************\n****\n"
		  "-----END PRIVATE KEY-----" },
	};
	struct pyd_rules *r = rules();
	struct pyd_matcher m;
	struct pyd_err err;
	char out[512];

	cr_assert_eq(pyd_matcher_init(&m, r, &err), PYD_OK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		masked(&m, cases[i][0], false, out, sizeof(out));
		cr_expect_str_eq(out, cases[i][1]);
	}
	pyd_matcher_deinit(&m);
	pyd_rules_destroy(r);
}

Test(secrets, in_sources)
{
	static const char *const cases[][2] = {
		{ "password = 'abc def'\n", "password = '*******'\n" },
		{ "x.api_key = b\"k1k2\"", "x.api_key = b\"****\"" },
		{ "password: str = 'abcd'", "password: str = '****'" },
		{ "f(a, password='abcd')", "f(a, password='****')" },
		{ "d = {'user': 'x', 'secret': 'abcd'}",
		  "d = {'user': 'x', 'secret': '****'}" },
		{ "os.environ['DB_PASSWORD'] = 'abcd'",
		  "os.environ['DB_PASSWORD'] = '****'" },
		{ "password = ('ab12'  # one\n  'cd34')",
		  "password = ('****'  # one\n  '****')" },
		{ "password = '''a\nb1'''", "password = '''*\n**'''" },
		{ "if x.password == 'ab\\'cd': pass",
		  "if x.password == '******': pass" },
		{ "# password = \"abcd1\"", "# password = \"*****\"" },
		{ "p = [('password', 'ab-cd')]",
		  "p = [('password', '*****')]" },
		{ "__slots__ = ('password', 'user')",
		  "__slots__ = ('password', 'user')" },
		{ "password = getpass('Password: ')",
		  "password = getpass('Password: ')" },
		{ "'unclosed\npassword = 'abcd'",
		  "'unclosed\npassword = '****'" },
	};
	struct pyd_rules *r = rules();
	struct pyd_matcher m;
	struct pyd_err err;
	char out[512];

	cr_assert_eq(pyd_matcher_init(&m, r, &err), PYD_OK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		masked(&m, cases[i][0], true, out, sizeof(out));
		cr_expect_str_eq(out, cases[i][1]);
	}
	pyd_matcher_deinit(&m);
	pyd_rules_destroy(r);
}

static bool is_random(const char *s)
{
	return pyd_is_random(bytes(s), strlen(s));
}

Test(secrets, random_and_not)
{
	cr_expect(is_random("kJ8fQ2mZx7LpR4vT9wYb"));
	cr_expect(is_random("x8f3k2m9q0w7e5r1t4z6"));
	cr_expect(is_random("wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzqqkkpp77"));
	cr_expect_not(is_random("da39a3ee5e6b4b0d3255bfef95601890afd80709"));
	cr_expect_not(is_random("123e4567-e89b-42d3-a456-426614174000"));
	cr_expect_not(is_random("abcdefghijklmnopqrstuvwxyz0123456789"));
	cr_expect_not(is_random("AbstractSingletonProxyFactoryBean2"));
	cr_expect_not(is_random("test_password_validator_is_called"));
	cr_expect_not(is_random("81d243bd2c585b0f4821__mypyc"));
	cr_expect_not(is_random("kJ8fQ2mZx7LpR4vT9"));
}

Test(secrets, known_alone_and_inside)
{
	struct pyd_known k;
	struct pyd_spans spans = { 0 };
	struct pyd_err err;
	char text[256];

	cr_assert_eq(pyd_known_init(&k, &err), PYD_OK);
	cr_assert_eq(pyd_known_add(&k, bytes("abc-1234"), 8, &err), PYD_OK);
	cr_assert_eq(pyd_known_add(&k, bytes("abc-12345"), 9, &err), PYD_OK);
	cr_assert_eq(pyd_known_add(&k, bytes("admin"), 5, &err), PYD_OK);
	cr_assert_eq(pyd_known_add(&k, bytes("wonderland"), 10, &err), PYD_OK);
	cr_expect(pyd_known_is(&k, bytes("admin"), 5));
	cr_expect_not(pyd_known_is(&k, bytes("Admin"), 5));
	for (int at = 0; at < 20; at++) {
		int n = snprintf(text, sizeof(text), "%*sabc-12345 wonderland",
				 at, "");

		spans.n = 0;
		cr_assert_eq(pyd_known_find(&k, bytes(text), (size_t)n,
					    PYD_RULE_KNOWN, &spans, &err),
			     PYD_OK);
		pyd_spans_merge(&spans);
		/* A plain word is not looked for. */
		cr_expect_eq(spans.n, 1, "at %d", at);
		cr_expect_eq(spans.v[0].at, (size_t)at);
		cr_expect_eq(spans.v[0].len, 9);
	}
	/* Thousands that begin alike are all found. */
	for (int i = 0; i < 5000; i++) {
		int n = snprintf(text, sizeof(text), "prefix-of-all-%d-end", i);

		cr_assert_eq(pyd_known_add(&k, bytes(text), (size_t)n, &err),
			     PYD_OK);
	}
	spans.n = 0;
	snprintf(text, sizeof(text), "x=prefix-of-all-4321-end.");
	cr_assert_eq(pyd_known_find(&k, bytes(text), strlen(text),
				    PYD_RULE_KNOWN, &spans, &err),
		     PYD_OK);
	cr_expect_eq(spans.n, 1);
	pyd_spans_deinit(&spans);
	pyd_known_deinit(&k);
}

/* Hashed at each place that looks like it, it would take minutes. */
Test(secrets, a_known_secret_that_repeats_itself, .timeout = 60)
{
	enum { LONG = 4 << 20 };
	struct pyd_known k;
	struct pyd_spans spans = { 0 };
	struct pyd_err err;
	uint8_t *text = malloc(2 * LONG);

	cr_assert_not_null(text);
	for (size_t i = 0; i < 2 * LONG; i++)
		text[i] = (uint8_t) "a-1."[i & 3];
	cr_assert_eq(pyd_known_init(&k, &err), PYD_OK);
	cr_assert_eq(pyd_known_add(&k, text, LONG, &err), PYD_OK);
	cr_assert_eq(pyd_known_find(&k, text, 2 * LONG, PYD_RULE_KNOWN, &spans,
				    &err),
		     PYD_OK);
	pyd_spans_merge(&spans);
	cr_expect_eq(spans.n, 1);
	cr_expect_eq(spans.v[0].at, 0);
	cr_expect_eq(spans.v[0].len, 2 * LONG);
	pyd_spans_deinit(&spans);
	pyd_known_deinit(&k);
	free(text);
}

Test(secrets, a_match_that_takes_too_long_is_masked)
{
	struct pyd_rules *r = rules();
	struct pyd_err err = { 0 };
	struct pyd_matcher m;
	struct pyd_spans spans = { 0 };
	char text[4096];
	static const char slow[] =
		"off random\npattern slow zzz zzz(?:a+)+(?:a+)+(?:a+)+b\n";

	cr_assert_eq(pyd_rules_parse(r, "t", slow, sizeof(slow) - 1, &err),
		     PYD_OK, "%s", err.msg);
	memset(text, 'a', sizeof(text));
	memcpy(text + 100, "zzz", 3);
	memcpy(text + sizeof(text) - 2, "cb", 2);
	cr_assert_eq(pyd_matcher_init(&m, r, &err), PYD_OK);
	cr_assert_eq(pyd_match(&m, bytes(text), sizeof(text), PYD_MATCH_ALL,
			       &spans, &err),
		     PYD_OK);
	cr_expect_eq(spans.n, 1);
	cr_expect_leq(spans.v[0].at, 100);
	cr_expect_eq(spans.v[0].at + spans.v[0].len, sizeof(text));
	pyd_spans_deinit(&spans);
	pyd_matcher_deinit(&m);
	pyd_rules_destroy(r);
}

Test(secrets, rules_that_do_not_parse_say_where)
{
	static const char *const cases[][2] = {
		{ "pattern x abc (", "t:1:16: " },
		{ "\n\n  pattern", "t:3:10: " },
		{ "name a_b\nmaybe \"x\"", "t:2:7: " },
		{ "env", "t:1:4: " },
		{ "forget all", "t:1:8: " },
		{ "allow (?<x", "t:1:" },
	};
	struct pyd_err err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pyd_rules *r = rules();

		cr_expect_eq(pyd_rules_parse(r, "t", cases[i][0],
					     strlen(cases[i][0]), &err),
			     PYD_USAGE);
		cr_expect_eq(strncmp(err.msg, cases[i][1], strlen(cases[i][1])),
			     0, "%s", err.msg);
		pyd_rules_destroy(r);
	}
}

/* Texts that made the search look at the same bytes again and again; all of
 * them together end in a second, or the time for a test is over. */
Test(secrets, no_text_takes_for_ever, .timeout = 60)
{
	static const char *const parts[] = {
		"=",
		":",
		"-",
		" ",
		"<",
		">",
		",",
		"\"",
		"'",
		"= ",
		": ",
		" =",
		"\",",
		"\"a\",",
		"\n\"a\",",
		"a=",
		"token=",
		"password=",
		"password= ",
		"password=\"",
		"password=a,",
		"password = ",
		"\"password\": ",
		"--",
		"-- ",
		"--a ",
		"<a>",
		"<password>",
		"a",
		"aB3",
		"A",
		"eyJ",
		"eyJ.",
		"sk-",
		"ghp_",
		"Bearer ",
		"-----BEGIN ",
		"://",
		"http://a:",
		"AKIA",
		"\\\"",
		"a:",
		"_",
		"a@",
		"a:b@",
		".",
		"/",
		"\xff",
		"{'",
		"[['",
		"(((",
	};
	const size_t n = 1 << 20;
	struct pyd_rules *r = rules();
	struct pyd_matcher m;
	struct pyd_err err = { 0 };
	uint8_t *text = malloc(n);

	cr_assert(text);
	cr_assert_eq(pyd_matcher_init(&m, r, &err), PYD_OK, "%s", err.msg);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct pyd_spans spans = { 0 };
		size_t len = strlen(parts[i]);

		for (size_t k = 0; k < n; k++)
			text[k] = (uint8_t)parts[i][k % len];
		cr_assert_eq(
			pyd_match(&m, text, n, PYD_MATCH_ALL, &spans, &err),
			PYD_OK, "%s: %s", parts[i], err.msg);
		pyd_spans_deinit(&spans);
	}
	pyd_matcher_deinit(&m);
	pyd_rules_destroy(r);
	free(text);
}
