// SPDX-License-Identifier: Apache-2.0
#include "native/sections.h"

#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum {
	PAGE = 4096,
	MAX_SECTIONS = 65536,
	IN_BYTES = 1 << 16,
	/* Unpacked at a time; what is asked for next is mostly close. */
	OUT_BYTES = 1 << 15,
	GNU_HEADER = 12, /* "ZLIB" and the size, of .zdebug_ */
};

/* All of one file. */
#define IMAGE_MAX (1ULL << 30)

enum packing {
	PLAIN,
	ZLIB,
	ZSTD,
};

/* clang-format off */
static const char *const names[PYD_SECTION_N] = {
	[PYD_SECTION_INFO] = ".debug_info",
	[PYD_SECTION_ABBREV] = ".debug_abbrev",
	[PYD_SECTION_ARANGES] = ".debug_aranges",
	[PYD_SECTION_LINE] = ".debug_line",
	[PYD_SECTION_STR] = ".debug_str",
	[PYD_SECTION_LINE_STR] = ".debug_line_str",
	[PYD_SECTION_STR_OFFSETS] = ".debug_str_offsets",
	[PYD_SECTION_ADDR] = ".debug_addr",
	[PYD_SECTION_RANGES] = ".debug_ranges",
	[PYD_SECTION_RNGLISTS] = ".debug_rnglists",
	[PYD_SECTION_FRAME] = ".debug_frame",
};
/* clang-format on */

struct section {
	enum packing packing;
	bool broken;   /* nothing more can be loaded */
	uint64_t from; /* in the file */
	uint64_t left; /* bytes of the file that are not unpacked yet */
	uint64_t size; /* unpacked; 0: there is none */
	uint64_t at;   /* in the image, a multiple of PAGE */
	uint64_t done; /* unpacked so far, when it is packed */
	z_stream z;
	ZSTD_DStream *zstd;
	uint8_t *in; /* IN_BYTES */
	size_t in_at, in_len;
};

struct pyd_sections {
	int fd;
	struct section v[PYD_SECTION_N];
	uint8_t *image;
	uint64_t len;
	uint8_t *loaded; /* a bit for each page of the image */
	Elf *elf;
};

