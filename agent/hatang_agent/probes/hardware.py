"""What the machine is made of and in what condition: maker, model, case, processor, memory, disks, BIOS.

Facts only, taken at start and once a day. Serial numbers are not reported; the fingerprint that
enrolment uses is made of them and is a separate thing. Removable and USB disks are left out.

A disk's health is one of good, warning, failing and unreadable, with the reason: the disk's own SMART
verdict by `smartctl` on Linux, where it is installed and allowed to ask; what the storage system says
on Windows. The BIOS date hints at the age of the machine and is no date of purchase.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hatang_agent.registry import Context, Field, NoData, Result
from hatang_agent.system import System
from hatang_agent.wire.report import Fact

INTERVAL_S = 86_400
DEADLINE_S = 120
ROLES = ("pc", "probe")

SOURCES = {
    "linux": (
        "files /sys/class/dmi/id/{sys_vendor,product_name,product_version,chassis_type,bios_vendor,"
        "bios_version,bios_date}",
        "file /proc/device-tree/model (machines without SMBIOS)",
        "file /proc/cpuinfo",
        "file /proc/meminfo",
        "files /sys/block/<name>/{size,removable,queue/rotational,device/model}, links /sys/block/<name>",
        "file /run/udev/data/+dmi:id (memory modules)",
        "files /sys/block/<name>/{device/removable,device/device/removable}",
        "command `dmidecode` where the files above do not tell",
        "command `smartctl -H -j /dev/<name>`",
        "fingerprint: files /sys/class/dmi/id/{product_uuid,product_serial,board_serial}, "
        "/sys/firmware/dmi/tables/smbios_entry_point, "
        "/sys/block/<name>/{dev,serial,device/serial}, /run/udev/data/b<dev>, "
        "/sys/class/net/<name>/device/removable, and the addresses of the interfaces probe",
    ),
    "windows": (
        "WMI root/cimv2 Win32_ComputerSystem, Win32_SystemEnclosure, Win32_Processor, Win32_BIOS, "
        "Win32_DiskDrive",
        "WMI root/cimv2 Win32_PhysicalMemory (how many)",
        "WMI root/Microsoft/Windows/Storage MSFT_PhysicalDisk, MSFT_StorageReliabilityCounter (Windows 8 "
        "and later)",
        "WMI root/WMI MSStorageDriver_FailurePredictStatus (where the former tell no health)",
        r"registry HKLM\HARDWARE\DESCRIPTION\System\BIOS, "
        r"HKLM\HARDWARE\DESCRIPTION\System\CentralProcessor\<n> where WMI does not tell",
        "command `systeminfo` where neither tells (English systems)",
        "fingerprint: WMI root/cimv2 Win32_ComputerSystemProduct, Win32_BIOS, Win32_BaseBoard, "
        "Win32_DiskDrive; root/StandardCimv2 MSFT_NetAdapter",
    ),
    "macos": ("command `sysctl hw.model hw.memsize hw.physicalcpu hw.logicalcpu machdep.cpu.brand_string`",),
}

FIELDS = (
    Field("computer.manufacturer", "Hãng sản xuất máy", "manufacturer", fact=True),
    Field("computer.model", "Kiểu máy", "model", fact=True),
    Field("computer.chassis", "Dạng máy: để bàn, xách tay, máy chủ, máy ảo…", "kind of case", fact=True),
    Field("computer.virtual", "Là máy ảo", "is a virtual machine", fact=True),
    Field("computer.memory_total", "Tổng bộ nhớ", "memory", "B", fact=True),
    Field("computer.memory_modules", "Số thanh bộ nhớ", "memory modules plugged in", fact=True),
    Field("computer.bios_vendor", "Hãng BIOS", "maker of the firmware", fact=True),
    Field("computer.bios_version", "Phiên bản BIOS", "version of the firmware", fact=True),
    Field("computer.bios_date", "Ngày của BIOS", "date of the firmware", fact=True),
    Field("cpu.name", "Tên bộ xử lý", "name of the processor", fact=True),
    Field("cpu.sockets", "Số bộ xử lý", "processors", fact=True),
    Field("cpu.cores", "Số nhân", "cores", fact=True),
    Field("cpu.threads", "Số luồng", "hardware threads", fact=True),
    Field("disk.model", "Kiểu ổ đĩa", "model of the disk", fact=True),
    Field("disk.size", "Dung lượng ổ đĩa", "size of the disk", "B", fact=True),
    Field("disk.rotational", "Là ổ đĩa quay (HDD)", "is a spinning disk", fact=True),
    Field("disk.kind", "Loại ổ đĩa: ssd hoặc hdd", "ssd or hdd", fact=True),
    Field(
        "disk.health",
        "Tình trạng ổ đĩa: tốt, cảnh báo, sắp hỏng, không đọc được",
        "good, warning, failing or unreadable",
        fact=True,
    ),
    Field("disk.health_reason", "Căn cứ của tình trạng ổ đĩa", "what the health rests on", fact=True),
)


@dataclass(frozen=True, slots=True)
class Config:
    """[probes.hardware]: nothing to be set."""


def measure(context: Context) -> Result:
    """Facts ``computer``, ``cpu`` and one ``disk`` for each fixed disk. Raises NoData without any."""
    system = context.system
    facts = [Fact(kind, key, present(fields)) for kind, key, fields in _inventory(system)]
    facts = [fact for fact in facts if fact.fields]
    if not facts:
        raise NoData("the system tells nothing about its hardware")
    return Result(facts=facts)


def _inventory(system: System) -> list[tuple[str, str, Mapping[str, Any]]]:
    if system.platform == "linux":
        from hatang_agent.probes import hardware_linux

        return hardware_linux.inventory(system)
    if system.platform == "windows":
        from hatang_agent.probes import hardware_windows

        return hardware_windows.inventory(system)
    from hatang_agent.probes import hardware_macos

    return hardware_macos.inventory(system)


def fingerprint(system: System) -> dict[str, str]:
    """Hardware values that tell this machine from others; empty where the system tells none.

    Names: ``smbios_uuid``, ``board_serial``, ``system_serial``, ``disk_serial.<disk>``, ``mac.<wired
    card>``. Values are lower case; makers' placeholders and addresses that were not given by a maker are
    left out, and so are USB, removable and virtual adapters and disks: a dock or a VPN changes nothing.
    The UUID has the byte order of SMBIOS 2.6 on every system.
    """
    if system.platform == "linux":
        from hatang_agent.probes import hardware_linux

        return hardware_linux.fingerprint(system)
    if system.platform == "windows":
        from hatang_agent.probes import hardware_windows

        return hardware_windows.fingerprint(system)
    return {}


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are known, and what follows from them."""
    found = {key: value for key, value in fields.items() if value is not None}
    if found.get("virtual"):
        found["chassis"] = "virtual"
    if "rotational" in found:
        found["kind"] = "hdd" if found["rotational"] else "ssd"
    return found
