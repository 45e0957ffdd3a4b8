/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading of dumps. Opens in milliseconds whatever the size of the file: only
 * the header, the threads and the table of contents are read; objects when they
 * are asked for. A file that was cut short is served as far as it goes.
 *
 * Nothing in a dump is trusted. A damaged part gives PYD_FORMAT for what lies
 * in it, and nothing else; the rest stays readable.
 *
 * A struct pyd_dump belongs to one thread at a time. What it returns belongs to
 * it, and is valid until pyd_dump_close(), unless said otherwise. Text is not
 * NUL-terminated unless said so, may hold any bytes, and is to be escaped
 * before it goes to a terminal.
 */
#ifndef PYDUMPD_DUMP_H
#define PYDUMPD_DUMP_H

#include <stddef.h>

#include "pydumpd/error.h"
#include "pydumpd/format.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pyd_dump;

/* PYD_NOTFOUND: no such file. PYD_FORMAT: empty, no dump, or written for newer
 * readers. PYD_IO: cannot be read. */
PYD_MUST_CHECK enum pyd_code pyd_dump_open(const char *path,
					   struct pyd_dump **ret,
					   struct pyd_err *err);
/* The same over a descriptor of a regular file, which stays the caller's and
 * must outlive the dump. name is used in messages. */
PYD_MUST_CHECK enum pyd_code pyd_dump_open_fd(int fd, const char *name,
					      struct pyd_dump **ret,
					      struct pyd_err *err);
/* Accepts NULL. */
void pyd_dump_close(struct pyd_dump *d);

/* -- metadata: msgpack values, as doc/FORMAT.md names them -- */

enum pyd_dump_type {
	PYD_DUMP_NIL, /* also: a key that is not there */
	PYD_DUMP_BOOL,
	PYD_DUMP_INT,
	PYD_DUMP_FLOAT,
	PYD_DUMP_TEXT,	/* UTF-8, if the writer kept its word */
	PYD_DUMP_BYTES, /* text that is not UTF-8 */
	PYD_DUMP_LIST,
	PYD_DUMP_MAP,
	PYD_DUMP_OTHER,
};

/* A view of one value. Zeroed is nil. To be passed by value. */
struct pyd_dump_value {
	const uint8_t *at;
	const uint8_t *end;
};

enum pyd_dump_type pyd_dump_value_type(struct pyd_dump_value v);
/* Elements of a list, pairs of a map, bytes of a text; else 0. */
size_t pyd_dump_value_len(struct pyd_dump_value v);
/* The value under a key; nil when it is not there or v is no map. */
struct pyd_dump_value pyd_dump_value_get(struct pyd_dump_value v,
					 const char *key);
/* False, and *ret untouched, when v is of another type or does not fit. */
bool pyd_dump_value_u64(struct pyd_dump_value v, uint64_t *ret);
bool pyd_dump_value_i64(struct pyd_dump_value v, int64_t *ret);
bool pyd_dump_value_bool(struct pyd_dump_value v, bool *ret);
bool pyd_dump_value_float(struct pyd_dump_value v, double *ret);
/* TEXT and BYTES both. */
bool pyd_dump_value_text(struct pyd_dump_value v, const char **ret,
			 size_t *ret_len);

/* Steps through a list (key stays nil) or map. */
struct pyd_dump_iter {
	const uint8_t *at;
	const uint8_t *end;
	uint64_t left;
	bool map;
};
struct pyd_dump_iter pyd_dump_value_iter(struct pyd_dump_value v);
bool pyd_dump_iter_next(struct pyd_dump_iter *it, struct pyd_dump_value *key,
			struct pyd_dump_value *value);

