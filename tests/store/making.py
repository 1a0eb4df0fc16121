"""Points, reports and stores for the tests of the series part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hatang_agent.wire import codec
from hatang_agent.wire.report import SCHEMA, Clock, Report, Run, Sample, Status
from hatang_collector.clock import now_ms
from hatang_collector.journal.segments import Entry
from hatang_collector.store.contract import DAY_MS, MINUTE_MS, Point, Retention, RollupRow

AGENT = "a" * 16
RETENTION = Retention(raw_days=30, m5_days=400, h1_days=1100)
EPOCH = "00000000000000aa"
BOOT = "boot-1"


def recent(minutes_ago: float = 60.0) -> int:
    """A whole minute not long ago: InfluxDB measures retention with its own clock."""
    return int(now_ms() - minutes_ago * MINUTE_MS) // MINUTE_MS * MINUTE_MS


def days_ago(days: int) -> int:
    """A whole minute some days ago."""
    return recent(days * DAY_MS / MINUTE_MS)


def point(
    at_ms: int, value: float = 1.0, *, field: str = "cpu_percent", agent: str = AGENT, **tags: str
) -> Point:
    """A point of one field of ``usage``."""
    return Point("usage", agent, tuple(sorted(tags.items())), at_ms, ((field, value),))


def rollup(at_ms: int, count: int, total: float, *, field: str = "cpu_percent", **tags: str) -> RollupRow:
    """A rollup row of ``usage`` with min 1 and max 9."""
    return RollupRow(AGENT, "usage", field, tuple(sorted(tags.items())), at_ms, count, total, 1.0, 9.0)


def run(
    number: int,
    at_ms: int,
    samples: Mapping[str, float],
    *,
    epoch: str = EPOCH,
    tags: Mapping[str, str] | None = None,
) -> Run:
    """A run taken ``at_ms`` on a boot whose offset is 0."""
    return Run(
        f"{epoch}-{number}",
        "usage",
        Clock(at_ms, at_ms, BOOT),
        5,
        Status.OK,
        tuple(Sample(name, value, "%", tags or {}) for name, value in samples.items()),
    )


def report(runs: Sequence[Run], *, agent: str = AGENT, epoch: str = EPOCH, seq: int = 1) -> Report:
    """A report with these runs."""
    clock = runs[-1].clock if runs else Clock(1, 1, BOOT)
    return Report(SCHEMA, agent, epoch, seq, None, clock, "pc", "0.1.0", tuple(runs))


def entry(index: int, message: Report) -> Entry:
    """The journal entry of a report, its boot's offset known."""
    header = {"epoch": message.epoch, "seq": message.seq, "digest": "", "clocks": {BOOT: 0}}
    return Entry(index, "report", message.agent, message.clock.wall_ms, header, codec.encode(message))
