# SPDX-License-Identifier: Apache-2.0
"""Lines for people on a dump, its threads and exceptions."""

from typing import Any, Dict, List

from .dump import Dump, Thread
from .marks import printable
from .render import text

_LOST = "references not followed"
#: What limits that do not leave out references do to how many objects.
_CUTS = {
    "max_string": "values cut",
    "max_items": "values cut",
    "max_blob": "values cut",
    "exclude": "values left out",
    "include": "values left out",
}


#: A limit that is set unless one asks for another.
_USUAL = ("max_blob", 16 << 20)


def thread_name(thread: Thread) -> str:
    """A thread's name for people."""
    return printable(thread.name or thread.os_name or "ident %s" % thread.ident)


def thread_line(thread: Thread) -> str:
    """One line on a thread."""
    bits = ["%d" % thread.index, thread_name(thread)]
    if thread.native_id is not None:
        bits.append("tid %d" % thread.native_id)
    if thread.interpreter:
        bits.append("interpreter %s" % thread.interpreter)
    if thread.gil:
        bits.append("holds the GIL")
    for e in thread.exceptions:
        bits.append("%s %s" % (e.role, summary(e.value)))
    newest = thread.newest(1)
    if newest:
        top = newest[0]
        where = printable(top.qualname or top.name)
        bits.append("%s at %s:%s" % (where, printable(top.file), top.line))
        if thread.depth > 1:
            bits.append("%d frames" % thread.depth)
    else:
        bits.append("no frames")
    if thread.wait is not None and thread.wait.text:
        bits.append(printable(thread.wait.text, 500))
    if thread.note:
        bits.append(printable(thread.note))
    return ", ".join(bits[1:]) if not bits[0] else "%3s  %s" % (bits[0], ", ".join(bits[1:]))


def wait_lines(dump: Dump) -> List[str]:
    """What the threads wait for, for people."""
    out = []
    for wait in dump.waits.threads:
        if wait.thread is not None and wait.thread < len(dump.threads):
            who = "%3d  %s" % (wait.thread, thread_name(dump.threads[wait.thread]))
        else:
            who = "  -  %s, native thread %s" % (wait.os_name, wait.native_id)
        out.append(who + ": " + (wait.text or ("runs" if wait.syscall is None else "")))
        if wait.syscall is not None:
            line = "in " + wait.syscall.text
            if wait.text:
                out.append("       " + line)
            else:
                out[-1] += line
            if wait.syscall.peers:
                out.append("       for " + wait.syscall.peers)
            for fd, target in wait.syscall.fds.items():
                out.append("       file %d: %s" % (fd, target or "not known"))
        for number in wait.holds:
            if number < len(dump.waits.locks):
                out.append("       holds %s" % dump.waits.locks[number].text)
    out += ["DEADLOCK: %s" % d.text for d in dump.waits.deadlocks]
    out += dump.waits.notes
    return [printable(line, 2000) for line in out]


def summary(value: Any) -> str:
    """ValueError: text, for an exception."""
    if not isinstance(value, BaseException):
        return text(value, 200) if value is not None else "an exception that was not dumped"
    cls = value.__class__
    name = cls.__qualname__
    if cls.__module__ not in ("builtins", "__main__"):
        name = "%s.%s" % (cls.__module__, name)
    try:
        shown = str(value)
    except Exception:
        shown = text(getattr(value, "args", ()), 200)
    return printable("%s: %s" % (name, shown) if shown else name, 500)


_WHY = {
    "shared": "shared memory that others may change",
    "dontfork": "a fork does not get it (MADV_DONTFORK)",
    "wipeonfork": "a fork gets zeros for it (MADV_WIPEONFORK)",
    "device": "memory of a device",
}


