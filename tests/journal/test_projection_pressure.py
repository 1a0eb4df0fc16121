"""Projections let ingest go first, and those into local files take turns."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from hatang_collector.ingest.deadletter import DeadLetters
from hatang_collector.ingest.pressure import CALM_BATCHES, Pressure
from hatang_collector.journal.projection import ProjectionWorker
from hatang_collector.journal.segments import Entry, NewEntry
from hatang_collector.journal.streams import Journal
from hatang_collector.metrics import Metrics
from support.forgetful import ForgetfulFiles
from support.wait import until

ENTRY = NewEntry("birth", "a" * 16, 1, {}, b"x")


class Counting:
    """A projection that counts, and how many of its kind were at work at once."""

    busy = 0
    most_busy = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self._cursors: dict[str, int] = {}

    def cursor(self, stream: str) -> int:
        return self._cursors.get(stream, 0)

    def apply(self, stream: str, entries: Sequence[Entry], next_index: int) -> None:
        Counting.busy += 1
        Counting.most_busy = max(Counting.most_busy, Counting.busy)
        threading.Event().wait(0.002)
        Counting.busy -= 1
        assert entries
        self._cursors[stream] = next_index

    def reset(self) -> None:
        self._cursors.clear()


def test_pressure_ends_only_after_several_calm_batches() -> None:
    """One emptied queue in the middle of a flood does not count as keeping up."""
    pressure = Pressure()
    assert pressure.give_way(0)
    pressure.note(1)
    for _ in range(CALM_BATCHES - 1):
        pressure.note(0)
        assert not pressure.give_way(0)
    pressure.note(0)
    assert pressure.give_way(0)
    pressure.note(7)
    assert not pressure.give_way(0)


def test_a_projection_waits_for_ingest_but_not_for_ever(tmp_path: Path) -> None:
    """Each batch is preceded by giving way, for a bounded time."""
    journal = Journal(ForgetfulFiles(), Path("/journal"))
    asked: list[float] = []
    gate = threading.Event()

    def give_way(seconds: float) -> None:
        asked.append(seconds)
        gate.wait(10)

    letters = DeadLetters(tmp_path / "dead.sqlite")
    projection = Counting("one")
    worker = ProjectionWorker(journal, projection, letters, Metrics(), give_way=give_way)
    journal.stream("pc").append([ENTRY])
    worker.start()
    until(lambda: asked, what="asked to give way")
    assert projection.cursor("pc") == 0
    assert 0 < asked[0] <= 5
    gate.set()
    until(lambda: projection.cursor("pc") == 1, what="applied")
    worker.stop()
    letters.close()


def test_projections_that_share_a_turn_never_work_at_once(tmp_path: Path) -> None:
    """With one turn there is one at work, and every one gets to the end of the journal."""
    journal = Journal(ForgetfulFiles(), Path("/journal"))
    letters = DeadLetters(tmp_path / "dead.sqlite")
    turn = threading.Lock()
    Counting.most_busy = 0
    projections = [Counting(name) for name in ("one", "two", "three")]
    workers = [ProjectionWorker(journal, one, letters, Metrics(), turn=turn) for one in projections]
    for worker in workers:
        worker.start()
    for _ in range(20):
        journal.stream("pc").append([ENTRY])
    until(lambda: all(one.cursor("pc") == 20 for one in projections), what="all at the end")
    for worker in workers:
        worker.stop()
    assert Counting.most_busy == 1
    letters.close()
