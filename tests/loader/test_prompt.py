# SPDX-License-Identifier: Apache-2.0
"""The prompt, as a person or a script uses it."""

import os
import struct
import subprocess
import sys

import pydumpd
import pytest
from dumpwriter import Writer
from prompting import LOADER, commands, run
from pydumpd.views import Views
from test_frames import SOURCE, code_node


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Two threads, none with an exception; the second holds the GIL."""
    w = Writer()
    g = {"__name__": "app", "LIMIT": 5, "n": "global"}
    w.source("/srv/app.py", SOURCE)
    outer = code_node(w, "outer", ["a", "b", "k", "rest", "kw"], argcount=2, kwonly=1,
                      flags=3 | 4 | 8, firstlineno=3)  # fmt: skip
    cls = w.type_node("Order", bases=[w.add(object)])
    order = w.node("object", type=cls, attrs=[(0, "id", w.add(7)), (0, "items", w.add(["x"]))])
    w.thread([w.frame("idle", line=8, firstlineno=6, globals=g)], name="MainThread", gil=False)
    w.thread(
        [
            w.frame("inner", line=8, firstlineno=6, argcount=1, globals=g,
                    variables={"n": 3, "order": ("at", order), "big": list(range(40000)),
                               "lst": [1, [2, "three"]], "s": "step"},
                    stack=[w.add("below"), w.add(1.5)]),
            w.frame("outer", line=4, firstlineno=3, globals=g, code=outer, argcount=2, kwonly=1,
                    flags=3 | 4 | 8, variables={"a": 1, "k": 9, "rest": (1, 2), "kw": {"z": 1}}),
            w.frame("<module>", line=5, globals=g, locals=id(g), flags=0, file="/srv/gone.py"),
        ],
        name="worker", gil=True,
    )  # fmt: skip
    w.thread([], name="empty", gil=False, note="frames unreadable")
    path = tmp_path_factory.mktemp("plain") / "d.pydump"
    w.write(path)
    return path


@pytest.fixture(scope="module")
def raised(tmp_path_factory):
    """A main thread at rest, and a worker that handles an exception."""
    w = Writer()
    w.source("/srv/app.py", SOURCE)
    gd = {"__name__": "app"}
    g = w.add(gd)
    frames = {}
    for name, line in (("run", 4), ("outer", 8), ("inner", 8)):
        code = code_node(w, name, ["n"], argcount=1)
        frames[name] = w.node(
            "frame", [0, code, g, 0, 0, 0, 0, 0, w.add(line)],
            struct.pack("<8i", 3, 10, line, line, -1, -1, 1, 0),
        )  # fmt: skip
    tb = w.node("traceback", [0, frames["inner"]], struct.pack("<ii", 10, 8))
    tb = w.node("traceback", [tb, frames["outer"]], struct.pack("<ii", 2, 4))
    cause_tb = w.node("traceback", [0, frames["inner"]], struct.pack("<ii", 10, 7))
    cause = w.node("exception", {"args": w.add(("k",)), "traceback": cause_tb}, b"\0",
                   type=w.add(KeyError))  # fmt: skip
    exc = w.node("exception", {"args": w.add(("boom", 1)), "traceback": tb, "cause": cause},
                 b"\1", type=w.type_node("AppError", bases=[w.add(ValueError)]))  # fmt: skip
    w.thread([w.frame("wait", line=8, globals=gd)], name="MainThread")
    w.thread(
        [
            w.frame("recover", line=7, globals=gd, variables={"r": 1}),
            w.frame("outer", line=8, globals=gd, frame=frames["outer"], variables={"n": 8}),
            w.frame("run", line=4, globals=gd, frame=frames["run"], variables={"n": 4}),
        ],
        name="worker", gil=False,
        exceptions=[{"role": "handled", "value": exc, "type": 0, "traceback": tb}],
    )  # fmt: skip
    path = tmp_path_factory.mktemp("raised") / "d.pydump"
    w.write(path)
    return path


def test_opens_on_who_holds_the_gil(plain):
    out = commands(plain, "where")
    assert out.startswith("program  python3 app.py\nprocess  pid 4242, user root, on box (x86_64)")
    assert "python   cpython 3.11.7" in out and "stood still for 1.5 ms" in out
    assert out.endswith(
        "  /srv/gone.py(5)<module>()\n"
        "  /srv/app.py(4)outer()\n-> café = 'é'; inner(a + b)\n"
        "> /srv/app.py(8)inner()\n-> time.sleep(n)\n"
    )


def test_reading_commands(plain):
    out = commands(plain, "p n", "p LIMIT, len(lst)", "[x for x in lst if x == n - 2]",
                   "whatis lst", "up", "args", "p b", "down", "list", "ll", "!n = 50; n",
                   "display n", "pp order", "whatis order", "p order", "interact")  # fmt: skip
    tail = out.partition("-> time.sleep(n)\n")[2]
    assert tail.startswith("3\n(5, 2)\n[1]\n<class 'list'>\n> /srv/app.py(4)outer()")
    assert "a = 1\nb = *** not set ***\nk = 9\nrest = (1, 2)\nkw = {'z': 1}\n" in tail
    assert "*** NameError: name 'b' is not defined" in tail
    assert "  8  ->\t    time.sleep(n)\n[EOF]\n" in tail
    assert "\n50\ndisplay n: 50\n" in tail
    assert "<app.Order object at 0x" in tail and "\n  id = 7\n  items = ['x']\n" in tail
    assert "<class 'app.Order'>" in tail


def test_where_with_a_count(plain):
    one = "> /srv/app.py(8)inner()\n-> time.sleep(n)\n"
    assert commands(plain, "w 1").endswith("\n" + one + one)
    assert commands(plain, "w -1").endswith(one + "  /srv/gone.py(5)<module>()\n")
    assert commands(plain, "w 0").endswith(one + one)
    assert "is no count" in commands(plain, "w x")


REFUSED = ("step", "next", "n", "s", "until", "return", "r", "continue", "c", "cont", "jump 3",
           "run", "restart", "break 3", "b", "tbreak 3", "commands", "condition 1", "ignore 1",
           "clear", "cl", "debug f()", "retval", "enable", "disable")  # fmt: skip


def test_nothing_runs(plain):
    out = commands(plain, *REFUSED)
    assert out.count("*** this is a dump; nothing runs") == len(REFUSED)
    assert "(n); for the variable: p n\n" in out
    assert "for the variable: p s\n" in out
    assert "nothing runs" in commands(plain, "help next")


def test_threads(plain):
    out = commands(plain, "threads", "thread 0", "thread worker", "thread 1000", "thread 5001",
                   "thread nobody", "thread empty")  # fmt: skip
    assert "    0  MainThread, tid 5000, idle at /srv/app.py:8\n" in out
    assert "->  1  worker, tid 5001, holds the GIL, inner at /srv/app.py:8, 3 frames\n" in out
    assert "    2  empty, tid 5002, no frames, frames unreadable\n" in out
    tail = out.partition("frames unreadable\n")[2]
    assert [line for line in tail.splitlines() if line[0] in ">*"] == [
        "> /srv/app.py(8)idle()", "> /srv/app.py(8)inner()", "> /srv/app.py(8)idle()",
        "> /srv/app.py(8)inner()", "*** no thread 'nobody'; 'threads' lists them",
        "*** thread 2 has no frames here",
    ]  # fmt: skip


def test_thread_option(plain):
    assert "> /srv/app.py(8)idle()" in run(plain, "--thread", "MainThread", "-c", "q").stdout
    got = run(plain, "--thread", "77")
    assert got.returncode == 1 and got.stderr == "pydumpd: no thread '77' in %s\n" % plain


def test_source_comes_from_the_dump_alone(plain, tmp_path):
    srv = tmp_path / "srv"
    srv.mkdir()
    (srv / "app.py").write_text("WRONG = 1\n" * 20)
    out = commands(plain, "up 2", "list", "ll", cwd=srv)
    assert out.count("*** the dump has no source of /srv/gone.py") == 2
    assert "WRONG" not in out


def test_big_containers(plain):
    out = commands(plain, "p len(big), big[39999]", "p big", "real big", "p type(big) is list",
                   "real nothing")  # fmt: skip
    assert "(40000, 39999)\n[0, 1, 2, " in out and "... 39900 more]\n" in out
    assert "big is a real list of 40000 now\nTrue\n" in out
    assert "no local variable 'nothing'" in out


def test_stack_addr_object(plain):
    out = commands(plain, "stack", "addr lst", "up", "stack", "header")
    assert "  0  'below'\n  1  1.5\n" in out
    assert "the evaluation stack of this frame is not known" in out
    assert out.count("program  python3 app.py") == 2
    addr = out.partition("1.5\n")[2].split(":")[0]
    assert "\n[1, [2, 'three']]\n" in commands(plain, "object " + addr)
    incomplete = ("addr", "whatis", "source", "p", "pp")
    out = commands(plain, "object lst", "object 0x123", "real", *incomplete)
    assert "object needs an address" in out and "0x123 is no address of an object" in out
    for command in incomplete:
        assert f"*** {command} needs an expression\n" in out
    assert "real needs a name" in out


def test_opens_on_the_exception(raised):
    out = commands(raised, "where", "p n", "exceptions", "exceptions 1", "w", "thread", "w",
                   "exceptions 0", "exceptions 7", "threads")  # fmt: skip
    head, _, tail = out.partition("handled in thread 1 (worker)")
    assert tail.startswith("; 'thread 1' shows where the thread is\nAppError: ('boom', 1)\n") or (
        tail.startswith("; 'thread 1' shows where the thread is\napp.AppError: ('boom', 1)\n")
    )
    stack = (
        "  /srv/app.py(4)run()\n-> café = 'é'; inner(a + b)\n"
        "  /srv/app.py(4)outer()\n-> café = 'é'; inner(a + b)\n"
        "> /srv/app.py(8)inner()\n-> time.sleep(n)\n"
    )
    assert stack + "8\n" in tail
    assert ">  0  app.AppError: ('boom', 1) (handled in thread 1, worker)\n" in tail
    assert "   1  KeyError: 'k' (led to the one above)\n" in tail
    assert "> /srv/app.py(7)inner()\n-> total = n\n" in tail
    assert "> /srv/app.py(7)recover()\n" in tail
    assert "  /srv/app.py(8)outer()\n-> time.sleep(n)\n> /srv/app.py(7)recover()" in tail
    assert "no exception '7'" in tail


def test_convenience_variable(raised):
    if sys.version_info < (3, 12):
        pytest.skip("this pdb has no convenience variables")
    assert "AppError('boom', 1)\n" in commands(raised, "p $_exception")


def test_prompt_from_a_pipe(plain):
    got = run(plain, stdin="p n\nup\n\nq\n")
    assert got.returncode == 0 and got.stderr == ""
    assert "(pydumpd) 3\n(pydumpd) > /srv/app.py(4)outer()" in got.stdout
    got = run(plain, stdin="")  # the end of input
    assert got.returncode == 0 and got.stderr == ""


def test_errors_at_the_prompt_do_not_end_it(plain):
    out = commands(plain, "p 1/0", "p (", "order()", "order.x", "raise SystemError", "p", "pp",
                   "source 5", "source order", "l 1 2 3", "alias x p n", "x", "p n; p n",
                   "a = b =", "import os.nothing", "p n")  # fmt: skip
    assert out.count("***") >= 8 and out.endswith("3\n")


def test_batch_shows_everything(plain, raised):
    got = run(plain, "--batch")
    assert got.returncode == 0
    assert "> /srv/app.py(8)idle()" in got.stdout and "> /srv/app.py(8)inner()" in got.stdout
    assert "AppError" in run(raised, "--batch").stdout


def test_pdbrc_is_read_only_when_asked(plain, tmp_path):
    (tmp_path / ".pdbrc").write_text("p 'from the rc file'\n")
    for kw in ({"cwd": tmp_path}, {"env": {"HOME": str(tmp_path)}}):
        assert "rc file" not in commands(plain, "p n", **kw)
    got = run(plain, "--pdbrc", stdin="p n\n", env={"HOME": str(tmp_path)})
    assert "from the rc file" in got.stdout


def test_bad_files(tmp_path):
    for content in (None, b"", b"\0" * 64, b"text\n"):
        path = tmp_path / "f"
        if content is not None:
            path.write_bytes(content)
        got = run(path)
        assert got.returncode == 1 and got.stdout == ""
        assert got.stderr.startswith("pydumpd: ") and got.stderr.count("\n") == 1
    assert run().returncode == 2


def test_a_damaged_dump_says_so(plain, tmp_path):
    path = tmp_path / "cut"
    raw = plain.read_bytes()
    path.write_bytes(raw[: len(raw) - 300])
    assert "DAMAGED  the file is cut short; what is here is shown" in commands(path, "p n")


def test_limits_are_said(tmp_path):
    w = Writer()
    w.end["cut"] = {"max_objects": 12}
    w.header["capture"] = {"mode": "live", "torn": True}
    w.thread([w.frame("f")])
    out = commands(w.write(tmp_path / "d"), "q")
    assert "max_objects (12 references not followed)" in out and "RAN MEANWHILE" in out


def test_no_threads(tmp_path):
    got = run(Writer().write(tmp_path / "d"))
    assert got.returncode == 0 and "no thread has frames here" in got.stdout


def test_deep_stack_is_made_when_it_is_looked_at(tmp_path):
    w = Writer()
    g = {"__name__": "app", "word": "w"}
    w.source("/srv/app.py", SOURCE)
    frames = [
        w.frame("inner", line=8, firstlineno=6, globals=g, variables={"n": i}) for i in range(999)
    ]
    w.thread([*frames, w.frame("<module>", line=5, globals=g, locals=id(g), flags=0)])
    path = tmp_path / "deep.pydump"
    w.write(path)
    out = commands(
        path, "p n", "n2 = n + 1", "word = 'changed'", "up", "p n", "down", "p n2", "where 3",
        "up 499", "p n, word", "up 999", "p word, __name__", "down 998", "down", "p n", "where",
    )  # fmt: skip
    values = [line for line in out.splitlines() if line and line[0] in "0123456789('*"]
    # What is assigned in a frame is there until pdb leaves that, up to 3.12.
    kept = "1" if sys.version_info >= (3, 13) else values[2]
    assert values == ["0", "1", kept, "(499, 'w')", "('w', 'app')", "0"]
    assert "Error" in values[2] or kept == "1"
    assert out.count("/srv/app.py(8)inner()") >= 999
    assert "Oldest frame" not in out and "Newest frame" not in out
    only = commands(path, "up 200", "down 200", "p n", "up 199", "up", "p n", "threads")
    assert "0\n" in only and "\n200\n" in only and "1000 frames" in only
    kept = commands(path, "n3 = 5", "display n", "up 2000", "p word", "display")
    assert "display n: 0" in kept and "'w'" in kept


def test_deep_traceback_is_made_when_it_is_looked_at(tmp_path):
    w = Writer()
    w.source("/srv/app.py", SOURCE)
    g, tb = w.add({"__name__": "app", "word": "w"}), 0
    code = code_node(w, "inner", ["n"], argcount=1)
    for i in range(1500):  # 0 is the newest
        frame = w.node(
            "frame", [0, code, g, 0, 0, 0, 0, 0, w.add(i)],
            struct.pack("<8i", 3, 10, 8, 8, -1, -1, 1, 0),
        )  # fmt: skip
        tb = w.node("traceback", [tb, frame], struct.pack("<ii", 10, 8))
    error = w.node("exception", {"args": w.add(("deep",)), "traceback": tb}, b"\0",
                   type=w.add(RecursionError))  # fmt: skip
    raised = {"role": "raised", "value": error, "type": 0, "traceback": tb}
    w.thread([w.frame("f", globals={"__name__": "app"})], exceptions=[raised])
    path = tmp_path / "deep.pydump"
    w.write(path)
    with pydumpd.open(str(path)) as dump:
        views = Views(dump)
        part = views.first()
        assert part.partial and len(part.stack) == 200
        again = views.of_exception(part.thread, part.exception, whole=False)
        assert [f for f, _ in again.stack] == [f for f, _ in part.stack]
        whole = views.of_exception(part.thread, part.exception)
        assert len(whole.stack) == 1500 and not whole.partial
        assert [f.f_locals["n"] for f, _ in whole.stack] == list(range(1499, -1, -1))
        assert whole.traceback is part.exception.value.__traceback__
    out = commands(
        path, "p n", "up", "p n", "n2 = n + 1", "up 499", "p n, word", "down 500", "p n",
        "up 9999", "p n, $_exception.args", "exceptions", "exceptions 0", "p n", "where",
    )  # fmt: skip
    values = [line for line in out.splitlines() if line and line[0] in "0123456789('"]
    assert values == ["0", "1", "(500, 'w')", "0", "(1499, ('deep',))", "0"]
    assert out.count("/srv/app.py(8)inner()") >= 1500 and "Error: " in out


@pytest.mark.parametrize("core", [False, True])
def test_source_that_was_changed_later(tmp_path, core):
    start = 1767225600  # 2026-01-01T00:00:00Z; a core's dump is of a second later
    w = Writer()
    g = {"__name__": "app"}
    mtimes = {"/srv/old.py": start, "/srv/new.py": start + 60, "/srv/none.py": None}
    for file, mtime in mtimes.items():
        w.source(file, "a = 1\nb = 2\n", mtime=mtime)
    w.thread([w.frame("f", line=2, file=file, globals=g) for file in mtimes])
    if core:
        w.header["process"] = {"pid": 4242, "argv": ["app.py"], "start_time": None}
    out = commands(w.write(tmp_path / "d"), "up", "list", "ll", "up", "list", "where")
    what = "had ended" if core else "started"
    note = "[/srv/new.py was changed at 2026-01-01T00:01:00Z, after the program %s: lines" % what
    assert out.count(" was changed at ") == 1 == out.count(note)
    assert out.index("> /srv/new.py(2)f()\n-> b = 2\n[/srv/new.py") < out.index("  1  \ta = 1\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_output_that_cannot_be_written(plain):
    environ = dict(os.environ, PYTHONPATH=os.path.abspath(LOADER))
    with open("/dev/full", "w") as full:
        for args in (["-c", "p n"], ["--batch"]):
            got = subprocess.run(
                [sys.executable, "-m", "pydumpd", str(plain), *args], stdin=subprocess.DEVNULL,
                stdout=full, stderr=subprocess.PIPE, encoding="utf-8", env=environ, timeout=120,
            )  # fmt: skip
            assert got.returncode == 1
            assert got.stderr == "pydumpd: cannot write: No space left on device\n"


def test_limits_that_are_not_set_are_not_shown(tmp_path):
    w = Writer()
    w.header["limits"] = {"max_blob": 16 << 20, "max_items": 7, "include": [],
                          "exclude": ["a.B", "c"], "globals": True}  # fmt: skip
    w.thread([w.frame("f")])
    out = commands(w.write(tmp_path / "d"), "header")
    assert "limits   max_items 7, exclude a.B, c\n" in out
