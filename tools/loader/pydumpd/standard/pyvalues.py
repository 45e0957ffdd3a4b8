# SPDX-License-Identifier: Apache-2.0
"""Values whose types are written in Python: fractions, UUIDs, IP addresses."""

import fractions
import ipaddress
import uuid
from typing import Any

from ..refs import Ref
from . import Absent, real
from .written import attributes, exactly


def _whole(cls: type, wanted: type) -> None:
    if cls is not wanted:
        raise Absent("a class of the program")


@real(fractions.Fraction, "fractions.Fraction", python=True)
def fraction(ref: Ref, cls: type) -> Any:
    """From numerator and denominator."""
    _whole(cls, fractions.Fraction)
    n, d = attributes(ref, "_numerator", "_denominator")
    return fractions.Fraction(exactly(n, int), exactly(d, int))


@real(uuid.UUID, "uuid.UUID", python=True)
def uuid_(ref: Ref, cls: type) -> Any:
    """From its 128 bits."""
    _whole(cls, uuid.UUID)
    (bits,) = attributes(ref, "int")
    return uuid.UUID(int=exactly(bits, int))


def _address(ref: Ref, cls: Any) -> Any:
    (ip,) = attributes(ref, "_ip")
    made = cls(exactly(ip, int))
    if "_scope_id" in ref.attributes():
        (scope,) = attributes(ref, "_scope_id")
        if scope is not None:
            made = cls("%s%%%s" % (made, exactly(scope, str)))
    return made


@real(ipaddress.IPv4Address, "ipaddress.IPv4Address", python=True)
def ipv4_address(ref: Ref, cls: type) -> Any:
    """From its number."""
    _whole(cls, ipaddress.IPv4Address)
    return _address(ref, cls)


@real(ipaddress.IPv6Address, "ipaddress.IPv6Address", python=True)
def ipv6_address(ref: Ref, cls: type) -> Any:
    """From its number and scope."""
    _whole(cls, ipaddress.IPv6Address)
    return _address(ref, cls)


def _prefix(ref: Ref, cls: type, addresses: type) -> Any:
    _whole(cls, cls)
    base, length = attributes(ref, "network_address", "_prefixlen")
    return cls((exactly(base, addresses), exactly(length, int)))


@real(ipaddress.IPv4Network, "ipaddress.IPv4Network", python=True)
def ipv4_network(ref: Ref, cls: type) -> Any:
    """From address and length of the prefix."""
    _whole(cls, ipaddress.IPv4Network)
    return _prefix(ref, cls, ipaddress.IPv4Address)


@real(ipaddress.IPv6Network, "ipaddress.IPv6Network", python=True)
def ipv6_network(ref: Ref, cls: type) -> Any:
    """From address and length of the prefix."""
    _whole(cls, ipaddress.IPv6Network)
    return _prefix(ref, cls, ipaddress.IPv6Address)


def _interface(ref: Ref, cls: Any, network: type) -> Any:
    ip, net = attributes(ref, "_ip", "network")
    return cls((exactly(ip, int), exactly(net, network).prefixlen))


@real(ipaddress.IPv4Interface, "ipaddress.IPv4Interface", python=True)
def ipv4_interface(ref: Ref, cls: type) -> Any:
    """From address and network."""
    _whole(cls, ipaddress.IPv4Interface)
    return _interface(ref, cls, ipaddress.IPv4Network)


@real(ipaddress.IPv6Interface, "ipaddress.IPv6Interface", python=True)
def ipv6_interface(ref: Ref, cls: type) -> Any:
    """From address and network."""
    _whole(cls, ipaddress.IPv6Interface)
    return _interface(ref, cls, ipaddress.IPv6Network)
