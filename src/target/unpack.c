// SPDX-License-Identifier: Apache-2.0
#include "target/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <lz4frame.h>
#include <lzma.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/log.h"

enum {
	IN_BYTES = 1 << 18,
	OUT_BYTES = 1 << 20,
	HOLE = 4096,
	/* Of what xz and zstd may allocate for one file. */
	MEMORY_MAX = 1 << 30,
};

/* One compressed stream; each step takes some input and gives some output. */
struct stream {
	const struct codec *codec;
	z_stream z;
	lzma_stream xz;
	ZSTD_DStream *zstd;
	LZ4F_dctx *lz4;
	uint8_t *in, *out;
	size_t in_len, in_at;
	size_t out_len; /* of the last step */
	bool between;	/* a frame has ended and no other has begun */
	bool ended;	/* of all input that there is */
	int from, to;
	uint64_t written;
};

enum step {
	STEP_MORE, /* there may be output; go on */
	STEP_BAD,
};

struct codec {
	const char *name;
	uint8_t magic[6];
	size_t magic_len;
	/* The byte of the beginning, and bits of it, that say whether there is
	 * a checksum. */
	uint8_t check_at, check_bits;
	bool (*init)(struct stream *s);
	enum step (*step)(struct stream *s);
};

/* -- gzip -- */

static bool gzip_init(struct stream *s)
{
	return inflateInit2(&s->z, 15 + 16) == Z_OK;
}

static enum step gzip_step(struct stream *s)
{
	int code;

	/* A file may have several members. */
	if (s->between && s->in_at < s->in_len && inflateReset(&s->z) != Z_OK)
		return STEP_BAD;
	s->between = false;
	s->z.next_in = s->in + s->in_at;
	s->z.avail_in = (uInt)(s->in_len - s->in_at);
	s->z.next_out = s->out;
	s->z.avail_out = OUT_BYTES;
	code = inflate(&s->z, Z_NO_FLUSH);
	s->in_at = s->in_len - s->z.avail_in;
	s->out_len = OUT_BYTES - s->z.avail_out;
	s->between = code == Z_STREAM_END;
	return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR
		       ? STEP_MORE
		       : STEP_BAD;
}

/* -- xz -- */

static bool xz_init(struct stream *s)
{
	s->xz = (lzma_stream)LZMA_STREAM_INIT;
	return lzma_stream_decoder(&s->xz, MEMORY_MAX, LZMA_CONCATENATED) ==
	       LZMA_OK;
}

static enum step xz_step(struct stream *s)
{
	lzma_ret code;

	s->xz.next_in = s->in + s->in_at;
	s->xz.avail_in = s->in_len - s->in_at;
	s->xz.next_out = s->out;
	s->xz.avail_out = OUT_BYTES;
	code = lzma_code(&s->xz, s->ended ? LZMA_FINISH : LZMA_RUN);
	s->in_at = s->in_len - s->xz.avail_in;
	s->out_len = OUT_BYTES - s->xz.avail_out;
	s->between = code == LZMA_STREAM_END;
	return code == LZMA_OK || code == LZMA_STREAM_END ||
			       code == LZMA_BUF_ERROR
		       ? STEP_MORE
		       : STEP_BAD;
}

/* -- zstd -- */

static bool zstd_init(struct stream *s)
{
	s->zstd = ZSTD_createDStream();
	/* Long windows are what "zstd --long" and systemd may use. */
	return s->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(
				  s->zstd, ZSTD_d_windowLogMax, 30));
}

static enum step zstd_step(struct stream *s)
{
	ZSTD_inBuffer in = { s->in, s->in_len, s->in_at };
	ZSTD_outBuffer out = { s->out, OUT_BYTES, 0 };
	size_t left = ZSTD_decompressStream(s->zstd, &out, &in);

	s->in_at = in.pos;
	s->out_len = out.pos;
	if (ZSTD_isError(left))
		return STEP_BAD;
	s->between = !left;
	return STEP_MORE;
}

/* -- lz4 -- */

static bool lz4_init(struct stream *s)
{
	return !LZ4F_isError(
		LZ4F_createDecompressionContext(&s->lz4, LZ4F_VERSION));
}

static enum step lz4_step(struct stream *s)
{
	size_t in = s->in_len - s->in_at;
	size_t out = OUT_BYTES;
	size_t left = LZ4F_decompress(s->lz4, s->out, &out, s->in + s->in_at,
				      &in, NULL);

	s->in_at += in;
	s->out_len = out;
	if (LZ4F_isError(left)) {
		s->out_len = 0;
		return STEP_BAD;
	}
	s->between = !left;
	return STEP_MORE;
}

