// SPDX-License-Identifier: Apache-2.0
/*
 * Decodes line tables for tests/e2e/test_linetables.py. Each line of standard
 * input is: MODEL FIRSTLINE SIZE TABLE, where MODEL is lnotab, deltas or
 * locations, SIZE the bytes of bytecode and TABLE hex (- when empty). The
 * answer is a line of "line,end_line,col,end_col" for every code unit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "read/linetable.h"

int main(void)
{
	char *line = NULL;
	size_t cap = 0;

	while (getline(&line, &cap, stdin) > 0) {
		const char *model = strtok(line, " \n");
		const char *first = strtok(NULL, " \n");
		const char *size = strtok(NULL, " \n");
		const char *hex = strtok(NULL, " \n");

		if (!model || !first || !size || !hex)
			return 2;

		size_t n = strcmp(hex, "-") ? strlen(hex) / 2 : 0;
		uint8_t *table = malloc(n + 1);

		if (!table)
			return 1;
		for (size_t i = 0; i < n; i++) {
			unsigned int byte;

			if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
				return 2;
			table[i] = (uint8_t)byte;
		}
		for (long at = 0; at < atol(size); at += 2) {
			struct pyd_position p = { -1, -1, -1, -1 };

			if (!strcmp(model, "lnotab"))
				pyd_linetable_lnotab(table, n, atoi(first), at,
						     &p);
			else if (!strcmp(model, "deltas"))
				pyd_linetable_deltas(table, n, atoi(first), at,
						     &p);
			else
				pyd_linetable_locations(table, n, atoi(first),
							at, &p);
			printf("%s%d,%d,%d,%d", at ? " " : "", p.line,
			       p.end_line, p.col, p.end_col);
		}
		printf("\n");
		free(table);
	}
	free(line);
	return 0;
}
