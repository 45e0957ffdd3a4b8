# SPDX-License-Identifier: Apache-2.0
"""Sockets, databases, threading.local: what the object has, with what the
header of the dump tells of its file descriptor."""

import socket as real_socket
from typing import Any, Dict, List, Optional, Tuple

from ..marks import NotDumpedError, Placeholder
from ..meta import refuse
from ..refs import ref_of
from . import Absent, Standard, class_name, fields, own, surrogate

# -- sockets

# By number, as Linux has them; the enums here may be those of another system.
_FAMILIES = {
    0: "AF_UNSPEC", 1: "AF_UNIX", 2: "AF_INET", 10: "AF_INET6", 16: "AF_NETLINK", 17: "AF_PACKET",
    29: "AF_CAN", 31: "AF_BLUETOOTH", 38: "AF_ALG", 40: "AF_VSOCK",
}  # fmt: skip
_TYPES = {1: "SOCK_STREAM", 2: "SOCK_DGRAM", 3: "SOCK_RAW", 4: "SOCK_RDM", 5: "SOCK_SEQPACKET"}


def _enum(kind: str, names: Dict[int, str], number: int) -> Any:
    """The member of an enum of this Python, when it means the same."""
    cls = getattr(real_socket, kind, None)
    name = names.get(number)
    member = getattr(cls, name, None) if cls is not None and name else None
    return member if member is not None and int(member) == number else number


def _descriptor(obj: Any) -> Any:
    """What /proc told of its file descriptor, or None."""
    dump = ref_of(obj).graph.dump
    fd = fields(obj).get("fd", -1)
    found = dump.fds.get(fd) if dump is not None and fd >= 0 else None
    family = _FAMILIES.get(fields(obj).get("family", -1))
    if found is not None and family and found.family not in (None, family):
        return None  # the number is another file's by now
    return found


def _address(text: Optional[str], family: int) -> Any:
    """ "127.0.0.1:80" as the socket module gives it."""
    if text is None:
        return None
    if family not in (2, 10):
        return text
    host, _, port = text.rpartition(":")
    if not port.isdigit():
        return text
    host = host[1:-1] if host[:1] == "[" else host
    return (host, int(port)) if family == 2 else (host, int(port), 0, 0)


@surrogate("_socket.socket")
class RawSocket(Standard):
    __slots__ = ()

    def fileno(self) -> int:
        """The descriptor; -1 when it is closed."""
        return fields(self).number("fd")

    @property
    def family(self) -> Any:
        return fields(self)["family"]

    @property
    def type(self) -> Any:
        return fields(self)["type"]

    @property
    def proto(self) -> Any:
        return fields(self)["proto"]

    @property
    def timeout(self) -> Any:
        ns = fields(self).number("timeout_ns")
        return None if ns < 0 else ns / 1e9

    def gettimeout(self) -> Any:
        """Seconds, or None for ever."""
        return RawSocket.timeout.fget(self)  # type: ignore

    def getblocking(self) -> bool:
        """Whether it blocks."""
        return fields(self).number("timeout_ns") != 0

    def getsockname(self) -> Any:
        """Its own address, as /proc told it."""
        return _known(self, "local")

    def getpeername(self) -> Any:
        """Who it is connected to, as /proc told it."""
        return _known(self, "peer")

    @property
    def state(self) -> Any:
        """Of TCP, such as ESTABLISHED."""
        found = _descriptor(self)
        if found is None or found.state is None:
            raise AttributeError("state is not in the dump")
        return found.state

    def recv(self, *args: Any) -> Any:
        raise refuse("recv()")

    def send(self, *args: Any) -> Any:
        raise refuse("send()")

    def close(self) -> Any:
        raise refuse("close()")

    def _shown(self) -> str:
        f = fields(self)
        return "<socket object, fd=%d, family=%d, type=%d, proto=%d>" % (
            f["fd"], f["family"], f["type"], f["proto"]
        )  # fmt: skip


def _known(obj: Any, which: str) -> Any:
    found = _descriptor(obj)
    text = getattr(found, which, None)
    if text is None:
        raise NotDumpedError("the %s address of the socket is not in the dump" % which)
    return _address(text, fields(obj)["family"])


