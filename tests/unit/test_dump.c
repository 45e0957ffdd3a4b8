// SPDX-License-Identifier: Apache-2.0
/* Writer to reader, whole, cut, damaged; and a disk that does not take it. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../tools/dumpgen.h"
#include "pydumpd/dump.h"

static char dir[64];

static void setup(void)
{
	strcpy(dir, "/tmp/pydumpd-unit-XXXXXX");
	cr_assert(mkdtemp(dir));
}

/* Files in dir, which are removed. */
static int teardown_count(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d))) {
		char path[400];

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		unlink(path);
		n++;
	}
	if (d)
		closedir(d);
	return n;
}

static void teardown(void)
{
	teardown_count();
	rmdir(dir);
}

TestSuite(dump, .init = setup, .fini = teardown);

static const char *path_of(const char *name)
{
	static char path[200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static uint8_t *slurp(const char *path, size_t *ret)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	long n;

	cr_assert(f);
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	data = malloc((size_t)n + 1);
	cr_assert_eq(fread(data, 1, (size_t)n, f), (size_t)n);
	fclose(f);
	*ret = (size_t)n;
	return data;
}

static void spit(const char *path, const void *data, size_t n)
{
	FILE *f = fopen(path, "wb");

	cr_assert(f);
	cr_assert_eq(fwrite(data, 1, n, f), n);
	fclose(f);
}

/* The object is node i of the generator, in every respect. */
static void expect_node(const struct gen *g, struct pyd_node *n, uint64_t i,
			const struct pyd_dump_object *o)
{
	uint32_t shape = gen_node(g, i, n);
	size_t own = n->value.len;

	cr_assert_eq(o->addr, n->addr);
	cr_assert_eq(o->type, n->type);
	cr_assert_eq(o->kind, n->kind);
	cr_assert_eq(o->size, n->size);
	cr_assert_eq(o->refcnt, n->refcnt);
	cr_assert_eq(o->mark, n->mark);
	cr_assert_eq(o->mark_total, n->mark_total);
	cr_assert_eq(o->mark_len, strlen(n->mark_text));
	cr_assert(!o->mark_len ||
		  !memcmp(o->mark_text, n->mark_text, o->mark_len));
	/* The kind's own value, then the attributes' bytes. */
	cr_assert_leq(o->value_len, n->value.len);
	cr_assert(!o->value_len ||
		  !memcmp(o->value, n->value.data, o->value_len));
	cr_assert_eq(o->nrefs, n->refs.len);
	cr_assert(!o->nrefs || !memcmp(o->refs, n->refs.data, 8UL * o->nrefs));
	cr_assert_eq(o->nattrs, n->attrs.len);
	cr_assert_eq(o->nattrs, gen_shape_len(shape));
	for (uint32_t k = 0; k < o->nattrs; k++) {
		struct pyd_dump_attr a;
		char name[48];

		pyd_dump_object_attr(o, k, &a);
		gen_shape_name(shape, k, name, sizeof(name));
		cr_assert_eq(a.value, n->attrs.data[k]);
		cr_assert_eq(a.origin, gen_origin(shape, k));
		cr_assert_eq(!!a.bytes, pyd_origin_has_bytes(a.origin));
		for (size_t b = 0; a.bytes && b < a.value; b++)
			cr_assert_eq(a.bytes[b], gen_attr_byte(k, b));
		own -= a.bytes ? a.value : 0;
		cr_assert_eq(a.name_len, strlen(name));
		cr_assert(!memcmp(a.name, name, a.name_len));
	}
	cr_assert_eq(o->value_len, own);
}

static void round_trip(const struct gen *g)
{
	const char *path = path_of("x.pydump");
	struct pyd_node n = { 0 };
	struct pyd_dump_object o;
	struct pyd_dump_info info;
	struct pyd_dump *d;
	struct pyd_err err;
	struct stat st;
	bool flag = false;
	uint64_t seen = 0;

	cr_assert_eq(gen_dump(g, path, &err), PYD_OK, "%s", err.msg);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
	cr_assert_eq(pyd_dump_open(path, &d, &err), PYD_OK, "%s", err.msg);
	pyd_dump_get_info(d, &info);
	cr_assert(info.complete);
	cr_assert_eq(info.size, (uint64_t)st.st_size);
	cr_assert_eq(info.readable, info.size);
	cr_assert_eq(info.objects, g->nodes);
	cr_assert_eq(info.threads, g->threads);
	cr_assert_eq(info.frames, (uint64_t)g->threads * g->frames);
	cr_assert(pyd_dump_value_bool(
		pyd_dump_value_get(pyd_dump_end(d), "complete"), &flag));
	cr_assert(flag);

	/* Any order: neither the batches' nor that of the addresses. */
	for (uint64_t i = 0; i < g->nodes; i++) {
		uint64_t k = (i * 7919 + 13) % g->nodes;

		if (g->nodes % 7919 == 0)
			k = i;
		cr_assert_eq(pyd_dump_object_get(d, gen_addr(k), &o, &err),
			     PYD_OK, "%s", err.msg);
		expect_node(g, &n, k, &o);
		pyd_dump_object_release(d, &o);
	}
	cr_assert_eq(pyd_dump_object_get(d, gen_addr(g->nodes), &o, &err),
		     PYD_NOTFOUND);
	cr_assert_eq(pyd_dump_object_get(d, GEN_BASE + 8, &o, &err),
		     PYD_NOTFOUND);
	cr_assert_eq(pyd_dump_object_get(d, 0, &o, &err), PYD_NOTFOUND);
	cr_assert_eq(pyd_dump_object_get(d, UINT64_MAX, &o, &err),
		     PYD_NOTFOUND);
	for (uint64_t b = 0; b < pyd_dump_nbatches(d); b++) {
		struct pyd_dump_batch *batch;

		cr_assert_eq(pyd_dump_batch_load(d, b, &batch, &err), PYD_OK);
		seen += pyd_dump_batch_len(batch);
		pyd_dump_batch_release(d, batch);
	}
	cr_assert_eq(seen, g->nodes);
	pyd_dump_close(d);
	pyd_node_deinit(&n);
}

Test(dump, round_trip_of_every_kind)
{
	struct gen g = GEN_DEFAULT;

	round_trip(&g);
}

Test(dump, round_trip_of_many_batches)
{
	struct gen g = GEN_DEFAULT;

	g.seed = 2;
	g.nodes = 60000;
	g.writer_threads = 3;
	round_trip(&g);
}

Test(dump, round_trip_of_nothing)
{
	struct gen g = GEN_DEFAULT;

	g.nodes = 0;
	g.threads = 0;
	round_trip(&g);
}

Test(dump, round_trip_of_more_types_than_a_column_counts)
{
	struct gen g = GEN_DEFAULT;

	g.nodes = 70000;
	g.types = 1000000;
	round_trip(&g);
}

Test(dump, round_trip_of_an_object_larger_than_a_frame)
{
	struct gen g = GEN_DEFAULT;

	g.nodes = 300;
	g.big_at = 150;
	g.big_size = 5 << 20;
	round_trip(&g);
}

/* Reads all that can be read; what is read is right. */
static uint64_t survey(const struct gen *g, const char *path)
{
	struct pyd_node n = { 0 };
	struct pyd_dump *d;
	struct pyd_err err;
	uint64_t seen = 0;
	uint8_t *found = calloc(g->nodes, 1);
	enum pyd_code code = pyd_dump_open(path, &d, &err);

	if (code) {
		cr_assert_eq(code, PYD_FORMAT, "%s", err.msg);
		cr_assert(*err.msg);
		free(found);
		return 0;
	}
	for (uint64_t b = 0; b < pyd_dump_nbatches(d); b++) {
		struct pyd_dump_batch *batch;

		code = pyd_dump_batch_load(d, b, &batch, &err);
		if (code) {
			cr_assert_eq(code, PYD_FORMAT, "%s", err.msg);
			continue;
		}
		seen += pyd_dump_batch_len(batch);
		pyd_dump_batch_release(d, batch);
	}
	for (uint64_t i = 0; i < g->nodes; i++) {
		struct pyd_dump_object o;

		code = pyd_dump_object_get(d, gen_addr(i), &o, &err);
		if (code) {
			cr_assert(code == PYD_NOTFOUND || code == PYD_FORMAT,
				  "%s", err.msg);
			continue;
		}
		found[i] = 1;
		expect_node(g, &n, i, &o);
		pyd_dump_object_release(d, &o);
	}
	for (uint64_t i = 0; i < g->nodes; i++)
		seen -= found[i];
	cr_assert_eq(seen, 0, "%lld objects are there and not found",
		     (long long)seen);
	for (uint64_t i = 0; i < g->nodes; i++)
		seen += found[i];
	pyd_dump_close(d);
	pyd_node_deinit(&n);
	free(found);
	return seen;
}

Test(dump, cut_anywhere)
{
	struct gen g = GEN_DEFAULT;
	uint64_t rng = 99, before = 0;
	struct pyd_err err;
	uint8_t *data;
	size_t n;

	g.nodes = 40000;
	cr_assert_eq(gen_dump(&g, path_of("x.pydump"), &err), PYD_OK);
	data = slurp(path_of("x.pydump"), &n);
	for (int i = 0; i < 150; i++) {
		size_t at = gen_next(&rng) % n;

		spit(path_of("cut"), data, at);
		survey(&g, path_of("cut"));
	}
	/* More of the file is never less of the objects. */
	for (size_t at = n / 8; at <= n; at += n / 8) {
		uint64_t seen;

		spit(path_of("cut"), data, at);
		seen = survey(&g, path_of("cut"));
		cr_assert_geq(seen, before);
		before = seen;
	}
	cr_assert_gt(before, g.nodes / 2);
	spit(path_of("cut"), data, n);
	cr_assert_eq(survey(&g, path_of("cut")), g.nodes);
	free(data);
}

Test(dump, damaged_anywhere)
{
	struct gen g = GEN_DEFAULT;
	uint64_t rng = 7;
	struct pyd_err err;
	uint8_t *data;
	size_t n;

	g.nodes = 12000;
	cr_assert_eq(gen_dump(&g, path_of("x.pydump"), &err), PYD_OK);
	data = slurp(path_of("x.pydump"), &n);
	for (int i = 0; i < 200; i++) {
		/* Half of them where the tables are. */
		uint64_t r = gen_next(&rng);
		size_t at = i % 2 ? n - 1 - r % (n < 2000 ? n : 2000) : r % n;
		uint8_t was = data[at];
		struct pyd_dump *d;

		data[at] ^= (uint8_t)(1 + (r >> 32) % 255);
		spit(path_of("bad"), data, n);
		data[at] = was;
		/* What is found is right; a damaged index may hide some. */
		if (pyd_dump_open(path_of("bad"), &d, &err)) {
			cr_assert_eq(err.code, PYD_FORMAT, "%s", err.msg);
			continue;
		}
		pyd_dump_close(d);
		survey(&g, path_of("bad"));
	}
	free(data);
}

Test(dump, huge_objects_are_cut_and_say_so)
{
	/* As if a frame held no more than 256 KiB. */
	struct pyd_writer_options opts = { .path = path_of("x.pydump"),
					   .frame_max = 256 << 10 };
	static const enum pyd_kind kinds[] = {
		PYD_KIND_str,  PYD_KIND_bytes, PYD_KIND_list,
		PYD_KIND_dict, PYD_KIND_int,   PYD_KIND_object,
	};
	struct gen g = GEN_DEFAULT;
	struct pyd_node n = { 0 };
	struct pyd_writer *w;
	struct pyd_dump *d;
	struct pyd_err err;
	msgpack_sbuffer map;
	const uint64_t items = 100001;

	g.frames = 0;
	msgpack_sbuffer_init(&map);
	cr_assert_eq(pyd_writer_create(&opts, &w, &err), PYD_OK, "%s", err.msg);
	gen_meta(&g, w, &map);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		bool refs = kinds[k] == PYD_KIND_list ||
			    kinds[k] == PYD_KIND_dict ||
			    kinds[k] == PYD_KIND_object;

		pyd_node_clear(&n);
		n.addr = gen_addr(k);
		n.kind = kinds[k];
		n.size = 1000000;
		for (uint64_t i = 0; refs && i < items; i++)
			cr_assert_eq(pyd_vec_push(&n.refs, i + 1, &err), 0);
		/* Two bytes a character. */
		for (uint64_t i = 0; !refs && i < items * 4; i++)
			cr_assert_eq(
				pyd_buf_append(&n.value, "\xc3\xa9", 2, &err),
				0);
		cr_assert_eq(pyd_writer_object(w, &n, 0, NULL, &err), PYD_OK,
			     "%s", err.msg);
	}
	cr_assert_eq(gen_end(w, &map, &err), PYD_OK, "%s", err.msg);
	pyd_writer_destroy(w);
	cr_assert_eq(pyd_dump_open(path_of("x.pydump"), &d, &err), PYD_OK);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct pyd_dump_object o;

		cr_assert_eq(pyd_dump_object_get(d, gen_addr(k), &o, &err),
			     PYD_OK);
		cr_assert_eq(o.size, 1000000);
		if (kinds[k] == PYD_KIND_int || kinds[k] == PYD_KIND_object) {
			cr_assert_eq(o.kind, PYD_KIND_placeholder);
			cr_assert_eq(o.mark, PYD_MARK_LIMIT);
			cr_assert_gt(o.value_len, 0);
			pyd_dump_object_release(d, &o);
			continue;
		}
		cr_assert_eq(o.kind, kinds[k]);
		cr_assert_eq(o.mark, PYD_MARK_TRUNCATED);
		cr_assert_eq(o.mark_total,
			     kinds[k] == PYD_KIND_str	  ? items * 4
			     : kinds[k] == PYD_KIND_bytes ? items * 8
			     : kinds[k] == PYD_KIND_dict  ? items / 2
							  : items);
		/* No half characters, no half pairs. */
		cr_assert_gt(o.value_len + 8 * o.nrefs, 100000);
		cr_assert_eq(o.nrefs % 2, 0);
		if (kinds[k] == PYD_KIND_str)
			cr_assert_eq(o.value_len % 2, 0);
		pyd_dump_object_release(d, &o);
	}
	pyd_dump_close(d);
	pyd_node_deinit(&n);
	msgpack_sbuffer_destroy(&map);
}

