# SPDX-License-Identifier: Apache-2.0
"""Arrays without numpy: raw items in C order, and views on them."""

from itertools import islice
from typing import Any, Callable, Iterator, List, Optional, Tuple

from ..marks import NotDumpedError
from .numpy_dtype import TYPES, Dtype

Get = Callable[[int], Any]
BOOL = Dtype(0)


class Array:
    """An array over bytes: basic indexing, iteration, comparison, text.

    `data` may be shorter than the items need: what is missing raises
    NotDumpedError, and the text says so.
    """

    __slots__ = ("_decode", "_scalar", "data", "dtype", "get", "name", "note", "numpy", "offset",
                 "shape", "strides")  # fmt: skip

    def __init__(
        self,
        dtype: Dtype,
        shape: Tuple[int, ...],
        data: bytes,
        get: Get,
        *,
        offset: int = 0,
        strides: Optional[Tuple[int, ...]] = None,
        numpy: Tuple[int, int] = (2, 0),
        note: str = "",
    ) -> None:
        self.dtype, self.data, self.get, self.offset = dtype, data, get, offset
        self.shape = shape
        if strides is None:
            steps, size = [], dtype.itemsize
            for n in reversed(shape):
                steps.append(size)
                size *= n
            strides = tuple(reversed(steps))
        self.strides = strides
        self.numpy = numpy  # the release that is imitated
        self.note = note
        self.name = "array"
        self._decode = dtype.decoder(get)
        self._scalar = dtype.decoder(get, True)

    # -- shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of items."""
        n = 1
        for d in self.shape:
            n *= d
        return n

    @property
    def nbytes(self) -> int:
        """Bytes of all items."""
        return self.size * self.dtype.itemsize

    @property
    def itemsize(self) -> int:
        """Bytes of one item."""
        return self.dtype.itemsize

    @property
    def T(self) -> "Array":
        """Transposed."""
        return self._view(self.offset, self.shape[::-1], self.strides[::-1])

    def whole(self) -> bool:
        """Whether every item is here."""
        if not self.size:
            return True
        last = sum((n - 1) * s for n, s in zip(self.shape, self.strides) if s > 0)
        return self.offset + last + self.dtype.itemsize <= len(self.data)

    def _view(self, offset: int, shape: Tuple[int, ...], strides: Tuple[int, ...]) -> "Array":
        return Array(
            self.dtype, shape, self.data, self.get,
            offset=offset, strides=strides, numpy=self.numpy, note=self.note,
        )  # fmt: skip

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    # -- items

    def _check(self, offset: int) -> None:
        if offset < 0 or offset + self.dtype.itemsize > len(self.data):
            raise NotDumpedError("the item is not in the dump (%s)" % (self.note or "cut"))

    def at(self, offset: int) -> Any:
        """The item at an offset in the data, as indexing gives it."""
        self._check(offset)
        return self._scalar(self.data, offset)

    def offsets(self) -> Iterator[int]:
        """Offsets of all items, in C order."""
        if not self.size:
            return
        index = [0] * self.ndim
        at = self.offset
        while True:
            yield at
            for axis in range(self.ndim - 1, -1, -1):
                index[axis] += 1
                at += self.strides[axis]
                if index[axis] < self.shape[axis]:
                    break
                at -= self.strides[axis] * index[axis]
                index[axis] = 0
            else:
                return

    def flat(self) -> Iterator[Any]:
        """All items in C order."""
        for at in self.offsets():
            yield self.at(at)

    def item(self, *index: int) -> Any:
        """One item as plain Python has it."""
        if not index:
            if self.size != 1:
                raise ValueError("can only convert an array of size 1 to a Python scalar")
            at = self.offset
        elif len(index) == 1 and self.ndim != 1:
            found = next(islice(self.offsets(), index[0], None), None) if index[0] >= 0 else None
            if found is None:
                raise IndexError("index %d is out of bounds" % index[0])
            at = found
        else:
            at = self._locate(index).offset
        self._check(at)
        return self._decode(self.data, at)

    def tolist(self) -> Any:
        """Nested lists of plain values."""
        if not self.shape:
            return self.item()
        self._bounded()
        if not self.size:
            out: Any = []
            for n in reversed(self.shape):
                out = [_copy(out) for _ in range(n)]
            return out
        if not self.whole():
            raise NotDumpedError("not all items are in the dump (%s)" % (self.note or "cut"))
        items = [self._decode(self.data, at) for at in self.offsets()]
        for n in reversed(self.shape[1:]):
            items = [items[i : i + n] for i in range(0, len(items), n)]
        return items

    def _locate(self, index: Tuple[Any, ...]) -> "Array":
        """Integers, slices, None and Ellipsis."""
        given = sum(1 for i in index if i is not None and i is not Ellipsis)
        if given > self.ndim:
            raise IndexError("too many indices for array: array is %d-dimensional" % self.ndim)
        if not any(i is Ellipsis for i in index):
            index = (*index, Ellipsis)
        offset, shape, strides, axis = self.offset, [], [], 0
        for i in index:
            if i is None:
                shape.append(1)
                strides.append(0)
            elif i is Ellipsis:
                while axis < self.ndim - (
                    given - sum(_takes(j) for j in index[: index.index(...)])
                ):
                    shape.append(self.shape[axis])
                    strides.append(self.strides[axis])
                    axis += 1
            elif isinstance(i, slice):
                picked = range(*i.indices(self.shape[axis]))
                offset += picked.start * self.strides[axis] if picked else 0
                shape.append(len(picked))
                strides.append(self.strides[axis] * picked.step)
                axis += 1
            elif hasattr(type(i), "__index__"):
                n = i.__index__()
                if not -self.shape[axis] <= n < self.shape[axis]:
                    raise IndexError(
                        "index %d is out of bounds for axis %d with size %d"
                        % (n, axis, self.shape[axis])
                    )
                offset += (n % self.shape[axis]) * self.strides[axis]
                axis += 1
            else:
                raise IndexError("without numpy: only integers, slices, `...`, None and fields")
        return self._view(offset, tuple(shape), tuple(strides))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self.of_field(key)
        if isinstance(key, (list, Array)):
            return self._pick(key)
        index = key if isinstance(key, tuple) else (key,)
        found = self._locate(index)
        if not found.shape and not any(i is Ellipsis for i in index):
            return found.at(found.offset)
        return found

    def _pick(self, key: Any) -> "Array":
        """Rows by a list of positions or of truths."""
        if isinstance(key, Array):
            key = key.tolist()
        if any(isinstance(k, list) for k in key):
            raise IndexError("without numpy: only one list of positions or truths")
        if key and all(isinstance(k, bool) for k in key):
            if len(key) != len(self):
                raise IndexError("boolean index did not match the array")
            key = [i for i, k in enumerate(key) if k]
        rows = b"".join(self._locate((k,)).tobytes() for k in key)
        return Array(self.dtype, (len(key), *self.shape[1:]), rows, self.get, numpy=self.numpy)

    def of_field(self, name: str) -> "Array":
        """The array of one field of a structured dtype."""
        f = self.dtype.field(name)
        base, extra = f.dtype.base, f.dtype.shape
        steps, size = [], base.itemsize
        for n in reversed(extra):
            steps.append(size)
            size *= n
        return Array(
            base, self.shape + extra, self.data, self.get,
            offset=self.offset + f.offset, strides=self.strides + tuple(reversed(steps)),
            numpy=self.numpy, note=self.note,
        )  # fmt: skip

    def tobytes(self) -> bytes:
        """The items' bytes in C order."""
        self._bounded()
        if not self.whole():
            raise NotDumpedError("not all items are in the dump (%s)" % (self.note or "cut"))
        size = self.dtype.itemsize
        return b"".join(self.data[at : at + size] for at in self.offsets())

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, value: Any) -> bool:
        return any(v == value for v in self.flat())

    def ravel(self) -> "Array":
        """All items in one dimension."""
        return Array(self.dtype, (self.size,), self.tobytes(), self.get, numpy=self.numpy)

    flatten = ravel

    def reshape(self, *shape: Any) -> "Array":
        """The items in C order in another shape."""
        if len(shape) == 1 and isinstance(shape[0], tuple):
            shape = shape[0]
        known = 1
        for n in shape:
            known *= n if n != -1 else 1
        shape = tuple(self.size // known if n == -1 else n for n in shape)
        size = 1
        for n in shape:
            size *= n
        if size != self.size:
            raise ValueError("cannot reshape array of size %d into shape %r" % (self.size, shape))
        return Array(self.dtype, shape, self.tobytes(), self.get, numpy=self.numpy)

    # -- comparison and what is asked of truths and numbers

    def _compare(self, other: Any, test: Callable[[Any, Any], Any]) -> Any:
        if isinstance(other, (list, tuple)) or hasattr(type(other), "tolist"):
            theirs = other.tolist() if hasattr(type(other), "tolist") else other
            if isinstance(theirs, (list, tuple)):
                mine = self.tolist()
                if _shape_of(theirs) != self.shape:
                    raise ValueError("without numpy: only arrays of one shape are compared")
                pairs = zip(_leaves(mine, self.ndim), _leaves(theirs, self.ndim))
                flags = bytes(bool(test(a, b)) for a, b in pairs)
                return Array(BOOL, self.shape, flags, self.get, numpy=self.numpy)
            other = theirs
        flags = bytes(bool(test(self._scalar(self.data, at), other)) for at in self._all())
        if not self.shape:
            return bool(flags[0])
        return Array(BOOL, self.shape, flags, self.get, numpy=self.numpy)

    def _bounded(self) -> None:
        """Repeated items, and none many times, are not listed without end."""
        count = 1
        for n in self.shape:
            count *= max(n, 1)
        if count > 1 << 26 and count > len(self.data):
            raise NotDumpedError("too many items to be listed: %d" % count)

    def _all(self) -> Iterator[int]:
        self._bounded()
        if not self.whole():
            raise NotDumpedError("not all items are in the dump (%s)" % (self.note or "cut"))
        return self.offsets()

    def __eq__(self, other: Any) -> Any:
        return self._compare(other, lambda a, b: a == b)

    def __ne__(self, other: Any) -> Any:
        return self._compare(other, lambda a, b: a != b)

    def __lt__(self, other: Any) -> Any:
        return self._compare(other, lambda a, b: a < b)

    def __le__(self, other: Any) -> Any:
        return self._compare(other, lambda a, b: a <= b)

    def __gt__(self, other: Any) -> Any:
        return self._compare(other, lambda a, b: a > b)

    def __ge__(self, other: Any) -> Any:
        return self._compare(other, lambda a, b: a >= b)

    __hash__ = None  # type: ignore

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                "The truth value of an array with %s is ambiguous. Use a.any() or a.all()"
                % ("more than one element" if self.size else "no elements")
            )
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __index__(self) -> int:
        if self.shape or self.dtype.kind not in "iu":
            raise TypeError("only integer scalar arrays can be converted to a scalar index")
        return int(self.item())

    def all(self) -> bool:
        """Whether every item is true."""
        return all(map(bool, (self._decode(self.data, at) for at in self._all())))

    def any(self) -> bool:
        """Whether an item is true."""
        return any(map(bool, (self._decode(self.data, at) for at in self._all())))

    def min(self) -> Any:
        """The least item; NaN when there is one."""
        return self._extreme(min)

    def max(self) -> Any:
        """The greatest item; NaN when there is one."""
        return self._extreme(max)

    def _extreme(self, pick: Callable[[List[Any]], Any]) -> Any:
        items = [self._scalar(self.data, at) for at in self._all()]
        odd = [v for v in items if v != v]
        return odd[0] if odd else pick(items)

    # -- text, and the real thing

    def __repr__(self) -> str:
        from .numpy_text import array_repr

        return array_repr(self)

    def __str__(self) -> str:
        from .numpy_text import array_str

        return array_str(self)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        """A real numpy array: asked for by numpy.asarray(x)."""
        out = real_array(self)
        return out if dtype is None else out.astype(dtype)

    def real_array(self) -> Any:
        """A real numpy array, where numpy is installed."""
        return real_array(self)


