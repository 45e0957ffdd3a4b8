# SPDX-License-Identifier: Apache-2.0
"""Real frames in real tracebacks, so that debuggers need no patches.

For each dumped frame a function is compiled here whose body assigns the
locals from a constant and calls the next frame's function, another constant.
The call stands at the dumped line and columns. Nothing of the program is
compiled or run: its names and values only fill slots of our own code objects.

The outermost function is called from C in a thread of its own, so that no
frame of the loader stands below the program's, and deep stacks have room.
"""

import _thread
import ast
import itertools
import operator
import sys
import types
import warnings
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from . import sources
from .executions import FrameData
from .marks import Placeholder
from .namespace import Namespace
from .scope import BUILTINS  # noqa: F401  (fills them)

if TYPE_CHECKING:
    from .dump import Dump, Frame
    from .objects import Graph

#: Real frames of one stack; of a longer one the newest are made.
FRAMES_MAX = 50000
#: Objects decoded eagerly for the frames of one stack, the shown end first.
_EAGER = 2000
_PER_FRAME = 1000
_FAR = 20
_LINE_MAX = 1 << 30
_COL_MAX = 1 << 20
_VALUES, _NEXT = "\0values", "\0next"
_VARARGS, _VARKEYWORDS = 4, 8
_NEW = sys.version_info >= (3, 11)


class Position(NamedTuple):
    """Where a frame is: a line, and columns when they are known."""

    line: int
    end_line: int
    col: Optional[int]
    end_col: Optional[int]


class Spec(NamedTuple):
    """What a real frame is made from."""

    name: str
    qualname: str
    file: str
    firstlineno: int
    position: Position
    args: Tuple[str, ...]
    posonly: int
    kwonly: int
    flags: int
    values: Dict[str, Any]
    globals: Dict[str, Any]
    #: The mapping of a module or class body; None for a function.
    mapping: Optional[Any]


def position(
    line: Optional[int],
    end_line: Optional[int],
    col: Optional[int],
    end_col: Optional[int],
    default: int,
) -> Position:
    """A position that the compiler accepts; columns only when they are whole."""
    if line is None or not 0 < line < _LINE_MAX:
        return Position(max(default, 1), max(default, 1), None, None)
    if (
        end_line is None
        or col is None
        or end_col is None
        or not line <= end_line < _LINE_MAX
        or not 0 <= col < _COL_MAX
        or not 0 <= end_col < _COL_MAX
        or (end_line == line and end_col < col)
    ):
        return Position(line, line, None, None)
    return Position(line, end_line, col, end_col)


_templates: Dict[Tuple[Any, ...], types.CodeType] = {}


def _template(spec: Spec, names: Tuple[str, ...], unset: Tuple[int, ...]) -> types.CodeType:
    """The code of a frame, but for its constants and names."""
    nargs = len(spec.args)
    key = (
        spec.position, spec.firstlineno, nargs, spec.posonly, spec.kwonly,
        spec.flags & (_VARARGS | _VARKEYWORDS), len(names), unset, spec.mapping is None,
        spec.file, spec.name, spec.qualname, names,
    )  # fmt: skip
    code = _templates.get(key)
    if code is None:
        if len(_templates) > 20000:
            _templates.clear()
        code = _templates[key] = _compile(spec, names, unset)
    return code


