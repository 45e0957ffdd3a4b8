# SPDX-License-Identifier: Apache-2.0
"""datetime64 and timedelta64 without numpy."""

import datetime
from typing import Any, Optional, Tuple

#: By NPY_DATETIMEUNIT; 3 was business days.
UNITS = ("Y", "M", "W", "", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "generic")
NAT = -(1 << 63)

_PER_DAY = {"h": 24, "m": 1440, "s": 86400}
_DIGITS = {"ms": 3, "us": 6, "ns": 9, "ps": 12, "fs": 15, "as": 18}
_EPOCH = datetime.datetime(1970, 1, 1)
_EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()


def civil(days: int) -> Tuple[int, int, int]:
    """Year, month and day of a number of days after 1970, of any size."""
    era, day = divmod(days + 719468, 146097)  # eras of 400 years from March of year 0
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    of_year = day - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    dom = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return year + era * 400 + (month <= 2), month, dom


def split(value: int, unit: str) -> Tuple[int, int, int]:
    """Days after 1970, seconds of the day, and the rest in the unit's own
    fractions of a second."""
    if unit == "W":
        return value * 7, 0, 0
    if unit == "D":
        return value, 0, 0
    if unit in _PER_DAY:
        days, part = divmod(value, _PER_DAY[unit])
        return days, part * (86400 // _PER_DAY[unit]), 0
    scale = 10 ** _DIGITS[unit]
    seconds, fraction = divmod(value, scale)
    days, seconds = divmod(seconds, 86400)
    return days, seconds, fraction


def text(value: int, unit: str, count: int = 1) -> str:
    """ISO 8601 as numpy prints a datetime64."""
    if value == NAT:
        return "NaT"
    value *= count
    if unit == "generic":
        return str(value)
    if unit == "Y":
        return "%04d" % (1970 + value)
    if unit == "M":
        return "%04d-%02d" % (1970 + value // 12, value % 12 + 1)
    days, seconds, fraction = split(value, unit)
    out = "%04d-%02d-%02d" % civil(days)
    if unit in ("W", "D"):
        return out
    out += "T%02d" % (seconds // 3600)
    if unit != "h":
        out += ":%02d" % (seconds // 60 % 60)
    if unit not in ("h", "m"):
        out += ":%02d" % (seconds % 60)
    if unit in _DIGITS:
        out += ".%0*d" % (_DIGITS[unit], fraction)
    return out


def moment(value: int, unit: str, count: int = 1) -> Any:
    """What item() gives for a datetime64: None, a date, a datetime or an int."""
    if value == NAT:
        return None
    if unit == "generic" or _DIGITS.get(unit, 0) > 6:
        return value
    full = value * count
    if unit in ("Y", "M"):
        months = full * 12 if unit == "Y" else full
        year, month = 1970 + months // 12, months % 12 + 1
        return datetime.date(year, month, 1) if 1 <= year <= 9999 else value
    days, seconds, fraction = split(full, unit)
    if not 1 <= days + _EPOCH_DAY <= datetime.date.max.toordinal():
        return value
    if unit in ("W", "D"):
        return datetime.date.fromordinal(days + _EPOCH_DAY)
    micro = fraction * 10 ** (6 - _DIGITS[unit]) if unit in _DIGITS else 0
    return _EPOCH + datetime.timedelta(days, seconds, micro)


def span(value: int, unit: str, count: int = 1) -> Any:
    """What item() gives for a timedelta64: None, a timedelta or an int."""
    if value == NAT:
        return None
    if unit in ("generic", "Y", "M") or _DIGITS.get(unit, 0) > 6:
        return value
    days, seconds, fraction = split(value * count, unit)
    micro = fraction * 10 ** (6 - _DIGITS[unit]) if unit in _DIGITS else 0
    try:
        return datetime.timedelta(days, seconds, micro)
    except OverflowError:
        return value


class Time64:
    """A datetime64 (kind "M") or a timedelta64 (kind "m")."""

    __slots__ = ("count", "kind", "nat_unit", "prefix", "unit", "value")

    def __init__(self, kind: str, value: int, unit: str, count: int = 1) -> None:
        self.kind, self.value, self.unit, self.count = kind, value, unit, count
        self.prefix = "np."
        self.nat_unit = True  # whether a NaT tells its unit

    def item(self) -> Any:
        """As the standard library has it, or an int where it cannot."""
        convert = moment if self.kind == "M" else span
        return convert(self.value, self.unit, self.count)

    tolist = item

    def nanoseconds(self) -> Optional[int]:
        """For comparison; None for NaT and units without a fixed length."""
        if self.value == NAT or self.unit == "generic":
            return None
        if self.unit in ("Y", "M"):
            if self.kind == "m":
                return None
            months = self.value * self.count * (12 if self.unit == "Y" else 1)
            year, month = 1970 + months // 12, months % 12 + 1
            days = _days_before(year, month)
            return days * 86400 * 10**18
        days, seconds, fraction = split(self.value * self.count, self.unit)
        scale = 18 - _DIGITS.get(self.unit, 0)
        return (days * 86400 + seconds) * 10**18 + fraction * 10**scale

    def _other(self, other: Any) -> Any:
        if isinstance(other, Time64):
            if other.kind != self.kind:
                return NotImplemented
            if (other.unit, other.count) == (self.unit, self.count):
                if NAT in (self.value, other.value):
                    return None, None
                return self.value, other.value
            return self.nanoseconds(), other.nanoseconds()
        if isinstance(other, (datetime.date, datetime.timedelta)):
            mine = self.item()
            if type(mine) is datetime.date and isinstance(other, datetime.datetime):
                mine = datetime.datetime(mine.year, mine.month, mine.day)
            elif isinstance(mine, datetime.datetime) and type(other) is datetime.date:
                other = datetime.datetime(other.year, other.month, other.day)
            if isinstance(mine, int) or mine is None:
                return None, None
            return mine, other
        return NotImplemented

    def __eq__(self, other: Any) -> Any:
        pair = self._other(other)
        if pair is NotImplemented:
            return pair
        return pair[0] is not None and pair[1] is not None and pair[0] == pair[1]

    def __lt__(self, other: Any) -> Any:
        pair = self._other(other)
        if pair is NotImplemented:
            return pair
        return pair[0] is not None and pair[1] is not None and pair[0] < pair[1]

    def __gt__(self, other: Any) -> Any:
        pair = self._other(other)
        if pair is NotImplemented:
            return pair
        return pair[0] is not None and pair[1] is not None and pair[0] > pair[1]

    def __le__(self, other: Any) -> Any:
        less = self.__lt__(other)
        return less if less is NotImplemented else less or self.__eq__(other)

    def __ge__(self, other: Any) -> Any:
        more = self.__gt__(other)
        return more if more is NotImplemented else more or self.__eq__(other)

    def __hash__(self) -> int:
        return hash((self.kind, self.nanoseconds() or self.value))

    def __int__(self) -> int:
        return self.value

    def __str__(self) -> str:
        if self.kind == "M" or self.value == NAT:
            return text(self.value, self.unit, self.count)
        words = {"Y": "years", "M": "months", "W": "weeks", "D": "days", "h": "hours"}
        words.update({"m": "minutes", "s": "seconds", "ms": "milliseconds"})
        words.update({"us": "microseconds", "ns": "nanoseconds", "ps": "picoseconds"})
        words.update({"fs": "femtoseconds", "as": "attoseconds", "generic": "generic time units"})
        return "%d %s" % (self.value * self.count, words.get(self.unit, self.unit))

    def __repr__(self) -> str:
        name = "datetime64" if self.kind == "M" else "timedelta64"
        unit = unit_text(self.unit, self.count)[1:-1]
        if self.value == NAT:
            body = "'NaT','%s'" % unit if unit and self.nat_unit else "'NaT'"
            return "%s%s(%s)" % (self.prefix, name, body)
        if self.kind == "m":
            return "%s%s(%d%s)" % (self.prefix, name, self.value, ",'%s'" % unit if unit else "")
        shown = text(self.value, self.unit, self.count)
        if self.count == 1:
            return "%s%s('%s')" % (self.prefix, name, shown)
        return "%s%s('%s','%s')" % (self.prefix, name, shown, unit)


def _days_before(year: int, month: int) -> int:
    """Days from 1970 to the first of a month."""
    y = year - (month <= 2)
    era, of_era = divmod(y, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def unit_text(unit: str, count: int) -> str:
    """[ns], [25s], or nothing for the generic unit."""
    if unit == "generic" or not unit:
        return ""
    return "[%s%s]" % (count if count != 1 else "", unit)
