// SPDX-License-Identifier: Apache-2.0
/* What is found in a text that comes in pieces is what is found in the whole.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "secrets/known.h"
#include "secrets/pieces.h"

enum {
	PIECE = 1 << 20, /* as in pieces.c */
	TEXT = 2 * PIECE + 200000,
};

static enum pyd_code read_text(void *ctx, uint64_t at, uint8_t *to, size_t n,
			       struct pyd_err *err)
{
	const struct pyd_buf *b = ctx;

	(void)err;
	cr_assert(at <= b->len && n <= b->len - at);
	memcpy(to, b->data + at, n);
	return PYD_OK;
}

struct fixture {
	struct pyd_rules *rules;
	struct pyd_matcher matcher;
	struct pyd_known known;
	struct pyd_buf text;
	struct pyd_pieces pieces;
	uint64_t state;
};

static void begin(struct fixture *f, uint64_t seed)
{
	struct pyd_err err = { 0 };

	*f = (struct fixture) { .state = seed };
	cr_assert_eq(pyd_rules_create(&f->rules, &err), PYD_OK);
	cr_assert_eq(pyd_matcher_init(&f->matcher, f->rules, &err), PYD_OK);
	cr_assert_eq(pyd_known_init(&f->known, &err), PYD_OK);
	cr_assert_eq(pyd_buf_reserve(&f->text, TEXT + 4096, &err), PYD_OK);
}

static void end(struct fixture *f)
{
	pyd_known_deinit(&f->known);
	pyd_matcher_deinit(&f->matcher);
	pyd_rules_destroy(f->rules);
	pyd_buf_deinit(&f->text);
}

static size_t below(struct fixture *f, size_t n)
{
	f->state = f->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (size_t)(f->state >> 33) % n;
}

static void put(struct fixture *f, const char *s, size_t n)
{
	if (n > TEXT - f->text.len)
		n = TEXT - f->text.len;
	memcpy(f->text.data + f->text.len, s, n);
	f->text.len += n;
}

static void fill(struct fixture *f, const char *alphabet, size_t n)
{
	size_t kinds = strlen(alphabet);

	for (; n; n--)
		put(f, &alphabet[below(f, kinds)], 1);
}

#define TOKEN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"

static const char *const parts[] = {
	"password=hunter2x9 ",
	"--api-key 'k3y-of-mine' ",
	"{\"token\": \"abc123def\"}, ",
	"<password>tr0ub4dor</password>",
	"postgres://bob:s3cr.et@db/x ",
	"AKIAABCDEFGHIJKLMNOP ",
	"Authorization: Bearer abcdef0123456789abcdef ",
	"sha256=",
	"data:image/png;base64,",
	"x = f(y)\n",
	"the quick brown fox, and so on. ",
	"ghp_",
	"-----BEGIN RSA PRIVATE KEY-----\n",
	"-----END RSA PRIVATE KEY-----\n",
	"=",
	"a=b=",
	"\"",
	"password = \"",
	"\\",
	"--",
	"<",
	"\xc3\xa9",
};

/* Of pieces that mean something, around every border densely. */
static void make(struct fixture *f)
{
	while (f->text.len < TEXT) {
		size_t border = f->text.len % PIECE;
		bool near = border < 3000 || PIECE - border < 90000;

		switch (below(f, near ? 40 : 400)) {
		case 0:
			fill(f, TOKEN, 1 + below(f, 600));
			break;
		case 1:
			fill(f, TOKEN "\n", below(f, 90000));
			break;
		case 2:
			fill(f, TOKEN "=", below(f, 3000));
			break;
		case 3:
			fill(f, "a=", below(f, 200));
			break;
		case 4:
			put(f, "                                          ",
			    below(f, 42));
			break;
		case 5:
		case 6:
		case 7:
		case 8:
		case 9:
		case 10:
		case 11:
		case 12:
		case 13:
		case 14:
		case 15:
		case 16: {
			const char *s = parts[below(
				f, sizeof(parts) / sizeof(parts[0]))];

			put(f, s, strlen(s));
			break;
		}
		default:
			fill(f, "abc defg\n", 1 + below(f, near ? 40 : 4000));
		}
	}
	f->pieces = (struct pyd_pieces) {
		.len = f->text.len,
		.read = read_text,
		.ctx = &f->text,
	};
}

