"""Hardware of a Linux machine, from /sys and /proc, else from dmidecode; disks' health from smartctl."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hatang_agent.probes import _dmi
from hatang_agent.probes._generic import (
    chassis,
    fingerprint_of,
    iso_date,
    known,
    names_virtual_machine,
)
from hatang_agent.probes._health import UNREADABLE, Health, of_smartctl
from hatang_agent.system import CommandMissing, CommandTimeout, System

DMI = "/sys/class/dmi/id"
SMBIOS_ENTRY = "/sys/firmware/dmi/tables/smbios_entry_point"
UDEV_DMI = "/run/udev/data/+dmi:id"
SMARTCTL_TIMEOUT_S = 5.0
MAX_DISKS = 16
SECTOR = 512  # /sys/block/<name>/size counts these, whatever the disk's own sector is
_NOT_DISKS = ("loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd", "drbd")


def inventory(system: System) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Kind, key and fields of every fact."""
    cpuinfo = system.read_text("/proc/cpuinfo") or ""
    computer = _computer(system)
    if any(computer[key] is None for key in ("manufacturer", "model", "bios_date", "memory_modules")):
        tables = _dmi.read(system)
        computer |= {key: value for key, value in _by_dmidecode(tables).items() if computer[key] is None}
    else:
        tables = None
    if re.search(r"(?m)^flags\s*:.*\bhypervisor\b", cpuinfo):
        computer["virtual"] = True
    else:
        computer["virtual"] = names_virtual_machine(computer["manufacturer"], computer["model"])
    cpu = parse_cpuinfo(cpuinfo) if cpuinfo or tables is None else _cpu_by_dmidecode(tables)
    found: list[tuple[str, str, Mapping[str, Any]]] = [("computer", "", computer), ("cpu", "", cpu)]
    names = list(disks(system))[:MAX_DISKS]
    conditions = health(system, names)
    found.extend(("disk", name, _disk(system, name, conditions[name])) for name in names)
    return found


def _computer(system: System) -> dict[str, Any]:
    maker = _dmi_text(system, "sys_vendor")
    model = _model(maker, _dmi_text(system, "product_name"), _dmi_text(system, "product_version"))
    if model is None:
        model = known((system.read_text("/proc/device-tree/model") or "").strip("\0"))
    number = _dmi_text(system, "chassis_type")
    memory = re.search(r"(?m)^MemTotal: +(\d+) kB", system.read_text("/proc/meminfo") or "")
    return {
        "manufacturer": maker,
        "model": model,
        "chassis": chassis(int(number)) if number and number.isdigit() else None,
        "memory_total": int(memory.group(1)) * 1024 if memory else None,
        "memory_modules": memory_modules(system.read_text(UDEV_DMI) or ""),
        "bios_vendor": _dmi_text(system, "bios_vendor"),
        "bios_version": _dmi_text(system, "bios_version"),
        "bios_date": iso_date(_dmi_text(system, "bios_date")),
    }


def _model(maker: str | None, name: str | None, version: str | None) -> str | None:
    if maker and maker.lower() == "lenovo":
        return version or name  # Lenovo writes an order number as the name
    return name


def _by_dmidecode(tables: _dmi.Tables | None) -> dict[str, Any]:
    if tables is None:
        return {}
    maker = known(tables.value(_dmi.SYSTEM, "Manufacturer"))
    name, version = (known(tables.value(_dmi.SYSTEM, key)) for key in ("Product Name", "Version"))
    return {
        "manufacturer": maker,
        "model": _model(maker, name, version),
        "chassis": chassis(tables.chassis_number()),
        "memory_modules": tables.memory_modules(),
        "bios_vendor": known(tables.value(_dmi.BIOS, "Vendor")),
        "bios_version": known(tables.value(_dmi.BIOS, "Version")),
        "bios_date": iso_date(tables.value(_dmi.BIOS, "Release Date")),
    }


def _cpu_by_dmidecode(tables: _dmi.Tables) -> dict[str, Any]:
    found = [one for one in tables.structures.get(_dmi.PROCESSOR, ()) if "Populated" in one.get("Status", "")]

    def total(name: str) -> int | None:
        counts = [one.get(name, "") for one in found]
        return sum(map(int, counts)) if counts and all(count.isdigit() for count in counts) else None

    return {
        "name": known(found[0].get("Version")) if found else None,
        "sockets": len(found) or None,
        "cores": total("Core Count"),
        "threads": total("Thread Count"),
    }


def memory_modules(text: str) -> int | None:
    """Modules plugged in, from udev's record of SMBIOS (systemd 248 and later, readable by everybody)."""
    return len(re.findall(r"(?m)^E:MEMORY_DEVICE_\d+_SIZE=[1-9]\d*$", text)) or None


def _dmi_text(system: System, name: str) -> str | None:
    try:
        text = system.read_text(f"{DMI}/{name}")
    except PermissionError:  # serials and the UUID are for root only
        return None
    if name == "chassis_type":
        return (text or "").strip() or None
    return known(text)