def _compile(spec: Spec, names: Tuple[str, ...], unset: Tuple[int, ...]) -> types.CodeType:
    first, p = spec.firstlineno, spec.position
    start: Dict[str, Any] = dict(lineno=first, end_lineno=first, col_offset=0, end_col_offset=0)
    here: Dict[str, Any] = dict(lineno=p.line, end_lineno=p.end_line, col_offset=p.col or 0)
    here["end_col_offset"] = p.end_col or 0
    slot = ["v%d" % i for i in range(len(names))]
    body: List[ast.stmt] = []
    assigned = [s for i, s in enumerate(slot) if i not in unset]
    if assigned and spec.mapping is None:
        target = ast.Tuple(
            elts=[ast.Name(id=s, ctx=ast.Store(), **start) for s in assigned],
            ctx=ast.Store(),
            **start,
        )
        value = ast.Constant(value=_VALUES, kind=None, **start)
        body.append(ast.Assign(targets=[target], value=value, type_comment=None, **start))
    for i in unset:
        gone = ast.Name(id=slot[i], ctx=ast.Del(), **start)
        body.append(ast.Delete(targets=[gone], **start))
    called = ast.Constant(value=_NEXT, kind=None, **here)
    call = ast.Call(func=called, args=[], keywords=[], **here)
    if spec.mapping is not None:
        body.append(ast.Expr(value=call, **here))
        tree: Any = ast.Module(body=body, type_ignores=[])
    else:
        body.append(ast.Return(value=call, **here))
        at = iter(slot)
        plain = len(spec.args) - spec.kwonly
        plain -= bool(spec.flags & _VARARGS) + bool(spec.flags & _VARKEYWORDS)
        posonly = min(spec.posonly, plain)

        def args(n: int) -> List[ast.arg]:
            return [
                ast.arg(arg=s, annotation=None, type_comment=None, **start)
                for s in itertools.islice(at, n)
            ]

        arguments = dict(posonlyargs=args(posonly), args=args(plain - posonly))
        arguments["kwonlyargs"] = args(spec.kwonly)
        vararg = args(1) if spec.flags & _VARARGS else []
        kwarg = args(1) if spec.flags & _VARKEYWORDS else []
        nothing: Any = ast.Constant(value=None, kind=None, **start)
        extra: Dict[str, Any] = {"type_params": []} if sys.version_info >= (3, 12) else {}
        function = ast.FunctionDef(
            name="f",
            args=ast.arguments(
                vararg=vararg[0] if vararg else None,
                kwarg=kwarg[0] if kwarg else None,
                kw_defaults=[nothing] * spec.kwonly,
                defaults=[nothing] * plain,
                **arguments,  # type: ignore
            ),
            body=body,
            decorator_list=[],
            returns=None,
            type_comment=None,
            **start,
            **extra,
        )
        tree = ast.Module(body=[function], type_ignores=[])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "'str' object is not callable"
        code = compile(tree, "<pydumpd>", "exec", dont_inherit=True, optimize=0)
    if spec.mapping is None:
        code = next(c for c in code.co_consts if isinstance(c, types.CodeType))
    changes: Dict[str, Any] = dict(co_filename=spec.file, co_name=spec.name)
    if _NEW:
        changes["co_qualname"] = spec.qualname
    if spec.mapping is None:
        changes["co_varnames"] = names
    code = code.replace(**changes)
    if p.col is None:
        code = _without_columns(code)
    return code


