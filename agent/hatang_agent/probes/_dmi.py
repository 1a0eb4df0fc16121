"""SMBIOS of a Linux machine as ``dmidecode`` prints it, for what /sys does not let this process read.

Needs root, as the tables do. Written against dmidecode 2.10 to 3.x and SMBIOS 3.7 (DSP0134).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hatang_agent.system import CommandMissing, CommandTimeout, System

COMMAND = ("dmidecode",)
TIMEOUT_S = 10.0
BIOS, SYSTEM, BOARD, CHASSIS, PROCESSOR, MEMORY_DEVICE = 0, 1, 2, 3, 4, 17
LITTLE_ENDIAN_UUID = (2, 6)
"""Since this version the first three fields of the UUID are little-endian (SMBIOS 3.7, 7.2.1)."""

_CHASSIS_NUMBERS: Mapping[str, int] = {
    "Desktop": 3,
    "Low Profile Desktop": 4,
    "Pizza Box": 5,
    "Mini Tower": 6,
    "Tower": 7,
    "Portable": 8,
    "Laptop": 9,
    "Notebook": 10,
    "All In One": 13,
    "Sub Notebook": 14,
    "Space-saving": 15,
    "Lunch Box": 16,
    "Main Server Chassis": 17,
    "Rack Mount Chassis": 23,
    "Sealed-case PC": 24,
    "Multi-system": 25,
    "Blade": 28,
    "Blade Enclosing": 29,
    "Tablet": 30,
    "Convertible": 31,
    "Detachable": 32,
    "Embedded PC": 34,
    "Mini PC": 35,
    "Stick PC": 36,
}
"""Cases by dmidecode's words for them, with their numbers in SMBIOS 3.7, table 17."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Structures by type number, each its values by name; and the version of SMBIOS."""

    version: tuple[int, int] | None
    structures: Mapping[int, Sequence[Mapping[str, str]]]

    def value(self, kind: int, name: str) -> str | None:
        """A value of the first structure of a type."""
        return next((one.get(name) for one in self.structures.get(kind, ())), None)

    def chassis_number(self) -> int | None:
        """The type of the case as SMBIOS numbers it."""
        return _CHASSIS_NUMBERS.get(self.value(CHASSIS, "Type") or "")

    def uuid(self) -> str | None:
        """The machine's UUID in the byte order of SMBIOS 2.6, whatever the version of the tables."""
        return ordered_uuid(self.value(SYSTEM, "UUID"), self.version)

    def memory_modules(self) -> int | None:
        """How many modules are plugged in; None when the tables have no memory devices."""
        sizes = [one.get("Size", "") for one in self.structures.get(MEMORY_DEVICE, ())]
        return sum(bool(re.match(r"[1-9]", size)) for size in sizes) or None


def ordered_uuid(text: str | None, version: tuple[int, int] | None) -> str | None:
    """A UUID as the tools of Linux print it, in the byte order that SMBIOS 2.6 fixed.

    Linux prints the bytes of older tables as they lie, Windows always swaps the first three fields:
    one machine would have two UUIDs. An unknown version is taken as a newer one.
    """
    parts = (text or "").strip().lower().split("-")
    if not re.fullmatch(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", "-".join(parts)):
        return text
    if version is not None and version < LITTLE_ENDIAN_UUID:
        parts[:3] = [bytes.fromhex(part)[::-1].hex() for part in parts[:3]]
    return "-".join(parts)


def entry_version(text: str | None) -> tuple[int, int] | None:
    """The version in an SMBIOS 2 entry point as read from /sys; version 3 needs no swapping."""
    if text is None or not text.startswith("_SM_") or len(text) < 8:
        return None
    return ord(text[6]), ord(text[7])


def read(system: System) -> Tables | None:
    """What dmidecode prints here; None when it is missing, refused or empty."""
    try:
        output = system.run(COMMAND, TIMEOUT_S)
    except (CommandMissing, CommandTimeout):
        return None
    tables = parse(output.stdout)
    return tables if tables.structures else None


def parse(text: str) -> Tables:
    """Structures from dmidecode's output; lists below a name are passed over."""
    found = re.search(r"(?m)^SMBIOS (\d+)\.(\d+)(?:\.\d+)? present", text)
    version = (int(found[1]), int(found[2])) if found else None
    structures: dict[int, list[Mapping[str, str]]] = {}
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        head = re.search(r"(?m)^Handle 0x[0-9A-Fa-f]+, DMI type (\d+),", block)
        if not head:
            continue
        rows = re.findall(r"(?m)^(?:\t| {1,4})(?=\S)([^:\n]+): *(.*?)\s*$", block)
        structures.setdefault(int(head[1]), []).append(dict(rows))
    return Tables(version, structures)
