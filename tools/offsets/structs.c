/* SPDX-License-Identifier: Apache-2.0 */
/*
 * structs ELF...: answers where C members are, from DWARF.
 *
 * Standard input has a query a line, as in offsets/fields.def: "T.m.m" is a
 * member, "sizeof(T)" or "sizeof(T.m.m)" a size. T is a struct tag, a union
 * tag or a typedef of one. Standard output has, for each, in order:
 *     QUERY <tab> BIT OFFSET <tab> BYTE SIZE <tab> BITS (0: no bit field)
 *     QUERY <tab> no type | no member | conflict
 * Executables, shared objects, detached debug files (with .gnu_debugaltlink)
 * and object files (whose relocations libdwfl applies) will do.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Deeper nesting of structs than this is not C that CPython has. */
enum { MAX_DEPTH = 16, MAX_DEFS = 4096 };

struct type {
	char *name;
	Dwarf_Die *defs; /* every definition seen, of all units */
	size_t n;
};

struct types {
	struct type *all;
	size_t n;
};

struct answer {
	uint64_t bits;
	uint64_t size;
	uint64_t width; /* bits of a bit field, else 0 */
};

static void die(const char *msg, const char *what)
{
	fprintf(stderr, "structs: %s: %s\n", what, msg);
	exit(1);
}

static void *must(void *p)
{
	if (!p)
		die("out of memory", "malloc");
	return p;
}

static struct type *type_find(struct types *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->all[i].name, name))
			return &t->all[i];
	return NULL;
}

/* The type's name is what stands before the first dot. */
static char *query_type(const char *query, const char **ret_rest,
			bool *ret_size)
{
	*ret_size = !strncmp(query, "sizeof(", 7);
	if (*ret_size)
		query += 7;
	size_t len = strcspn(query, ".)");
	*ret_rest = query[len] == '.' ? query + len + 1 : "";
	return must(strndup(query, len));
}

static bool is_aggregate(Dwarf_Die *d)
{
	int tag = dwarf_tag(d);

	return tag == DW_TAG_structure_type || tag == DW_TAG_union_type;
}

/* Through typedefs, qualifiers and arrays to the struct that is meant. */
static bool to_aggregate(Dwarf_Die *from, Dwarf_Die *ret)
{
	Dwarf_Die cur = *from;

	for (int i = 0; i < MAX_DEPTH; i++) {
		Dwarf_Attribute attr;
		Dwarf_Die next;

		if (is_aggregate(&cur)) {
			*ret = cur;
			return !dwarf_hasattr(&cur, DW_AT_declaration);
		}
		switch (dwarf_tag(&cur)) {
		case DW_TAG_typedef:
		case DW_TAG_const_type:
		case DW_TAG_volatile_type:
		case DW_TAG_atomic_type:
		case DW_TAG_array_type:
		case DW_TAG_member:
			break;
		default:
			return false;
		}
		if (!dwarf_attr_integrate(&cur, DW_AT_type, &attr) ||
		    !dwarf_formref_die(&attr, &next))
			return false;
		cur = next;
	}
	return false;
}

static void collect_unit(struct types *t, Dwarf_Die *cu)
{
	Dwarf_Die d;

	if (dwarf_child(cu, &d))
		return;
	do {
		const char *name = dwarf_diename(&d);
		struct type *type;
		Dwarf_Die agg;

		if (!name ||
		    (!is_aggregate(&d) && dwarf_tag(&d) != DW_TAG_typedef))
			continue;
		type = type_find(t, name);
		if (!type || !to_aggregate(&d, &agg) || type->n == MAX_DEFS)
			continue;
		type->defs =
			must(realloc(type->defs, (type->n + 1) * sizeof(agg)));
		type->defs[type->n++] = agg;
	} while (!dwarf_siblingof(&d, &d));
}

static void collect(struct types *t, Dwarf *dw)
{
	Dwarf_Off off = 0;
	Dwarf_Off next;
	size_t hdr;

	while (!dwarf_nextcu(dw, off, &next, &hdr, NULL, NULL, NULL)) {
		Dwarf_Die cu;

		if (dwarf_offdie(dw, off + hdr, &cu))
			collect_unit(t, &cu);
		off = next;
	}
}

static uint64_t udata(Dwarf_Die *d, unsigned int name, uint64_t other)
{
	Dwarf_Attribute attr;
	Dwarf_Word v;

	if (!dwarf_attr_integrate(d, name, &attr) || dwarf_formudata(&attr, &v))
		return other;
	return v;
}

static uint64_t type_size(Dwarf_Die *d)
{
	Dwarf_Attribute attr;
	Dwarf_Die type;
	Dwarf_Word size;

	if (is_aggregate(d))
		return udata(d, DW_AT_byte_size, 0);
	if (!dwarf_attr_integrate(d, DW_AT_type, &attr) ||
	    !dwarf_formref_die(&attr, &type) ||
	    dwarf_aggregate_size(&type, &size))
		return 0;
	return size;
}

