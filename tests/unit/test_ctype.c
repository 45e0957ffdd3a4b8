// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "layout/ctype.h"
#include "layout/layout.h"
#include "layout/tables.h"

static enum pyd_code parse(struct pyd_ctypes *c, const char *text,
			   struct pyd_err *err)
{
	return pyd_ctypes_parse(c, "t", text, strlen(text), err);
}

Test(ctype, a_paragraph_says_where_fields_are)
{
	struct pyd_ctypes c = { 0 };
	struct pyd_err err = { 0 };
	const struct pyd_ctype *t;

	cr_assert_eq(parse(&c,
			   "# comment\n\n"
			   "hex_min = 0x030b0000\nhex_max = 0x030bffff\n"
			   "flags = debug\n"
			   "[m.T]  # comment\n"
			   "basicsize = 48\nreader = deque\n"
			   ".n = u32 @ 16\n"
			   "\todd = bool @ 20 bit 3\n"
			   "data = bytes @ 24 > 8 > 0 length .n * 2 if n\n"
			   "(pairs) = objects @ 32 > 0 count ob_size * 2\r\n"
			   "year = u16be @ 40\n",
			   &err),
		     PYD_OK, "%s", err.msg);
	cr_assert_eq(c.n, 1);
	t = &c.types[0];
	cr_assert_str_eq(t->name, "m.T");
	cr_assert_str_eq(t->reader, "deque");
	cr_assert_eq(t->basicsize, 48);
	cr_assert_eq(t->hex_min, 0x030b0000);
	cr_assert_eq(t->hex_max, 0x030bffff);
	cr_assert_eq(t->flags, PYD_LAYOUT_DEBUG);
	cr_assert_eq(t->nfields, 5);
	cr_assert_str_eq(t->fields[0].name, "n");
	cr_assert(t->fields[0].hidden);
	cr_assert_eq(t->fields[1].bit, 3);
	cr_assert_not(t->fields[1].hidden);
	cr_assert_eq(t->fields[2].nsteps, 3);
	cr_assert_eq(t->fields[2].steps[1], 8);
	cr_assert_eq(t->fields[2].count_of, PYD_CCOUNT_FIELD);
	cr_assert_eq(t->fields[2].count_field, 0);
	cr_assert_eq(t->fields[2].number, 2);
	cr_assert_eq(t->fields[2].condition, 0);
	cr_assert(t->fields[3].pairs);
	cr_assert_eq(t->fields[3].count_of, PYD_CCOUNT_OB_SIZE);
	cr_assert(t->fields[4].big_endian);
	cr_assert_eq(t->fields[4].width, 2);
	pyd_ctypes_deinit(&c);
}

struct bad {
	char text[96];
	char message[96];
};

ParameterizedTestParameters(ctype, bad_text_is_named)
{
	static struct bad bad[] = {
		{ "[a]\nbasicsize = 8\nx = i65 @ 4\n",
		  "t:3:5: not a kind of value: \"i65\"" },
		{ "x = i64 @ 4\n",
		  "t:1:1: neither a header nor in a \"[tp_name]\": \"x\"" },
		{ "[a]\nx = i64 @ 8\n", "t:1:1: \"a\" lacks a basicsize" },
		{ "[a]\nbasicsize = 8\nx = i64\n",
		  "t:3:8: expected \"@\", found" },
		{ "[a]\nx = i64 @ -4\n", "t:2:11: not an offset: \"-4\"" },
		{ "[a]\nx = bytes @ 4\n",
		  "t:2:14: expected \"length\" or \"count\", found" },
		{ "[a]\nx = bytes @ 4 length n\n",
		  "t:2:22: no field above has the name \"n\"" },
		{ "[a]\nx = i64 @ 4 bit 64\n", "t:2:17: no such bit in it" },
		{ "[a]\nx = i64 @ 4 y\n", "t:2:13: not expected here: \"y\"" },
		{ "[a]\nx = i64 @ 4\nx = i64 @ 8\n", "t:3:1: a second \"x\"" },
		{ "[a]\n9 = i64 @ 4\n", "t:2:1: not a name: \"9\"" },
		{ "[a]\nx = objects @ 4 count 1\n",
		  "t:2:1: \"objects\" is for (items) and (pairs), not for "
		  "\"x\"" },
		{ "[a]\n(items) = i64 @ 4\n",
		  "t:2:1: takes \"objects\": \"(items)\"" },
		{ "[a\n", "t:1:1: expected \"[tp_name]\", found \"[a\"" },
		{ "hex_min = 5x\n", "t:1:11: not a hexversion: \"5x\"" },
		{ "flags = some\n",
		  "t:1:9: not flags (none, debug, any): \"some\"" },
		{ "[a]\nx y\n", "t:2:1: no \"=\" in \"x y\"" },
		{ "[a]\nx =\n", "t:2:3: nothing after \"=\"" },
		{ "hex_min = 5\nhex_max = 4\n", "t: hex_min is above hex_max" },
	};

	return cr_make_param_array(struct bad, bad,
				   sizeof(bad) / sizeof(bad[0]));
}

