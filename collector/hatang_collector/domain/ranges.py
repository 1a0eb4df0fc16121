"""An immutable set of integers held as sorted intervals.

The numbers of one epoch's runs are dense, so "which runs were counted already" is a handful of
intervals however many there are: cheap to keep, to store as text and to ask.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

_low: Final = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Ranges:
    """Non-negative integers; ``intervals`` are inclusive, ascending, and never touch each other."""

    intervals: tuple[tuple[int, int], ...] = ()

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.intervals, number, key=_low) - 1
        return at >= 0 and number <= self.intervals[at][1]

    def __iter__(self) -> Iterator[int]:
        for low, high in self.intervals:
            yield from range(low, high + 1)

    def add(self, number: int) -> Ranges:
        """This set with ``number`` in it; the same object when it was in it already."""
        if number < 0:
            raise ValueError(f"a set of run numbers holds no negative number: {number}")
        before = bisect_right(self.intervals, number, key=_low)
        low, high, start, stop = number, number, before, before
        if before > 0 and self.intervals[before - 1][1] >= number - 1:
            if self.intervals[before - 1][1] >= number:
                return self
            start, low = before - 1, self.intervals[before - 1][0]
        if before < len(self.intervals) and self.intervals[before][0] == number + 1:
            stop, high = before + 1, self.intervals[before][1]
        return Ranges((*self.intervals[:start], (low, high), *self.intervals[stop:]))

    def add_all(self, numbers: Iterable[int]) -> Ranges:
        """This set with all of ``numbers`` in it."""
        together = self
        for number in sorted(numbers):
            together = together.add(number)
        return together

    def count(self) -> int:
        """How many numbers are in it."""
        return sum(high - low + 1 for low, high in self.intervals)

    def to_text(self) -> str:
        """``"1-40,42"``; the empty set is the empty text."""
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.intervals)

    @classmethod
    def from_text(cls, text: str) -> Ranges:
        """The set that :meth:`to_text` wrote. Raises ValueError on anything else."""
        intervals = []
        for part in text.split(",") if text else []:
            low, dash, high = part.partition("-")
            intervals.append((int(low), int(high if dash else low)))
        found = cls(tuple(intervals))
        if found.to_text() != text or not found._in_order():
            raise ValueError(f"not a set of run numbers: {text[:80]!r}")
        return found

    def _in_order(self) -> bool:
        ends = -2
        for low, high in self.intervals:
            if low <= ends + 1 or high < low:
                return False
            ends = high
        return True
