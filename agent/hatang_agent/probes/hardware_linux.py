"""Hardware of a Linux machine, from /sys and /proc."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hatang_agent.probes._generic import (
    chassis,
    fingerprint_of,
    iso_date,
    known,
    names_virtual_machine,
)
from hatang_agent.system import System

DMI = "/sys/class/dmi/id"
SECTOR = 512  # /sys/block/<name>/size counts these, whatever the disk's own sector is
_NOT_DISKS = ("loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd", "drbd")


def inventory(system: System) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Kind, key and fields of every fact."""
    cpuinfo = system.read_text("/proc/cpuinfo") or ""
    found: list[tuple[str, str, Mapping[str, Any]]] = [("computer", "", _computer(system, cpuinfo))]
    found.append(("cpu", "", parse_cpuinfo(cpuinfo)))
    found.extend(("disk", name, _disk(system, name)) for name in disks(system))
    return found


def _computer(system: System, cpuinfo: str) -> Mapping[str, Any]:
    maker, model = _dmi(system, "sys_vendor"), _dmi(system, "product_name")
    if maker and maker.lower() == "lenovo":
        model = _dmi(system, "product_version") or model  # Lenovo writes an order number as the name
    if model is None:
        model = known((system.read_text("/proc/device-tree/model") or "").strip("\0"))
    number = _dmi(system, "chassis_type")
    hypervisor = re.search(r"(?m)^flags\s*:.*\bhypervisor\b", cpuinfo) is not None
    memory = re.search(r"(?m)^MemTotal: +(\d+) kB", system.read_text("/proc/meminfo") or "")
    return {
        "manufacturer": maker,
        "model": model,
        "chassis": chassis(int(number)) if number and number.isdigit() else None,
        "virtual": True if hypervisor else names_virtual_machine(maker, model),
        "memory_total": int(memory.group(1)) * 1024 if memory else None,
        "bios_vendor": _dmi(system, "bios_vendor"),
        "bios_version": _dmi(system, "bios_version"),
        "bios_date": iso_date(_dmi(system, "bios_date")),
    }


def _dmi(system: System, name: str) -> str | None:
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
        usb = "/usb" in (system.link_target(folder) or "")
        size = (system.read_text(f"{folder}/size") or "").strip()
        if not name.startswith(_NOT_DISKS) and not removable and not usb and size not in ("", "0"):
            yield name


def _disk(system: System, name: str) -> Mapping[str, Any]:
    folder = f"/sys/block/{name}"
    size = (system.read_text(f"{folder}/size") or "").strip()
    rotational = (system.read_text(f"{folder}/queue/rotational") or "").strip()
    if name.startswith(("vd", "xvd")):
        rotational = ""  # the kernel says "spins" of every paravirtual disk
    return {
        "model": known(system.read_text(f"{folder}/device/model")),
        "size": int(size) * SECTOR if size.isdigit() else None,
        "rotational": rotational == "1" if rotational in ("0", "1") else None,
    }


def fingerprint(system: System) -> dict[str, str]:
    """See :func:`hatang_agent.probes.hardware.fingerprint`."""
    serials = [(name, _disk_serial(system, name)) for name in disks(system)]
    return fingerprint_of(
        _dmi(system, "product_uuid"), _dmi(system, "board_serial"), serials, _wired_macs(system)
    )


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
        if not real or wireless or kind != "1" or "/usb" in (system.link_target(folder) or ""):
            continue
        burnt_in = (system.read_text(f"{folder}/addr_assign_type") or "").strip() == "0"
        address = (system.read_text(f"{folder}/address") or "").strip().lower()
        yield name, system.usage.permanent_mac(name) or (address if burnt_in else None)
