// SPDX-License-Identifier: Apache-2.0
/* Core files: made by hand, cut, broken and compressed. */
#include "corefile.h"

#include <criterion/criterion.h>
#include <lz4frame.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "native/unwind.h"
#include "target/core.h"
#include "target/unpack.h"

static struct pyd_err err;

static struct pyd_target *open_core(const void *data, size_t len)
{
	char path[64];
	int fd = corefile_fd(data, len, path, sizeof(path));
	struct pyd_core_options opts = { .path = path };
	struct pyd_target *t = NULL;

	err = (struct pyd_err) { 0 };
	if (pyd_target_core_create(&opts, &t, &err))
		t = NULL;
	close(fd);
	return t;
}

static void refused(const void *data, size_t len, enum pyd_code code,
		    const char *why)
{
	struct pyd_target *t = open_core(data, len);

	cr_assert_null(t, "not refused: %s", why);
	cr_assert_eq(err.code, code, "%s", err.msg);
	cr_assert_not_null(strstr(err.msg, why), "%s", err.msg);
}

Test(core, what_is_in_it)
{
	struct corefile c;
	const struct pyd_core_info *i;
	struct pyd_target *t;
	uint64_t words[2];

	corefile_make(&c);
	t = open_core(c.bytes, c.len);
	cr_assert_not_null(t, "%s", err.msg);
	i = pyd_target_core_info(t);
	cr_assert_eq(i->pid, COREFILE_PID);
	cr_assert_eq(i->uid, 1000);
	cr_assert_str_eq(i->comm, "python3");
	cr_assert_str_eq(i->args, "python3 x.py");
	/* The main thread comes first, the one that died is told. */
	cr_assert_eq(i->threads.n, 2);
	cr_assert_eq(i->threads.v[0].tid, COREFILE_PID);
	cr_assert_str_eq(i->threads.v[0].comm, "python3");
	cr_assert_eq(i->threads.v[1].regs.sp, COREFILE_SP);
	cr_assert_eq(i->thread, COREFILE_PID + 1);
	cr_assert_eq(i->signo, 11);
	cr_assert(i->has_info && i->has_address);
	cr_assert_eq(i->address, 0x1230);
	cr_assert(!i->cut);
	cr_assert_eq(pyd_core_auxv(i, AT_PHDR), COREFILE_EXE + 64);
	cr_assert_eq(pyd_core_auxv(i, AT_BASE), 0);
	cr_assert_eq(i->nfiles, 1);
	cr_assert_str_eq(i->files[0].path, "/bin/no");
	cr_assert_eq(t->nregions, 3);
	cr_assert_str_eq(pyd_target_region(t, COREFILE_EXE)->path, "/bin/no");
	cr_assert_eq(pyd_target_read(t, COREFILE_SP, words, 16, &err), PYD_OK);
	cr_assert_eq(words[1], COREFILE_EXE + COREFILE_CODE + 0x30);
	/* What it leaves out, what lies between, and over an end. */
	cr_assert_eq(pyd_target_read(t, COREFILE_GAP, words, 16, &err),
		     PYD_FAULT);
	cr_assert_not_null(strstr(err.msg, "leaves this memory out"));
	cr_assert_eq(pyd_target_read(t, 0x1000, words, 16, &err), PYD_FAULT);
	cr_assert_eq(pyd_target_read(t, COREFILE_STACK + COREFILE_PAGE - 8,
				     words, 16, &err),
		     PYD_FAULT);
	pyd_target_destroy(t);
}

Test(core, arguments)
{
	struct pyd_buf argv = { 0 }, env = { 0 };
	struct pyd_target *t;
	struct corefile c;
	size_t at;

	corefile_make(&c);
	t = open_core(c.bytes, c.len);
	cr_assert_not_null(t, "%s", err.msg);
	cr_assert_eq(pyd_core_arguments(t, &argv, &env, &err), PYD_OK, "%s",
		     err.msg);
	cr_assert_eq(argv.len, 13);
	cr_assert_arr_eq(argv.data, "python3\0x.py", 13);
	cr_assert_eq(env.len, 4);
	cr_assert_arr_eq(env.data, "A=b", 4);
	pyd_target_destroy(t);
	/* Not where the kernel puts them. */
	for (at = c.len - COREFILE_PAGE; c.bytes[at] != 2; at += 8)
		;
	c.bytes[at] = 7;
	t = open_core(c.bytes, c.len);
	cr_assert_not_null(t, "%s", err.msg);
	cr_assert_eq(pyd_core_arguments(t, &argv, &env, &err), PYD_NOTFOUND);
	pyd_target_destroy(t);
	pyd_buf_deinit(&argv);
	pyd_buf_deinit(&env);
}

