"""Five-minute and hourly buckets from points; pure. Buckets are aligned to UTC."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hatang_collector.store.contract import STEP_MS, Point, Resolution

COUNTERS_WITH_A_RATE = frozenset({"rx_bytes", "tx_bytes"})
ROLLUPS = (Resolution.M5, Resolution.H1)


@dataclass(slots=True)
class Sums:
    """What is known of the values of one bucket."""

    count: int
    sum: float
    min: float
    max: float


def start_of(at_ms: int, resolution: Resolution) -> int:
    """Start of the bucket a time belongs to."""
    return at_ms - at_ms % STEP_MS[resolution]


def rolled_up(field: str) -> bool:
    """Whether a field has buckets at all.

    The byte counters have none: the mean of a counter means nothing, and its rate is a field of its
    own. Counters of errors and drops have: they have no rate, and max - min of a bucket is what it saw.
    """
    return field not in COUNTERS_WITH_A_RATE


def gather(
    numbered: Iterable[tuple[Point, tuple[int, ...]]],
) -> dict[Resolution, dict[tuple[int, int], Sums]]:
    """(bucket start, series) -> sums, for each rollup resolution.

    Args:
        numbered: points of runs not counted before, with the series number of each field; 0 leaves a
            field out.
    """
    fine: dict[tuple[int, int], Sums] = {}
    step = STEP_MS[Resolution.M5]
    for point, numbers in numbered:
        start = point.at_ms - point.at_ms % step
        for number, (_, value) in zip(numbers, point.fields, strict=True):
            if number:
                _add(fine, (start, number), 1, value, value, value)
    coarse: dict[tuple[int, int], Sums] = {}
    for (start, number), sums in fine.items():
        hour = start_of(start, Resolution.H1)
        _add(coarse, (hour, number), sums.count, sums.sum, sums.min, sums.max)
    return {Resolution.M5: fine, Resolution.H1: coarse}


def _add(
    buckets: dict[tuple[int, int], Sums],
    key: tuple[int, int],
    count: int,
    total: float,
    low: float,
    high: float,
) -> None:
    known = buckets.get(key)
    if known is None:
        buckets[key] = Sums(count, total, low, high)
        return
    known.count += count
    known.sum += total
    known.min = min(known.min, low)
    known.max = max(known.max, high)
