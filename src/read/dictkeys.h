/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header of a dict's keys. Objects/dict-common.h (3.7),
 * Include/internal/pycore_dict.h (3.11+).
 */
#ifndef PYD_READ_DICTKEYS_H
#define PYD_READ_DICTKEYS_H

#include <string.h>

#include "layout/layout.h"

enum {
	PYD_DICT_HEAD_MAX = 64,
	PYD_DICT_LOG2_MAX = 32,	      /* of a key table */
	PYD_DICT_SPLIT_MAX = 1 << 16, /* shared keys */
};

/* A key table, header read. */
struct pyd_dict_keys {
	pyd_addr entries;
	uint64_t n;	    /* entries in use, deleted ones included */
	uint64_t bytes;	    /* of the whole table */
	unsigned int words; /* 3: hash, key, value; 2: key, value */
};

/* Bytes of the header. */
static inline size_t pyd_dict_head_bytes(const struct pyd_layout *lay)
{
	size_t len = (size_t)PYD_OFF(lay, dictkeys, dk_indices);

	return len < PYD_DICT_HEAD_MAX ? len : PYD_DICT_HEAD_MAX;
}

/* Takes the header of the keys at addr apart; NULL, or what is wrong. */
static inline const char *pyd_dict_keys_parse(const struct pyd_layout *lay,
					      pyd_addr addr,
					      const uint8_t *head,
					      struct pyd_dict_keys *k)
{
	uint64_t size, index_bytes, nentries, dk_size;

	memcpy(&nentries, head + PYD_OFF(lay, dictkeys, dk_nentries), 8);
	switch (lay->model_dictkeys) {
	case PYD_M_dictkeys_hashed:
		memcpy(&dk_size, head + PYD_OFF(lay, dictkeys, dk_size), 8);
		if (!dk_size || dk_size > (1ULL << PYD_DICT_LOG2_MAX) ||
		    dk_size & (dk_size - 1))
			return "impossible size of a dict's keys";
		size = dk_size;
		index_bytes = size * (size <= 0xff	     ? 1
				      : size <= 0xffff	     ? 2
				      : size <= 0xffffffffUL ? 4
							     : 8);
		k->words = 3;
		break;
	case PYD_M_dictkeys_kinded:
	default: {
		uint8_t log2 = head[PYD_OFF(lay, dictkeys, dk_log2_size)];
		uint8_t log2_index =
			head[PYD_OFF(lay, dictkeys, dk_log2_index_bytes)];
		uint8_t kind = head[PYD_OFF(lay, dictkeys, dk_kind)];

		if (log2 > PYD_DICT_LOG2_MAX ||
		    log2_index > PYD_DICT_LOG2_MAX + 3 || log2_index < log2 ||
		    kind > 2)
			return "impossible header of a dict's keys";
		size = 1ULL << log2;
		index_bytes = 1ULL << log2_index;
		k->words = kind == 0 ? 3 : 2;
		break;
	}
	}
	if (nentries > size)
		return "a dict's keys have more entries than room";
	k->n = nentries;
	k->entries = addr + (uint64_t)PYD_OFF(lay, dictkeys, dk_indices) +
		     index_bytes;
	/* USABLE_FRACTION: two thirds of the indices have entries. */
	k->bytes = (uint64_t)PYD_OFF(lay, dictkeys, dk_indices) + index_bytes +
		   size * 2 / 3 * k->words * 8;
	return NULL;
}

#endif
