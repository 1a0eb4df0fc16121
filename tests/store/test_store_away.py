"""InfluxDB stopped while reports keep coming in: journal and rollups go on, the series catch up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hatang_collector.clock import now_ms
from hatang_collector.ingest.deadletter import DeadLetters
from hatang_collector.journal.projection import Projection, ProjectionWorker
from hatang_collector.journal.segments import NewEntry
from hatang_collector.journal.streams import Journal
from hatang_collector.metrics import Metrics
from hatang_collector.store.book import RollupBook
from hatang_collector.store.contract import Resolution
from hatang_collector.store.dialects import InfluxSettings
from hatang_collector.store.influx import InfluxStore
from hatang_collector.store.projection import SeriesProjection
from hatang_collector.store.rollup import RollupProjection, RollupPusher, RollupPushThread
from store.making import RETENTION, entry, recent, report, run
from support.servers import Influx
from support.wait import until

STREAMS = ("pc", "probe")


class Collector:
    """The journal, the series part with its workers, and one InfluxDB, as the collector wires them."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        (folder / "influx").mkdir()
        self.influx = Influx.make(folder / "influx")
        self.influx.start()
        stack.callback(self.influx.stop)
        self.journal = Journal.open(folder / "journal")
        stack.callback(self.journal.close)
        self.deadletters = DeadLetters(folder / "deadletters.sqlite")
        stack.callback(self.deadletters.close)
        self.book = RollupBook(folder / "rollup.sqlite", RETENTION)
        stack.callback(self.book.close)
        self.store = InfluxStore(InfluxSettings(self.influx.url), RETENTION, now_ms)
        stack.callback(self.store.close)
        self.series = SeriesProjection(self.store, folder / "series-book.sqlite")
        stack.callback(self.series.close)
        self.rollup = RollupProjection(self.book, self.store, now_ms)
        self.metrics = Metrics()
        self.workers = [self._worker(one) for one in (self.series, self.rollup)]
        self.pushing = RollupPushThread(RollupPusher(self.book, self.store), every_s=0.02)
        for worker in self.workers:
            worker.start()
            stack.callback(worker.stop)
        self.pushing.start()
        stack.callback(self.pushing.stop)
        self.sent = dict.fromkeys(STREAMS, 0)
        self._start = recent(5_000)

    def _worker(self, projection: Projection) -> ProjectionWorker:
        def pause(stopping: threading.Event, _seconds: float) -> bool:
            return stopping.wait(0.02)

        return ProjectionWorker(self.journal, projection, self.deadletters, self.metrics, pause=pause)

    def receive(self, count: int) -> None:
        """Journal reports of one machine in each stream, as ingest does before it acknowledges."""
        for stream, letter in zip(STREAMS, "pq", strict=True):
            for _ in range(count):
                seq = self.sent[stream] = self.sent[stream] + 1
                taken = run(seq, self._start + seq * 60_000, {"usage.cpu_percent": 1.0})
                made = entry(0, report([taken], agent=letter * 16, seq=seq))
                new = NewEntry(made.kind, made.agent, made.arrived_ms, made.header, made.payload)
                self.journal.stream(stream).append([new])

    def at_end(self, projection: Projection) -> bool:
        """Whether a projection has everything received."""
        return all(projection.cursor(stream) == self.sent[stream] for stream in STREAMS)


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    """A running one."""
    with ExitStack() as stack:
        yield Collector(tmp_path, stack)


def test_influxdb_stopped_under_load_loses_nothing(collector: Collector) -> None:
    """Through three stops journal and rollups go on, the series catch up, every value is there once."""
    series, rollup = collector.workers
    for _ in range(3):
        collector.receive(40)
        until(lambda: collector.at_end(collector.series), what="series at the end")

        collector.influx.kill()
        collector.receive(60)
        until(lambda: collector.at_end(collector.rollup), what="rollups at the end without InfluxDB")
        until(lambda: series.trouble, what="the series say that they stand still")
        assert "is the server running" in str(series.trouble)
        assert rollup.trouble is None
        assert not collector.at_end(collector.series)

        collector.influx.start()
        until(lambda: collector.at_end(collector.series), what="series caught up")
        until(lambda: series.trouble is None, what="the series say that they go on")

    until(lambda: collector.book.unpushed() == 0, what="rollups pushed")
    assert collector.store.totals() == {"usage.cpu_percent": (600, 600.0)}
    assert collector.book.totals(Resolution.H1) == {"usage.cpu_percent": (600, 600.0)}
    for agent in ("p" * 16, "q" * 16):
        for resolution in Resolution:
            (track,) = collector.store.query(agent, "usage", "cpu_percent", 0, now_ms(), resolution)
            assert sum(bucket.count for bucket in track.buckets) == 300
    assert collector.series.refused().counts == {}
    assert collector.metrics.registry.get_sample_value("hatang_projection_failed_total") is None