static bool read_exactly(int fd, void *buf, size_t len, uint64_t at)
{
	uint8_t *to = buf;

	while (len) {
		ssize_t n = pread(fd, to, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		to += n;
		at += (size_t)n;
		len -= (size_t)n;
	}
	return true;
}

/* -- what there is -- */

static int number_of(const char *name)
{
	for (int i = 0; i < PYD_SECTION_N; i++)
		if (!strcmp(names[i], name))
			return i;
	/* ".zdebug_x": compressed before the ELF standard knew of it. */
	for (int i = 0; i < PYD_SECTION_N; i++)
		if (name[0] == '.' && name[1] == 'z' &&
		    !strcmp(names[i] + 1, name + 2))
			return i;
	return -1;
}

static void add(struct pyd_sections *s, struct section *to, const GElf_Shdr *sh,
		bool gnu)
{
	struct section found = {
		.from = sh->sh_offset,
		.left = sh->sh_size,
		.size = sh->sh_size,
	};
	uint8_t head[GNU_HEADER];
	Elf64_Chdr ch;

	if (to->size || sh->sh_offset > INT64_MAX || sh->sh_size > INT64_MAX)
		return;
	if (gnu) {
		if (found.left < sizeof(head) ||
		    !read_exactly(s->fd, head, sizeof(head), found.from) ||
		    memcmp(head, "ZLIB", 4) != 0)
			return;
		found.size = 0;
		for (size_t i = 4; i < sizeof(head); i++)
			found.size = found.size << 8 | head[i];
		found.packing = ZLIB;
		found.from += sizeof(head);
		found.left -= sizeof(head);
	} else if (sh->sh_flags & SHF_COMPRESSED) {
		/* gelf_getchdr() would read the whole section. */
		if (found.left < sizeof(ch) ||
		    !read_exactly(s->fd, &ch, sizeof(ch), found.from))
			return;
		if (ch.ch_type == ELFCOMPRESS_ZLIB)
			found.packing = ZLIB;
		else if (ch.ch_type == 2) /* ELFCOMPRESS_ZSTD */
			found.packing = ZSTD;
		else
			return;
		found.size = ch.ch_size;
		found.from += sizeof(ch);
		found.left -= sizeof(ch);
	}
	if (found.size <= IMAGE_MAX)
		*to = found;
}

static void find(struct pyd_sections *s, Elf *elf)
{
	Elf_Scn *scn = NULL;
	size_t strings;

	if (elf_getshdrstrndx(elf, &strings))
		return;
	for (int i = 0; i < MAX_SECTIONS; i++) {
		const char *name;
		GElf_Shdr sh;
		int n;

		scn = elf_nextscn(elf, scn);
		if (!scn)
			break;
		if (!gelf_getshdr(scn, &sh) || sh.sh_type == SHT_NOBITS)
			continue;
		name = elf_strptr(elf, strings, sh.sh_name);
		n = name ? number_of(name) : -1;
		if (n >= 0)
			add(s, &s->v[n], &sh, name[1] == 'z');
	}
}

/* -- the image -- */

static uint64_t round_up(uint64_t n)
{
	return (n + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

/* Header, sections, their names, and their headers. */
static bool make_image(struct pyd_sections *s, const GElf_Ehdr *of)
{
	Elf64_Shdr sh[PYD_SECTION_N + 2] = { 0 };
	Elf64_Ehdr eh = {
		.e_type = of->e_type,
		.e_machine = of->e_machine,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(eh),
		.e_shentsize = sizeof(*sh),
	};
	uint64_t at = PAGE, strings;
	uint16_t n = 1;
	char text[512] = "";
	size_t len = 1;

	memcpy(eh.e_ident, of->e_ident, sizeof(eh.e_ident));
	for (int i = 0; i < PYD_SECTION_N; i++) {
		if (!s->v[i].size)
			continue;
		s->v[i].at = at;
		sh[n++] = (Elf64_Shdr) {
			.sh_name = (Elf64_Word)len,
			.sh_type = SHT_PROGBITS,
			.sh_offset = at,
			.sh_size = s->v[i].size,
			.sh_addralign = 1,
		};
		memcpy(text + len, names[i], strlen(names[i]) + 1);
		len += strlen(names[i]) + 1;
		at += round_up(s->v[i].size);
		if (at > IMAGE_MAX)
			return false;
	}
	strings = at;
	sh[n] = (Elf64_Shdr) {
		.sh_name = (Elf64_Word)len,
		.sh_type = SHT_STRTAB,
		.sh_offset = strings,
		.sh_size = len + sizeof(".shstrtab"),
		.sh_addralign = 1,
	};
	memcpy(text + len, ".shstrtab", sizeof(".shstrtab"));
	eh.e_shoff = strings + sizeof(text);
	eh.e_shnum = (uint16_t)(n + 1);
	eh.e_shstrndx = n;
	s->len = round_up(eh.e_shoff + sizeof(sh));
	s->loaded = calloc(s->len / PAGE / 8 + 1, 1);
	s->image = mmap(NULL, s->len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->image == MAP_FAILED)
		s->image = NULL;
	if (!s->image || !s->loaded)
		return false;
	memcpy(s->image, &eh, sizeof(eh));
	memcpy(s->image + strings, text, sizeof(text));
	memcpy(s->image + eh.e_shoff, sh, sizeof(sh));
	return true;
}

/* libelf has to give what lies in the image, and no copy of it. */
static bool is_in_place(const struct pyd_sections *s)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(s->elf, scn))) {
		Elf_Data *data = elf_getdata(scn, NULL);
		GElf_Shdr sh;

		if (!data || !gelf_getshdr(scn, &sh) ||
		    (uint8_t *)data->d_buf != s->image + sh.sh_offset)
			return false;
	}
	return true;
}

struct pyd_sections *pyd_sections_open(Elf *elf, int fd)
{
	struct pyd_sections *s;
	GElf_Ehdr eh;

	if (!elf || fd < 0 || gelf_getclass(elf) != ELFCLASS64 ||
	    !gelf_getehdr(elf, &eh) || eh.e_ident[EI_DATA] != ELFDATA2LSB)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->fd = fd;
	find(s, elf);
	if ((!s->v[PYD_SECTION_INFO].size && !s->v[PYD_SECTION_FRAME].size) ||
	    !make_image(s, &eh)) {
		pyd_sections_close(s);
		return NULL;
	}
	return s;
}

void pyd_sections_close(struct pyd_sections *s)
{
	if (!s)
		return;
	for (int i = 0; i < PYD_SECTION_N; i++) {
		if (s->v[i].in && s->v[i].packing == ZLIB)
			inflateEnd(&s->v[i].z);
		ZSTD_freeDStream(s->v[i].zstd);
		free(s->v[i].in);
	}
	if (s->elf)
		elf_end(s->elf);
	if (s->image)
		munmap(s->image, s->len);
	free(s->loaded);
	free(s);
}

uint64_t pyd_sections_packed(const struct pyd_sections *s)
{
	uint64_t n = 0;

	for (int i = 0; i < PYD_SECTION_N; i++)
		if (s->v[i].packing != PLAIN)
			n += s->v[i].size;
	return n;
}

Elf *pyd_sections_elf(struct pyd_sections *s)
{
	if (s->elf)
		return s->elf;
	s->elf = elf_memory((char *)s->image, s->len);
	if (s->elf && !is_in_place(s)) {
		elf_end(s->elf);
		s->elf = NULL;
	}
	return s->elf;
}

uint64_t pyd_sections_size(const struct pyd_sections *s, enum pyd_section i)
{
	return s->v[i].size;
}

const uint8_t *pyd_sections_data(const struct pyd_sections *s,
				 enum pyd_section i)
{
	return s->image + s->v[i].at;
}

