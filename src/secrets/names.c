// SPDX-License-Identifier: Apache-2.0
#include "secrets/names.h"

#include <string.h>

enum {
	NAME_BYTES = 80, /* nobody calls a password by a longer one */
	WORDS_MAX = 10,
	SPACED_WORDS_MAX = 3, /* more make a sentence */
	JOINED_MAX = 4,	      /* words of one entry */
};

#define HASH_OF_NONE 0xcbf29ce484222325ULL

/* A name in lower case without what separates its words. */
struct words {
	char text[NAME_BYTES];
	uint8_t at[WORDS_MAX + 1]; /* starts; the last is the end */
	unsigned int n;
};

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* False when it is no name at all. */
static bool split(const char *s, size_t len, struct words *w)
{
	size_t out = 0;
	bool open = false, spaced = false;

	w->n = 0;
	if (!len || len >= NAME_BYTES)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = s[i], before = i ? s[i - 1] : 0;
		char after = i + 1 < len ? s[i + 1] : 0;
		bool cut = false;

		if (!is_lower(c) && !is_upper(c) && !is_digit(c)) {
			if (c != '_' && (!strchr("-. :[]$", c) || !c))
				return false;
			spaced |= c == ' ' && out;
			open = false;
			continue;
		}
		if (is_upper(c))
			cut = is_lower(before) || is_digit(before) ||
			      (is_upper(before) && is_lower(after));
		else if (is_digit(c))
			cut = !is_digit(before);
		if (!open || cut) {
			if (w->n == WORDS_MAX)
				return false;
			w->at[w->n++] = (uint8_t)out;
		}
		open = true;
		w->text[out++] = is_upper(c) ? (char)(c | 0x20) : c;
	}
	w->at[w->n] = (uint8_t)out;
	return w->n && !(spaced && w->n > SPACED_WORDS_MAX);
}

/* Goes on from h, which is that of what stands behind; HASH_OF_NONE at the
 * end of a name. */
static uint64_t hash_before(uint64_t h, const char *s, size_t n)
{
	while (n)
		h = (h ^ (uint8_t)s[--n]) * 0x100000001b3ULL;
	return h;
}

static uint64_t hash(const char *s, size_t n)
{
	return hash_before(HASH_OF_NONE, s, n);
}

/* The lists that have it, a bit each. */
static uint64_t lists(const struct pyd_names *s, uint64_t h)
{
	uint64_t flags;

	return pyd_map_get(&s->words, h ? h : 1, &flags) ? flags : 0;
}

enum pyd_code pyd_names_add(struct pyd_names *s, enum pyd_names_list list,
			    const char *entry, size_t len, struct pyd_err *err)
{
	bool end = len && entry[0] == '*';
	struct words w;
	uint64_t flags, h;
	enum pyd_code code;

	if (!split(entry + end, len - end, &w))
		return pyd_err_set(err, PYD_USAGE,
				   "'%.*s' is not a word of a name", (int)len,
				   entry);
	if (end) {
		uint8_t flag = (uint8_t)list;

		if (list != PYD_NAMES_SECRET && list != PYD_NAMES_MAYBE)
			return pyd_err_set(err, PYD_USAGE,
					   "'*' stands only in name and maybe");
		code = pyd_buf_append(&s->ends, &flag, 1, err);
		if (!code)
			code = pyd_buf_append(&s->ends, w.text, w.at[w.n], err);
		return code ? code : pyd_buf_append(&s->ends, "", 1, err);
	}
	h = hash(w.text, w.at[w.n]);
	flags = lists(s, h) | 1ULL << list;
	return pyd_map_put(&s->words, h ? h : 1, flags, err);
}

static bool in(const struct pyd_names *s, enum pyd_names_list list,
	       const char *text, size_t n)
{
	return lists(s, hash(text, n)) >> list & 1;
}

/* Likewise, of "*word" entries. */
static uint64_t lists_of_end(const struct pyd_names *s, const char *text,
			     size_t n)
{
	const char *end = (const char *)s->ends.data;
	const char *stop = end + s->ends.len;
	uint64_t flags = 0;

	for (size_t len; end < stop; end += len + 1) {
		uint64_t flag = 1ULL << (uint8_t)*end++;

		len = strlen(end);
		/* Most differ in the last letter. */
		if (len <= n && end[len - 1] == text[n - 1] &&
		    !memcmp(text + n - len, end, len))
			flags |= flag;
	}
	return flags;
}

