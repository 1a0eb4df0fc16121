"""Parts ``collector`` and ``influxdb``: a whole collector under load, every projection catching up."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, at_least, at_most, say, scaled
from bench.installation import admin_password, collector_pid, metrics, own_port, register
from bench.processes import cpu_seconds, megabytes
from hatang_agent.wire import topics
from hatang_collector.broker.accounts import Account, Acl, AclType, grant_commands
from hatang_collector.broker.contract import BrokerLogin
from hatang_collector.broker.control import DynamicSecurity
from hatang_collector.broker.embedded import ADMIN
from support.servers import Influx
from support.stack import Stack, broker_pid, environment
from support.wait import until

AGENTS = 2_000
REPORTS = 40_000
LOAD = "bench-load"
PROJECTIONS = ("ledger", "series", "rollup")
CATCH_UP_S = 600.0
_HOW = (
    f"reports of {AGENTS:,} agents over 5 minutes, 40 values each; broker, generator and collector share the "
    "machine; at most 2,000 reports unacknowledged"
)


def embedded() -> list[Figure]:
    """The collector as it comes: series in SQLite."""
    with tempfile.TemporaryDirectory(prefix="hatang-bench-") as name:
        return measure("collector", Stack(Path(name)), 1_000)


def influxdb() -> list[Figure]:
    """The same with the series in InfluxDB 1.6.7."""
    with tempfile.TemporaryDirectory(prefix="hatang-bench-") as name:
        folder = Path(name)
        (folder / "influx").mkdir()
        influx = Influx.make(folder / "influx")
        influx.start()
        try:
            more = {"HATANG_STORE_KIND": "influxdb", "HATANG_STORE_URL": influx.url}
            return measure("influxdb", Stack(folder, **more), 2_000)
        finally:
            influx.stop()


def measure(part: str, stack: Stack, projected: float) -> list[Figure]:
    """Flood a collector, then wait until every projection has reached the end of the journal."""
    reports = int(scaled(REPORTS))
    stack.start()
    try:
        agents = register(stack, AGENTS)
        password = load_account(stack)
        say(f"{part}: sealing {reports:,} reports")
        load = generator(stack, reports, password, agents)
        assert load.stdin is not None
        assert load.stdout is not None
        assert load.stdout.readline() == "ready\n"
        until(lambda: settled(metrics(stack)), 120, "the births are projected", every_s=0.2)
        say(f"{part}: publishing")
        before = metrics(stack)
        cpu = cpu_seconds(collector_pid(stack))
        begun = time.monotonic()
        load.stdin.write("go\n")
        load.stdin.flush()
        told = json.loads(load.stdout.readline())
        left = reports - slowest(metrics(stack), before)
        flood_s = time.monotonic() - begun
        ends = caught_up(stack, before, reports, begun)
        load.wait()
        cpu = cpu_seconds(collector_pid(stack)) - cpu
        after = [
            Figure(
                part,
                "projected: slowest, after the flood",
                (left / (max(ends.values()) - flood_s),) if left else (),
                "reports/s",
                note=f"{left:,.0f} of {reports:,} reports were left for after the flood",
            ),
            Figure(part, "collector CPU", (cpu / reports * 1e6,), "us/report"),
            Figure(part, "bytes of a sealed report", (told["bytes"] / reports,), "bytes"),
        ]
        stages = stage_times(before, metrics(stack), reports)
        return [
            *rates(
                part,
                {name: reports / ends[name] for name in PROJECTIONS},
                reports / told["seconds"],
                projected,
            ),
            *after,
            *memory(part, stack),
            *(Figure(part, f"ingest: {name}", (spent,), "us/report", note=_WALL) for name, spent in stages),
        ]
    finally:
        stack.stop()


def rates(part: str, projections: dict[str, float], acked: float, projected: float) -> list[Figure]:
    """Reports a second from the first one published to the last one acknowledged, and projected."""
    targets = {"series": at_least(projected)}
    return [
        Figure(part, "journaled and acked", (acked,), "reports/s", at_least(3_000), _HOW),
        *(
            Figure(part, f"projected: {name}", (rate,), "reports/s", targets.get(name), _HOW)
            for name, rate in projections.items()
        ),
    ]


def memory(part: str, stack: Stack) -> list[Figure]:
    """Peaks of collector and broker."""
    broker = broker_pid(stack.data)
    assert broker is not None
    return [
        Figure(part, "collector RSS peak", (megabytes(collector_pid(stack), "VmHWM"),), "MB", at_most(512)),
        Figure(part, "broker RSS peak", (megabytes(broker, "VmHWM"),), "MB"),
    ]


_WALL = "wall time of the stage, other threads included"


def load_account(stack: Stack) -> str:
    """A broker account that may publish reports of any agent and read all acks; its password."""
    password = secrets.token_hex(16)
    any_agent = "/".join((topics.ROOT, "+", "+"))
    rights = frozenset(
        {
            Acl(AclType.SEND, f"{any_agent}/report"),
            Acl(AclType.SEND, f"{any_agent}/birth/+"),
            Acl(AclType.SUBSCRIBE_WITHIN, f"{any_agent}/ack"),
        }
    )
    control = DynamicSecurity(BrokerLogin("127.0.0.1", own_port(stack), ADMIN, admin_password(stack)))
    control.start()
    try:
        control.wait()
        problems = control.execute(grant_commands(Account(LOAD, password, LOAD, rights)))
        assert not any(problems), problems
    finally:
        control.stop()
    return password


def generator(stack: Stack, reports: int, password: str, agents: list[str]) -> subprocess.Popen[str]:
    """The load generator, sealing."""
    load = subprocess.Popen(
        [sys.executable, "-m", "bench.load", str(own_port(stack)), LOAD, str(reports)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert load.stdin is not None
    load.stdin.write(" ".join((password, *agents)) + "\n")
    load.stdin.flush()
    return load


def applied(found: dict[str, float], name: str) -> float:
    """Entries that a projection has applied since the collector's start."""
    return found.get(f'hatang_projected_total{{projection="{name}"}}', 0.0)


