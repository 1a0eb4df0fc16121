"""What an office is said to be, and the rows of the estate that follow. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import Final

from hatang_collector.domain.dated import BEGINNING, on
from hatang_collector.domain.estate import Estate, Link, LinkKind, Site, SiteUnit, Unit
from hatang_collector.domain.folding import folded
from hatang_collector.offices.faults import Fault, Faults

DEFAULT_DAYS: Final = 14
"""How long the tokens of a new office are good: two working weeks."""

MAX_LINKS: Final = 4


@dataclass(frozen=True, slots=True)
class NewUnit:
    """A unit that nobody declared yet; ``parent`` is '' for a root."""

    code: str
    name: str
    parent: str = ""


@dataclass(frozen=True, slots=True)
class NewLink:
    """An access line and its contract. Rates in Mbit/s, None when nobody knows."""

    kind: LinkKind
    provider: str = ""
    down_mbps: float | None = None
    up_mbps: float | None = None
    essential: bool = True
    metered: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """The machines that are to enrol: PCs by staff group, a site probe or none, within so many days."""

    machines: Mapping[str, int] = field(default_factory=dict)
    probe: bool = True
    days: int = DEFAULT_DAYS

    @property
    def total(self) -> int:
        """All PCs."""
        return sum(self.machines.values())


@dataclass(frozen=True, slots=True)
class OfficeRequest:
    """One office. ``unit`` is a known code, or that of ``new_unit``; ``hours`` '' is the ordinary week."""

    unit: str
    site_name: str
    new_unit: NewUnit | None = None
    address: str = ""
    hours: str = ""
    links: tuple[NewLink, ...] = ()
    wanted: Wanted = field(default_factory=Wanted)


@dataclass(frozen=True, slots=True)
class OfficeRows:
    """What is put into the estate, in this order."""

    unit: Unit | None
    site: Site
    site_unit: SiteUnit
    links: tuple[Link, ...]

    def each(self) -> Iterable[Unit | Site | SiteUnit | Link]:
        """Every row."""
        units = () if self.unit is None else (self.unit,)
        return (*units, self.site, self.site_unit, *self.links)


def office_rows(request: OfficeRequest, estate: Estate, today: date) -> OfficeRows:
    """The rows of an office.

    The site takes the code of its unit, with a number behind when that is taken. What is declared
    holds from the beginning, as far as units themselves do, because the office was there before.
    """
    unit, (begins, ends) = None, (BEGINNING, None)
    new = request.new_unit
    above = request.unit if new is None else new.parent
    if above:
        begins, ends = _span(estate.units, above, today)
    if new is not None:
        unit = Unit(new.code, new.name, parent=new.parent, valid_from=begins, valid_to=ends)
    code = free_code(request.unit, {site.code for site in estate.sites})
    site = Site(code, request.site_name, request.address, request.hours)
    taken = {link.code for link in estate.links}
    links = []
    for wish in request.links:
        links.append(_link(wish, code, taken))
        taken.add(links[-1].code)
    return OfficeRows(unit, site, SiteUnit(code, request.unit, begins, ends), tuple(links))


def conflicts(request: OfficeRequest, estate: Estate, today: date) -> Faults:
    """What forbids an office in this estate, by field; empty when nothing does."""
    found: Faults = {}
    units = on(estate.units, today)
    new = request.new_unit
    if new is None:
        if all(unit.code != request.unit for unit in units):
            found["unit"] = Fault("unit_unknown", {"text": request.unit})
    else:
        taken = next((unit for unit in estate.units if unit.code == new.code), None)
        if taken is not None:
            found["unit_code"] = Fault("code_taken", {"name": taken.name})
        wanted = (folded(new.name), new.parent)
        twin = next((unit for unit in units if (folded(unit.name), unit.parent) == wanted), None)
        if twin is not None:
            found["unit_name"] = Fault("unit_exists", {"name": twin.name, "code": twin.code})
    names = {folded(site.name): site for site in on(estate.sites, today)}
    site = names.get(folded(request.site_name))
    if site is not None:
        found["site_name"] = Fault("site_exists", {"name": site.name})
    return found


def free_code(wanted: str, taken: Collection[str]) -> str:
    """The code, or the first of ``code-2``, ``code-3`` … that is not taken."""
    if wanted not in taken:
        return wanted
    return next(code for number in count(2) if (code := f"{wanted}-{number}") not in taken)


def _link(wish: NewLink, site: str, taken: Collection[str]) -> Link:
    code = free_code(f"{site}-{wish.kind}", taken)
    return Link(
        code,
        site,
        wish.kind,
        wish.provider,
        wish.down_mbps,
        wish.up_mbps,
        essential=wish.essential,
        metered=wish.metered,
    )


def _span(units: Iterable[Unit], code: str, today: date) -> tuple[date, date | None]:
    """The first day and the end of the time around today in which a unit is there without a break."""
    versions = sorted((unit for unit in units if unit.code == code), key=lambda unit: unit.valid_from)
    runs: list[tuple[date, date | None]] = []
    for version in versions:
        if runs and runs[-1][1] == version.valid_from:
            runs[-1] = (runs[-1][0], version.valid_to)
        else:
            runs.append((version.valid_from, version.valid_to))
    now = ((begins, ends) for begins, ends in runs if begins <= today and (ends is None or today < ends))
    return next(now, (BEGINNING, None))
