"""Counters of the system's library, for what no file tells.

Linux needs three calls of the standard library only; Windows and macOS go through psutil, which is
imported at the first call. The resident agent on Linux so saves its memory.
"""

# ruff: noqa: D102 - UsageFacade documents the methods
from __future__ import annotations

import array
import os
import socket
import struct
import sys

from hatang_agent.system import Battery, CpuTimes, Interface, Space

_SIOCETHTOOL = 0x8946
_ETHTOOL_GPERMADDR = 0x20
_MAX_ADDRESS = 32
_SIOCGIFCONF = 0x8912
_MAX_IPV4 = 512
_IFREQ = 40 if struct.calcsize("P") == 8 else 32  # size of struct ifreq


class PsutilUsage:
    """The system's library on this machine."""

    def cpu_times(self) -> CpuTimes | None:
        import psutil

        times = psutil.cpu_times()
        # guest time is already inside user time; interrupt and dpc time are inside system time on Windows
        parts = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
        total = sum(float(getattr(times, part, 0.0)) for part in parts)
        idle = times.idle + float(getattr(times, "iowait", 0.0))
        return CpuTimes(busy_s=total - idle, total_s=total)

    def memory(self) -> Space | None:
        import psutil

        found = psutil.virtual_memory()
        return Space(found.total, found.total - found.available, found.available)

    def swap(self) -> Space | None:
        import psutil

        found = psutil.swap_memory()
        return Space(found.total, found.used, found.free)

    def disks(self) -> list[str]:
        import psutil

        found = psutil.disk_partitions(all=False)
        if sys.platform == "win32":
            return [part.mountpoint.rstrip("\\") for part in found if "fixed" in part.opts.split(",")]
        return [part.mountpoint for part in found if part.device.startswith("/dev/")]

    def space(self, mount: str) -> Space | None:
        if hasattr(os, "statvfs"):
            return _statvfs(mount)
        import psutil

        try:
            usage = psutil.disk_usage(mount + "\\")
        except OSError:
            return None
        return Space(usage.total, usage.used, usage.free)

    def interfaces(self) -> dict[str, Interface]:
        import psutil

        addresses, states = psutil.net_if_addrs(), psutil.net_if_stats()
        counters = psutil.net_io_counters(pernic=True)
        found = {}
        for name in sorted({*addresses, *states}):
            mine = addresses.get(name, [])
            state, counted = states.get(name), counters.get(name)
            found[name] = Interface(
                mac=next((one.address for one in mine if one.family == psutil.AF_LINK), "")
                .replace("-", ":")
                .lower(),
                ipv4=tuple(one.address for one in mine if one.family == socket.AF_INET),
                ipv6=tuple(one.address.split("%")[0] for one in mine if one.family == socket.AF_INET6),
                up=state.isup if state else None,
                speed_bps=state.speed * 1_000_000 if state and state.speed else None,
                counters={
                    "rx_bytes": counted.bytes_recv,
                    "tx_bytes": counted.bytes_sent,
                    "rx_errors": counted.errin,
                    "tx_errors": counted.errout,
                    "rx_dropped": counted.dropin,
                    "tx_dropped": counted.dropout,
                }
                if counted
                else None,
            )
        return found

    def permanent_mac(self, name: str) -> str | None:  # noqa: ARG002 - psutil does not tell
        return None

    def battery(self) -> Battery | None:
        if sys.platform == "win32":
            from hatang_agent import system_windows

            return system_windows.battery()
        import psutil

        found = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
        if found is None:
            return None
        mains = {True: "on", False: "off"}.get(found.power_plugged, "unreadable")
        state = "discharging" if mains == "off" else "unreadable"
        return Battery(mains, state, min(max(float(found.percent), 0.0), 100.0))


class LinuxUsage:
    """This Linux machine; processor, memory and counters are read from /proc by the probes."""

    def cpu_times(self) -> CpuTimes | None:
        return None

    def memory(self) -> Space | None:
        return None

    def swap(self) -> Space | None:
        return None

    def disks(self) -> list[str]:
        return []

    def space(self, mount: str) -> Space | None:
        return _statvfs(mount)

    def interfaces(self) -> dict[str, Interface]:
        """IPv4 addresses by interface: the kernel's SIOCGIFCONF (netdevice(7)); nothing else."""
        import fcntl

        buffer = array.array("B", bytes(_MAX_IPV4 * _IFREQ))
        request = struct.pack("iP", len(buffer), buffer.buffer_info()[0])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            (size, _) = struct.unpack("iP", fcntl.ioctl(sock.fileno(), _SIOCGIFCONF, request))
        found: dict[str, list[str]] = {}
        for at in range(0, size, _IFREQ):
            entry = bytes(buffer[at : at + _IFREQ])
            name = entry[:16].split(b"\0")[0].split(b":")[0].decode(errors="replace")
            found.setdefault(name, []).append(socket.inet_ntoa(entry[20:24]))
        return {name: Interface(ipv4=tuple(addresses)) for name, addresses in found.items()}

    def battery(self) -> Battery | None:
        return None

    def permanent_mac(self, name: str) -> str | None:
        import fcntl

        # struct ethtool_perm_addr {u32 cmd; u32 size; u8 data[size]}, handed over by struct ifreq
        data = array.array("B", struct.pack("II", _ETHTOOL_GPERMADDR, _MAX_ADDRESS) + bytes(_MAX_ADDRESS))
        request = struct.pack("16sP16x", name.encode()[:15], data.buffer_info()[0])
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                fcntl.ioctl(sock.fileno(), _SIOCETHTOOL, request)
        except OSError:
            return None
        (size,) = struct.unpack_from("I", data, 4)
        address = bytes(data[8 : 8 + size])
        return address.hex(":") if size == 6 and any(address) else None


def _statvfs(mount: str) -> Space | None:
    try:
        found = os.statvfs(mount)
    except OSError:
        return None
    total, available = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
    return Space(total, total - found.f_bfree * found.f_frsize, available)
