// SPDX-License-Identifier: Apache-2.0
/*
 * Core files, and native stacks out of them. The first byte chooses: the rest
 * is a core, or a compressed one; or changes of a core that is whole, three
 * bytes each.
 */
#include "../unit/corefile.h"
#include "native/unwind.h"
#include "target/core.h"
#include "target/procfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every stack; frames lie in the target, and go up. */
static void unwind_all(struct pyd_target *t, const struct pyd_core_info *info)
{
	struct pyd_calls calls = { 0 };
	struct pyd_nmodules m;
	struct pyd_unwinder *u;
	struct pyd_err err;

	if (pyd_nmodules_load(t, NULL, &m, &err))
		return;
	if (!pyd_unwinder_create(t, &m, &u, &err)) {
		for (size_t i = 0; i < info->threads.n && i < 8; i++) {
			if (pyd_unwind(u, &info->threads.v[i].regs,
				       pyd_now_ns() + 1000000000, &calls, &err))
				abort();
			if (calls.n > PYD_CALLS_MAX ||
			    calls.whole != !calls.note[0])
				abort();
		}
		pyd_unwinder_destroy(u);
	}
	pyd_calls_deinit(&calls);
	pyd_nmodules_deinit(&m);
}

static void read_all(struct pyd_target *t)
{
	struct pyd_err err;
	uint8_t buf[256];
	pyd_addr last = 0;

	for (size_t i = 0; i < t->nregions; i++) {
		const struct pyd_region *r = &t->regions[i];

		if (r->start >= r->end || r->start < last)
			abort();
		last = r->end;
		if (i > 1000)
			continue;
		(void)!pyd_target_read(t, r->start, buf, sizeof(buf), &err);
		(void)!pyd_target_read(t, r->end - 1, buf, sizeof(buf), &err);
		(void)!pyd_target_read(t, r->end - sizeof(buf), buf,
				       sizeof(buf), &err);
	}
}

static void fuzz_one(const uint8_t *core, size_t len)
{
	char path[64];
	int fd = corefile_fd(core, len, path, sizeof(path));
	struct pyd_core_options opts = { .path = path };
	struct pyd_buf argv = { 0 }, env = { 0 };
	const struct pyd_core_info *info;
	struct pyd_target *t;
	struct pyd_err err = { 0 };

	if (pyd_target_core_create(&opts, &t, &err)) {
		if (!err.msg[0])
			abort();
		close(fd);
		return;
	}
	info = pyd_target_core_info(t);
	if (!info->threads.n && !info->no_notes)
		abort();
	read_all(t);
	(void)!pyd_core_arguments(t, &argv, &env, &err);
	unwind_all(t, info);
	pyd_buf_deinit(&argv);
	pyd_buf_deinit(&env);
	pyd_target_destroy(t);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct corefile whole, c;

	if (!size)
		return 0;
	if (!(data[0] & 1)) {
		fuzz_one(data + 1, size - 1);
		return 0;
	}
	if (!whole.len)
		corefile_make(&whole);
	c = whole;
	/* Cut, when the first byte says so. */
	if (data[0] & 2)
		c.len -= (size_t)(data[0] >> 2) * 97 % c.len;
	for (data++, size--; size >= 3; data += 3, size -= 3) {
		size_t at = (size_t)data[0] << 8 | data[1];

		/* The notes, headers and tables matter more than zeros. */
		c.bytes[at % (c.len ? c.len : 1)] = data[2];
	}
	fuzz_one(c.bytes, c.len);
	return 0;
}
