"""What ``systeminfo`` prints on an English Windows, where WMI and the registry told nothing.

Its labels follow the language of the system: on another one nothing is recognised, and nothing is
told. The page "systeminfo" of Microsoft's "Windows Commands" documents the command; its output is
only recorded, never run here. The command asks WMI itself and takes seconds, so it is the last resort.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hatang_agent.system import CommandMissing, CommandTimeout, System

COMMAND = ("systeminfo",)
TIMEOUT_S = 40.0


@dataclass(frozen=True, slots=True)
class Card:
    """One network card."""

    name: str
    connection: str
    connected: bool
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """Values by label, and the network cards. Empty when the command is not there or not in English."""

    values: Mapping[str, str]
    cards: tuple[Card, ...]

    def memory_bytes(self) -> int | None:
        """Physical memory in bytes; the command rounds to megabytes."""
        found = re.fullmatch(r"([\d.,\u00a0 ]+) ?MB", self.values.get("Total Physical Memory", ""))
        digits = re.sub(r"\D", "", found[1]) if found else ""
        return int(digits) << 20 if digits else None

    def bios(self) -> tuple[str | None, str | None, str | None]:
        """Vendor, version and ISO date of the firmware.

        ``VMware, Inc. VMW71.00V, 8/10/2020``: the version is the last word. The date follows the
        locale of the system and is told only where that is American.
        """
        text, _, date = self.values.get("BIOS Version", "").rpartition(", ")
        vendor, _, version = text.rpartition(" ")
        american = self.values.get("System Locale", "").lower().startswith("en-us;")
        parts = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", date) if american else None
        day = f"{parts[3]}-{int(parts[1]):02}-{int(parts[2]):02}" if parts else None
        return vendor or None, version or None, day


def read(system: System) -> SystemInfo:
    """Run the command; empty when it is missing, too slow or not understood."""
    try:
        return parse(system.run(COMMAND, TIMEOUT_S).stdout)
    except (CommandMissing, CommandTimeout):
        return SystemInfo({}, ())


def parse(text: str) -> SystemInfo:
    """Values by label and cards from the command's list format."""
    values: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    label = ""
    for line in text.splitlines():
        if found := re.match(r"(\S[^:]*(?:: \S[^:]*)?):(?:\s+(.*))?$", line):
            label = found[1]
            values[label] = (found[2] or "").strip()
        elif label and line.strip():
            lists.setdefault(label, []).append(line)
    return SystemInfo(values, tuple(_cards(lists.get("Network Card(s)", []))))


def _cards(lines: list[str]) -> list[Card]:
    rows = [(len(line) - len(line.lstrip()), line.strip()) for line in lines]
    first = min((indent for indent, _ in rows), default=0)
    found: list[Card] = []
    name, details, addresses = "", dict[str, str](), list[str]()
    for indent, text in [*rows, (first, "[]:")]:
        numbered = re.match(r"\[\d*\]:\s*(.*)", text)
        if numbered and indent == first:
            if name:
                connected = "Status" not in details
                card = Card(name, details.get("Connection Name", ""), connected, tuple(addresses))
                found.append(card)
            name, details, addresses = numbered[1], {}, []
        elif numbered:
            addresses.append(numbered[1].strip())
        else:
            label, _, value = text.partition(":")
            details[label.strip()] = value.strip()
    return found
