"""Whether a laptop, or a machine on a UPS that its system knows, runs on mains; and its batteries.

A machine that leaves the mains says so with its next report at once, which tells a power cut from a
broken line. Machines without a battery cannot notice it and have no data. What the system does not
tell is `unreadable`, not off.
"""

from __future__ import annotations

from dataclasses import dataclass

from hatang_agent.probes._power import Power
from hatang_agent.registry import Context, Field, NoData, Result
from hatang_agent.system import System
from hatang_agent.wire.report import Fact, Sample

INTERVAL_S = 30
DEADLINE_S = 30
ROLES = ("pc", "probe")

SOURCES = {
    "linux": (
        "files /sys/class/power_supply/<name>/{type,scope,online,present,status,capacity} (recorded: also "
        "that folder's names)",
    ),
    "windows": ("library GetSystemPowerStatus; recorded: root/cimv2 Win32_Battery, root/WMI BatteryStatus",),
    "macos": ("library sensors_battery",),
}

FIELDS = (
    Field("power.battery_percent", "Mức pin", "charge of the battery", "%", ("battery",)),
    Field(
        "power.mains",
        "Nguồn điện lưới: có (on), mất (off), không đọc được",
        "mains: on, off or unreadable",
        fact=True,
    ),
    Field(
        "power.battery",
        "Pin: đang sạc, đang dùng, đầy, không sạc, không đọc được",
        "charging, discharging, full, not_charging or unreadable",
        fact=True,
    ),
    Field("power.batteries", "Số pin", "batteries", fact=True),
)


@dataclass(frozen=True, slots=True)
class Config:
    """[probes.power]: nothing to be set."""


def measure(context: Context) -> Result:
    """The fact ``power`` and the charge of each battery. Raises NoData without a battery."""
    power = read(context.system)
    if power is None or not power.batteries:
        raise NoData("no battery")
    samples = [
        Sample("power.battery_percent", percent, "%", {"battery": name})
        for name, percent in power.batteries.items()
        if percent is not None
    ]
    fields = {"mains": power.mains, "battery": power.state, "batteries": power.count}
    return Result(
        samples, [Fact("power", "", {name: one for name, one in fields.items() if one is not None})]
    )


def read(system: System) -> Power | None:
    """The machine's power now."""
    if system.platform == "linux":
        from hatang_agent.probes import power_linux

        return power_linux.read(system)
    found = system.usage.battery()
    if found is None:
        return None
    return Power(found.mains, found.state, {"battery": found.percent}, None)
