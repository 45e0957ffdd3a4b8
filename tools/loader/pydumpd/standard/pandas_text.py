# SPDX-License-Identifier: Apache-2.0
"""Frames, series and indexes as pandas prints them with its default options
for lines of 80 characters."""

import re
from typing import Any, Callable, List, Optional, Sequence, Tuple

from ..marks import NotDumpedError, Placeholder
from .pandas_values import NA, Span, Stamp, Values, _Missing

MAX_ROWS, MIN_ROWS, WIDTH, CELL, DIGITS = 60, 10, 80, 50, 6
_DECIMAL = re.compile(r"\s*[+-]?[0-9]+\.[0-9]*$")


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and value != value


def _trimmed(texts: List[str]) -> List[str]:
    numbers = [t for t in texts if _DECIMAL.match(t)]
    cut = 0
    while numbers and all(t[len(t) - cut - 1] == "0" for t in numbers):
        cut += 1
    out = []
    for t in texts:
        if cut and _DECIMAL.match(t):
            t = t[: len(t) - cut]
            t = t + "0" if t.endswith(".") else t
        out.append(t)
    return out


def _floats(values: List[Any], space: str) -> List[str]:
    def shown(code: str) -> List[str]:
        fmt = "%" + space + "." + str(DIGITS) + code
        return _trimmed(["NaN" if v != v else fmt % v for v in values])

    out = shown("f")
    sizes = [abs(v) for v in values if v == v]
    small = any(0 < v < 10.0**-DIGITS for v in sizes)
    if small or (any(v > 1e6 for v in sizes) and max(map(len, out)) > DIGITS + 6):
        out = shown("e")
    return out


def _thing(value: Any) -> str:
    """A value in a cell of objects."""
    from ..render import text

    if value is None or isinstance(value, (_Missing, Stamp, Span, Placeholder)):
        return str(value)
    if _is_nan(value):
        return "NaN"
    if isinstance(value, str):
        return value.replace("\t", "\\t").replace("\r", "\\r").replace("\n", "\\n")
    if isinstance(value, tuple):
        inner = ", ".join(map(_thing, value))
        return "(%s%s)" % (inner, "," if len(value) == 1 else "")
    return text(value, 500, 50)


def _one_float(value: float, space: str) -> str:
    text = ("%" + space + ".6f") % value
    text = text.rstrip("0")
    return text + "0" if text.endswith(".") else text


def _objects(values: List[Any], space: str) -> List[str]:
    return [
        _one_float(v, space) if isinstance(v, float) and v == v else space + _thing(v)
        for v in values
    ]


