/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dumps made of numbers: node i of a seed is always the same, so that a test
 * can say what every object that it reads has to be.
 */
#ifndef PYD_TESTS_DUMPGEN_H
#define PYD_TESTS_DUMPGEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dump/writer.h"

struct gen {
	uint64_t seed;
	uint64_t nodes;
	uint64_t types;	   /* addresses of types to choose from; 0: 40 */
	uint64_t big_at;   /* this node has big bytes; UINT64_MAX: none */
	uint64_t big_size; /* bytes of it */
	uint32_t threads;
	uint32_t frames; /* of each thread */
	unsigned int writer_threads;
	size_t frame_max;
};

#define GEN_DEFAULT                                                            \
	{                                                                      \
		.seed = 1, .nodes = 5000, .big_at = UINT64_MAX, .threads = 2,  \
		.frames = 3                                                    \
	}

#define GEN_BASE 0x7f0000000000ULL

static inline uint64_t gen_next(uint64_t *state)
{
	*state += 0x9E3779B97F4A7C15ULL;

	uint64_t z = *state;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
	return z ^ (z >> 31);
}

/* Distinct for all i below 2**24, and in no order. */
static inline uint64_t gen_addr(uint64_t i)
{
	return GEN_BASE + ((i * 0x5DEECE7) & 0xffffff) * 16;
}

static inline void gen_check(enum pyd_code code, const struct pyd_err *err)
{
	if (!code)
		return;
	fprintf(stderr, "dumpgen: %s\n", err->msg);
	exit(1);
}

static const struct gen_kind {
	const char *fields;
	const char *rest;
} gen_kinds[] = {
#define PYD_KIND(id, name, fields, rest) [id] = { fields, rest },
	PYD_KINDS(PYD_KIND)
#undef PYD_KIND
};

static inline size_t gen_nfields(enum pyd_kind kind)
{
	const char *p = gen_kinds[kind].fields;
	size_t n = *p != 0;

	for (; *p; p++)
		n += *p == ' ';
	return n;
}

static inline void gen_value(struct pyd_node *n, const char *data, size_t len)
{
	struct pyd_err err;

	gen_check(pyd_buf_append(&n->value, data, len, &err), &err);
}

static inline void gen_fill_value(const struct gen *g, struct pyd_node *n,
				  uint64_t i, uint64_t *rng)
{
	uint64_t bits[8] = { gen_next(rng), gen_next(rng), gen_next(rng),
			     gen_next(rng), gen_next(rng), gen_next(rng),
			     gen_next(rng), gen_next(rng) };
	char text[64];
	int len = snprintf(text, sizeof(text), "n\xc3\xa9\xed\xa0\x80 %llu",
			   (unsigned long long)i);

	switch (n->kind) {
	case PYD_KIND_bool:
		gen_value(n, bits[0] & 1 ? "\1" : "\0", 1);
		break;
	case PYD_KIND_int:
		gen_value(n, (const char *)bits, bits[0] % 33);
		break;
	case PYD_KIND_float:
		gen_value(n, (const char *)bits, 8);
		break;
	case PYD_KIND_complex:
		gen_value(n, (const char *)bits, 16);
		break;
	case PYD_KIND_bytes:
	case PYD_KIND_bytearray:
		gen_value(n, (const char *)bits, bits[0] % 64);
		break;
	case PYD_KIND_type:
		gen_value(n, "mod\0Name\0", 9);
		gen_value(n, (const char *)bits, 24);
		break;
	case PYD_KIND_descriptor:
		gen_value(n, "member\0name", 11);
		break;
	case PYD_KIND_code:
	case PYD_KIND_frame:
	case PYD_KIND_generator:
	case PYD_KIND_coroutine:
	case PYD_KIND_async_generator:
		gen_value(n, (const char *)bits, 32);
		break;
	case PYD_KIND_traceback:
		gen_value(n, (const char *)bits, 8);
		break;
	case PYD_KIND_exception:
		gen_value(n, "\1", 1);
		break;
	case PYD_KIND_str:
	case PYD_KIND_placeholder:
	case PYD_KIND_module:
	case PYD_KIND_function:
	case PYD_KIND_builtin:
		gen_value(n, text, (size_t)len);
		break;
	default:
		break;
	}
	if (i != g->big_at)
		return;
	n->kind = PYD_KIND_bytes;
	pyd_buf_clear(&n->value);
	while (n->value.len < g->big_size) {
		uint64_t word = gen_next(rng);

		gen_value(n, (const char *)&word, 8);
	}
}