def parse_cpuinfo(text: str) -> dict[str, Any]:
    """Name, sockets, cores and threads from /proc/cpuinfo (x86 and ARM)."""
    blocks = [
        dict(re.findall(r"(?m)^([^\t:]+?)\s*: *(.*)$", block))
        for block in re.split(r"\n\s*\n", text)
        if block
    ]
    threads = [block for block in blocks if "processor" in block]
    cores = {(block.get("physical id"), block["core id"]) for block in threads if "core id" in block}
    sockets = {block["physical id"] for block in threads if "physical id" in block}
    names = (block.get("model name") or block.get("Model") or block.get("Hardware") for block in blocks)
    return {
        "name": known(next((name for name in names if name), None)),
        "sockets": len(sockets) or None,
        "cores": len(cores) or None,
        "threads": len(threads) or None,
    }


def disks(system: System) -> Iterator[str]:
    """Names of fixed disks."""
    for name in system.list_dir("/sys/block"):
        folder = f"/sys/block/{name}"
        removable = (system.read_text(f"{folder}/removable") or "").strip() == "1"
        usb = "/usb" in (system.link_target(folder) or "") or _plugged_in(system, f"{folder}/device")
        size = (system.read_text(f"{folder}/size") or "").strip()
        if not name.startswith(_NOT_DISKS) and not removable and not usb and size not in ("", "0"):
            yield name


def health(system: System, names: list[str]) -> dict[str, Health]:
    """The condition of each disk by SMART; smartctl is asked once for each, and not where it is missing."""
    found: dict[str, Health] = {}
    for name in names:
        try:
            output = system.run(("smartctl", "-H", "-j", f"/dev/{name}"), SMARTCTL_TIMEOUT_S)
        except CommandMissing:
            found[name] = Health(UNREADABLE, "smartctl is not installed")
        except CommandTimeout:
            found[name] = Health(UNREADABLE, "smartctl took too long")
        else:
            found[name] = of_smartctl(output)
    return found


def _disk(system: System, name: str, condition: Health) -> Mapping[str, Any]:
    folder = f"/sys/block/{name}"
    size = (system.read_text(f"{folder}/size") or "").strip()
    rotational = (system.read_text(f"{folder}/queue/rotational") or "").strip()
    if name.startswith(("vd", "xvd")):
        rotational = ""  # the kernel says "spins" of every paravirtual disk
    return {
        "model": known(system.read_text(f"{folder}/device/model")),
        "size": int(size) * SECTOR if size.isdigit() else None,
        "rotational": rotational == "1" if rotational in ("0", "1") else None,
        "health": condition.state,
        "health_reason": condition.reason,
    }


def _plugged_in(system: System, device: str) -> bool:
    """Whether the kernel counts a device as one that comes and goes (Thunderbolt)."""
    paths = (f"{device}/removable", f"{device}/device/removable")
    return any((system.read_text(path) or "").strip() == "removable" for path in paths)


def fingerprint(system: System) -> dict[str, str]:
    """See :func:`hatang_agent.probes.hardware.fingerprint`."""
    uuid = _dmi.ordered_uuid(_dmi_text(system, "product_uuid"), _smbios_version(system))
    board, serial = _dmi_text(system, "board_serial"), _dmi_text(system, "product_serial")
    if uuid is None and board is None and serial is None and (tables := _dmi.read(system)):
        uuid = tables.uuid()
        board = tables.value(_dmi.BOARD, "Serial Number")
        serial = tables.value(_dmi.SYSTEM, "Serial Number")
    serials = [(name, _disk_serial(system, name)) for name in disks(system)]
    return fingerprint_of(uuid, board, serial, serials, _wired_macs(system))


def _smbios_version(system: System) -> tuple[int, int] | None:
    try:
        return _dmi.entry_version(system.read_text(SMBIOS_ENTRY))
    except PermissionError:
        return None


def _disk_serial(system: System, name: str) -> str | None:
    device = (system.read_text(f"/sys/block/{name}/dev") or "").strip()
    udev = (system.read_text(f"/run/udev/data/b{device}") or "") if device else ""
    if found := re.search(r"(?m)^E:ID_SERIAL_SHORT=(.+)$", udev):
        return found.group(1)
    for path in (f"/sys/block/{name}/device/serial", f"/sys/block/{name}/serial"):
        try:
            if text := system.read_text(path):
                return text
        except PermissionError:
            continue
    return None


def _wired_macs(system: System) -> Iterator[tuple[str, str | None]]:
    """Burnt-in addresses of wired cards on the machine's own buses; docks and USB cards move around."""
    for name in system.list_dir("/sys/class/net"):
        folder = f"/sys/class/net/{name}"
        real = bool(system.list_dir(f"{folder}/device"))
        wireless = bool(
            system.list_dir(f"{folder}/wireless")
            or system.list_dir(f"{folder}/phy80211")
            or "DEVTYPE=w" in (system.read_text(f"{folder}/uevent") or "")  # wlan, wwan
        )
        kind = (system.read_text(f"{folder}/type") or "").strip()
        usb = "/usb" in (system.link_target(folder) or "") or _plugged_in(system, f"{folder}/device")
        if not real or wireless or kind != "1" or usb:
            continue
        burnt_in = (system.read_text(f"{folder}/addr_assign_type") or "").strip() == "0"
        address = (system.read_text(f"{folder}/address") or "").strip().lower()
        yield name, system.usage.permanent_mac(name) or (address if burnt_in else None)
