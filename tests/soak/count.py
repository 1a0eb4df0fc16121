"""What the witnesses wrote down against what arrived: journal, ledger, series and rollups."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hatang_collector.app import Data, open_data
from hatang_collector.ingest.decode import decode_report
from hatang_collector.journal.projection import Advance
from hatang_collector.ledger import findings, runs
from hatang_collector.metrics import Metrics
from hatang_collector.store.contract import Resolution
from hatang_collector.store.rollup import RollupPusher
from soak.agent import SHARE
from support.stack import environment_set

NUMBER = "witness.number"


@dataclass(frozen=True, slots=True)
class Witnessed:
    """Numbers one agent wrote down.

    ``sure`` were handed to the outbox, for the probe was asked again afterwards. ``unsure`` were the
    last before a kill, which may have come between the witness and the outbox.
    """

    sure: frozenset[int]
    unsure: frozenset[int]


def read_witness(path: Path) -> Witnessed:
    """The numbers in a witness file, by process start."""
    starts: list[list[int]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line == "start":
            starts.append([])
        else:
            starts[-1].append(int(line))
    sure = frozenset(number for numbers in starts for number in numbers[:-1])
    unsure = frozenset(numbers[-1] for numbers in starts if numbers)
    return Witnessed(sure, unsure)


@dataclass
class Count:
    """The result. ``lost`` and ``duplicate`` must be 0; ``problems`` says what else is wrong."""

    witnessed: int = 0
    unsure: int = 0
    arrived: int = 0
    dropped_and_told: int = 0
    lost: int = 0
    duplicate: int = 0
    journaled_twice: int = 0
    findings: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, object]:
        """As values for JSON."""
        return asdict(self)


def count(data_dir: Path, settings: Mapping[str, str], witnesses: Mapping[str, Path]) -> Count:
    """Compare everything, with the collector stopped and its series store running."""
    with environment_set(settings), open_data(argparse.Namespace(data=data_dir, config=None)) as data:
        _to_the_end(data)
        result = Count()
        journaled = _journal(data, result)
        for agent, path in witnesses.items():
            _compare(agent, read_witness(path), journaled.get(agent, {}), data, result)
        _compare_totals(data, journaled, result)
        with data.ledger.read() as c:
            result.findings = dict(Counter(found.kind for found in findings.every(c, open_only=False)))
        return result


def _to_the_end(data: Data) -> None:
    for projection in data.projections:
        advance = Advance(data.journal, projection, data.deadletters, Metrics(), lambda: 0)
        for stream in data.journal.streams:
            while advance.step(stream):
                pass
    RollupPusher(data.book, data.store).push()


def _journal(data: Data, result: Count) -> dict[str, dict[str, int]]:
    """Agent -> run id -> number, of every witnessed run in the journal."""
    found: dict[str, dict[str, int]] = {}
    for stream in data.journal.streams.values():
        at = stream.first
        while entries := stream.read(at, 1000):
            at = entries[-1].index + 1
            for entry in entries:
                if entry.kind != "report":
                    continue
                for run in decode_report(entry.payload).runs:
                    for sample in run.samples:
                        if sample.name != NUMBER:
                            continue
                        runs_of_agent = found.setdefault(entry.agent, {})
                        result.journaled_twice += run.id in runs_of_agent
                        if runs_of_agent.setdefault(run.id, int(sample.value)) != int(sample.value):
                            result.problems.append(f"{entry.agent}: run {run.id} has two values")
    return found


def _compare(
    agent: str, witnessed: Witnessed, journaled: Mapping[str, int], data: Data, result: Count
) -> None:
    arrived = set(journaled.values())
    with data.ledger.read() as c:
        told = sum(gap.runs for gap in runs.gaps(c, agent) if gap.probe == "witness")
        counted = sum(ranges.count() for ranges in runs.of(c, agent).values())
    missing = witnessed.sure - arrived
    foreign = arrived - witnessed.sure - witnessed.unsure
    result.witnessed += len(witnessed.sure)
    result.unsure += len(witnessed.unsure)
    result.arrived += len(arrived)
    result.dropped_and_told += told
    result.lost += max(0, len(missing) - told)
    result.duplicate += len(journaled) - len(arrived)
    if told > len(missing) + len(witnessed.unsure - arrived):
        result.problems.append(f"{agent}: {told} runs told as dropped, {len(missing)} are missing")
    if foreign:
        result.problems.append(f"{agent}: {len(foreign)} numbers arrived that nobody took")
    if counted < len(journaled):
        result.problems.append(f"{agent}: receipts count {counted} runs, the journal has {len(journaled)}")
    raw = [
        int(bucket.sum)
        for track in data.store.query(agent, "witness", "number", 0, 1 << 42, Resolution.RAW)
        for bucket in track.buckets
    ]
    result.lost += len(arrived - set(raw))
    result.duplicate += len(raw) - len(set(raw))


def _compare_totals(data: Data, journaled: Mapping[str, Mapping[str, int]], result: Count) -> None:
    numbers = [number for of_agent in journaled.values() for number in of_agent.values()]
    expected = (len(numbers), float(sum(numbers)))
    for name, totals in (
        ("raw series", data.store.totals()),
        ("five-minute rollups", data.book.totals(Resolution.M5)),
        ("hourly rollups", data.book.totals(Resolution.H1)),
    ):
        found = totals.get(NUMBER, (0, 0.0))
        if found[0] > expected[0]:
            result.duplicate += found[0] - expected[0]
        if found[0] < expected[0]:
            result.lost += expected[0] - found[0]
        if found != expected:
            result.problems.append(f"{name}: {found}, the journal has {expected}")


def agent_index(number: int) -> int:
    """Which agent took a number."""
    return number // SHARE
