"""Which hardware values say nothing: what makers leave in place of a real serial number."""

from __future__ import annotations

import re
from collections.abc import Iterable

_GENERIC = frozenset(
    [
        "##",
        "00000000",
        "0123456789",
        "123456789",
        "1234567890",
        "12345678",
        "default_string",
        "default",
        "empty",
        "invalid",
        "n/a",
        "na",
        "no_asset_tag",
        "none",
        "not_applicable",
        "not_available",
        "not_specified",
        "o.e.m.",
        "oem",
        "system_manufacturer",
        "system_product_name",
        "system_serial_number",
        "base_board_serial_number",
        "chassis_serial_number",
        "serial",
        "to_be_filled_by_o.e.m.",
        "to_be_filled",
        "type1productconfigid",
        "undefined",
        "unknown",
        "xxxxxxxx",
        "null",
        "<bad_index>",
        "<out_of_spec>",
        "asset-1234567890",
        "blank",
        "board_serial_number",
        "bsn12345678901234567",
        "chassis_manufacture",
        "chassis_manufacturer",
        "chassis_version",
        "eval",
        "generic",
        "mb-1234567890",
        "nb-1234567890",
        "no_asset_information",
        "no_enclosure",
        "not_present",
        "not_settable",
        "not_supported_by_cpu",
        "oem_serial",
        "serial_number",
        "standard",
        "sys-1234567890",
        "system_uuid",
        "system_version",
        "tbd",
        "tbd_by_oem",
        "test",
        "type2_-_board_serial_number",
        "00020003-0004-0005-0006-000700080009",
        "12345678-1234-1234-1234-123456789abc",
        "44454c4c-0000-1000-8000-000000000000",
        "4c4c4544-0000-2010-8020-80c04f202020",
        "feefeefe-efee-feef-eefe-effeefeefeef",
        "03000200-0400-0500-0006-000700080009",
        "12345678-1234-5678-90ab-cddeefaabbcc",
        "11111111-2222-3333-4444-555555555555",
        "fefefefe-fefe-fefe-fefe-fefefefefefe",
    ]
)

_EMULATED = re.compile(r"drive-[a-z]+\d+|qm0000\d|vbox_harddisk|sernum\d+|assettagnum\d+")
"""Serials that emulators give the disks of every machine, and numbered placeholders of makers."""

_UUID_AGAIN = re.compile(r"(?:vmware|parallels)-[0-9a-f -]+")
"""Serials of virtual machines that are their UUID once more: one value must not count twice."""


def meaningful(value: str) -> bool:
    """Whether a value can tell machines apart: no placeholder, not one sign repeated, no bare counting."""
    word = re.sub(r"\s+", "_", value.strip().lower())
    signs = set(re.sub(r"[\W_]", "", word))
    return len(word) >= 2 and word not in _GENERIC and len(signs) > 1 and not _EMULATED.fullmatch(word)


def known(value: object) -> str | None:
    """A text for a fact: trimmed, None when it is a maker's placeholder."""
    text = " ".join(str(value or "").split())[:200]
    return text if meaningful(text) else None


def own_mac(mac: str | None) -> bool:
    """Whether an address was given by the maker: six octets, neither group nor locally administered."""
    if not mac or not re.fullmatch(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", mac):
        return False
    first = int(mac[:2], 16)
    return not first & 0b11 and meaningful(mac)


def fingerprint_of(
    uuid: object,
    board: object,
    serial: object,
    disks: Iterable[tuple[str, object]],
    macs: Iterable[tuple[str, str | None]],
) -> dict[str, str]:
    """The fingerprint's values by name, lower case, placeholders left out."""
    values = {"smbios_uuid": known(uuid), "board_serial": known(board), "system_serial": known(serial)}
    if _UUID_AGAIN.fullmatch((values["system_serial"] or "").lower()):
        values["system_serial"] = None
    values |= {f"disk_serial.{name}": known(plain_serial(serial)) for name, serial in disks}
    values |= {f"mac.{name}": mac for name, mac in macs if own_mac(mac)}
    return {name: value.lower() for name, value in values.items() if value}


def plain_serial(serial: object) -> str:
    """A disk's serial as Linux and Windows 8 and later give it.

    Windows 7 writes the letters of an ATA serial in hexadecimal and swapped in pairs.
    """
    text = str(serial or "").strip()
    if not re.fullmatch(r"[0-9a-fA-F]{40}", text):
        return text
    octets = bytes.fromhex(text)
    plain = b"".join(octets[at : at + 2][::-1] for at in range(0, 20, 2)).decode("latin-1")
    return plain.strip() if plain.isascii() and plain.isprintable() else text


_VIRTUAL = re.compile(
    r"qemu|kvm|vmware|virtualbox|innotek|xen\b|parallels|bochs|bhyve|proxmox|openstack|"
    r"google compute|amazon ec2|microsoft corporation virtual machine|virtual machine",
    re.IGNORECASE,
)


def names_virtual_machine(*names: str | None) -> bool | None:
    """Whether maker and model are those of a virtual machine, None when there are no names."""
    text = " ".join(name for name in names if name)
    return bool(_VIRTUAL.search(text)) if text else None


_CHASSIS = {
    "desktop": (3, 4, 5, 6, 7, 15, 16, 24, 34, 35, 36),
    "laptop": (8, 9, 10, 14, 31, 32),
    "all_in_one": (13,),
    "tablet": (30,),
    "server": (17, 23, 25, 28, 29),
}


def chassis(number: int | None) -> str | None:
    """The kind of case by its number in the System Enclosure structure (SMBIOS 3.7, table 17)."""
    return next((kind for kind, numbers in _CHASSIS.items() if number in numbers), None)


def iso_date(text: str | None) -> str | None:
    """``MM/DD/YYYY`` of SMBIOS or ``YYYYMMDD…`` of WMI as ``YYYY-MM-DD``."""
    if found := re.fullmatch(r"(\d\d)/(\d\d)/(\d{4})", (text or "").strip()):
        return f"{found[3]}-{found[1]}-{found[2]}"
    if found := re.match(r"(\d{4})(\d\d)(\d\d)\d", (text or "").strip()):
        return f"{found[1]}-{found[2]}-{found[3]}"
    return None
