# SPDX-License-Identifier: Apache-2.0
"""pandas: frames, series, indexes and scalars, through their blocks. Nothing of
pandas is needed, or imported but where the person asks for a real object."""

from typing import Any, Dict, Iterator, List, Optional

from ..marks import NotDumpedError
from ..refs import ref_of
from . import Standard, class_name, generic, inner, surrogate
from .numpy_ import module_release
from .pandas_text import cells, frame_text, listed, quoted, safely, series_text, tuples
from .pandas_values import (
    NA,
    NAT_VALUE,
    Span,
    Stamp,
    Values,
    columns_of,
    frequency,
    index_names,
    index_values,
    multi_levels,
    part,
    values_of,
)


def _manager(obj: Any) -> Any:
    return part(obj, "_mgr", "_data")


def _axes(obj: Any) -> List[Any]:
    found = part(_manager(obj), "axes", "_axes")
    if not isinstance(found, (list, tuple)):
        raise NotDumpedError("the axes are not in the dump")
    return list(found)


def _levels(index: Any) -> List[Values]:
    names = {c.__name__ for c in type.__getattribute__(type(index), "__mro__")}
    if "MultiIndex" in names:
        found = multi_levels(index)
    else:
        one = index_values(index)
        found = None if one is None else [one]
    if found is None:
        raise NotDumpedError("the values of an index are not told: %s" % class_name(index))
    for values in found:
        values.release = release(ref_of(index).graph)
    return found


def _labels(index: Any) -> List[Any]:
    found = index_values(index)
    if found is None:
        raise NotDumpedError("the labels are not told")
    return found.take(range(len(found)))


class Answers(List[Any]):
    """What a comparison says of each value; as a whole it says nothing."""

    def __bool__(self) -> bool:
        if len(self) != 1:
            raise ValueError("the truth of %d values is ambiguous: use any() or all()" % len(self))
        return bool(self[0])


def alike(values: Any, other: Any) -> Any:
    """value == other of each value, or of each two."""
    many = isinstance(other, (list, tuple)) or hasattr(type(other), "tolist")
    if not many or not hasattr(type(other), "__len__"):
        return Answers(v == other for v in values)
    if len(values) != len(other):
        raise ValueError("lengths must match to compare: %d and %d" % (len(values), len(other)))
    return Answers(a == b for a, b in zip(values, other))


class Column:
    """A column of a frame: its values, and the index of the frame."""

    def __init__(self, values: Values, index: Any, name: Any) -> None:
        self.values, self.index, self.name = values, index, name

    @property
    def dtype(self) -> str:
        """The name of it."""
        return self.values.dtype

    @property
    def iloc(self) -> Values:
        """By position."""
        return self.values

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        return (self.values[i] for i in range(len(self.values)))

    def tolist(self) -> List[Any]:
        """All values."""
        return list(self)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return [self.values[i] for i in range(*key.indices(len(self.values)))]
        labels = _labels(self.index)
        found = [i for i, label in enumerate(labels) if label is key or label == key]
        if not found:
            raise KeyError(key)
        return self.values[found[0]] if len(found) == 1 else [self.values[i] for i in found]

    loc = property(lambda self: self)

    def __eq__(self, other: Any) -> Any:
        return alike(self, other)

    __hash__ = None  # type: ignore

    def __repr__(self) -> str:
        return _series_text("Series", self.values, self.index, self.name)


def _series_text(cls: str, values: Values, index: Any, name: Any) -> str:
    footer = []
    freq = _freq_of(index)
    if freq:
        footer.append("Freq: " + freq)
    if name is not None:
        from .pandas_text import _thing

        footer.append("Name: " + _thing(name))
    tail = _categories_text(values.obj) if values.kind == "C" else ""
    footer.append("dtype: " + values.dtype)
    return series_text(cls, _levels(index), index_names(index), values, footer, tail)


def _freq_of(index: Any) -> str:
    name = type(index).__name__
    if name in ("DatetimeIndex", "TimedeltaIndex"):
        freq = part(index, "_freq") or part(part(index, "_data"), "_freq")
        return frequency(freq) if freq is not None else ""
    if name == "PeriodIndex":
        data = part(index, "_data")
        return frequency(part(part(data, "_dtype"), "_freq") or part(data, "_freq"))
    return ""