/* Shape s has s % 7 names; shape 0 none. */
static inline size_t gen_shape_len(uint32_t shape)
{
	return shape % 7;
}

static inline void gen_shape_name(uint32_t shape, size_t i, char *ret,
				  size_t cap)
{
	snprintf(ret, cap, "attr_%u_%zu", shape, i);
}

/* Every origin, in an order of the shape's own. */
static inline uint8_t gen_origin(uint32_t shape, size_t i)
{
	return (uint8_t)((shape / 7 + i * 3) % (PYD_ORIGIN_ADDRESS + 1));
}

/* The bytes of an attribute whose value is len. */
static inline uint8_t gen_attr_byte(size_t attr, size_t k)
{
	return (uint8_t)(attr * 31 + k * 7 + 1);
}

static inline void gen_shape(uint32_t shape, msgpack_sbuffer *ret)
{
	msgpack_packer pk;

	msgpack_sbuffer_clear(ret);
	msgpack_packer_init(&pk, ret, msgpack_sbuffer_write);
	msgpack_pack_array(&pk, gen_shape_len(shape));
	for (size_t i = 0; i < gen_shape_len(shape); i++) {
		char name[48];

		gen_shape_name(shape, i, name, sizeof(name));
		msgpack_pack_array(&pk, 2);
		msgpack_pack_int(&pk, (int)gen_origin(shape, i));
		msgpack_pack_str_with_body(&pk, name, strlen(name));
	}
}

/* Node i, and its shape. The node is cleared first. */
static inline uint32_t gen_node(const struct gen *g, uint64_t i,
				struct pyd_node *n)
{
	uint64_t rng = g->seed * 0x1000193 + i;
	uint64_t r = gen_next(&rng);
	uint64_t types = g->types ? g->types : 40;
	uint32_t shape = 0;
	struct pyd_err err;
	size_t refs;

	pyd_vec_clear(&n->refs);
	pyd_vec_clear(&n->attrs);
	pyd_buf_clear(&n->value);
	n->addr = gen_addr(i);
	n->type = 0x550000000000 + (r >> 8) % types * 64;
	n->kind = (enum pyd_kind)(r % PYD_NKINDS);
	n->size = gen_next(&rng) % 1000;
	n->refcnt = i % 17 ? (uint32_t)(r >> 60) : UINT32_MAX;
	n->mark = 0;
	n->mark_total = 0;
	n->mark_text[0] = 0;
	gen_fill_value(g, n, i, &rng);
	refs = gen_nfields(n->kind);
	if (*gen_kinds[n->kind].rest)
		refs += (r >> 16) % 12 * 2;
	for (size_t k = 0; k < refs; k++) {
		uint64_t to = gen_next(&rng);
		uint64_t ref = to % 9 == 0   ? 0
			       : to % 9 == 1 ? to << 2 | 3
					     : gen_addr((to >> 8) % g->nodes);

		gen_check(pyd_vec_push(&n->refs, ref, &err), &err);
	}
	if (n->kind == PYD_KIND_object || n->kind == PYD_KIND_exception ||
	    n->kind == PYD_KIND_record || n->kind == PYD_KIND_dict)
		shape = (uint32_t)(r >> 24) % 300;
	for (size_t k = 0; k < gen_shape_len(shape); k++) {
		uint8_t origin = gen_origin(shape, k);
		uint64_t v = gen_next(&rng);

		if (pyd_origin_is_ref(origin))
			v = gen_addr(v % g->nodes);
		else if (pyd_origin_has_bytes(origin))
			v = v % 5 * 8;
		for (size_t b = 0; pyd_origin_has_bytes(origin) && b < v; b++) {
			uint8_t byte = gen_attr_byte(k, b);

			gen_check(pyd_buf_append(&n->value, &byte, 1, &err),
				  &err);
		}
		gen_check(pyd_vec_push(&n->attrs, v, &err), &err);
	}
	if (r >> 32 & 31 && n->kind != PYD_KIND_placeholder)
		return shape;
	n->mark = (uint8_t)(1 + (r >> 40) % 6);
	n->mark_total = n->mark == PYD_MARK_TRUNCATED ? 1 + (r >> 48) : 0;
	if (i % 2)
		snprintf(n->mark_text, sizeof(n->mark_text), "why %llu",
			 (unsigned long long)i);
	return shape;
}