def _without_columns(code: types.CodeType) -> types.CodeType:
    """The same code with line numbers only, as when columns are not known."""
    if not _NEW:
        return code
    # PEP 626 location table, entry kind 13: a line delta and no columns. One
    # entry covers up to 8 code units.
    table = bytearray()
    line = code.co_firstlineno
    pending: List[List[Any]] = []
    for start, end, lineno in code.co_lines():
        pending.append([(end - start) // 2, lineno])
    for units, lineno in pending:
        while units > 0:
            n = min(units, 8)
            units -= n
            if lineno is None:
                table.append(0x80 | 15 << 3 | n - 1)
                continue
            table.append(0x80 | 13 << 3 | n - 1)
            delta = lineno - line
            line = lineno
            value = (-delta << 1) | 1 if delta < 0 else delta << 1
            while value >= 64:
                table.append(0x40 | value & 63)
                value >>= 6
            table.append(value)
    return code.replace(co_linetable=bytes(table))


def _clean(text: str, default: str) -> str:
    """A str that code objects take: no NUL where C strings are made of it."""
    return text.replace("\0", "\\x00") or default


def _function(spec: Spec, call: Callable[[], Any]) -> Callable[[], Any]:
    """A callable whose one Python frame is the one that spec describes."""
    if spec.mapping is not None:
        code = _template(spec, (), ())
        consts = tuple(call if c == _NEXT and type(c) is str else c for c in code.co_consts)
        # From C, so that there is no frame between this one and its caller.
        from functools import partial

        return partial(eval, code.replace(co_consts=consts), spec.globals, spec.mapping)
    names = tuple(dict.fromkeys((*spec.args, *spec.values)))
    unset = tuple(i for i, n in enumerate(spec.args) if n not in spec.values)
    code = _template(spec, names, unset)
    values = tuple(spec.values[n] for n in names if n in spec.values)
    consts = []
    for c in code.co_consts:
        if type(c) is str and c == _VALUES:
            consts.append(values)
        elif type(c) is str and c == _NEXT:
            consts.append(call)
        else:
            consts.append(c)
    code = code.replace(co_consts=tuple(consts))
    function = types.FunctionType(code, spec.globals)
    function.__defaults__ = (None,) * code.co_argcount
    if code.co_kwonlyargcount:
        first = code.co_argcount
        kwonly = code.co_varnames[first : first + code.co_kwonlyargcount]
        function.__kwdefaults__ = dict.fromkeys(kwonly)
    return function


def _run(call: Callable[[], Any], depth: int) -> None:
    """Calls in a fresh thread with room for depth frames, from C."""
    done = _thread.allocate_lock()
    done.acquire()
    # deque() drains the map: first the call, then the release, whatever the
    # first one did; no Python frame is below.
    again = operator.methodcaller("__call__")
    jobs = map(again, [call, done.release])
    limit = sys.getrecursionlimit()
    size = min(16 + depth // 400, 1024) << 20
    sys.setrecursionlimit(max(limit, depth * 4 + 1000))
    try:
        old = _thread.stack_size(size)
        try:
            _thread.start_new_thread(deque, (jobs, 0))
        finally:
            _thread.stack_size(old)
        done.acquire()
    finally:
        sys.setrecursionlimit(limit)


def build(specs: List[Spec]) -> List[types.FrameType]:
    """Real frames for specs, both from the outermost in."""
    caught: List[types.FrameType] = []

    def capture() -> None:
        frame = sys._getframe().f_back
        while frame is not None and len(caught) < len(specs):
            caught.append(frame)
            frame = frame.f_back

    call: Callable[[], Any] = capture
    for spec in reversed(specs):
        call = _function(spec, call)
    _run(call, len(specs))
    if len(caught) != len(specs):
        raise RuntimeError("the frames could not be made")
    caught.reverse()
    return caught


def traceback(frames: List[types.FrameType], specs: List[Spec]) -> Optional[types.TracebackType]:
    """A traceback through the frames, from the outermost in."""
    tb: Optional[types.TracebackType] = None
    for frame, spec in zip(reversed(frames), reversed(specs)):
        tb = types.TracebackType(tb, frame, _call_offset(frame.f_code), spec.position.line)
    return tb


_offsets: Dict[bytes, int] = {}


def _call_offset(code: types.CodeType) -> int:
    """The offset of the instruction that calls the next frame."""
    import dis

    found = _offsets.get(code.co_code)
    if found is None:
        found = -1
        # Without the constants: dis makes a repr of each, and they are the
        # program's values.
        bare = code.replace(co_consts=(None,) * len(code.co_consts))
        for op in dis.get_instructions(bare):
            if op.opname.startswith("CALL"):
                found = op.offset
        _offsets[code.co_code] = found
    return found


# -- from the dump

#: The globals that there are, by their addresses.
Globals = Dict[int, Namespace]


def _globals(graph: "Graph", addr: int, made: Globals) -> Namespace:
    """A dict for f_globals."""
    found = made.get(addr)
    if found is None:
        found = made[addr] = Namespace(graph, addr)
        if not graph.patient:
            found.fill()
    return found


def spec_of(frame: "Frame", budget: int, made: Globals) -> Spec:
    """What the real frame of a thread's frame is made from."""
    graph = frame._dump.graph
    values: Dict[str, Any] = {}
    mapping: Optional[Dict[str, Any]] = None
    for name, ref in frame._set_variables().items():
        values[name] = graph.get(ref, budget)
    globals_ = _globals(graph, frame.globals_address, made)
    if frame.locals_address:
        if frame.locals_address == frame.globals_address and not values:
            mapping = globals_
        else:
            # A copy: hidden variables of comprehensions lie on top of it.
            names = graph.namespace(frame.locals_address)
            mapping = {n: graph.get(r, budget) for n, r in names.items()}
            mapping.update(values)
    args = tuple(frame.args) if mapping is None else ()
    first = frame.firstlineno if frame.firstlineno and frame.firstlineno > 0 else 1
    return Spec(
        _clean(frame.name, "?"),
        _clean(frame.qualname or frame.name, "?"),
        _clean(frame.file, "?"),
        min(first, _LINE_MAX),
        position(frame.line, frame.end_line, frame.col, frame.end_col, first),
        args,
        *_arg_counts(frame._raw.get("posonly"), frame._raw.get("kwonly"), frame.flags, args),
        values,
        globals_,
        mapping,
    )


def _arg_counts(
    posonly: Any, kwonly: Any, flags: Any, args: Tuple[str, ...]
) -> Tuple[int, int, int]:
    """posonly, kwonly and flags that go together with the arguments."""
    flags = flags if type(flags) is int else 0
    n = len(args)
    kw = kwonly if type(kwonly) is int and 0 <= kwonly <= n else 0
    stars = bool(flags & _VARARGS) + bool(flags & _VARKEYWORDS)
    if kw + stars > n:
        return 0, 0, 0
    return (posonly if type(posonly) is int and posonly > 0 else 0), kw, flags


def spec_of_record(
    data: FrameData, at_tb: Tuple[int, ...], made: Globals, budget: int
) -> Spec:
    """What the real frame of a frame object is made from, where a traceback is:
    line, end line and columns."""
    graph = data.graph
    values = {}
    from .executions import CodeNames, ints, open_cell

    for name, kind, ref in data.variables():
        if kind in ("cell", "free"):
            found, value = open_cell(graph, ref)
            if found:
                values[name] = value
        else:
            values[name] = graph.get(ref, budget)
    addr = data.rec.field("globals")
    globals_ = _globals(graph, addr, made)
    mapping: Optional[Dict[str, Any]] = None
    at = data.rec.field("locals")
    flags = ints(data.code.data, 6)[5] if data.code else 0
    if at and not flags & 1:  # no CO_OPTIMIZED: a module or class body
        if at == addr and not values:
            mapping = globals_
        else:
            mapping = {n: graph.get(r, budget) for n, r in graph.namespace(at).items()}
            mapping.update(values)
    names = CodeNames(graph, data.code) if data.code else None
    args = tuple(names.args) if names and mapping is None else ()
    first = max(names.firstlineno, 1) if names else 1
    line, *columns = at_tb
    if min(columns) < 0 and line == data.line:
        columns = [n if n is not None else -1 for n in (data.end_line, data.col, data.end_col)]
    where = position(line, *(n if n >= 0 else None for n in columns), first)
    return Spec(
        _clean(data.text("name"), "?"),
        _clean(data.text("qualname", data.text("name")), "?"),
        _clean(data.text("filename"), "?"),
        min(first, _LINE_MAX),
        where,
        args,
        *_arg_counts(names.posonly if names else 0, names.kwonly if names else 0, flags, args),
        values,
        globals_,
        mapping,
    )


class Stack(NamedTuple):
    """Real frames of a stack, from the outermost in."""

    frames: List[types.FrameType]
    lines: List[int]
    traceback: Optional[types.TracebackType]
    note: str


def thread_stack(
    dump: "Dump",
    frames: List["Frame"],
    made: Optional[Globals] = None,
    newest: Sequence[types.FrameType] = (),
) -> Stack:
    """Real frames for dumped ones, which come the newest first.

    made: the globals that there are already, by their addresses. newest: real
    frames that the newest ones of these replace, the outermost first; they
    keep the values of those.
    """
    note = ""
    if len(frames) > FRAMES_MAX:
        note = "%d older frames are left out" % (len(frames) - FRAMES_MAX)
        frames = frames[:FRAMES_MAX]
    made = {} if made is None else made
    specs: List[Spec] = []
    # Near the shown end values are decoded; far from it, containers wait.
    graph, left = dump.graph, _EAGER
    for i, frame in enumerate(frames):
        before = graph.decoded
        spec = spec_of(frame, min(max(left, _FAR), _PER_FRAME), made)
        left -= graph.decoded - before
        if i < len(newest) and spec.mapping is None:
            spec = spec._replace(values=dict(newest[-1 - i].f_locals))
        specs.append(spec)
    specs.reverse()
    return _stack(dump, specs, note)


def _stack(dump: "Dump", specs: List[Spec], note: str) -> Stack:
    if not specs:
        return Stack([], [], None, note)
    for file in {s.file for s in specs}:
        sources.publish(dump, file)
    real = build(specs)
    lines = [s.position.line for s in specs]
    return Stack(real, lines, traceback(real, specs), note)


#: Tracebacks of one exception that are followed.
_CHAIN_MAX = 1000000


def traceback_chain(graph: "Graph", addr: int) -> List[int]:
    """The addresses of the traceback objects from addr on, the outermost first."""
    chain: Dict[int, None] = {}
    while addr and addr not in chain and len(chain) < _CHAIN_MAX:
        rec = graph.record(addr)
        if rec is None or rec.kind.name != "traceback":
            break
        chain[addr] = None
        addr = rec.field("next")
    return list(chain)


def traceback_of(
    graph: "Graph",
    addr: int,
    chain: Optional[Sequence[int]] = None,
    made: Optional[Globals] = None,
    newest: Sequence[types.FrameType] = (),
) -> Optional[types.TracebackType]:
    """The real traceback for a dumped one; None when there is none.

    chain: of what it is made, when that is known or not to be all of it.
    made, newest: as for thread_stack().
    """
    if not addr:
        return None
    from .executions import ints

    chain = traceback_chain(graph, addr) if chain is None else chain
    made = {} if made is None else made
    specs: List[Spec] = []
    left = _EAGER
    for i, at in enumerate(reversed(chain[-FRAMES_MAX:])):
        rec = graph.record(at)
        assert rec is not None
        frame = graph.record(rec.field("frame"))
        where = ints(rec.data, 5)[1:]
        before = graph.decoded
        if frame is not None and frame.kind.name == "frame":
            budget = min(max(left, _FAR), _PER_FRAME)
            spec = spec_of_record(FrameData(graph, frame), where, made, budget)
        else:
            spec = _missing(rec.field("frame"), where[0])
        left -= graph.decoded - before
        if i < len(newest) and spec.mapping is None:
            spec = spec._replace(values=dict(newest[-1 - i].f_locals))
        specs.append(spec)
    specs.reverse()
    return _stack(graph.dump, specs, "").traceback


def _missing(addr: int, line: int) -> Spec:
    """A frame that the dump does not hold."""
    text = "<frame that was not dumped>"
    why = {"frame": Placeholder("not dumped: frame at %#x" % addr, addr)}
    where = position(line, None, None, None, 1)
    return Spec(text, text, text, 1, where, (), 0, 0, 0, why, Namespace(), None)
