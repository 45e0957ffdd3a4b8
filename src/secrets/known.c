// SPDX-License-Identifier: Apache-2.0
#include "secrets/known.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	INSIDE_MIN = 8, /* of what is looked for inside of texts */
	STRIDE = 4,
	GRAM = 5,
	WORD_MAX = 24,
	ENTRIES_MAX = 1 << 22,
	CHAIN_MAX = 8, /* grams that are looked for elsewhere instead */
	TRIES = 16,    /* places in a secret to choose from */
	/* No more of a secret is looked at for that. */
	HEAD = TRIES * STRIDE + INSIDE_MIN,
	FIRST_BITS = 16, /* of the filter: 8 kB */
	BITS_A_GRAM = 32,
	/* Bytes that are hashed at most for each byte of a text. Where places
	 * are that many that look like a long secret (it repeats itself, and so
	 * does the text), the rest of them are taken for it. */
	HASHED_A_BYTE = 64,
	HASHED_MIN = 1 << 20,
};

_Static_assert(STRIDE - 1 + GRAM <= INSIDE_MIN, "every alignment has a gram");

enum pyd_code pyd_known_init(struct pyd_known *k, struct pyd_err *err)
{
	*k = (struct pyd_known) { 0 };
	if (getrandom(&k->key, sizeof(k->key), 0) != sizeof(k->key))
		return pyd_err_errno(err, PYD_IO, errno,
				     "no random numbers for the tags of "
				     "secrets");
	return PYD_OK;
}

void pyd_known_deinit(struct pyd_known *k)
{
	free(k->v);
	free(k->grams);
	free(k->bloom);
	pyd_map_deinit(&k->by_hash);
	pyd_map_deinit(&k->chains);
	explicit_bzero(&k->key, sizeof(k->key));
	*k = (struct pyd_known) { 0 };
}

/* A word, or words with dots: it stands in texts that have nothing to do with
 * the secret. */
static bool is_plain(const uint8_t *s, size_t n)
{
	bool lower = false, dot = false;
	size_t upper = 0;

	for (size_t i = 0; i < n; i++) {
		if (islower(s[i]))
			lower = true;
		else if (isupper(s[i]))
			upper++;
		else if ((s[i] == '.' || s[i] == '_') && i)
			dot |= s[i] == '.';
		else
			return false;
	}
	if (dot)
		return true;
	/* lower, Capital, UPPER; snake_case only with dots */
	if (memchr(s, '_', n))
		return false;
	return n <= WORD_MAX &&
	       (!upper || !lower || (upper == 1 && isupper(s[0])));
}

static uint64_t load_gram(const uint8_t *s)
{
	uint64_t v = 0;

	memcpy(&v, s, GRAM);
	return v;
}

static uint64_t mix(uint64_t v)
{
	return v * 0x9e3779b97f4a7c15ULL;
}

static void set_bit(struct pyd_known *k, uint64_t gram)
{
	uint64_t h = mix(gram) >> (64 - k->bits);

	k->bloom[h >> 6] |= 1ULL << (h & 63);
}

static enum pyd_code grow_filter(struct pyd_known *k, struct pyd_err *err)
{
	unsigned int bits = k->bits ? k->bits : FIRST_BITS;
	uint64_t *bloom;

	while ((1ULL << bits) / BITS_A_GRAM < k->ngrams + STRIDE && bits < 32)
		bits++;
	if (bits == k->bits)
		return PYD_OK;
	bloom = calloc((1ULL << bits) / 64, sizeof(*bloom));
	if (!bloom)
		return pyd_err_set(err, PYD_NOMEM, "out of memory for secrets");
	free(k->bloom);
	k->bloom = bloom;
	k->bits = bits;
	for (size_t i = 0; i < k->ngrams; i++)
		set_bit(k, k->grams[i].bytes);
	return PYD_OK;
}