static inline void gen_str(msgpack_packer *pk, const char *s)
{
	msgpack_pack_str_with_body(pk, s, strlen(s));
}

static inline void gen_frame_map(const struct gen *g, msgpack_packer *pk,
				 uint32_t thread, uint32_t frame)
{
	msgpack_pack_map(pk, 6);
	gen_str(pk, "name");
	gen_str(pk, "work");
	gen_str(pk, "qualname");
	msgpack_pack_nil(pk);
	gen_str(pk, "file");
	msgpack_pack_bin_with_body(pk, "/not\xff/utf8.py", 13);
	gen_str(pk, "line");
	msgpack_pack_uint32(pk, frame + 1);
	gen_str(pk, "vars");
	msgpack_pack_array(pk, 8);
	for (uint32_t i = 0; i < 8; i++) {
		msgpack_pack_array(pk, 3);
		gen_str(pk, "var\x1b[31m");
		msgpack_pack_uint32(pk, i % 6);
		msgpack_pack_uint64(pk,
				    gen_addr((thread * 101 + frame * 8 + i) %
					     (g->nodes ? g->nodes : 1)));
	}
	gen_str(pk, "stack");
	msgpack_pack_array(pk, 1);
	msgpack_pack_uint64(pk, 7);
}

static inline void gen_begin(msgpack_packer *pk, msgpack_sbuffer *map,
			     uint32_t pairs, const char *kind)
{
	msgpack_sbuffer_clear(map);
	msgpack_packer_init(pk, map, msgpack_sbuffer_write);
	msgpack_pack_map(pk, pairs);
	gen_str(pk, "kind");
	gen_str(pk, kind);
}

