# SPDX-License-Identifier: Apache-2.0
"""The values of pandas' arrays, indexes and frames, without pandas."""

import datetime
from typing import Any, Callable, List, Optional, Sequence, Tuple

from ..marks import NotDumpedError, Placeholder
from ..refs import find_ref
from . import numpy_times as times
from .numpy_ import NdArray, array_of
from .numpy_array import Array
from .numpy_times import NAT


class _Missing:
    """pandas.NA or pandas.NaT."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def __bool__(self) -> bool:
        raise TypeError("boolean value of %s is ambiguous" % self.text)

    def __eq__(self, other: Any) -> bool:
        return False

    def __hash__(self) -> int:
        return hash(self.text)


NA, NAT_VALUE = _Missing("<NA>"), _Missing("NaT")


def zone_of(tz: Any) -> Tuple[str, Optional[datetime.tzinfo]]:
    """The name of a timezone, and one of this Python that is the same."""
    if tz is None:
        return "", None
    if isinstance(tz, datetime.timezone):
        name = tz.tzname(None)
        return ("UTC" if not tz.utcoffset(None) else name), tz
    name = part(tz, "key", "zone", "_key")
    cls = type(tz).__name__
    if not isinstance(name, str):
        name = "UTC" if cls in ("UTC", "tzutc") else ""
    if name == "UTC":
        return name, datetime.timezone.utc
    try:
        from zoneinfo import ZoneInfo

        return name, ZoneInfo(name)
    except Exception:  # none here of that name, or no zoneinfo (3.8)
        return name or cls, None


class Stamp:
    """A Timestamp: ticks of a unit since 1970, in UTC."""

    __slots__ = ("tz", "unit", "value")

    def __init__(self, value: int, unit: str, tz: Any = None) -> None:
        self.value, self.unit, self.tz = value, unit, tz

    def _parts(self) -> Tuple[str, int, str]:
        """Date and time, nanoseconds of the second, offset."""
        name, zone = zone_of(self.tz)
        days, seconds, fraction = times.split(self.value, self.unit)
        offset, tail = 0, ""
        if self.tz is not None:
            tail = "+0000"
            if zone is not None:
                moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
                try:
                    moment += datetime.timedelta(days, seconds)
                    found = moment.astimezone(zone).utcoffset()
                    offset = int(found.total_seconds()) if found is not None else 0
                except (OverflowError, ValueError):
                    offset = 0
                tail = "%s%02d%02d" % (
                    "-" if offset < 0 else "+", abs(offset) // 3600, abs(offset) // 60 % 60,
                )  # fmt: skip
        days, seconds = divmod(days * 86400 + seconds + offset, 86400)
        clock = "%02d:%02d:%02d" % (seconds // 3600, seconds // 60 % 60, seconds % 60)
        digits = times._DIGITS.get(self.unit, 0)
        nano = fraction * 10 ** (9 - digits) if digits <= 9 else fraction // 10 ** (digits - 9)
        return "%04d-%02d-%02d %s" % (*times.civil(days), clock), nano, tail

    def _text(self) -> Tuple[str, str]:
        head, nano, tail = self._parts()
        if nano % 1000:
            head += ".%09d" % nano
        elif nano:
            head += ".%06d" % (nano // 1000)
        return head, tail

    def __str__(self) -> str:
        head, tail = self._text()
        return head + (tail[:3] + ":" + tail[3:] if tail else "")

    def __repr__(self) -> str:
        head, tail = self._text()
        zone = ", tz='%s'" % zone_of(self.tz)[0] if self.tz is not None else ""
        return "Timestamp('%s%s'%s)" % (head, tail, zone)

    def to_pydatetime(self) -> datetime.datetime:
        """Without nanoseconds."""
        days, seconds, _ = times.split(self.value, self.unit)
        micro = self._parts()[1] // 1000
        zone = datetime.timezone.utc if self.tz is not None else None
        out = datetime.datetime(1970, 1, 1, tzinfo=zone)
        return out + datetime.timedelta(days, seconds, micro)

    def _key(self, other: Any) -> Any:
        if isinstance(other, Stamp):
            a = times.Time64("M", self.value, self.unit).nanoseconds()
            return a, times.Time64("M", other.value, other.unit).nanoseconds()
        if isinstance(other, datetime.datetime):
            mine = self.to_pydatetime()
            return (mine, other) if (mine.tzinfo is None) == (other.tzinfo is None) else None
        return None

    def __eq__(self, other: Any) -> Any:
        pair = self._key(other)
        return NotImplemented if pair is None else pair[0] == pair[1]

    def __lt__(self, other: Any) -> Any:
        pair = self._key(other)
        return NotImplemented if pair is None else pair[0] < pair[1]

    def __gt__(self, other: Any) -> Any:
        pair = self._key(other)
        return NotImplemented if pair is None else pair[0] > pair[1]

    def __hash__(self) -> int:
        return hash(self.value)


class Span:
    """A Timedelta: ticks of a unit."""

    __slots__ = ("unit", "value")

    def __init__(self, value: int, unit: str) -> None:
        self.value, self.unit = value, unit

    def text(self, style: str = "long") -> str:
        """style: "" leaves the time away where it is 0; "long"; "us", "all":
        with six or nine digits."""
        days, seconds, fraction = times.split(self.value, self.unit)
        digits = times._DIGITS.get(self.unit, 0)
        nano = fraction * 10 ** max(9 - digits, 0)
        if not style and not seconds and not nano:
            return "%d days" % days
        clock = "%02d:%02d:%02d" % (seconds // 3600, seconds // 60 % 60, seconds % 60)
        if style == "all" or nano % 1000:
            clock += ".%09d" % nano
        elif style == "us" or nano:
            clock += ".%06d" % (nano // 1000)
        return "%d days %s%s" % (days, "+" if days < 0 else "", clock)

    __str__ = text

    def __repr__(self) -> str:
        return "Timedelta('%s')" % self.text()

    def to_pytimedelta(self) -> datetime.timedelta:
        """Without nanoseconds."""
        return times.span(self.value, self.unit) or datetime.timedelta(
            microseconds=self.value // 1000
        )

    def __eq__(self, other: Any) -> Any:
        if isinstance(other, Span):
            a = times.Time64("m", self.value, self.unit)
            return a == times.Time64("m", other.value, other.unit)
        if isinstance(other, datetime.timedelta):
            return self.to_pytimedelta() == other
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.value)


def part(obj: Any, *names: str) -> Any:
    """The first of these that the object itself has, or None."""
    ref = find_ref(obj)
    if ref is None:
        return None
    for name in names:
        if name in ref.attributes():
            return ref.graph.get(ref.attributes()[name])
        if name in ref.fields:
            return ref.fields[name]
    return None


class Values:
    """A column: how many values, each on demand, and what they are.

    kind: i f c b O M m (numpy's), or "S" strings, "C" categories, "P" others.
    """

    def __init__(
        self, kind: str, dtype: str, count: int, get: Callable[[int], Any], obj: Any = None
    ) -> None:
        self.kind, self.dtype, self.count, self.get, self.obj = kind, dtype, count, get, obj
        self.tz: Any = None
        self.release = (2, 3)  # whose text is imitated

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> Any:
        if not -self.count <= i < self.count:
            raise IndexError("position %d is out of bounds for %d" % (i, self.count))
        return self.get(i % self.count)

    def take(self, rows: Sequence[int]) -> List[Any]:
        """The values at positions; what is not in the dump as placeholders."""
        if len(rows) > 1 << 26:
            raise NotDumpedError("too many values to be listed: %d" % len(rows))
        out = []
        for i in rows:
            try:
                out.append(self.get(i))
            except NotDumpedError as e:
                out.append(Placeholder(str(e)))
        return out


def of_array(array: Array, tz: Any = None) -> Values:
    """The values of a one-dimensional array."""
    kind, dtype = array.dtype.kind, array.dtype.name
    if kind in "mM":
        unit = array.dtype.unit[0]

        def moment(i: int) -> Any:
            value = array[i].value
            if value == NAT:
                return NAT_VALUE
            return Stamp(value, unit, tz) if kind == "M" else Span(value, unit)

        out = Values(kind, dtype, array.shape[0], moment)
        out.tz = tz
        if tz is not None:
            out.dtype = "datetime64[%s, %s]" % (unit, zone_of(tz)[0])
        return out
    kind = "i" if kind in "iu" else kind if kind in "fcb" else "O"
    return Values(kind, "object" if array.dtype.kind == "O" else dtype, array.shape[0],
                  lambda i: array[i])  # fmt: skip


def flat_array(obj: Any) -> Optional[Array]:
    """The array of an ndarray of the dump, one row of a two-dimensional one."""
    array = obj if isinstance(obj, Array) else None
    if isinstance(obj, NdArray):
        array = array_of(find_ref(obj))  # type: ignore
    if array is not None and array.ndim == 2:
        array = array[0] if array.shape[0] == 1 else array[:, 0]
    return array


def values_of(obj: Any) -> Optional[Values]:
    """The values of an ndarray or an extension array; None for what is not
    known (arrow's, which are C++)."""
    array = flat_array(obj)
    if array is not None:
        return of_array(array)
    names = {c.__name__ for c in type.__getattribute__(type(obj), "__mro__")}
    inner = part(obj, "_ndarray", "_data", "_codes")
    array = flat_array(inner)
    if "Categorical" in names and array is not None:
        return _categories(obj, array)
    if "BaseMaskedArray" in names and array is not None:
        return _masked(obj, array)
    if "PeriodArray" in names and array is not None:
        dtype = part(obj, "_dtype")
        freq = part(dtype, "_freq") or part(obj, "_freq")
        name = "period[%s]" % (frequency(freq) or "?")
        get = lambda i: period_text(array[i], frequency(freq))  # noqa: E731
        return Values("P", name, array.shape[0], get, obj)
    if "DatetimeArray" in names and array is not None:
        tz = part(part(obj, "_dtype"), "_tz")
        return of_array(array, tz)
    if "TimedeltaArray" in names and array is not None:
        return of_array(array)
    if names & {"BaseStringArray", "StringArray"} and array is not None:
        out = of_array(array)
        missing = part(part(obj, "_dtype"), "_na_value")
        out.dtype = "str" if missing != missing else "string"
        return out
    if names & {"NumpyExtensionArray", "PandasArray"} and array is not None:
        return of_array(array)
    if "IntervalArray" in names:
        return _intervals(obj)
    return None


def _categories(obj: Any, codes: Array) -> Optional[Values]:
    found = index_values(part(part(obj, "_dtype"), "_categories"))
    if found is None:
        return None
    nan: Any = NAT_VALUE if found.kind in "mM" else float("nan")
    get = lambda i: nan if codes[i] < 0 else found[codes[i]]  # noqa: E731
    out = Values("C", "category", codes.shape[0], get, obj)
    return out


def _masked(obj: Any, data: Array) -> Optional[Values]:
    mask = flat_array(part(obj, "_mask"))
    if mask is None:
        return None
    name = data.dtype.name
    title = {"bool": "boolean"}.get(name, name.replace("uint", "UInt").capitalize())
    title = title.replace("Uint", "UInt")
    get = lambda i: NA if mask[i] else data[i]  # noqa: E731
    return Values("P", title, data.shape[0], get, obj)


def _intervals(obj: Any) -> Optional[Values]:
    sides = [part(obj, "_left"), part(obj, "_right")]
    left, right = (values_of(s) or index_values(s) for s in sides)
    if left is None or right is None:
        return None
    closed = part(part(obj, "_dtype"), "_closed") or part(obj, "_closed") or "right"

    def get(i: int) -> Any:
        if left[i] != left[i]:
            return float("nan")
        return interval_text(left[i], right[i], closed)

    return Values("P", "interval[%s, %s]" % (left.dtype, closed), len(left), get, obj)


class Verbatim(str):
    """A value that is shown by its text alone."""

    def __repr__(self) -> str:
        return str(self)


def interval_text(left: Any, right: Any, closed: str) -> Verbatim:
    """(1, 2]"""
    return Verbatim(
        "%s%s, %s%s"
        % (
            "[" if closed in ("left", "both") else "(",
            left,
            right,
            "]" if closed in ("right", "both") else ")",
        )
    )


#: Class of an offset -> what stands for it.
_RULES = {
    "Day": "D", "Hour": "h", "Minute": "min", "Second": "s", "Milli": "ms", "Micro": "us",
    "Nano": "ns", "BusinessDay": "B", "MonthEnd": "M", "MonthBegin": "MS", "YearEnd": "Y",
    "QuarterEnd": "Q", "Week": "W",
}  # fmt: skip
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
_DAYS = "MON TUE WED THU FRI SAT SUN".split()


def frequency(freq: Any) -> str:
    """What stands for an offset of a period: "M", "Q-DEC", "3D"; "" unknown."""
    cls = type(freq).__name__
    rule = _RULES.get(cls, "")
    n = part(freq, "n")
    if not rule or not isinstance(n, int):
        return ""
    month, day = part(freq, "startingMonth", "month"), part(freq, "weekday")
    if rule in ("Y", "Q") and isinstance(month, int) and 1 <= month <= 12:
        rule += "-" + _MONTHS[month - 1]
    if rule == "W" and isinstance(day, int):
        rule += "-" + _DAYS[day % 7]
    return rule if n == 1 else "%d%s" % (n, rule)


def period_text(ordinal: int, freq: str) -> Any:
    """str() of a Period."""
    if ordinal == NAT:
        return NAT_VALUE
    rule = freq.lstrip("0123456789")
    try:
        if rule == "M":
            return Verbatim("%04d-%02d" % (1970 + ordinal // 12, ordinal % 12 + 1))
        if rule[:1] == "Y":
            return Verbatim("%04d" % (1970 + ordinal))
        if rule == "Q-DEC":
            return Verbatim("%04dQ%d" % (1970 + ordinal // 4, ordinal % 4 + 1))
        if rule == "D":
            return Verbatim("%04d-%02d-%02d" % times.civil(ordinal))
        if rule in ("h", "min", "s"):
            unit = {"h": "h", "min": "m", "s": "s"}[rule]
            text = times.text(ordinal, unit).replace("T", " ")
            return Verbatim(text + ":00" if unit == "h" else text)
    except (ValueError, OverflowError):
        pass
    return Verbatim("<period %d of %s>" % (ordinal, freq or "an unknown frequency"))


# -- indexes


def index_values(obj: Any) -> Optional[Values]:
    """The values of an Index; of a MultiIndex tuples."""
    names = {c.__name__ for c in type.__getattribute__(type(obj), "__mro__")}
    if "MultiIndex" in names:
        levels = multi_levels(obj)
        if levels is None:
            return None
        count = len(levels[0]) if levels else 0
        return Values("T", "object", count, lambda i: tuple(v[i] for v in levels), obj)
    span = part(obj, "_range")
    if isinstance(span, range):
        return Values("i", "int64", len(span), span.__getitem__, obj)
    start, stop, step = part(obj, "_start"), part(obj, "_stop"), part(obj, "_step")
    if all(type(v) is int for v in (start, stop, step)):
        span = range(start, stop, step)
        return Values("i", "int64", len(span), span.__getitem__, obj)
    found = values_of(part(obj, "_data", "_values"))
    if found is not None:
        found.obj = obj
    return found


def multi_levels(obj: Any) -> Optional[List[Values]]:
    """A column for each level of a MultiIndex."""
    out = []
    levels, codes = part(obj, "_levels"), part(obj, "_codes")
    if not isinstance(levels, (list, tuple)) or not isinstance(codes, (list, tuple)):
        return None
    for level, code in zip(levels, codes):
        values, array = index_values(level), flat_array(code)
        if values is None or array is None:
            return None

        def get(i: int, values: Values = values, array: Array = array) -> Any:
            return float("nan") if array[i] < 0 else values[array[i]]

        out.append(Values(values.kind, values.dtype, array.shape[0], get, level))
    return out


def index_names(obj: Any) -> List[Any]:
    """The names of an index's levels, None for none."""
    found = part(obj, "_names")
    if isinstance(found, (list, tuple)) and found:
        return list(found)
    return [part(obj, "_name", "name")]


# -- blocks


def block_positions(block: Any) -> List[int]:
    """Which columns a block has."""
    place = part(block, "_mgr_locs", "mgr_locs")
    as_slice, array = part(place, "_as_slice"), flat_array(part(place, "_as_array"))
    if isinstance(as_slice, slice) and as_slice.stop is not None:
        return list(range(as_slice.start or 0, as_slice.stop, as_slice.step or 1))[: 1 << 20]
    return list(array.tolist()) if array is not None else []


def columns_of(manager: Any, count: int) -> Optional[List[Optional[Values]]]:
    """The columns of a block manager, by position."""
    blocks = part(manager, "blocks")
    if not isinstance(blocks, (list, tuple)):
        return None
    out: List[Optional[Values]] = [None] * count
    for block in blocks:
        places = block_positions(block)
        inner = part(block, "values")
        source = inner if isinstance(inner, NdArray) else part(inner, "_ndarray")
        array = array_of(find_ref(source)) if isinstance(source, NdArray) else None  # type: ignore
        for row, place in enumerate(places):
            if not 0 <= place < count:
                return None
            if array is not None and array.ndim == 2 and row < array.shape[0]:
                out[place] = _row(inner, array[row])
            elif len(places) == 1:
                out[place] = values_of(inner)
    return out


def _row(inner: Any, array: Array) -> Optional[Values]:
    """A column out of a two-dimensional block."""
    if isinstance(inner, NdArray):
        return of_array(array)
    names = {c.__name__ for c in type.__getattribute__(type(inner), "__mro__")}
    if "DatetimeArray" in names:
        return of_array(array, part(part(inner, "_dtype"), "_tz"))
    if names & {"TimedeltaArray", "NumpyExtensionArray", "PandasArray"}:
        return of_array(array)
    return None
