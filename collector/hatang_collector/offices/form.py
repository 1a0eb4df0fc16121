"""What a person typed about an office becomes a request, or faults beside the fields. Pure.

Pages and the command hand over the same fields as text, so both ask, propose and refuse alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from hatang_collector.domain.dated import on
from hatang_collector.domain.estate import Estate, LinkKind, Unit
from hatang_collector.domain.folding import bare, folded, official
from hatang_collector.domain.hours import ORDINARY, Week
from hatang_collector.offices.faults import Fault, Faults
from hatang_collector.offices.request import (
    DEFAULT_DAYS,
    MAX_LINKS,
    NewLink,
    NewUnit,
    OfficeRequest,
    Wanted,
    conflicts,
    free_code,
)

KNOWN: Final = "known"
NEW: Final = "new"
PROVIDERS: Final = (
    "VNPT",
    "Viettel",
    "FPT",
    "MobiFone",
    "CMC",
    "NetNam",
    "SPT",
    "Cục Bưu điện Trung ương",
)
MAX_TEXT: Final = 200
MAX_CODE: Final = 32
MAX_MACHINES: Final = 999
MAX_MBPS: Final = 100_000.0
MAX_DAYS: Final = 365

_QUOTED: Final = re.compile(r"'([^']*)'")

Fields = Mapping[str, str]


def defaults(estate: Estate) -> dict[str, str]:
    """The fields of an empty form."""
    found = {
        "unit_how": KNOWN if estate.units else NEW,
        "hours": ORDINARY,
        "probe": "on",
        "days": str(DEFAULT_DAYS),
    }
    return found | {f"link{row}_essential": "on" for row in range(1, MAX_LINKS + 1)}


def option(unit: Unit) -> str:
    """A unit as it is offered and as :func:`find_unit` reads it."""
    return f"{unit.name} ({unit.code})"


def find_unit(text: str, units: Sequence[Unit]) -> Unit | Fault:
    """The unit a person means: by what was offered, by code, by name, by a part of one name only."""
    wanted = official(text)
    if not wanted:
        return Fault("unit_missing")
    for unit in units:
        if wanted in (unit.code, option(unit)):
            return unit
    key, loose = folded(wanted), bare(wanted)
    found = (
        [unit for unit in units if key in (folded(unit.name), folded(option(unit)))]
        or [unit for unit in units if loose == bare(unit.name)]
        or [unit for unit in units if loose in bare(unit.name)]
    )
    if len(found) == 1:
        return found[0]
    if not found:
        return Fault("unit_unknown", {"text": wanted})
    return Fault("unit_many", {"count": len(found), "names": ", ".join(map(option, found[:3]))})


def unit_name(fields: Fields, estate: Estate, today: date) -> str:
    """The name of the unit that a form means so far, '' when it means none."""
    if fields.get("unit_how", KNOWN) == NEW:
        return official(fields.get("unit_name", ""))
    found = find_unit(fields.get("unit", ""), on(estate.units, today))
    return "" if isinstance(found, Fault) else found.name


def read_office(fields: Fields, estate: Estate, today: date) -> OfficeRequest | Faults:
    """The office a form describes, or what is wrong by field."""
    reader = _Reader(fields)
    unit, new_unit, name = reader.unit(estate, today)
    request = OfficeRequest(
        unit,
        reader.text("site_name") or name,
        new_unit,
        reader.text("address"),
        reader.hours(),
        reader.links(),
        reader.wanted([group.code for group in estate.staff_groups]),
    )
    # what is wrong with a field itself says more than what follows from it
    faults = conflicts(request, estate, today) | reader.faults
    return faults or request


def read_wanted(fields: Fields, estate: Estate) -> Wanted | Faults:
    """The machines that new tokens are for, or what is wrong by field."""
    reader = _Reader(fields)
    wanted = reader.wanted([group.code for group in estate.staff_groups])
    if not reader.faults and not wanted.total and not wanted.probe:
        reader.faults["probe"] = Fault("nobody")
    return reader.faults or wanted


def read_link(fields: Fields) -> NewLink | Faults:
    """One link, from the fields ``link1_…``."""
    reader = _Reader(fields)
    link = reader.link(1)
    if link is None and not reader.faults:
        reader.faults["link1_kind"] = Fault("kind_missing")
    return reader.faults or link or {}


def read_day(text: str) -> date | Fault:
    """A day as dd/mm/yyyy, or as browsers send it."""
    parts = official(text).replace("-", "/").split("/")
    if not all(part.isdecimal() and part.isascii() for part in parts) or len(parts) != 3:
        return Fault("day", {"text": official(text)})
    year_first = len(parts[0]) == 4
    year, month, day = (int(part) for part in (parts if year_first else reversed(parts)))
    try:
        return date(year, month, day)
    except ValueError:
        return Fault("day", {"text": official(text)})


class _Reader:
    """Reads field by field and keeps every fault, so that a form is corrected once."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self.faults: Faults = {}

    def text(self, name: str, longest: int = MAX_TEXT) -> str:
        text = official(self._fields.get(name, ""))
        if len(text) > longest:
            self.faults[name] = Fault("long", {"longest": longest})
        elif not text.isprintable():
            self.faults[name] = Fault("unprintable")
        return text

    def unit(self, estate: Estate, today: date) -> tuple[str, NewUnit | None, str]:
        """(code, the unit when it is new, its name)."""
        units = on(estate.units, today)
        if self._fields.get("unit_how", KNOWN) != NEW:
            found = find_unit(self._fields.get("unit", ""), units)
            if isinstance(found, Fault):
                self.faults["unit"] = found
                return "", None, ""
            return found.code, None, found.name
        name = self.text("unit_name")
        if not name:
            self.faults["unit_name"] = Fault("name_missing")
        parent = ""
        if official(self._fields.get("unit_parent", "")):
            above = find_unit(self._fields["unit_parent"], units)
            if isinstance(above, Fault):
                self.faults["unit_parent"] = above
            else:
                parent = above.code
        code = self.text("unit_code", MAX_CODE) or free_proposed_code(name, estate)
        if not _is_code(code):
            self.faults["unit_code"] = Fault("code_signs")
        return code, NewUnit(code, name, parent), name

    def hours(self) -> str:
        """What is stored: '' for the ordinary week."""
        text = official(self._fields.get("hours", ""))
        if not text:
            return ""
        try:
            week = str(Week.parse(text))
        except ValueError as error:
            near = _QUOTED.search(str(error))
            self.faults["hours"] = Fault("hours", {"near": near[1] if near else text, "example": ORDINARY})
            return ""
        return "" if week == str(Week.parse(ORDINARY)) else week

    def links(self) -> tuple[NewLink, ...]:
        rows = (self.link(row) for row in range(1, MAX_LINKS + 1))
        return tuple(row for row in rows if row is not None)

    def link(self, row: int) -> NewLink | None:
        """One row; None when nothing stands in it."""
        kind = official(self._fields.get(f"link{row}_kind", ""))
        provider = self.text(f"link{row}_provider")
        down = self._mbps(f"link{row}_down")
        up = self._mbps(f"link{row}_up")
        if not kind:
            if provider or down is not None or up is not None:
                self.faults[f"link{row}_kind"] = Fault("kind_missing")
            return None
        if kind not in set(LinkKind):
            self.faults[f"link{row}_kind"] = Fault("kind", {"text": kind, "kinds": ", ".join(LinkKind)})
            return None
        essential, metered = (
            bool(self._fields.get(f"link{row}_{name}")) for name in ("essential", "metered")
        )
        return NewLink(LinkKind(kind), provider, down, up, essential=essential, metered=metered)

    def wanted(self, groups: Sequence[str]) -> Wanted:
        machines = {group: self._whole(f"pcs_{group}", 0, MAX_MACHINES, 0) for group in groups}
        days = self._whole("days", 1, MAX_DAYS, DEFAULT_DAYS)
        named = {group: number for group, number in machines.items() if number}
        return Wanted(named, bool(self._fields.get("probe")), days)

    def _whole(self, name: str, least: int, most: int, default: int) -> int:
        text = official(self._fields.get(name, ""))
        if not text:
            return default
        if text.isascii() and text.isdecimal() and len(text) < 9 and least <= int(text) <= most:
            return int(text)
        self.faults[name] = Fault("whole", {"least": least, "most": most})
        return default

    def _mbps(self, name: str) -> float | None:
        text = official(self._fields.get(name, ""))
        if not text:
            return None
        value = _number(text)
        if isinstance(value, Fault):
            self.faults[name] = value
            return None
        return value


