// SPDX-License-Identifier: Apache-2.0
/*
 * Hash objects of OpenSSL: which algorithm it is. Modules/_hashopenssl.c;
 * OpenSSL's crypto/evp/evp_local.h and include/crypto/evp.h.
 */
#include "read/record.h"

/* What an EVP_MD begins with (1.1 to 3.x). */
struct digest {
	int32_t nid;
	int32_t key_nid;
	int32_t size; /* bytes of a digest */
};

static const struct algorithm {
	int32_t nid; /* include/openssl/obj_mac.h */
	int32_t size;
	int32_t block_size;
	const char *name; /* as hashlib calls it */
	bool variable;	  /* the digest may be of any size */
} algorithms[] = {
	{ 4, 16, 64, "md5", false },
	{ 64, 20, 64, "sha1", false },
	{ 114, 36, 64, "md5-sha1", false },
	{ 117, 20, 64, "ripemd160", false },
	{ 257, 16, 64, "md4", false },
	{ 672, 32, 64, "sha256", false },
	{ 673, 48, 128, "sha384", false },
	{ 674, 64, 128, "sha512", false },
	{ 675, 28, 64, "sha224", false },
	{ 1056, 64, 128, "blake2b", false },
	{ 1057, 32, 64, "blake2s", false },
	{ 1094, 28, 128, "sha512_224", false },
	{ 1095, 32, 128, "sha512_256", false },
	{ 1096, 28, 144, "sha3_224", false },
	{ 1097, 32, 136, "sha3_256", false },
	{ 1098, 48, 104, "sha3_384", false },
	{ 1099, 64, 72, "sha3_512", false },
	{ 1100, 16, 168, "shake_128", true },
	{ 1101, 32, 136, "shake_256", true },
	{ 1143, 32, 64, "sm3", false },
};

static const struct algorithm *recognise(struct pyd_reader *r, pyd_addr md,
					 int32_t *ret_size)
{
	struct pyd_err ignored;
	struct digest d;

	if (!md || md % 4 ||
	    pyd_target_read(r->target, md, &d, sizeof(d), &ignored))
		return NULL;
	*ret_size = d.size;
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]);
	     i++) {
		const struct algorithm *a = &algorithms[i];

		if (a->nid == d.nid &&
		    (a->size == d.size || (a->variable && !d.size)))
			return a;
	}
	return NULL;
}

/*
 * Field: ctx, an EVP_MD_CTX, whose layout OpenSSL does not promise: its first
 * word is the EVP_MD up to 1.1; from 3.0 on that is the second, the first being
 * what was asked for. So both are looked at, and believed when what they point
 * to has the number and the size of an algorithm that is known, and they do not
 * contradict each other. Adds "name", "digest_size" and "block_size" then;
 * where the object has a name of its own (up to 3.8) it adds nothing else.
 */
enum pyd_code pyd_record_hashlib(struct pyd_reader *r,
				 const struct pyd_record *rec,
				 struct pyd_node *n, struct pyd_err *err)
{
	const struct algorithm *a, *b;
	pyd_addr ctx = pyd_record_u64(rec, "ctx");
	struct pyd_err ignored;
	uint64_t words[2];
	int32_t size = 0, other;
	enum pyd_code code = PYD_OK;

	if (!ctx ||
	    pyd_target_read(r->target, ctx, words, sizeof(words), &ignored))
		return PYD_OK;
	a = recognise(r, words[1], &size);
	b = recognise(r, words[0], a ? &other : &size);
	if (a && b && a != b)
		return PYD_OK;
	if (!a)
		a = b;
	if (!a)
		return PYD_OK;
	if (!pyd_record_has(rec, "name"))
		code = pyd_record_text(n, "name", a->name, strlen(a->name),
				       err);
	/* The size is for the caller to choose: then there is none. */
	if (!strcmp(rec->obj->type->name, "_hashlib.HASHXOF"))
		size = 0;
	if (!code)
		code = pyd_node_field(n, PYD_ORIGIN_INT, "digest_size",
				      (uint64_t)size, err);
	if (!code)
		code = pyd_node_field(n, PYD_ORIGIN_INT, "block_size",
				      (uint64_t)a->block_size, err);
	return code;
}
