"""The book of rollups: what it counts, keeps, brings to a server, and gives up."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from hatang_collector.clock import now_ms
from hatang_collector.journal.files import DiskFiles
from hatang_collector.journal.projection import StoreUnavailable
from hatang_collector.journal.segments import NewEntry
from hatang_collector.journal.streams import Journal
from hatang_collector.store.book import RollupBook
from hatang_collector.store.buckets import ROLLUPS
from hatang_collector.store.contract import (
    DAY_MS,
    HOUR_MS,
    BadPoint,
    Bucket,
    Resolution,
)
from hatang_collector.store.dialects import InfluxSettings
from hatang_collector.store.rollup import RollupProjection, RollupPusher, RollupPushThread, complete_from
from store.making import AGENT, RETENTION, days_ago, entry, point, recent, report, run
from store.parts import Parts, reports
from support.wait import until


def test_a_late_run_changes_the_bucket_it_touches(parts: Parts) -> None:
    """A bucket that was pushed is pushed again with the late run in it."""
    hour = recent(300) // HOUR_MS * HOUR_MS
    parts.apply([entry(0, report([run(1, hour, {"usage.cpu_percent": 10.0})]))])
    parts.pusher.push()
    parts.apply([entry(1, report([run(2, hour + 1, {"usage.cpu_percent": 30.0})], seq=2))])
    parts.pusher.push()

    for resolution in ROLLUPS:
        (track,) = parts.store.query(AGENT, "usage", "cpu_percent", hour, hour + HOUR_MS, resolution)
        assert track.buckets == [Bucket(hour, 2, 40.0, 10.0, 30.0)]


def test_byte_counters_have_no_rollups(embedded: Parts) -> None:
    """Cumulative byte counters are kept raw; their rates and the error counters are rolled up."""
    samples = {"interfaces.rx_bytes": 1e9, "interfaces.rx_bps": 100.0, "interfaces.rx_errors": 2.0}
    embedded.apply([entry(0, report([run(1, recent(), samples)]))])

    assert set(embedded.store.totals()) == set(samples)
    assert set(embedded.book.totals(Resolution.H1)) == {"interfaces.rx_bps", "interfaces.rx_errors"}


def test_the_push_thread_tells_once_and_goes_on(
    embedded: Parts, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is away is logged once, its return once, and the thread ends when told."""
    answers = iter([StoreUnavailable("away", hint="start it")] * 3)
    calls: list[int] = []

    def push() -> int:
        calls.append(1)
        for error in answers:
            raise error
        return 0

    monkeypatch.setattr(embedded.pusher, "push", push)
    thread = RollupPushThread(embedded.pusher, every_s=0.001)
    with caplog.at_level("INFO"):
        thread.start()
        until(lambda: len(calls) > 5, what="pushing goes on")
        thread.stop()

    assert not thread.is_alive()
    assert [record.message for record in caplog.records] == [
        "rollups are not pushed: away (start it)",
        "rollups are pushed again",
    ]


def test_a_change_during_a_push_is_pushed_next(embedded: Parts) -> None:
    """A bucket that changes between reading and taking off its mark stays marked."""
    book = embedded.book
    projection = RollupProjection(book, embedded.store, now_ms)
    projection.apply("pc", [entry(0, report([run(1, recent(), {"usage.cpu_percent": 1.0})]))], 1)
    marks = book.marks(100)
    projection.apply("pc", [entry(1, report([run(2, recent(), {"usage.cpu_percent": 2.0})], seq=2))], 2)

    book.pushed(marks)

    assert book.unpushed() == 2
    book.pushed(book.marks(100))
    assert book.unpushed() == 0


def test_retention_removes_what_is_old_and_nothing_else(embedded: Parts) -> None:
    """Raw 30 days, five minutes 400 days, hours 1100 days; run ids as long as the hours."""
    now = now_ms()
    embedded.apply(reports(2))
    embedded.apply([entry(2, report([run(90, days_ago(300), {"usage.cpu_percent": 5.0})], seq=3))])

    embedded.store.retain(now)
    embedded.book.retain(now)
    assert embedded.store.totals()["usage.cpu_percent"] == (6, 21.0)
    assert embedded.book.totals(Resolution.M5)["usage.cpu_percent"] == (7, 26.0)

    embedded.store.retain(now + 31 * DAY_MS)
    embedded.book.retain(now + 200 * DAY_MS)
    assert embedded.store.totals() == {}
    assert embedded.book.totals(Resolution.M5)["usage.cpu_percent"] == (6, 21.0)
    assert embedded.book.totals(Resolution.H1)["usage.cpu_percent"] == (7, 26.0)

    embedded.book.retain(now + 1_200 * DAY_MS)
    assert embedded.book.totals(Resolution.H1) == {}
    embedded.store.write([point(recent(), 1.0)])
    assert embedded.store.totals() == {"usage.cpu_percent": (1, 1.0)}


def test_what_is_older_than_the_hours_is_taken_and_not_counted(embedded: Parts) -> None:
    """Runs older than every retention do not grow the book."""
    embedded.apply([entry(0, report([run(1, days_ago(2_000), {"usage.cpu_percent": 5.0})]))])
    embedded.apply([entry(1, report([run(2, days_ago(600), {"usage.cpu_percent": 5.0})], seq=2))])

    assert embedded.book.totals(Resolution.H1) == {"usage.cpu_percent": (1, 5.0)}
    assert embedded.book.totals(Resolution.M5) == {}


