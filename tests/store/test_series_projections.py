"""The journal into series and rollups: once each, whatever is replayed, restored, late or away."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from hatang_agent.wire.codec import WireError
from hatang_agent.wire.report import Clock
from hatang_collector.clock import now_ms
from hatang_collector.journal.projection import StoreUnavailable
from hatang_collector.journal.segments import Entry
from hatang_collector.store.book import RollupBook
from hatang_collector.store.buckets import ROLLUPS, start_of
from hatang_collector.store.contract import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    BadPoint,
    Point,
    Resolution,
)
from hatang_collector.store.dialects import InfluxSettings
from hatang_collector.store.embedded import EmbeddedStore
from hatang_collector.store.projection import BAD_KEPT, SeriesProjection
from store.making import AGENT, BOOT, RETENTION, days_ago, entry, recent, report, run
from store.parts import Parts, reports
from support.servers import Influx

OTHER_EPOCH = "00000000000000bb"


def test_reports_become_points_and_rollups(parts: Parts) -> None:
    """Every sample is one raw value and counts once in its five minutes and in its hour."""
    parts.apply(reports(20))
    parts.pusher.push()

    assert parts.store.totals() == {
        "usage.cpu_percent": (60, sum(range(1, 61))),
        "usage.memory_percent": (60, 3000.0),
    }
    for resolution in ROLLUPS:
        assert parts.book.totals(resolution) == parts.store.totals()
        (track,) = parts.store.query(AGENT, "usage", "cpu_percent", 0, now_ms(), resolution)
        assert sum(bucket.count for bucket in track.buckets) == 60
        assert sum(bucket.sum for bucket in track.buckets) == sum(range(1, 61))
        assert {bucket.at_ms for bucket in track.buckets} == {
            start_of(bucket.at_ms, resolution) for bucket in track.buckets
        }
    assert parts.series.cursor("pc") == parts.rollup.cursor("pc") == 20
    assert parts.series.cursor("probe") == parts.rollup.cursor("probe") == 0


def test_entries_applied_again_add_nothing(parts: Parts) -> None:
    """A crash between effect and cursor means the same entries again: nothing changes."""
    entries = reports(5)
    parts.apply(entries)
    before = parts.store.totals(), parts.book.totals(Resolution.M5)

    parts.apply(entries)
    parts.apply(entries[2:])

    assert (parts.store.totals(), parts.book.totals(Resolution.M5)) == before


def test_a_replay_gives_the_same_totals(parts: Parts) -> None:
    """Reset empties everything and sets the cursors to 0; the journal again gives what was there."""
    entries = reports(10)
    parts.apply(entries)
    parts.pusher.push()
    raw, fine, coarse = (
        parts.store.totals(),
        parts.book.totals(Resolution.M5),
        parts.book.totals(Resolution.H1),
    )

    parts.series.reset()
    parts.rollup.reset()

    assert parts.store.totals() == parts.book.totals(Resolution.M5) == {}
    assert parts.store.query(AGENT, "usage", "cpu_percent", 0, now_ms(), Resolution.H1) == []
    assert parts.series.cursor("pc") == parts.rollup.cursor("pc") == 0
    for one in entries:
        parts.apply([one])
    parts.pusher.push()
    assert parts.store.totals() == raw
    assert parts.book.totals(Resolution.M5) == fine
    assert parts.book.totals(Resolution.H1) == coarse


def test_runs_sealed_again_by_a_restored_folder_count_once(parts: Parts) -> None:
    """The same run ids in a report of another epoch, even at another offset, are not new."""
    runs = [run(n, recent(90 - n), {"usage.cpu_percent": 10.0}) for n in range(1, 6)]
    parts.apply([entry(0, report(runs))])

    new = run(6, recent(10), {"usage.cpu_percent": 20.0})
    restored = entry(1, report([*runs, new], epoch=OTHER_EPOCH))
    shifted = replace(restored, header={**restored.header, "clocks": {BOOT: 7_000}})
    parts.apply([shifted])

    assert parts.store.totals() == {"usage.cpu_percent": (6, 70.0)}
    assert parts.book.totals(Resolution.H1) == {"usage.cpu_percent": (6, 70.0)}


def test_late_data_reaches_the_rollups(parts: Parts) -> None:
    """Reports 40 days old are beyond raw retention, are listed so, and are in both rollups."""
    old = days_ago(40)
    parts.apply(reports(2, first_ms=old))
    parts.pusher.push()

    assert parts.store.totals() == {}
    refused = parts.series.refused()
    assert refused.counts == {"beyond_retention": 6}
    assert len(refused.newest) == 6
    assert refused.newest[0].point.at_ms == old + 6 * MINUTE_MS
    for resolution in ROLLUPS:
        (track,) = parts.store.query(AGENT, "usage", "cpu_percent", old - DAY_MS, now_ms(), resolution)
        assert sum(bucket.count for bucket in track.buckets) == 6


def test_the_run_counts_at_its_corrected_time(embedded: Parts) -> None:
    """A machine whose clock is years off counts in the bucket of boot time plus journaled offset."""
    taken = recent(100)
    wrong = replace(
        run(1, taken, {"usage.cpu_percent": 1.0}), clock=Clock(wall_ms=123, boot_ms=5_000, boot_id="b")
    )
    one = entry(0, report([wrong]))
    embedded.apply([replace(one, header={"clocks": {"b": taken - 5_000}})])

    (track,) = embedded.store.query(AGENT, "usage", "cpu_percent", 0, now_ms(), Resolution.RAW)
    assert [bucket.at_ms for bucket in track.buckets] == [taken]
    (track,) = embedded.store.query(AGENT, "usage", "cpu_percent", 0, now_ms(), Resolution.H1)
    assert [bucket.at_ms for bucket in track.buckets] == [taken // HOUR_MS * HOUR_MS]


def test_entries_that_are_no_reports_move_the_cursor(embedded: Parts) -> None:
    """Presence, births and beats say nothing to series and are passed over."""
    presence = Entry(4, "presence", AGENT, now_ms(), {"path": "lan"}, b"{}")

    embedded.apply([presence])
    embedded.series.apply("pc", [], 9)
    embedded.rollup.apply("pc", [], 9)

    assert embedded.series.cursor("pc") == embedded.rollup.cursor("pc") == 9
    assert embedded.store.totals() == {}


def test_an_entry_that_cannot_be_read_leaves_no_trace(embedded: Parts) -> None:
    """A batch with a broken entry raises and has no effect, so the rest can be applied without it."""
    good, broken = reports(2)
    broken = replace(broken, payload=b"{")

    for projection in (embedded.series, embedded.rollup):
        with pytest.raises(WireError):
            projection.apply("pc", [good, broken], 2)
        assert projection.cursor("pc") == 0
    assert embedded.store.totals() == embedded.book.totals(Resolution.M5) == {}

    embedded.apply([good])
    assert embedded.store.totals()["usage.cpu_percent"] == (3, 6.0)
    assert embedded.book.totals(Resolution.M5)["usage.cpu_percent"] == (3, 6.0)


def test_refused_points_are_counted_and_the_newest_listed(tmp_path: Path) -> None:
    """The list of refused points is bounded, its counts are not."""
    with ExitStack() as stack:
        book = RollupBook(tmp_path / "rollup.sqlite", RETENTION)
        stack.callback(book.close)
        store = EmbeddedStore(tmp_path / "series.sqlite", book, RETENTION, now_ms)
        stack.callback(store.close)
        told: list[BadPoint] = []
        projection = SeriesProjection(store, tmp_path / "series-book.sqlite", told.extend)
        stack.callback(projection.close)
        old = days_ago(300)
        runs = [run(n, old + n, {"usage.cpu_percent": 1.0, "usage.load1": 2.0}) for n in range(1, 1_501)]

        projection.apply("pc", [entry(0, report(runs[:600])), entry(1, report(runs[600:], seq=2))], 2)

        refused = projection.refused(limit=10_000)
        assert refused.counts == {"beyond_retention": 1_500}
        assert len(refused.newest) == BAD_KEPT
        assert [one.point for one in reversed(told[-BAD_KEPT:])] == [one.point for one in refused.newest]
        assert len(told) == 1_500
        assert refused.newest[0] == BadPoint(
            Point("usage", AGENT, (), old + 1_500, (("cpu_percent", 1.0), ("load1", 2.0))),
            "beyond_retention",
            refused.newest[0].detail,
        )


def test_a_stopped_influxdb_holds_up_its_own_writing_only(
    tmp_path_factory: pytest.TempPathFactory, influxdb: Influx
) -> None:
    """While InfluxDB is stopped the book of rollups goes on; afterwards all catches up, nothing is lost."""
    folder = tmp_path_factory.mktemp("stopped")
    server = Influx.make(folder)
    server.start()
    parts = Parts(folder, InfluxSettings(server.url))
    entries = reports(200)
    try:
        parts.apply(entries[:50])
        server.kill()

        for first in range(50, 200, 10):
            batch = entries[first : first + 10]
            with pytest.raises(StoreUnavailable):
                parts.series.apply("pc", entries[50 : first + 10], first + 10)
            parts.rollup.apply("pc", batch, first + 10)
            with pytest.raises(StoreUnavailable):
                parts.pusher.push()
        assert (parts.series.cursor("pc"), parts.rollup.cursor("pc")) == (50, 200)
        waiting = parts.book.unpushed()

        server.start()
        parts.series.apply("pc", entries[50:], 200)
        assert parts.pusher.push() == waiting

        assert parts.store.totals() == parts.book.totals(Resolution.H1)
        assert parts.store.totals()["usage.memory_percent"] == (600, 30_000.0)
        (track,) = parts.store.query(AGENT, "usage", "memory_percent", 0, now_ms(), Resolution.M5)
        assert sum(bucket.count for bucket in track.buckets) == 600
        assert parts.book.unpushed() == 0
    finally:
        parts.close()
        server.stop()