static size_t chain_len(const struct pyd_known *k, uint64_t gram)
{
	uint64_t at = 0;
	size_t n = 0;

	if (!pyd_map_get(&k->chains, gram + 1, &at))
		return 0;
	for (; at && n < 2 * CHAIN_MAX; n++)
		at = k->grams[at - 1].next;
	return n;
}

/* Where in the secret the grams are taken that fewest others have. */
static size_t choose(const struct pyd_known *k, const uint8_t *s, size_t n)
{
	size_t best = 0, least = SIZE_MAX;

	for (size_t t = 0; t < TRIES; t++) {
		size_t at = t * STRIDE, most = 0;

		if (at + INSIDE_MIN > n)
			break;
		for (size_t o = 0; o < STRIDE; o++) {
			size_t len = chain_len(k, load_gram(s + at + o));

			if (len > most)
				most = len;
		}
		if (most < least) {
			least = most;
			best = at;
		}
		if (least < CHAIN_MAX)
			break;
	}
	return best;
}

static enum pyd_code add_grams(struct pyd_known *k, uint32_t entry,
			       const uint8_t *s, size_t n, struct pyd_err *err)
{
	size_t at = choose(k, s, n);
	enum pyd_code code = grow_filter(k, err);

	if (code)
		return code;
	if (k->ngrams + STRIDE > k->grams_cap) {
		size_t cap = k->grams_cap ? 2 * k->grams_cap : 256;
		struct pyd_known_gram *v =
			reallocarray(k->grams, cap, sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM,
					   "out of memory for secrets");
		k->grams = v;
		k->grams_cap = cap;
	}
	for (size_t o = at; o < at + STRIDE; o++) {
		uint64_t gram = load_gram(s + o), head = 0;

		if (!pyd_map_get(&k->chains, gram + 1, &head))
			head = 0;
		k->grams[k->ngrams++] = (struct pyd_known_gram) {
			.bytes = gram,
			.entry = entry,
			.offset = (uint32_t)o,
			.next = (uint32_t)head,
		};
		code = pyd_map_put(&k->chains, gram + 1, k->ngrams, err);
		if (code)
			return code;
		set_bit(k, gram);
	}
	return PYD_OK;
}

static uint64_t hash_of(const struct pyd_known *k, const uint8_t *s, size_t n)
{
	uint64_t h = pyd_siphash(&k->key, s, n);

	return h ? h : 1;
}

/* What is added: n bytes with that hash, of which those at the begin are at
 * head (HEAD of them, where there are as many). */
struct news {
	uint64_t hash;
	size_t n;
	const uint8_t *head;
	uint8_t last;
	bool plain; /* it is looked for alone */
};

static enum pyd_code add(struct pyd_known *k, const struct news *s,
			 struct pyd_err *err)
{
	uint64_t len = s->n < PYD_KNOWN_LENGTHS ? s->n : 0;
	enum pyd_code code;

	if (k->n == k->cap) {
		size_t cap = k->cap ? 2 * k->cap : 64;
		struct pyd_known_entry *v = reallocarray(k->v, cap, sizeof(*v));

		if (!v)
			return pyd_err_set(err, PYD_NOMEM,
					   "out of memory for secrets");
		k->v = v;
		k->cap = cap;
	}
	k->v[k->n] = (struct pyd_known_entry) { .hash = s->hash,
						.len = (uint32_t)s->n,
						.first = s->head[0],
						.last = s->last };
	code = pyd_map_put(&k->by_hash, s->hash, ++k->n, err);
	if (code)
		return code;
	k->lengths[len / 64] |= 1ULL << (len & 63);
	if (s->n < INSIDE_MIN || s->plain)
		return PYD_OK;
	return add_grams(k, (uint32_t)(k->n - 1), s->head,
			 s->n < HEAD ? s->n : HEAD, err);
}