/* clang-format off */
static const struct codec codecs[] = {
	{ "gzip", { 0x1f, 0x8b }, 2, 0, 0xff, gzip_init, gzip_step },
	{ "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, 7, 0x0f, xz_init, xz_step },
	{ "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, 4, 0x04, zstd_init, zstd_step },
	{ "lz4", { 0x04, 0x22, 0x4d, 0x18 }, 4, 4, 0x14, lz4_init, lz4_step },
};
/* clang-format on */

static void stream_deinit(struct stream *s)
{
	if (s->codec && s->codec->init == gzip_init)
		inflateEnd(&s->z);
	if (s->codec && s->codec->init == xz_init)
		lzma_end(&s->xz);
	ZSTD_freeDStream(s->zstd);
	LZ4F_freeDecompressionContext(s->lz4);
	free(s->in);
	free(s->out);
}

static const char *folder(void)
{
	const char *tmp = getenv("TMPDIR");

	/* /tmp is often memory; a core is large. */
	return tmp && *tmp ? tmp : "/var/tmp";
}

static enum pyd_code create(int *ret, struct pyd_err *err)
{
	char path[4096];
	int fd = open(folder(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0) { /* a file system that cannot */
		snprintf(path, sizeof(path), "%s/pydumpd-XXXXXX", folder());
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			unlink(path);
	}
	if (fd < 0)
		return pyd_err_errno(err, PYD_IO, errno,
				     "cannot decompress the core into %s; set "
				     "TMPDIR to a folder with room",
				     folder());
	*ret = fd;
	return PYD_OK;
}

static enum pyd_code put(struct stream *s, struct pyd_err *err)
{
	static const uint8_t zeros[HOLE];

	for (size_t at = 0; at < s->out_len;) {
		size_t n = s->out_len - at < HOLE ? s->out_len - at : HOLE;
		ssize_t done = (ssize_t)n;

		if (memcmp(s->out + at, zeros, n))
			done = pwrite(s->to, s->out + at, n,
				      (off_t)(s->written + at));
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return pyd_err_errno(
				err, PYD_IO, errno,
				"cannot decompress the core: %s is full or "
				"fails after %llu MiB; set TMPDIR to a folder "
				"with room",
				folder(),
				(unsigned long long)(s->written >> 20));
		at += (size_t)done;
	}
	s->written += s->out_len;
	return PYD_OK;
}

static enum pyd_code more(struct stream *s, const char *path,
			  struct pyd_err *err)
{
	ssize_t n;

	do
		n = read(s->from, s->in, IN_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return pyd_err_errno(err, PYD_IO, errno, "cannot read %s",
				     path);
	s->in_at = 0;
	s->in_len = (size_t)n;
	s->ended = !n;
	return PYD_OK;
}

static enum pyd_code run(struct stream *s, const char *path,
			 struct pyd_unpacked *ret, struct pyd_err *err)
{
	for (;;) {
		enum pyd_code code = PYD_OK;
		enum step step;
		size_t before;

		if (pyd_interrupted)
			return pyd_err_set(err, PYD_INTERRUPTED, "interrupted");
		if (s->in_at == s->in_len && !s->ended)
			code = more(s, path, err);
		if (code)
			return code;
		if (s->ended && s->between)
			break;
		before = s->in_at;
		s->out_len = 0;
		step = s->codec->step(s);
		code = put(s, err);
		if (code)
			return code;
		/* xz says so only when it is told that no more comes. */
		if (step == STEP_MORE && s->ended && s->between)
			break;
		if (step == STEP_BAD || (!s->out_len && s->in_at == before &&
					 (s->ended || s->in_at < s->in_len))) {
			ret->cut = true;
			ret->damaged = step == STEP_BAD;
			snprintf(ret->why, sizeof(ret->why),
				 "the %s data %s after %llu bytes",
				 s->codec->name,
				 step == STEP_BAD ? "is damaged" : "ends early",
				 (unsigned long long)s->written);
			break;
		}
	}
	/* The last may be a hole. */
	if (ftruncate(s->to, (off_t)s->written))
		return pyd_err_errno(err, PYD_IO, errno,
				     "cannot decompress the core into %s",
				     folder());
	return PYD_OK;
}

static const struct codec *find_codec(int fd)
{
	uint8_t magic[8] = { 0 };
	ssize_t n = pread(fd, magic, sizeof(magic), 0);

	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++) {
		const struct codec *c = &codecs[i];

		if (n < (ssize_t)c->magic_len ||
		    memcmp(magic, c->magic, c->magic_len) != 0)
			continue;
		if (!(magic[c->check_at] & c->check_bits))
			pyd_log_debug("the %s data has no checksum: nothing "
				      "would tell that it was damaged",
				      c->name);
		return c;
	}
	return NULL;
}

enum pyd_code pyd_unpack(const char *path, struct pyd_unpacked *ret,
			 struct pyd_err *err)
{
	struct pyd_unpacked u = { 0 };
	struct stream s = { 0 };
	struct stat st;
	enum pyd_code code;

	s.from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (s.from < 0)
		return pyd_err_errno(err, PYD_IO, errno, "cannot open %s",
				     path);
	if (fstat(s.from, &st) || !S_ISREG(st.st_mode)) {
		close(s.from);
		return pyd_err_set(err, PYD_FORMAT, "%s is not a file", path);
	}
	s.codec = find_codec(s.from);
	if (!s.codec) {
		*ret = (struct pyd_unpacked) { .fd = s.from };
		return PYD_OK;
	}
	u.format = s.codec->name;
	s.in = malloc(IN_BYTES);
	s.out = malloc(OUT_BYTES);
	if (!s.in || !s.out || !s.codec->init(&s)) {
		stream_deinit(&s);
		close(s.from);
		return pyd_err_set(err, PYD_NOMEM, "out of memory");
	}
	code = create(&s.to, err);
	if (!code) {
		code = run(&s, path, &u, err);
		if (code)
			close(s.to);
	}
	u.fd = s.to;
	stream_deinit(&s);
	close(s.from);
	if (!code)
		*ret = u;
	return code;
}
