/* SPDX-License-Identifier: Apache-2.0 */
/* Ways in which C code of an extension ends a program. */
#include <stdlib.h>

void fail(void)
{
	abort();
}

long recurse(long n)
{
	volatile char room[256];

	room[0] = (char)n;
	return n ? recurse(n - 1) + room[0] : 0;
}

void free_twice(void)
{
	char *volatile p = malloc(40);

	free(p);
	free(p);
}

void call(void (*f)(void))
{
	f();
}