def real_dtype(dtype: Dtype) -> Any:
    """A numpy.dtype; ImportError without numpy."""
    import numpy  # noqa: PLC0415  # asked for by the person

    if dtype.subdtype:
        return numpy.dtype((real_dtype(dtype.subdtype[0]), dtype.subdtype[1]))
    if dtype.fields is None:
        if dtype.kind in "fc" and dtype.itemsize >= 16 and dtype.num != 15:
            return numpy.dtype(dtype.char)
        if dtype.kind in "iu" and dtype.num in TYPES:
            return numpy.dtype(dtype.char).newbyteorder(">" if dtype.swapped else "=")
        return numpy.dtype(dtype.str)
    spec = {
        "names": [f.name for f in dtype.fields],
        "formats": [real_dtype(f.dtype) for f in dtype.fields],
        "offsets": [f.offset for f in dtype.fields],
        "itemsize": dtype.itemsize,
    }
    if any(f.title is not None for f in dtype.fields):
        spec["titles"] = [f.title for f in dtype.fields]
    return numpy.dtype(spec, align=dtype.aligned)


def real_array(array: Array) -> Any:
    """A numpy array with the same items; ImportError without numpy."""
    import numpy  # noqa: PLC0415  # asked for by the person

    dtype = real_dtype(array.dtype)
    if not array.dtype.has_objects:
        data = bytearray(array.tobytes()) or bytearray(1)
        return numpy.ndarray(array.shape, dtype, data)
    out = numpy.empty(array.shape, dtype)
    for index in numpy.ndindex(*array.shape):
        found = array._locate(index)
        out[index] = found._decode(found.data, found.offset)
    return out


def _takes(index: Any) -> bool:
    return index is not None and index is not Ellipsis


def _copy(value: Any) -> Any:
    return list(value) if isinstance(value, list) else value


def _shape_of(value: Any) -> Tuple[int, ...]:
    shape: List[int] = []
    while isinstance(value, (list, tuple)):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _leaves(value: Any, depth: int) -> List[Any]:
    items = [value]
    for _ in range(depth):
        items = [leaf for item in items for leaf in item]
    return items
