"""Parts ``return`` and ``return-broker``: a collector comes back to a fleet that waited for it."""

from __future__ import annotations

import itertools
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from bench.figures import Figure, at_most, say, scaled
from bench.installation import enrol_in_bulk
from bench.outside import OutsideBroker
from bench.processes import megabytes
from hatang_agent import config, registry
from hatang_agent import outbox_rows as rows
from hatang_agent.identity import RunIds
from hatang_agent.outbox import FILE_NAME
from hatang_agent.outbox_reading import look_into
from hatang_agent.outbox_storage import LocalDisk, open_outbox
from hatang_agent.runner import Runner, clock
from hatang_agent.system import LocalSystem
from hatang_agent.wire import codec
from support.stack import Stack, broker_pid, now_ms
from support.wait import pause, until

REPORT_S = 60
CONFIG = f'[reporting]\nreport_s = {REPORT_S}\n[agent]\nlog_level = "warning"\n'
HOUR_S = 3600
FRESH_S = 240.0
EMPTY_S = 240.0
_HOW = (
    f"agents report each {REPORT_S} s, so that all have a report due; an hour of runs was put into each "
    "outbox while the collector was away for {away:.0f} s; counted from the start of the collector's process"
)


def size() -> int:
    """How many agents: BENCH_AGENTS, 200 by default."""
    return int(os.environ.get("BENCH_AGENTS", "200"))


def with_its_broker() -> list[Figure]:
    """The embedded broker dies with the collector and comes back with it."""
    with tempfile.TemporaryDirectory(prefix="hatang-bench-") as name:
        stack = Stack(Path(name))
        return measure("return", stack, lambda: broker_pid(stack.data))


def broker_stays() -> list[Figure]:
    """The broker is somebody else's and stays: agents are connected and nobody listens."""
    with tempfile.TemporaryDirectory(prefix="hatang-bench-") as name, ExitStack() as closing_stack:
        folder = Path(name)
        broker = OutsideBroker(folder / "broker")
        closing_stack.callback(broker.stop)
        broker.start()
        return measure("return-broker", Stack(folder, **broker.settings), lambda: broker.pid)


def measure(part: str, stack: Stack, broker: Callable[[], int | None]) -> list[Figure]:
    """All agents at once; then the collector away; then its return."""
    stack.start()
    try:
        folders = enrolled(stack, size())
        say(f"{part}: {len(folders)} agents start at once")
        begun_ms = now_ms()
        for folder in folders:
            stack.agent(folder, CONFIG)
        started_s = fresh(stack, len(folders), begun_ms)
        say(f"{part}: all fresh after {started_s:.1f} s; the collector is killed")
        away_s = max(scaled(75), REPORT_S + 10)
        stack.collector.kill()
        away_from = time.monotonic()
        fill(folders)
        pause(away_s - (time.monotonic() - away_from), "the collector is away")
        say(f"{part}: the collector returns")
        returned_ms = now_ms()
        stack.collector.start()
        fresh_s = fresh(stack, len(folders), returned_ms)
        say(f"{part}: all fresh after {fresh_s:.1f} s")
        until(lambda: empty(folders), EMPTY_S, "every outbox is empty", every_s=1.0)
        empty_s = (now_ms() - returned_ms) / 1000
        pid = broker()
        assert pid is not None
        count, how = len(folders), _HOW.format(away=away_s)
        return [
            Figure(part, f"{count} agents started at once: all fresh", (started_s,), "s"),
            Figure(part, f"{count} agents after the return: all fresh", (fresh_s,), "s", at_most(60), how),
            Figure(part, f"{count} agents after the return: outboxes empty", (empty_s,), "s", note=how),
            Figure(part, "broker RSS peak", (megabytes(pid, "VmHWM"),), "MB", at_most(100)),
            Figure(part, "collector RSS peak", (_collector_peak(stack),), "MB", at_most(512)),
        ]
    finally:
        stack.stop()


def _collector_peak(stack: Stack) -> float:
    assert stack.collector.process is not None
    return megabytes(stack.collector.process.pid, "VmHWM")


def enrolled(stack: Stack, count: int) -> list[Path]:
    """State folders: the first from a real enrolment, the others put into the ledger like it."""
    first = stack.folder / "agent-000"
    stack.enrol(first, stack.token(), "Máy 0")
    others = [stack.folder / f"agent-{number:03}" for number in range(1, count)]
    stack.collector.stop()
    enrol_in_bulk(stack, others, stack.credential(first))
    stack.start()
    return [first, *others]


def fresh(stack: Stack, count: int, since_ms: int) -> float:
    """Seconds from ``since_ms`` until every machine is up on the API with a report newer than it."""

    def look() -> bool:
        try:
            found = stack.api("/api/v1/machines?per_page=500")["machines"]
        except OSError:  # not there yet
            return False
        new = [one for one in found if one["state"] == "up" and (one["last_report_ms"] or 0) >= since_ms]
        return len(new) >= count

    until(look, FRESH_S, f"all {count} agents fresh", every_s=0.25)
    return (now_ms() - since_ms) / 1000


def fill(folders: Sequence[Path]) -> None:
    """Put an hour of runs of the sampling probes into each outbox, beside its running agent."""
    system = LocalSystem()
    runner = Runner(system, RunIds(secrets.token_hex(8)))
    probes = registry.probes()
    plans = {
        name: config.plan(config.AgentConfig(), probes[name], config.ROLE_PC)
        for name in ("usage", "interfaces", "agent")
    }
    taken = {name: runner.execute(probes[name], plan.config) for name, plan in plans.items()}
    now = clock(system)
    for folder in folders:
        numbers, epoch = itertools.count(1), secrets.token_hex(8)
        with closing(open_outbox(LocalDisk(), folder / FILE_NAME)) as database:
            database.execute("BEGIN IMMEDIATE")
            for ago_s in range(HOUR_S, 0, -60):
                for name, run in taken.items():
                    if ago_s % plans[name].interval_s == 0:
                        at = replace(
                            now,
                            wall_ms=now.wall_ms - ago_s * 1000,
                            boot_ms=max(0, now.boot_ms - ago_s * 1000),
                        )
                        aged = replace(run, id=f"{epoch}-{next(numbers)}", clock=at)
                        rows.add_run(database, aged, codec.canonical(codec.plain(aged)))
            database.execute("COMMIT")


def empty(folders: Sequence[Path]) -> bool:
    """Whether nothing older than the last interval waits in any outbox."""
    oldest_ms = now_ms() - (REPORT_S + 30) * 1000
    for folder in folders:
        found = look_into(folder)
        if found is None or (found.oldest_ms is not None and found.oldest_ms < oldest_ms):
            return False
    return True
