"""What the power probe knows, the same on every system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ON = "on"
OFF = "off"
CHARGING = "charging"
DISCHARGING = "discharging"
FULL = "full"
NOT_CHARGING = "not_charging"
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Power:
    """Mains, state of the batteries together, and percent by battery (None where it is not told).

    ``count`` is None where the system shows all batteries as one.
    """

    mains: str
    state: str
    batteries: Mapping[str, float | None]
    count: int | None
