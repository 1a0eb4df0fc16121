"""Adapters of a Mac, from the system's library. Never run on a real Mac yet."""

from __future__ import annotations

from hatang_agent.probes._nic import ETHERNET, VIRTUAL, Nic
from hatang_agent.system import System


def read(system: System) -> list[Nic]:
    """Every adapter; ``en…`` are the built-in and USB cards, and which of them is Wi-Fi is not told."""
    return [
        Nic(
            name=name,
            up=bool(one.up),
            virtual=not name.startswith("en"),
            medium=ETHERNET if name.startswith("en") else VIRTUAL,
            mac=one.mac,
            ipv4=tuple(sorted(one.ipv4)),
            ipv6=tuple(sorted(address for address in one.ipv6 if not address.startswith("fe80"))),
            speed_bps=one.speed_bps,
            counters=one.counters,
        )
        for name, one in sorted(system.usage.interfaces().items())
    ]