enum pyd_code pyd_known_add(struct pyd_known *k, const uint8_t *s, size_t n,
			    struct pyd_err *err)
{
	struct news news = { .n = n, .head = s };
	uint64_t found;

	if (n < 2 || n > UINT32_MAX || k->n >= ENTRIES_MAX)
		return PYD_OK;
	news.hash = hash_of(k, s, n);
	if (pyd_map_get(&k->by_hash, news.hash, &found))
		return PYD_OK;
	news.last = s[n - 1];
	news.plain = is_plain(s, n);
	return add(k, &news, err);
}

static enum pyd_code hash_in(const struct pyd_known *k,
			     const struct pyd_pieces *p, uint64_t at,
			     uint64_t len, uint64_t *ret, struct pyd_err *err)
{
	struct pyd_siphash_state hash;
	enum pyd_code code;

	pyd_siphash_begin(&hash, &k->key);
	code = pyd_pieces_hash(p, at, len, &hash, err);
	if (code)
		return code;
	*ret = pyd_siphash_end(&hash);
	*ret = *ret ? *ret : 1;
	return PYD_OK;
}

enum pyd_code pyd_known_add_in(struct pyd_known *k, const struct pyd_pieces *p,
			       bool words, struct pyd_err *err)
{
	uint8_t head[HEAD];
	struct news news = { .n = p->len, .head = head, .plain = words };
	uint64_t found;
	enum pyd_code code;

	if (p->len < HEAD || p->len > UINT32_MAX || k->n >= ENTRIES_MAX)
		return PYD_OK;
	code = hash_in(k, p, 0, p->len, &news.hash, err);
	if (code || pyd_map_get(&k->by_hash, news.hash, &found))
		return code;
	code = p->read(p->ctx, 0, head, HEAD, err);
	if (!code)
		code = p->read(p->ctx, p->len - 1, &news.last, 1, err);
	return code ? code : add(k, &news, err);
}

enum pyd_code pyd_known_is_in(const struct pyd_known *k,
			      const struct pyd_pieces *p, bool *ret,
			      struct pyd_err *err)
{
	uint64_t hash = 0, found;
	enum pyd_code code;

	*ret = false;
	/* It is longer than those of which the length is known. */
	if (!k->n || !(k->lengths[0] & 1))
		return PYD_OK;
	code = hash_in(k, p, 0, p->len, &hash, err);
	*ret = !code && pyd_map_get(&k->by_hash, hash, &found);
	return code;
}

bool pyd_known_is(const struct pyd_known *k, const uint8_t *s, size_t n)
{
	size_t len = n < PYD_KNOWN_LENGTHS ? n : 0;
	uint64_t found;

	if (!k->n || !(k->lengths[len / 64] >> (len & 63) & 1))
		return false;
	return pyd_map_get(&k->by_hash, hash_of(k, s, n), &found);
}

/* A text, or a piece of one. */
struct place {
	const uint8_t *s;
	size_t n;
	/* Of the piece: the text, and where in it the piece begins. */
	const struct pyd_pieces *text;
	uint64_t base;
	uint64_t *left; /* bytes that may be hashed for the whole text */
};

static uint64_t budget(uint64_t len)
{
	return len * HASHED_A_BYTE + HASHED_MIN;
}

/* False when the text has taken too much of that. */
static bool may_hash(const struct place *p, uint64_t len)
{
	bool may = *p->left >= len;

	*p->left = may ? *p->left - len : 0;
	return may;
}

/* Whether a secret is at s[from]. It may be longer than the piece is. */
static enum pyd_code is_there(const struct pyd_known *k,
			      const struct pyd_known_entry *e,
			      const struct place *p, size_t from, bool *ret,
			      struct pyd_err *err)
{
	uint64_t hash = 0, at = p->base + from;
	uint8_t last = 0;
	enum pyd_code code;

