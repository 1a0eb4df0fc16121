"""What is wrong with an estate, all of it at once, before anything is saved.

A problem says where (noun, key, field), what (a code with the values of its text) and, as text,
what to do. Pages translate the code; logs and commands print the English line.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from math import isfinite
from typing import Any, Final

from hatang_collector.domain.dated import Dated, overlap
from hatang_collector.domain.difference import identity
from hatang_collector.domain.edits import DATED, KEYS, NOUNS, Key
from hatang_collector.domain.estate import Estate, Network, Unit
from hatang_collector.domain.hours import Week
from hatang_collector.domain.tree import Tree

CODES: Final[Mapping[str, str]] = {
    "empty": "is empty; fill it in",
    "duplicate": "stands there {times} times; keep one",
    "period": "ends on {valid_to}, not after its first day {valid_from}; correct one of the days",
    "overlap": "holds from {valid_from} although another version goes on until {until}; correct one of them",
    "unknown": "{value!r} is not among the {noun}; add it there or correct it",
    "parent_not_then": "{parent} is not there all the time from {valid_from} to {valid_to}; correct the days",
    "cycle": "goes round in a circle: {units}; correct one parent",
    "succession_day": "{unit} {is_not} on {on}; correct the day or the unit",
    "succession_self": "{unit} cannot follow itself; name another unit or give it a new version",
    "negative": "is {value}; give a number that is not below zero",
    "hours": "cannot be read: {reason}",
    "scope": "is {value!r}; write nothing, unit:CODE or site:CODE",
    "service_missing": "is empty although the target proves a service; name the service",
}
"""Every code a problem can have, and its English cause and next step."""


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. ``noun`` is a field of the Estate, ``key`` as in :mod:`.edits`."""

    noun: str
    key: Key
    field: str
    code: str
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        """Place, cause and next step in one line."""
        return f"{self.noun} {' '.join(self.key)}, {self.field}: {CODES[self.code].format_map(self.values)}"


