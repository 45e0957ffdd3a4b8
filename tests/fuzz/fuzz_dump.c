// SPDX-License-Identifier: Apache-2.0
/*
 * The reading API and what "pydumpd show" makes of a dump, from any bytes.
 *
 * Frames have checksums, behind which changed bytes would never come to be
 * read. So the first byte chooses: the rest is a file as it is, or a file with
 * some of its bytes changed, or changes to the unpacked frames of a good dump,
 * which are then packed again: that is what the parsers get to see.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "../tools/dumpgen.h"
#include "dump/render.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_FRAMES 16

static uint8_t *file;
static size_t file_size;
static struct {
	uint8_t *raw;
	size_t len;
	size_t offset; /* in file */
	size_t csize;
} frames[MAX_FRAMES];
static size_t nframes;
static uint8_t *work;
static size_t work_cap;

static void die(const char *why)
{
	fprintf(stderr, "fuzz_dump: %s\n", why);
	abort();
}

/* A small dump of every kind, and its frames unpacked. */
static void prepare(void)
{
	struct gen g = GEN_DEFAULT;
	char path[] = "/tmp/pydumpd-fuzz-XXXXXX";
	struct pyd_err err;
	FILE *f;
	long n = 0;

	g.nodes = 150;
	g.writer_threads = 1;
	close(mkstemp(path));
	unlink(path);
	gen_check(gen_dump(&g, path, &err), &err);
	f = fopen(path, "rb");
	if (!f || fseek(f, 0, SEEK_END) || (n = ftell(f)) <= 0)
		die("no dump");
	rewind(f);
	file_size = (size_t)n;
	file = malloc(file_size);
	if (!file || fread(file, 1, file_size, f) != file_size)
		die("cannot read the dump");
	fclose(f);
	unlink(path);
	for (size_t at = 0; at < file_size && nframes < MAX_FRAMES;) {
		size_t csize =
			ZSTD_findFrameCompressedSize(file + at, file_size - at);
		unsigned long long raw =
			ZSTD_getFrameContentSize(file + at, file_size - at);

		if (ZSTD_isError(csize))
			die("a frame of the writer's is none");
		/* The skippable one at the end. */
		if (raw == 0 || raw >= ZSTD_CONTENTSIZE_ERROR)
			break;
		frames[nframes].raw = malloc(raw);
		frames[nframes].len = raw;
		frames[nframes].offset = at;
		frames[nframes].csize = csize;
		if (ZSTD_isError(ZSTD_decompress(frames[nframes].raw, raw,
						 file + at, csize)))
			die("a frame of the writer's does not unpack");
		work_cap += ZSTD_compressBound(raw) + 64;
		at += csize;
		nframes++;
	}
	work_cap += file_size;
	work = malloc(work_cap);
	if (!work)
		die("out of memory");
}

/* Each change: a frame, a position (two bytes), how (one byte), a value. */
static size_t change_frames(const uint8_t *data, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < nframes; i++) {
		size_t len = frames[i].len;
		uint8_t *raw = malloc(len + 1);
		size_t n;

		if (!raw)
			die("out of memory");
		memcpy(raw, frames[i].raw, len);
		for (size_t k = 0; k + 5 <= size; k += 5) {
			size_t pos = (size_t)data[k + 1] << 8 | data[k + 2];

			if (data[k] % nframes != i)
				continue;
			/* Heads are where they matter most. */
			pos = data[k + 3] & 1 ? pos % len : pos % 600 % len;
			switch (data[k + 3] >> 1 & 3) {
			case 0:
				raw[pos] = data[k + 4];
				break;
			case 1:
				raw[pos] = (uint8_t)(raw[pos] + data[k + 4]);
				break;
			case 2:
				raw[pos] ^= (uint8_t)(1 << (data[k + 4] & 7));
				break;
			default:
				if (data[k + 4] == 77)
					len = pos ? pos : 1;
				else
					raw[pos] = 0xff;
				break;
			}
			if (!len)
				len = 1;
		}
		/* Unchanged frames keep their bytes: the tables fit. */
		if (len == frames[i].len && !memcmp(raw, frames[i].raw, len)) {
			n = frames[i].csize;
			memcpy(work + at, file + frames[i].offset, n);
		} else {
			n = ZSTD_compress(work + at, work_cap - at, raw, len,
					  1);
			if (ZSTD_isError(n))
				die("cannot compress");
		}
		free(raw);
		at += n;
	}
	return at;
}

