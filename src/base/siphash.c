// SPDX-License-Identifier: Apache-2.0
#include "base/siphash.h"

#include <string.h>

struct state {
	uint64_t a, b, c, d;
};

static uint64_t rotl(uint64_t v, unsigned int n)
{
	return v << n | v >> (64 - n);
}

static void mix(struct state *s, unsigned int times)
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

uint64_t pyd_siphash(const struct pyd_siphash_key *key, const void *data,
		     size_t len)
{
	const uint8_t *p = data;
	struct state s = {
		.a = key->k0 ^ 0x736f6d6570736575ULL,
		.b = key->k1 ^ 0x646f72616e646f6dULL,
		.c = key->k0 ^ 0x6c7967656e657261ULL,
		.d = key->k1 ^ 0x7465646279746573ULL,
	};
	size_t i = 0;
	uint64_t m;

	for (; i + 8 <= len; i += 8) {
		m = load(p + i, 8);
		s.d ^= m;
		mix(&s, 2);
		s.a ^= m;
	}
	m = load(p + i, len - i) | (uint64_t)len << 56;
	s.d ^= m;
	mix(&s, 2);
	s.a ^= m;
	s.c ^= 0xff;
	mix(&s, 4);
	return s.a ^ s.b ^ s.c ^ s.d;
}