class EstateRefused(Exception):  # noqa: N818 - an answer with its reasons
    """An estate with problems was to be saved; nothing was."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        more = f" (and {len(self.problems) - 5} more)" if len(self.problems) > 5 else ""
        super().__init__("; ".join(str(problem) for problem in self.problems[:5]) + more)


def problems(estate: Estate) -> list[Problem]:
    """Everything that is wrong, by noun in the order of the Estate; empty when it may be saved."""
    found: list[Problem] = []
    known = {
        noun: frozenset(KEYS[row_type](row)[0] for row in getattr(estate, noun))
        for noun, row_type in NOUNS.items()
    }
    for noun in NOUNS:
        rows = getattr(estate, noun)
        found += _shape(noun, rows)
        found += _references(noun, rows, known)
        if noun in _OWN:
            found += _OWN[noun](estate)
    return found


# ---- every noun: keys that are there once, periods that are periods and do not overlap


def _shape(noun: str, rows: tuple[Any, ...]) -> Iterator[Problem]:
    key_of = KEYS[NOUNS[noun]]
    times = Counter(identity(row) for row in rows)
    for name, number in times.items():
        if number > 1:
            key = name[:-1] if NOUNS[noun] in DATED else name
            yield Problem(noun, key, _KEY_FIELDS[noun][0], "duplicate", {"times": str(number)})
    histories: dict[Key, list[Any]] = {}
    for row in rows:
        for part in _KEY_FIELDS[noun]:
            if not str(getattr(row, part)).strip() and (noun, part) != ("special_days", "scope"):
                yield Problem(noun, key_of(row), part, "empty")
        if NOUNS[noun] in DATED:
            histories.setdefault(key_of(row), []).append(row)
            if row.valid_to is not None and row.valid_to <= row.valid_from:
                yield Problem(noun, key_of(row), "valid_to", "period", _period(row))
    for key, history in histories.items():
        if len(history) > 1:
            yield from _overlaps(noun, key, history)


def _overlaps(noun: str, key: Key, history: list[Any]) -> Iterator[Problem]:
    history = sorted(history, key=lambda row: row.valid_from)
    longest = history[0]
    for row in history[1:]:
        if row.valid_from != longest.valid_from and overlap(longest, row):
            values = {**_period(row), "until": _until(longest.valid_to)}
            yield Problem(noun, key, "valid_from", "overlap", values)
        if longest.valid_to is not None and (row.valid_to is None or row.valid_to > longest.valid_to):
            longest = row


def _period(row: Dated) -> dict[str, str]:
    return {"valid_from": row.valid_from.isoformat(), "valid_to": _until(row.valid_to)}


def _until(day: date | None) -> str:
    return "further notice" if day is None else day.isoformat()


# ---- references from one noun to another


def _references(noun: str, rows: tuple[Any, ...], known: Mapping[str, frozenset[str]]) -> Iterator[Problem]:
    key_of = KEYS[NOUNS[noun]]
    for name, (to, optional) in _REFERENCES.get(noun, {}).items():
        codes = known[to]
        for row in rows:
            value = getattr(row, name)
            if value in codes or (optional and not value):
                continue
            if value:
                yield Problem(noun, key_of(row), name, "unknown", {"value": value, "noun": to})
            elif name not in _KEY_FIELDS[noun]:  # an empty part of a key was told already
                yield Problem(noun, key_of(row), name, "empty")


# ---- what only one noun can have wrong


def _units(estate: Estate) -> Iterator[Problem]:
    tree = Tree(estate.units)
    told: set[frozenset[str]] = set()
    for unit in estate.units:
        circle = _circle(tree, unit)
        if circle and frozenset(circle) not in told:
            told.add(frozenset(circle))
            yield Problem(
                "units", (unit.code,), "parent", "cycle", {"units": " → ".join((*circle, circle[0]))}
            )
        parents = tree.versions(unit.parent)
        if parents and not circle and not _covered(unit, parents):
            values = {**_period(unit), "parent": unit.parent}
            yield Problem("units", (unit.code,), "parent", "parent_not_then", values)


def _circle(tree: Tree, unit: Unit) -> list[str]:
    """The units of the circle this version closes on its first day, if it closes one."""
    chain = tree.chain(unit.code, unit.valid_from)
    closes = bool(chain) and chain[-1].parent == unit.code
    return [link.code for link in chain] if closes else []


def _covered(row: Dated, by: Iterable[Dated]) -> bool:
    """Whether at each day of the row one of the others, sorted by day, holds."""
    reached = row.valid_from
    for other in by:
        if other.valid_from > reached:
            break
        if other.valid_to is None:
            return True
        reached = max(reached, other.valid_to)
    return row.valid_to is not None and reached >= row.valid_to


def _successions(estate: Estate) -> Iterator[Problem]:
    tree = Tree(estate.units)
    for step in estate.successions:
        key = KEYS[type(step)](step)
        on = step.on.isoformat()
        if step.old == step.new:
            yield Problem("successions", key, "new", "succession_self", {"unit": step.new})
            continue
        olds = tree.versions(step.old)
        if olds and not any(old.valid_from < step.on and not _ended(old, step.on) for old in olds):
            values = {"unit": step.old, "is_not": "is not there until that day, which is", "on": on}
            yield Problem("successions", key, "on", "succession_day", values)
        if tree.versions(step.new) and tree.unit(step.new, step.on) is None:
            values = {"unit": step.new, "is_not": "is not there", "on": on}
            yield Problem("successions", key, "on", "succession_day", values)


def _ended(unit: Unit, before: date) -> bool:
    return unit.valid_to is not None and unit.valid_to < before


def _sites(estate: Estate) -> Iterator[Problem]:
    for site in estate.sites:
        if site.hours:
            try:
                Week.parse(site.hours)
            except ValueError as e:
                yield Problem("sites", (site.code,), "hours", "hours", {"reason": str(e)})


def _special_days(estate: Estate) -> Iterator[Problem]:
    known = {"unit": {unit.code for unit in estate.units}, "site": {site.code for site in estate.sites}}
    for special in estate.special_days:
        level, _, code = special.scope.partition(":")
        key = KEYS[type(special)](special)
        if not special.scope:
            continue
        if level not in known or not code:
            yield Problem("special_days", key, "scope", "scope", {"value": special.scope})
        elif code not in known[level]:
            yield Problem("special_days", key, "scope", "unknown", {"value": code, "noun": f"{level}s"})


def _links(estate: Estate) -> Iterator[Problem]:
    for link in estate.links:
        for name in ("down_mbps", "up_mbps"):
            rate = getattr(link, name)
            if rate is not None and not (isfinite(rate) and rate >= 0):
                yield Problem("links", (link.code,), name, "negative", {"value": str(rate)})


def _targets(estate: Estate) -> Iterator[Problem]:
    for target in estate.targets:
        if target.network is Network.SERVICE and not target.service:
            yield Problem("targets", (target.code,), "service", "service_missing")


def _staff_counts(estate: Estate) -> Iterator[Problem]:
    for count in estate.staff_counts:
        if count.people < 0:
            yield Problem(
                "staff_counts",
                (count.unit, count.staff_group),
                "people",
                "negative",
                {"value": str(count.people)},
            )


_OWN: Final[Mapping[str, Callable[[Estate], Iterator[Problem]]]] = {
    "units": _units,
    "successions": _successions,
    "sites": _sites,
    "special_days": _special_days,
    "links": _links,
    "targets": _targets,
    "staff_counts": _staff_counts,
}

_KEY_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "units": ("code",),
    "successions": ("old", "new"),
    "sites": ("code",),
    "site_units": ("site", "unit"),
    "special_days": ("scope", "day"),
    "links": ("code",),
    "services": ("code",),
    "targets": ("code",),
    "staff_groups": ("code",),
    "staff_counts": ("unit", "staff_group"),
    "assets": ("code",),
}

_REFERENCES: Final[Mapping[str, Mapping[str, tuple[str, bool]]]] = {
    "units": {"parent": ("units", True)},
    "successions": {"old": ("units", False), "new": ("units", False)},
    "site_units": {"site": ("sites", False), "unit": ("units", False)},
    "links": {"site": ("sites", False)},
    "targets": {"service": ("services", True), "unit": ("units", True)},
    "staff_counts": {"unit": ("units", False), "staff_group": ("staff_groups", False)},
    "assets": {"unit": ("units", False), "site": ("sites", True), "staff_group": ("staff_groups", True)},
}
"""Field → the noun it refers to, and whether it may be empty."""
