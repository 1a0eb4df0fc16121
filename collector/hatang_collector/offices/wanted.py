"""How many PCs of which staff group a token is for, in its note, in words that read back. Pure.

A token knows only how often it may be used. What it is for stands in its note: ``Khe Tre: 12 cbcc,
2 chung``. A note that somebody else wrote simply tells nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

_PART: Final = re.compile(r"(\d{1,4}) (\S+)")
_MAX_NAME: Final = 80


def note(name: str, machines: Mapping[str, int]) -> str:
    """The note of a token for these machines at the office of that name."""
    parts = ", ".join(f"{number} {group}" for group, number in machines.items() if number)
    short = name[:_MAX_NAME].rstrip()
    return f"{short}: {parts}" if parts else short


def wanted(text: str, groups: Collection[str]) -> dict[str, int]:
    """The machines by staff group that a note names; empty when it does not say so."""
    found: dict[str, int] = {}
    for part in text.rpartition(": ")[2].split(", "):
        match = _PART.fullmatch(part)
        if match is None or match[2] not in groups:
            return {}
        found[match[2]] = int(match[1])
    return found
