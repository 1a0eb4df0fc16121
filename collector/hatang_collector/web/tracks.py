"""From the series store to lines of a chart: which resolution, which dots, which gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hatang_collector.store.contract import DAY_MS, HOUR_MS, Resolution, SeriesStore, Tags, Track
from hatang_collector.web.charts import Dot, Line, gap_after, thin
from hatang_collector.web.names import Series

RAW_SPAN_MS: Final = 6 * HOUR_MS
M5_SPAN_MS: Final = 3 * DAY_MS
MAX_SPAN_MS: Final = {Resolution.RAW: 2 * DAY_MS, Resolution.M5: 31 * DAY_MS, Resolution.H1: 1100 * DAY_MS}
"""The longest span one question may ask of a resolution, so that an answer stays a few megabytes."""

MAX_DOTS: Final = 240


def resolution_for(span_ms: int) -> Resolution:
    """The resolution that draws a span in a few hundred dots."""
    if span_ms <= RAW_SPAN_MS:
        return Resolution.RAW
    return Resolution.M5 if span_ms <= M5_SPAN_MS else Resolution.H1


def dots_of(track: Track) -> list[Dot]:
    """One dot per bucket that holds anything, at its mean."""
    return [
        Dot(bucket.at_ms, bucket.sum / bucket.count, bucket.min, bucket.max)
        for bucket in track.buckets
        if bucket.count
    ]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One series of one tag set, ready to draw."""

    tags: Tags
    line: Line

    def tag(self, name: str) -> str:
        """The value of a tag, empty when it has none."""
        return dict(self.tags).get(name, "")


def load(
    store: SeriesStore, agent: str, series: Series, start_ms: int, end_ms: int, kind: str = "a"
) -> list[Drawn]:
    """Every tag set of a series over a span. Raises StoreUnavailable.

    Where rollups hold nothing yet (a machine's first minutes) the raw values are drawn instead.
    """
    resolution = resolution_for(end_ms - start_ms)
    found = store.query(agent, series.measurement, series.field, start_ms, end_ms, resolution)
    if not any(track.buckets for track in found) and resolution is not Resolution.RAW:
        resolution = Resolution.RAW
        raw_start = max(start_ms, end_ms - MAX_SPAN_MS[Resolution.RAW])
        found = store.query(agent, series.measurement, series.field, raw_start, end_ms, resolution)
    return [_drawn(track, series, start_ms, end_ms, resolution, kind) for track in found if track.buckets]


def _drawn(
    track: Track, series: Series, start_ms: int, end_ms: int, resolution: Resolution, kind: str
) -> Drawn:
    dots = dots_of(track)
    gap_ms = gap_after([dot.at_ms for dot in dots], resolution)
    if len(dots) > MAX_DOTS:
        dots = thin(dots, start_ms, end_ms, MAX_DOTS)
        gap_ms = max(gap_ms, 2 * (end_ms - start_ms) // MAX_DOTS)
    return Drawn(track.tags, Line(series.field, kind, dots, gap_ms))


def highest(lines: Sequence[Line]) -> float:
    """The highest value of all lines, 0 for none."""
    return max((dot.high for line in lines for dot in line.dots), default=0.0)
