# SPDX-License-Identifier: Apache-2.0
"""datetime: real objects. Where a time zone's rules are the program's own code,
the offset is not known here, and whatever needs it says so."""

import datetime as real_datetime
from typing import Any

from ..marks import NotDumpedError
from ..refs import Ref
from . import real, real_base

_DAYS = 999999999


def _date(ref: Ref) -> Any:
    f = ref.fields
    return f.number("year", 1, 9999), f.number("month", 1, 12), f.number("day", 1, 31)


def _clock(ref: Ref) -> Any:
    f = ref.fields
    return (
        f.number("hour", 0, 23),
        f.number("minute", 0, 59),
        f.number("second", 0, 59),
        f.number("microsecond", 0, 999999),
    )


def _zone(ref: Ref) -> Any:
    """The tzinfo: a real timezone, a surrogate that is a tzinfo, or None."""
    if "tzinfo" not in ref.fields:
        return None
    at = ref.fields.ref("tzinfo")
    rec = ref.graph.record(at)
    if not at or (rec is not None and rec.kind.name == "none"):
        return None
    if rec is not None and rec.kind.name not in ("record", "object"):
        raise ValueError("its tzinfo is a %s" % rec.kind.name)
    if rec is not None:
        # Not by way of its value: that could be as deep as the dump likes.
        names = [ref.graph.classes.name(a) for a in ref.graph.classes.mro(rec.type)]
        if not {"datetime.timezone", "datetime.tzinfo"} & set(names):
            raise ValueError("its tzinfo is a %s" % names[0])
    zone = ref.graph.get(at)
    return zone if isinstance(zone, real_datetime.tzinfo) else _NotDumped(zone)


class _NotDumped(real_datetime.tzinfo):
    """Stands for a tzinfo that the dump does not have."""

    def __init__(self, what: Any) -> None:
        self.what = what

    def __repr__(self) -> str:
        return repr(self.what)


def _surrogate_zone(zone: Any) -> bool:
    return zone is not None and type(zone) is not real_datetime.timezone


def _fold(ref: Ref) -> int:
    return ref.fields.number("fold", 0, 1) if "fold" in ref.fields else 0


@real(real_datetime.timedelta, "datetime.timedelta")
def _timedelta(ref: Ref, cls: type) -> Any:
    f = ref.fields
    return real_datetime.timedelta.__new__(
        cls,
        f.number("days", -_DAYS, _DAYS),
        f.number("seconds", 0, 86399),
        f.number("microseconds", 0, 999999),
    )


@real(real_datetime.date, "datetime.date")
def _make_date(ref: Ref, cls: type) -> Any:
    return real_datetime.date.__new__(cls, *_date(ref))


@real(real_datetime.datetime, "datetime.datetime")
def _make_datetime(ref: Ref, cls: type) -> Any:
    zone = _zone(ref)
    if cls is real_datetime.datetime and _surrogate_zone(zone):
        cls = ZonedDatetime
    new = real_datetime.datetime.__new__
    return new(cls, *_date(ref), *_clock(ref), zone, fold=_fold(ref))


@real(real_datetime.time, "datetime.time")
def _make_time(ref: Ref, cls: type) -> Any:
    zone = _zone(ref)
    if cls is real_datetime.time and _surrogate_zone(zone):
        cls = ZonedTime
    return real_datetime.time.__new__(cls, *_clock(ref), zone, fold=_fold(ref))


@real(real_datetime.timezone, "datetime.timezone")
def _timezone(ref: Ref, cls: type) -> Any:
    f = ref.fields
    at = f.ref("offset")
    rec = ref.graph.record(at)
    if rec is None or "datetime.timedelta" not in map(
        ref.graph.classes.name, ref.graph.classes.mro(rec.type)
    ):
        raise ValueError("its offset is no timedelta")
    offset = ref.graph.get(at)
    if not isinstance(offset, real_datetime.timedelta):
        raise ValueError("its offset is %r" % (offset,))
    name = None if f.null("name") else ref.graph.string(f.ref("name"))
    if name is None:
        return real_datetime.timezone(offset)
    return real_datetime.timezone(offset, name)


_NOT_KNOWN = "the offset of %s is not in the dump"