Test(core, its_stacks)
{
	struct pyd_calls calls = { 0 };
	const struct pyd_core_info *i;
	struct pyd_nmodules m;
	struct pyd_unwinder *u;
	struct pyd_target *t;
	struct corefile c;

	corefile_make(&c);
	t = open_core(c.bytes, c.len);
	cr_assert_not_null(t, "%s", err.msg);
	i = pyd_target_core_info(t);
	cr_assert_eq(pyd_nmodules_load(t, NULL, &m, &err), PYD_OK);
	cr_assert_eq(m.n, 1);
	cr_assert_eq(m.v[0].nfdes, 1);
	cr_assert_eq(pyd_unwinder_create(t, &m, &u, &err), PYD_OK);
	cr_assert_eq(pyd_unwind(u, &i->threads.v[1].regs, 0, &calls, &err),
		     PYD_OK);
	cr_assert(calls.whole, "%s", calls.note);
	cr_assert_eq(calls.n, 4);
	for (size_t k = 1; k < 4; k++) {
		cr_assert_eq(calls.v[k].how, PYD_CALL_TABLE);
		cr_assert_eq(calls.v[k].sp, COREFILE_SP + 8 * k);
		cr_assert_eq(calls.v[k].pc,
			     COREFILE_EXE + COREFILE_CODE + 0x10 + 0x10 * k);
	}
	pyd_unwinder_destroy(u);
	pyd_calls_deinit(&calls);
	pyd_nmodules_deinit(&m);
	pyd_target_destroy(t);
}

/* A length at which it is cut, and whether something is left to show. */
Test(core, cut_anywhere)
{
	struct corefile c;
	size_t served = 0;

	corefile_make(&c);
	for (size_t len = 0; len < c.len; len += 13) {
		struct pyd_target *t = open_core(c.bytes, len);
		const struct pyd_core_info *i;
		uint8_t buf[COREFILE_PAGE];

		if (!t) {
			cr_assert(err.msg[0]);
			continue;
		}
		served++;
		i = pyd_target_core_info(t);
		cr_assert(i->cut && i->have == len && i->size == c.len);
		cr_assert(i->threads.n >= 1);
		cr_assert_eq(pyd_target_read(t, COREFILE_STACK, buf,
					     sizeof(buf), &err),
			     PYD_FAULT);
		cr_assert_not_null(strstr(err.msg, "cut short"), "%s", err.msg);
		pyd_target_destroy(t);
	}
	/* From the first thread's note on. */
	cr_assert_gt(served, (c.len - c.notes - 400) / 13);
}

Test(core, refusals)
{
	struct corefile c, bad;

	corefile_make(&c);
	refused("", 0, PYD_FORMAT, "it is empty");
	refused("hello, this is no core at all", 29, PYD_FORMAT,
		"not a core file");
	refused(c.bytes, 40, PYD_FORMAT, "cut short within its header");
	refused(c.bytes, 100, PYD_FORMAT, "cut short within its headers");
	refused(c.bytes, c.notes, PYD_FORMAT, "no threads: it is cut short");
	bad = c;
	bad.bytes[EI_CLASS] = ELFCLASS32;
	refused(bad.bytes, bad.len, PYD_UNSUPPORTED, "32-bit process");
	bad = c;
	bad.bytes[EI_DATA] = ELFDATA2MSB;
	refused(bad.bytes, bad.len, PYD_UNSUPPORTED, "big-endian machine");
	bad = c;
	bad.bytes[18] = EM_AARCH64;
	refused(bad.bytes, bad.len, PYD_UNSUPPORTED, "aarch64 machine");
	bad = c;
	bad.bytes[16] = ET_DYN;
	refused(bad.bytes, bad.len, PYD_FORMAT, "a program or library");
	bad = c;
	bad.bytes[56] = bad.bytes[57] = 0; /* e_phnum */
	refused(bad.bytes, bad.len, PYD_FORMAT, "no segments");
}