@surrogate("socket.socket")
class Socket(RawSocket):
    __slots__ = ()

    @property
    def family(self) -> Any:
        return _enum("AddressFamily", _FAMILIES, fields(self)["family"])

    @property
    def type(self) -> Any:
        return _enum("SocketKind", _TYPES, fields(self)["type"])

    def _shown(self) -> str:
        f = fields(self)
        closed = own(self, "_closed")
        text = "<%s.%s%s fd=%d, family=%s, type=%s, proto=%d" % (
            *_module_and_name(self),
            " [closed]" if closed is True else "",
            f["fd"],
            _member(self, "AddressFamily", _FAMILIES, f["family"]),
            _member(self, "SocketKind", _TYPES, f["type"]),
            f["proto"],
        )
        if closed is not True:
            found = _descriptor(self)
            if found is None or (found.local is None and f["family"] in (2, 10)):
                text += ", laddr=<not dumped>"  # /proc lists bound ones only
            for name, which in (("laddr", "local"), ("raddr", "peer")):
                address = _address(getattr(found, which, None), f["family"])
                if address:
                    text += ", %s=%r" % (name, address)
        return text + ">"


def _module_and_name(obj: Any) -> Tuple[str, str]:
    ref = ref_of(obj)
    module, name, _ = ref.graph.classes.info(ref.rec.type)
    return module, name


def _member(obj: Any, kind: str, names: Dict[int, str], number: int) -> str:
    """As IntEnum was formatted: by its name up to 3.10, by its number later."""
    if ref_of(obj).graph.python >= (3, 11) or number not in names:
        return "%d" % number
    return "%s.%s" % (kind, names[number])


# -- threading.local


@surrogate("_thread._local")
class Local(Standard):
    """Its attributes are each thread's own: when only one has any, they are
    the object's, else they are in `by_thread`."""

    __slots__ = ()

    @property
    def by_thread(self) -> Any:
        """The ident of each thread that has attributes, and the dict of them."""
        ref = ref_of(self)
        dicts = (ref.graph.get(r) for r in ref.rec.rest())
        return dict(zip(fields(self).get("threads", ()), dicts))

    def __getattr__(self, name: str) -> Any:
        space = _local_dict(self)
        if name in space:
            return space[name]
        raise AttributeError("%r object has no attribute %r" % (class_name(self), name))


def _local_dict(obj: Any) -> Dict[str, Any]:
    found = [d for d in _local_dicts(obj) if isinstance(d, dict)]
    return found[0] if len(found) == 1 else {}


def _local_dicts(obj: Any) -> List[Any]:
    dicts = fields(obj).get("dicts")
    return list(dicts.values()) if isinstance(dicts, dict) else []


# -- others


@surrogate("PyCapsule")
class Capsule(Standard):
    __slots__ = ()

    def _shown(self) -> str:
        name = fields(self)["name"] if "name" in fields(self) else None
        shown = '"%s"' % name if isinstance(name, str) else "NULL"
        return "<capsule object %s at %#x>" % (shown, ref_of(self).rec.addr)


@surrogate("asyncio.events.Handle")
class Handle(Standard):
    """A callback that a loop is to run."""

    __slots__ = ()

    def cancelled(self) -> Any:
        """Whether it was cancelled."""
        return own(self, "_cancelled")

    def _shown(self) -> str:
        info = _handle(self)
        return "<%s>" % " ".join([class_name(self), *info])


@surrogate("asyncio.events.TimerHandle")
class TimerHandle(Handle):
    __slots__ = ()

    def when(self) -> Any:
        """When it is to run, on the loop's clock."""
        return own(self, "_when")

    def _shown(self) -> str:
        info = _handle(self)
        info.insert(1 if own(self, "_cancelled") is True else 0, "when=%s" % (own(self, "_when"),))
        return "<%s>" % " ".join([class_name(self), *info])


def _handle(obj: Any) -> List[str]:
    from .asyncio_ import callback

    saved = own(obj, "_repr")
    if isinstance(saved, str):
        raise Absent("its repr was made when it was cancelled")
    info = ["cancelled"] if own(obj, "_cancelled") is True else []
    func, args = own(obj, "_callback"), own(obj, "_args")
    if func is not None and not isinstance(func, Placeholder):
        shown = isinstance(args, tuple) and ref_of(obj).graph.python < (3, 13)
        info.append(callback(func, args if shown else ()))
    return info