def _categories_text(obj: Any) -> str:
    dtype = part(obj, "_dtype")
    found = index_values(part(dtype, "_categories"))
    if found is None:
        return ""
    ordered = part(dtype, "_ordered") is True
    sep = " < " if ordered else ", "
    rows = range(min(len(found), 8))
    texts = [quoted(v) for v in found.take(rows)] if found.kind != "i" else [
        t.strip() for t in cells(found, rows)
    ]  # fmt: skip
    if len(found) > 8:
        texts.append("...")
    kind = found.dtype
    return "Categories (%d, %s): [%s]" % (len(found), kind, sep.join(texts))


@surrogate("pandas.core.frame.DataFrame", "pandas.DataFrame")
class DataFrame(Standard):
    """A frame of the program."""

    __slots__ = ()

    @property
    def columns(self) -> Any:
        """The labels' index."""
        return _axes(self)[0]

    @property
    def index(self) -> Any:
        """The rows' index."""
        return _axes(self)[1]

    @property
    def shape(self) -> Any:
        """Rows and columns."""
        columns, index = _axes(self)[:2]
        return len(_levels(index)[0]), len(_levels(columns)[0])

    @property
    def dtypes(self) -> Dict[Any, str]:
        """The name of each column's dtype."""
        return {label: v.dtype if v else "?" for label, v in zip(*_columns(self))}

    @property
    def empty(self) -> bool:
        """Whether it has no value."""
        return 0 in DataFrame.shape.fget(self)  # type: ignore

    def keys(self) -> List[Any]:
        """The labels of the columns."""
        return _labels(_axes(self)[0])

    def items(self) -> Iterator[Any]:
        """Label and column."""
        for label in DataFrame.keys(self):
            yield label, DataFrame.__getitem__(self, label)

    def __len__(self) -> int:
        return DataFrame.shape.fget(self)[0]  # type: ignore

    def __iter__(self) -> Iterator[Any]:
        return iter(DataFrame.keys(self))

    def __contains__(self, label: Any) -> bool:
        return label in DataFrame.keys(self)

    def __getitem__(self, key: Any) -> Any:
        labels, columns = _columns(self)
        if isinstance(key, list):
            return {label: DataFrame.__getitem__(self, label) for label in key}
        found = [i for i, label in enumerate(labels) if label is key or label == key]
        if not found:
            raise KeyError(key)
        values = columns[found[0]]
        if values is None:
            raise NotDumpedError("the values of column %r are not told" % (key,))
        return Column(values, _axes(self)[1], key)

    def to_dict(self, orient: str = "list") -> Dict[Any, Any]:
        """label -> list of values."""
        return {label: column.tolist() for label, column in DataFrame.items(self)}

    def real_frame(self) -> Any:
        """A real pandas.DataFrame, where pandas is installed."""
        import pandas  # noqa: PLC0415  # asked for by the person

        data = {k: [_plain(v) for v in c] for k, c in DataFrame.items(self)}
        index = [_plain(v) for v in _labels(_axes(self)[1])]
        return pandas.DataFrame(data, index=index)

    def _shown(self) -> Any:
        return safely(lambda: _frame_text(self), lambda: generic(self))


def _columns(frame: Any) -> Any:
    ref = ref_of(frame)
    if ref.extra is None:
        labels = _labels(_axes(frame)[0])
        columns = columns_of(_manager(frame), len(labels))
        if columns is None:
            raise NotDumpedError("the blocks are not in the dump")
        for column in columns:
            if column is not None:
                column.release = release(ref.graph)
        ref.extra = labels, columns
    return ref.extra


def _frame_text(frame: Any) -> str:
    axes = _axes(frame)
    labels, columns = _columns(frame)
    levels = _levels(axes[1])
    names = index_names(axes[1])
    heads = index_names(axes[0])
    name = heads[0] if len(heads) == 1 else None
    return frame_text(
        class_name(frame), levels, names, labels, name, columns, len(levels[0]) if levels else 0
    )


def _plain(value: Any) -> Any:
    """As real pandas takes it."""
    if value is NAT_VALUE or value is NA:
        return None
    if isinstance(value, Stamp):
        import pandas  # noqa: PLC0415  # asked for by the person

        return pandas.Timestamp(str(value))
    if isinstance(value, Span):
        import pandas  # noqa: PLC0415  # asked for by the person

        return pandas.Timedelta(value.text())
    return value


