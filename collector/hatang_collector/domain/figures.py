"""One number of a report: what it counts, out of how many, how it is known, and how completely.

A **now-figure** counts what is fresh, for boards. A **window-figure** counts what was seen at least
once in the window before a reporting date, with the latest known fact, for official tables. The two
are never mixed, so each figure says which one it is. A blank is never zero: ``a`` is None when nobody
could tell, ``b`` is None when nobody declared it, and ``state`` says so in one word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

GRACE_MS: Final = 90_000
"""How much older than its interval a latest report may be and still count as fresh."""

WINDOW_DAYS: Final = 30


class Kind(StrEnum):
    """Which question a figure answers."""

    NOW = "now"
    WINDOW = "window"


class FigureState(StrEnum):
    """What is known, in the words of the printed tables."""

    YES = "co"
    NO = "khong"
    NOT_APPLICABLE = "khong_ap_dung"
    NOT_DECLARED = "chua_khai_bao"
    NOT_MEASURED = "khong_do_duoc"


class Method(StrEnum):
    """Where a figure comes from; ``both``: counted by measurement, out of a declared number."""

    MEASURED = "measured"
    DECLARED = "declared"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Window:
    """The ``days`` days that end with ``last``, the reporting date, which belongs to it."""

    last: date
    days: int = WINDOW_DAYS

    def __post_init__(self) -> None:
        """Raise ValueError for a window without a day."""
        if self.days < 1:
            raise ValueError(f"a window of {self.days} days: it needs at least one")

    @property
    def first(self) -> date:
        """Its first day: 22/10 for 30 days that end with 20/11."""
        return self.last - timedelta(days=self.days - 1)

    def __contains__(self, day: date) -> bool:
        """Whether a day belongs to it."""
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Coverage:
    """Machines with a usable fact in the window, out of the machines in the denominator.

    A machine that nobody declared is not in the denominator, so ``a`` is never above ``b``.
    """

    a: int
    b: int

    @property
    def percent(self) -> Decimal | None:
        """0 to 100 with one decimal, None out of nothing."""
        return percent(self.a, self.b)


@dataclass(frozen=True, slots=True)
class Figure:
    """``a`` out of ``b``. Exactly one of ``at_ms`` (UTC, now-figures) and ``window`` is given."""

    kind: Kind
    a: int | None
    b: int | None
    state: FigureState
    method: Method
    coverage: Coverage | None
    at_ms: int | None = None
    window: Window | None = None

    @property
    def percent(self) -> Decimal | None:
        """``a`` in percent of ``b`` with one decimal, None where there is no ratio."""
        return None if self.a is None or self.b is None else percent(self.a, self.b)


@dataclass(frozen=True, slots=True)
class Observed:
    """One agent as a figure sees it. Times are UTC milliseconds.

    ``machine`` is what is counted: agents with the same one are the same computer, enrolled twice, and
    one with '' is a site probe, which is no computer of anybody.
    ``seen`` are days with a run. ``fact`` is the latest known answer to what the figure asks: None
    when there is no usable one. A figure that only asks whether the machine was seen has it True.
    """

    machine: str
    interval_ms: int
    report_ms: int | None = None
    seen: Collection[date] = frozenset()
    fact: bool | None = True


def percent(a: int, b: int) -> Decimal | None:
    """``a`` out of ``b`` in percent, one decimal, half rounded up: 13/14 is 92.9. None out of nothing.

    Counts are not negative. Exact: no binary fraction ever decides a half.
    """
    return Decimal((2000 * a + b) // (2 * b)).scaleb(-1) if b else None


def is_fresh(report_ms: int | None, interval_ms: int, now_ms: int) -> bool:
    """Whether the latest report is no older than its interval and the grace.

    A time ahead of ``now_ms`` is fresh: it only says that two clocks differ.
    """
    return report_ms is not None and now_ms - report_ms <= interval_ms + GRACE_MS


def now_figure(observed: Iterable[Observed], now_ms: int, declared: int | None = None) -> Figure:
    """How many machines are fresh and answer yes, out of the declared ones (None: nobody declared)."""
    everyone = [one for one in observed if one.machine]
    fresh = [one for one in everyone if is_fresh(one.report_ms, one.interval_ms, now_ms)]
    return Figure(Kind.NOW, *_counted(everyone, fresh, declared), at_ms=now_ms)


def window_figure(observed: Iterable[Observed], window: Window, declared: int | None = None) -> Figure:
    """How many machines seen in the window answer yes, out of the declared ones (None: nobody declared)."""
    everyone = [one for one in observed if one.machine]
    seen = [one for one in everyone if any(day in window for day in one.seen)]
    return Figure(Kind.WINDOW, *_counted(everyone, seen, declared), window=window)


def coverage(usable: int, denominator: int | None) -> Coverage | None:
    """The coverage of that many machines with a usable fact; None when nobody declared how many there are."""
    return None if denominator is None else Coverage(min(usable, denominator), denominator)


def _counted(
    everyone: Sequence[Observed], chosen: Sequence[Observed], declared: int | None
) -> tuple[int | None, int | None, FigureState, Method, Coverage | None]:
    """a, b, state, method and coverage. ``chosen`` are those that the kind of figure counts."""
    usable = {one.machine for one in chosen if one.fact is not None}
    # That none is fresh, or seen, is an answer: zero. Chosen ones of whom none can tell are not.
    measured = bool(everyone) and (bool(usable) or not chosen)
    a = len({one.machine for one in chosen if one.fact}) if measured else None
    return a, declared, _state(a, declared), _method(a, declared), coverage(len(usable), declared)


def _state(a: int | None, declared: int | None) -> FigureState:
    if declared == 0 and not a:
        return FigureState.NOT_APPLICABLE
    if declared is None:
        return FigureState.NOT_DECLARED
    if a is None:
        return FigureState.NOT_MEASURED
    return FigureState.YES if a else FigureState.NO


def _method(a: int | None, declared: int | None) -> Method:
    if a is None and declared is not None:
        return Method.DECLARED
    return Method.MEASURED if declared is None else Method.BOTH