struct pyd_dump_info {
	bool complete;	   /* has its end */
	uint64_t size;	   /* of the file, in bytes */
	uint64_t readable; /* up to the cut or the first damage, in bytes */
	uint64_t objects;
	uint64_t threads;
	uint64_t frames; /* in the file, of all threads */
	uint32_t format;
	char damage[160]; /* why the file is not complete; "" if it is */
};
void pyd_dump_get_info(const struct pyd_dump *d, struct pyd_dump_info *ret);
/* Maps; nil when the file was cut before them. */
struct pyd_dump_value pyd_dump_header(const struct pyd_dump *d);
struct pyd_dump_value pyd_dump_threads(const struct pyd_dump *d);
struct pyd_dump_value pyd_dump_waits(const struct pyd_dump *d);
struct pyd_dump_value pyd_dump_end(const struct pyd_dump *d);

/* Calls fn for every frame of a thread, from number "first" on, the newest
 * being 0. The value lives as long as the call. fn returns PYD_OK to go on;
 * anything else ends it and is returned. */
PYD_MUST_CHECK enum pyd_code pyd_dump_frames_each(
	struct pyd_dump *d, uint64_t thread, uint64_t first,
	enum pyd_code (*fn)(void *ctx, uint64_t number,
			    struct pyd_dump_value frame, struct pyd_err *err),
	void *ctx, struct pyd_err *err);

/* Calls fn for every source: a map as doc/FORMAT.md has it. Likewise. */
PYD_MUST_CHECK enum pyd_code pyd_dump_sources_each(
	struct pyd_dump *d,
	enum pyd_code (*fn)(void *ctx, struct pyd_dump_value source,
			    struct pyd_err *err),
	void *ctx, struct pyd_err *err);

/* -- native stacks -- */

/* By what a native frame was found. */
enum pyd_dump_native_how {
	PYD_NATIVE_REGS = 0,  /* the thread's registers: the innermost */
	PYD_NATIVE_TABLE = 1, /* unwind tables */
	PYD_NATIVE_FP = 2,    /* a frame pointer that led behind a call */
	PYD_NATIVE_TOP = 3,   /* the newest word of the stack, likewise */
	PYD_NATIVE_END = 4,   /* the function's last instructions, likewise */
};

/* A native frame, the innermost first. */
struct pyd_dump_native_frame {
	struct pyd_dump_value place; /* map: what is there; may be nil */
	uint64_t pc;
	uint64_t sp;
	uint64_t how; /* enum pyd_dump_native_how, or of a newer writer */
	bool signal;
	bool runs; /* it runs Python frames first to first + n - 1 */
	uint64_t first;
	uint64_t n;
};

struct pyd_dump_native {
	struct pyd_dump_value thread; /* map, as doc/FORMAT.md has it */
	int64_t index;		      /* of the Python thread; -1: none */
	bool merged;		      /* frames' "runs" can be relied on */
	uint64_t total;		      /* frames that there were */
	/* total - nframes frames are left out before frames[cut_at], if that
	 * is not nframes. */
	size_t cut_at;
	const struct pyd_dump_native_frame *frames;
	size_t nframes;
};

/* Calls fn for every native stack. What it is given lives as long as the call;
 * likewise. */
PYD_MUST_CHECK enum pyd_code pyd_dump_native_each(
	struct pyd_dump *d,
	enum pyd_code (*fn)(void *ctx, const struct pyd_dump_native *native,
			    struct pyd_err *err),
	void *ctx, struct pyd_err *err);

/* Likewise for the native stack of one Python thread; nothing when the dump has
 * none of it. Cheap for one thread after the other. */
PYD_MUST_CHECK enum pyd_code pyd_dump_native_get(
	struct pyd_dump *d, uint64_t thread,
	enum pyd_code (*fn)(void *ctx, const struct pyd_dump_native *native,
			    struct pyd_err *err),
	void *ctx, struct pyd_err *err);

/* -- objects -- */

struct pyd_dump_attr {
	uint8_t origin; /* enum pyd_origin */
	uint32_t name_len;
	const char *name;
	/* A reference (pyd_origin_is_ref(); 0: not set), or what the origin
	 * says. */
	uint64_t value;
	/* Of origins TEXT, BYTES and INTS: value bytes; else NULL. */
	const uint8_t *bytes;
};

