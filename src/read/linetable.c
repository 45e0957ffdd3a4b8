// SPDX-License-Identifier: Apache-2.0
#include "read/linetable.h"

#include <stdbool.h>

/* A line that a table led to; impossible ones are none. Python itself calls the
 * start of a module line 0. */
static int32_t checked(int64_t line)
{
	return line >= 0 && line <= INT32_MAX ? (int32_t)line : -1;
}

void pyd_linetable_lnotab(const uint8_t *p, size_t n, int32_t first,
			  int64_t lasti, struct pyd_position *ret)
{
	int64_t addr = 0, line = first;

	for (size_t i = 0; i + 1 < n; i += 2) {
		addr += p[i];
		if (addr > lasti)
			break;
		line += (int8_t)p[i + 1];
	}
	ret->line = checked(line);
}

void pyd_linetable_deltas(const uint8_t *p, size_t n, int32_t first,
			  int64_t lasti, struct pyd_position *ret)
{
	int64_t end = 0, line = first;

	if (lasti < 0) {
		ret->line = checked(first);
		return;
	}
	for (size_t i = 0; i + 1 < n; i += 2) {
		int8_t delta = (int8_t)p[i + 1];
		bool none = delta == -128;

		end += p[i];
		if (!none)
			line += delta;
		if (lasti < end) {
			ret->line = none ? -1 : checked(line);
			return;
		}
	}
}

/* A table and where we are in it. */
struct cursor {
	const uint8_t *p;
	size_t n, i;
};

static uint8_t next(struct cursor *c)
{
	return c->i < c->n ? c->p[c->i++] : 0;
}

static uint32_t varint(struct cursor *c)
{
	uint32_t v = 0;

	for (unsigned int shift = 0; shift < 30; shift += 6) {
		uint8_t b = next(c);

		v |= (uint32_t)(b & 0x3f) << shift;
		if (!(b & 0x40))
			break;
	}
	return v;
}

static int32_t svarint(struct cursor *c)
{
	uint32_t v = varint(c);

	return v & 1 ? -(int32_t)(v >> 1) : (int32_t)(v >> 1);
}

void pyd_linetable_locations(const uint8_t *p, size_t n, int32_t first,
			     int64_t lasti, struct pyd_position *ret)
{
	enum { NONE = 15, LONG = 14, NO_COLUMNS = 13, ONE_LINE = 10 };
	struct cursor c = { .p = p, .n = n };
	int64_t line = first, end = 0;

	if (lasti < 0) {
		ret->line = checked(first);
		return;
	}
	while (c.i < c.n) {
		uint8_t head = next(&c);
		unsigned int kind = head >> 3 & 15;
		int64_t end_line, col = -1, end_col = -1;

		end += ((head & 7) + 1) * 2;
		switch (kind) {
		case NONE:
			end_line = line;
			break;
		case LONG:
			line += svarint(&c);
			end_line = line + varint(&c);
			col = (int64_t)varint(&c) - 1;
			end_col = (int64_t)varint(&c) - 1;
			break;
		case NO_COLUMNS:
			line += svarint(&c);
			end_line = line;
			break;
		case ONE_LINE:
		case ONE_LINE + 1:
		case ONE_LINE + 2:
			line += kind - ONE_LINE;
			end_line = line;
			col = next(&c);
			end_col = next(&c);
			break;
		default: {
			uint8_t b = next(&c);

			end_line = line;
			col = kind << 3 | b >> 4;
			end_col = col + (b & 15);
			break;
		}
		}
		if (lasti < end) {
			if (kind == NONE)
				return;
			ret->line = checked(line);
			ret->end_line = checked(end_line);
			ret->col = (int32_t)col;
			ret->end_col = (int32_t)end_col;
			return;
		}
	}
}
