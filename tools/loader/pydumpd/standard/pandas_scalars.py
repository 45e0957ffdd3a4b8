# SPDX-License-Identifier: Apache-2.0
"""pandas' scalars: timestamps and their like, intervals, offsets."""

import datetime
from typing import Any, Optional

from ..refs import Ref, find_ref, ref_of
from . import Absent, Entry, Standard, _registry, class_name, fields, generic, surrogate
from .numpy_times import NAT, UNITS
from .pandas_text import safely
from .pandas_values import Span, Stamp, frequency, interval_text, part, period_text, zone_of


def _resolution(ref: Ref, name: str) -> str:
    number = ref.fields[name] if name in ref.fields else 10
    return UNITS[number] if isinstance(number, int) and 0 <= number < len(UNITS) else "ns"


_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def _nanoseconds(ticks: int, unit: str) -> int:
    if ticks == NAT:
        return ticks
    n = ticks * _NANOSECONDS[unit]
    if not -(1 << 63) <= n < 1 << 63:
        raise OverflowError("too many nanoseconds for 64 bits")
    return n


class Timestamp(Standard):
    """A Timestamp of the program."""

    __slots__ = ()
    _public = ("_stamp",)

    def _stamp(self) -> Stamp:
        ref = ref_of(self)
        tz = ref.fields["tzinfo"] if "tzinfo" in ref.fields else None
        return Stamp(ref.fields["_value"], _resolution(ref, "_creso"), tz)

    @property
    def value(self) -> int:
        """Nanoseconds since 1970."""
        return _nanoseconds(fields(self)["_value"], _resolution(ref_of(self), "_creso"))

    @property
    def year(self) -> int:
        """Of any size."""
        return fields(self)["_year"] if "_year" in fields(self) else fields(self)["year"]

    @property
    def tz(self) -> Any:
        """The timezone."""
        return fields(self).get("tzinfo")

    def to_pydatetime(self) -> Any:
        """Without nanoseconds; in UTC."""
        return self._stamp().to_pydatetime()

    def __eq__(self, other: Any) -> Any:
        return self._stamp() == (other._stamp() if isinstance(other, Timestamp) else other)

    def __lt__(self, other: Any) -> Any:
        return self._stamp() < (other._stamp() if isinstance(other, Timestamp) else other)

    def __gt__(self, other: Any) -> Any:
        return self._stamp() > (other._stamp() if isinstance(other, Timestamp) else other)

    def __hash__(self) -> int:
        return hash(self._stamp())

    def __str__(self) -> str:
        return str(self._stamp())

    def _shown(self) -> Any:
        return safely(lambda: repr(self._stamp()), lambda: generic(self))


class Timedelta(Standard):
    """A Timedelta of the program."""

    __slots__ = ()
    _public = ("_span",)

    def _span(self) -> Span:
        ref = ref_of(self)
        old = not ref.fields.null("word_56") and int(ref.fields["word_56"]) > 1
        unit = "ns" if old else _resolution(ref, "reso")
        return Span(ref.fields["_value"], unit)

    @property
    def value(self) -> int:
        """Nanoseconds."""
        span = self._span()
        return _nanoseconds(span.value, span.unit)

    def to_pytimedelta(self) -> Any:
        """Without nanoseconds."""
        return self._span().to_pytimedelta()

    def __eq__(self, other: Any) -> Any:
        return self._span() == (other._span() if isinstance(other, Timedelta) else other)

    def __hash__(self) -> int:
        return hash(self._span())

    def __str__(self) -> str:
        return self._span().text()

    def _shown(self) -> Any:
        return safely(lambda: repr(self._span()), lambda: generic(self))


class NaT(Standard):
    """pandas.NaT"""

    __slots__ = ()

    def __eq__(self, other: Any) -> bool:
        return False

    def __hash__(self) -> int:
        return hash(NAT)

    def __str__(self) -> str:
        return "NaT"

    def _shown(self) -> str:
        return "NaT"


def _make_timestamp(ref: Ref, cls: type) -> Any:
    f = ref.fields
    tz = f["tzinfo"] if "tzinfo" in f else None
    zone = None if tz is None else zone_of(tz)[1]
    if tz is not None and zone is None:
        raise Absent("tzinfo")
    numbers = [f.number(n) for n in ("year", "month", "day", "hour", "minute", "second")]
    return datetime.datetime.__new__(cls, *numbers, f.number("microsecond"), zone)  # type: ignore