static Elf64_Phdr *phdr(struct corefile *c, size_t i)
{
	return (Elf64_Phdr *)(void *)(c->bytes + sizeof(Elf64_Ehdr)) + i;
}

/* gdb writes the notes last: what a cut leaves is memory. */
Test(core, without_notes)
{
	struct corefile c;
	const struct pyd_core_info *i;
	struct pyd_target *t;
	uint64_t word;

	corefile_make(&c);
	phdr(&c, 0)->p_offset = c.len;
	t = open_core(c.bytes, c.len);
	cr_assert_not_null(t, "%s", err.msg);
	i = pyd_target_core_info(t);
	cr_assert(i->cut && i->no_notes);
	cr_assert_eq(i->threads.n, 0);
	cr_assert_eq(i->nfiles, 1);
	cr_assert_str_eq(i->files[0].path,
			 "the module at 0x0, whose name is cut off");
	cr_assert_str_eq(pyd_target_region(t, COREFILE_EXE)->path,
			 i->files[0].path);
	cr_assert_eq(pyd_target_read_u64(t, COREFILE_SP, &word, &err), PYD_OK);
	cr_assert_eq(word, COREFILE_EXE + COREFILE_CODE + 0x20);
	pyd_target_destroy(t);
}

/* Segments that overlap, wrap around, or are longer in the file. */
Test(core, segments_that_make_no_sense)
{
	struct corefile c;
	struct pyd_target *t;
	uint8_t buf[64];

	corefile_make(&c);
	phdr(&c, 1)->p_memsz = UINT64_MAX;
	phdr(&c, 2)->p_vaddr = COREFILE_STACK + 0x10;
	phdr(&c, 3)->p_filesz = 1ULL << 40;
	t = open_core(c.bytes, c.len);
	cr_assert_not_null(t, "%s", err.msg);
	/* The program is one region still: its file is mapped there. */
	for (size_t i = 1; i < t->nregions; i++)
		cr_assert_geq(t->regions[i].start, t->regions[i - 1].end);
	cr_assert_eq(pyd_target_read(t, COREFILE_STACK, buf, sizeof(buf), &err),
		     PYD_OK);
	cr_assert_eq(pyd_target_read(t, COREFILE_EXE, buf, sizeof(buf), &err),
		     PYD_FAULT);
	pyd_target_destroy(t);
}

/* The words of NT_FILE: count, page size, start, end, offset, then the name. */
static uint8_t *mapped_files(struct corefile *c)
{
	for (size_t i = c->notes; i + 24 < c->len; i += 4)
		if (!memcmp(c->bytes + i, "ELIFCORE", 8))
			return c->bytes + i + 12;
	abort();
}

Test(core, mapped_files_that_make_no_sense)
{
	static const struct {
		size_t at;
		uint64_t value;
	} bad[] = {
		{ 0, 2 },	    { 0, UINT64_MAX },	{ 8, 0 },
		{ 8, UINT64_MAX },  { 16, UINT64_MAX }, { 24, 0 },
		{ 32, UINT64_MAX },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct corefile c;
		struct pyd_target *t;
		uint8_t buf[16];

		corefile_make(&c);
		memcpy(mapped_files(&c) + bad[i].at, &bad[i].value, 8);
		t = open_core(c.bytes, c.len);
		cr_assert_not_null(t, "%zu: %s", i, err.msg);
		cr_assert_eq(pyd_target_read(t, COREFILE_EXE, buf, sizeof(buf),
					     &err),
			     PYD_OK);
		cr_assert_eq(pyd_target_core_info(t)->threads.n, 2);
		pyd_target_destroy(t);
	}
}

/* -- compressed -- */

enum { PACKED_ROOM = 1 << 17 };

