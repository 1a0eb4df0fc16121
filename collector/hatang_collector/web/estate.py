"""The estate as pages see it: read once per change, shared by every request.

Units, sites, placements and settings change a few times a day and are looked at many times a second.
The ledger numbers every change of them, so a look costs one small query.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from fastapi import Request

from hatang_collector.clock import NowMs
from hatang_collector.domain.estate import Estate, Placement
from hatang_collector.domain.hours import Calendar
from hatang_collector.domain.localtime import day_of
from hatang_collector.domain.tree import Tree
from hatang_collector.ledger import estate as estates
from hatang_collector.ledger import node_settings, placements
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.node_settings import Setting


@dataclass(frozen=True, slots=True)
class EstateNow:
    """All that is declared, of one moment. ``number`` and ``today`` tell whether it is still so.

    ``placements`` is where each machine stands now, by agent; a machine nobody placed is missing.
    """

    number: int
    estate: Estate
    tree: Tree
    calendar: Calendar
    today: date
    placements: Mapping[str, Placement]
    settings: Sequence[Setting]


class EstateKeeper:
    """Keeps the newest :class:`EstateNow`. Thread-safe."""

    def __init__(self, ledger: Ledger, now_ms: NowMs) -> None:
        self._ledger = ledger
        self._now_ms = now_ms
        self._building = threading.Lock()
        self._kept: EstateNow | None = None

    def now(self) -> EstateNow:
        """The estate as the ledger has it. Raises LedgerUnavailable."""
        today = day_of(self._now_ms())
        with self._ledger.read() as c:
            number = estates.number(c)
        return self._current(number, today) or self._load()

    def _current(self, number: int, today: date) -> EstateNow | None:
        kept = self._kept
        return kept if kept is not None and kept.number == number and kept.today == today else None

    def _load(self) -> EstateNow:
        with self._building:
            today = day_of(self._now_ms())
            with self._ledger.read() as c:
                number = estates.number(c)
                kept = self._current(number, today)
                if kept is not None:
                    return kept  # another thread was quicker
                estate = estates.load(c)
                placed = placements.current(c)
                settings = node_settings.every(c)
            tree = Tree(estate.units, estate.successions)
            calendar = Calendar(estate, tree)
            self._kept = EstateNow(number, estate, tree, calendar, today, placed, settings)
            return self._kept


def keeper_of(request: Request) -> EstateKeeper:
    """The application's keeper."""
    keeper: EstateKeeper = request.app.state.feed.estate
    return keeper


def estate_of(request: Request) -> EstateNow:
    """The estate as the ledger has it now. Raises LedgerUnavailable."""
    return keeper_of(request).now()
