// SPDX-License-Identifier: Apache-2.0
#include "base/siphash.h"

#include <string.h>

static uint64_t rotl(uint64_t v, unsigned int n)
{
	return v << n | v >> (64 - n);
}

static void mix(struct pyd_siphash_state *s, unsigned int times)
{
	while (times--) {
		s->a += s->b;
		s->b = rotl(s->b, 13) ^ s->a;
		s->a = rotl(s->a, 32);
		s->c += s->d;
		s->d = rotl(s->d, 16) ^ s->c;
		s->a += s->d;
		s->d = rotl(s->d, 21) ^ s->a;
		s->c += s->b;
		s->b = rotl(s->b, 17) ^ s->c;
		s->c = rotl(s->c, 32);
	}
}

static uint64_t load(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static void word(struct pyd_siphash_state *s, uint64_t m)
{
	s->d ^= m;
	mix(s, 2);
	s->a ^= m;
}

void pyd_siphash_begin(struct pyd_siphash_state *s,
		       const struct pyd_siphash_key *key)
{
	*s = (struct pyd_siphash_state) {
		.a = key->k0 ^ 0x736f6d6570736575ULL,
		.b = key->k1 ^ 0x646f72616e646f6dULL,
		.c = key->k0 ^ 0x6c7967656e657261ULL,
		.d = key->k1 ^ 0x7465646279746573ULL,
	};
}

void pyd_siphash_add(struct pyd_siphash_state *s, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t had = s->len % 8, n = 0;

	s->len += len;
	if (had) {
		n = len < 8 - had ? len : 8 - had;
		memcpy(s->tail + had, p, n);
		if (had + n < 8)
			return;
		word(s, load(s->tail, 8));
	}
	for (; n + 8 <= len; n += 8)
		word(s, load(p + n, 8));
	if (n < len)
		memcpy(s->tail, p + n, len - n);
}

uint64_t pyd_siphash_end(struct pyd_siphash_state *s)
{
	word(s, load(s->tail, s->len % 8) | s->len << 56);
	s->c ^= 0xff;
	mix(s, 4);
	return s->a ^ s->b ^ s->c ^ s->d;
}

uint64_t pyd_siphash(const struct pyd_siphash_key *key, const void *data,
		     size_t len)
{
	struct pyd_siphash_state s;

	pyd_siphash_begin(&s, key);
	pyd_siphash_add(&s, data, len);
	return pyd_siphash_end(&s);
}