def _not_captured(capture: Dict[str, Any]) -> List[str]:
    """Ranges of memory that the capture lacks, and why; at most 8."""
    found = capture.get("not_captured")
    out = []
    for item in found if isinstance(found, list) else ():
        start, end = (item.get("start"), item.get("end")) if isinstance(item, dict) else (0, 0)
        if not isinstance(start, int) or not isinstance(end, int) or end <= start:
            continue
        if len(out) == 8:
            out.append("and more that was not captured")
            break
        path = _str(item["path"]) + ", " if item.get("path") else ""
        why = item.get("why")
        why = _WHY.get(why, "not readable") if isinstance(why, str) else "not readable"
        out.append("not captured: 0x%x, %d kB, %s%s" % (start, (end - start) // 1024, path, why))
    return out


def header_lines(dump: Dump) -> List[str]:
    """What the dump is of, for people."""
    h = dump.header

    def part(name: str) -> Dict[str, Any]:
        found = h.get(name)
        return found if isinstance(found, dict) else {}

    process, python, host = part("process"), part("python"), part("host")
    capture, limits = part("capture"), part("limits")
    argv = process.get("argv")
    words = [_str(a) for a in argv] if isinstance(argv, list) else []
    out = ["program  %s" % (" ".join(words) or _str(process.get("exe")))]
    where = "process  pid %s" % process.get("pid")
    if process.get("user"):
        where += ", user %s" % _str(process["user"])
    where += ", on %s (%s)" % (
        _str(host.get("hostname") or "an unknown host"),
        _str(host.get("arch")),
    )
    out.append(where)
    out.append("time     %s" % _str(h.get("time")))
    build = [w for w in ("debug", "free_threaded") if python.get(w)]
    what = "python   %s %s" % (_str(python.get("implementation")), _str(python.get("version")))
    out.append(what + (" (%s)" % ", ".join(build) if build else ""))
    threads = dump.threads
    line = "threads  %d" % len(threads)
    objects = dump.end.get("objects")
    if isinstance(objects, int):
        line += ", %s objects" % format(objects, ",")
    out.append(line)
    line = "capture  %s" % _str(capture.get("mode"))
    pause = dump.end.get("pause_ns")
    if isinstance(pause, int):
        line += ", the program stood still for %.1f ms" % (pause / 1e6)
    if capture.get("torn"):
        line += "; it RAN MEANWHILE: values may not belong together"
    if capture.get("damaged"):
        line += "; DAMAGED (%s): any value may be wrong" % _str(capture["damaged"])
    out.append(line)
    out += ["         " + line for line in _not_captured(capture)]
    if h.get("description"):
        out.append("note     %s" % _str(h["description"]))
    trigger = part("trigger")
    if trigger.get("kind") not in (None, "attach"):
        out.append("trigger  %s" % trigger_text(trigger))
    cut = dump.end.get("cut")
    if isinstance(cut, dict) and cut:
        names = ["%s (%s %s)" % (_str(k), v, _CUTS.get(k, _LOST)) for k, v in cut.items()]
        out.append("limits   %s" % "; ".join(names))
    set_ = [
        "%s %s" % (k, ", ".join(map(_str, v)) if isinstance(v, list) else v)
        for k, v in limits.items()
        if v is not None and v != [] and type(v) is not bool and (k, v) != _USUAL
    ]
    if set_ and not cut:
        out.append("limits   %s" % ", ".join(map(str, set_)))
    if limits.get("globals") is False:
        out.append("limits   globals were left out")
    if dump.end.get("timeout"):
        out.append("limits   the time for the dump ran out")
    out += ["DEADLOCK %s" % d.text for d in dump.waits.deadlocks]
    out += ["waits    %s" % note for note in dump.waits.notes]
    if not dump.complete:
        why = dump.file.damage or "no end was written"
        out.append("DAMAGED  %s; what is here is shown" % why)
    return [printable(line, 2000) for line in out]


def trigger_text(trigger: Dict[str, Any]) -> str:
    """Why a dump was taken: "signal: SIGSEGV (SEGV_MAPERR) at 0x8 in thread 42"."""
    text = _str(trigger.get("kind"))
    if trigger.get("signal") or trigger.get("signo"):
        text += ": %s" % _str(trigger.get("signal") or trigger.get("signo"))
        if trigger.get("code"):
            text += " (%s)" % _str(trigger["code"])
    elif trigger.get("type"):
        text += ": %s" % _str(trigger["type"])
    elif isinstance(trigger.get("status"), int):
        text += ": status %d" % trigger["status"]
    if isinstance(trigger.get("address"), int):
        text += " at 0x%x" % trigger["address"]
    if isinstance(trigger.get("thread"), int):
        text += " in thread %d" % trigger["thread"]
    if trigger.get("core"):
        text += ", of %s" % _str(trigger["core"])
    return text


def _str(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return "?" if value is None else str(value)
