"""The library's counters of a recorded machine, taken from its recorded commands and WMI objects.

Linux: ``df -P -k``, ``ip addr``, ``ethtool -P <interface>``. Windows: Win32_OperatingSystem,
Win32_PageFileUsage, Win32_LogicalDisk, Win32_NetworkAdapter,
Win32_NetworkAdapterConfiguration, Win32_PerfRawData_Tcpip_NetworkInterface, Win32_Battery, and
BatteryStatus in root/WMI.
macOS: ``df -P -k``. What was not recorded is None or empty, never zero.
"""

# ruff: noqa: D102 - UsageFacade documents the methods
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hatang_agent.system import Battery, CommandMissing, CpuTimes, Interface, Space, System

DF = ("df", "-P", "-k")
IP = ("ip", "addr")
CIMV2 = "root/cimv2"


class RecordedUsage:
    """Counters of a recorded machine."""

    def __init__(self, system: System) -> None:
        self._system = system

    def _output(self, *argv: str) -> str:
        try:
            return self._system.run(argv, 1.0).stdout
        except CommandMissing:
            return ""

    def _first(self, name: str, *properties: str) -> Mapping[str, Any]:
        return next(iter(self._system.wmi(CIMV2, name, properties)), {})

    def cpu_times(self) -> CpuTimes | None:
        return None  # one instant has no processor load

    def memory(self) -> Space | None:
        found = self._first("Win32_OperatingSystem", "TotalVisibleMemorySize", "FreePhysicalMemory")
        total, free = number(found.get("TotalVisibleMemorySize")), number(found.get("FreePhysicalMemory"))
        if total is None or free is None:
            return None
        return Space(total * 1024, (total - free) * 1024, free * 1024)

    def swap(self) -> Space | None:
        found = self._first("Win32_PageFileUsage", "AllocatedBaseSize", "CurrentUsage")
        total, used = number(found.get("AllocatedBaseSize")), number(found.get("CurrentUsage"))
        if total is None or used is None:
            return None
        return Space(total << 20, used << 20, (total - used) << 20)

    def disks(self) -> list[str]:
        if self._system.platform == "windows":
            found = self._system.wmi(CIMV2, "Win32_LogicalDisk", ["DeviceID", "DriveType"])
            return [str(one["DeviceID"]) for one in found if number(one["DriveType"]) == 3]
        return [mount for device, mount, _ in self._df() if device.startswith("/dev/")]

    def space(self, mount: str) -> Space | None:
        if self._system.platform == "windows":
            for one in self._system.wmi(CIMV2, "Win32_LogicalDisk", ["DeviceID", "Size", "FreeSpace"]):
                total, free = number(one["Size"]), number(one["FreeSpace"])
                if one["DeviceID"] == mount and total is not None and free is not None:
                    return Space(total, total - free, free)
            return None
        return next((space for _, place, space in self._df() if place == mount), None)

    def _df(self) -> list[tuple[str, str, Space]]:
        rows = []
        for line in self._output(*DF).splitlines()[1:]:
            parts = line.split(None, 5)
            if len(parts) == 6 and all(part.isdigit() for part in parts[1:4]):
                total, used, available = (int(part) * 1024 for part in parts[1:4])
                rows.append((parts[0], parts[5], Space(total, used, available)))
        return rows

    def interfaces(self) -> dict[str, Interface]:
        return (
            self._windows_interfaces() if self._system.platform == "windows" else parse_ip(self._output(*IP))
        )

    def _windows_interfaces(self) -> dict[str, Interface]:
        raw = {
            str(one["Name"]): one
            for one in self._system.wmi(
                CIMV2,
                "Win32_PerfRawData_Tcpip_NetworkInterface",
                ["Name", *_PERF_COUNTERS.values()],
            )
        }
        found = {}
        for one in self._system.wmi(CIMV2, "Win32_NetworkAdapter", _ADAPTER):
            if not one["NetConnectionID"]:
                continue
            counted = raw.get(perf_name(str(one["Name"] or "")))
            speed = number(one["Speed"])
            found[str(one["NetConnectionID"])] = Interface(
                mac=str(one["MACAddress"] or "").lower(),
                up=number(one["NetConnectionStatus"]) == 2,
                speed_bps=speed if speed and speed < 1 << 62 else None,
                counters={key: number(counted[name]) or 0 for key, name in _PERF_COUNTERS.items()}
                if counted
                else None,
            )
        return found

    def permanent_mac(self, name: str) -> str | None:
        found = re.search(r"((?:[0-9a-f]{2}:){5}[0-9a-f]{2})", self._output("ethtool", "-P", name).lower())
        return found.group(1) if found and found.group(1) != "00:00:00:00:00:00" else None

    def battery(self) -> Battery | None:
        if self._system.platform != "windows":
            return None
        found = self._first("Win32_Battery", "BatteryStatus", "EstimatedChargeRemaining")
        if not found:
            return None
        online = next(iter(self._system.wmi("root/WMI", "BatteryStatus", ["PowerOnline"])), {})
        mains, state = _BATTERY.get(number(found["BatteryStatus"]) or 0, ("unreadable", "unreadable"))
        if online.get("PowerOnline") is not None:
            mains = "on" if online["PowerOnline"] is True else "off"
        percent = number(found["EstimatedChargeRemaining"])
        return Battery(mains, state, float(percent) if percent is not None and percent <= 100 else None)


_BATTERY = {
    1: ("off", "discharging"),
    2: ("on", "unreadable"),
    3: ("on", "full"),
    4: ("unreadable", "unreadable"),
    5: ("unreadable", "unreadable"),
    6: ("on", "charging"),
    7: ("on", "charging"),
    8: ("on", "charging"),
    9: ("on", "charging"),
}
"""Mains and state by Win32_Battery.BatteryStatus; 2 is on mains, charging or not, 4 and 5 say neither."""

_ADAPTER = ("Name", "NetConnectionID", "NetConnectionStatus", "MACAddress", "Speed")
_PERF_COUNTERS = {
    "rx_bytes": "BytesReceivedPersec",
    "tx_bytes": "BytesSentPersec",
    "rx_errors": "PacketsReceivedErrors",
    "tx_errors": "PacketsOutboundErrors",
    "rx_dropped": "PacketsReceivedDiscarded",
    "tx_dropped": "PacketsOutboundDiscarded",
}


def perf_name(description: str) -> str:
    """An adapter's name as the performance counters write it: ``(`` ``)`` ``#`` ``/`` replaced."""
    return description.translate(str.maketrans("()#/\\", "[]___"))


def number(value: Any) -> int | None:
    """A WMI number, which JSON may carry as text; None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def parse_ip(text: str) -> dict[str, Interface]:
    """Interfaces in the output of ``ip addr`` (iproute2)."""
    blocks = re.split(r"(?m)^\d+: ", text)[1:]
    found = {}
    for block in blocks:
        name = re.split(r"[:@]", block, maxsplit=1)[0]
        mac = re.search(r"link/ether ((?:[0-9a-f]{2}:){5}[0-9a-f]{2})", block)
        found[name] = Interface(
            mac=mac.group(1) if mac else "",
            ipv4=tuple(re.findall(r"\binet ([0-9.]+)", block)),
            ipv6=tuple(re.findall(r"\binet6 ([0-9a-f:]+)(?![^\n]*\btemporary\b)", block)),
            up="LOWER_UP" in block.splitlines()[0],
        )
    return found
