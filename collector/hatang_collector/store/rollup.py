"""Rollups: the journal into the book, and the book's changes into a time-series server.

The two are apart so that a server that is away holds up the pushing only: the book goes on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from hatang_collector.clock import NowMs
from hatang_collector.journal.projection import StoreUnavailable
from hatang_collector.journal.segments import Entry
from hatang_collector.journal.streams import Journal
from hatang_collector.store import points
from hatang_collector.store.book import ArrivedRun, RollupBook
from hatang_collector.store.buckets import ROLLUPS
from hatang_collector.store.contract import HOUR_MS, BadPoint, SeriesStore

log = logging.getLogger(__name__)

MARKS_A_PUSH = 500


class RollupProjection:
    """The projection ``rollup``.

    ``server`` is the store a RollupPusher brings rollups to; None with the embedded store, which reads
    the book. ``complete_from_ms`` tells since when the journal has every report (:func:`complete_from`):
    hours before that outlive a reset, since rollups are kept longer than the journal.
    """

    name = "rollup"

    def __init__(
        self,
        book: RollupBook,
        server: SeriesStore | None,
        now_ms: NowMs,
        complete_from_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        self._book = book
        self._server = server
        self._now_ms = now_ms
        self._complete_from_ms = complete_from_ms

    def cursor(self, stream: str) -> int:
        """The next journal index wanted."""
        return self._book.cursor(stream)

    def apply(self, stream: str, entries: Sequence[Entry], next_index: int) -> None:
        """Count the runs of the reports among these entries that were not counted before."""
        self._book.apply(stream, next_index, _runs(entries), self._now_ms(), marks=self._server is not None)

    def reset(self) -> None:
        """Empty the book and the rollups on the server, as far as the journal can give them again."""
        keep_before = -(-self._complete_from_ms() // HOUR_MS) * HOUR_MS
        # with something kept, the server's rows stay too: those counted again overwrite themselves
        if self._server is not None and not keep_before:
            for resolution in ROLLUPS:
                self._server.clear(resolution)
        self._book.reset(keep_before)


class RollupPusher:
    """Brings changed buckets to the server; what was pushed is overwritten when it is pushed again."""

    def __init__(
        self,
        book: RollupBook,
        server: SeriesStore,
        on_bad: Callable[[Sequence[BadPoint]], None] = lambda _: None,
    ) -> None:
        self._book = book
        self._server = server
        self._on_bad = on_bad

    def push(self) -> int:
        """Push everything marked now; how many marks that were. StoreUnavailable leaves the rest marked."""
        done = 0
        left = self._book.unpushed()
        while done < left and (marks := self._book.marks(MARKS_A_PUSH)):
            rows = sorted(self._book.rows(marks), key=lambda pair: pair[0])
            for resolution, group in groupby(rows, key=lambda pair: pair[0]):
                if bad := self._server.write_rollups(resolution, [row for _, row in group]):
                    log.warning("series store refused %d rollup points, e.g. %s", len(bad), bad[0].detail)
                    self._on_bad(bad)
            self._book.pushed(marks)
            done += len(marks)
        return done


class RollupPushThread(threading.Thread):
    """Pushes once in ``every_s``, and goes on trying when the server is away."""

    def __init__(self, pusher: RollupPusher, every_s: float = 30.0) -> None:
        super().__init__(name="rollup-push", daemon=True)
        self._pusher = pusher
        self._every_s = every_s
        self._stopping = threading.Event()

    def run(self) -> None:
        """Loop until :meth:`stop`."""
        away = False
        while not self._stopping.is_set():
            try:
                self._pusher.push()
            except StoreUnavailable as error:
                if not away:
                    log.warning("rollups are not pushed: %s (%s)", error, error.hint)
                away = True
            except Exception:  # the thread must outlive a bug; what is marked stays marked
                if not away:
                    log.exception("rollups are not pushed")
                away = True
            else:
                if away:
                    log.info("rollups are pushed again")
                away = False
            self._stopping.wait(self._every_s)

    def stop(self) -> None:
        """End the loop and wait for it."""
        self._stopping.set()
        if self.is_alive():
            self.join()


def complete_from(journal: Journal, now_ms: int) -> int:
    """Since when no entry of the journal was retained away, by arrival; 0 when it has all of them."""
    found = 0
    for stream in journal.streams.values():
        if stream.first > 0:
            oldest = stream.read(stream.first, 1)
            found = max(found, oldest[0].arrived_ms if oldest else now_ms)
    return found


def _runs(entries: Sequence[Entry]) -> Iterator[ArrivedRun]:
    for entry in entries:
        if entry.kind == "report":
            for run in points.recent.of(entry):
                yield ArrivedRun(entry.agent, run, entry.arrived_ms)
