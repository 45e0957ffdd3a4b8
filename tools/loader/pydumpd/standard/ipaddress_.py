# SPDX-License-Identifier: Apache-2.0
"""IP addresses, networks and interfaces."""

import ipaddress
from typing import Any

from ..refs import Ref
from . import real
from .written import attributes, exactly, whole


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
    whole(cls, ipaddress.IPv4Address)
    return _address(ref, cls)


@real(ipaddress.IPv6Address, "ipaddress.IPv6Address", python=True)
def ipv6_address(ref: Ref, cls: type) -> Any:
    """From its number and scope."""
    whole(cls, ipaddress.IPv6Address)
    return _address(ref, cls)


def _prefix(ref: Ref, cls: type, addresses: type) -> Any:
    whole(cls, cls)
    base, length = attributes(ref, "network_address", "_prefixlen")
    return cls((exactly(base, addresses), exactly(length, int)))


@real(ipaddress.IPv4Network, "ipaddress.IPv4Network", python=True)
def ipv4_network(ref: Ref, cls: type) -> Any:
    """From address and length of the prefix."""
    whole(cls, ipaddress.IPv4Network)
    return _prefix(ref, cls, ipaddress.IPv4Address)


@real(ipaddress.IPv6Network, "ipaddress.IPv6Network", python=True)
def ipv6_network(ref: Ref, cls: type) -> Any:
    """From address and length of the prefix."""
    whole(cls, ipaddress.IPv6Network)
    return _prefix(ref, cls, ipaddress.IPv6Address)


def _interface(ref: Ref, cls: Any, network: type) -> Any:
    ip, net = attributes(ref, "_ip", "network")
    return cls((exactly(ip, int), exactly(net, network).prefixlen))


@real(ipaddress.IPv4Interface, "ipaddress.IPv4Interface", python=True)
def ipv4_interface(ref: Ref, cls: type) -> Any:
    """From address and network."""
    whole(cls, ipaddress.IPv4Interface)
    return _interface(ref, cls, ipaddress.IPv4Network)


@real(ipaddress.IPv6Interface, "ipaddress.IPv6Interface", python=True)
def ipv6_interface(ref: Ref, cls: type) -> Any:
    """From address and network."""
    whole(cls, ipaddress.IPv6Interface)
    return _interface(ref, cls, ipaddress.IPv6Network)
