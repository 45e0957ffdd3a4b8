/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small helpers over msgpack's packer. The buffers grow in memory; a failed
 * allocation is found by pyd_pack_check() at the end of a frame.
 */
#ifndef PYD_WALK_PACK_H
#define PYD_WALK_PACK_H

#include <msgpack.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"

struct pyd_pack {
	msgpack_sbuffer buf;
	msgpack_packer pk;
	bool failed;
};

void pyd_pack_init(struct pyd_pack *p);
void pyd_pack_deinit(struct pyd_pack *p);
PYD_MUST_CHECK enum pyd_code pyd_pack_check(const struct pyd_pack *p,
					    struct pyd_err *err);

void pyd_pack_map(struct pyd_pack *p, size_t n);
void pyd_pack_array(struct pyd_pack *p, size_t n);
/* str when text is UTF-8, else bin; NULL is nil. */
void pyd_pack_text(struct pyd_pack *p, const char *text);
void pyd_pack_text_n(struct pyd_pack *p, const char *text, size_t n);
void pyd_pack_u64(struct pyd_pack *p, uint64_t v);
void pyd_pack_i64(struct pyd_pack *p, int64_t v);
void pyd_pack_bool(struct pyd_pack *p, bool v);
void pyd_pack_nil(struct pyd_pack *p);

/* key, then value */
void pyd_pack_kv_text(struct pyd_pack *p, const char *key, const char *text);
void pyd_pack_kv_u64(struct pyd_pack *p, const char *key, uint64_t v);
void pyd_pack_kv_i64(struct pyd_pack *p, const char *key, int64_t v);
void pyd_pack_kv_bool(struct pyd_pack *p, const char *key, bool v);
void pyd_pack_kv_opt(struct pyd_pack *p, const char *key, int64_t v);

#endif