def _make_timedelta(ref: Ref, cls: type) -> Any:
    f = ref.fields
    numbers = [f.number(n) for n in ("days", "seconds", "microseconds")]
    return datetime.timedelta.__new__(cls, *numbers)  # type: ignore


def _make_nat(ref: Ref, cls: type) -> Any:
    return datetime.datetime.__new__(cls, 1, 1, 1)  # type: ignore


# They derive from the standard library's, and so do their surrogates.
_TSLIBS = "pandas._libs.tslibs."
_registry[_TSLIBS + "timestamps._Timestamp"] = Entry(mixin=Timestamp, make=_make_timestamp)
_registry[_TSLIBS + "timedeltas._Timedelta"] = Entry(mixin=Timedelta, make=_make_timedelta)
_registry[_TSLIBS + "nattype._NaT"] = Entry(mixin=NaT, make=_make_nat)


@surrogate("pandas._libs.missing.NAType", "pandas.api.typing.NAType")
class NotAvailable(Standard):
    """pandas.NA"""

    __slots__ = ()

    def _shown(self) -> str:
        return "<NA>"


@surrogate("pandas._libs.interval.Interval", "pandas.Interval")
class Interval(Standard):
    """An Interval of the program."""

    __slots__ = ()

    def __str__(self) -> str:
        f = fields(self)
        return interval_text(f["left"], f["right"], f["closed"])

    def _shown(self) -> Any:
        f = fields(self)

        def make() -> str:
            return "Interval(%s, %s, closed=%r)" % (
                _side(f["left"]), _side(f["right"]), f["closed"],
            )  # fmt: skip

        return safely(make, lambda: generic(self))


def _side(value: Any) -> str:
    return repr(value) if find_ref(value) is not None or isinstance(value, Stamp) else str(value)


@surrogate("pandas._libs.tslibs.period._Period")
class Period(Standard):
    """A Period of the program."""

    __slots__ = ()
    _public = ("_parts",)

    def _parts(self) -> Any:
        """Ordinal and frequency, which moved with 3.1."""
        f = fields(self)
        if "_ordinal" in f:
            return f["_ordinal"], f["_freq"] if "_freq" in f else None
        inner = f["part"]
        if part(inner, "_dtype_code") is not None:
            return f["word_24"], _freq_of_code(part(inner, "_dtype_code"), part(inner, "_n"))
        return f["word_16"], inner

    @property
    def ordinal(self) -> Optional[int]:
        """Periods since 1970."""
        return self._parts()[0]

    def __str__(self) -> str:
        ordinal, freq = self._parts()
        return str(period_text(ordinal, freq if isinstance(freq, str) else frequency(freq)))

    def _shown(self) -> Any:
        def make() -> str:
            ordinal, freq = self._parts()
            rule = freq if isinstance(freq, str) else frequency(freq)
            return "Period('%s', '%s')" % (period_text(ordinal, rule), rule or "?")

        return safely(make, lambda: generic(self))


#: Of PeriodDtypeBase, by its code.
_CODES = {
    3000: "M", 6000: "D", 7000: "h", 8000: "min", 9000: "s", 10000: "ms", 11000: "us",
    12000: "ns", 5000: "B", 1000: "Y-DEC", 2000: "Q-DEC", 2012: "Q-DEC",
}  # fmt: skip


def _freq_of_code(code: Any, count: Any) -> str:
    rule = _CODES.get(code, "")
    return "%d%s" % (count, rule) if rule and isinstance(count, int) and count > 1 else rule


@surrogate("pandas._libs.tslibs.offsets.BaseOffset")
class Offset(Standard):
    """A date offset."""

    __slots__ = ()

    def _shown(self) -> str:
        n = fields(self).get("n", 1)
        name = class_name(self)
        plural = "s" if isinstance(n, int) and abs(n) != 1 else ""
        times = "%s * " % n if n != 1 else ""
        more = []
        for key in ("startingMonth", "month", "weekday", "week"):
            value = part(self, key)
            if isinstance(value, int):
                more.append("%s=%d" % (key, value))
        return "<%s%s%s%s>" % (times, name, plural, ": " + ", ".join(more) if more else "")
