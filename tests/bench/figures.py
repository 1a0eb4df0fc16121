"""Figures with their targets, and the table they end in. A figure that misses its target stays in."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

_DEFAULT_S = 330.0


@dataclass(frozen=True, slots=True)
class Target:
    """A bound that a figure should keep to."""

    bound: float
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether the value keeps to it."""
        return value >= self.bound if self.at_least else value <= self.bound


def at_most(bound: float) -> Target:
    """The figure should not be larger."""
    return Target(bound)


def at_least(bound: float) -> Target:
    """The figure should not be smaller."""
    return Target(bound, at_least=True)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. ``values`` holds every repetition; none means that it was not measured.

    ``note`` says how it was measured where that is not obvious, or why it was not.
    """

    part: str
    name: str
    values: tuple[float, ...]
    unit: str
    target: Target | None = None
    note: str = ""

    @property
    def measured(self) -> str:
        """The median, with the range when it was repeated."""
        if not self.values:
            return "not measured"
        text = f"{_short(statistics.median(self.values))} {self.unit}"
        if len(self.values) > 1:
            text += f" [{_short(min(self.values))}–{_short(max(self.values))}]"
        return text

    @property
    def wanted(self) -> str:
        """The target as text."""
        if self.target is None:
            return ""
        return f"{'≥' if self.target.at_least else '≤'} {_short(self.target.bound)} {self.unit}"

    @property
    def met(self) -> str:
        """yes, no, or empty where there is nothing to compare."""
        if self.target is None or not self.values:
            return ""
        return "yes" if self.target.met(statistics.median(self.values)) else "NO"


def _short(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(figures: Sequence[Figure]) -> str:
    """All figures, one line each, with the notes below."""
    head = ("part", "figure", "measured", "target", "met", "")
    notes: list[str] = []
    rows = []
    for one in figures:
        if one.note and one.note not in notes:
            notes.append(one.note)
        mark = f"({notes.index(one.note) + 1})" if one.note else ""
        rows.append((one.part, one.name, one.measured, one.wanted, one.met, mark))
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    title = "  ".join(cell.ljust(width) for cell, width in zip(head, widths, strict=True))
    told = [f"({number}) {note}" for number, note in enumerate(notes, 1)]
    return "\n".join(line.rstrip() for line in (title, "-" * len(title), *lines, "", *told))


def say(text: str) -> None:
    """One progress line with the time."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


def scaled(seconds: float) -> float:
    """A length of time, scaled by BENCH_SECONDS (the length of the longest part, 330 by default)."""
    return seconds * float(os.environ.get("BENCH_SECONDS", _DEFAULT_S)) / _DEFAULT_S
