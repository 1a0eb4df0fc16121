"""To which unit and which site a machine or an asset belongs, on a day and in the structure of a day.

What is declared names a unit, a site, or both. The missing one follows where there is only one
possibility; where there are several, nothing is guessed and the reason is told.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from hatang_collector.domain import dated
from hatang_collector.domain.estate import Estate
from hatang_collector.domain.tree import Resolved, Tree, Way

_NOBODY: Final = Resolved(None, Way.UNKNOWN)


class Gap(StrEnum):
    """Why something has no unit in a structure."""

    NOT_PLACED = "not_placed"
    UNKNOWN_UNIT = "unknown_unit"
    SEVERAL_UNITS = "several_units"
    NO_UNIT_AT_SITE = "no_unit_at_site"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something belongs.

    ``unit`` is '' when none or several are possible: ``gap`` says why, ``candidates`` which. ``site``
    is '' when nobody said and it does not follow.
    """

    unit: str
    site: str
    gap: Gap | None = None
    candidates: tuple[str, ...] = ()


class Attribution:
    """Belongings on ``day``, with units as they are in the structure of ``structure`` (default ``day``)."""

    def __init__(self, estate: Estate, tree: Tree, day: date, structure: date | None = None) -> None:
        self._tree = tree
        self._day = day
        self._structure = structure or day
        self._sites = frozenset(site.code for site in dated.on(estate.sites, day))
        self._sites_of: dict[str, list[str]] = defaultdict(list)
        self._units_of: dict[str, list[str]] = defaultdict(list)
        for row in dated.on(estate.site_units, day):
            self._sites_of[row.unit].append(row.site)
        for row in dated.on(estate.site_units, self._structure):
            self._units_of[row.site].append(row.unit)
        self._resolved: dict[str, Resolved] = {}

    def units_at(self, site: str) -> tuple[str, ...]:
        """The units that work at a site in the structure, as they are called there."""
        found = (self._tree.resolve(code, self._structure).unit for code in self._units_of.get(site, ()))
        return tuple(dict.fromkeys(code for code in found if code))

    def place(self, unit: str, site: str) -> Place:
        """Where something declared with this unit and this site belongs; '' for what nobody said."""
        site = site if site in self._sites else self._only_site_of(unit)
        found = self._resolve(unit)
        if found.unit:
            return Place(found.unit, site)
        # A unit that was split, or that nobody said, may still be told by who works in the building.
        here = self.units_at(site)
        certain = [code for code in here if code in found.candidates] if found.candidates else here
        if len(certain) == 1:
            return Place(certain[0], site)
        possible = tuple(code for code in found.candidates if code) or here
        return Place("", site, _gap(unit, site, possible), possible)

    def _only_site_of(self, unit: str) -> str:
        """The site of a unit that has just one: its own on the day, else that of who stands for it."""
        found = self._sites_of.get(unit) or self._sites_of.get(self._resolve(unit).unit or "") or []
        return found[0] if len(found) == 1 else ""

    def _resolve(self, unit: str) -> Resolved:
        """What stands in the structure for what a unit had on the day."""
        if unit not in self._resolved:
            known = self._tree.resolve(unit, self._structure, self._day) if unit else _NOBODY
            self._resolved[unit] = known
        return self._resolved[unit]


def _gap(unit: str, site: str, possible: tuple[str, ...]) -> Gap:
    if possible:
        return Gap.SEVERAL_UNITS
    if unit:
        return Gap.UNKNOWN_UNIT
    return Gap.NO_UNIT_AT_SITE if site else Gap.NOT_PLACED