void pyd_sections_swap(struct pyd_sections *s, enum pyd_section i,
		       uint8_t *bytes, size_t len)
{
	uint8_t *begin = s->image + s->v[i].at;

	for (size_t k = 0; k < len; k++) {
		uint8_t byte = begin[k];

		begin[k] = bytes[k];
		bytes[k] = byte;
	}
}

/* -- loading -- */

static bool load_plain(struct pyd_sections *s, struct section *o, uint64_t off,
		       uint64_t len)
{
	uint64_t first = off / PAGE, last = (off + len - 1) / PAGE;

	while (first <= last) {
		uint64_t page = o->at / PAGE + first, n = 0, bytes;

		while (first + n <= last &&
		       !(s->loaded[(page + n) / 8] & 1 << (page + n) % 8))
			n++;
		if (!n) {
			first++;
			continue;
		}
		bytes = n * PAGE;
		if (bytes > o->size - first * PAGE)
			bytes = o->size - first * PAGE;
		if (!read_exactly(s->fd, s->image + o->at + first * PAGE,
				  (size_t)bytes, o->from + first * PAGE))
			return false;
		for (uint64_t i = 0; i < n; i++)
			s->loaded[(page + i) / 8] |=
				(uint8_t)(1 << (page + i) % 8);
		first += n;
	}
	return true;
}

static bool begin_unpacking(struct section *o)
{
	if (o->in)
		return true;
	o->in = malloc(IN_BYTES);
	if (!o->in)
		return false;
	if (o->packing == ZLIB && inflateInit(&o->z) == Z_OK) {
		/* The check stands at the end, which is rarely come to. */
		(void)inflateValidate(&o->z, 0);
		return true;
	}
	if (o->packing == ZSTD) {
		o->zstd = ZSTD_createDStream();
		if (o->zstd)
			return true;
	}
	free(o->in);
	o->in = NULL;
	return false;
}

/* Some of in to at most cap bytes of to. False: it is damaged. */
static bool unpack_some(struct section *o, uint8_t *to, size_t cap, size_t *ret)
{
	if (o->packing == ZLIB) {
		int code;

		o->z.next_in = o->in + o->in_at;
		o->z.avail_in = (uInt)(o->in_len - o->in_at);
		o->z.next_out = to;
		o->z.avail_out = (uInt)cap;
		code = inflate(&o->z, Z_NO_FLUSH);
		o->in_at = o->in_len - o->z.avail_in;
		*ret = cap - o->z.avail_out;
		return code == Z_OK || code == Z_STREAM_END ||
		       code == Z_BUF_ERROR;
	}

	ZSTD_inBuffer in = { o->in, o->in_len, o->in_at };
	ZSTD_outBuffer out = { to, cap, 0 };
	size_t code = ZSTD_decompressStream(o->zstd, &out, &in);

	o->in_at = in.pos;
	*ret = out.pos;
	return !ZSTD_isError(code);
}

/* Gets pages at once for what is about to be unpacked: a fault for each takes
 * as long as to fill it. */
static void make_pages(struct pyd_sections *s, const struct section *o,
		       uint64_t upto)
{
	uint64_t from = round_up(o->at + o->done);
	uint64_t end = o->at + upto;

	if (end > from && end - from >= OUT_BYTES)
		(void)madvise(s->image + from, round_up(end) - from,
			      MADV_POPULATE_WRITE);
}

/* Unpacks until upto bytes are there. */
static bool load_packed(struct pyd_sections *s, struct section *o,
			uint64_t upto)
{
	if (upto > o->done) {
		upto = upto > UINT64_MAX - OUT_BYTES ? upto : upto + OUT_BYTES;
		upto = upto < o->size ? upto : o->size;
	}
	if (upto > o->done && !begin_unpacking(o))
		return false;
	if (upto > o->done)
		make_pages(s, o, upto);
	while (o->done < upto) {
		size_t before = o->in_at, n, out;

		if (o->in_at == o->in_len && o->left) {
			n = o->left < IN_BYTES ? (size_t)o->left : IN_BYTES;
			if (!read_exactly(s->fd, o->in, n, o->from))
				return false;
			o->from += n;
			o->left -= n;
			o->in_at = before = 0;
			o->in_len = n;
		}
		n = upto - o->done < OUT_BYTES ? (size_t)(upto - o->done)
					       : OUT_BYTES;
		if (!unpack_some(o, s->image + o->at + o->done, n, &out) ||
		    (!out && o->in_at == before))
			return false;
		o->done += out;
	}
	return true;
}

bool pyd_sections_load(struct pyd_sections *s, enum pyd_section i, uint64_t off,
		       uint64_t len)
{
	struct section *o = &s->v[i];
	bool good;

	if (off >= o->size || o->broken)
		return false;
	if (len > o->size - off)
		len = o->size - off;
	if (!len)
		return true;
	good = o->packing == PLAIN ? load_plain(s, o, off, len)
				   : load_packed(s, o, off + len);
	o->broken = !good;
	return good;
}
