/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding of remote objects by a layout. Lookups that find the runtime and
 * names (this header) and whole nodes for the walker.
 */
#ifndef PYD_READ_READER_H
#define PYD_READ_READER_H

#include "base/map.h"
#include "layout/layout.h"
#include "read/node.h"
#include "target/target.h"

struct pyd_ctypes;
struct pyd_type;
struct pyd_obj;
struct pyd_codeobj;

struct pyd_reader {
	struct pyd_target *target;    /* not owned */
	const struct pyd_layout *lay; /* not owned */
	/* Described C types; not owned, may be NULL. Nodes keep names of it. */
	const struct pyd_ctypes *ctypes;
	/* Interpreters whose state is searched for the dict of a static
	 * builtin type (model typedict = perinterp). */
	struct pyd_vec interps;
	struct pyd_map types; /* address -> struct pyd_type * */
	struct {
		pyd_addr addr;
		const struct pyd_type *type;
	} recent[256];	      /* some of them, by a hash of the address */
	pyd_addr type_type;   /* the type whose type is itself, or 0 */
	struct pyd_map codes; /* address -> struct pyd_codeobj * */
	uint64_t max_string;  /* characters of a str; 0: no limit */
	uint64_t max_blob;    /* bytes of memory in a record; 0: no limit */
	uint64_t max_items;   /* of a container; 0: no limit */
	/* Of an object's many references so many are given, the others only
	 * touched: see pyd_target_touch(). 0: all. */
	uint64_t only_some;
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
	/* From so many references on a node has them as `more`. 0: never. */
	uint64_t pieces_min;
	/* Likewise the value of a str, bytes or bytearray as `text`, from so
	 * many bytes on. 0: never. */
	uint64_t long_min;
	bool whole; /* the object that is read next is not cut */
	/* Scratch of pyd_read_node(). */
	struct pyd_obj *obj;
	struct pyd_vec pairs;
	struct pyd_vec split_keys;
	struct pyd_vec split_values;
	struct pyd_buf bytes;
};

PYD_MUST_CHECK enum pyd_code pyd_reader_init(struct pyd_reader *r,
					     struct pyd_target *t,
					     const struct pyd_layout *lay,
					     struct pyd_err *err);
void pyd_reader_deinit(struct pyd_reader *r);

/* -- lookups: small, safe, without caches; PYD_CORRUPT when the object is not
 *    of the type that the name says -- */

/* UTF-8 with surrogates passed; at most cap - 1 bytes, cut at a character. */
PYD_MUST_CHECK enum pyd_code pyd_read_str(struct pyd_reader *r, pyd_addr str,
					  char *buf, size_t cap,
					  struct pyd_err *err);
PYD_MUST_CHECK enum pyd_code pyd_read_i64(struct pyd_reader *r, pyd_addr obj,
					  int64_t *ret, struct pyd_err *err);
/* The value under a str key. *ret is 0 when the key is not there. */
PYD_MUST_CHECK enum pyd_code pyd_read_dict_str(struct pyd_reader *r,
					       pyd_addr dict, const char *key,
					       pyd_addr *ret,
					       struct pyd_err *err);
/* Where the dict keeps that value until it grows; 0 when it is not there. */
PYD_MUST_CHECK enum pyd_code pyd_read_dict_place(struct pyd_reader *r,
						 pyd_addr dict, const char *key,
						 pyd_addr *ret,
						 struct pyd_err *err);
/* Calls fn for every pair, in order; fn's failure ends it. */
PYD_MUST_CHECK enum pyd_code pyd_read_dict_each(
	struct pyd_reader *r, pyd_addr dict,
	enum pyd_code (*fn)(void *ctx, pyd_addr key, pyd_addr value,
			    struct pyd_err *err),
	void *ctx, struct pyd_err *err);
/* An instance attribute (its dict, inline or split values, not the class).
 * *ret is 0 when it is not set. */
PYD_MUST_CHECK enum pyd_code pyd_read_attr(struct pyd_reader *r, pyd_addr obj,
					   const char *name, pyd_addr *ret,
					   struct pyd_err *err);
/* tp_name as the type has it, into buf. */
PYD_MUST_CHECK enum pyd_code pyd_read_type_name(struct pyd_reader *r,
						pyd_addr obj, char *buf,
						size_t cap,
						struct pyd_err *err);
/* The word in a field of the struct at base; 0 when this version has no such
 * field, base is 0 or it cannot be read. */
uint64_t pyd_read_field(struct pyd_reader *r, pyd_addr base, enum pyd_field f);

/* -- nodes -- */

/* Decodes the object at addr into n, which is cleared first. Failures that
 * belong to the object (pyd_code_is_local) leave n cleared but for addr, type
 * when it was found, and size. */
PYD_MUST_CHECK enum pyd_code pyd_read_node(struct pyd_reader *r, pyd_addr addr,
					   struct pyd_node *n,
					   struct pyd_err *err);

#endif
