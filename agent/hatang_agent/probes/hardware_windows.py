"""Hardware of a Windows machine, from WMI, else from the registry, else from ``systeminfo``.

Written against the pages "Win32_ComputerSystem class", "Win32_SystemEnclosure class", "Win32_DiskDrive
class", "Win32_PhysicalMemory class", "MSFT_PhysicalDisk class" and "MSFT_StorageReliabilityCounter
class"; run on recordings only, never on Windows. The reliability counters need an administrator.
"""

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
from hatang_agent.probes._health import Health, of_windows
from hatang_agent.probes._nic import NET_ADAPTER, permanent_mac
from hatang_agent.system import System
from hatang_agent.system_windows import wmi_date_ms

CIMV2 = "root/cimv2"
STORAGE = "root/Microsoft/Windows/Storage"
BIOS_KEY = r"HKLM\HARDWARE\DESCRIPTION\System\BIOS"
PROCESSORS_KEY = r"HKLM\HARDWARE\DESCRIPTION\System\CentralProcessor"
"""One key for each hardware thread, ``0``, ``1``…"""
_HDD, _SSD = 3, 4  # MSFT_PhysicalDisk.MediaType
_ETHERNET = 14  # NDIS_PHYSICAL_MEDIUM


def inventory(system: System) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Kind, key and fields of every fact."""
    found: list[tuple[str, str, Mapping[str, Any]]] = [("computer", "", _computer(system))]
    found.append(("cpu", "", _cpu(system)))
    disks = _disks(system)
    storage = (
        _by_device(system, "MSFT_PhysicalDisk", ["DeviceId", "MediaType", "HealthStatus"]) if disks else {}
    )
    conditions = _conditions(system, disks, storage)
    for one in disks:
        index = str(one["Index"])
        spins = {_HDD: True, _SSD: False}.get(_whole(storage.get(index, {}).get("MediaType")) or 0)
        fields = {
            "model": known(one["Model"]),
            "size": _whole(one["Size"]),
            "rotational": spins,
            "health": conditions[index].state,
            "health_reason": conditions[index].reason,
        }
        found.append(("disk", index, fields))
    return found


def _by_device(system: System, name: str, properties: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Objects of a storage class by the number of their disk."""
    return {str(one["DeviceId"]): one for one in system.wmi(STORAGE, name, properties)}


def _conditions(
    system: System, disks: Sequence[Mapping[str, Any]], storage: Mapping[str, Mapping[str, Any]]
) -> dict[str, Health]:
    """The health of each disk; a class that tells nothing more is not asked for."""
    counters = _by_device(system, "MSFT_StorageReliabilityCounter", ["DeviceId", "Wear"]) if storage else {}
    predicted: dict[str, Any] = {}
    if disks and not any(one.get("HealthStatus") is not None for one in storage.values()):
        asked = ["InstanceName", "PredictFailure"]
        for one in system.wmi("root/WMI", "MSStorageDriver_FailurePredictStatus", asked):
            # "<plug-and-play id>_0"
            predicted[str(one["InstanceName"]).upper().removesuffix("_0")] = one["PredictFailure"]
    return {
        str(one["Index"]): of_windows(
            _whole(storage.get(str(one["Index"]), {}).get("HealthStatus")),
            _whole(counters.get(str(one["Index"]), {}).get("Wear")),
            predicted.get(str(one["PNPDeviceID"]).upper()),
        )
        for one in disks
    }


def _first(system: System, name: str, properties: Sequence[str]) -> Mapping[str, Any]:
    return next(iter(system.wmi(CIMV2, name, properties)), dict.fromkeys(properties))


def _computer(system: System) -> Mapping[str, Any]:
    computer = _first(system, "Win32_ComputerSystem", ["Manufacturer", "Model", "TotalPhysicalMemory"])
    bios = _first(system, "Win32_BIOS", ["Manufacturer", "SMBIOSBIOSVersion", "ReleaseDate"])
    kinds = _first(system, "Win32_SystemEnclosure", ["ChassisTypes"])["ChassisTypes"]
    fields: dict[str, Any] = {
        "manufacturer": known(computer["Manufacturer"]),
        "model": known(computer["Model"]),
        "chassis": chassis(_whole(kinds[0] if isinstance(kinds, list) and kinds else kinds)),
        "memory_total": _whole(computer["TotalPhysicalMemory"]),
        "memory_modules": len(system.wmi(CIMV2, "Win32_PhysicalMemory", ["Capacity"])) or None,
        "bios_vendor": known(bios["Manufacturer"]),
        "bios_version": known(bios["SMBIOSBIOSVersion"]),
        "bios_date": _date(bios["ReleaseDate"]),
    }
    if computer["Manufacturer"] is None:  # not a placeholder: WMI did not answer
        registered = _by_registry(system)
        answered = any(registered.values())
        fields = _filled(fields, registered if answered else _by_systeminfo(system))
    fields["virtual"] = names_virtual_machine(fields["manufacturer"], fields["model"])
    return fields


def _filled(fields: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    return {key: others.get(key) if value is None else value for key, value in fields.items()}


def _by_registry(system: System) -> Mapping[str, Any]:
    values = system.registry(BIOS_KEY) or {}
    return {
        "manufacturer": known(values.get("SystemManufacturer")),
        "model": known(values.get("SystemProductName")),
        "bios_vendor": known(values.get("BIOSVendor")),
        "bios_version": known(values.get("BIOSVersion")),
        "bios_date": iso_date(str(values.get("BIOSReleaseDate") or "")),
    }


def _by_systeminfo(system: System) -> Mapping[str, Any]:
    from hatang_agent.probes import _systeminfo

    told = _systeminfo.read(system)
    vendor, version, date = told.bios()
    return {
        "manufacturer": known(told.values.get("System Manufacturer")),
        "model": known(told.values.get("System Model")),
        "memory_total": told.memory_bytes(),
        "bios_vendor": known(vendor),
        "bios_version": known(version),
        "bios_date": date,
    }


def _cpu(system: System) -> Mapping[str, Any]:
    found = system.wmi(CIMV2, "Win32_Processor", ["Name", "NumberOfCores", "NumberOfLogicalProcessors"])
    if not found:
        values = system.registry(PROCESSORS_KEY + "\\0") or {}
        threads = len(system.registry_keys(PROCESSORS_KEY))
        return {"name": known(values.get("ProcessorNameString")), "threads": threads or None}
    return {
        "name": known(found[0]["Name"]),
        "sockets": len(found),
        "cores": sum(_whole(one["NumberOfCores"]) or 0 for one in found) or None,
        "threads": sum(_whole(one["NumberOfLogicalProcessors"]) or 0 for one in found) or None,
    }


def _disks(system: System) -> list[Mapping[str, Any]]:
    found = system.wmi(
        CIMV2,
        "Win32_DiskDrive",
        ["Index", "Model", "Size", "InterfaceType", "MediaType", "SerialNumber", "PNPDeviceID"],
    )
    return [
        one
        for one in found
        if str(one["InterfaceType"]).upper() != "USB"
        and not str(one["PNPDeviceID"] or "").upper().startswith("USB")
        and "removable" not in str(one["MediaType"]).lower()
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
        _first(system, "Win32_BIOS", ["SerialNumber"])["SerialNumber"],
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
