// SPDX-License-Identifier: Apache-2.0
/* How many dumps a watchdog writes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "watch/budget.h"

Test(budget, most)
{
	const struct pyd_watch_options o = { .max_dumps = 2 };
	struct pyd_budget b = { .o = &o };

	cr_assert_null(pyd_budget_take(&b));
	cr_assert_null(pyd_budget_take(&b));
	/* Why, once. */
	cr_assert(strstr(pyd_budget_take(&b), "--max-dumps"));
	cr_assert_str_empty(pyd_budget_take(&b));
	pyd_budget_give_back(&b, false);
	cr_assert_null(pyd_budget_take(&b));
	cr_assert(strstr(pyd_budget_take(&b), "--max-dumps"));
}

Test(budget, time_between)
{
	const struct pyd_watch_options o = { .cooldown_ns = UINT64_MAX / 2 };
	struct pyd_budget b = { .o = &o };

	/* What was no Python is no dump to wait after; a full disk is. */
	cr_assert_null(pyd_budget_take(&b));
	pyd_budget_give_back(&b, true);
	cr_assert_null(pyd_budget_take(&b));
	pyd_budget_give_back(&b, false);
	cr_assert(strstr(pyd_budget_take(&b), "--cooldown"));
}

Test(budget, newest)
{
	const struct pyd_watch_options o = { .keep = 2 };
	struct pyd_budget b = { .o = &o };
	char names[4][32];

	for (size_t i = 0; i < 4; i++) {
		int fd;

		snprintf(names[i], sizeof(names[i]), "/tmp/pydumpd-XXXXXX");
		fd = mkstemp(names[i]);
		cr_assert_geq(fd, 0);
		close(fd);
		cr_assert_null(pyd_budget_take(&b));
		pyd_budget_done(&b, names[i]);
	}
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(access(names[i], F_OK) == 0, i >= 2);
	for (size_t i = 2; i < 4; i++)
		unlink(names[i]);
	pyd_budget_deinit(&b);
}