static void same(const struct fixture *f, struct pyd_spans *a,
		 struct pyd_spans *b, const char *what)
{
	pyd_spans_merge(a);
	pyd_spans_merge(b);
	for (size_t i = 0; i < a->n && i < b->n; i++)
		cr_assert(a->v[i].at == b->v[i].at &&
				  a->v[i].len == b->v[i].len &&
				  a->v[i].rule == b->v[i].rule,
			  "%s %zu: %zu+%zu by %d, in pieces %zu+%zu by %d: "
			  "%.60s",
			  what, i, a->v[i].at, a->v[i].len, a->v[i].rule,
			  b->v[i].at, b->v[i].len, b->v[i].rule,
			  (const char *)f->text.data + a->v[i].at);
	cr_assert_eq(a->n, b->n, "%s", what);
}

static size_t compare(struct fixture *f)
{
	struct pyd_spans whole = { 0 }, in_pieces = { 0 };
	const uint8_t *s = f->text.data;
	size_t n = f->text.len, found;
	struct pyd_err err = { 0 };
	bool worth;

	cr_assert_eq(pyd_match(&f->matcher, s, n, PYD_MATCH_ALL, &whole, &err),
		     PYD_OK);
	cr_assert_eq(
		pyd_pieces_match(&f->pieces, &f->matcher, &in_pieces, &err),
		PYD_OK);
	same(f, &whole, &in_pieces, "by itself");
	found = whole.n;
	cr_assert_eq(pyd_pieces_worth(&f->pieces, &worth, &err), PYD_OK);
	cr_assert_eq(worth, pyd_match_worth(&f->matcher, s, n));
	/* What was found, and what is longer than a piece. */
	for (size_t i = 0; i < whole.n; i += 3)
		cr_assert_eq(pyd_known_add(&f->known, s + whole.v[i].at,
					   whole.v[i].len, &err),
			     PYD_OK);
	cr_assert_eq(pyd_known_add(&f->known, s + 1000, PIECE + 123456, &err),
		     PYD_OK);
	whole.n = in_pieces.n = 0;
	cr_assert_eq(pyd_known_find(&f->known, s, n, 5, &whole, &err), PYD_OK);
	cr_assert_eq(
		pyd_known_find_in(&f->known, &f->pieces, 5, &in_pieces, &err),
		PYD_OK);
	cr_assert_gt(whole.n, 0);
	same(f, &whole, &in_pieces, "known");
	pyd_spans_deinit(&whole);
	pyd_spans_deinit(&in_pieces);
	return found;
}

Test(secrets_pieces, as_in_the_whole)
{
	const char *more = getenv("PYD_TEST_SEEDS");
	uint64_t seeds = more ? strtoull(more, NULL, 10) : 4;
	size_t found = 0;

	for (uint64_t seed = 1; seed <= seeds; seed++) {
		struct fixture f;

		begin(&f, seed);
		make(&f);
		found += compare(&f);
		end(&f);
	}
	cr_assert_gt(found, 20 * seeds);
}

/* One run of token characters without an end; a name in front of its last part
 * in the piece before, and far from it. */
Test(secrets_pieces, a_run_across_all_borders)
{
	static const size_t names[] = { 0, 30, 63, 64, 65, 600 };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct fixture f;

		begin(&f, i + 1);
		put(&f, "x ", 2);
		/* Up to the border a name ends every 60 characters. */
		while (f.text.len < PIECE - names[i]) {
			fill(&f, "abcxyz", 59);
			put(&f, "=", 1);
		}
		f.text.len = PIECE - names[i];
		fill(&f, TOKEN, 300);
		put(&f, " and ", 5);
		while (f.text.len < TEXT)
			fill(&f, TOKEN, 1000);
		f.pieces = (struct pyd_pieces) { .len = f.text.len,
						 .read = read_text,
						 .ctx = &f.text };
		compare(&f);
		end(&f);
	}
}

static void fill_whole(struct fixture *f, const char *head, const char *all,
		       const char *tail)
{
	f->text.len = 0;
	put(f, head, strlen(head));
	while (f->text.len < TEXT - strlen(tail))
		put(f, all, strlen(all));
	f->text.len = TEXT - strlen(tail);
	put(f, tail, strlen(tail));
	f->pieces = (struct pyd_pieces) { .len = f->text.len,
					  .read = read_text,
					  .ctx = &f->text };
}

