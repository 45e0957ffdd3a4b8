// SPDX-License-Identifier: Apache-2.0
#include "read/family.h"

static const struct pyd_family families[] = {
#define PYD_FAMILY(name, k, fn, owns)                                          \
	{ .tp_name = name,                                                     \
	  .kind = PYD_KIND_##k,                                                \
	  .read = fn,                                                          \
	  .owns_dict = owns },
#define PYD_FAMILY_PLAIN(name, k) { .tp_name = name, .kind = PYD_KIND_##k },
#include "read/families.def"
#undef PYD_FAMILY
#undef PYD_FAMILY_PLAIN
};

const struct pyd_family pyd_family_object = {
	.tp_name = "object",
	.kind = PYD_KIND_object,
};

const struct pyd_family *pyd_family_find(const char *tp_name)
{
	/* Once for each type of the target: a scan is good enough. */
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (!strcmp(families[i].tp_name, tp_name))
			return &families[i];
	return NULL;
}
