"""Until when an operating system gets security updates, from a dated table in the package.

``data/os_support.json`` names for each release the last day of free updates, the public page that says
so, where its author read it, and for the whole the day it was written (``as_of``). What is not in the
table is unknown. Paid extensions are a matter of declaration.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parent.parent / "data" / "os_support.json"

_HOME = re.compile(r"Core\w*|Professional\w*|Cloud\w*")
_ENTERPRISE = re.compile(r"(?:Enterprise|Education)(?:N|G|GN)?|IoTEnterprise|IoTEnterpriseK|ServerRdsh")
_BEFORE_10 = re.compile(
    r"(?:Starter|HomeBasic|HomePremium|Ultimate|Business|Core\w*|Professional\w*|Enterprise)(?:N|E|K)?"
)
_CHANNELS = {"EnterpriseS": "ltsc", "EnterpriseSN": "ltsc", "IoTEnterpriseS": "iot_ltsc"}
_FIRST_10 = 10_240


@dataclass(frozen=True, slots=True)
class Support:
    """``supported`` is yes, no or unknown; ``end`` the last day of updates, ISO, None when unknown."""

    supported: str
    end: str | None
    as_of: str

    def fields(self) -> dict[str, str | None]:
        """Fields of the fact ``os``."""
        return {"supported": self.supported, "support_end": self.end, "support_as_of": self.as_of}


def of_windows(build: str, edition: str | None, *, server: bool | None, today: str) -> Support:
    """By build number and ``EditionID``; ``today`` is an ISO day."""
    table = _table()
    number = build.partition(".")[0]
    channel = windows_channel(int(number), edition or "", server) if number.isdigit() else None
    for one in table["windows"]:
        if str(one["build"]) == number and one["server"] is server:
            return _support(one["ends"].get(channel), today, table["as_of"])
    return Support("unknown", None, table["as_of"])


def of_linux(distribution: str | None, version: str | None, *, today: str) -> Support:
    """By ``ID`` and ``VERSION_ID`` of os-release(5)."""
    table = _table()
    for one in table["linux"]:
        if (one["id"], one["version"]) == (distribution, version):
            return _support(one["end"], today, table["as_of"])
    return Support("unknown", None, table["as_of"])


def unknown() -> Support:
    """For systems that the table does not cover."""
    return Support("unknown", None, _table()["as_of"])


def windows_channel(build: int, edition: str, server: bool | None) -> str | None:
    """Which of a build's dates holds for an edition; None for an edition that is not known."""
    if server:
        if edition.endswith("ACor"):
            return "server_annual"
        return "server" if edition.startswith("Server") else None
    if server is None:
        return None
    if build < _FIRST_10:
        return "any" if _BEFORE_10.fullmatch(edition) else None
    if edition in _CHANNELS:
        return _CHANNELS[edition]
    if _HOME.fullmatch(edition):
        return "home"
    return "enterprise" if _ENTERPRISE.fullmatch(edition) else None


def _support(end: str | None, today: str, as_of: str) -> Support:
    if end is None:
        return Support("unknown", None, as_of)
    # A clock that stands before the table was written is wrong: it must not bring support back.
    return Support("yes" if max(today, as_of) <= end else "no", end, as_of)


def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found
