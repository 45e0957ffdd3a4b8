// SPDX-License-Identifier: Apache-2.0
#include "target/target.h"

#include <string.h>

#include "target/maps.h"

enum { PAGE = 4096 };

enum pyd_code pyd_target_read_slow(struct pyd_target *t, pyd_addr addr,
				   void *buf, size_t len, struct pyd_err *err)
{
	if (!len)
		return PYD_OK;
	if (len - 1 > UINT64_MAX - addr)
		return pyd_err_at(err, PYD_FAULT, addr,
				  "%zu bytes at 0x%llx wrap around", len,
				  (unsigned long long)addr);
	return t->ops->read(t, addr, buf, len, err);
}

enum pyd_code pyd_target_read_cstr(struct pyd_target *t, pyd_addr addr,
				   char *buf, size_t cap, uint8_t *ret_cut,
				   struct pyd_err *err)
{
	size_t have = 0;

	if (!cap)
		return pyd_err_set(err, PYD_USAGE, "no room for a string");

	while (have < cap - 1) {
		pyd_addr at = addr + have;
		/* Never across a page end: the next may not be there. */
		size_t len = PAGE - (size_t)(at % PAGE);

		/* Names are short; most are had with the first read. */
		if (len > 128)
			len = 128;
		if (len > cap - 1 - have)
			len = cap - 1 - have;

		enum pyd_code code =
			pyd_target_read(t, at, buf + have, len, err);

		if (code)
			return code;
		if (memchr(buf + have, 0, len)) {
			if (ret_cut)
				*ret_cut = 0;
			return PYD_OK;
		}
		have += len;
	}
	buf[have] = 0;
	if (ret_cut)
		*ret_cut = 1;
	return PYD_OK;
}

const struct pyd_region *pyd_target_region(const struct pyd_target *t,
					   pyd_addr addr)
{
	return pyd_regions_find(t->regions, t->nregions, addr);
}

void pyd_target_destroy(struct pyd_target *t)
{
	if (t)
		t->ops->destroy(t);
}

enum pyd_code pyd_target_open_file(struct pyd_target *t,
				   const struct pyd_region *r, int *ret,
				   struct pyd_err *err)
{
	if (!t->ops->open_file)
		return pyd_err_set(err, PYD_NOTFOUND, "no file is known");
	return t->ops->open_file(t, r, ret, err);
}
