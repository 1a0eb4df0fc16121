"""What the interfaces probe knows of one adapter, the same on every system."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ETHERNET = "ethernet"
WIFI = "wifi"
CELLULAR = "cellular"
BLUETOOTH = "bluetooth"
VIRTUAL = "virtual"
UNKNOWN = "unknown"

MEASURED = (ETHERNET, WIFI, CELLULAR)
"""Mediums whose traffic counts, the usual one of an office first."""

COUNTERS = ("rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped")


@dataclass(frozen=True, slots=True)
class Nic:
    """One adapter at one instant. None and empty mean not known, never "no".

    ``medium`` is what the adapter says it carries; ``virtual`` where a virtual one says nothing.
    ``carries`` marks a virtual adapter that stands before hardware: bridge, bond, VLAN, virtual switch.
    ``metric`` is the cost of its default route, the lowest is taken.
    """

    name: str
    up: bool
    virtual: bool | None
    medium: str = UNKNOWN
    description: str = ""
    mac: str = ""
    permanent_mac: str | None = None
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    gateway: str | None = None
    speed_bps: int | None = None
    counters: Mapping[str, int] | None = None
    carries: bool = False
    metric: int | None = None

    @property
    def real(self) -> bool:
        """Whether its traffic is the machine's own: a card with a known medium, nothing virtual."""
        return self.virtual is False and self.medium in MEASURED

    @property
    def office_ipv4(self) -> str | None:
        """Its first IPv4 address that another machine could reach."""
        return next((one for one in self.ipv4 if not one.startswith(("127.", "169.254.", "0."))), None)


def primary(nics: Sequence[Nic]) -> Nic | None:
    """The adapter with the machine's own address in its office, None when none can be told.

    A tunnel is never taken, not even when the default route leads through it: its address belongs to
    the other end. Hardware with a default gateway comes first, and what carries hardware counts like
    it; then hardware without a gateway. Where a system shows no hardware at all (a container), an
    Ethernet-like adapter with a default gateway is taken.
    """
    usable = [nic for nic in nics if nic.up and nic.office_ipv4]
    chosen = [nic for nic in usable if nic.virtual is False or (nic.carries and nic.gateway)]
    if all(nic.virtual for nic in nics):
        chosen = [nic for nic in usable if nic.gateway and nic.mac]
    return min(chosen, key=_preference, default=None)


def _preference(nic: Nic) -> tuple[bool, bool, int, int, str]:
    rank = MEASURED.index(nic.medium) if nic.medium in MEASURED else len(MEASURED)
    return (nic.gateway is None, nic.metric is None, nic.metric or 0, rank, nic.name)


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
