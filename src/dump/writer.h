/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a dump: one streaming pass, independent zstd frames of msgpack maps
 * (doc/FORMAT.md). Knows nothing of targets: it is given nodes and metadata.
 */
#ifndef PYD_DUMP_WRITER_H
#define PYD_DUMP_WRITER_H

#include <msgpack.h>

#include "base/buf.h"
#include "read/node.h"

struct pyd_writer;

/* zstd takes more, for memory that a dumper should not need. */
#define PYD_LEVEL_MAX 19

struct pyd_writer_options {
	int level;	      /* of zstd, to PYD_LEVEL_MAX; 0: the default, 1 */
	unsigned int threads; /* that compress; 0: as many as pay */
	size_t frame_max;     /* 0: PYD_FORMAT_FRAME_MAX; tests take less */
	const char *path;     /* final name; the data goes to a file beside it,
			       * mode 0600, renamed by pyd_writer_finish();
			       * "-": to standard output, see
			       * pyd_writer_settle(). NULL: nowhere; what
			       * pyd_writer_object(), _frame() and _hold() are
			       * given is dropped, nothing else is called */
};

/*
 * Creates "DIR/.NAME.XXXXXX.part" beside path. PYD_IO with what to do when the
 * directory is missing, unwritable or full. Never overwrites: a path that
 * exists gives PYD_IO, here and at the rename (RENAME_NOREPLACE).
 */
PYD_MUST_CHECK enum pyd_code pyd_writer_create(
	const struct pyd_writer_options *opts, struct pyd_writer **ret,
	struct pyd_err *err);

/* Nothing of what was written has to be taken back: a writer to standard output
 * keeps all until this is called, or until the end. */
PYD_MUST_CHECK enum pyd_code pyd_writer_settle(struct pyd_writer *w,
					       struct pyd_err *err);

/*
 * Packs the pairs of the "header" map that describe the format itself: magic,
 * format, oldest_reader, writer, columns, kinds. The caller counts
 * PYD_WRITER_FORMAT_PAIRS more pairs in its map and puts "kind" before them.
 */
#define PYD_WRITER_FORMAT_PAIRS 6
void pyd_writer_pack_format(msgpack_packer *pk);

/*
 * One whole frame that the caller packed: a msgpack map whose first key is
 * "kind". Used for header, threads, frames, source, end. What "toc" needs
 * beside the offsets is in extra (packed msgpack elements, may be NULL).
 */
PYD_MUST_CHECK enum pyd_code pyd_writer_frame(
	struct pyd_writer *w, const char *kind, const msgpack_sbuffer *map,
	const msgpack_sbuffer *extra, uint32_t nextra, struct pyd_err *err);

/*
 * Appends one object; a batch is written out by itself when it is full. Each
 * address once. What exceeds PYD_FORMAT_FRAME_MAX is cut and marked.
 * Compression and writing happen in other threads, so that an error of the
 * file may come from any later call; every call after it fails likewise.
 * shape identifies node->names: equal ids mean equal lists of names; 0 is the
 * empty one. shape_map is the packed msgpack list of [origin, name] for it;
 * it is copied into each batch that uses it. Of a node of 2 MiB and more the
 * references and value are taken over: it has none of them afterwards. From 4
 * MiB on the call waits until they are written.
 */
PYD_MUST_CHECK enum pyd_code pyd_writer_object(struct pyd_writer *w,
					       struct pyd_node *node,
					       uint32_t shape,
					       const msgpack_sbuffer *shape_map,
					       struct pyd_err *err);
/* The same for one without references, attributes or mark, whose value is
 * short: a number. */
PYD_MUST_CHECK enum pyd_code pyd_writer_leaf(struct pyd_writer *w,
					     struct pyd_node *node,
					     struct pyd_err *err);

/*
 * The same for a text (str, bytes, bytearray) without attributes or a mark,
 * that is kept in memory until pyd_writer_release(): what it may say is not
 * known yet. False in *ret_held, and nothing done, when it is not of that kind
 * or about max bytes are kept already.
 */
PYD_MUST_CHECK enum pyd_code pyd_writer_hold(struct pyd_writer *w,
					     const struct pyd_node *node,
					     size_t max, bool *ret_held,
					     struct pyd_err *err);
/* One such text, to be changed in place. */
struct pyd_writer_text {
	pyd_addr addr;
	enum pyd_kind kind;
	uint8_t *value;
	size_t len; /* may become less */
	bool redacted;
	uint64_t total; /* of the mark, if redacted */
	char mark[64];	/* its text */
};
/* Shows every text that is held to fn, and writes it. */
PYD_MUST_CHECK enum pyd_code pyd_writer_release(
	struct pyd_writer *w,
	enum pyd_code (*fn)(void *ctx, struct pyd_writer_text *t,
			    struct pyd_err *err),
	void *ctx, struct pyd_err *err);

struct pyd_writer_totals {
	uint64_t objects;
	uint64_t object_bytes; /* sum of sizes */
	uint64_t placeholders;
	uint64_t file_bytes; /* compressed, so far */
};
void pyd_writer_totals(const struct pyd_writer *w,
		       struct pyd_writer_totals *ret);

/* Writes out the open batch, its index and the toc; *ret_toc is its offset.
 * After it the caller writes the "end" frame and calls finish. */
PYD_MUST_CHECK enum pyd_code pyd_writer_flush(struct pyd_writer *w,
					      uint64_t *ret_toc,
					      struct pyd_err *err);
/* Seekable table, fsync, rename to the final name. */
PYD_MUST_CHECK enum pyd_code pyd_writer_finish(struct pyd_writer *w,
					       struct pyd_err *err);
/* From here on its threads let others go first. */
void pyd_writer_yield(struct pyd_writer *w);
/* Frees; removes the partial file unless it was finished. Accepts NULL. */
void pyd_writer_destroy(struct pyd_writer *w);

#endif