/* -- where a dump cannot be written -- */

Test(dump, nothing_is_overwritten)
{
	struct gen g = GEN_DEFAULT;
	struct pyd_writer *w;
	struct pyd_writer_options opts = { .path = path_of("x.pydump") };
	msgpack_sbuffer map;
	struct pyd_err err;
	uint8_t *data;
	size_t n;

	spit(path_of("x.pydump"), "precious", 8);
	cr_assert_eq(pyd_writer_create(&opts, &w, &err), PYD_IO);
	cr_assert(strstr(err.msg, "exists already"), "%s", err.msg);

	/* Also when it appears after the start. */
	opts.path = path_of("y.pydump");
	cr_assert_eq(pyd_writer_create(&opts, &w, &err), PYD_OK);
	spit(path_of("y.pydump"), "precious", 8);
	msgpack_sbuffer_init(&map);
	gen_meta(&g, w, &map);
	cr_assert_eq(gen_end(w, &map, &err), PYD_IO);
	cr_assert(strstr(err.msg, "exists already"), "%s", err.msg);
	pyd_writer_destroy(w);
	msgpack_sbuffer_destroy(&map);
	data = slurp(path_of("y.pydump"), &n);
	cr_assert(n == 8 && !memcmp(data, "precious", 8));
	free(data);
	cr_assert_eq(teardown_count(), 2);
}

