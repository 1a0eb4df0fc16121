"""A series store with its projections on the files of one folder, and reports to feed them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from hatang_collector.clock import now_ms
from hatang_collector.journal.segments import Entry
from hatang_collector.store.book import RollupBook
from hatang_collector.store.contract import (
    MINUTE_MS,
    SeriesStore,
)
from hatang_collector.store.dialects import InfluxSettings
from hatang_collector.store.embedded import EmbeddedStore
from hatang_collector.store.influx import InfluxStore
from hatang_collector.store.projection import SeriesProjection
from hatang_collector.store.rollup import RollupProjection, RollupPusher
from store.making import RETENTION, entry, recent, report, run


class Parts:
    """A series store with its two projections, on the files of one folder."""

    def __init__(self, folder: Path, settings: InfluxSettings | None = None) -> None:
        self._stack = ExitStack()
        self.book = RollupBook(folder / "rollup.sqlite", RETENTION)
        self._stack.callback(self.book.close)
        self.store: SeriesStore
        if settings is None:
            self.store = EmbeddedStore(folder / "series.sqlite", self.book, RETENTION, now_ms)
        else:
            self.store = InfluxStore(settings, RETENTION, now_ms)
        self._stack.callback(self.store.close)
        self.series = SeriesProjection(self.store, folder / "series-book.sqlite")
        self._stack.callback(self.series.close)
        self.rollup = RollupProjection(self.book, None if settings is None else self.store, now_ms)
        self.pusher = RollupPusher(self.book, self.store)

    def apply(self, entries: Sequence[Entry], stream: str = "pc") -> None:
        """Both projections, as their workers would."""
        self.series.apply(stream, entries, entries[-1].index + 1)
        self.rollup.apply(stream, entries, entries[-1].index + 1)

    def close(self) -> None:
        """Close everything."""
        self._stack.close()


def reports(count: int, runs_each: int = 3, first_ms: int | None = None) -> list[Entry]:
    """Reports of consecutive runs, a minute apart."""
    start = recent(count * runs_each + 60) if first_ms is None else first_ms
    entries = []
    for seq in range(1, count + 1):
        numbers = range((seq - 1) * runs_each + 1, seq * runs_each + 1)
        runs = [
            run(n, start + n * MINUTE_MS, {"usage.cpu_percent": n % 100, "usage.memory_percent": 50.0})
            for n in numbers
        ]
        entries.append(entry(seq - 1, report(runs, seq=seq)))
    return entries
