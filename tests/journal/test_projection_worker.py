"""Projections: nothing skipped in silence, an unreachable store stands still and goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from hatang_collector.ingest.deadletter import DeadLetters
from hatang_collector.journal.files import DiskFiles
from hatang_collector.journal.projection import Advance, FileCursors, ProjectionWorker, StoreUnavailable
from hatang_collector.journal.segments import Entry, NewEntry
from hatang_collector.journal.streams import Journal
from hatang_collector.metrics import Metrics
from support.wait import until


class Recorder:
    """A projection that remembers; entries in ``poison`` break it, ``away`` makes its store unreachable."""

    name = "recorder"

    def __init__(self, path: Path) -> None:
        self.cursors = FileCursors(DiskFiles(), path)
        self.taken: list[tuple[str, int]] = []
        self.poison: set[int] = set()
        self.away = False
        self.calls = 0

    def cursor(self, stream: str) -> int:
        return self.cursors.get(stream)

    def apply(self, stream: str, entries: Sequence[Entry], next_index: int) -> None:
        self.calls += 1
        if self.away:
            raise StoreUnavailable("store is away", "start it")
        for entry in entries:
            if entry.index in self.poison:
                raise KeyError(entry.index)
        self.taken += [(stream, entry.index) for entry in entries]
        self.cursors.set(stream, next_index)

    def reset(self) -> None:
        self.taken.clear()
        self.cursors.reset()


class Stage:
    def __init__(self, folder: Path) -> None:
        self.journal = Journal.open(folder / "journal")
        self.deadletters = DeadLetters(folder / "dead.sqlite")
        self.metrics = Metrics()
        self.projection = Recorder(folder / "cursors.json")
        self.waits: list[float] = []
        self.worker = ProjectionWorker(
            self.journal, self.projection, self.deadletters, self.metrics, now_ms=lambda: 7, pause=self.pause
        )

    def pause(self, stopping: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        return stopping.wait(0.005)

    def fill(self, stream: str, count: int) -> None:
        self.journal.stream(stream).append([NewEntry("report", "a", 1, {}, b"%d" % n) for n in range(count)])

    def close(self) -> None:
        self.worker.stop()
        self.journal.close()
        self.deadletters.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A journal with one projection."""
    made = Stage(tmp_path)
    yield made
    made.close()


def test_every_entry_of_every_stream_is_applied_in_order(stage: Stage) -> None:
    """The worker catches up and then follows."""
    stage.fill("pc", 1_200)
    stage.worker.start()
    stage.fill("probe", 3)
    until(lambda: len(stage.projection.taken) == 1_203)
    stage.fill("pc", 1)
    until(lambda: len(stage.projection.taken) == 1_204)
    assert [index for stream, index in stage.projection.taken if stream == "pc"] == list(range(1_201))
    until(
        lambda: (
            b'hatang_projection_lag_entries{projection="recorder",stream="pc"} 0.0' in stage.metrics.render()
        )
    )
    assert stage.worker.trouble is None


def test_an_unreachable_store_stands_still_and_goes_on(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """It is tried again with growing waits, told once, and nothing is applied out of order."""
    stage.projection.away = True
    stage.fill("pc", 10)
    with caplog.at_level(logging.WARNING):
        stage.worker.start()
        until(lambda: stage.projection.calls >= 8)
        assert stage.worker.trouble == "store is away (start it)"
        stage.projection.away = False
        until(lambda: len(stage.projection.taken) == 10)
        until(lambda: stage.worker.trouble is None)
    messages = [record.getMessage() for record in caplog.records]
    assert [one for one in messages if "stands still" in one] == [
        "projection recorder stands still: store is away (start it). Nothing is lost; it goes on by itself"
    ]
    assert messages[-1] == "projection recorder goes on"
    assert 0.8 <= stage.waits[0] <= 1.0
    assert max(stage.waits) <= 30
    assert stage.waits[6] > 20


def test_a_poison_entry_is_set_aside_and_the_others_are_applied(stage: Stage) -> None:
    """The entry at fault is found, kept as a dead letter with its place, counted, and stepped over."""
    stage.projection.poison = {3, 700}
    stage.fill("pc", 1_000)
    advance = Advance(stage.journal, stage.projection, stage.deadletters, stage.metrics, lambda: 7)
    while advance.step("pc"):
        pass
    assert {index for _, index in stage.projection.taken} == set(range(1_000)) - {3, 700}
    letters = stage.deadletters.letters()
    assert [(one.reason, one.topic, one.payload) for one in letters] == [
        ("projection_failed", "journal/pc/3/recorder", b"3"),
        ("projection_failed", "journal/pc/700/recorder", b"700"),
    ]
    assert stage.projection.cursor("pc") == 1_000
    assert b'hatang_projection_failed_total{projection="recorder"} 2.0' in stage.metrics.render()


def test_a_poison_entry_can_be_taken_again(stage: Stage) -> None:
    """After the bug is gone the entry is applied alone; the cursor stays at the end."""
    stage.projection.poison = {1}
    stage.fill("pc", 3)
    advance = Advance(stage.journal, stage.projection, stage.deadletters, stage.metrics, lambda: 7)
    advance.step("pc")
    assert advance.again("pc", 1) == "KeyError: 1"
    stage.projection.poison = set()
    assert advance.again("pc", 1) is None
    assert ("pc", 1) in stage.projection.taken
    assert stage.projection.cursor("pc") == 3
    assert advance.again("pc", 99) == "no longer in the journal"


def test_damage_stands_still_with_the_next_step(stage: Stage) -> None:
    """A projection never passes damaged entries by itself."""
    stage.fill("pc", 2)
    stage.journal.stream("pc").append([NewEntry("report", "a", 2 * 86_400_000, {}, b"later")])
    path = next(iter(sorted((stage.journal.stream("pc")._directory).glob("*.log"))))
    path.write_bytes(b"\0" * path.stat().st_size)
    stage.worker.start()
    trouble = until(lambda: stage.worker.trouble or "")
    assert "damaged at byte 0" in trouble
    assert ".skip-0" in trouble
    assert stage.projection.taken == []