Test(dump, a_place_that_cannot_be_written)
{
	static const struct {
		const char *path;
		const char *say;
	} places[] = {
		{ "/tmp/no-such-directory-here/x.pydump", "create it" },
		{ "/dev/null/x.pydump", "Not a directory" },
		{ "/dev/full", "exists already" },
		{ "/tmp", "it is a directory; name a file in it" },
		{ "/proc/x.pydump", "choose another place" },
		{ "/tmp/", "no file name" },
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct pyd_writer_options opts = { .path = places[i].path };
		struct pyd_writer *w;
		struct pyd_err err;

		cr_assert_neq(pyd_writer_create(&opts, &w, &err), PYD_OK);
		cr_assert(strstr(err.msg, places[i].say), "%s: %s",
			  places[i].path, err.msg);
	}
	cr_assert_eq(access("/dev/full", F_OK), 0);
}

Test(dump, a_limit_on_the_size_of_files)
{
	struct gen g = GEN_DEFAULT;
	struct rlimit limit = { .rlim_cur = 200000, .rlim_max = 200000 };
	struct pyd_err err;

	g.nodes = 200000;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	/* SIGXFSZ is left as it is: the writer must live with it. */
	cr_assert_eq(gen_dump(&g, path_of("x.pydump"), &err), PYD_IO);
	cr_assert_eq(err.errnum, EFBIG);
	cr_assert(strstr(err.msg, "File too large"), "%s", err.msg);
	cr_assert_eq(teardown_count(), 0, "a partial file stayed");
}

