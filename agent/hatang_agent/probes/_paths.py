"""The paths of a machine: each interface with a way out and, where it has several gateways, each of them.

Physical cards are always among them, so that a dead one is told and not left out. Of virtual
interfaces only those count that lead somewhere: with a gateway, a default route, or a tunnel with routes.
An interface without a link or an address is a path that is ``unusable``, with the reason.
"""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hatang_agent.net import routes as routing
from hatang_agent.net.path import NetPath
from hatang_agent.net.routes import Route
from hatang_agent.system import System

MAX_PATHS = 8

NO_LINK = "no link"
NO_ADDRESS = "no address"

SOURCES = {
    "linux": (
        "file /proc/net/route",
        "file /proc/net/ipv6_route",
        "file /proc/net/if_inet6",
        "files /sys/class/net/<name>/{operstate,carrier,type}, folder device, link master",
        "ioctl SIOCGIFCONF; recorded: `ip addr`",
        "file /etc/resolv.conf, /run/systemd/resolve/resolv.conf",
    ),
    "windows": (
        "library net_if_addrs, net_if_stats",
        "WMI root/cimv2 Win32_NetworkAdapter, Win32_NetworkAdapterConfiguration, Win32_IP4RouteTable",
        "WMI root/StandardCimv2 MSFT_NetAdapter (Windows 8 and later)",
    ),
    "macos": ("library net_if_addrs, net_if_stats",),
}
"""What is read here; the probes that use it name it among their own sources."""


@dataclass(frozen=True, slots=True)
class Card:
    """One interface as its system tells it. ``up`` is None when nobody knows.

    ``servers`` are the name servers that are asked through it.
    """

    device: str
    physical: bool
    up: bool | None
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    index: int = 0
    tunnel: bool = False
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ways:
    """All paths of a machine with its routes, at one instant."""

    paths: tuple[NetPath, ...]
    routes: tuple[Route, ...] = ()
    servers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name servers by interface."""

    def toward(self, path: NetPath, address: str) -> NetPath:
        """The path for one address: past the routes where they would take another gateway."""
        if not path.gateway or ":" in address:
            return path
        chosen = routing.next_hop(self.routes, path.device, address)
        return dataclasses.replace(path, straight=chosen not in ("", path.gateway))


def read(system: System, memory: dict[str, Any]) -> Ways:
    """The paths of this machine now; ``memory`` is the probe's own, and keeps what is costly to ask."""
    if system.platform == "linux":
        from hatang_agent.probes import _paths_linux

        return ways(*_paths_linux.read(system))
    if system.platform == "windows":
        from hatang_agent.probes import _paths_windows

        return ways(*_paths_windows.read(system, memory))
    known = system.usage.interfaces()
    cards = [
        Card(name, name.startswith("en"), one.up, lasting(one.ipv4), lasting(one.ipv6))
        for name, one in sorted(known.items())
    ]
    return ways(cards, [])


def lasting(addresses: Sequence[str]) -> tuple[str, ...]:
    """Addresses that somebody gave: neither of this machine alone nor made up by the interface itself."""
    made_up = ("127.", "169.254.", "0.", "fe80", "::1")
    return tuple(one for one in addresses if one and not one.lower().startswith(made_up))


def ways(cards: Sequence[Card], routes: Sequence[Route]) -> Ways:
    """The paths that interfaces and routes make, physical cards first. Pure."""
    found: list[NetPath] = []
    for card in sorted(cards, key=lambda card: (not card.physical, card.device)):
        if card.physical or leads_out(card, routes):
            found.extend(_paths_of(card, routes))
    servers = {card.device: card.servers for card in cards if card.servers}
    return Ways(tuple(found[:MAX_PATHS]), tuple(routes), servers)


def leads_out(card: Card, routes: Sequence[Route]) -> bool:
    """Whether a virtual interface is a way to other networks."""
    mine = [route for route in routes if route.device == card.device]
    return any(route.gateway or route.default for route in mine) or (card.tunnel and bool(mine))


def _paths_of(card: Card, routes: Sequence[Route]) -> list[NetPath]:
    ipv6 = card.ipv6[0] if len(card.ipv6) == 1 else ""
    alone = NetPath(card.device, card.device, card.index, ipv6=ipv6)
    if card.up is False:
        return [dataclasses.replace(alone, unusable=NO_LINK)]
    if not card.ipv4 and not card.ipv6:
        return [dataclasses.replace(alone, unusable=NO_ADDRESS)]
    family = 0 if card.ipv4 and card.ipv6 else (socket.AF_INET if card.ipv4 else socket.AF_INET6)
    hops = routing.gateways(routes, card.device)
    if len(hops) < 2 or not card.ipv4:
        hop = hops[0] if hops else ""
        ipv4 = routing.beside(routes, card.device, hop, card.ipv4)
        return [dataclasses.replace(alone, gateway=hop, ipv4=ipv4, family=family)]
    paths = [
        NetPath(
            f"{card.device} via {hop}",
            card.device,
            card.index,
            ipv4=routing.beside(routes, card.device, hop, card.ipv4),
            gateway=hop,
            family=socket.AF_INET,
        )
        for hop in hops
    ]
    if card.ipv6:  # it has routers of its own, and must not answer for one of these gateways
        paths.append(dataclasses.replace(alone, name=f"{card.device} ipv6", family=socket.AF_INET6))
    return paths
