"""What the journal holds, and what each projection made of it: they must agree run by run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hatang_collector.app import Data
from hatang_collector.ingest.decode import decode_report
from hatang_collector.journal.segments import Entry
from hatang_collector.ledger import facts, findings, machines, receipts, runs
from hatang_collector.store.buckets import rolled_up
from hatang_collector.store.check import oldest_ms
from hatang_collector.store.contract import DAY_MS, Bucket, Point, Resolution, Retention
from hatang_collector.store.points import report_points
from soak.count import read_witness

Totals = dict[str, tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that projections hold, as plain values that can be compared."""

    receipts: dict[str, receipts.Summary]
    ranges: dict[str, dict[str, str]]
    facts: dict[str, list[tuple[str, str, str, int]]]
    findings: set[tuple[str, str, str]]
    refused: dict[str, int]
    raw: Totals
    rollups: dict[Resolution, Totals]
    served: dict[str, list[tuple[Any, list[Bucket]]]]
    """Rollups as the store answers them, by agent and resolution."""


def snapshot(data: Data, measurement: str = "", field: str = "") -> Snapshot:
    """The state of all projections; with ``measurement`` and ``field`` also what the store serves of it."""
    with data.ledger.read() as c:
        agents = [machine.agent for machine in machines.every(c)]
        return Snapshot(
            {agent: receipts.of(c, agent) for agent in agents},
            {agent: {e: r.to_text() for e, r in sorted(runs.of(c, agent).items())} for agent in agents},
            {
                agent: sorted(
                    (f.kind, f.key, str(sorted(f.fields.items())), f.seen_ms) for f in facts.of(c, agent)
                )
                for agent in agents
            },
            {(found.kind, found.agent, found.key) for found in findings.every(c)},
            dict(data.series.refused().counts),
            data.store.totals(),
            {resolution: data.book.totals(resolution) for resolution in (Resolution.M5, Resolution.H1)},
            {
                f"{agent} {resolution}": [
                    (track.tags, track.buckets)
                    for track in data.store.query(agent, measurement, field, 0, 1 << 42, resolution)
                ]
                for agent in (agents if measurement else [])
                for resolution in (Resolution.M5, Resolution.H1)
            },
        )


def same(before: Snapshot, after: Snapshot) -> None:
    """Assert that two snapshots say the same; sums may differ in their last digits."""
    assert after.receipts == before.receipts
    assert after.ranges == before.ranges
    assert after.facts == before.facts
    assert after.findings == before.findings
    assert after.refused == before.refused
    assert after.served == before.served
    _same_totals(after.raw, before.raw)
    for resolution, totals in before.rollups.items():
        _same_totals(after.rollups[resolution], totals)


def _same_totals(found: Totals, expected: Totals) -> None:
    assert {name: count for name, (count, _) in found.items()} == {n: c for n, (c, _) in expected.items()}
    for name, (_, total) in expected.items():
        assert found[name][1] == pytest.approx(total, rel=1e-9, abs=1e-6), name


def _reports(data: Data) -> Iterator[Entry]:
    for stream in data.journal.streams.values():
        at = stream.first
        while entries := stream.read(at, 1000):
            at = entries[-1].index + 1
            yield from (entry for entry in entries if entry.kind == "report")


def journaled_points(data: Data) -> Iterator[Point]:
    """The points of every run in the journal, each run once."""
    seen: set[tuple[str, str, int]] = set()
    for entry in _reports(data):
        for run in report_points(decode_report(entry.payload), entry.header["clocks"]):
            key = (entry.agent, run.epoch, run.number)
            if key not in seen:
                seen.add(key)
                yield from run.points


def journaled_runs(data: Data, agent: str) -> set[str]:
    """Run ids of an agent in the journal."""
    mine = (decode_report(entry.payload) for entry in _reports(data) if entry.agent == agent)
    return {run.id for report in mine for run in report.runs}


def journaled_digests(data: Data, agent: str) -> set[str]:
    """Digests of the reports of an agent in the journal."""
    return {entry.header["digest"] for entry in _reports(data) if entry.agent == agent}


def agree(data: Data, now_ms: int) -> None:
    """Assert that receipts, raw series and rollups hold exactly what the journal holds, each run once."""
    keep = data.settings.retention
    limits = Retention(keep.raw_days, keep.five_minute_days, keep.hourly_days)
    raw: Totals = {}
    rolled: dict[Resolution, Totals] = {Resolution.M5: {}, Resolution.H1: {}}
    for point in journaled_points(data):
        for field, value in point.fields:
            name = f"{point.measurement}.{field}"
            if point.at_ms >= oldest_ms(limits, Resolution.RAW, now_ms):
                _add(raw, name, value)
            for totals in rolled.values() if rolled_up(field) else ():
                _add(totals, name, value)
    _same_totals(data.store.totals(), raw)
    for resolution, totals in rolled.items():
        _same_totals(data.book.totals(resolution), totals)
    with data.ledger.read() as c:
        for machine in machines.every(c):
            expected = journaled_runs(data, machine.agent)
            counted = {
                f"{epoch}-{number}"
                for epoch, ranges in runs.of(c, machine.agent).items()
                for number in _numbers(ranges.to_text())
            }
            assert counted == expected, machine.label
            assert receipts.of(c, machine.agent).runs == len(expected), machine.label


def _add(totals: Totals, name: str, value: float) -> None:
    count, total = totals.get(name, (0, 0.0))
    totals[name] = (count + 1, total + value)


def _numbers(text: str) -> Iterator[int]:
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def arrived(data: Data, agent: str) -> list[int]:
    """The witnessed numbers of an agent in the raw series, in the order of time."""
    since = 0
    tracks = data.store.query(agent, "witness", "number", since, DAY_MS * 40_000, Resolution.RAW)
    return [int(bucket.sum) for track in tracks for bucket in track.buckets]


def nothing_lost(data: Data, agent: str, *witnesses: Path) -> None:
    """Assert that every number that was surely handed to the outbox arrived, once, and none from nowhere."""
    found = arrived(data, agent)
    assert len(found) == len(set(found)), "counted twice"
    sure = frozenset[int]().union(*(read_witness(path).sure for path in witnesses))
    unsure = frozenset[int]().union(*(read_witness(path).unsure for path in witnesses))
    assert sure - set(found) == set(), "lost"
    assert set(found) - sure - unsure == set(), "from nowhere"
    assert len(sure) >= 3, "the test took nothing"
