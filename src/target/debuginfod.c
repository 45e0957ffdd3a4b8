// SPDX-License-Identifier: Apache-2.0
#include "target/debuginfod.h"

#include <stdio.h>
#include <stdlib.h>

const char *pyd_debuginfod_path(int i, const char *id, const char *what,
				char *buf, size_t cap)
{
	static const struct {
		const char *variable;
		const char *below;
	} places[PYD_DEBUGINFOD_PLACES] = {
		{ "DEBUGINFOD_CACHE_PATH", "" },
		{ "XDG_CACHE_HOME", "/debuginfod_client" },
		{ "HOME", "/.cache/debuginfod_client" },
		{ "HOME", "/.debuginfod_client_cache" },
	};
	const char *dir = getenv(places[i].variable);
	int n;

	if (!dir || !dir[0])
		return NULL;
	n = snprintf(buf, cap, "%s%s/%s/%s", dir, places[i].below, id, what);
	return n > 0 && (size_t)n < cap ? buf : NULL;
}