def slowest(found: dict[str, float], before: dict[str, float]) -> float:
    """Entries applied by the projection that is furthest behind."""
    return min(applied(found, name) - applied(before, name) for name in PROJECTIONS)


def settled(found: dict[str, float]) -> bool:
    """Whether every agent's birth was journaled and every projection is at the end of the journal."""
    births = found.get('hatang_messages_total{kind="birth"}', 0.0)
    journaled = found.get("hatang_journaled_total", 0.0)
    return births >= AGENTS and all(applied(found, name) >= journaled for name in PROJECTIONS)


def caught_up(stack: Stack, before: dict[str, float], reports: int, begun: float) -> dict[str, float]:
    """Seconds until each projection had applied all reports."""
    ends: dict[str, float] = {}
    said = 0.0

    def look() -> bool:
        nonlocal said
        found = metrics(stack)
        done = {name: applied(found, name) - applied(before, name) for name in PROJECTIONS}
        now = time.monotonic() - begun
        for name, count in done.items():
            if count >= reports:
                ends.setdefault(name, now)
        if now - said > 15:
            said = now
            told = ", ".join(f"{name} {count:,.0f}" for name, count in done.items())
            say(f"  after {now:.0f} s: acked {found['hatang_acked_total']:,.0f}, {told}")
        return len(ends) == len(PROJECTIONS)

    until(look, CATCH_UP_S, "every projection at the end of the journal", every_s=0.5)
    return ends


def stage_times(before: dict[str, float], after: dict[str, float], reports: int) -> list[tuple[str, float]]:
    """Microseconds a report by stage of ingest."""
    name = "hatang_ingest_stage_seconds_sum"
    return [
        (stage, (after[key] - before[key]) / reports * 1e6)
        for stage in ("decode", "journal", "deadletters", "ack", "live", "puback")
        if (key := f'{name}{{stage="{stage}"}}') in after
    ]
