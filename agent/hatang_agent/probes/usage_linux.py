"""Usage of a Linux machine, from /proc and /sys."""

from __future__ import annotations

import re

from hatang_agent.system import CpuTimes, Space, System

USER_HZ = 100  # the kernel's unit in /proc/stat on every architecture we run on
FILE_SYSTEMS = frozenset(
    (
        "bcachefs",
        "btrfs",
        "exfat",
        "ext2",
        "ext3",
        "ext4",
        "f2fs",
        "fuseblk",
        "jfs",
        "ntfs",
        "ntfs3",
        "reiserfs",
        "vfat",
        "xfs",
        "zfs",
    )
)
MAX_TAG = 128


def parse_stat(text: str) -> CpuTimes | None:
    """Processor times from /proc/stat; guest time is already part of user time."""
    found = re.search(r"^cpu +((?:\d+ ?)+)$", text, re.MULTILINE)
    if found is None:
        return None
    ticks = [int(number) for number in found.group(1).split()][:8]
    if len(ticks) < 4:
        return None
    idle = ticks[3] + (ticks[4] if len(ticks) > 4 else 0)
    return CpuTimes(busy_s=(sum(ticks) - idle) / USER_HZ, total_s=sum(ticks) / USER_HZ)


def parse_meminfo(text: str) -> tuple[Space | None, Space | None]:
    """Memory and swap from /proc/meminfo."""
    found = {name: int(kilobytes) * 1024 for name, kilobytes in re.findall(r"(?m)^(\w+): +(\d+) kB$", text)}
    memory = swap = None
    if "MemTotal" in found:
        total = found["MemTotal"]
        older = sum(found.get(name, 0) for name in ("MemFree", "Buffers", "Cached"))  # before Linux 3.14
        available = min(total, found.get("MemAvailable", older))
        memory = Space(total, total - available, available)
    if "SwapTotal" in found and "SwapFree" in found:
        total, free = found["SwapTotal"], min(found["SwapTotal"], found["SwapFree"])
        swap = Space(total, total - free, free)
    return memory, swap


def parse_loadavg(text: str) -> float | None:
    """Load of the last minute from /proc/loadavg."""
    found = re.match(r"\d+(?:\.\d+)?", text)
    return float(found.group()) if found else None


def mounts(system: System) -> list[str]:
    """Mount points of file systems on fixed disks, one for each device: the shortest path."""
    text = system.read_text("/proc/self/mounts") or system.read_text("/proc/mounts") or ""
    by_device: dict[str, str] = {}
    for line in text.splitlines():
        parts = line.split()
        if len(parts) < 3:
            continue
        device, mount, kind = _unescape(parts[0]), _unescape(parts[1]), parts[2]
        if not wanted(device, mount, kind) or not fixed(system, device):
            continue
        if device not in by_device or len(mount) < len(by_device[device]):
            by_device[device] = mount
    return sorted(by_device.values())


def wanted(device: str, mount: str, kind: str) -> bool:
    """Whether a mounted file system is a disk a person cares about."""
    on_disk = kind in FILE_SYSTEMS and (device.startswith("/dev/") or kind == "zfs")
    loop = device.startswith("/dev/loop")
    small = mount == "/boot" or mount.startswith(("/boot/", "/efi", "/snap/"))
    return on_disk and not loop and not small and mount.isprintable() and len(mount) <= MAX_TAG


def fixed(system: System, device: str) -> bool:
    """Whether a block device is no removable or USB disk; what /sys does not know counts as fixed."""
    disk = base_disk(device)
    if (system.read_text(f"/sys/block/{disk}/removable") or "").strip() == "1":
        return False
    return "/usb" not in (system.link_target(f"/sys/block/{disk}") or "")


def base_disk(device: str) -> str:
    """The disk of a partition: ``/dev/sda1`` → ``sda``, ``/dev/nvme0n1p2`` → ``nvme0n1``."""
    name = device.removeprefix("/dev/")
    found = re.fullmatch(r"((?:nvme\d+n|mmcblk|loop|md)\d+)p\d+|((?:sd|vd|hd|xvd)[a-z]+)\d+", name)
    return (found.group(1) or found.group(2)) if found else name


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), text)
