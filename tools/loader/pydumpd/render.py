# SPDX-License-Identifier: Apache-2.0
"""Text of values: bounded, without recursion, and nothing of the program runs."""

import pprint
from typing import Any, Dict, Iterator, List, NamedTuple, Set, Tuple, Union

from . import standins
from .marks import NotDumpedError, printable

#: Characters of one rendered value.
LIMIT = 100000
_DEPTH = 200
_ITEMS = 10000
#: Values after which no more items are shown of what is decoded only now.
_STANDIN_VALUES = 100

_BRACKETS = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    dict: ("{", "}"),
}
_REPRS = {base: base.__repr__ for base in _BRACKETS}


class Shown(NamedTuple):
    """A repr in parts: `before`, the parts with commas, `after`.

    A part is (label, value): the label is text that stands before the value
    ("name="), or with `pairs` a key of any type. `note` says what is missing.
    """

    before: str
    parts: Iterator[Any]
    after: str
    count: int = 0
    pairs: bool = False
    note: str = ""
    again: str = "..."  #: where it stands within itself


def atom(value: Any, limit: int = LIMIT) -> str:
    """repr() of something that is no container; never raises."""
    try:
        if type(value) is int and value.bit_length() > 8000:
            return _long(value)
        cls = type(value)
        show = _bytearray if cls is bytearray else repr
        if cls in (str, bytes, bytearray) and len(value) > limit:
            return "%s... <%d of %d shown>" % (show(value[:limit]), limit, len(value))
        return show(value)
    except RecursionError:
        return "<%s: nested too deep to print>" % _type_name(value)
    except Exception as e:
        return "<%s: repr failed: %s>" % (_type_name(value), type(e).__name__)


#: The graphs whose objects are printed at a prompt.
served: List[Any] = []


def graph_of(value: Any) -> Any:
    """Which of them a real object is from, or None."""
    return next((graph for graph in served if graph.address(value)), None)


def _bytearray(value: bytearray) -> str:
    """As the program's Python has it: until 3.14 single quotes have a backslash
    between double ones too."""
    shown_ = repr(bytes(value))
    if shown_[1] == '"' and any(g.python < (3, 15) for g in served):
        shown_ = shown_.replace("'", "\\'")
    return "bytearray(%s)" % shown_


def _type_name(value: Any) -> str:
    return printable(type.__getattribute__(type(value), "__name__"))


def _long(value: int) -> str:
    try:
        return repr(value)
    except ValueError:  # more digits than this Python converts
        return hex(value)


def shape_of(value: Any) -> Any:
    """The builtin container that a value prints as, or None."""
    from .meta import SurrogateMeta

    if isinstance(value, standins.StandIn):
        return standins.ref_of(value).rec.kind.name, True
    for base in type.__getattribute__(type(value), "__mro__"):
        if base in _BRACKETS:
            if base is not type(value) and not isinstance(type(value), SurrogateMeta):
                if type(value).__repr__ is not base.__repr__:
                    return None  # made at the prompt: it has a repr of its own
            return base.__name__, False
    return None


_BASES: Dict[str, type] = {base.__name__: base for base in _BRACKETS}


def shown(value: Any) -> Union[None, str, Shown]:
    """How a surrogate of a standard type prints; None for what has no such
    way. Never raises."""
    if type(value) is Shown:
        return value
    from .surrogates import shown_of

    try:
        out = shown_of(value)
        return _lines(out) if isinstance(out, str) else out
    except Exception as e:
        return "<%s: repr failed: %s>" % (_type_name(value), type(e).__name__)


def _lines(shown_: str) -> str:
    """The same without control characters, which names and messages may have."""
    if len(shown_) > LIMIT:
        shown_ = shown_[:LIMIT] + "..."
    return "\n".join(printable(line, LIMIT + 3) for line in shown_.split("\n"))


def _open(value: Any, kind: str, standin: bool) -> Tuple[Iterator[Any], int, str]:
    """Items, how many there are, and what is to be said at the end."""
    if standin:
        count = standins.ref_of(value).rec.rest()
        n = len(count) // 2 if kind == "dict" else len(count)
        return value._parts(), n, value._note()
    base = _BASES[kind]
    if kind == "dict":
        return iter(dict.items(value)), dict.__len__(value), ""
    return base.__iter__(value), base.__len__(value), ""  # type: ignore


def _prefix(value: Any) -> Tuple[str, str]:
    """What stands before and after the literal of a program's subclass."""
    from .refs import find_ref
    from .surrogates import repr_frame

    ref = find_ref(value)
    if ref is None:
        return "", ""
    frame = repr_frame(ref)
    if frame[0] or not isinstance(value, standins.Mapping):
        return frame
    # Those of the standard library print their names, whole or not.
    name = _type_name_of(value.__class__)
    return (name + "(", ")") if name in _NAMED else frame


_NAMED = {"Counter", "OrderedDict", "defaultdict"}


def _type_name_of(cls: type) -> str:
    return printable(str(type.__getattribute__(cls, "__name__")))


def _set_name(value: Any, kind: str) -> str:
    """What the repr of a set begins with: the name of its class."""
    name = value.__class__.__name__
    return printable(name) if isinstance(name, str) else kind


# How many text() are at work inside one another: by way of the reprs of
# exceptions, keys and the like.
_nested = 0
# Values printed by inner ones: each may hold all others again, and what is
# bounded on every level is not so as a whole. Every value of the outermost has
# some to spend.
_work = 0
_WORK_MAX = 1000
_WORK_EACH = 20