/* The lists that have one of the last words of the first n, or some of them
 * joined. */
static uint64_t matches(const struct pyd_names *s, const struct words *w,
			unsigned int n)
{
	const char *last = w->text + w->at[n - 1];
	uint64_t flags =
		lists_of_end(s, last, (size_t)(w->at[n] - w->at[n - 1]));
	uint64_t h = HASH_OF_NONE;

	for (unsigned int k = n; k > 0 && n - k < JOINED_MAX; k--) {
		h = hash_before(h, w->text + w->at[k - 1],
				(size_t)(w->at[k] - w->at[k - 1]));
		flags |= lists(s, h);
	}
	return flags;
}

static bool is_number(const struct words *w, unsigned int i)
{
	return is_digit(w->text[w->at[i]]);
}

/* "password_of_the_user", "token_for_x": what it is stands in front. */
static bool is_link(const struct words *w, unsigned int i)
{
	size_t n = (size_t)(w->at[i + 1] - w->at[i]);
	const char *s = w->text + w->at[i];

	return (n == 2 && !memcmp(s, "of", 2)) ||
	       (n == 3 && !memcmp(s, "for", 3)) ||
	       (n == 4 && !memcmp(s, "from", 4));
}

enum pyd_name_class pyd_names_class(const struct pyd_names *s, const char *name,
				    size_t len)
{
	static const char *const argv[] = {
		"args",	   "argv",     "cmd",	    "command",
		"cmdline", "origargv", "popenargs", "commandline",
	};
	struct words w;
	unsigned int n;

	if (!split(name, len, &w))
		return PYD_CLASS_PLAIN;
	for (unsigned int k = 1; k <= 2 && k <= w.n; k++)
		if (in(s, PYD_NAMES_NONAME, w.text, w.at[k]))
			return PYD_CLASS_PLAIN;
	n = w.n;
	for (unsigned int k = 1; k < w.n; k++)
		if (is_link(&w, k)) {
			n = k;
			break;
		}
	/* The longest name that is one: a tail may be a part of it. */
	for (;; n--) {
		uint64_t flags = matches(s, &w, n);

		if (flags >> PYD_NAMES_SECRET & 1)
			return PYD_CLASS_SECRET;
		if (flags >> PYD_NAMES_MAYBE & 1)
			return PYD_CLASS_MAYBE;
		if (n == 1 || !(is_number(&w, n - 1) ||
				in(s, PYD_NAMES_TAIL, w.text + w.at[n - 1],
				   (size_t)(w.at[n] - w.at[n - 1]))))
			break;
	}
	for (size_t i = 0; i < sizeof(argv) / sizeof(argv[0]); i++)
		if (w.at[w.n] == strlen(argv[i]) &&
		    !memcmp(w.text, argv[i], w.at[w.n]))
			return PYD_CLASS_ARGV;
	return PYD_CLASS_PLAIN;
}

bool pyd_names_is_name(const struct pyd_names *s, const char *text, size_t len)
{
	static const char *const before[] = {
		"db",	 "user",  "my",	  "the",    "new",    "old",
		"auth",	 "x",	  "app",  "admin",  "root",   "database",
		"login", "email", "your", "access", "client", "api",
	};
	struct words w;

	if (!split(text, len, &w))
		return false;
	for (unsigned int first = 0; first < w.n; first++) {
		const char *rest = w.text + w.at[first];
		size_t n = (size_t)(w.at[w.n] - w.at[first]);
		size_t i, have = (size_t)(w.at[first + 1] - w.at[first]);

		if (in(s, PYD_NAMES_SECRET, rest, n) ||
		    in(s, PYD_NAMES_MAYBE, rest, n))
			return true;
		for (i = 0; i < sizeof(before) / sizeof(before[0]); i++)
			if (have == strlen(before[i]) &&
			    !memcmp(rest, before[i], have))
				break;
		if (i == sizeof(before) / sizeof(before[0]))
			return false;
	}
	return false;
}

void pyd_names_deinit(struct pyd_names *s)
{
	pyd_map_deinit(&s->words);
	pyd_buf_deinit(&s->ends);
}
