// SPDX-License-Identifier: Apache-2.0
#include "walk/pack.h"

#include "base/utf8.h"

/* msgpack's own write function, its failure remembered. */
static int put(void *data, const char *buf, size_t len)
{
	struct pyd_pack *p = data;

	if (p->failed || msgpack_sbuffer_write(&p->buf, buf, len)) {
		p->failed = true;
		return -1;
	}
	return 0;
}

void pyd_pack_init(struct pyd_pack *p)
{
	msgpack_sbuffer_init(&p->buf);
	msgpack_packer_init(&p->pk, p, put);
	p->failed = false;
}

void pyd_pack_deinit(struct pyd_pack *p)
{
	msgpack_sbuffer_destroy(&p->buf);
}

enum pyd_code pyd_pack_check(const struct pyd_pack *p, struct pyd_err *err)
{
	if (p->failed)
		return pyd_err_set(err, PYD_NOMEM,
				   "out of memory for a part of the dump");
	return PYD_OK;
}

void pyd_pack_map(struct pyd_pack *p, size_t n)
{
	msgpack_pack_map(&p->pk, n);
}

void pyd_pack_array(struct pyd_pack *p, size_t n)
{
	msgpack_pack_array(&p->pk, n);
}

void pyd_pack_text_n(struct pyd_pack *p, const char *text, size_t n)
{
	bool valid = true;

	for (size_t i = 0; i < n && valid;) {
		uint32_t c = 0;
		size_t len =
			pyd_utf8_char((const uint8_t *)text + i, n - i, &c);

		/* A surrogate is no text for msgpack. */
		valid = len != 0 && (c < 0xd800 || c > 0xdfff);
		i += len;
	}
	if (valid)
		msgpack_pack_str_with_body(&p->pk, text, n);
	else
		msgpack_pack_bin_with_body(&p->pk, text, n);
}

void pyd_pack_text(struct pyd_pack *p, const char *text)
{
	if (text)
		pyd_pack_text_n(p, text, strlen(text));
	else
		msgpack_pack_nil(&p->pk);
}

void pyd_pack_u64(struct pyd_pack *p, uint64_t v)
{
	msgpack_pack_uint64(&p->pk, v);
}

void pyd_pack_i64(struct pyd_pack *p, int64_t v)
{
	msgpack_pack_int64(&p->pk, v);
}

void pyd_pack_bool(struct pyd_pack *p, bool v)
{
	if (v)
		msgpack_pack_true(&p->pk);
	else
		msgpack_pack_false(&p->pk);
}

void pyd_pack_nil(struct pyd_pack *p)
{
	msgpack_pack_nil(&p->pk);
}

void pyd_pack_kv_text(struct pyd_pack *p, const char *key, const char *text)
{
	pyd_pack_text(p, key);
	pyd_pack_text(p, text);
}

void pyd_pack_kv_u64(struct pyd_pack *p, const char *key, uint64_t v)
{
	pyd_pack_text(p, key);
	pyd_pack_u64(p, v);
}

void pyd_pack_kv_i64(struct pyd_pack *p, const char *key, int64_t v)
{
	pyd_pack_text(p, key);
	pyd_pack_i64(p, v);
}

void pyd_pack_kv_bool(struct pyd_pack *p, const char *key, bool v)
{
	pyd_pack_text(p, key);
	pyd_pack_bool(p, v);
}

void pyd_pack_kv_opt(struct pyd_pack *p, const char *key, int64_t v)
{
	pyd_pack_text(p, key);
	if (v < 0)
		pyd_pack_nil(p);
	else
		pyd_pack_i64(p, v);
}
