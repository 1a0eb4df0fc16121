"""Mains and batteries of a Linux machine, from /sys/class/power_supply (sysfs-class-power)."""

from __future__ import annotations

from hatang_agent.probes._power import (
    CHARGING,
    DISCHARGING,
    FULL,
    NOT_CHARGING,
    OFF,
    ON,
    UNREADABLE,
    Power,
)
from hatang_agent.system import System

FOLDER = "/sys/class/power_supply"
_STATES = {
    "charging": CHARGING,
    "discharging": DISCHARGING,
    "full": FULL,
    "not charging": NOT_CHARGING,
}
_FIRST = (DISCHARGING, CHARGING, UNREADABLE, NOT_CHARGING, FULL)
"""Of several batteries the first of these states is told: one that is drained tells the most."""


def read(system: System) -> Power | None:
    """Batteries of the machine itself and of a UPS; those of a mouse (scope Device) are left out."""
    batteries: dict[str, float | None] = {}
    states: list[str] = []
    online: list[bool] = []
    for name in system.list_dir(FOLDER):
        kind = _word(system, name, "type")
        if _word(system, name, "scope") == "device" or _word(system, name, "present") == "0":
            continue
        if kind in ("battery", "ups"):
            percent = _word(system, name, "capacity")
            batteries[name] = float(percent) if percent.isdigit() and int(percent) <= 100 else None
            states.append(_STATES.get(_word(system, name, "status"), UNREADABLE))
        elif kind in ("mains", "usb"):
            told = _word(system, name, "online")
            if told in ("0", "1", "2"):  # 2: a charger whose voltage can be set
                online.append(told != "0")
    if not batteries:
        return None
    state = next(one for one in _FIRST if one in states)
    return Power(_mains(online, states), state, batteries, len(batteries))


def _mains(online: list[bool], states: list[str]) -> str:
    if online:
        return ON if any(online) else OFF
    if DISCHARGING in states:
        return OFF
    return ON if CHARGING in states or FULL in states else UNREADABLE


def _word(system: System, name: str, file: str) -> str:
    return (system.read_text(f"{FOLDER}/{name}/{file}") or "").strip().lower()
