// SPDX-License-Identifier: Apache-2.0
/*
 * Recorded memory images for tests:
 *
 *	imagetool record PID IMAGE	freeze a process into a file
 *	imagetool dump IMAGE DUMP	dump the image, as attach would
 *	imagetool mutate IMAGE N SEED	dump it N times with bytes flipped, to
 *					nowhere; nothing may crash or hang
 *
 * mutate flips bits as they are read, by a hash of address and seed, so that
 * what is read often is broken often, and no copy of the image is needed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/runtime.h"
#include "target/capture.h"
#include "target/image.h"
#include "target/process.h"
#include "target/stop.h"
#include "walk/stacks.h"
#include "walk/walk.h"

/* A target that breaks what another one gives. */
struct mutant {
	struct pyd_target base;
	struct pyd_target *inner;
	uint64_t seed;
	unsigned int rarity; /* one word in so many; 0: none */
};

static uint64_t mix(uint64_t v)
{
	v ^= v >> 31;
	v *= 0x9E3779B97F4A7C15ULL;
	v ^= v >> 29;
	v *= 0xBF58476D1CE4E5B9ULL;
	return v ^ v >> 32;
}

static enum pyd_code mutant_read(struct pyd_target *t, pyd_addr addr, void *buf,
				 size_t len, struct pyd_err *err)
{
	struct mutant *m = (struct mutant *)(void *)t;
	enum pyd_code code = pyd_target_read(m->inner, addr, buf, len, err);
	uint8_t *p = buf;

	if (code || !m->rarity)
		return code;
	for (pyd_addr w = addr & ~7ULL; w < addr + len; w += 8) {
		uint64_t h = mix(w ^ m->seed);
		pyd_addr at = w + (h >> 40 & 7);

		if (h % m->rarity || at < addr || at >= addr + len)
			continue;
		/* Now one bit, now a whole byte. */
		p[at - addr] ^= h >> 50 & 1 ? (uint8_t)(1 << (h >> 52 & 7))
					    : (uint8_t)(h >> 56);
	}
	return PYD_OK;
}

static void mutant_destroy(struct pyd_target *t)
{
	(void)t;
}

static const struct pyd_target_ops mutant_ops = {
	.name = "mutant",
	.read = mutant_read,
	.destroy = mutant_destroy,
};

static int fail(const char *what, const struct pyd_err *err)
{
	fprintf(stderr, "imagetool: %s: %s\n", what, err->msg);
	return 1;
}

static int record(const char *pid, const char *path)
{
	struct pyd_process p = { 0 };
	struct pyd_target *live = NULL, *copy = NULL;
	struct pyd_capture *capture = NULL;
	struct pyd_capture_stats stats;
	struct pyd_layouts tables = { 0 };
	struct pyd_runtime rt = { 0 };
	struct pyd_stop *stop = NULL;
	struct pyd_err err = { 0 };
	enum pyd_code code = pyd_layouts_load(NULL, &tables, &err);

	if (!code)
		code = pyd_process_open(atoi(pid), &p, &err);
	if (!code)
		code = pyd_target_process_create(&p, &live, &err);
	if (!code)
		code = pyd_runtime_find(live, &p, &tables, &rt, &err);
	if (!code)
		code = pyd_capture_prepare(&p, &capture, &err);
	if (!code)
		code = pyd_stop_all(&p, NULL, &stop, &err);
	if (!code)
		code = pyd_capture_take(capture, &err);
	pyd_stop_destroy(stop);
	if (!code)
		code = pyd_capture_target(capture, &copy, &stats, &err);
	if (!code)
		code = pyd_image_save(copy, rt.addr, path, &err);
	pyd_target_destroy(copy);
	pyd_capture_destroy(capture);
	pyd_runtime_deinit(&rt);
	pyd_target_destroy(live);
	pyd_process_close(&p);
	pyd_layouts_deinit(&tables);
	return code ? fail("record", &err) : 0;
}