def text(value: Any, limit: int = LIMIT, items: int = _ITEMS) -> str:
    """The repr of a value, at most about `limit` characters of it."""
    global _nested, _work
    _work = 0 if not _nested else _work
    if _nested >= 8 or _work >= _WORK_MAX:
        return "<%s: nested too deep to print>" % _type_name(value)
    _nested += 1
    try:
        return _text(value, limit, items)
    finally:
        _nested -= 1


def _text(value: Any, limit: int, items: int) -> str:
    out: List[str] = []
    size = 0
    values = 0
    # A stack of open containers: [iterator, kind, index, count, note, tail, id,
    # whether it is a stand-in]
    stack: List[List[Any]] = []
    active: Set[int] = set()
    pending: List[Any] = [value]

    def emit(s: str) -> None:
        nonlocal size
        out.append(s)
        size += len(s)

    def begin(v: Any) -> None:
        """Writes a value, or opens it as a container."""
        global _work
        nonlocal values
        values += 1
        _work = _work + 1 if _nested > 1 else max(_work - _WORK_EACH, 0)
        if _work > _WORK_MAX:
            emit("...")
            return
        own = shown(v)
        if type(own) is str:
            emit(own if len(own) <= limit else own[:limit] + "...")
            return
        if own is not None:
            if id(v) in active:
                emit(own.again)
            elif len(stack) >= _DEPTH:
                emit("%s... nested too deep to print%s" % (own.before, own.after))
            else:
                emit(own.before)
                active.add(id(v))
                kind = "dict" if own.pairs else "parts"
                stack.append([own.parts, kind, 0, own.count, own.note, own.after, v, False])
            return
        shape = shape_of(v)
        if shape is None:
            emit(atom(v, max(limit - size, 40)))
            return
        kind, standin = shape
        if id(v) in active:
            emit({"list": "[...]", "dict": "{...}", "tuple": "(...)"}.get(kind, "{...}"))
            return
        it, n, note = _open(v, kind, standin)
        if len(stack) >= _DEPTH:
            emit("<%s of %d, nested too deep to print>" % (kind, n))
            return
        before, after = _prefix(v)
        left, right = _BRACKETS[_BASES[kind]]
        if kind in ("set", "frozenset"):
            name = _set_name(v, kind)
            if n == 0 and not note:
                emit(before + name + "()" + after)
                return
            if name != "set":
                left, right = name + "({", "})"
        if kind == "tuple" and n == 1:
            right = ",)"
        emit(before + left)
        active.add(id(v))
        stack.append([it, kind, 0, n, note, right + after, v, standin])

    begin(pending.pop())
    while stack:
        top = stack[-1]
        it, kind, index, count = top[:4]
        if size > limit or index >= items or (top[7] and values > _STANDIN_VALUES):
            if index < count:
                emit((", " if index else "") + "... %d more" % (count - index))
            item: Any = StopIteration
        else:
            try:
                item = next(it, StopIteration)
            except NotDumpedError:
                item = StopIteration
            except Exception as e:
                emit("<repr failed: %s>" % type(e).__name__)
                item = StopIteration
        if item is StopIteration:
            if top[4]:
                emit((", " if index else "") + "... <%s>" % top[4])
            emit(top[5])
            active.discard(id(top[6]))
            stack.pop()
            continue
        if index:
            emit(", ")
        top[2] = index + 1
        if kind == "parts":
            label, item = item
            emit(label)
        elif kind == "dict":
            key, item = item
            emit(text(key, 2000, 100))
            emit(": ")
        begin(item)
    return "".join(out)


class _Verbatim:
    """Prints as the text given."""

    __slots__ = ("text",)

    def __init__(self, shown: str) -> None:
        self.text = shown

    def __repr__(self) -> str:
        return self.text


def _plain(value: Any, depth: int, items: int) -> Any:
    """A bounded copy in real builtins for pprint."""
    if shown(value) is not None:
        return _Verbatim(text(value, 20000, items))
    shape = shape_of(value)
    if shape is None:
        if type(value) in (str, bytes) and len(value) < LIMIT:
            return value  # pprint breaks long ones into lines
        if type(value) in (int, float, bool) and abs(value) < 1 << 64:
            return value  # and sorts sets of these
        return _Verbatim(atom(value))
    kind, standin = shape
    it, n, note = _open(value, kind, standin)
    before, _ = _prefix(value)
    if depth <= 0 or n > items or note or before:
        return _Verbatim(text(value, 20000, items))
    if kind == "dict":
        return {_hashable(_plain(k, depth - 1, items)): _plain(v, depth - 1, items) for k, v in it}
    parts = [_plain(v, depth - 1, items) for v in it]
    if kind in ("set", "frozenset"):
        return _BASES[kind](map(_hashable, parts))
    return _BASES[kind](parts)


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return _Verbatim(text(value, 2000))
    return value


def pretty(value: Any, width: int = 80) -> str:
    """Several lines for people; instances with a preview of their attributes."""
    from .refs import find_ref

    out = pprint.pformat(_plain(value, 6, 2000), width=width, sort_dicts=False)
    ref = find_ref(value)
    kind = ref.rec.kind.name if ref is not None and not isinstance(value, type) else ""
    if ref is not None and kind in ("record", "mapping"):
        for name in list(ref.fields)[:200]:
            out += "\n  %s = %s" % (printable(name), text(ref.fields[name], 2000, 50))
    if ref is not None and kind in ("object", "exception", "record", "mapping"):
        attrs = {k: v for k, v in ref.attributes().items() if k != "__dict__"}
        for name in list(attrs)[:200]:
            shown = text(ref.graph.get(attrs[name]), 2000, 50)
            out += "\n  %s = %s" % (printable(name), shown)
        if len(attrs) > 200:
            out += "\n  ... %d more attributes" % (len(attrs) - 200)
    return out
