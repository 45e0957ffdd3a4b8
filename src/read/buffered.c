// SPDX-License-Identifier: Apache-2.0
/*
 * io.BufferedReader, BufferedWriter, BufferedRandom: where the program is in
 * the file, and what waits in the buffer. Modules/_io/bufferedio.c
 */
#include "read/record.h"

static enum pyd_code add_part(struct pyd_reader *r,
			      const struct pyd_record *rec, struct pyd_node *n,
			      const char *name, int64_t from, int64_t to,
			      struct pyd_err *err)
{
	if (from < 0 || to < from || to > pyd_record_i64(rec, "buffer_size"))
		return pyd_err_at(err, PYD_CORRUPT, rec->obj->addr,
				  "impossible place of %s", name);
	if (from == to)
		return PYD_OK;
	return pyd_record_memory(r, n, PYD_ORIGIN_BYTES, name,
				 pyd_record_u64(rec, "buffer") + (uint64_t)from,
				 (uint64_t)(to - from), err);
}

/*
 * Fields: buffer (NULL when closed), buffer_size, readable, writable, abs_pos
 * (where the raw file is, -1: nobody knows), raw_pos (the place in the buffer
 * that is there), pos (the program's place in it), read_end, write_pos,
 * write_end (-1: the buffer is not for that). Adds "position", "read_ahead"
 * and "pending".
 */
enum pyd_code pyd_record_buffered(struct pyd_reader *r,
				  const struct pyd_record *rec,
				  struct pyd_node *n, struct pyd_err *err)
{
	int64_t at = pyd_record_i64(rec, "abs_pos");
	int64_t pos = pyd_record_i64(rec, "pos");
	int64_t raw = pyd_record_i64(rec, "raw_pos");
	int64_t read_end = pyd_record_i64(rec, "read_end");
	int64_t write_end = pyd_record_i64(rec, "write_end");
	bool reads = pyd_record_u64(rec, "readable") && read_end != -1;
	bool writes = pyd_record_u64(rec, "writable") && write_end != -1;
	enum pyd_code code;

	if (!pyd_record_u64(rec, "buffer"))
		return PYD_OK;
	/* As RAW_OFFSET and tell() have it. */
	if ((reads || writes) && raw >= 0 && pos >= 0)
		at = at < 0 ? at : at - (raw - pos);
	if (at >= 0) {
		code = pyd_node_field(n, PYD_ORIGIN_INT, "position",
				      (uint64_t)at, err);
		if (code)
			return code;
	}
	if (reads) {
		code = add_part(r, rec, n, "read_ahead", pos, read_end, err);
		if (code)
			return code;
	}
	if (writes)
		return add_part(r, rec, n, "pending",
				pyd_record_i64(rec, "write_pos"), write_end,
				err);
	return PYD_OK;
}