ParameterizedTest(struct bad *bad, ctype, bad_text_is_named)
{
	struct pyd_ctypes c = { 0 };
	struct pyd_err err = { 0 };

	cr_assert_eq(parse(&c, bad->text, &err), PYD_FORMAT);
	cr_assert_str_eq(err.msg, bad->message);
	pyd_ctypes_deinit(&c);
}

static const struct pyd_ctype *find(const struct pyd_ctypes *c,
				    const char *name, int64_t size, bool *other)
{
	const struct pyd_ctype *t;
	struct pyd_err err = { 0 };

	cr_assert_eq(pyd_ctypes_find(c, name, size, &t, other, &err), PYD_OK,
		     "%s", err.msg);
	return t;
}

Test(ctype, a_description_is_found_by_name_and_size)
{
	struct pyd_ctypes c = { 0 };
	struct pyd_err err = { 0 };
	const struct pyd_ctype *t;
	bool other;

	cr_assert_eq(parse(&c,
			   "[my.T]\nbasicsize = 16\na = i8 @ 0\n"
			   "[my.T]\nbasicsize = 24\nb = i8 @ 0\n"
			   "[my.T]\nbasicsize = 16\nc = i8 @ 0\n",
			   &err),
		     PYD_OK);
	cr_assert_eq(parse(&c,
			   "[list_iterator]\nbasicsize = 32\nmine = i8 @ 0\n",
			   &err),
		     PYD_OK);
	cr_assert_eq(parse(&c, "hex_max = 0x03080000\n[my.U]\nbasicsize = 8\n",
			   &err),
		     PYD_OK);
	cr_assert_eq(pyd_ctypes_select(&c, 0x030b02f0, 0, &err), PYD_OK, "%s",
		     err.msg);
	t = find(&c, "my.T", 16, &other);
	cr_assert(t && !other);
	cr_assert_str_eq(t->fields[0].name, "c", "the later one wins");
	t = find(&c, "my.T", 24, &other);
	cr_assert_str_eq(t->fields[0].name, "b");
	cr_assert_null(find(&c, "my.T", 32, &other));
	cr_assert(other);
	cr_assert_null(find(&c, "my.U", 8, &other));
	cr_assert_not(other, "it is for another version");
	cr_assert_null(find(NULL, "my.T", 16, &other));
	/* A user's own wins over the built-in one. */
	cr_assert_str_eq(find(&c, "list_iterator", 32, &other)->fields[0].name,
			 "mine");
	pyd_ctypes_deinit(&c);
}

Test(ctype, built_in_texts_parse)
{
	for (size_t i = 0; i < pyd_ntype_texts; i++) {
		const struct pyd_table_text *t = &pyd_type_texts[i];
		struct pyd_ctypes c = { 0 };
		struct pyd_err err = { 0 };

		cr_assert_eq(
			pyd_ctypes_parse(&c, t->file, t->text, t->len, &err),
			PYD_OK, "%s", err.msg);
		cr_assert_gt(c.n, 0, "%s", t->file);
		pyd_ctypes_deinit(&c);
	}
}

/* One by one they are what they are in the whole text. */
Test(ctype, built_in_types_are_found)
{
	for (size_t i = 0; i < pyd_ntype_texts; i++) {
		const struct pyd_table_text *t = &pyd_type_texts[i];
		struct pyd_ctypes all = { 0 }, c = { 0 };
		struct pyd_err err = { 0 };
		unsigned int flags;

		cr_assert_eq(
			pyd_ctypes_parse(&all, t->file, t->text, t->len, &err),
			PYD_OK, "%s", err.msg);
		flags = all.types[0].flags < 0
				? 0
				: (unsigned int)all.types[0].flags;
		cr_assert_eq(pyd_ctypes_select(&c, all.types[0].hex_min, flags,
					       &err),
			     PYD_OK, "%s", err.msg);
		for (size_t k = 0; k < all.n; k++) {
			const struct pyd_ctype *want = &all.types[k], *got;
			bool other;

			/* Of equal ones the last is taken. */
			for (size_t j = k + 1; j < all.n; j++)
				if (!strcmp(all.types[j].name, want->name) &&
				    all.types[j].basicsize == want->basicsize)
					want = &all.types[j];
			got = find(&c, want->name, want->basicsize, &other);
			cr_assert(got, "%s: %s", t->file, want->name);
			cr_assert_str_eq(got->reader, want->reader);
			cr_assert_eq(got->nfields, want->nfields);
			for (size_t f = 0; f < got->nfields; f++) {
				cr_assert_str_eq(got->fields[f].name,
						 want->fields[f].name);
				cr_assert_arr_eq(got->fields[f].steps,
						 want->fields[f].steps,
						 sizeof(got->fields[f].steps));
			}
		}
		pyd_ctypes_deinit(&all);
		pyd_ctypes_deinit(&c);
	}
}
