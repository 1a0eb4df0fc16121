"""Reports a second into the series stores, by stage: ``python tests/bench/bench_store.py [--reports N]``.

Reports of 2,000 distinct agents, 24 values in 6 points a run, go through the same functions as in the
collector. Stage times are of one thread; the server has the other core.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "agent"), str(ROOT / "collector"), str(ROOT / "tests")]

from hatang_agent.wire import codec  # noqa: E402
from hatang_agent.wire.report import SCHEMA, Clock, Report, Run, Sample, Status  # noqa: E402
from hatang_collector.clock import now_ms  # noqa: E402
from hatang_collector.ingest.decode import decode_report  # noqa: E402
from hatang_collector.journal.segments import Entry  # noqa: E402
from hatang_collector.store import lines  # noqa: E402
from hatang_collector.store.book import RollupBook  # noqa: E402
from hatang_collector.store.check import sift  # noqa: E402
from hatang_collector.store.contract import Retention, SeriesStore  # noqa: E402
from hatang_collector.store.dialects import InfluxSettings  # noqa: E402
from hatang_collector.store.embedded import EmbeddedStore  # noqa: E402
from hatang_collector.store.influx import InfluxStore  # noqa: E402
from hatang_collector.store.points import report_points  # noqa: E402
from hatang_collector.store.projection import SeriesProjection  # noqa: E402
from hatang_collector.store.rollup import RollupProjection, RollupPusher  # noqa: E402
from support.servers import Influx, program  # noqa: E402

AGENTS = 2_000
BATCH = 500
"""Entries a projection worker takes at a time."""

RETENTION = Retention(raw_days=30, m5_days=400, h1_days=1100)
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


def agent_name(number: int) -> str:
    """A valid agent id."""
    letters = [BASE32[number >> shift & 31] for shift in range(0, 80, 5)]
    return "".join(letters)


def entries(count: int, runs: int) -> list[Entry]:
    """Journal entries of sealed reports of distinct agents: what five minutes of an office bring."""
    start = now_ms() - 3_600_000
    found = []
    for index in range(count):
        agent = agent_name(index % AGENTS)
        turn = index // AGENTS
        taken = [
            Run(
                f"{index % AGENTS:016x}-{turn * runs + number + 1}",
                "usage",
                Clock(at := start + (turn * runs + number) * 60_000 + index % 997, at, "boot"),
                12,
                Status.OK,
                samples(index + number),
            )
            for number in range(runs)
        ]
        report = Report(
            SCHEMA,
            agent,
            f"{index % AGENTS:016x}",
            turn + 1,
            None,
            taken[-1].clock,
            "pc",
            "0.1.0",
            tuple(taken),
        )
        header = {"epoch": report.epoch, "seq": report.seq, "digest": "", "clocks": {"boot": 0}}
        found.append(Entry(index, "report", agent, now_ms(), header, codec.encode(report)))
    return found


def samples(seed: int) -> tuple[Sample, ...]:
    """One minute of an office PC with two disks and one interface."""
    plain = ("cpu_percent", "load1", "memory_percent", "memory_used", "memory_total", "swap_percent")
    found = [Sample(f"usage.{name}", seed % 97 + at / 8, "%") for at, name in enumerate(plain)]
    for mount in ("/", "/var"):
        for at, name in enumerate(("disk_percent", "disk_used", "disk_total")):
            found.append(Sample(f"usage.{name}", float(seed % 89 + at), "B", {"mount": mount}))
    counters = ("up", "rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped")
    for name in (*counters, "rx_bps", "tx_bps"):
        found.append(Sample(f"interfaces.{name}", seed * 1_000.0, "B", {"interface": "enp3s0"}))
    found += [Sample("system.uptime_s", seed * 60.0, "s"), Sample("agent.waiting_runs", 0.0, "")]
    found.append(Sample("agent.outbox_bytes", 4096.0, "B"))
    return tuple(found)


VALUES = len(samples(0))


def seconds(work: Callable[[], object]) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def batched(all_entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """What a worker reads at a time."""
    for first in range(0, len(all_entries), BATCH):
        yield all_entries[first : first + BATCH]


def show(name: str, reports: int, values: int, taken: float) -> None:
    """One line of the result."""
    rates = f"{reports / taken:9,.0f} reports/s {values / taken:11,.0f} values/s"
    sys.stdout.write(f"{name:40} {rates} {taken * 1e6 / reports:8.0f} us/report\n")


def stages(all_entries: Sequence[Entry], values: int) -> None:
    """The pure stages, one after the other, on the same batches."""
    count = len(all_entries)
    parts = list(batched(all_entries))
    decoded = [[decode_report(entry.payload) for entry in part] for part in parts]
    show(
        "decode", count, values, seconds(lambda: [[decode_report(e.payload) for e in part] for part in parts])
    )
    clocks = {"boot": 0}
    taken = seconds(lambda: [[list(report_points(report, clocks)) for report in part] for part in decoded])
    show("points", count, values, taken)
    points = [
        [point for report in part for run in report_points(report, clocks) for point in run.points]
        for part in decoded
    ]
    show("check", count, values, seconds(lambda: [sift(part, 0) for part in points]))
    show("lines", count, values, seconds(lambda: [lines.text(part).encode() for part in points]))


def measure(
    name: str, folder: Path, store: SeriesStore, book: RollupBook, all_entries: Sequence[Entry]
) -> None:
    """Each projection alone on one half of the reports, both in turns (as in the collector) on the other."""
    half = len(all_entries) // 2
    first, second = all_entries[:half], all_entries[half:]
    runs = sum(len(decode_report(entry.payload).runs) for entry in first[:1])
    values = half * runs * VALUES
    series = SeriesProjection(store, folder / f"{name.split()[0]}-cursor.sqlite")
    server = store if isinstance(store, InfluxStore) else None
    rollup = RollupProjection(book, server, now_ms)
    show(f"{name}: series alone", half, values, seconds(lambda: apply([series], first)))
    show(f"{name}: rollups alone", half, values, seconds(lambda: apply([rollup], first)))
    show(f"{name}: series and rollups", half, values, seconds(lambda: apply([series, rollup], second)))
    if server is not None:
        show(f"{name}: rollups pushed", 2 * half, 2 * values, seconds(RollupPusher(book, server).push))
    series.close()


def apply(projections: Sequence[SeriesProjection | RollupProjection], given: Sequence[Entry]) -> None:
    """All entries, as the workers give them, batch by batch in turns."""
    for part in batched(given):
        for projection in projections:
            projection.apply("pc", part, part[-1].index + 1)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=1, help=f"runs in a report, {VALUES} values each")
    options = parser.parse_args()
    gc.set_threshold(50_000, 20, 50)  # as the collector does
    all_entries = entries(options.reports, options.runs)
    size = sum(len(entry.payload) for entry in all_entries) // len(all_entries)
    sys.stdout.write(
        f"{options.reports} reports of {AGENTS} agents, {size} bytes on the wire, "
        f"{options.runs * VALUES} values each; targets: embedded 1,000, influxdb 2,000 reports/s\n"
    )
    stages(all_entries, options.reports * options.runs * VALUES)
    with tempfile.TemporaryDirectory(prefix="hatang-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        book = RollupBook(folder / "rollup-embedded.sqlite", RETENTION)
        stack.callback(book.close)
        embedded = EmbeddedStore(folder / "series.sqlite", book, RETENTION, now_ms)
        stack.callback(embedded.close)
        measure("embedded", folder, embedded, book, all_entries)
        if program("influxdb") is None:
            sys.stdout.write("influxdb is not installed: not measured\n")
            return 0
        (folder / "influx").mkdir()
        server = Influx.make(folder / "influx")
        server.start()
        stack.callback(server.stop)
        other = RollupBook(folder / "rollup-influx.sqlite", RETENTION)
        stack.callback(other.close)
        influx = InfluxStore(InfluxSettings(server.url), RETENTION, now_ms)
        stack.callback(influx.close)
        measure("influxdb 1.6.7", folder, influx, other, all_entries)
    return 0


if __name__ == "__main__":
    sys.exit(main())