Test(dump, a_full_disk)
{
	struct gen g = GEN_DEFAULT;
	struct pyd_err err;

	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", dir, "tmpfs", 0, "size=256k"))
		cr_skip_test("needs root");
	for (g.nodes = 8000; g.nodes <= 200000; g.nodes *= 5) {
		cr_assert_eq(gen_dump(&g, path_of("x.pydump"), &err), PYD_IO,
			     "%llu nodes", (unsigned long long)g.nodes);
		cr_assert_eq(err.errnum, ENOSPC);
		cr_assert(strstr(err.msg, "free some space"), "%s", err.msg);
		cr_assert_eq(teardown_count(), 0, "a partial file stayed");
	}
	umount(dir);
}

Test(dump, an_error_stays)
{
	struct gen g = GEN_DEFAULT;
	struct pyd_writer_options opts = { .path = path_of("x.pydump") };
	struct rlimit limit = { .rlim_cur = 1000, .rlim_max = RLIM_INFINITY };
	struct pyd_node n = { 0 };
	msgpack_sbuffer map, shape;
	struct pyd_writer *w;
	struct pyd_err err;
	enum pyd_code code = PYD_OK;
	uint64_t i = 0;

	msgpack_sbuffer_init(&map);
	msgpack_sbuffer_init(&shape);
	cr_assert_eq(pyd_writer_create(&opts, &w, &err), PYD_OK);
	gen_meta(&g, w, &map);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (; !code && i < 1000000; i++) {
		uint32_t id = gen_node(&g, i, &n);

		gen_shape(id, &shape);
		code = pyd_writer_object(w, &n, id, &shape, &err);
	}
	cr_assert_eq(code, PYD_IO);
	limit.rlim_cur = RLIM_INFINITY;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	/* A gap in the file is worse than no file. */
	err.msg[0] = 0;
	cr_assert_eq(gen_end(w, &map, &err), PYD_IO);
	cr_assert(*err.msg);
	pyd_writer_destroy(w);
	pyd_node_deinit(&n);
	msgpack_sbuffer_destroy(&map);
	msgpack_sbuffer_destroy(&shape);
	cr_assert_eq(teardown_count(), 0);
}
