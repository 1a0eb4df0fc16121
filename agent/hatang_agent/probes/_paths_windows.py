"""Interfaces and routes of a Windows machine, by WMI when something changed and every few hours.

Written against Microsoft's pages "Win32_NetworkAdapter class", "Win32_NetworkAdapterConfiguration
class", "Win32_IP4RouteTable class" and "MSFT_NetAdapter class". **Never run on Windows.**
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from hatang_agent.net.routes import Route
from hatang_agent.probes._paths import Card, lasting
from hatang_agent.system import System

AGAIN_MS: Final = 6 * 3_600_000
ADAPTER: Final = (
    "Index",
    "InterfaceIndex",
    "GUID",
    "NetConnectionID",
    "NetConnectionStatus",
    "PhysicalAdapter",
    "PNPDeviceID",
)
CONFIGURATION: Final = (
    "Index",
    "InterfaceIndex",
    "Description",
    "IPAddress",
    "DefaultIPGateway",
    "DNSServerSearchOrder",
)
NET_ADAPTER: Final = ("InterfaceGuid", "Virtual", "HardwareInterface")
ROUTE: Final = ("Destination", "Mask", "NextHop", "InterfaceIndex", "Metric1")
_CONNECTED: Final = 2
_CONNECTED_STATES: Final = frozenset({_CONNECTED, 8, 9, 10, 11, 12})
"""Connected, or connected and waiting for authentication, an address or credentials."""


def read(system: System, memory: dict[str, Any]) -> tuple[list[Card], list[Route]]:
    """Asked again when names, addresses or links change; else the former answer."""
    known = system.usage.interfaces()
    state = {name: (one.mac, one.ipv4, one.ipv6, one.up) for name, one in known.items()}
    now_ms = system.boot_ms()
    asked_ms, before, found = memory.get("windows paths", (0, None, ([], [])))
    if before != state or now_ms - asked_ms > AGAIN_MS:
        found = ask(system)
        memory["windows paths"] = (now_ms, state, found)
    cards, routes = found
    return list(cards), list(routes)


def ask(system: System) -> tuple[list[Card], list[Route]]:
    """Every adapter with a connection name, and the IPv4 routes."""
    configured = {
        one["Index"]: one
        for one in system.wmi("root/cimv2", "Win32_NetworkAdapterConfiguration", CONFIGURATION)
    }
    modern = {
        str(one["InterfaceGuid"]).upper(): one
        for one in system.wmi("root/StandardCimv2", "MSFT_NetAdapter", NET_ADAPTER)
    }
    cards = []
    for adapter in system.wmi("root/cimv2", "Win32_NetworkAdapter", ADAPTER):
        if adapter["NetConnectionID"]:
            settings = configured.pop(adapter["Index"], {})
            cards.append(_card(adapter, settings, modern.get(str(adapter["GUID"]).upper())))
    cards += [dialled for rest in configured.values() if (dialled := _dialled(rest)) is not None]
    return cards, _routes(system, {card.index: card for card in cards if card.index})


def _dialled(settings: Mapping[str, Any]) -> Card | None:
    """A connection that is no adapter of its own: dialled lines (PPPoE) and some tunnels."""
    addresses = lasting([one for one in _texts(settings.get("IPAddress")) if "." in one])
    if not addresses or not settings.get("Description"):
        return None
    return Card(
        device=str(settings["Description"]),
        physical=False,
        up=True,
        ipv4=addresses,
        index=_whole(settings.get("InterfaceIndex")) or 0,
        tunnel=True,
        servers=_servers(settings),
    )


def _routes(system: System, cards: Mapping[int, Card]) -> list[Route]:
    """The IPv4 routes of the adapters, by their index."""
    found: dict[tuple[str, Any, str], Route] = {}
    for row in system.wmi("root/cimv2", "Win32_IP4RouteTable", ROUTE):
        card = cards.get(_whole(row["InterfaceIndex"]) or 0)
        route = _route(row, card.device) if card is not None else None
        if route is not None:
            found.setdefault((route.device, route.network, route.gateway), route)
    return list(found.values())


def _servers(settings: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(_texts(settings.get("DNSServerSearchOrder"))[:3])


def _card(adapter: Mapping[str, Any], settings: Mapping[str, Any], modern: Mapping[str, Any] | None) -> Card:
    addresses = _texts(settings.get("IPAddress"))
    return Card(
        device=str(adapter["NetConnectionID"]),
        physical=_physical(adapter, modern),
        up=_whole(adapter["NetConnectionStatus"]) in _CONNECTED_STATES,
        ipv4=lasting([one for one in addresses if "." in one]),
        ipv6=lasting([one for one in addresses if ":" in one]),
        index=_whole(adapter["InterfaceIndex"]) or _whole(settings.get("InterfaceIndex")) or 0,
        servers=_servers(settings),
    )


def _physical(adapter: Mapping[str, Any], modern: Mapping[str, Any] | None) -> bool:
    pnp = str(adapter["PNPDeviceID"] or "").upper()
    if pnp.startswith(("BTH\\", "BTHENUM\\", "ROOT\\")):
        return False
    if modern is not None and modern["HardwareInterface"] is not None:
        return bool(modern["HardwareInterface"]) and not modern["Virtual"]
    return bool(adapter["PhysicalAdapter"])


def _route(row: Mapping[str, Any], device: str) -> Route | None:
    """A row of the routing table; None for loopback, multicast and single hosts."""
    try:
        network = ipaddress.IPv4Network(f"{row['Destination']}/{row['Mask']}")
        hop = ipaddress.IPv4Address(str(row["NextHop"]))
    except ValueError:
        return None
    if network.is_multicast or network.is_loopback or network.prefixlen == 32:
        return None
    direct = int(hop) == 0 or (hop in network and network.prefixlen > 0)
    return Route(device, network, "" if direct else str(hop), _whole(row["Metric1"]) or 0)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(one) for one in value] if isinstance(value, list) else []


def _whole(value: Any) -> int | None:
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        return None