static size_t pack(const char *how, const void *data, size_t len, uint8_t *out)
{
	size_t n = 0;

	if (!strcmp(how, "gzip")) {
		z_stream z = { .next_in = (Bytef *)data,
			       .avail_in = (uInt)len,
			       .next_out = out,
			       .avail_out = PACKED_ROOM };

		cr_assert_eq(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8,
					  Z_DEFAULT_STRATEGY),
			     Z_OK);
		cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
		n = z.total_out;
		deflateEnd(&z);
	} else if (!strcmp(how, "xz")) {
		cr_assert_eq(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL,
						     data, len, out, &n,
						     PACKED_ROOM),
			     LZMA_OK);
	} else if (!strcmp(how, "zstd")) {
		n = ZSTD_compress(out, PACKED_ROOM, data, len, 1);
		cr_assert(!ZSTD_isError(n));
	} else {
		n = LZ4F_compressFrame(out, PACKED_ROOM, data, len, NULL);
		cr_assert(!LZ4F_isError(n));
	}
	return n;
}

static const char *const formats[] = { "gzip", "xz", "zstd", "lz4" };

/* What comes out of a file with these bytes. */
static struct pyd_unpacked unpacked(const void *data, size_t len)
{
	struct pyd_unpacked u;
	char path[64];
	int fd = corefile_fd(data, len, path, sizeof(path));

	cr_assert_eq(pyd_unpack(path, &u, &err), PYD_OK, "%s", err.msg);
	close(fd);
	return u;
}

static void same(const struct pyd_unpacked *u, const uint8_t *data, size_t len)
{
	static uint8_t buf[4 * COREFILE_ROOM];

	cr_assert_eq(pread(u->fd, buf, sizeof(buf), 0), (ssize_t)len);
	cr_assert_arr_eq(buf, data, len);
}

Test(unpack, all_formats)
{
	static uint8_t packed[2 * PACKED_ROOM], twice[2 * COREFILE_ROOM];
	struct corefile c;

	corefile_make(&c);
	for (size_t i = 0; i < 4; i++) {
		size_t n = pack(formats[i], c.bytes, c.len, packed);
		struct pyd_unpacked u = unpacked(packed, n);
		struct pyd_target *t;

		cr_assert_str_eq(u.format, formats[i]);
		cr_assert(!u.cut, "%s", u.why);
		same(&u, c.bytes, c.len);
		close(u.fd);
		/* Two in one file are both. */
		memcpy(packed + n, packed, n);
		memcpy(twice, c.bytes, c.len);
		memcpy(twice + c.len, c.bytes, c.len);
		u = unpacked(packed, 2 * n);
		cr_assert(!u.cut, "%s", u.why);
		same(&u, twice, 2 * c.len);
		close(u.fd);
		t = open_core(packed, n);
		cr_assert_not_null(t, "%s", err.msg);
		cr_assert_str_eq(pyd_target_core_info(t)->compression,
				 formats[i]);
		cr_assert(!pyd_target_core_info(t)->cut);
		pyd_target_destroy(t);
	}
	/* What is not compressed is itself. */
	struct pyd_unpacked u = unpacked(c.bytes, c.len);

	cr_assert_null(u.format);
	same(&u, c.bytes, c.len);
	close(u.fd);
}

Test(unpack, cut_and_damaged)
{
	static uint8_t packed[PACKED_ROOM], random[COREFILE_ROOM];
	uint64_t seed = 1;

	/* Nothing that compresses well: cuts fall everywhere. */
	for (size_t i = 0; i < sizeof(random); i++) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		random[i] = (uint8_t)(seed >> 60);
	}
	for (size_t i = 0; i < 4; i++) {
		size_t n = pack(formats[i], random, sizeof(random), packed);

		for (size_t cut = 8; cut < n; cut += n / 20) {
			struct pyd_unpacked u = unpacked(packed, cut);
			uint8_t buf[COREFILE_ROOM];
			ssize_t have = pread(u.fd, buf, sizeof(buf), 0);

			cr_assert(u.cut && u.why[0], "%s at %zu", formats[i],
				  cut);
			cr_assert_leq(have, (ssize_t)sizeof(random));
			cr_assert_arr_eq(buf, random, (size_t)have);
			close(u.fd);
		}
		/* The others have a checksum only when one is asked for. */
		if (i > 1)
			continue;
		memset(packed + n / 2, 0xff, 64);

		struct pyd_unpacked u = unpacked(packed, n);

		cr_assert(u.cut && strstr(u.why, formats[i]), "%s", u.why);
		close(u.fd);
	}
}
