"""Staff, assets, sites and links summed over the tree, as of a day and in the structure of a day.

"As of" and "structure" may differ: the assets of 2021 in the tree of 2019. Units merge and split in
between, so some things belong to no single unit of that tree. They are counted as far up as it is
certain, and below that they are named as unattributed, with the reason: nothing is guessed and
nothing disappears.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, TypeAlias

from hatang_collector.domain.dated import holds, on
from hatang_collector.domain.edits import Key
from hatang_collector.domain.estate import (
    Asset,
    AssetKind,
    AssetState,
    Estate,
    Link,
    Site,
    SiteUnit,
    StaffCount,
)
from hatang_collector.domain.tree import Resolved, Tree, Way

AssetGroup: TypeAlias = tuple[AssetKind, AssetState, str]
"""What assets are counted by: kind, state, staff group ('' for none)."""

EVERYTHING: Final = ""
"""The unit to ask for the sums of all units together."""

NOWHERE: Final = ""
"""Stands in a place for "or in no unit of the structure at all", so that it is never inside a subtree."""


@dataclass(frozen=True, slots=True)
class Unattributed:
    """Something that belongs to no single unit here. ``count`` is people for staff, else 1.

    ``noun`` and ``key`` as in :mod:`.edits`; ``unit`` is what was declared; ``candidates`` are the
    units it may belong to, empty when it is only known to be near.
    """

    noun: str
    key: Key
    unit: str
    count: int
    why: Way
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of a unit with all below it.

    Staff and assets of the children, of the unit itself and what is only certain at its own level
    add up to its own. Sites and links do not: two children may share a building, which is one.
    ``replaced`` are counts of units that ended, which their successor has declared anew since.
    """

    unit: str
    day: date
    structure: date
    staff: Mapping[str, int]
    assets: Mapping[AssetGroup, int]
    sites: tuple[str, ...]
    links: tuple[str, ...]
    unattributed: tuple[Unattributed, ...] = ()
    replaced: tuple[StaffCount, ...] = ()

    def people(self, staff_group: str | None = None) -> int:
        """How many people, of one staff group or of all."""
        return sum(count for group, count in self.staff.items() if staff_group in (None, group))

    def count(
        self,
        kinds: Iterable[AssetKind] | None = None,
        states: Iterable[AssetState] | None = (AssetState.IN_USE,),
        staff_group: str | None = None,
    ) -> int:
        """How many assets of these kinds and states (None: all; as a rule those in use)."""
        of_kinds = None if kinds is None else frozenset(kinds)
        of_states = None if states is None else frozenset(states)
        return sum(
            number
            for (kind, state, group), number in self.assets.items()
            if (of_kinds is None or kind in of_kinds)
            and (of_states is None or state in of_states)
            and staff_group in (None, group)
        )


def totals(estate: Estate, tree: Tree, unit: str, day: date, structure: date | None = None) -> Totals:
    """The sums of one unit; for those of many units build :class:`Sums` once.

    Raises LookupError when the unit is not there in that structure. ``unit`` '' is everything.
    """
    return Sums(estate, tree, day, structure).of(unit)


@dataclass(slots=True)
class _Pile:
    """What lies at one place: at a unit, or open between several. Only what is open is kept by name."""

    staff: Counter[str] = field(default_factory=Counter)
    assets: Counter[AssetGroup] = field(default_factory=Counter)
    sites: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    named: list[Unattributed] = field(default_factory=list)
    replaced: list[StaffCount] = field(default_factory=list)


_Place: TypeAlias = frozenset[str]


