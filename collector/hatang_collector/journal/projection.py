"""Projections: what is derived from the journal, each from its own durable cursor, each rebuildable."""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final, Protocol

from hatang_collector import clock
from hatang_collector.clock import NowMs
from hatang_collector.ingest.deadletter import DeadLetters
from hatang_collector.journal.files import Files
from hatang_collector.journal.segments import Entry, JournalDamaged
from hatang_collector.journal.streams import Journal
from hatang_collector.metrics import Metrics

PROJECTION_FAILED: Final = "projection_failed"
READ_ENTRIES: Final = 500
LONGEST_WAIT_S: Final = 30.0
LONGEST_GIVING_WAY_S: Final = 2.0
"""Under a flood that does not end each projection still takes a batch this often."""

log = logging.getLogger(__name__)


class StoreUnavailable(Exception):  # noqa: N818 - reads as what happened
    """The store cannot be reached: trying again helps. ``hint`` says what a person can do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Projection(Protocol):
    """Something derived from the journal. Every method is called from one thread at a time."""

    name: str

    def cursor(self, stream: str) -> int:
        """Index of the next entry wanted; 0 at first. StoreUnavailable when it cannot be told."""

    def apply(self, stream: str, entries: Sequence[Entry], next_index: int) -> None:
        """Take in entries, possibly none; effect and cursor are durable and consistent on return.

        May be called again with entries it had (after a crash): it dedupes on run ids. Raises
        StoreUnavailable to be called again with the same.
        """

    def reset(self) -> None:
        """Empty what it owns and set all cursors to 0."""


class FileCursors:
    """Cursors of a projection whose store cannot keep them: one small file, replaced atomically."""

    def __init__(self, files: Files, path: Path) -> None:
        self._files = files
        self._path = path
        files.make_directory(path.parent)
        there = path.name in files.list(path.parent)
        self._cursors: dict[str, int] = json.loads(files.read(path)) if there else {}

    def get(self, stream: str) -> int:
        """The cursor of a stream; 0 at first."""
        return self._cursors.get(stream, 0)

    def set(self, stream: str, index: int) -> None:
        """Move the cursor of a stream; durable on return."""
        self._replace({**self._cursors, stream: index})

    def reset(self) -> None:
        """All cursors to 0; durable on return."""
        self._replace({})

    def _replace(self, cursors: dict[str, int]) -> None:
        self._files.replace(self._path, json.dumps(cursors, sort_keys=True).encode())
        self._cursors = cursors


class Advance:
    """Moves one projection forward, for its worker and for ``replay``.

    Here alone an unknown exception of a projection is caught: it is a bug, and its entry a dead letter.
    """

    def __init__(
        self,
        journal: Journal,
        projection: Projection,
        deadletters: DeadLetters,
        metrics: Metrics,
        now_ms: NowMs,
    ) -> None:
        self._projection = projection
        self._journal = journal
        self._deadletters = deadletters
        self._metrics = metrics
        self._now_ms = now_ms

    def step(self, stream: str, limit: int = READ_ENTRIES) -> int:
        """Apply the next entries of a stream; how many. Raises StoreUnavailable, JournalDamaged, OSError."""
        source = self._journal.stream(stream)
        cursor = self._projection.cursor(stream)
        entries = source.read(cursor, limit)
        if entries:
            self._apply(stream, entries)
            self._metrics.projected.labels(self._projection.name).inc(len(entries))
            cursor = entries[-1].index + 1
        self._metrics.projection_lag.labels(self._projection.name, stream).set(source.end - cursor)
        return len(entries)

    def again(self, stream: str, index: int) -> str | None:
        """Apply one entry that was set aside before; None when that went well, else why not.

        The cursor stays where it is. Raises StoreUnavailable, JournalDamaged, OSError.
        """
        found = self._journal.stream(stream).read(index, 1)
        if not found or found[0].index != index:
            return "no longer in the journal"
        cursor = self._projection.cursor(stream)
        if index >= cursor:
            return None  # its turn comes anyway
        try:
            self._projection.apply(stream, found, cursor)
        except (StoreUnavailable, OSError):
            raise
        except Exception as error:
            log.exception("projection %s cannot apply entry %s/%d", self._projection.name, stream, index)
            return f"{type(error).__name__}: {error}"
        return None

    def _apply(self, stream: str, entries: Sequence[Entry]) -> None:
        try:
            self._projection.apply(stream, entries, entries[-1].index + 1)
        except (StoreUnavailable, OSError):
            raise
        except Exception:
            if len(entries) > 1:
                # Halving finds the entry that is at fault; what was applied twice is deduped.
                middle = len(entries) // 2
                self._apply(stream, entries[:middle])
                self._apply(stream, entries[middle:])
                return
            log.exception(
                "projection %s cannot apply entry %s/%d", self._projection.name, stream, entries[0].index
            )
            self._set_aside(stream, entries[0])

    def _set_aside(self, stream: str, entry: Entry) -> None:
        """Keep a pointer to the entry as a dead letter, then step over it."""
        name = self._projection.name
        place = f"journal/{stream}/{entry.index}/{name}"
        detail = f"projection {name} cannot apply {entry.kind} {stream}/{entry.index}; the log has the error"
        self._deadletters.put(place, entry.agent, entry.payload, PROJECTION_FAILED, detail, self._now_ms())
        self._metrics.projection_failed.labels(name).inc()
        self._projection.apply(stream, [], entry.index + 1)


class ProjectionWorker(threading.Thread):
    """Keeps one projection at the end of the journal until :meth:`stop`. Logs on transition only.

    ``give_way(seconds)`` is called before each batch and may take so long: acknowledgements go first.
    ``turn`` is held during a batch. Projections into local files share one: taking turns costs a fifth
    less CPU than contending for the interpreter. One that waits for a server has none.
    """

    def __init__(
        self,
        journal: Journal,
        projection: Projection,
        deadletters: DeadLetters,
        metrics: Metrics,
        *,
        now_ms: NowMs = clock.now_ms,
        pause: Callable[[threading.Event, float], bool] = threading.Event.wait,
        give_way: Callable[[float], object] = lambda _: None,
        turn: AbstractContextManager[object] | None = None,
    ) -> None:
        super().__init__(name=f"projection-{projection.name}", daemon=True)
        self.projection = projection
        self._journal = journal
        self._advance = Advance(journal, projection, deadletters, metrics, now_ms)
        self._metrics = metrics
        self._pause = pause
        self._give_way = give_way
        self._turn = turn or nullcontext()
        self._stopping = threading.Event()
        self._trouble: str | None = None
        self._wait_s = 1.0

    @property
    def trouble(self) -> str | None:
        """Why it stands still, in one line; None while it runs."""
        return self._trouble

    def run(self) -> None:
        """Apply entries as they come; stand still and try again while the store is away."""
        while not self._stopping.is_set():
            try:
                self._give_way(LONGEST_GIVING_WAY_S)
                with self._turn:
                    moved = sum(self._advance.step(stream) for stream in self._journal.streams)
                self._recovered()
                if not moved:
                    self._journal.wait(self._cursors(), 1.0)
            except StoreUnavailable as error:
                self._metrics.store_errors.labels(self.projection.name).inc()
                self._stand_still(f"{error}{f' ({error.hint})' if error.hint else ''}")
            except (JournalDamaged, OSError) as error:
                self._stand_still(str(error))
            except Exception as error:  # the worker must outlive a bug of its projection
                if self._trouble is None:
                    log.exception("projection %s failed", self.projection.name)
                self._stand_still(f"{type(error).__name__}: {error}")

    def stop(self, timeout_s: float = 10.0) -> None:
        """End after the batch at hand."""
        self._stopping.set()
        self._journal.wake()
        if self.is_alive():
            self.join(timeout_s)

    def _cursors(self) -> Mapping[str, int]:
        if self._stopping.is_set():
            return dict.fromkeys(self._journal.streams, -1)
        return {stream: self.projection.cursor(stream) for stream in self._journal.streams}

    def _stand_still(self, why: str) -> None:
        if self._trouble is None:
            log.warning(
                "projection %s stands still: %s. Nothing is lost; it goes on by itself",
                self.projection.name,
                why,
            )
        self._trouble = why
        self._pause(self._stopping, self._wait_s * random.uniform(0.8, 1.0))  # noqa: S311 - jitter
        self._wait_s = min(self._wait_s * 2, LONGEST_WAIT_S)

    def _recovered(self) -> None:
        if self._trouble is not None:
            log.warning("projection %s goes on", self.projection.name)
        self._trouble, self._wait_s = None, 1.0
