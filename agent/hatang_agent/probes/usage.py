"""Processor, memory, swap, load and fixed disks, as percent and bytes.

Processor load is the share of busy time between this run and the one before it. The first run takes
two readings `first_reading_s` apart. Memory "used" is what no program could take any more
(total - available). Disks are mounted file systems of fixed disks: no removable media, no network
folders, and no mount point that names a person; each is tagged by mount point or drive letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hatang_agent.registry import Context, Field, NoData, Result
from hatang_agent.system import CpuTimes, Space, System
from hatang_agent.wire.report import Sample

INTERVAL_S = 60
DEADLINE_S = 15
ROLES = ("pc", "probe")

SOURCES = {
    "linux": (
        "file /proc/stat",
        "file /proc/meminfo",
        "file /proc/loadavg",
        "file /proc/self/mounts (recorded also as /proc/mounts)",
        "files /sys/block/<name>/removable, links /sys/block/<name>",
        "statvfs; recorded: `df -P -k`",
    ),
    "windows": (
        "library cpu_times, virtual_memory, swap_memory, disk_partitions, disk_usage; recorded: root/cimv2 "
        "Win32_OperatingSystem, Win32_PageFileUsage, Win32_LogicalDisk (no processor load)",
    ),
    "macos": ("library cpu_times, virtual_memory, swap_memory, disk_partitions, statvfs",),
}

_DISK = ("mount",)

FIELDS = (
    Field("usage.cpu_percent", "Mức dùng bộ xử lý", "processor in use", "%"),
    Field("usage.load1", "Tải trung bình 1 phút (Linux)", "load average of one minute (Linux)"),
    Field("usage.memory_percent", "Mức dùng bộ nhớ", "memory in use", "%"),
    Field("usage.memory_used", "Bộ nhớ đang dùng", "memory in use", "B"),
    Field("usage.memory_total", "Tổng bộ nhớ", "memory installed and usable", "B"),
    Field("usage.swap_percent", "Mức dùng bộ nhớ trao đổi", "swap in use", "%"),
    Field("usage.disk_percent", "Mức dùng ổ đĩa", "disk in use", "%", _DISK),
    Field("usage.disk_used", "Dung lượng ổ đĩa đã dùng", "disk space in use", "B", _DISK),
    Field("usage.disk_total", "Dung lượng ổ đĩa", "size of the disk's file system", "B", _DISK),
)

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Config:
    """[probes.usage]."""

    first_reading_s: float = field(
        default=0.5,
        metadata={
            "help": "seconds between the two readings of the first run; 0 = no processor load there",
            "minimum": 0,
            "maximum": 10,
        },
    )
    max_disks: int = field(
        default=8, metadata={"help": "disks measured, at most", "minimum": 0, "maximum": 64}
    )


def measure(context: Context) -> Result:
    """All usage samples. Raises NoData when the machine tells none of them."""
    system = context.system
    samples = _cpu(context)
    memory, swap, load1, mounts = _rest(system)
    if load1 is not None:
        samples.append(Sample("usage.load1", load1, ""))
    if memory is not None and memory.total > 0:
        samples += [
            Sample("usage.memory_percent", percent(memory.used, memory.total), "%"),
            Sample("usage.memory_used", _whole_mebibytes(memory.used), "B"),
            Sample("usage.memory_total", memory.total, "B"),
        ]
    if swap is not None and swap.total > 0:
        samples.append(Sample("usage.swap_percent", percent(swap.used, swap.total), "%"))
    for mount in mounts[: context.config.max_disks]:
        samples += _disk(mount, system.usage.space(mount))
    if not samples:
        raise NoData("the system tells nothing about its use")
    return Result(samples)


def _rest(system: System) -> tuple[Space | None, Space | None, float | None, Sequence[str]]:
    """Memory, swap, load and mount points."""
    if system.platform != "linux":
        usage = system.usage
        return usage.memory(), usage.swap(), None, [one for one in usage.disks() if not personal(one)]
    from hatang_agent.probes import usage_linux

    memory, swap = usage_linux.parse_meminfo(system.read_text("/proc/meminfo") or "")
    load1 = usage_linux.parse_loadavg(system.read_text("/proc/loadavg") or "")
    return memory, swap, load1, [one for one in usage_linux.mounts(system) if not personal(one)]


def _cpu_times(system: System) -> CpuTimes | None:
    if system.platform != "linux":
        return system.usage.cpu_times()
    from hatang_agent.probes import usage_linux

    return usage_linux.parse_stat(system.read_text("/proc/stat") or "")


def _cpu(context: Context) -> list[Sample]:
    system, boot_id = context.system, context.system.boot_id()
    known_boot, before = context.memory.get("cpu", (None, None))
    if known_boot != boot_id or before is None:
        before = _cpu_times(system)
        if context.config.first_reading_s > 0 and before is not None:
            system.wait(context.config.first_reading_s)
    now = _cpu_times(system)
    context.memory["cpu"] = (boot_id, now)
    load = cpu_percent(before, now)
    return [] if load is None else [Sample("usage.cpu_percent", load, "%")]


def cpu_percent(before: CpuTimes | None, now: CpuTimes | None) -> float | None:
    """Percent of busy time between two readings, None when no time passed between them."""
    if before is None or now is None or now.total_s <= before.total_s:
        return None
    share = (now.busy_s - before.busy_s) / (now.total_s - before.total_s)
    return round(min(1.0, max(0.0, share)) * 100, 1)


def percent(used: int, total: int) -> float:
    """A share in percent with one decimal."""
    return round(used * 100 / total, 1)


def _disk(mount: str, space: Space | None) -> list[Sample]:
    if space is None or space.total <= 0:
        return []
    tags = {"mount": mount}
    reachable = space.used + space.available  # as df counts: what is kept for root is nobody's
    return [
        Sample("usage.disk_percent", percent(space.used, reachable) if reachable else 100.0, "%", tags),
        Sample("usage.disk_used", _whole_mebibytes(space.used), "B", tags),
        Sample("usage.disk_total", space.total, "B", tags),
    ]


def _whole_mebibytes(size: int) -> int:
    """Bytes rounded to a mebibyte: nobody reads more, and digits that jump cost bytes on the wire."""
    return (size + MEBIBYTE // 2) // MEBIBYTE * MEBIBYTE


def personal(mount: str) -> bool:
    """Whether a mount point may name a person: below home and media folders."""
    parts = [part for part in mount.split("/") if part]
    below_home = len(parts) > 1 and parts[0] in ("home", "Users")
    return below_home or parts[:1] in (["media"], ["root"], ["Volumes"]) or parts[:2] == ["run", "media"]
