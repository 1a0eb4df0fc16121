"""Interfaces and routes of a Linux machine, from /proc/net and /sys/class/net."""

from __future__ import annotations

import ipaddress
from typing import Final

from hatang_agent.net import routes as routing
from hatang_agent.net.names import local, servers_of
from hatang_agent.net.routes import Route
from hatang_agent.probes._paths import Card, lasting
from hatang_agent.system import System

_TUNNELS: Final = frozenset({"512", "65534"})  # ARPHRD_PPP, ARPHRD_NONE in include/uapi/linux/if_arp.h
_TEMPORARY: Final = 0x01  # IFA_F_TEMPORARY
_UNUSABLE: Final = 0x08 | 0x40  # IFA_F_DADFAILED, IFA_F_TENTATIVE


def read(system: System) -> tuple[list[Card], list[Route]]:
    """Every interface but those that are part of a bond or bridge, and every route."""
    routes = [
        *routing.of_proc(system.read_text("/proc/net/route") or ""),
        *routing.of_proc6(system.read_text("/proc/net/ipv6_route") or ""),
    ]
    known = system.usage.interfaces()
    ipv6 = addresses6(system.read_text("/proc/net/if_inet6") or "")
    names = set(system.list_dir("/sys/class/net")) or {*known, *ipv6}
    servers = name_servers(system)
    cards = [
        _card(system, name, known[name].ipv4 if name in known else (), ipv6.get(name, ()), servers)
        for name in sorted(names - {"lo", "bonding_masters"})
        if system.link_target(f"/sys/class/net/{name}/master") is None
    ]
    return cards, routes


def name_servers(system: System) -> tuple[str, ...]:
    """The name servers of the system, those behind a helper on this machine where it tells them."""
    told = servers_of(system.read_text("/etc/resolv.conf") or "")
    if told and not all(local(server) for server in told):
        return tuple(server for server in told if not local(server))
    behind = servers_of(system.read_text("/run/systemd/resolve/resolv.conf") or "")
    return tuple(server for server in behind if not local(server))


def _card(
    system: System, name: str, ipv4: tuple[str, ...], ipv6: tuple[str, ...], servers: tuple[str, ...]
) -> Card:
    folder = f"/sys/class/net/{name}"
    recorded = system.read_text(f"{folder}/type") is not None or bool(system.list_dir(folder))
    hardware = bool(system.list_dir(f"{folder}/device")) or system.link_target(f"{folder}/device") is not None
    physical = hardware if recorded else name.startswith(("eth", "en", "wl", "ww", "usb"))
    kind = (system.read_text(f"{folder}/type") or "").strip()
    return Card(
        device=name,
        physical=physical,
        up=_up(system, folder) if recorded else None,
        ipv4=lasting(ipv4),
        ipv6=lasting(ipv6),
        tunnel=kind in _TUNNELS,
        servers=servers,
    )


def _up(system: System, folder: str) -> bool | None:
    """By the state of the link; ``unknown`` is what drivers without link detection say."""
    state = (system.read_text(f"{folder}/operstate") or "").strip()
    carrier = (system.read_text(f"{folder}/carrier") or "").strip()
    if state == "up" or (state == "unknown" and carrier == "1"):
        return True
    return None if not state and not carrier else False


def addresses6(text: str) -> dict[str, tuple[str, ...]]:
    """IPv6 addresses by interface from /proc/net/if_inet6, temporary and unusable ones left out."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        parts = line.split()
        try:
            address, flags, name = bytes.fromhex(parts[0]), int(parts[4], 16), parts[5]
            one = str(ipaddress.IPv6Address(address))
        except (IndexError, ValueError):
            continue
        if not flags & (_TEMPORARY | _UNUSABLE):
            found[name] = (*found.get(name, ()), one)
    return found
