# SPDX-License-Identifier: Apache-2.0
"""Texts that are read in pieces, with secrets where pieces meet.

Says what each is to be in a dump: length, and a digest of its UTF-8 or bytes with asterisks.
"""

import ctypes
import hashlib
import json
import sys

LENGTH = 4300000
SECRET = "q7hunter2x9Q"


def planted(alphabet, length, first="", last=""):
    """A text and what is to be seen of it. Borders of pieces are at 64 KB and 1 MB."""
    block = (alphabet + "the quick brown fox ") * 50
    plain = (block * (length // len(block) + 1))[:length]
    seen = plain
    size = len(alphabet[-1].encode())
    places = [n // size for n in (1 << 16, 1 << 17, 1 << 20, 2 << 20)] + [length - 3000]
    for i, border in enumerate(places):
        told = " password=" + SECRET + " "
        start = border - len(" password=") - 1 - 2 * i
        end = start + len(told)
        plain = plain[:start] + told + plain[end:]
        seen = seen[:start] + told.replace(SECRET, "*" * len(SECRET)) + seen[end:]
    return first + plain + last, "*" * len(first.strip()) + " " * first.endswith(" ") + seen + (
        " password=" + "*" * (len(last) - 10) if last else ""
    )


def digest(text):
    data = text if isinstance(text, (bytes, bytearray)) else text.encode("utf-8", "surrogatepass")
    return [len(data), hashlib.sha256(data).hexdigest()]


KNOWN = "AKIAQ7ZJ3MB5W2XKLD9R "
LAST = " password=la57-one-" + "\u20ac"
made = {
    "ascii": planted("plain ", LENGTH, KNOWN, " password=la57-one-x"),
    "latin": planted("\xe9t\xe9 \xe9", LENGTH, KNOWN),
    "ucs2": planted("\ud800 \u20ac", LENGTH // 2, KNOWN, LAST),
    "ucs4": planted("\xe9 \u20ac \U0001f600", LENGTH // 4, KNOWN, LAST + "\U0001f600"),
    "nothing": planted("plain ", LENGTH, "", ""),
}
ascii_text, ascii_seen = made["ascii"]
made["bytes"] = (ascii_text.encode(), ascii_seen.encode())
made["bytearray"] = (bytearray(ascii_text.encode()), ascii_seen.encode())
texts = {name: pair[0] for name, pair in made.items()}
told = {name: digest(pair[1]) for name, pair in made.items()}
del made, ascii_text, ascii_seen

# A long secret: under its name, an equal one elsewhere, and inside of another text.
password = "%d is part of it, " % 4711 * (LENGTH // 20)
texts["copy"] = ("x" + password)[1:]
texts["inside"] = "before " + password + " behind"
told["inside"] = digest("before " + "*" * len(password) + " behind")

# One that is not what it says: a byte above 127, and more characters than there are.
broken = "a" * LENGTH
lying = "b" * LENGTH
at = sys.getsizeof("") - 1
ctypes.memset(id(broken) + at + LENGTH - 5, 0xC3, 1)
length = ctypes.c_ssize_t.from_address(id(lying) + object.__basicsize__)
length.value = 1 << 34


def main():
    print(json.dumps({"told": told, "broken": id(broken), "lying": id(lying)}), flush=True)
    sys.stdin.read()
    length.value = LENGTH
    ctypes.memset(id(broken) + at + LENGTH - 5, 0x61, 1)
    print("bye", flush=True)


main()
