"""Adapters of a Windows machine: counters by the library, the rest by WMI when something changed.

``MSFT_NetAdapter`` (Windows 8 and later) says what is hardware; before it, Win32_NetworkAdapter's
``PhysicalAdapter`` and plug-and-play id do. Written against the pages "MSFT_NetAdapter class",
"Win32_NetworkAdapter class" and "Win32_NetworkAdapterConfiguration class"; never run on Windows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hatang_agent.probes._nic import (
    BLUETOOTH,
    CELLULAR,
    ETHERNET,
    NET_ADAPTER,
    UNKNOWN,
    VIRTUAL,
    WIFI,
    Nic,
    permanent_mac,
)
from hatang_agent.system import Interface, System

MAX_ADDRESSES = 4
ADAPTER = (
    "Index",
    "GUID",
    "Name",
    "AdapterTypeId",
    "NetConnectionID",
    "NetConnectionStatus",
    "MACAddress",
    "PhysicalAdapter",
    "PNPDeviceID",
    "Speed",
)
CONFIGURATION = ("Index", "IPAddress", "DefaultIPGateway", "IPConnectionMetric")
_CONNECTED = 2
_MEDIUMS = {1: WIFI, 8: CELLULAR, 9: WIFI, 10: BLUETOOTH, 14: ETHERNET}  # NDIS_PHYSICAL_MEDIUM
_TYPES = {71: WIFI, 243: CELLULAR, 244: CELLULAR}  # InterfaceType, as IANA numbers them (ifType)
_ETHERNET_802_3 = 0  # Win32_NetworkAdapter.AdapterTypeId
_CARRIERS = ("ROOT\\VMS_MP\\", "COMPOSITEBUS\\MS_IMPLAT_MP\\")
"""Plug-and-play ids of Hyper-V's switch port and of a team of cards: virtual, but before hardware."""
_WIFI_NAME = re.compile(r"wi-?fi|wireless|802\.11|wlan", re.IGNORECASE)
_NO_SPEED = 1 << 62  # Windows writes the largest number where it does not know


def read(system: System, memory: dict[str, Any]) -> list[Nic]:
    """Every adapter that has a connection name."""
    known = system.usage.interfaces()
    state = {name: (one.mac, one.ipv4, one.up) for name, one in known.items()}
    if memory.get("state") != state:
        memory["described"] = describe(system)
        memory["state"] = state
    return [_with_counters(nic, known.get(nic.name)) for nic in memory["described"]]


def _with_counters(nic: Nic, known: Interface | None) -> Nic:
    if known is None:
        return nic
    import dataclasses

    up = nic.up if known.up is None else known.up
    return dataclasses.replace(nic, up=up, counters=known.counters, speed_bps=nic.speed_bps if up else None)


def describe(system: System) -> list[Nic]:
    """Adapters with everything but counters, by WMI."""
    configurations = {
        one["Index"]: one
        for one in system.wmi("root/cimv2", "Win32_NetworkAdapterConfiguration", CONFIGURATION)
    }
    adapters = {
        str(one["InterfaceGuid"]).upper(): one
        for one in system.wmi("root/StandardCimv2", "MSFT_NetAdapter", NET_ADAPTER)
    }
    found = [
        _nic(one, configurations.get(one["Index"], {}), adapters.get(str(one["GUID"]).upper()))
        for one in system.wmi("root/cimv2", "Win32_NetworkAdapter", ADAPTER)
        if one["NetConnectionID"]
    ]
    return found or _from_systeminfo(system)


def _from_systeminfo(system: System) -> list[Nic]:
    """What ``systeminfo`` tells of its cards: names and addresses, no more."""
    from hatang_agent.probes import _systeminfo

    return [
        Nic(
            name=card.connection or card.name,
            up=card.connected,
            virtual=None,  # a VPN's adapter is listed like a card
            description=card.name,
            ipv4=tuple(one for one in card.addresses if "." in one)[:MAX_ADDRESSES],
            ipv6=tuple(one for one in card.addresses if ":" in one and not one.startswith("fe80"))[
                :MAX_ADDRESSES
            ],
        )
        for card in _systeminfo.read(system).cards
    ]


def _nic(
    adapter: Mapping[str, Any], configuration: Mapping[str, Any], modern: Mapping[str, Any] | None
) -> Nic:
    addresses = _texts(configuration.get("IPAddress"))
    speed = _whole(adapter["Speed"])
    up = _whole(adapter["NetConnectionStatus"]) == _CONNECTED
    return Nic(
        name=str(adapter["NetConnectionID"]),
        up=up,
        virtual=_virtual(adapter, modern),
        medium=_medium(adapter, modern),
        description=str(adapter["Name"] or ""),
        mac=str(adapter["MACAddress"] or "").lower(),
        permanent_mac=permanent_mac(modern),
        ipv4=tuple(one for one in addresses if "." in one)[:MAX_ADDRESSES],
        ipv6=tuple(one for one in addresses if ":" in one and not one.startswith("fe80"))[:MAX_ADDRESSES],
        gateway=next((one for one in _texts(configuration.get("DefaultIPGateway")) if "." in one), None),
        speed_bps=speed if up and speed and speed < _NO_SPEED else None,
        carries=str(adapter["PNPDeviceID"] or "").upper().startswith(_CARRIERS),
        metric=_whole(configuration.get("IPConnectionMetric")),
    )


def _virtual(adapter: Mapping[str, Any], modern: Mapping[str, Any] | None) -> bool:
    if modern is not None and modern["HardwareInterface"] is not None:
        return bool(modern["Virtual"]) or not modern["HardwareInterface"]
    return not adapter["PhysicalAdapter"] or str(adapter["PNPDeviceID"] or "").upper().startswith("ROOT\\")


def _medium(adapter: Mapping[str, Any], modern: Mapping[str, Any] | None) -> str:
    virtual = _virtual(adapter, modern)
    if modern is not None:
        medium = _MEDIUMS.get(_whole(modern["NdisPhysicalMedium"]) or 0)
        return medium or _TYPES.get(_whole(modern["InterfaceType"]) or 0) or (VIRTUAL if virtual else UNKNOWN)
    if str(adapter["PNPDeviceID"] or "").upper().split("\\")[0] in ("BTH", "BTHENUM"):
        return BLUETOOTH
    if virtual:
        return VIRTUAL
    if _WIFI_NAME.search(str(adapter["Name"] or "")):
        return WIFI
    return ETHERNET if _whole(adapter["AdapterTypeId"]) == _ETHERNET_802_3 else UNKNOWN


def _texts(value: Any) -> Sequence[str]:
    if isinstance(value, str):
        return [value]
    return [str(one) for one in value] if isinstance(value, list) else []


def _whole(value: Any) -> int | None:
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        return None
