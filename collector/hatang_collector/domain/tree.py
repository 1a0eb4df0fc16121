"""The dated tree of units, indexed once: who is below whom on a day, and who stands for whom.

Safe on any data: a parent that does not hold on a day makes its children roots of that day, and
neither a cycle of parents nor one of successions makes anything here run for ever.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from hatang_collector.domain.dated import holds
from hatang_collector.domain.estate import Succession, Unit

_LETTERS: Final = {letter: place for place, letter in enumerate("aăâbcdđeêfghijklmnoôơpqrstuưvwxyz", 1000)}
_TONES: Final = {"\u0300": 1, "\u0309": 2, "\u0303": 3, "\u0301": 4, "\u0323": 5}
_DAY: Final = timedelta(days=1)


class Way(StrEnum):
    """How a unit was found in the structure of another day, or why it was not."""

    SAME = "same"
    FOLLOWED = "followed"
    TRACED_BACK = "traced_back"
    SPLIT = "split"
    MERGED = "merged"
    NOT_THEN = "not_then"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Resolved:
    """The unit that stands for another one, None when no single one does.

    ``candidates`` are the units it may be after a split or before a merger, sorted; '' among them
    is a branch that leads nowhere.
    """

    unit: str | None
    how: Way
    candidates: tuple[str, ...] = ()


def vietnamese_order(text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A key that sorts as a Vietnamese dictionary: letters first (a ă â … d đ …), tones after."""
    tones: list[int] = []
    letters: list[str] = []
    for char in unicodedata.normalize("NFD", text.casefold()):
        if char in _TONES:
            tones[-1:] = [_TONES[char]]
            continue
        letters.append(char)
        tones.append(0)
    plain = unicodedata.normalize("NFC", "".join(letters))
    return tuple(_LETTERS.get(char, ord(char)) for char in plain), tuple(tones)


class _At(NamedTuple):
    """A stop on the way. ``came``: by a succession, so that another one of the same day may follow."""

    code: str
    day: date
    came: bool


_Steps = Callable[[_At, date], list[_At] | None]


