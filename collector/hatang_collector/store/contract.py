"""What a series store is, whichever server is behind it, and the values that go in and out.

Every time is UTC in milliseconds; every value is a float. A point is named by
(measurement, agent, tags, at_ms): written twice it overwrites itself, so a replay adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

Tags = tuple[tuple[str, str], ...]
"""Tag names and values, sorted by name, without ``agent``."""

BadReason = Literal["unparseable", "type_conflict", "beyond_retention", "refused"]

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Point:
    """The fields of one measurement and tag set at one instant.

    A sample ``interfaces.rx_bps`` tagged ``interface=eth0`` of agent A is the field ``rx_bps`` of the
    measurement ``interfaces`` with tags ``(("interface", "eth0"),)``.
    """

    measurement: str
    agent: str
    tags: Tags
    at_ms: int
    fields: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class BadPoint:
    """A point that no retry can store, why, and in what words the store (or our check) refused it."""

    point: Point
    reason: BadReason
    detail: str


class Resolution(StrEnum):
    """How finely a series is kept."""

    RAW = "raw"
    M5 = "5m"
    H1 = "1h"


STEP_MS = {Resolution.RAW: 0, Resolution.M5: 5 * MINUTE_MS, Resolution.H1: HOUR_MS}
"""Width of a bucket; rollup buckets start at multiples of it since the Unix epoch."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The values from ``at_ms`` on, one bucket wide; of a raw series one value, with count 1."""

    at_ms: int
    count: int
    sum: float
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Track:
    """One line of a chart: the buckets of one tag set, oldest first."""

    tags: Tags
    buckets: list[Bucket]


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest raw value of one series."""

    agent: str
    tags: Tags
    field: str
    at_ms: int
    value: float


@dataclass(frozen=True, slots=True)
class RollupRow:
    """One bucket of one series; the same row written again overwrites."""

    agent: str
    measurement: str
    field: str
    tags: Tags
    at_ms: int
    count: int
    sum: float
    min: float
    max: float


@dataclass(frozen=True, slots=True)
class Retention:
    """How long each resolution is kept, in days; 0 keeps it for ever."""

    raw_days: int
    m5_days: int
    h1_days: int

    def span_ms(self, resolution: Resolution) -> int:
        """Age at which rows of a resolution may go, 0 for never."""
        days = {Resolution.RAW: self.raw_days, Resolution.M5: self.m5_days, Resolution.H1: self.h1_days}
        return days[resolution] * DAY_MS


class SeriesStore(Protocol):
    """Where series live. Methods may be called from several threads.

    Every method may raise ``StoreUnavailable`` (journal/projection.py) when a retry can help:
    the server is away, refuses the credential, or has no such database.
    """

    def write(self, points: Sequence[Point]) -> list[BadPoint]:
        """Store raw points, durably; the bad ones come back and every other one is stored."""
        ...

    def write_rollups(self, resolution: Resolution, rows: Sequence[RollupRow]) -> list[BadPoint]:
        """Store rows of one rollup resolution; bad ones come back as the points they would be."""
        ...

    def query(
        self, agent: str, measurement: str, field: str, start_ms: int, end_ms: int, resolution: Resolution
    ) -> list[Track]:
        """Buckets with start_ms <= at_ms < end_ms, one track per tag set, ordered by tags."""
        ...

    def latest(self, agents: Sequence[str], measurement: str, fields: Sequence[str]) -> list[Latest]:
        """The newest raw value of each series asked for; a series without values is absent."""
        ...

    def totals(self) -> dict[str, tuple[int, float]]:
        """``measurement.field`` -> (count, sum) of all raw values; equal after a replay."""
        ...

    def clear(self, resolution: Resolution) -> None:
        """Remove everything of one resolution, before a replay."""
        ...

    def retain(self, now_ms: int) -> None:
        """Remove what is older than its retention, where the server does not do so itself."""
        ...

    def ping(self) -> None:
        """Return when the store answers."""
        ...

    def close(self) -> None:
        """Give back connections and files; harmless when called twice."""
        ...
