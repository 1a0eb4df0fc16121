"""Points from reports. The same journal entry always gives the same points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from hatang_agent.wire.report import Report, Run
from hatang_collector.domain.timeline import run_utc_ms
from hatang_collector.ingest.decode import read_report
from hatang_collector.journal.segments import Entry
from hatang_collector.store.contract import Point, Tags


@dataclass(frozen=True, slots=True)
class RunPoints:
    """The points of one run: process start that took it, its number there, whether its time is certain."""

    epoch: str
    number: int
    certain: bool
    points: tuple[Point, ...]


def report_points(report: Report, clocks: Mapping[str, int]) -> Iterator[RunPoints]:
    """The runs of a report that measured something, with their points.

    ``clocks`` are the offsets that were in force when the report arrived, from its journal entry.
    """
    for run in report.runs:
        if run.samples:
            epoch, number = run_number(run.id)
            at_ms, certain = run_utc_ms(run, clocks)
            yield RunPoints(epoch, number, certain, run_points(report.agent, run, at_ms))


class RecentPoints:
    """The points of the reports read last, for the projections that want the same ones after each other.

    Safe without a lock: what is missed is computed again.
    """

    def __init__(self, most: int = 2_000) -> None:
        self._most = most
        self._young: dict[tuple[object, ...], list[RunPoints]] = {}
        self._old: dict[tuple[object, ...], list[RunPoints]] = {}

    def of(self, entry: Entry) -> list[RunPoints]:
        """The runs of a ``report`` entry with their points. Raises WireError."""
        clocks: Mapping[str, int] = entry.header.get("clocks") or {}
        key = (entry.payload, *clocks.items())
        points = self._young.get(key) or self._old.get(key)
        if points is None:
            points = list(report_points(read_report(entry.payload), clocks))
            if len(self._young) >= self._most:
                self._old, self._young = self._young, {}
            self._young[key] = points
        return points


def run_number(run_id: str) -> tuple[str, int]:
    """``<epoch>-<n>`` as (epoch, n)."""
    epoch, _, number = run_id.partition("-")
    return epoch, int(number)


def run_points(agent: str, run: Run, at_ms: int) -> tuple[Point, ...]:
    """One point for each measurement and tag set of a run; of a name given twice the last value counts."""
    groups: dict[tuple[str, Tags], dict[str, float]] = {}
    for sample in run.samples:
        measurement, field = _split(sample.name)
        tags = tuple(sorted(sample.tags.items())) if sample.tags else ()
        group = groups.get((measurement, tags))
        if group is None:
            groups[measurement, tags] = {field: sample.value}
        else:
            group[field] = sample.value
    return tuple(
        [
            Point(measurement, agent, tags, at_ms, tuple(fields.items()))
            for (measurement, tags), fields in groups.items()
        ]
    )


recent = RecentPoints()


@lru_cache(maxsize=4_096)
def _split(name: str) -> tuple[str, str]:
    measurement, _, field = name.partition(".")
    return measurement, field
