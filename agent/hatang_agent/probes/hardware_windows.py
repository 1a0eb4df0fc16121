"""Hardware of a Windows machine, from WMI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hatang_agent.probes._generic import (
    chassis,
    fingerprint_of,
    iso_date,
    known,
    names_virtual_machine,
)
from hatang_agent.probes._nic import NET_ADAPTER, permanent_mac
from hatang_agent.system import System
from hatang_agent.system_windows import wmi_date_ms

CIMV2 = "root/cimv2"
STORAGE = "root/Microsoft/Windows/Storage"
_HDD, _SSD = 3, 4  # MSFT_PhysicalDisk.MediaType
_ETHERNET = 14  # NDIS_PHYSICAL_MEDIUM


def inventory(system: System) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Kind, key and fields of every fact."""
    found: list[tuple[str, str, Mapping[str, Any]]] = [("computer", "", _computer(system))]
    found.append(("cpu", "", _cpu(system)))
    media = {
        str(one["DeviceId"]): _whole(one["MediaType"])
        for one in system.wmi(STORAGE, "MSFT_PhysicalDisk", ["DeviceId", "MediaType"])
    }
    for one in _disks(system):
        index = str(one["Index"])
        spins = {_HDD: True, _SSD: False}.get(media.get(index) or 0)
        fields = {"model": known(one["Model"]), "size": _whole(one["Size"]), "rotational": spins}
        found.append(("disk", index, fields))
    return found


def _first(system: System, name: str, properties: Sequence[str]) -> Mapping[str, Any]:
    return next(iter(system.wmi(CIMV2, name, properties)), dict.fromkeys(properties))


def _computer(system: System) -> Mapping[str, Any]:
    computer = _first(system, "Win32_ComputerSystem", ["Manufacturer", "Model", "TotalPhysicalMemory"])
    bios = _first(system, "Win32_BIOS", ["Manufacturer", "SMBIOSBIOSVersion", "ReleaseDate"])
    kinds = _first(system, "Win32_SystemEnclosure", ["ChassisTypes"])["ChassisTypes"]
    maker, model = known(computer["Manufacturer"]), known(computer["Model"])
    return {
        "manufacturer": maker,
        "model": model,
        "chassis": chassis(_whole(kinds[0] if isinstance(kinds, list) and kinds else kinds)),
        "virtual": names_virtual_machine(maker, model),
        "memory_total": _whole(computer["TotalPhysicalMemory"]),
        "bios_vendor": known(bios["Manufacturer"]),
        "bios_version": known(bios["SMBIOSBIOSVersion"]),
        "bios_date": _date(bios["ReleaseDate"]),
    }


def _cpu(system: System) -> Mapping[str, Any]:
    found = system.wmi(CIMV2, "Win32_Processor", ["Name", "NumberOfCores", "NumberOfLogicalProcessors"])
    return {
        "name": known(found[0]["Name"]) if found else None,
        "sockets": len(found) or None,
        "cores": sum(_whole(one["NumberOfCores"]) or 0 for one in found) or None,
        "threads": sum(_whole(one["NumberOfLogicalProcessors"]) or 0 for one in found) or None,
    }


def _disks(system: System) -> list[Mapping[str, Any]]:
    found = system.wmi(
        CIMV2, "Win32_DiskDrive", ["Index", "Model", "Size", "InterfaceType", "MediaType", "SerialNumber"]
    )
    return [
        one
        for one in found
        if str(one["InterfaceType"]).upper() != "USB" and "removable" not in str(one["MediaType"]).lower()
    ]


def fingerprint(system: System) -> dict[str, str]:
    """See :func:`hatang_agent.probes.hardware.fingerprint`."""
    cards = system.wmi("root/StandardCimv2", "MSFT_NetAdapter", ["Name", "PnPDeviceID", *NET_ADAPTER])
    macs = [
        (str(one["Name"]), permanent_mac(one))
        for one in cards
        if one["HardwareInterface"]
        and _whole(one["NdisPhysicalMedium"]) == _ETHERNET
        and not str(one["PnPDeviceID"] or "").upper().startswith("USB")
    ]
    return fingerprint_of(
        _first(system, "Win32_ComputerSystemProduct", ["UUID"])["UUID"],
        _first(system, "Win32_BaseBoard", ["SerialNumber"])["SerialNumber"],
        [(str(one["Index"]), one["SerialNumber"]) for one in _disks(system)],
        macs,
    )


def _date(value: Any) -> str | None:
    """A BIOS date; PowerShell's ``/Date(…)/`` is midnight of that day in UTC or west of it."""
    if found := iso_date(str(value or "")):
        return found
    instant = wmi_date_ms(value)
    return None if instant is None else day(instant)


def day(instant_ms: int) -> str:
    """The UTC day of an instant, twelve hours added: a local midnight keeps its day in most zones."""
    import time

    return time.strftime("%Y-%m-%d", time.gmtime(instant_ms / 1000 + 43_200))


def _whole(value: Any) -> int | None:
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        return None
