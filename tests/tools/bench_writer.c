// SPDX-License-Identifier: Apache-2.0
/*
 * How fast the writer is and how many bytes an object takes, over a heap that
 * is made up but not kind: records of a dict, an instance, strings, numbers and
 * a list each, on addresses as an allocator with size classes and shuffled free
 * lists hands them out.
 *
 *   bench_writer FILE [RECORDS [LEVEL [THREADS]]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dump/writer.h"

#define CLASSES 8
#define WINDOW 4096 /* freed blocks among which the allocator picks */

static uint64_t state = 1;

static uint64_t rnd(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static struct heap {
	uint64_t blocks[WINDOW];
	size_t left;
	uint64_t next;
} heap[CLASSES];

/* A block of (class + 2) * 16 bytes. */
static uint64_t take(unsigned int class)
{
	struct heap *h = &heap[class];
	uint64_t size = (class + 2) * 16;

	if (!h->left) {
		if (!h->next)
			h->next = 0x7f0000000000 + class * 0x40000000ULL;
		for (size_t i = 0; i < WINDOW; i++, h->next += size)
			h->blocks[i] = h->next;
		for (size_t i = WINDOW - 1; i > 0; i--) {
			size_t j = rnd(i + 1);
			uint64_t swap = h->blocks[i];

			h->blocks[i] = h->blocks[j];
			h->blocks[j] = swap;
		}
		h->left = WINDOW;
	}
	return h->blocks[--h->left];
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void check(enum pyd_code code, const struct pyd_err *err)
{
	if (!code)
		return;
	fprintf(stderr, "bench_writer: %s\n", err->msg);
	exit(1);
}

static struct pyd_writer *w;
static struct pyd_node node;
static struct pyd_err err;
static msgpack_sbuffer shape;
static double spent;

static void begin(enum pyd_kind kind, uint64_t addr, uint64_t type,
		  uint64_t size)
{
	pyd_vec_clear(&node.refs);
	pyd_vec_clear(&node.attrs);
	pyd_buf_clear(&node.value);
	node.kind = kind;
	node.addr = addr;
	node.type = type;
	node.size = size;
	node.refcnt = (uint32_t)rnd(20) ? 1 : (uint32_t)rnd(100);
}

static void ref(uint64_t v)
{
	check(pyd_vec_push(&node.refs, v, &err), &err);
}

static void value(const void *data, size_t len)
{
	check(pyd_buf_append(&node.value, data, len, &err), &err);
}

static void emit(uint32_t shape_id)
{
	double t = now();

	check(pyd_writer_object(w, &node, shape_id, &shape, &err), &err);
	spent += now() - t;
}

static void text(uint64_t addr, const char *s)
{
	begin(PYD_KIND_str, addr, 0x955000, 49 + strlen(s));
	value(s, strlen(s));
	emit(0);
}

static void number(uint64_t addr, int64_t v)
{
	size_t n = v < 128 ? 1 : v < 32768 ? 2 : v < 8388608 ? 3 : 4;

	begin(PYD_KIND_int, addr, 0x955200, 28);
	value(&v, n);
	emit(0);
}

static void real(uint64_t addr, double v)
{
	begin(PYD_KIND_float, addr, 0x955400, 24);
	value(&v, 8);
	emit(0);
}

/* 9 objects. */
static void record(uint64_t i, const uint64_t *names)
{
	uint64_t inst = take(2), dict = take(3), list = take(2), s1 = take(2),
		 s2 = take(3), n1 = take(0), n2 = take(0), f = take(0),
		 tuple = take(1);
	char buf[64];

	begin(PYD_KIND_object, inst, 0x55d000001230, 48);
	for (unsigned int k = 0; k < 5; k++)
		check(pyd_vec_push(&node.attrs,
				   (uint64_t[]) { dict, s1, n1, f, list }[k],
				   &err),
		      &err);
	emit(1);
	begin(PYD_KIND_dict, dict, 0x955600, 232);
	for (unsigned int k = 0; k < 4; k++) {
		ref(names[k]);
		ref((uint64_t[]) { n1, s2, tuple, names[4] }[k]);
	}
	emit(0);
	snprintf(buf, sizeof(buf), "user%llu", (unsigned long long)i);
	text(s1, buf);
	snprintf(buf, sizeof(buf), "%llu Some Street, Town %llu",
		 (unsigned long long)rnd(1000), (unsigned long long)rnd(90000));
	text(s2, buf);
	number(n1, (int64_t)i);
	number(n2, (int64_t)rnd(1000000));
	real(f, (double)i * 1.1);
	begin(PYD_KIND_list, list, 0x955800, 80);
	ref(n2);
	ref(names[rnd(8)]);
	emit(0);
	begin(PYD_KIND_tuple, tuple, 0x955a00, 56);
	ref(f);
	ref(n1);
	emit(0);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "Usage: bench_writer FILE [RECORDS [LEVEL "
				"[THREADS]]]\n");
		return 2;
	}

	uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 300000;
	struct pyd_writer_options opts = {
		.path = argv[1],
		.level = argc > 3 ? atoi(argv[3]) : 1,
		.threads = argc > 4 ? (unsigned int)atoi(argv[4]) : 0,
	};
	msgpack_packer pk;
	msgpack_sbuffer map;
	uint64_t names[8], toc;
	struct pyd_writer_totals totals;
	double start = now();

	check(pyd_writer_create(&opts, &w, &err), &err);
	msgpack_sbuffer_init(&map);
	msgpack_packer_init(&pk, &map, msgpack_sbuffer_write);
	msgpack_pack_map(&pk, 1 + PYD_WRITER_FORMAT_PAIRS);
	msgpack_pack_str_with_body(&pk, "kind", 4);
	msgpack_pack_str_with_body(&pk, "header", 6);
	pyd_writer_pack_format(&pk);
	check(pyd_writer_frame(w, "header", &map, NULL, 0, &err), &err);

	msgpack_sbuffer_init(&shape);
	msgpack_packer_init(&pk, &shape, msgpack_sbuffer_write);
	msgpack_pack_array(&pk, 5);
	for (unsigned int i = 0; i < 5; i++) {
		msgpack_pack_array(&pk, 2);
		msgpack_pack_int(&pk, PYD_ORIGIN_INLINE);
		msgpack_pack_str_with_body(
			&pk, &"meta\0name\0id\0\0\0rate\0list"[5UL * i], 2);
	}
	for (unsigned int i = 0; i < 8; i++) {
		names[i] = take(1);
		text(names[i],
		     (const char *[]) { "id", "address", "pair", "state",
					"open", "blue", "green", "red" }[i]);
	}
	for (uint64_t i = 0; i < n; i++)
		record(i, names);
	check(pyd_writer_flush(w, &toc, &err), &err);
	msgpack_sbuffer_clear(&map);
	msgpack_packer_init(&pk, &map, msgpack_sbuffer_write);
	msgpack_pack_map(&pk, 2);
	msgpack_pack_str_with_body(&pk, "kind", 4);
	msgpack_pack_str_with_body(&pk, "end", 3);
	msgpack_pack_str_with_body(&pk, "toc", 3);
	msgpack_pack_uint64(&pk, toc);
	check(pyd_writer_frame(w, "end", &map, NULL, 0, &err), &err);
	check(pyd_writer_finish(w, &err), &err);
	pyd_writer_totals(w, &totals);

	double took = now() - start;

	printf("writer: %.2fM objects in %.2f s (%.2fM/s; %.2f s in "
	       "pyd_writer_object), %.2f bytes an object\n",
	       (double)totals.objects / 1e6, took,
	       (double)totals.objects / took / 1e6, spent,
	       (double)totals.file_bytes / (double)totals.objects);
	pyd_writer_destroy(w);
	pyd_node_deinit(&node);
	msgpack_sbuffer_destroy(&map);
	msgpack_sbuffer_destroy(&shape);
	return 0;
}
