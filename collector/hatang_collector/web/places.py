"""Choosing where a machine stands: the units, sites and staff groups of today, and what goes together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from hatang_collector.domain.dated import on
from hatang_collector.domain.estate import Estate, Placement
from hatang_collector.domain.folding import bare
from hatang_collector.domain.tree import Tree
from hatang_collector.web.estate import EstateNow

_STEP: Final = "\u2003"
"""An em space for each level: a list of options cannot be indented by style."""


@dataclass(frozen=True, slots=True)
class Option:
    """One entry of a list: what is stored, and what people read."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Options:
    """The lists of a form that places machines, in the order people look for things."""

    units: Sequence[Option]
    sites: Sequence[Option]
    staff_groups: Sequence[Option]


@dataclass(frozen=True, slots=True)
class Stay:
    """A placement in words, with its first moment."""

    from_ms: int
    unit: str
    site: str
    staff_group: str
    by: str


def options(now: EstateNow) -> Options:
    """What can be chosen today."""
    sites = sorted(on(now.estate.sites, now.today), key=lambda site: (bare(site.name), site.name, site.code))
    groups = sorted(now.estate.staff_groups, key=lambda group: (group.position, group.name))
    return Options(
        list(_units(now.tree, now.today)),
        [Option(site.code, _with_code(site.name, site.code)) for site in sites],
        [Option(group.code, group.name or group.code) for group in groups],
    )


def refusal(now: EstateNow, unit: str, site: str, staff_group: str) -> str:
    """Why a machine cannot be placed there today; empty when it can.

    ``which_unit``: several units share the site, so that the site alone does not tell whose it is.
    """
    offered = options(now)
    for code, known, reason in (
        (unit, offered.units, "no_unit"),
        (site, offered.sites, "no_site"),
        (staff_group, offered.staff_groups, "no_group"),
    ):
        if code and code not in {one.code for one in known}:
            return reason
    shared = [one for one in on(now.estate.site_units, now.today) if one.site == site]
    return "which_unit" if site and not unit and len(shared) > 1 else ""


def stay(estate: Estate, tree: Tree, placement: Placement, day: date) -> Stay:
    """A placement with the names that its codes had on a day; ``by`` is who placed it."""
    groups = {group.code: group.name for group in estate.staff_groups}
    return Stay(
        placement.from_ms,
        tree.name_of(placement.unit, day) if placement.unit else "",
        site_name(estate, placement.site, day),
        groups.get(placement.staff_group) or placement.staff_group,
        placement.by,
    )


def site_name(estate: Estate, code: str, day: date) -> str:
    """The name of a site on a day, else its last one, else the code."""
    versions = sorted((site for site in estate.sites if site.code == code), key=lambda one: one.valid_from)
    then = on(versions, day) or versions[-1:]
    return then[0].name or code if then else code


def _units(tree: Tree, day: date) -> Iterator[Option]:
    """Every unit under its parent, each once."""
    seen: set[str] = set()
    waiting = [(unit, 0) for unit in reversed(tree.roots(day))]
    while waiting:
        unit, depth = waiting.pop()
        if unit.code in seen:
            continue
        seen.add(unit.code)
        yield Option(unit.code, _STEP * depth + _with_code(unit.name, unit.code))
        waiting.extend((child, depth + 1) for child in reversed(tree.children(unit.code, day)))


def _with_code(name: str, code: str) -> str:
    return f"{name} ({code})" if name and name != code else code
