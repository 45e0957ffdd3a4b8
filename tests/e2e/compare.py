# SPDX-License-Identifier: Apache-2.0
"""Holds what the loader shows against what the target told of itself.

Also a program, for loaders under another Python than the tests' own:
compare.py LOADER_FOLDER CANON_FOLDER PAIRS.json, where the file lists pairs of
a dump and the truth about it. Prints what differs; needs Python 3.8.
"""

import json
import sys
from typing import Any, Dict, Iterator, List

# JSON nests as deep as the values do.
sys.setrecursionlimit(20000)

ATOMS = {"none", "bool", "int", "float", "complex", "str", "bytes"}


def short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 300 else text[:300] + "..."


def first_difference(told: Any, shown: Any, path: str = "") -> str:
    """Where two canonical values part."""
    while isinstance(told, list) and isinstance(shown, list):
        differing = [i for i, (a, b) in enumerate(zip(told, shown)) if a != b]
        if not differing or len(told) != len(shown):
            break
        path += "/%d" % differing[0]
        told, shown = told[differing[0]], shown[differing[0]]
    return "at %s: told %s, shown %s" % (path or "/", short(told), short(shown))


def compare_value(where: str, told: Any, value: Any, module: str) -> Iterator[str]:
    from canon import Canon

    try:
        # Through JSON, as what was told came.
        shown = json.loads(json.dumps(Canon(module).of(value)))
    except Exception as error:  # whatever a stand-in does is a finding
        yield "%s: %s: %s" % (where, type(error).__name__, error)
        return
    if shown != told:
        yield "%s: %s" % (where, first_difference(told, shown))


def compare_frame(where: str, told: Dict[str, Any], frame: Any, only: Any) -> Iterator[str]:
    where = "%s %s:%s" % (where, told["name"], told["line"])
    pairs = [
        ("name", told["name"], frame.name),
        ("file", told["file"], frame.file),
        ("line", told["line"], frame.line),
        ("firstlineno", told["firstlineno"], frame.firstlineno),
    ]
    if told["qualname"] is not None:
        pairs.append(("qualname", told["qualname"], frame.qualname))
    elif frame.qualname is not None and not frame.qualname.endswith(told["name"]):
        yield "%s: qualname %r" % (where, frame.qualname)
    if told["columns"] is not None:
        shown = [frame.end_line, frame.col, frame.end_col]
        pairs.append(("columns", told["columns"], shown))
    for what, a, b in pairs:
        if a != b:
            yield "%s: %s: told %r, shown %r" % (where, what, a, b)
    if frame.note:
        yield "%s: note: %s" % (where, frame.note)
    names = set(frame.locals)
    if told["scope"] == "function":
        for name in sorted(names ^ set(told["locals"])):
            yield "%s: local %s is %s" % (
                where,
                name,
                "shown and was not told" if name in names else "missing",
            )
    if only is not None and told["file"] != only:
        return
    for name, value in told["locals"].items():
        if name not in names:
            if told["scope"] != "function":
                yield "%s: %s is missing" % (where, name)
            continue
        yield from compare_value(
            "%s %s" % (where, name), value, frame.locals[name], "__main__"
        )
        if only is None and value[0] not in ATOMS:
            at = frame.locals.address(name)
            if at != told["ids"][name]:
                yield "%s %s: id told %#x, shown %#x" % (
                    where,
                    name,
                    told["ids"][name],
                    at,
                )


def compare_thread(told: Dict[str, Any], thread: Any, only: Any) -> Iterator[str]:
    where = "thread %r" % told["name"]
    if told["name"] != thread.name:
        yield "%s: shown name %r" % (where, thread.name)
    if only is None:
        if told["native_id"] not in (None, thread.native_id, thread.ns_native_id):
            yield "%s: native id told %r, shown %r" % (
                where,
                told["native_id"],
                thread.native_id,
            )
        address = thread._raw.get("thread")
        if told["thread"] != address:
            yield "%s: Thread object %r, shown %r" % (where, told["thread"], address)
    if thread.note:
        yield "%s: note: %s" % (where, thread.note)
    if told["teller"]:
        if not thread.frames:
            yield "%s: no frames" % where
        return
    names = [f["name"] for f in told["frames"]]
    shown = [f.name for f in thread.frames]
    if names != shown:
        yield "%s: frames told %r, shown %r" % (where, names, shown)
        return
    for number, (a, b) in enumerate(zip(told["frames"], thread.frames)):
        yield from compare_frame("%s #%d" % (where, number), a, b, only)
    handled = [e for e in thread.exceptions if e.role == "handled"]
    if len(handled) != len(told["handled"]):
        yield "%s: handles %d, shown %d" % (where, len(told["handled"]), len(handled))
    for number, (a, b) in enumerate(zip(told["handled"], handled)):
        yield from compare_value(
            "%s exception %d" % (where, number), a, b.value, "__main__"
        )


def key_of(thread: Dict[str, Any]) -> Any:
    """What finds a thread again in another run."""
    frames = [f["name"] for f in thread["frames"]]
    return thread["name"], frames if thread["name"] is None else None


def compare(dump: Any, truth: Dict[str, Any], another_run: bool = False) -> List[str]:
    """Everything that differs. another_run: the truth is of an equal process,
    so that identities and what only its standard library holds differ."""
    found: List[str] = []
    version = ".".join(map(str, truth["version"]))
    python = dump.header["python"]
    if not python["version"].startswith(version) or python["hex"] != truth["hex"]:
        found.append("version: %r, shown %r" % (version, python))
    if python["debug"] != truth["debug"]:
        found.append("debug build: %r" % python["debug"])
    if not dump.complete:
        found.append("not complete")
    if len(dump.threads) != len(truth["threads"]):
        found.append(
            "%d threads, shown %d" % (len(truth["threads"]), len(dump.threads))
        )
    if dump.threads and dump.threads[0].name != "MainThread":
        found.append("first thread: %r" % dump.threads[0].name)
    for told in truth["threads"]:
        if another_run:
            same = [t for t in dump.threads if t.name == told["name"]]
        else:
            same = [t for t in dump.threads if t.ident == told["ident"]]
        if len(same) != 1:
            found.append("thread %r: %d shown" % (told["name"], len(same)))
            continue
        found += compare_thread(told, same[0], truth["file"] if another_run else None)
    if sum(t.gil for t in dump.threads) > 1:
        found.append("more than one thread holds the GIL")
    return found


def main(argv: List[str]) -> int:
    import threading

    sys.path[:0] = argv[1:3]
    import pydumpd

    status = 0
    with open(argv[3], encoding="utf-8") as file:
        pairs = json.load(file)

    def run() -> None:
        nonlocal status
        for path, truth in pairs:
            with pydumpd.open(path) as dump, open(truth, encoding="utf-8") as told:
                problems = compare(dump, json.load(told))
            print(path, "same" if not problems else "\n".join(problems))
            if problems:
                status = 1

    threading.stack_size(256 << 20)
    worker = threading.Thread(target=run)
    worker.start()
    worker.join()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv))