class Sums:
    """Everything that holds on ``day``, laid once at its place in the tree of ``structure``.

    A unit that stands for another one in the structure gets what that one has
    (:meth:`.tree.Tree.resolve`). Where several may, the units that work at the thing's site in that
    structure decide, if they can.
    """

    def __init__(self, estate: Estate, tree: Tree, day: date, structure: date | None = None) -> None:
        self._tree = tree
        self._day = day
        self._structure = day if structure is None else structure
        self._stays: dict[str, list[SiteUnit]] = {}
        for stay in estate.site_units:
            self._stays.setdefault(stay.site, []).append(stay)
        self._places: dict[tuple[str, str], tuple[_Place, Resolved]] = {}
        self._own: dict[str, _Pile] = {}
        self._open: dict[_Place, _Pile] = {}
        self._roots = frozenset(unit.code for unit in tree.roots(self._structure))
        self._lay_sites(on(estate.sites, day))
        self._lay_links(on(estate.links, day))
        self._lay_staff(estate.staff_counts)
        self._lay_assets(on(estate.assets, day))

    def of(self, unit: str) -> Totals:
        """The sums of a unit of the structure with all below it; '' is everything.

        Raises LookupError when the unit is not there in that structure.
        """
        below = self._below(unit)
        together = _Pile()
        for code in below:
            if (pile := self._own.get(code)) is not None:
                _add(together, pile)
        for place, pile in self._open.items():
            if place <= below:
                _add(together, pile)
            elif unit == EVERYTHING or place & below:
                together.named += pile.named
        return Totals(
            unit,
            self._day,
            self._structure,
            dict(together.staff),
            dict(together.assets),
            tuple(sorted(together.sites)),
            tuple(sorted(together.links)),
            tuple(together.named),
            tuple(together.replaced),
        )

    def _below(self, unit: str) -> frozenset[str]:
        if unit == EVERYTHING:
            return frozenset().union(*(self._tree.subtree(root, self._structure) for root in self._roots))
        below = self._tree.subtree(unit, self._structure)
        if not below:
            raise LookupError(
                f"{unit} is no unit on {self._structure}: resolve it to the one that stands for it"
            )
        return below

    # ---- laying

    def _lay_assets(self, assets: Iterable[Asset]) -> None:
        for asset in assets:
            place, found = self._place(asset.unit, asset.site)
            pile = self._pile(place, found, "assets", (asset.code,), asset.unit)
            pile.assets[asset.kind, asset.state, asset.staff_group] += 1

    def _lay_staff(self, counts: Sequence[StaffCount]) -> None:
        declared: dict[tuple[str, str], date] = {}
        for count in counts:
            if count.valid_from <= self._day:
                who = count.unit, count.staff_group
                declared[who] = max(declared.get(who, count.valid_from), count.valid_from)
        for count in on(counts, self._day):
            place, found = self._place(count.unit, "")
            if self._declared_anew(count.unit, count.staff_group, declared, set()):
                self._own_or_open(place).replaced.append(count)
                continue
            key = (count.unit, count.staff_group)
            pile = self._pile(place, found, "staff_counts", key, count.unit, count.people)
            pile.staff[count.staff_group] += count.people

    def _declared_anew(
        self, unit: str, group: str, declared: Mapping[tuple[str, str], date], met: set[str]
    ) -> bool:
        """Whether all who followed an ended unit, or those who followed them, have counted again since."""
        last = self._tree.nearest_day(unit, self._day)
        if last is None or last >= self._day or unit in met:
            return False
        met.add(unit)
        heirs = {step.new for step in self._tree.successors(unit) if last < step.on <= self._day}
        return bool(heirs) and all(
            declared.get((heir, group), date.min) > last or self._declared_anew(heir, group, declared, met)
            for heir in heirs
        )

    def _lay_sites(self, sites: Iterable[Site]) -> None:
        for site in sites:
            for place, found, unit in self._places_of(site.code):
                self._pile(place, found, "sites", (site.code,), unit).sites.add(site.code)

    def _lay_links(self, links: Iterable[Link]) -> None:
        for link in links:
            for place, found, unit in self._places_of(link.site):
                self._pile(place, found, "links", (link.code,), unit).links.add(link.code)

    def _pile(self, place: _Place, found: Resolved, noun: str, key: Key, unit: str, count: int = 1) -> _Pile:
        """Where to lay a thing; named there when it is open to whom it belongs."""
        pile = self._own_or_open(place)
        if not _certain(place):
            candidates = tuple(sorted(place - {NOWHERE})) if found.candidates else ()
            pile.named.append(Unattributed(noun, key, unit, count, found.how, candidates))
        return pile

    def _own_or_open(self, place: _Place) -> _Pile:
        if _certain(place):
            return self._own.setdefault(next(iter(place)), _Pile())
        return self._open.setdefault(place, _Pile())

    # ---- finding the place

    def _places_of(self, site: str) -> list[tuple[_Place, Resolved, str]]:
        """Where a site lies: with its units in the structure, else with those of the day."""
        there = self._units_at(site)
        if there:
            return [(frozenset({unit}), Resolved(unit, Way.SAME), unit) for unit in sorted(there)]
        units = [stay.unit for stay in self._stays.get(site, ()) if holds(stay, self._day)]
        return [(*self._place(unit, ""), unit) for unit in units or [""]]

    def _place(self, unit: str, site: str) -> tuple[_Place, Resolved]:
        if (unit, site) not in self._places:
            self._places[unit, site] = self._find(unit, site)
        return self._places[unit, site]

    def _find(self, unit: str, site: str) -> tuple[_Place, Resolved]:
        found = self._tree.resolve(unit, self._structure, self._day)
        if found.unit is not None:
            return frozenset({found.unit}), found
        there = self._units_at(site)
        certain = there.intersection(found.candidates) if found.candidates else there
        if len(certain) == 1:
            return certain, found
        return frozenset(found.candidates) or self._near(unit), found

    def _units_at(self, site: str) -> frozenset[str]:
        """The units of the structure that work at a site in it."""
        stays = (stay for stay in self._stays.get(site, ()) if holds(stay, self._structure))
        units = (self._tree.resolve(stay.unit, self._structure).unit for stay in stays)
        return frozenset(unit for unit in units if unit is not None)

    def _near(self, unit: str) -> _Place:
        """Where something is told that belongs nowhere: at what stands for the last parent, or at the top."""
        last = self._tree.nearest_day(unit, self._day)
        above = self._tree.chain(unit, last)[1:] if last is not None else []
        for parent in above:
            found = self._tree.resolve(parent.code, self._structure, last)
            if found.unit is not None or found.candidates:
                return frozenset((NOWHERE, *(found.candidates if found.unit is None else (found.unit,))))
        return self._roots | {NOWHERE}


def _add(together: _Pile, pile: _Pile) -> None:
    together.staff.update(pile.staff)
    together.assets.update(pile.assets)
    together.sites |= pile.sites
    together.links |= pile.links
    together.replaced += pile.replaced


def _certain(place: _Place) -> bool:
    return len(place) == 1 and NOWHERE not in place
