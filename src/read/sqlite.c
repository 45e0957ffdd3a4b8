// SPDX-License-Identifier: Apache-2.0
/*
 * sqlite3.Connection: the path of its database.
 *
 * The structs of libsqlite3 are not promised to anyone. What is used of them
 * has been so since 3.7 (2010) and is believed only when it holds together:
 * sqlite3 has its array of databases as the fifth word; the first of it is
 * called "main"; its Btree and BtShared point back to the connection; and the
 * Pager has, among its words, two texts of which the second is the first with
 * "-journal" behind it: the path and that of its journal. A database in memory
 * is called ":memory:" there; one that is temporary has no name.
 * src/sqliteInt.h, src/btreeInt.h, src/pager.c
 */
#include "read/record.h"

enum {
	DATABASES = 32, /* sqlite3.aDb */
	BTREE = 8,	/* Db.pBt */
	SHARED = 8,	/* Btree.pBt */
	OWNER = 8,	/* BtShared.db; Btree.db is the first word */
	PAGER_WORDS = 48,
	/* The path and that of the journal are near each other. */
	PATHS_APART = 4,
	PATH_MAX_ = 4096,
};

/* Reads what may be a path; false when there is none at addr. */
static bool read_path(struct pyd_reader *r, pyd_addr addr, char *buf,
		      size_t cap)
{
	static const char memory[] = ":memory:";
	struct pyd_err ignored;
	uint8_t cut = 0;

	buf[0] = '\0';
	if (!addr || !pyd_is_mapped(r->target, addr, 1) ||
	    pyd_target_read_cstr(r->target, addr, buf, cap, &cut, &ignored))
		return false;
	return !cut && (buf[0] == '/' || !strncmp(buf, memory, strlen(memory)));
}

/* The Pager of the connection's main database, or 0. */
static pyd_addr find_pager(struct pyd_reader *r, pyd_addr db)
{
	struct pyd_target *t = r->target;
	pyd_addr dbs, name, btree, shared, pager, owner;
	struct pyd_err ignored;
	char text[8];

	if (pyd_target_read_u64(t, db + DATABASES, &dbs, &ignored) ||
	    pyd_target_read_u64(t, dbs, &name, &ignored) ||
	    pyd_target_read_cstr(t, name, text, sizeof(text), NULL, &ignored) ||
	    strcmp(text, "main") != 0)
		return 0;
	if (pyd_target_read_u64(t, dbs + BTREE, &btree, &ignored) ||
	    pyd_target_read_u64(t, btree, &owner, &ignored) || owner != db ||
	    pyd_target_read_u64(t, btree + SHARED, &shared, &ignored) ||
	    pyd_target_read_u64(t, shared, &pager, &ignored) ||
	    pyd_target_read_u64(t, shared + OWNER, &owner, &ignored) ||
	    owner != db)
		return 0;
	/* Both begin with the file system that they use. */
	if (pyd_target_read_u64(t, db, &owner, &ignored) ||
	    pyd_target_read_u64(t, pager, &name, &ignored) || !name ||
	    owner != name)
		return 0;
	return pager;
}

/* Field: db (NULL when closed). Adds "path" when it is sure. */
enum pyd_code pyd_record_sqlite(struct pyd_reader *r,
				const struct pyd_record *rec,
				struct pyd_node *n, struct pyd_err *err)
{
	static const char suffix[] = "-journal";
	pyd_addr db = pyd_record_u64(rec, "db");
	uint64_t words[PAGER_WORDS];
	char path[PATH_MAX_], other[PATH_MAX_ + sizeof(suffix)];
	struct pyd_err ignored;
	pyd_addr pager;

	if (!db)
		return PYD_OK;
	pager = find_pager(r, db);
	if (!pager ||
	    pyd_target_read(r->target, pager, words, sizeof(words), &ignored))
		return PYD_OK;
	for (size_t i = 0; i < PAGER_WORDS; i++) {
		size_t len;

		if (!read_path(r, words[i], path, sizeof(path)))
			continue;
		len = strlen(path);
		for (size_t k = i + 1; k < PAGER_WORDS && k <= i + PATHS_APART;
		     k++)
			if (read_path(r, words[k], other, sizeof(other)) &&
			    !strncmp(other, path, len) &&
			    !strcmp(other + len, suffix))
				return pyd_record_text(n, "path", path, len,
						       err);
	}
	return PYD_OK;
}