@surrogate("pandas.core.series.Series", "pandas.Series")
class Series(Standard):
    """A series of the program."""

    __slots__ = ()
    _public = ("_column",)

    def _column(self) -> Column:
        ref = ref_of(self)
        if ref.extra is None:
            blocks = part(_manager(self), "blocks")
            block = blocks[0] if isinstance(blocks, (tuple, list)) and len(blocks) == 1 else None
            values = values_of(part(block, "values"))
            if values is None:
                raise NotDumpedError("the values are not told: %s" % type(block).__name__)
            values.release = release(ref.graph)
            ref.extra = Column(values, _axes(self)[0], part(self, "_name"))
        return ref.extra

    @property
    def index(self) -> Any:
        """The rows' index."""
        return _axes(self)[0]

    @property
    def name(self) -> Any:
        """Its own."""
        return part(self, "_name")

    @property
    def dtype(self) -> str:
        """The name of it."""
        return self._column().dtype

    @property
    def iloc(self) -> Values:
        """By position."""
        return self._column().values

    @property
    def shape(self) -> Any:
        """One number."""
        return (len(self._column()),)

    def tolist(self) -> List[Any]:
        """All values."""
        return self._column().tolist()

    def real_series(self) -> Any:
        """A real pandas.Series, where pandas is installed."""
        import pandas  # noqa: PLC0415  # asked for by the person

        index = [_plain(v) for v in _labels(_axes(self)[0])]
        return pandas.Series([_plain(v) for v in self._column()], index, name=part(self, "_name"))

    def __len__(self) -> int:
        return len(self._column())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._column())

    def __getitem__(self, key: Any) -> Any:
        return self._column()[key]

    def __contains__(self, label: Any) -> bool:
        return label in _labels(_axes(self)[0])

    def __eq__(self, other: Any) -> Any:
        if isinstance(other, (Series, Column)) and _labels(other.index) != _labels(_axes(self)[0]):
            raise ValueError("can only compare series with the same labels")
        return alike(self._column(), other)

    __hash__ = None  # type: ignore

    def _shown(self) -> Any:
        def make() -> str:
            column = self._column()
            return _series_text(class_name(self), column.values, column.index, column.name)

        return safely(make, lambda: generic(self))


class Valued(Standard):
    """What has values one behind the other; `_read` finds them."""

    __slots__ = ()
    _public = ("_found",)

    def _found(self) -> Values:
        ref = ref_of(self)
        if ref.extra is None:
            found = inner(self, "_read")
            if found is None:
                raise NotDumpedError("the values are not told: %s" % class_name(self))
            found.release = release(ref.graph)
            ref.extra = found
        return ref.extra

    def tolist(self) -> List[Any]:
        """All values."""
        found = self._found()
        return found.take(range(len(found)))

    def __len__(self) -> int:
        return len(self._found())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __getitem__(self, key: Any) -> Any:
        found = self._found()
        if isinstance(key, slice):
            return found.take(range(*key.indices(len(found))))
        return found[key]

    def __contains__(self, value: Any) -> bool:
        return value in self.tolist()


@surrogate("pandas.core.indexes.base.Index", "pandas.Index")
class Index(Valued):
    """An index of the program."""

    __slots__ = ()

    def _read(self) -> Optional[Values]:
        return index_values(self)

    @property
    def name(self) -> Any:
        """Its own."""
        return part(self, "_name", "name")

    @property
    def names(self) -> List[Any]:
        """Of its levels."""
        return index_names(self)

    @property
    def dtype(self) -> str:
        """The name of it."""
        return self._found().dtype

    def __eq__(self, other: Any) -> Any:
        return alike(self.tolist(), other)

    __hash__ = None  # type: ignore

    def _shown(self) -> Any:
        return safely(lambda: _index_text(self), lambda: generic(self))


def _index_text(index: Any) -> str:
    name = class_name(index)
    found = index._found()
    label = part(index, "_name", "name")
    tail = ", name=%s" % quoted(label) if label is not None else ""
    if name == "RangeIndex":
        span = part(index, "_range")
        if not isinstance(span, range):
            span = range(part(index, "_start"), part(index, "_stop"), part(index, "_step"))
        return "RangeIndex(start=%d, stop=%d, step=%d%s)" % (
            span.start, span.stop, span.step, tail,
        )  # fmt: skip
    prefix = len(name) + 1
    if found.kind == "T":
        rows = tuples(found, prefix)
        names = index_names(index)
        more = ""
        if any(n is not None for n in names):
            more = "names=[%s]" % ", ".join(quoted(n) if n is not None else "None" for n in names)
        if len(found) > 100:
            more += (", " if more else "") + "length=%d" % len(found)
        return "%s(%s,\n%s%s)" % (name, rows, " " * prefix, more)
    if found.kind == "C":
        return "%s(%s, %s, dtype='category'%s)" % (
            name, listed(found, len(name)).rstrip(", "), _category_arguments(found.obj), tail,
        )  # fmt: skip
    parts = ["dtype='%s'" % found.dtype]
    if label is not None:
        parts.append("name=%s" % quoted(label))
    if len(found) > 100:
        parts.append("length=%d" % len(found))
    if name in ("DatetimeIndex", "TimedeltaIndex"):
        freq = _freq_of(index)
        parts.append("freq=%s" % ("'%s'" % freq if freq else None))
    text = listed(found, len(name))
    if release(ref_of(index).graph) < (3, 1):
        return "%s(%s%s)" % (name, text, ", ".join(parts))
    return "%s(%s)" % (name, _filled(parts, text, prefix))