struct pyd_dump_batch;

/*
 * One object. Its pointers live as long as the batch is held: by
 * pyd_dump_object_release() or pyd_dump_batch_release(), whichever the object
 * came from.
 */
struct pyd_dump_object {
	pyd_addr addr;
	pyd_addr type;
	enum pyd_kind kind; /* PYD_KIND_object for one that this library does
			     * not know */
	uint8_t kind_id;    /* as the file has it */
	uint32_t size;	    /* bytes */
	uint32_t refcnt;    /* UINT32_MAX: immortal */
	uint32_t nrefs;
	uint32_t nattrs;
	const uint64_t *refs;
	const uint8_t *value;
	uint32_t value_len; /* bytes of the kind, without those of attributes */
	uint8_t mark;	    /* 0 or enum pyd_mark */
	uint64_t mark_total;
	const char *mark_text; /* mark_len bytes, or NULL */
	uint32_t mark_len;

	struct pyd_dump_batch *batch;
	uint32_t index; /* in the batch */
};

/* The kinds as the file's header describes them. */
struct pyd_dump_kind {
	enum pyd_kind kind; /* as above */
	const char *name;
	size_t name_len;
	uint32_t nfields; /* leading references */
	enum {
		PYD_DUMP_REST_NONE,
		PYD_DUMP_REST_ITEMS,
		PYD_DUMP_REST_PAIRS,
		PYD_DUMP_REST_FRAME,
	} rest;
};
/* NULL when the header knows no such kind. */
const struct pyd_dump_kind *pyd_dump_kind(const struct pyd_dump *d, uint8_t id);

/* PYD_NOTFOUND: the dump has no object at that address. The object is to be
 * released. */
PYD_MUST_CHECK enum pyd_code pyd_dump_object_get(struct pyd_dump *d,
						 pyd_addr addr,
						 struct pyd_dump_object *ret,
						 struct pyd_err *err);
/* Zeroes it. Safe on a zeroed one. */
void pyd_dump_object_release(struct pyd_dump *d, struct pyd_dump_object *o);
/* The reference in a named field of the kind; 0 when NULL or no such field. */
uint64_t pyd_dump_object_field(const struct pyd_dump *d,
			       const struct pyd_dump_object *o,
			       const char *name);
/* The references after the fields. */
const uint64_t *pyd_dump_object_rest(const struct pyd_dump *d,
				     const struct pyd_dump_object *o,
				     uint32_t *ret_n);
/* i below o->nattrs. */
void pyd_dump_object_attr(const struct pyd_dump_object *o, uint32_t i,
			  struct pyd_dump_attr *ret);
/* A small integer in place of an address (doc/FORMAT.md). */
static inline bool pyd_dump_ref_is_int(uint64_t ref, int64_t *ret)
{
	if ((ref & 3) != 3)
		return false;
	*ret = (int64_t)ref >> 2;
	return true;
}

/*
 * All objects: for each batch from 0 to pyd_dump_nbatches() - 1 load, look at
 * its objects, release. A damaged batch gives PYD_FORMAT; go on with the next.
 */
uint64_t pyd_dump_nbatches(const struct pyd_dump *d);
PYD_MUST_CHECK enum pyd_code pyd_dump_batch_load(struct pyd_dump *d, uint64_t i,
						 struct pyd_dump_batch **ret,
						 struct pyd_err *err);
void pyd_dump_batch_release(struct pyd_dump *d, struct pyd_dump_batch *b);
uint32_t pyd_dump_batch_len(const struct pyd_dump_batch *b);
/* i below the length. Lives as long as the batch, and is not released. */
void pyd_dump_batch_object(const struct pyd_dump *d, struct pyd_dump_batch *b,
			   uint32_t i, struct pyd_dump_object *ret);

#ifdef __cplusplus
}
#endif

#endif
