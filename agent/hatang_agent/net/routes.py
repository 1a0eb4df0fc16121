"""The IPv4 and IPv6 routes of a system, and the next hop they choose. Pure."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_UP: Final = 0x1  # RTF_UP
_REJECT: Final = 0x200  # RTF_REJECT

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Route:
    """One row of a routing table; ``gateway`` is '' where the destination itself is the next hop."""

    device: str
    network: Network
    gateway: str = ""
    metric: int = 0

    @property
    def default(self) -> bool:
        """Whether it is for everything."""
        return self.network.prefixlen == 0


def of_proc(text: str) -> list[Route]:
    """IPv4 routes of ``/proc/net/route``; lines that are none are passed over."""
    found = []
    for line in text.splitlines()[1:]:
        parts = line.split()
        try:
            name, destination, gateway, mask = parts[0], parts[1], parts[2], parts[7]
            flags, metric = int(parts[3], 16), int(parts[6])
            network = ipaddress.ip_network(f"{_swapped(destination)}/{_swapped(mask)}")
            next_hop = "" if int(gateway, 16) == 0 else _swapped(gateway)
        except (IndexError, ValueError, OSError):
            continue
        if flags & _UP and not flags & _REJECT:
            found.append(Route(name, network, next_hop, metric))
    return found


def _swapped(digits: str) -> str:
    """An address as the kernel writes it on machines of this kind: least octet first."""
    return socket.inet_ntop(socket.AF_INET, bytes.fromhex(digits)[::-1])


def of_proc6(text: str) -> list[Route]:
    """IPv6 routes of ``/proc/net/ipv6_route``: no host routes of our own, no loopback, no multicast."""
    found = []
    for line in text.splitlines():
        parts = line.split()
        try:
            address, length, gateway = parts[0], int(parts[1], 16), parts[4]
            metric, flags, name = int(parts[5], 16), int(parts[8], 16), parts[9]
            network = ipaddress.ip_network((bytes.fromhex(address), length))
            next_hop = ipaddress.ip_address(bytes.fromhex(gateway))
        except (IndexError, ValueError):
            continue
        plain = flags & _UP and not flags & _REJECT and name != "lo"
        if plain and length < 128 and not network.is_multicast and not network.is_link_local:
            found.append(Route(name, network, "" if int(next_hop) == 0 else str(next_hop), metric))
    return found


def gateways(routes: Iterable[Route], device: str) -> tuple[str, ...]:
    """The IPv4 next hops of an interface, that of its best default route first."""
    mine = [route for route in routes if route.device == device and route.gateway]
    mine = [route for route in mine if route.network.version == 4]
    mine.sort(key=lambda route: (route.network.prefixlen, route.metric, route.gateway))
    return tuple(dict.fromkeys(route.gateway for route in mine))


def next_hop(routes: Sequence[Route], device: str, address: str) -> str:
    """The gateway that the system takes to an address by this interface; '' when there is none to take."""
    asked = ipaddress.ip_address(address.partition("%")[0])
    fitting = [
        route
        for route in routes
        if route.device == device and route.network.version == asked.version and asked in route.network
    ]
    best = min(fitting, key=lambda route: (-route.network.prefixlen, route.metric), default=None)
    return best.gateway if best is not None else ""


def beside(routes: Sequence[Route], device: str, gateway: str, own: Sequence[str]) -> str:
    """Which of an interface's own addresses lies in one network with its gateway, '' when none does."""
    if not gateway:
        return own[0] if len(own) == 1 else ""
    hop = ipaddress.ip_address(gateway)
    direct = [
        route.network
        for route in routes
        if route.device == device and not route.gateway and not route.default and hop in route.network
    ]
    for address in own:
        if any(ipaddress.ip_address(address) in network for network in direct):
            return address
    return own[0] if len(own) == 1 else ""
