// SPDX-License-Identifier: Apache-2.0
/*
 * For tests/e2e/test_dump_format.py.
 *
 *   dumptool write FILE SEED NODES [TYPES [BIG_AT BIG_SIZE]]
 *       a dump that is a function of its arguments
 *   dumptool read FILE
 *       every object by the C reading API, a line each as
 * tests/oracle/decode.py gives it too; each is also looked up by its address
 *   dumptool time FILE
 *       how long opening, a pass over all objects and look-ups take
 */
#include <inttypes.h>
#include <time.h>

#include "dumpgen.h"
#include "pydumpd/dump.h"

static void put_hex(const void *data, size_t len)
{
	const uint8_t *p = data;

	if (!len)
		putchar('-');
	for (size_t i = 0; i < len; i++)
		printf("%02x", p[i]);
}

static void put_object(const struct pyd_dump_object *o)
{
	printf("%" PRIx64 " %u %" PRIx64 " %u %u refs", o->addr, o->kind_id,
	       o->type, o->size, o->refcnt);
	for (uint32_t i = 0; i < o->nrefs; i++)
		printf(" %" PRIx64, o->refs[i]);
	printf(" attrs");
	for (uint32_t i = 0; i < o->nattrs; i++) {
		struct pyd_dump_attr a;

		pyd_dump_object_attr(o, i, &a);
		printf(" %u:%.*s:%" PRIx64, a.origin, (int)a.name_len, a.name,
		       a.value);
		if (!pyd_origin_has_bytes(a.origin))
			continue;
		putchar('=');
		for (uint64_t k = 0; k < a.value; k++)
			printf("%02x", a.bytes[k]);
	}
	printf(" value ");
	put_hex(o->value, o->value_len);
	printf(" mark %u %" PRIu64 " ", o->mark, o->mark_total);
	put_hex(o->mark_text, o->mark_len);
	putchar('\n');
}

static int fail(const struct pyd_err *err)
{
	fprintf(stderr, "dumptool: %s\n", err->msg);
	return 1;
}

static int each(struct pyd_dump *d, bool print, uint64_t *ret_n)
{
	struct pyd_err err;
	uint64_t n = 0;

	for (uint64_t i = 0; i < pyd_dump_nbatches(d); i++) {
		struct pyd_dump_batch *b;

		if (pyd_dump_batch_load(d, i, &b, &err))
			return fail(&err);
		for (uint32_t k = 0; k < pyd_dump_batch_len(b); k++, n++) {
			struct pyd_dump_object o, again;

			pyd_dump_batch_object(d, b, k, &o);
			if (!print)
				continue;
			put_object(&o);
			if (pyd_dump_object_get(d, o.addr, &again, &err))
				return fail(&err);
			if (again.batch != b || again.index != k) {
				fprintf(stderr, "dumptool: wrong look-up\n");
				return 1;
			}
			pyd_dump_object_release(d, &again);
		}
		pyd_dump_batch_release(d, b);
	}
	*ret_n = n;
	return 0;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int timing(const char *path)
{
	double start = now(), opened, looked;
	struct pyd_dump_batch *b;
	struct pyd_dump_object o;
	struct pyd_dump *d;
	struct pyd_err err;
	uint64_t n = 0;
	pyd_addr addr;

	if (pyd_dump_open(path, &d, &err))
		return fail(&err);
	opened = now();
	if (!pyd_dump_nbatches(d))
		return 0;
	if (pyd_dump_batch_load(d, pyd_dump_nbatches(d) / 2, &b, &err))
		return fail(&err);
	pyd_dump_batch_object(d, b, 0, &o);
	addr = o.addr;
	pyd_dump_batch_release(d, b);
	pyd_dump_close(d);
	if (pyd_dump_open(path, &d, &err))
		return fail(&err);
	looked = now();
	if (pyd_dump_object_get(d, addr, &o, &err))
		return fail(&err);
	looked = now() - looked;
	pyd_dump_object_release(d, &o);

	double pass = now();

	if (each(d, false, &n))
		return 1;
	pass = now() - pass;
	printf("reader: open %.2f ms, first look-up %.2f ms, %.2fM objects in "
	       "%.2f s\n",
	       (opened - start) * 1e3, looked * 1e3, (double)n / 1e6, pass);
	pyd_dump_close(d);
	return 0;
}

int main(int argc, char **argv)
{
	struct gen g = GEN_DEFAULT;
	struct pyd_err err;
	struct pyd_dump *d;
	uint64_t n;

	if (argc >= 5 && !strcmp(argv[1], "write")) {
		g.seed = strtoull(argv[3], NULL, 10);
		g.nodes = strtoull(argv[4], NULL, 10);
		g.types = argc > 5 ? strtoull(argv[5], NULL, 10) : 0;
		if (argc > 7) {
			g.big_at = strtoull(argv[6], NULL, 10);
			g.big_size = strtoull(argv[7], NULL, 10);
		}
		return gen_dump(&g, argv[2], &err) ? fail(&err) : 0;
	}
	if (argc == 3 && !strcmp(argv[1], "time"))
		return timing(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "read")) {
		int status;

		if (pyd_dump_open(argv[2], &d, &err))
			return fail(&err);
		status = each(d, true, &n);
		pyd_dump_close(d);
		return status;
	}
	fprintf(stderr, "Usage: dumptool write|read|time FILE ...\n");
	return 2;
}