/* header, threads, frames, one source. */
static inline void gen_meta(const struct gen *g, struct pyd_writer *w,
			    msgpack_sbuffer *map)
{
	msgpack_packer pk;
	msgpack_sbuffer extra;
	struct pyd_err err;

	gen_begin(&pk, map, PYD_WRITER_FORMAT_PAIRS + 4, "header");
	pyd_writer_pack_format(&pk);
	gen_str(&pk, "time");
	gen_str(&pk, "2024-05-06T07:08:09.000001Z");
	gen_str(&pk, "python");
	msgpack_pack_map(&pk, 2);
	gen_str(&pk, "version");
	gen_str(&pk, "3.11.7");
	gen_str(&pk, "hex");
	msgpack_pack_uint32(&pk, 0x030b07f0);
	gen_str(&pk, "process");
	msgpack_pack_map(&pk, 2);
	gen_str(&pk, "pid");
	msgpack_pack_int(&pk, 42);
	gen_str(&pk, "argv");
	msgpack_pack_array(&pk, 2);
	gen_str(&pk, "python");
	msgpack_pack_bin_with_body(&pk, "a\xff\x1b]0;b", 7);
	gen_check(pyd_writer_frame(w, "header", map, NULL, 0, &err), &err);

	gen_begin(&pk, map, 2, "threads");
	gen_str(&pk, "threads");
	msgpack_pack_array(&pk, g->threads);
	for (uint32_t t = 0; t < g->threads; t++) {
		msgpack_pack_map(&pk, 4);
		gen_str(&pk, "index");
		msgpack_pack_uint32(&pk, t);
		gen_str(&pk, "name");
		gen_str(&pk, "Thread");
		gen_str(&pk, "nframes");
		msgpack_pack_uint32(&pk, g->frames);
		gen_str(&pk, "exceptions");
		msgpack_pack_array(&pk, 1);
		msgpack_pack_map(&pk, 2);
		gen_str(&pk, "role");
		gen_str(&pk, "raised");
		gen_str(&pk, "value");
		msgpack_pack_uint64(&pk, gen_addr(t));
	}
	gen_check(pyd_writer_frame(w, "threads", map, NULL, 0, &err), &err);

	msgpack_sbuffer_init(&extra);
	for (uint32_t t = 0; t < g->threads; t++) {
		gen_begin(&pk, map, 4, "frames");
		gen_str(&pk, "thread");
		msgpack_pack_uint32(&pk, t);
		gen_str(&pk, "first");
		msgpack_pack_uint32(&pk, 0);
		gen_str(&pk, "frames");
		msgpack_pack_array(&pk, g->frames);
		for (uint32_t f = 0; f < g->frames; f++)
			gen_frame_map(g, &pk, t, f);
		msgpack_sbuffer_clear(&extra);
		msgpack_packer_init(&pk, &extra, msgpack_sbuffer_write);
		msgpack_pack_uint32(&pk, t);
		msgpack_pack_uint32(&pk, 0);
		gen_check(pyd_writer_frame(w, "frames", map, &extra, 2, &err),
			  &err);
	}

	gen_begin(&pk, map, 4, "source");
	gen_str(&pk, "file");
	gen_str(&pk, "a.py");
	gen_str(&pk, "text");
	gen_str(&pk, "print(1)\n");
	gen_str(&pk, "origin");
	gen_str(&pk, "file");
	msgpack_sbuffer_clear(&extra);
	msgpack_packer_init(&pk, &extra, msgpack_sbuffer_write);
	gen_str(&pk, "a.py");
	gen_check(pyd_writer_frame(w, "source", map, &extra, 1, &err), &err);
	msgpack_sbuffer_destroy(&extra);
}

/* toc and end. */
static inline enum pyd_code gen_end(struct pyd_writer *w, msgpack_sbuffer *map,
				    struct pyd_err *err)
{
	msgpack_packer pk;
	uint64_t toc;
	enum pyd_code code = pyd_writer_flush(w, &toc, err);

	if (code)
		return code;
	gen_begin(&pk, map, 5, "end");
	gen_str(&pk, "complete");
	msgpack_pack_true(&pk);
	gen_str(&pk, "toc");
	msgpack_pack_uint64(&pk, toc);
	gen_str(&pk, "pause_ns");
	msgpack_pack_uint64(&pk, 1234567);
	gen_str(&pk, "cut");
	msgpack_pack_map(&pk, 1);
	gen_str(&pk, "depth");
	msgpack_pack_int(&pk, 3);
	code = pyd_writer_frame(w, "end", map, NULL, 0, err);
	return code ? code : pyd_writer_finish(w, err);
}

/* Writes the whole dump. */
static inline enum pyd_code gen_dump(const struct gen *g, const char *path,
				     struct pyd_err *err)
{
	struct pyd_writer_options opts = { .path = path,
					   .threads = g->writer_threads,
					   .frame_max = g->frame_max };
	struct pyd_node node = { 0 };
	msgpack_sbuffer map, shape_map;
	struct pyd_writer *w;
	enum pyd_code code = pyd_writer_create(&opts, &w, err);

	if (code)
		return code;
	msgpack_sbuffer_init(&map);
	msgpack_sbuffer_init(&shape_map);
	gen_meta(g, w, &map);
	for (uint64_t i = 0; !code && i < g->nodes; i++) {
		uint32_t shape = gen_node(g, i, &node);

		gen_shape(shape, &shape_map);
		code = pyd_writer_object(w, &node, shape, &shape_map, err);
	}
	if (!code)
		code = gen_end(w, &map, err);
	pyd_writer_destroy(w);
	pyd_node_deinit(&node);
	msgpack_sbuffer_destroy(&map);
	msgpack_sbuffer_destroy(&shape_map);
	return code;
}

#endif
