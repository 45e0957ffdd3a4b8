# SPDX-License-Identifier: Apache-2.0
"""zstd frames in a file: where they lie, how big they can be, and what decodes
them."""

import mmap
import struct
import sys
from typing import Any, NamedTuple, Optional, Union

from .columns import DumpError

_ZSTD_MAGIC = 0xFD2FB528
SKIP_LO, _SKIP_HI = 0x184D2A50, 0x184D2A5F
_BLOCK_MAX = 1 << 17
_FRAME_MAX = 1 << 30

Buffer = Union[bytes, mmap.mmap]


def load_zstd() -> Any:
    """A function (frame, raw size) -> bytes, and the error that it raises."""
    try:
        from compression import zstd as stdlib  # type: ignore
    except ImportError:
        stdlib = None
    if stdlib is not None:

        def decompress(frame: bytes, size: int) -> bytes:
            dec = stdlib.ZstdDecompressor()
            out = dec.decompress(frame, size)
            if not dec.eof:
                # The output limit was met before the checksum was seen.
                rest = dec.decompress(b"", 1)
                if rest or not dec.eof:
                    raise ValueError("longer than it says")
            return out

        return decompress, stdlib.ZstdError
    try:
        import zstandard
    except ImportError:
        raise DumpError("no zstd decoder in %s: pip install zstandard" % sys.executable) from None

    def decompress_pkg(frame: bytes, size: int) -> bytes:
        return zstandard.ZstdDecompressor().decompress(frame, max_output_size=max(size, 1))

    return decompress_pkg, zstandard.ZstdError


def load_msgpack() -> Any:
    """A function bytes -> object."""
    try:
        import msgpack
    except ImportError:
        raise DumpError("no msgpack in %s: pip install msgpack" % sys.executable) from None

    def unpack(raw: bytes) -> Any:
        # The length of raw bounds what it can hold.
        try:
            return msgpack.unpackb(raw, raw=False, unicode_errors="surrogatepass")
        except UnicodeDecodeError:
            return msgpack.unpackb(raw, raw=False, unicode_errors="surrogateescape")

    return unpack


class FrameSpan(NamedTuple):
    """Where a frame lies in the file."""

    offset: int
    size: int
    raw: int  # content size; -1 for a skippable frame


def measure_frame(buf: Buffer, pos: int, end: int) -> Optional[FrameSpan]:
    """The span of the frame at pos, or None when it is not whole.

    Walks the block headers, so that the content size can be held against what
    that many blocks can hold. Raises DumpError on what is no zstd frame.
    """
    if end - pos < 8:
        return None
    (magic,) = struct.unpack_from("<I", buf, pos)
    if SKIP_LO <= magic <= _SKIP_HI:
        (n,) = struct.unpack_from("<I", buf, pos + 4)
        return FrameSpan(pos, n + 8, -1) if n <= end - pos - 8 else None
    if magic != _ZSTD_MAGIC:
        raise DumpError("no zstd frame at offset %d" % pos)
    desc = buf[pos + 4]
    if desc & 0x08:
        raise DumpError("reserved bit set in the frame at offset %d" % pos)
    single = desc >> 5 & 1
    fcs = (single, 2, 4, 8)[desc >> 6]
    head = 5 + (not single) + (0, 1, 2, 4)[desc & 3] + fcs
    if end - pos < head:
        return None
    if not fcs:
        raise DumpError("the frame at offset %d has no content size" % pos)
    raw = int.from_bytes(buf[pos + head - fcs : pos + head], "little")
    if fcs == 2:
        raw += 256
    at, blocks, last = pos + head, 0, 0
    while not last:
        if end - at < 3:
            return None
        block = int.from_bytes(buf[at : at + 3], "little")
        last, what, size = block & 1, block >> 1 & 3, block >> 3
        if what == 3 or size > _BLOCK_MAX:
            raise DumpError("bad block in the frame at offset %d" % pos)
        size = 1 if what == 1 else size
        if size > end - at - 3:
            return None
        at += 3 + size
        blocks += 1
    if desc & 4:
        if end - at < 4:
            return None
        at += 4
    if raw > blocks * _BLOCK_MAX or raw > _FRAME_MAX:
        raise DumpError("impossible size of the frame at offset %d" % pos)
    return FrameSpan(pos, at - pos, raw)