static size_t change_file(const uint8_t *data, size_t size)
{
	size_t len = file_size;

	memcpy(work, file, file_size);
	for (; size >= 4; data += 4, size -= 4) {
		size_t pos =
			(size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2];

		/* From the front, or from the back, where the tables are. */
		pos = data[0] & 0x80 ? file_size - 1 - pos % file_size
				     : pos % file_size;
		work[pos] = data[3];
		if (data[0] == 0x55)
			len = pos + 1;
	}
	return len;
}

static enum pyd_code nowhere(void *ctx, const char *s, size_t len,
			     struct pyd_err *err)
{
	(void)ctx;
	(void)err;
	/* All that goes out is fit for a terminal. */
	for (size_t i = 0; i < len; i++)
		if (((uint8_t)s[i] < 0x20 && s[i] != '\n') || s[i] == 0x7f)
			die("a control character was shown");
	return PYD_OK;
}

static enum pyd_code look_source(void *ctx, struct pyd_dump_value source,
				 struct pyd_err *err)
{
	(void)ctx;
	(void)err;
	(void)pyd_dump_value_len(pyd_dump_value_get(source, "text"));
	return PYD_OK;
}

static void each_object(struct pyd_dump *d)
{
	struct pyd_text t = { 0 };
	struct pyd_err err;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < pyd_dump_nbatches(d) && i < 64; i++) {
		struct pyd_dump_batch *b;

		if (pyd_dump_batch_load(d, i, &b, &err))
			continue;
		for (uint32_t k = 0; k < pyd_dump_batch_len(b); k++) {
			struct pyd_dump_object o, again;
			struct pyd_dump_attr a;
			uint32_t n;

			pyd_dump_batch_object(d, b, k, &o);
			for (uint32_t r = 0; r < o.nrefs; r++)
				sum += o.refs[r];
			for (uint32_t v = 0; v < o.value_len; v++)
				sum += o.value[v];
			for (uint32_t r = 0; r < o.nattrs; r++) {
				pyd_dump_object_attr(&o, r, &a);
				sum += a.value +
				       (uint8_t)(a.name_len ? a.name[0] : 0);
			}
			(void)pyd_dump_object_rest(d, &o, &n);
			sum += pyd_dump_object_field(d, &o, "dict");
			if (k % 16)
				continue;
			pyd_repr(d, o.addr, &pyd_repr_default, &t);
			pyd_buf_clear(&t.buf);
			if (!pyd_dump_object_get(d, o.addr, &again, &err))
				pyd_dump_object_release(d, &again);
		}
		pyd_dump_batch_release(d, b);
	}
	pyd_text_deinit(&t);
	/* So that no reading above is left out. */
	if (sum == 0x123456789abcdef)
		fprintf(stderr, "found it\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pyd_sink sink = { .write = nowhere };
	struct pyd_render_options opts = {
		.thread = -1,
		.limits = pyd_repr_default,
		.max_frames = 50,
	};
	struct pyd_dump *d;
	struct pyd_err err;
	int fd;

	if (!file)
		prepare();
	if (!size)
		return 0;

	const uint8_t *bytes = work;
	size_t n;
	uint8_t how = data[0];

	data++;
	size--;
	if (how % 8 == 0) {
		bytes = data;
		n = size;
	} else if (how % 8 < 3) {
		n = change_file(data, size);
	} else {
		n = change_frames(data, size);
		/* With or without the tables of the end. */
		if (how & 0x80)
			n = n > 40 ? n - 20 : n;
	}
	fd = memfd_create("dump", MFD_CLOEXEC);
	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
		die("no memory file");
	if (!pyd_dump_open_fd(fd, "fuzz", &d, &err)) {
		opts.max_frames = how & 0x40 ? 1 : 50;
		(void)!pyd_render_text(d, "fuzz", &opts, &sink, &err);
		(void)!pyd_render_json(d, "fuzz", &opts, &sink, &err);
		(void)!pyd_dump_sources_each(d, look_source, NULL, &err);
		each_object(d);
		pyd_dump_close(d);
	} else if (!*err.msg) {
		die("an error without words");
	}
	close(fd);
	return 0;
}

#ifdef FUZZ_PLAIN
/* Without libFuzzer: fuzz_dump RUNS [SEED]. */
int main(int argc, char **argv)
{
	unsigned long runs = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
	uint64_t rng = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;

	for (unsigned long i = 0; i < runs; i++) {
		uint8_t data[256];
		size_t n = 6 + gen_next(&rng) % 40;

		for (size_t k = 0; k < n; k++)
			data[k] = (uint8_t)gen_next(&rng);
		LLVMFuzzerTestOneInput(data, n);
	}
	printf("%lu inputs\n", runs);
	return 0;
}
#endif