def _stamps(values: List[Any], column: Values) -> List[str]:
    real = [v for v in values if isinstance(v, Stamp)]
    heads = [(v, v._parts()) for v in real]
    if column.tz is not None and column.release < (3, 1):
        return [str(v) for v in values]
    if column.tz is None and all(p[0].endswith(" 00:00:00") and not p[1] for _, p in heads):
        return [v._parts()[0][:10] if isinstance(v, Stamp) else str(v) for v in values]
    nanos = [p[1] for _, p in heads]
    digits = 9 if any(n % 1000 for n in nanos) else 6 if any(n % 10**6 for n in nanos) else 0
    digits = digits or (3 if any(nanos) else 0)

    def one(v: Any) -> str:
        if not isinstance(v, Stamp):
            return str(v)
        head, nano, tail = v._parts()
        head += ".%0*d" % (digits, nano // 10 ** (9 - digits)) if digits else ""
        return head + (tail[:3] + ":" + tail[3:] if tail else "")

    return [one(v) for v in values]


def _spans(values: List[Any]) -> List[str]:
    from . import numpy_times as times

    real = [times.split(v.value, v.unit)[1:] for v in values if isinstance(v, Span)]
    if not any(s or f for s, f in real):
        style = ""
    else:
        style = "all" if any(f for _, f in real) else "long"
    return [v.text(style) if isinstance(v, Span) else str(v) for v in values]


def cells(column: Optional[Values], rows: Sequence[int], space: str = " ") -> List[str]:
    """The texts of a column's cells; space stands before what has no sign."""
    if column is None:
        return ["<?>"] * len(rows)
    values = column.take(rows)
    if any(isinstance(v, Placeholder) for v in values):
        return [space + _thing(v) for v in values]
    if column.kind == "i":
        return [("%" + space + "d") % v for v in values]
    if column.kind == "f":
        return _floats([float(v) for v in values], space) if values else []
    if column.kind == "b":
        return [space + str(bool(v)) for v in values]
    if column.kind == "M":
        return _stamps(values, column)
    if column.kind == "m":
        return _spans(values)
    if column.kind == "C" and values and all(isinstance(v, int) for v in values):
        return [("%" + space + "d") % v for v in values]
    return _objects(values, space)


def _fixed(texts: List[str], right: bool, least: int = 0) -> List[str]:
    width = max([len(t) for t in texts] + [least]) if texts else least
    width = min(width, max(CELL, least))
    out = [t[: width - 3] + "..." if len(t) > width else t for t in texts]
    return [t.rjust(width) if right else t.ljust(width) for t in out]


def _adjoin(space: int, columns: List[List[str]]) -> List[str]:
    widths = [max(map(len, c)) + space for c in columns[:-1]] + [max(map(len, columns[-1]))]
    padded = [[t.ljust(w) for t in c] for c, w in zip(columns, widths)]
    count = max(map(len, columns))
    for c, w in zip(padded, widths):
        c.extend([" " * w] * (count - len(c)))
    return ["".join(row) for row in zip(*padded)]


def index_cells(levels: List[Values], rows: Sequence[int]) -> List[List[str]]:
    """The texts of an index, a list a level; repeated outer labels are empty."""
    out = []
    for level in levels:
        values = level.take(rows)
        if level.kind in "iPO" or any(isinstance(v, Placeholder) for v in values):
            out.append([_thing(v) if not _is_nan(v) else "NaN" for v in values])
        else:
            out.append([t.lstrip(" ") for t in cells(level, rows, "")])
    if len(out) > 1:
        raw = list(zip(*(level.take(rows) for level in levels)))
        for k in range(len(raw) - 1, 0, -1):
            for depth in range(len(out) - 1):
                if not _same(raw[k][: depth + 1], raw[k - 1][: depth + 1]):
                    break
                out[depth][k] = ""
    return out


def _same(a: Tuple[Any, ...], b: Tuple[Any, ...]) -> bool:
    return all(x is y or x == y for x, y in zip(a, b))


def shown_rows(count: int, most: int = MAX_ROWS) -> Tuple[List[int], int]:
    """Positions of the rows that are shown, and how many of them stand
    before the gap; 0: all are shown."""
    if count <= most:
        return list(range(count)), 0
    half = MIN_ROWS // 2
    return [*range(half), *range(count - half, count)], half


def frame_text(
    name: str, levels: List[Values], names: List[Any], labels: List[Any], label_name: Any,
    columns: List[Optional[Values]], count: int,
) -> str:  # fmt: skip
    """repr() of a DataFrame."""
    if not columns or not count:
        return "Empty %s\nColumns: [%s]\nIndex: [%s]" % (
            name,
            ", ".join(_thing(c) for c in labels),
            ", ".join(
                cells[0]
                for cells in zip(*index_cells(levels[:1], range(min(count, 100))))
            ) if levels else "",
        )  # fmt: skip
    rows, gap = shown_rows(count)
    half = 0
    picked = list(range(len(columns)))
    if len(columns) > WIDTH:
        picked = [*picked[: WIDTH // 2], *picked[-WIDTH // 2 :]]
    has_names = any(n is not None for n in names)
    index = [_fixed(c, False) for c in index_cells(levels, rows)]
    if has_names:
        index = [[_thing(n) if n is not None else "", *c] for n, c in zip(names, index)]
        index = [[t.ljust(max(map(len, c))) for t in c] for c in index]
    first = [_thing(label_name) if label_name is not None else "", *_adjoin(1, index)]
    release = next((c.release for c in columns if c is not None), (2, 3))

    def texts(picked: List[int]) -> List[List[str]]:
        out = []
        for k, i in enumerate(picked):
            # Before 3.1 the columns behind the gap took others for themselves.
            like = columns[i if release >= (3, 1) else k]
            out.append(_column_text(labels[i], columns[i], like, rows, has_names))
        return out

    parts = [first, *texts(picked)]
    if gap:
        parts = [_dotted(c, gap + 1 + has_names, k == 0, False) for k, c in enumerate(parts)]
    fitted = _fitted(parts, release)
    if fitted < len(columns):
        half = max(fitted // 2, 1)
        picked = [*range(half), *range(len(columns) - half, len(columns))]
        parts = [first, *texts(picked)]
        parts.insert(half + 1, [" ..."] * len(first))
        if gap:
            at = gap + 1 + has_names
            parts = [_dotted(c, at, k == 0, k == half + 1) for k, c in enumerate(parts)]
    out = "\n".join(_adjoin(1, parts))
    if gap or half:
        out += "\n\n[%d rows x %d columns]" % (count, len(columns))
    return out


def _column_text(
    label: Any, column: Optional[Values], like: Optional[Values], rows: List[int], extra: bool
) -> List[str]:
    lead = " " if like is not None and _is_numeric(like) else ""
    header = [lead + _thing(label)] + ([""] if extra else [])
    least = max(map(len, header))
    body = _fixed(cells(column, rows), True, least)
    width = max([least] + [len(t) for t in body])
    return [t.rjust(width) for t in header] + body


def _dotted(texts: List[str], at: int, is_index: bool, is_gap: bool) -> List[str]:
    width = len(texts[at - 1])
    dots = "..." if width > 3 or is_gap else ".."
    dots = dots.ljust(width) if is_index else dots.rjust(4 if is_gap else width)
    return [*texts[:at], dots, *texts[at:]]


def _fitted(parts: List[List[str]], release: Tuple[int, int]) -> int:
    """How many columns fit into a line, two at least."""
    widths = [max(map(len, c)) for c in parts]
    over = sum(widths) + len(widths) - 1 - WIDTH + 1
    if over > 0 and release >= (3, 1):
        over += 5  # the gap
    while over > 0 and len(widths) > 1:
        over -= widths.pop(round(len(widths) / 2)) + 1
    return max(len(widths) - 1, 2)


def _is_numeric(column: Values) -> bool:
    return column.kind in "ifcb" or column.dtype.startswith(("Int", "UInt", "Float", "boolean"))


def series_text(
    cls: str, levels: List[Values], names: List[Any], values: Values, footer: List[str], tail: str
) -> str:
    """repr() of a Series; footer: parts of its last line; tail: lines after."""
    count = len(values)
    rows, gap = shown_rows(count)
    if gap:
        # Length stands before dtype.
        footer = footer[:-1] + ["Length: %d" % count] + footer[-1:]
    last = ", ".join(footer) + ("\n" + tail if tail else "")
    if not count:
        return "%s([], %s)" % (cls, last)
    has_names = any(n is not None for n in names)
    texts = index_cells(levels, rows)
    if len(levels) > 1:
        columns = [[_thing(n) if n is not None else "", *c] for n, c in zip(names, texts)]
        found = _adjoin(2, [_fixed(c, False) for c in columns])
        head, index = found[0], found[1:]
    else:
        head = _thing(names[0]) if has_names else ""
        index = _fixed(texts[0], False)
    body = _fixed(cells(values, rows), True)
    if gap:
        width = len(body[gap - 1])
        body.insert(gap, ("..." if width > 3 else "..").center(width))
        index.insert(gap, "")
    lines = _adjoin(3, [index, body])
    if has_names:
        lines.insert(0, head)
    return "\n".join([*lines, last])


# -- indexes and arrays


def quoted(value: Any) -> str:
    """A value in the list of an index."""
    if isinstance(value, (Stamp, Span)):
        return "'%s'" % value
    if isinstance(value, _Missing):
        return "'NaT'" if value is not NA else "<NA>"
    if _is_nan(value):
        return "nan"
    from .pandas_values import Verbatim

    if type(value) is str:
        return "'%s'" % _thing(value)
    if isinstance(value, Verbatim):
        return str(value)
    return _thing(value) if not isinstance(value, float) else repr(value)


def listed(values: Values, name: int, show: Optional[Callable[[Any], str]] = None) -> str:
    """[a, b, ..., with what stands before what follows, over lines as an index has it; name
    is the length of its name. At most 100 values of it."""
    count = len(values)
    gap = 10 if count > 100 else 0
    rows = [*range(10), *range(count - 10, count)] if gap else list(range(count))
    found = values.take(rows)
    if show is None and values.kind in "fM" and not any(isinstance(v, Placeholder) for v in found):
        texts = [t.strip() for t in cells(values, rows, "")]
        texts = ["'%s'" % t for t in texts] if values.kind == "M" else _float_list(found)
    else:
        texts = [(show or quoted)(v) for v in found]
    if count <= 2:
        return "[%s], " % ", ".join(texts)
    head, tail = texts[:gap], texts[gap:]
    if values.kind in "fiMmb" and (
        gap or len(", ".join(head)) >= WIDTH or len(", ".join(tail)) >= WIDTH
    ):
        width = max(map(len, texts))
        head, tail = [t.rjust(width) for t in head], [t.rjust(width) for t in tail]
    begin = "\n" + " " * (name + 2)
    out, line = "", begin
    for t in head:
        out, line = _put(out, line, t + ", ", WIDTH, begin)
    if gap:
        out += line.rstrip() + begin + "..."
        line = begin
    for t in tail[:-1]:
        out, line = _put(out, line, t + ", ", WIDTH, begin)
    out, line = _put(out, line, tail[-1], WIDTH - 2, begin)
    out += line + "],"
    out += "\n" + " " * (name + 1) if len(out) > WIDTH else " "
    return "[" + out[len(begin) :]


def _put(out: str, line: str, word: str, width: int, begin: str) -> Tuple[str, str]:
    if len(line.rstrip()) + len(word.rstrip()) >= width:
        out += line.rstrip()
        line = begin
    return out, line + word


def tuples(values: Values, prefix: int) -> str:
    """[(a, b), ...], one a line, as a MultiIndex has it."""
    count = len(values)
    gap = 10 if count > 100 else 0
    rows = [*range(10), *range(count - 10, count)] if gap else list(range(count))
    found = [[quoted(v) for v in value] for value in values.take(rows)]
    widths = [max(map(len, column)) for column in zip(*found)]
    lines = ["(%s)" % ", ".join(t.rjust(w) for t, w in zip(row, widths)) for row in found]
    pad = "\n" + " " * (prefix + 1)
    if gap:
        first, last = ("," + pad).join(lines[:gap]), ("," + pad).join(lines[gap:])
        return "[%s,%s...%s%s]" % (first, pad, pad, last)
    return "[%s]" % ("," + pad).join(lines)


def _float_list(values: List[Any]) -> List[str]:
    return ["nan" if v != v else repr(float(v)) for v in values]


def safely(make: Callable[[], str], fallback: Callable[[], Any]) -> Any:
    """Text, or something humbler when parts are not in the dump."""
    try:
        return make()
    except (NotDumpedError, LookupError, TypeError, ValueError, AttributeError, OverflowError):
        return fallback()