def _filled(parts: List[str], text: str, indent: int) -> str:
    """A text, and parts with commas in lines of 80 characters behind it."""
    line = len(text.rpartition("\n")[2]) if "\n" in text else indent + len(text)
    out = text
    for i, one in enumerate(parts):
        sep = ", " if i else ""
        if line + len(sep) + len(one) + (i < len(parts) - 1) > 80:
            out = "%s%s\n%s%s" % (out.rstrip(" "), sep.rstrip(), " " * indent, one)
            line = indent + len(one)
        else:
            out += sep + one
            line += len(sep) + len(one)
    return out


def release(graph: Any) -> Any:
    """(2, 1) for pandas 2.1.4, or what is usual now."""
    found = graph.__dict__.get("_pydumpd_pandas")
    if found is None:
        found = module_release(graph, "pandas")
        graph.__dict__["_pydumpd_pandas"] = found
    return found if found != (0, 0) else (2, 3)


def _category_arguments(obj: Any) -> str:
    dtype = part(part(obj, "_data"), "_dtype") or part(obj, "_dtype")
    found = index_values(part(dtype, "_categories"))
    texts = [quoted(v) for v in found.take(range(len(found)))] if found is not None else ["?"]
    return "categories=[%s], ordered=%s" % (", ".join(texts), part(dtype, "_ordered") is True)


# -- arrays


@surrogate(
    "pandas.core.arrays.base.ExtensionArray",
    "pandas.api.extensions.ExtensionArray",
    "pandas._libs.arrays.NDArrayBacked",
)
class ExtensionArray(Valued):
    """An array of pandas' own kinds."""

    __slots__ = ()

    def _read(self) -> Optional[Values]:
        return values_of(self)

    @property
    def dtype(self) -> Any:
        """The dtype of the dump, or its name."""
        found = part(self, "_dtype")
        return self._found().dtype if found is None else found

    def __eq__(self, other: Any) -> Any:
        return alike(self.tolist(), other)

    __hash__ = None  # type: ignore

    def _shown(self) -> Any:
        def make() -> str:
            found = self._found()
            inner = listed(found, -2).rstrip(", \n")
            if found.kind == "C":
                return "%s\n%s" % (inner, _categories_text(found.obj))
            return "<%s>\n%s\nLength: %d, dtype: %s" % (
                class_name(self), inner, len(found), found.dtype,
            )  # fmt: skip

        return safely(make, lambda: generic(self))


def _derived(mixin: type, module: str, public: str, names: str) -> None:
    """Classes that derive from it have special methods of their own, which
    would refuse: each gets a mixin that stands before them."""
    for name in names.split():
        path, _, cls = name.rpartition(".")
        known = type(cls, (mixin,), {"__slots__": (), "__doc__": mixin.__doc__})
        surrogate("%s.%s.%s" % (module, path, cls), "%s.%s" % (public, cls))(known)


_derived(
    Index, "pandas.core.indexes", "pandas",
    "range.RangeIndex multi.MultiIndex datetimes.DatetimeIndex timedeltas.TimedeltaIndex "
    "period.PeriodIndex category.CategoricalIndex interval.IntervalIndex numeric.NumericIndex "
    "numeric.Int64Index numeric.UInt64Index numeric.Float64Index",
)  # fmt: skip
_derived(
    ExtensionArray, "pandas.core.arrays", "pandas.arrays",
    "datetimes.DatetimeArray timedeltas.TimedeltaArray period.PeriodArray string_.StringArray "
    "numpy_.PandasArray numpy_.NumpyExtensionArray integer.IntegerArray floating.FloatingArray "
    "boolean.BooleanArray interval.IntervalArray",
)  # fmt: skip
surrogate("pandas.core.arrays.categorical.Categorical", "pandas.Categorical")(
    type("Categorical", (ExtensionArray,), {"__slots__": (), "__doc__": ExtensionArray.__doc__})
)