/* All of a dump but header and sources. */
static enum pyd_code dump(struct pyd_target *t, struct pyd_runtime *rt,
			  const struct pyd_limits *limits, const char *path,
			  bool keep, uint64_t *ret_objects, struct pyd_err *err)
{
	const struct pyd_writer_options wopts = { .path = path, .threads = 1 };
	struct pyd_reader reader = { 0 };
	struct pyd_stacks stacks = { 0 };
	struct pyd_walk walk = { 0 };
	struct pyd_writer *w = NULL;
	uint64_t toc;
	enum pyd_code code = pyd_reader_init(&reader, t, &rt->lay, err);

	if (!code)
		code = pyd_writer_create(&wopts, &w, err);
	if (!code)
		code = pyd_runtime_threads(rt, &reader, NULL, err);
	if (!code)
		code = pyd_stacks_write(&stacks, rt, &reader, w, err);
	if (!code) {
		pyd_walk_init(&walk, &reader, w, limits);
		const struct pyd_vec *roots[] = { &stacks.near, &stacks.far,
						  &stacks.globals };

		for (size_t k = 0; k < 3 && !code; k++)
			for (size_t i = 0; i < roots[k]->len && !code; i++)
				code = pyd_walk_root(&walk, roots[k]->data[i],
						     err);
	}
	if (!code)
		code = pyd_walk_run(&walk, err);
	if (!code)
		code = pyd_writer_flush(w, &toc, err);
	if (!code && keep)
		code = pyd_writer_finish(w, err);
	*ret_objects = walk.objects;
	pyd_walk_deinit(&walk);
	pyd_stacks_deinit(&stacks);
	pyd_writer_destroy(w);
	pyd_reader_deinit(&reader);
	return code;
}

static int mutate(const char *path, uint64_t n, uint64_t seed)
{
	struct pyd_layouts tables = { 0 };
	struct pyd_target *image = NULL;
	struct pyd_runtime sound = { 0 };
	struct pyd_err err = { 0 };
	const struct pyd_limits limits = { .max_objects = 3000 };
	uint64_t hint, objects = 0, total = 0, refused = 0;
	char out[64];
	enum pyd_code code = pyd_layouts_load(NULL, &tables, &err);

	snprintf(out, sizeof(out), "/dev/shm/mutate-%d.pydump", (int)getpid());
	if (!code)
		code = pyd_image_load(path, &image, &hint, &err);
	if (!code)
		code = pyd_runtime_find(image, NULL, &tables, &sound, &err);
	for (uint64_t i = 0; !code && i < n; i++) {
		struct mutant m = {
			.base = *image,
			.inner = image,
			.seed = mix(seed + i),
			/* From one word in 8 to one in 64 thousand. */
			.rarity = 8U << (i % 14),
		};
		struct pyd_runtime rt = { 0 };
		struct pyd_err why = { 0 };
		enum pyd_code got;

		m.base.ops = &mutant_ops;
		/* Every fourth time the runtime itself is looked for. */
		got = pyd_runtime_find(i % 4 ? image : &m.base, NULL, &tables,
				       &rt, &why);
		if (!got)
			got = dump(&m.base, &rt, &limits, out, false, &objects,
				   &why);
		if (got)
			refused++;
		else
			total += objects;
		pyd_runtime_deinit(&rt);
	}
	pyd_runtime_deinit(&sound);
	pyd_target_destroy(image);
	pyd_layouts_deinit(&tables);
	if (code)
		return fail("mutate", &err);
	printf("%" PRIu64 " mutations, %" PRIu64 " refused, %" PRIu64
	       " objects\n",
	       n, refused, total);
	return 0;
}

static int dump_image(const char *path, const char *out)
{
	struct pyd_layouts tables = { 0 };
	struct pyd_target *image = NULL;
	struct pyd_runtime rt = { 0 };
	struct pyd_err err = { 0 };
	const struct pyd_limits limits = { 0 };
	uint64_t hint, objects = 0;
	enum pyd_code code = pyd_layouts_load(NULL, &tables, &err);

	if (!code)
		code = pyd_image_load(path, &image, &hint, &err);
	if (!code)
		code = pyd_runtime_find(image, NULL, &tables, &rt, &err);
	if (!code)
		code = dump(image, &rt, &limits, out, true, &objects, &err);
	pyd_runtime_deinit(&rt);
	pyd_target_destroy(image);
	pyd_layouts_deinit(&tables);
	if (code)
		return fail("dump", &err);
	printf("%" PRIu64 " objects\n", objects);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "record"))
		return record(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "dump"))
		return dump_image(argv[2], argv[3]);
	if (argc == 5 && !strcmp(argv[1], "mutate"))
		return mutate(argv[2], strtoull(argv[3], NULL, 10),
			      strtoull(argv[4], NULL, 10));
	fprintf(stderr, "usage: imagetool record PID IMAGE | dump IMAGE DUMP | "
			"mutate IMAGE N SEED\n");
	return 2;
}