static uint64_t member_bits(Dwarf_Die *m)
{
	uint64_t bits = udata(m, DW_AT_data_bit_offset, UINT64_MAX);
	uint64_t width = udata(m, DW_AT_bit_size, 0);
	uint64_t byte = udata(m, DW_AT_data_member_location, 0);

	if (bits != UINT64_MAX)
		return bits;
	if (!width)
		return 8 * byte;
	/* DWARF 2 and 3 count from the most significant bit of the unit. */
	uint64_t unit = udata(m, DW_AT_byte_size, type_size(m));

	return 8 * byte + 8 * unit - udata(m, DW_AT_bit_offset, 0) - width;
}

/* Finds a member by name, inside of unnamed members too. */
static bool member_find(Dwarf_Die *agg, const char *name, size_t len, int depth,
			Dwarf_Die *ret, uint64_t *ret_bits)
{
	Dwarf_Die m;

	if (depth > MAX_DEPTH || dwarf_child(agg, &m))
		return false;
	do {
		const char *n = dwarf_diename(&m);
		Dwarf_Die inner;

		if (dwarf_tag(&m) != DW_TAG_member)
			continue;
		if (n && strlen(n) == len && !memcmp(n, name, len)) {
			*ret = m;
			*ret_bits = member_bits(&m);
			return true;
		}
		if (!n && to_aggregate(&m, &inner) &&
		    member_find(&inner, name, len, depth + 1, ret, ret_bits)) {
			*ret_bits += member_bits(&m);
			return true;
		}
	} while (!dwarf_siblingof(&m, &m));
	return false;
}

static bool resolve(Dwarf_Die def, const char *path, struct answer *ret)
{
	struct answer a = { .size = type_size(&def) };

	while (*path && *path != ')') {
		size_t len = strcspn(path, ".)");
		uint64_t bits;
		Dwarf_Die m;

		if (!is_aggregate(&def) && !to_aggregate(&def, &def))
			return false;
		if (!member_find(&def, path, len, 0, &m, &bits))
			return false;
		a.bits += bits;
		a.size = type_size(&m);
		a.width = udata(&m, DW_AT_bit_size, 0);
		def = m;
		path += len + (path[len] == '.');
	}
	*ret = a;
	return true;
}

static void answer(struct types *t, const char *query)
{
	bool want_size;
	bool found = false;
	bool conflict = false;
	struct answer a = { 0 };
	const char *path;
	char *name = query_type(query, &path, &want_size);
	struct type *type = type_find(t, name);

	for (size_t i = 0; i < type->n; i++) {
		struct answer b;

		if (!resolve(type->defs[i], path, &b))
			continue;
		conflict |= found && (a.bits != b.bits || a.size != b.size);
		a = b;
		found = true;
	}
	if (!type->n)
		printf("%s\tno type\n", query);
	else if (!found)
		printf("%s\tno member\n", query);
	else if (conflict)
		printf("%s\tconflict\n", query);
	else
		printf("%s\t%llu\t%llu\t%llu\n", query,
		       (unsigned long long)a.bits, (unsigned long long)a.size,
		       (unsigned long long)a.width);
	free(name);
}

int main(int argc, char **argv)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.section_address = dwfl_offline_section_address,
	};
	struct types types = { 0 };
	char **queries = NULL;
	size_t nqueries = 0;
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	while ((len = getline(&line, &cap, stdin)) > 0) {
		bool want_size;
		const char *path;
		char *name;

		line[strcspn(line, "\n")] = '\0';
		queries = must(
			realloc(queries, (nqueries + 1) * sizeof(*queries)));
		queries[nqueries++] = must(strdup(line));
		name = query_type(line, &path, &want_size);
		if (type_find(&types, name)) {
			free(name);
			continue;
		}
		types.all = must(
			realloc(types.all, (types.n + 1) * sizeof(*types.all)));
		types.all[types.n++] = (struct type) { .name = name };
	}
	for (int i = 1; i < argc; i++) {
		/* One session a file, never ended: the DIEs are kept. */
		Dwfl *dwfl = dwfl_begin(&callbacks);
		Dwfl_Module *mod;
		Dwarf_Addr bias;
		Dwarf *dw;

		if (!dwfl)
			die(dwfl_errmsg(-1), argv[i]);
		mod = dwfl_report_offline(dwfl, "", argv[i], -1);
		if (!mod || dwfl_report_end(dwfl, NULL, NULL))
			die(dwfl_errmsg(-1), argv[i]);
		dw = dwfl_module_getdwarf(mod, &bias);
		if (!dw)
			die(dwfl_errmsg(-1), argv[i]);
		collect(&types, dw);
		if (dwarf_getalt(dw))
			collect(&types, dwarf_getalt(dw));
	}
	for (size_t i = 0; i < nqueries; i++)
		answer(&types, queries[i]);
	return 0;
}
