"""What the interfaces probe knows of one adapter, the same on every system."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ETHERNET = "ethernet"
WIFI = "wifi"
CELLULAR = "cellular"

COUNTERS = ("rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped")


@dataclass(frozen=True, slots=True)
class Nic:
    """One adapter at one instant. None and empty mean not known, never "no"."""

    name: str
    up: bool
    virtual: bool
    medium: str | None = None
    description: str = ""
    mac: str = ""
    permanent_mac: str | None = None
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    gateway: str | None = None
    speed_bps: int | None = None
    counters: Mapping[str, int] | None = None

    @property
    def real(self) -> bool:
        """Whether its traffic is the machine's own: a card with a known medium, nothing virtual."""
        return not self.virtual and self.medium is not None


NET_ADAPTER = (
    "InterfaceGuid",
    "PermanentAddress",
    "Virtual",
    "HardwareInterface",
    "NdisPhysicalMedium",
    "InterfaceType",
)
"""Properties asked of MSFT_NetAdapter (Windows 8 and later)."""


def permanent_mac(modern: Mapping[str, Any] | None) -> str | None:
    """The burnt-in address of an MSFT_NetAdapter row, with colons; None when it does not tell."""
    digits = str((modern or {}).get("PermanentAddress") or "").lower()
    if not re.fullmatch(r"[0-9a-f]{12}", digits) or not digits.strip("0"):
        return None
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
