"""Changes of the estate as pure functions: an :class:`Estate` in, another one out.

Nothing here judges whether the result makes sense; :mod:`.checks` does, before anything is saved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final, TypeAlias

from hatang_collector.domain import versions
from hatang_collector.domain.estate import (
    Asset,
    Estate,
    Link,
    Service,
    Site,
    SiteUnit,
    SpecialDay,
    StaffCount,
    StaffGroup,
    Succession,
    SuccessionKind,
    Target,
    Unit,
)

Row: TypeAlias = (
    Unit
    | Succession
    | Site
    | SiteUnit
    | SpecialDay
    | Link
    | Service
    | Target
    | StaffGroup
    | StaffCount
    | Asset
)
Key: TypeAlias = tuple[str, ...]

NOUNS: Final[Mapping[str, type[Row]]] = {
    "units": Unit,
    "successions": Succession,
    "sites": Site,
    "site_units": SiteUnit,
    "special_days": SpecialDay,
    "links": Link,
    "services": Service,
    "targets": Target,
    "staff_groups": StaffGroup,
    "staff_counts": StaffCount,
    "assets": Asset,
}
"""The fields of an Estate and what their rows are."""

NOUN_OF: Final[Mapping[type[Row], str]] = {row_type: noun for noun, row_type in NOUNS.items()}
"""The field of an Estate that holds the rows of a type."""

KEYS: Final[Mapping[type[Row], Callable[[Any], Key]]] = {
    Unit: lambda row: (row.code,),
    Succession: lambda row: (row.old, row.new, row.on.isoformat()),
    Site: lambda row: (row.code,),
    SiteUnit: lambda row: (row.site, row.unit),
    SpecialDay: lambda row: (row.scope, row.day.isoformat()),
    Link: lambda row: (row.code,),
    Service: lambda row: (row.code,),
    Target: lambda row: (row.code,),
    StaffGroup: lambda row: (row.code,),
    StaffCount: lambda row: (row.unit, row.staff_group),
    Asset: lambda row: (row.code,),
}
"""What makes two rows versions of one thing (or, undated, the same thing), as texts."""

DATED: Final[frozenset[type[Row]]] = frozenset(NOUNS.values()) - {Succession, SpecialDay, StaffGroup}
"""The types whose rows hold from a day until a day."""


def put(estate: Estate, row: Row) -> Estate:
    """The estate with a row in it: a new version, a correction (:func:`.versions.put_all`), or new."""
    return put_all(estate, (row,))


def put_all(estate: Estate, rows: Iterable[Row]) -> Estate:
    """The estate with many rows of any types in it, in their order. Much faster than one by one."""
    by_type: dict[type[Row], list[Row]] = {}
    for row in rows:
        by_type.setdefault(type(row), []).append(row)
    changed = {NOUN_OF[row_type]: _put(estate, row_type, new) for row_type, new in by_type.items()}
    return replace(estate, **changed)


def end(estate: Estate, row_type: type[Row], key: Key | str, day: date) -> Estate:
    """The estate in which a dated thing is gone from a day on, with any later version of it.

    Raises LookupError when nothing has that key, ValueError for a type without a period.
    """
    noun = NOUN_OF[row_type]
    if row_type not in DATED:
        raise ValueError(f"{noun} have no period and cannot end: remove the row instead")
    key = (key,) if isinstance(key, str) else key
    rows = versions.end(getattr(estate, noun), key, day, KEYS[row_type])
    return _with(estate, noun, rows)


def remove(estate: Estate, row: Row) -> Estate:
    """The estate without exactly this row. Raises LookupError when it is not in it."""
    noun = NOUN_OF[type(row)]
    rows = getattr(estate, noun)
    if row not in rows:
        raise LookupError(
            f"{noun} have no such row to remove: {row!r}; read them again, they may have changed"
        )
    return _with(estate, noun, tuple(other for other in rows if other != row))


def succeed(
    estate: Estate,
    olds: Sequence[str],
    news: Sequence[Unit],
    kind: SuccessionKind,
    on: date,
    document: str = "",
) -> Estate:
    """The estate after units were merged, split, renamed or given a new code under another parent.

    Old units end on that day unless one of the new ones has the same code, in which case it goes on
    as a new version. The new units begin on that day. Unless it is a split, the sites and the
    children of the old units go over to the new one; after a split nobody but a person knows which
    goes where. Staff and assets stay where they were declared: the succession leads to them.

    Raises ValueError for an old unit that is not there the day before, and for numbers of units
    that do not fit the kind.
    """
    _refuse_bad_succession(estate, olds, news, kind, on)
    going_on = {new.code for new in news}
    gone = [old for old in olds if old not in going_on]
    if kind is not SuccessionKind.SPLIT:
        estate = _hand_over(estate, frozenset(gone), news[0].code, on)
    for old in gone:
        estate = end(estate, Unit, old, on)
    rows: list[Row] = [replace(new, valid_from=on) for new in news]
    rows += [Succession(old, new.code, on, kind, document) for old in olds for new in news if old != new.code]
    return put_all(estate, rows)


def _refuse_bad_succession(
    estate: Estate, olds: Sequence[str], news: Sequence[Unit], kind: SuccessionKind, on: date
) -> None:
    what = f"{kind} of {', '.join(olds) or 'nothing'} on {on}"
    there = {unit.code for unit in estate.units if unit.valid_from < on and _reaches(unit.valid_to, on)}
    if unknown := [old for old in olds if old not in there]:
        raise ValueError(f"{what}: {', '.join(unknown)} is no unit on the day before: check code and day")
    if kind is not SuccessionKind.SPLIT and len(news) != 1:
        raise ValueError(
            f"{what}: this has exactly one new unit, not {len(news)}: enter them one after the other"
        )
    if kind is not SuccessionKind.MERGE and len(olds) != 1:
        raise ValueError(
            f"{what}: this has exactly one old unit, not {len(olds)}: enter them one after the other"
        )
    if not olds or not news:
        raise ValueError(f"{what}: there is no old or no new unit: name both")


def _reaches(valid_to: date | None, on: date) -> bool:
    return valid_to is None or valid_to >= on


def _hand_over(estate: Estate, gone: frozenset[str], new: str, on: date) -> Estate:
    """Sites and children of ended units, from that day on, to the unit that follows them."""
    rows: list[Row] = []
    for unit in estate.units:
        if unit.parent in gone and unit.code not in gone and (unit.valid_to is None or unit.valid_to > on):
            rows.append(replace(unit, parent=new, valid_from=max(unit.valid_from, on)))
    stays: dict[str, list[SiteUnit]] = {}
    for stay in estate.site_units:
        if stay.unit in gone | {new} and (stay.valid_to is None or stay.valid_to > on):
            stays.setdefault(stay.site, []).append(stay)
    for site, there in stays.items():
        leaving = sorted({stay.unit for stay in there} - {new})
        for unit_code in leaving:
            estate = end(estate, SiteUnit, (site, unit_code), on)
        if leaving:
            ends = [stay.valid_to for stay in there if stay.valid_to is not None]
            until = max(ends) if len(ends) == len(there) else None
            rows.append(SiteUnit(site, new, max(on, min(stay.valid_from for stay in there)), until))
    return put_all(estate, rows)


def _put(estate: Estate, row_type: type[Row], new: list[Row]) -> tuple[Any, ...]:
    rows = getattr(estate, NOUN_OF[row_type])
    key = KEYS[row_type]
    if row_type in DATED:
        return versions.put_all(rows, new, key)
    by_key = {key(row): row for row in (*rows, *new)}
    return tuple(by_key.values())


def _with(estate: Estate, noun: str, rows: tuple[Any, ...]) -> Estate:
    changed: dict[str, Any] = {noun: rows}
    return replace(estate, **changed)