def _number(text: str) -> float | Fault:
    """A rate with a comma or a point before its decimals; 1.000 is refused, it may be meant as 1000."""
    whole, mark, decimals = text.replace(",", ".").partition(".")
    if not all(part.isascii() and part.isdecimal() for part in ([whole, decimals] if mark else [whole])):
        return Fault("mbps")
    if len(decimals) == 3 and whole.strip("0"):
        return Fault("thousands", {"text": text})
    value = float(f"{whole[:9]}.{decimals[:9] or 0}")
    return value if 0 < value <= MAX_MBPS else Fault("mbps")


def typed_rate(mbps: float) -> str:
    """A rate as it may be typed, with a comma; never three decimals, which would look like thousands."""
    whole, _, decimals = f"{mbps:.4f}".partition(".")
    kept = decimals.rstrip("0")
    return f"{whole},{decimals if len(kept) == 3 else kept}" if kept else whole


def proposed_code(name: str) -> str:
    """A code for a unit without an official one: ``ubnd-xa-khe-tre``."""
    words = "".join(sign if sign.isalnum() else " " for sign in bare(name)).split()
    return "-".join(words)[:MAX_CODE].strip("-") or "unit"


def free_proposed_code(name: str, estate: Estate) -> str:
    """:func:`proposed_code`, with a number behind when a unit has it."""
    return free_code(proposed_code(name), {unit.code for unit in estate.units})


def _is_code(text: str) -> bool:
    return bool(text) and all(sign.isalnum() or sign in "-_." for sign in text) and text[0].isalnum()