/* What it is made of says whether it is a secret under such a name. */
Test(secrets_pieces, values_under_a_name)
{
	static const char *const texts[][3] = {
		{ "", "a key without spaces", "" },
		{ "", "key", "" },
		{ "", "key", " " },
		{ "", "key", "(" },
		{ "/", "usr/lib/", "" },
		{ "/", "usr/lib/", "=" },
		{ "/", "usr/lib/", "/aB3xK9pQ2mZ7rT4wY8nL1vC6" },
		{ "/", "usr.lib/", "/aB3xK9pQ2mZ7rT4wY8nL1vC6.pem" },
		{ "", "usr/lib/", "" },
		{ "", "word.and.", "x" },
		{ ".", "word.and.", "x" },
		{ "", "word_and_", "x" },
		{ "", "Word", "x" },
		{ "", "12-", "" },
		{ "sha", "1-2.3", "" },
		{ "sha", "1-2.3", "a" },
	};
	static const enum pyd_name_class classes[] = { PYD_CLASS_MAYBE,
						       PYD_CLASS_SECRET };
	struct pyd_err err = { 0 };
	struct fixture f;

	begin(&f, 1);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct pyd_pieces_kind kind;
		struct pyd_known known;
		struct pyd_spans a = { 0 }, b = { 0 };
		bool is;

		fill_whole(&f, texts[i][0], texts[i][1], texts[i][2]);
		cr_assert_eq(pyd_pieces_kind(&f.pieces, &kind, &err), PYD_OK);
		for (size_t k = 0; k < 2; k++)
			cr_expect_eq(pyd_pieces_is_value(&kind, classes[k]),
				     pyd_rules_is_value(f.rules, classes[k],
							f.text.data,
							f.text.len),
				     "text %zu, class %d", i, classes[k]);
		/* It is known as the whole is, alone and inside of others. */
		cr_assert_eq(pyd_known_init(&known, &err), PYD_OK);
		cr_assert_eq(
			pyd_known_add_in(&known, &f.pieces, kind.words, &err),
			PYD_OK);
		cr_expect(pyd_known_is(&known, f.text.data, f.text.len));
		cr_assert_eq(pyd_known_is_in(&known, &f.pieces, &is, &err),
			     PYD_OK);
		cr_expect(is);
		cr_assert_eq(pyd_known_find(&known, f.text.data, f.text.len, 1,
					    &a, &err),
			     PYD_OK);
		pyd_known_deinit(&known);
		cr_assert_eq(pyd_known_init(&known, &err), PYD_OK);
		cr_assert_eq(
			pyd_known_add(&known, f.text.data, f.text.len, &err),
			PYD_OK);
		cr_assert_eq(pyd_known_find(&known, f.text.data, f.text.len, 1,
					    &b, &err),
			     PYD_OK);
		same(&f, &a, &b, texts[i][1]);
		pyd_spans_deinit(&a);
		pyd_spans_deinit(&b);
		pyd_known_deinit(&known);
	}
	end(&f);
}

/* No text has so many: all of it. */
Test(secrets_pieces, more_than_any_text_has)
{
	struct pyd_spans spans = { 0 };
	struct pyd_buf text = { 0 };
	struct pyd_pieces p = { .read = read_text, .ctx = &text };
	struct pyd_err err = { 0 };
	struct fixture f;

	begin(&f, 1);
	for (size_t i = 0; i < (1 << 20) + 10; i++)
		cr_assert_eq(pyd_buf_append(&text, "pw=a1b2c3 ", 10, &err),
			     PYD_OK);
	p.len = text.len;
	cr_assert_eq(pyd_pieces_match(&p, &f.matcher, &spans, &err), PYD_OK);
	cr_assert_eq(spans.n, 1);
	cr_assert_eq(spans.v[0].len, text.len);
	spans.n = 0;
	cr_assert_eq(
		pyd_known_add(&f.known, (const uint8_t *)"pw=a1b2c3", 9, &err),
		PYD_OK);
	cr_assert_eq(pyd_known_find_in(&f.known, &p, 5, &spans, &err), PYD_OK);
	cr_assert_eq(spans.n, 1);
	cr_assert_eq(spans.v[0].len, text.len);
	pyd_spans_deinit(&spans);
	pyd_buf_deinit(&text);
	end(&f);
}

/* Texts that hold nothing are known by the same looks. */
Test(secrets_pieces, nothing_to_look_for)
{
	static const char *const tails[] = {
		"",	  "=",
		"-",	  "--",
		"a--b",	  " abcdefghijklmn",
		"<",	  ":",
		"aaaaaa", " abcdefghijklmno",
	};
	struct pyd_err err = { 0 };
	struct fixture f;

	begin(&f, 1);
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
		for (size_t cut = 0; cut < 9; cut++) {
			bool worth;

			fill_whole(&f, i & 1 ? "Basic x " : "", "abc def\n",
				   tails[i]);
			f.pieces.len = f.text.len -= cut;
			cr_assert_eq(pyd_pieces_worth(&f.pieces, &worth, &err),
				     PYD_OK);
			cr_expect_eq(worth,
				     pyd_match_worth(&f.matcher, f.text.data,
						     f.text.len),
				     "%s, cut by %zu", tails[i], cut);
		}
	end(&f);
}