	*ret = false;
	if (p->s[from] != e->first)
		return PYD_OK;
	if (e->len <= p->n - from) {
		if (p->s[from + e->len - 1] != e->last)
			return PYD_OK;
		*ret = !may_hash(p, e->len) ||
		       hash_of(k, p->s + from, e->len) == e->hash;
		return PYD_OK;
	}
	if (!p->text || e->len > p->text->len - at)
		return PYD_OK;
	code = p->text->read(p->text->ctx, at + e->len - 1, &last, 1, err);
	if (code || last != e->last)
		return code;
	*ret = !may_hash(p, e->len);
	if (*ret)
		return PYD_OK;
	code = hash_in(k, p->text, at, e->len, &hash, err);
	*ret = !code && hash == e->hash;
	return code;
}

/* A gram was met at s[at]: the secrets that have it. */
static enum pyd_code look(const struct pyd_known *k, uint64_t gram,
			  const struct place *p, size_t at, size_t rule,
			  struct pyd_spans *out, struct pyd_err *err)
{
	uint64_t next = 0;

	if (!pyd_map_get(&k->chains, gram + 1, &next))
		return PYD_OK;
	while (next) {
		const struct pyd_known_gram *g = &k->grams[next - 1];
		const struct pyd_known_entry *e = &k->v[g->entry];
		size_t from = at - g->offset;
		enum pyd_code code;
		bool is;

		next = g->next;
		if (g->offset > at)
			continue;
		code = is_there(k, e, p, from, &is, err);
		if (!code && is)
			code = pyd_spans_add(out, (size_t)p->base + from,
					     e->len, rule, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

/* Looks at every fourth place from `from` on, and before `to`. */
static enum pyd_code find(const struct pyd_known *k, const struct place *p,
			  size_t from, size_t to, size_t rule,
			  struct pyd_spans *out, struct pyd_err *err)
{
	const uint64_t *bloom = k->bloom;
	unsigned int shift = 64 - k->bits;
	const uint8_t *s = p->s;
	size_t n = p->n;

	for (size_t i = from; i < to && i + GRAM <= n; i += STRIDE) {
		uint64_t gram = 0, h;
		enum pyd_code code;

		if (i + 8 <= n) {
			memcpy(&gram, s + i, 8);
			gram &= 0xffffffffffULL;
		} else {
			gram = load_gram(s + i);
		}
		h = mix(gram) >> shift;
		if (!(bloom[h >> 6] >> (h & 63) & 1))
			continue;
		code = look(k, gram, p, i, rule, out, err);
		if (code)
			return code;
	}
	return PYD_OK;
}

enum pyd_code pyd_known_find(const struct pyd_known *k, const uint8_t *s,
			     size_t n, size_t rule, struct pyd_spans *out,
			     struct pyd_err *err)
{
	uint64_t left = budget(n);
	const struct place p = { .s = s, .n = n, .left = &left };

	if (!k->ngrams || n < INSIDE_MIN)
		return PYD_OK;
	return find(k, &p, 0, n, rule, out, err);
}

enum pyd_code pyd_known_find_in(const struct pyd_known *k,
				const struct pyd_pieces *p, size_t rule,
				struct pyd_spans *out, struct pyd_err *err)
{
	uint64_t left = budget(p->len);
	size_t first = out->n;
	struct pyd_look w;
	bool more;
	enum pyd_code code;

	if (!k->ngrams)
		return PYD_OK;
	code = pyd_look_open(&w, p, err);
	while (!code) {
		struct place at = { .text = p, .left = &left };

		code = pyd_look_next(&w, &more, err);
		if (code || !more)
			break;
		at.s = w.data;
		at.n = w.n;
		at.base = w.base;
		code = find(k, &at, w.from, w.to, rule, out, err);
		if (out->n - first <= PYD_MATCH_SPANS || code)
			continue;
		out->n = first;
		code = pyd_spans_add(out, 0, p->len, rule, err);
		break;
	}
	pyd_look_close(&w);
	return code;
}