class Tree:
    """Units by code, parent and day. Building it costs one pass; asking does not look at other units."""

    def __init__(self, units: Sequence[Unit], successions: Sequence[Succession] = ()) -> None:
        self._versions: dict[str, list[Unit]] = {}
        self._children: dict[str, list[Unit]] = {}
        for unit in sorted(units, key=lambda unit: unit.valid_from):
            self._versions.setdefault(unit.code, []).append(unit)
        for unit in sorted(units, key=lambda unit: (unit.position, vietnamese_order(unit.name), unit.code)):
            self._children.setdefault(unit.parent, []).append(unit)
        self._after: dict[str, list[Succession]] = {}
        self._before: dict[str, list[Succession]] = {}
        for step in sorted(successions, key=lambda step: (step.on, step.old, step.new)):
            self._after.setdefault(step.old, []).append(step)
            self._before.setdefault(step.new, []).append(step)

    def unit(self, code: str, day: date) -> Unit | None:
        """The version in force on a day."""
        history = self._versions.get(code, ())
        at = bisect_right(history, day, key=lambda unit: unit.valid_from) - 1
        return history[at] if at >= 0 and holds(history[at], day) else None

    def versions(self, code: str) -> list[Unit]:
        """Every version, oldest first; empty for a code nobody knows."""
        return list(self._versions.get(code, ()))

    def name_of(self, code: str, day: date) -> str:
        """The name in force on a day, else that of the version nearest to it, else the code."""
        history = self._versions.get(code)
        if not history:
            return code
        return min(history, key=lambda unit: _distance(unit, day)).name

    def roots(self, day: date) -> list[Unit]:
        """The units of a day that have no parent on it, by position and name; those that lost theirs last."""
        tops = list(self.children("", day))
        lost = [
            unit
            for parent, below in self._children.items()
            if parent and self.unit(parent, day) is None
            for unit in below
            if holds(unit, day)
        ]
        return tops + lost

    def children(self, code: str, day: date) -> list[Unit]:
        """The units right below one on a day, by position and name."""
        return [unit for unit in self._children.get(code, ()) if holds(unit, day)]

    def chain(self, code: str, day: date) -> list[Unit]:
        """The unit itself, its parent, and so on to the root; empty when it is not there that day."""
        chain: list[Unit] = []
        met: set[str] = set()
        unit = self.unit(code, day)
        while unit is not None and unit.code not in met:
            met.add(unit.code)
            chain.append(unit)
            unit = self.unit(unit.parent, day)
        return chain

    def subtree(self, code: str, day: date) -> frozenset[str]:
        """The codes of a unit and of all below it on a day; empty when it is not there that day."""
        if self.unit(code, day) is None:
            return frozenset()
        found = {code}
        waiting = [code]
        while waiting:
            below = {unit.code for unit in self._children.get(waiting.pop(), ()) if holds(unit, day)} - found
            found |= below
            waiting += below
        return frozenset(found)

    def nearest_day(self, code: str, day: date) -> date | None:
        """A day on which the unit is there: this one, else its last one before, else its first one.

        None for a code nobody knows.
        """
        history = self._versions.get(code)
        if not history or self.unit(code, day) is not None:
            return day if history else None
        ended = [unit.valid_to for unit in history if unit.valid_to is not None and unit.valid_to <= day]
        return _eve(max(ended)) if ended else history[0].valid_from

    def successors(self, code: str) -> list[Succession]:
        """What became of a unit, by day."""
        return list(self._after.get(code, ()))

    def predecessors(self, code: str) -> list[Succession]:
        """What a unit came from, by day."""
        return list(self._before.get(code, ()))

    def resolve(self, code: str, day: date, seen: date | None = None) -> Resolved:
        """Which unit stands for ``code`` in the structure of a day.

        ``seen`` is the day the thing in question is from, and matters for a unit that goes on after
        taking in another one or giving part of itself away: what it has today need not have been
        its own before. Without it a unit that is there on ``day`` stands for itself.
        """
        start = self.nearest_day(code, seen or day)
        if start is None:
            return Resolved(None, Way.UNKNOWN)
        if start <= day:
            reached = self._walk(code, start, day, self._steps_after)
            followed, ambiguous = Way.FOLLOWED, Way.SPLIT
        else:
            reached = self._walk(code, start, day, self._steps_before)
            followed, ambiguous = Way.TRACED_BACK, Way.MERGED
        candidates = tuple(sorted(reached))
        if not reached - {""}:
            return Resolved(None, Way.NOT_THEN)
        if len(candidates) > 1:
            return Resolved(None, ambiguous, candidates)
        return Resolved(candidates[0], Way.SAME if candidates[0] == code else followed)

    def _walk(self, code: str, start: date, day: date, steps: _Steps) -> set[str]:
        """The units of ``day`` that successions lead to; '' for a branch that leads to none."""
        reached: set[str] = set()
        met: set[_At] = set()
        waiting = [_At(code, start, False)]
        while waiting:
            at = waiting.pop()
            if at in met:
                continue
            met.add(at)
            further = steps(at, day)
            if further is not None:
                waiting += further
            else:
                reached.add(at.code if self.unit(at.code, day) is not None else "")
        return reached

    def _steps_after(self, at: _At, day: date) -> list[_At] | None:
        """Where a unit went at its next succession until ``day``; None when it has none."""
        steps = [step for step in self._after.get(at.code, ()) if step.on <= day]
        on = min(
            (step.on for step in steps if step.on > at.day or (at.came and step.on == at.day)), default=None
        )
        if on is None:
            return None
        goes_on = [_At(at.code, on, False)] if self.unit(at.code, on) is not None else []
        return goes_on + [_At(step.new, on, True) for step in steps if step.on == on]

    def _steps_before(self, at: _At, day: date) -> list[_At] | None:
        """Where a unit came from at its latest succession after ``day``; None when it has none."""
        steps = [step for step in self._before.get(at.code, ()) if step.on > day]
        last = at.day + _DAY if at.came else at.day
        on = max((step.on for step in steps if step.on <= last), default=None)
        if on is None:
            return None
        was_there = [_At(at.code, _eve(on), False)] if self.unit(at.code, _eve(on)) is not None else []
        return was_there + [_At(step.old, _eve(on), True) for step in steps if step.on == on]


def _eve(day: date) -> date:
    return day - _DAY if day > date.min else day


def _distance(unit: Unit, day: date) -> int:
    if holds(unit, day):
        return 0
    if day < unit.valid_from:
        return (unit.valid_from - day).days
    return (day - unit.valid_to).days + 1 if unit.valid_to is not None else 0
