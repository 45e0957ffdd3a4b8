# SPDX-License-Identifier: Apache-2.0
"""The link from a surrogate to its record."""

from typing import TYPE_CHECKING, Any, Dict, Optional

from .fields import Fields
from .records import Record

if TYPE_CHECKING:
    from .objects import Graph

#: Where surrogates keep their Ref. Attributes of the program never land in
#: the real namespace of a surrogate, so that no name of theirs meets it.
KEY = "_pydumpd_ref"


class Ref:
    """What a surrogate stands for."""

    __slots__ = ("attrs", "cls", "dict", "extra", "graph", "rec", "_fields")

    def __init__(self, graph: "Graph", rec: Record, cls: Any = None) -> None:
        self.graph = graph
        self.rec = rec
        #: what __class__ gives, when that is not type(surrogate)
        self.cls = cls
        self.attrs: Optional[Dict[str, int]] = None
        self.dict: Any = None
        self.extra: Any = None
        self._fields: Optional[Fields] = None

    @property
    def fields(self) -> Fields:
        """The fields of its C struct."""
        if self._fields is None:
            self._fields = Fields(self.graph, self.rec)
        return self._fields

    def attributes(self) -> Dict[str, int]:
        """name -> reference of the object's own attributes."""
        if self.attrs is None:
            self.attrs = self.graph.attributes(self.rec)
        return self.attrs

    def instance_dict(self) -> Any:
        """The object's __dict__; the same object each time; None for none."""
        if self.dict is None:
            self.dict = self.graph.instance_dict(self.rec)
        return self.dict


def ref_of(obj: Any) -> Ref:
    """The Ref of an object; AttributeError when it is no surrogate."""
    if isinstance(type(obj), type) and issubclass(type(obj), type):
        return type.__getattribute__(obj, KEY)
    return object.__getattribute__(obj, KEY)


def find_ref(obj: Any) -> Optional[Ref]:
    """The same, None when it is no surrogate."""
    try:
        ref = ref_of(obj)
    except AttributeError:
        return None
    return ref if isinstance(ref, Ref) else None