def test_any_order_and_grouping_gives_the_same_book(tmp_path: Path) -> None:
    """Entries of many agents in any batches and order, some twice, give one and the same rollups."""
    rng = random.Random(7)
    entries = []
    for index in range(40):
        agent, number = "bcde"[index % 4] * 16, index // 4 + 1
        samples = {"usage.cpu_percent": float(rng.randrange(100)), "usage.load1": 1.0}
        entries.append(entry(index, report([run(number, recent(rng.randrange(600)), samples)], agent=agent)))
    expected = None
    for attempt in range(4):
        book = RollupBook(tmp_path / f"{attempt}.sqlite", RETENTION)
        projection = RollupProjection(book, None, now_ms)
        shuffled = [*entries, *rng.sample(entries, 10)]
        rng.shuffle(shuffled)
        while shuffled:
            size = rng.randrange(1, 9)
            projection.apply("pc", shuffled[:size], 1)
            shuffled = shuffled[size:]
        tracks = [
            book.query(letter * 16, "usage", "cpu_percent", 0, now_ms(), Resolution.M5) for letter in "bcde"
        ]
        book.close()
        expected = expected or tracks
        assert tracks == expected


def test_rollups_the_server_refuses_do_not_hold_up_the_others(
    influx_settings: InfluxSettings, tmp_path: Path
) -> None:
    """A rollup point the server cannot take is told and its mark taken off; the others are pushed."""
    parts = Parts(tmp_path, influx_settings)
    told: list[BadPoint] = []
    pusher = RollupPusher(parts.book, parts.store, told.extend)
    hour = recent(200) // HOUR_MS * HOUR_MS
    samples = {"usage.cpu_percent": 1.7e308, "usage.load1": 1.0}
    runs = [run(n, hour + n, samples) for n in (1, 2)]
    try:
        parts.apply([entry(0, report(runs))])
        pusher.push()

        (track,) = parts.store.query(AGENT, "usage", "load1", hour, hour + 1, Resolution.H1)
        assert track.buckets == [Bucket(hour, 2, 2.0, 1.0, 1.0)]
        assert {one.reason for one in told} == {"unparseable"}
        assert parts.book.unpushed() == 0
    finally:
        parts.close()


@pytest.mark.parametrize("server", [False, True])
def test_a_replay_of_a_shortened_journal_keeps_the_older_hours(
    server: bool, influx_settings: InfluxSettings, tmp_path: Path
) -> None:
    """Hours whose reports the journal no longer has outlive a reset; the others are counted again, once."""
    parts = Parts(tmp_path, influx_settings if server else None)
    entries = reports(120)
    late = entry(120, report([run(900, entries[3].arrived_ms, {"usage.cpu_percent": 7.0})], seq=121))
    late = replace(late, arrived_ms=entries[-1].arrived_ms)
    new = entry(121, report([run(901, entries[2].arrived_ms, {"usage.cpu_percent": 9.0})], seq=122))
    first_kept = 70
    rollup = RollupProjection(
        parts.book, parts.rollup._server, now_ms, lambda: entries[first_kept].arrived_ms
    )
    try:
        parts.apply([*entries, late])
        parts.pusher.push()
        whole = [parts.book.totals(resolution) for resolution in ROLLUPS]

        for _ in range(2):
            rollup.reset()
            assert rollup.cursor("pc") == 0
            rollup.apply("pc", [*entries[first_kept:], late], 121)
            parts.pusher.push()
            assert [parts.book.totals(resolution) for resolution in ROLLUPS] == whole
        (track,) = parts.store.query(AGENT, "usage", "cpu_percent", 0, now_ms(), Resolution.H1)
        assert sum(bucket.count for bucket in track.buckets) == 361

        rollup.apply("pc", [new, late], 122)
        assert parts.book.totals(Resolution.H1)["usage.cpu_percent"][0] == 362
    finally:
        parts.close()


def test_since_when_the_journal_is_complete(tmp_path: Path) -> None:
    """A journal that dropped nothing has everything; one that did, since its oldest entry arrived."""
    journal = Journal(DiskFiles(), tmp_path, max_segment_bytes=1)
    stream = journal.stream("pc")
    try:
        assert complete_from(journal, 99) == 0
        for arrived_ms in (1_000, 2_000, 3_000):
            stream.append([NewEntry("report", AGENT, arrived_ms, {}, b"x")])
        assert complete_from(journal, 9_999) == 0
        stream.retain(2_500)
        assert complete_from(journal, 9_999) == stream.read(stream.first, 1)[0].arrived_ms > 1_000
    finally:
        journal.close()


def test_what_waits_to_be_pushed_outlives_a_partial_reset(embedded: Parts) -> None:
    """Kept hours that had not reached the server yet are still marked after a reset."""
    hour = recent(600) // HOUR_MS * HOUR_MS
    projection = RollupProjection(embedded.book, embedded.store, now_ms, lambda: hour + 3 * HOUR_MS)
    projection.apply("pc", [entry(0, report([run(1, hour, {"usage.cpu_percent": 1.0})]))], 1)
    projection.reset()

    assert embedded.book.unpushed() == 2
    assert [row.count for _, row in embedded.book.rows(embedded.book.marks(10))] == [1, 1]