class _Zoned:
    """A date and time, or a time, in a zone whose rules do not run here."""

    __slots__ = ()

    def _unknown(self) -> NotDumpedError:
        return NotDumpedError(_NOT_KNOWN % repr(self.tzinfo))  # type: ignore

    def _naive(self) -> Any:
        return self.replace(tzinfo=None)  # type: ignore

    def isoformat(self, *args: Any, **kwargs: Any) -> str:
        """With the zone in place of the offset."""
        zone = self.tzinfo  # type: ignore
        name = getattr(zone, "key", None) or getattr(zone, "zone", None)
        shown = name if isinstance(name, str) else "<%s>" % (_NOT_KNOWN % repr(zone))
        return "%s[%s]" % (self._naive().isoformat(*args, **kwargs), shown)

    def __str__(self) -> str:
        return self.isoformat(" ") if isinstance(self, real_datetime.date) else self.isoformat()

    def __format__(self, spec: str) -> str:
        return self._naive().__format__(spec) if spec and "%z" not in spec.lower() else str(self)

    def replace(self, *args: Any, **kwargs: Any) -> Any:
        """A copy with other fields; without the zone a plain one."""
        names = ["year", "month", "day", "hour", "minute", "second", "microsecond"]
        if not isinstance(self, real_datetime.date):
            names = names[3:]
        new = {n: getattr(self, n) for n in [*names, "tzinfo", "fold"]}
        new.update(zip([*names, "tzinfo"], args), **kwargs)
        cls: Any = real_datetime.datetime if len(names) == 7 else real_datetime.time
        return (type(self) if _surrogate_zone(new["tzinfo"]) else cls)(**new)

    def utcoffset(self) -> Any:
        raise self._unknown()

    def dst(self) -> Any:
        raise self._unknown()

    def tzname(self) -> Any:
        raise self._unknown()

    def timestamp(self) -> Any:
        raise self._unknown()

    def astimezone(self, tz: Any = None) -> Any:
        raise self._unknown()

    def __hash__(self) -> int:
        # Equal ones of the same zone are equal; others are not compared.
        return hash((self._naive(), id(self.tzinfo)))  # type: ignore

    def _compared(self, other: Any, name: str) -> Any:
        if not isinstance(other, type(self).__mro__[2]):
            return NotImplemented
        if other.tzinfo is None and name in ("__eq__", "__ne__"):
            return name == "__ne__"
        if other.tzinfo is not self.tzinfo:  # type: ignore
            raise self._unknown()
        return getattr(self._naive(), name)(other.replace(tzinfo=None))

    def __eq__(self, other: Any) -> Any:
        return self._compared(other, "__eq__")

    def __ne__(self, other: Any) -> Any:
        return self._compared(other, "__ne__")

    def __lt__(self, other: Any) -> Any:
        return self._compared(other, "__lt__")

    def __le__(self, other: Any) -> Any:
        return self._compared(other, "__le__")

    def __gt__(self, other: Any) -> Any:
        return self._compared(other, "__gt__")

    def __ge__(self, other: Any) -> Any:
        return self._compared(other, "__ge__")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("an object of a dump cannot be pickled")


class ZonedDatetime(_Zoned, real_datetime.datetime):
    __slots__ = ()

    @property
    def __class__(self) -> type:  # type: ignore
        return real_datetime.datetime

    def __repr__(self) -> str:
        return _full_repr(self, ("year", "month", "day", "hour", "minute"))

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, real_datetime.timedelta):
            return NotImplemented
        return (self._naive() + other).replace(tzinfo=self.tzinfo)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, real_datetime.timedelta):
            return self + -other
        if not isinstance(other, real_datetime.datetime):
            return NotImplemented
        if other.tzinfo is not self.tzinfo:
            raise self._unknown()
        return self._naive() - other.replace(tzinfo=None)


class ZonedTime(_Zoned, real_datetime.time):
    __slots__ = ()

    @property
    def __class__(self) -> type:  # type: ignore
        return real_datetime.time

    def __repr__(self) -> str:
        return _full_repr(self, ("hour", "minute"))


def _full_repr(value: Any, names: Any) -> str:
    from ..render import text

    parts = [str(getattr(value, n)) for n in names]
    if value.second or value.microsecond:
        parts.append(str(value.second))
    if value.microsecond:
        parts.append(str(value.microsecond))
    if value.fold:
        parts.append("fold=1")
    parts.append("tzinfo=" + text(value.tzinfo, 2000))
    return "datetime.%s(%s)" % (type(value).__mro__[2].__name__, ", ".join(parts))


for _cls, _name in ((ZonedDatetime, "datetime"), (ZonedTime, "time")):
    _cls.__name__ = _cls.__qualname__ = _name
    _cls.__module__ = "datetime"


# Any tzinfo but timezone is a real tzinfo, so that a real datetime can have it;
# its methods are the program's and refuse to compute.
real_base(real_datetime.tzinfo, "datetime.tzinfo")
