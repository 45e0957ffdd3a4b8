# SPDX-License-Identifier: Apache-2.0
"""hashlib: name and sizes. What was hashed so far is not shown."""

from typing import Any

from ..refs import ref_of
from . import Absent, Standard, class_name, fields, full_name, surrogate

# name: (digest_size, block_size); a size of 0 is the caller's to choose.
_SIZES = {
    "md5": (16, 64), "sha1": (20, 64), "sha224": (28, 64), "sha256": (32, 64),
    "sha384": (48, 128), "sha512": (64, 128), "sha3_224": (28, 144), "sha3_256": (32, 136),
    "sha3_384": (48, 104), "sha3_512": (64, 72), "shake_128": (0, 168), "shake_256": (0, 136),
    "blake2b": (-1, 128), "blake2s": (-1, 64),
}  # fmt: skip


@surrogate("_hashlib.HASH", "_hashlib.HASHXOF")
class OpenSSL(Standard):
    __slots__ = ()

    def _shown(self) -> Any:
        ref, name = ref_of(self), fields(self)["name"]
        kind = full_name(self) if ref.graph.python >= (3, 9) else class_name(self)
        return "<%s %s object @ %#x>" % (name, kind, ref.rec.addr)


@surrogate(
    "_md5.md5",
    "_sha1.sha1",
    "_sha256.sha224",
    "_sha256.sha256",
    "_sha512.sha384",
    "_sha512.sha512",
    "_sha2.SHA224Type",
    "_sha2.SHA256Type",
    "_sha2.SHA384Type",
    "_sha2.SHA512Type",
    "_sha3.sha3_224",
    "_sha3.sha3_256",
    "_sha3.sha3_384",
    "_sha3.sha3_512",
    "_sha3.shake_128",
    "_sha3.shake_256",
    "_blake2.blake2b",
    "_blake2.blake2s",
)
class Own(Standard):
    """Of the interpreter's own: the class tells the algorithm."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """As hashlib.new() takes it."""
        return class_name(self).replace("Type", "").lower()

    @property
    def block_size(self) -> int:
        """Bytes that are hashed at once."""
        return _SIZES[self.name][1]

    @property
    def digest_size(self) -> int:
        """Bytes of the digest."""
        size = _SIZES[self.name][0]
        if size >= 0:
            return size
        if "digest_size" not in fields(self):
            raise Absent("digest_size")
        return fields(self)["digest_size"]

    def _shown(self) -> Any:
        return "<%s object at %#x>" % (full_name(self), ref_of(self).rec.addr)
