"""Part ``agent``: what a real agent at default intervals costs its PC in memory, CPU and bytes."""

from __future__ import annotations

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench.figures import Figure, at_most, say, scaled
from bench.installation import metrics
from bench.processes import MemoryWatch, Traffic, cpu_seconds, megabytes, traffic
from hatang_agent import __version__, config, registry
from hatang_agent.identity import RunIds, new_epoch
from hatang_agent.runner import Runner, clock
from hatang_agent.system import LocalSystem
from hatang_agent.wire import codec
from hatang_agent.wire.report import SCHEMA, Report, Run
from support.stack import Program, Stack, environment_set
from support.wait import pause, until

PART = "agent"
STARTS = 5
SETTLED_S = 30.0
REPORT_S = 300.0
REPORTS_A_DAY = 86_400 / REPORT_S
BEATS_A_DAY = 86_400 / 600
INVENTORIES_A_DAY = 24 + 1
"""The probe ``system`` each hour and ``hardware`` once a day."""

BEATS_ONLY = "[schedule]\nsample_s = 3600\n[reporting]\nreport_s = 3600\nbeat_s = 1\n"


def measure() -> list[Figure]:
    """All figures of the part, from one collector and several agents one after the other."""
    # As installed: compiled modules are kept. Compiling at every start costs the process 2 MB for good.
    kept = environment_set({"PYTHONDONTWRITEBYTECODE": ""})
    with kept, tempfile.TemporaryDirectory(prefix="hatang-bench-") as name:
        stack = Stack(Path(name))
        stack.start()
        try:
            token = stack.token(uses=10)
            figures = starts(stack, token)
            beat, inventory = heartbeat(stack, token), unchanged_inventory()
            day = default_day(stack, token, beat.values[0], statistics.median(inventory.values))
            return [*figures, beat, inventory, *day]
        finally:
            stack.stop()


def enrolled(stack: Stack, token: str, name: str) -> Path:
    """A state folder with an identity from the real enrolment."""
    state = stack.folder / name
    state.mkdir()
    stack.enrol(state, token, name)
    return state


def starts(stack: Stack, token: str) -> list[Figure]:
    """Process start until the birth is with the collector, and until the first report is acknowledged."""
    say(f"{STARTS} starts of an agent")
    state = enrolled(stack, token, "starts")
    births, acks = [], []
    for _ in range(STARTS):
        before = metrics(stack)
        begun = time.perf_counter()
        agent = stack.agent(state)
        births.append(_when_risen(stack, before, 'hatang_messages_total{kind="birth"}') - begun)
        acks.append(_when_risen(stack, before, "hatang_acked_total") - begun)
        agent.stop()
    return [
        Figure(PART, "start until its birth is journaled", tuple(births), "s", at_most(3)),
        Figure(PART, "start until its first report is acked", tuple(acks), "s", at_most(3)),
    ]


def _when_risen(stack: Stack, before: dict[str, float], name: str) -> float:
    until(lambda: metrics(stack).get(name, 0.0) > before.get(name, 0.0), 30, name, every_s=0.01)
    return time.perf_counter()


def heartbeat(stack: Stack, token: str) -> Figure:
    """Bytes of a heartbeat, from an agent that sends hardly anything else."""
    length = scaled(30)
    say(f"an agent that only beats, for {length:.0f} s")
    agent = stack.agent(enrolled(stack, token, "beats"), BEATS_ONLY)
    pause(12, "so that its first reports are through")
    before = _traffic(stack, agent)
    pause(length, "a steady time")
    spent = _traffic(stack, agent).since(before).ip_bytes / length
    agent.stop()
    return Figure(PART, "one heartbeat on the wire", (spent,), "bytes", note=_WIRE)


def unchanged_inventory() -> Figure:
    """What a run of ``hardware`` without news adds to the sealed report of five minutes."""
    system = LocalSystem()
    epoch = new_epoch(system)
    runner, probes = Runner(system, RunIds(epoch)), registry.probes()

    def run(name: str) -> Run:
        plan = config.plan(config.AgentConfig(), probes[name], config.ROLE_PC)
        return runner.execute(probes[name], plan.config)

    sizes = []
    for _ in range(5):
        sampled = [run(name) for _ in range(5) for name in ("usage", "interfaces")]
        inventory = replace(run("hardware"), facts=(), unchanged=True)
        now = clock(system)
        report = Report(SCHEMA, "a" * 16, epoch, 1, None, now, "pc", __version__, (*sampled, run("agent")))
        more = replace(report, runs=(*report.runs, inventory))
        sizes.append(float(len(codec.encode(more)) - len(codec.encode(report))))
    note = "difference of the sealed bytes of the same report with and without it; TLS adds none"
    return Figure(PART, "unchanged inventory adds to a report", tuple(sizes), "bytes", at_most(200), note)


def _traffic(stack: Stack, agent: Program) -> Traffic:
    assert agent.process is not None
    found = traffic(agent.process.pid, stack.broker_port)
    assert found is not None, f"the agent is not connected, see {agent.log}"
    return found


def default_day(stack: Stack, token: str, beat: float, inventory: float) -> list[Figure]:
    """Memory, CPU and bytes of an agent without any settings, over a whole interval of reporting."""
    length = max(scaled(SETTLED_S + REPORT_S), SETTLED_S + 10)
    say(f"one agent at default intervals for {length:.0f} s")
    agent = stack.agent(enrolled(stack, token, "default"))
    assert agent.process is not None
    pid = agent.process.pid
    with MemoryWatch(pid) as memory:
        pause(SETTLED_S, "the start is not the steady state")
        cpu, at, wire = cpu_seconds(pid), time.monotonic(), _traffic(stack, agent)
        pause(length - SETTLED_S, "the steady state")
        busy = (cpu_seconds(pid) - cpu) / (time.monotonic() - at) * 3600
        steady = _traffic(stack, agent).since(wire)
        peak = max(*memory.rss, megabytes(pid, "VmHWM"))
    agent.stop()
    start = f"the first {SETTLED_S:.0f} s after the start"
    figures = [
        Figure(PART, "RSS mean", (statistics.mean(memory.rss),), "MB", at_most(32)),
        Figure(PART, "RSS peak", (peak,), "MB", at_most(32)),
        Figure(PART, "RssAnon mean", (statistics.mean(memory.anonymous),), "MB", at_most(18)),
        Figure(PART, "RssAnon peak", (max(memory.anonymous),), "MB", at_most(18)),
        Figure(PART, f"CPU of {start}", (cpu,), "s"),
        Figure(
            PART,
            "CPU in steady state",
            (busy,),
            "s/h",
            at_most(1.5),
            f"user and system time of {length - SETTLED_S:.0f} s, in ticks of 10 ms, extrapolated to an hour",
        ),
    ]
    if length < SETTLED_S + REPORT_S:
        why = f"needs a whole interval: BENCH_SECONDS of at least {SETTLED_S + REPORT_S:.0f}"
        return [*figures, Figure(PART, "on the wire a day", (), "MB", at_most(0.7), why)]
    day = wire.ip_bytes + REPORTS_A_DAY * steady.ip_bytes + BEATS_A_DAY * beat + INVENTORIES_A_DAY * inventory
    return [
        *figures,
        Figure(PART, f"on the wire in {start}", (wire.ip_bytes,), "bytes", note=_WIRE),
        Figure(PART, "on the wire in a report interval", (steady.ip_bytes,), "bytes", note=_WIRE),
        Figure(PART, "TLS bytes of that", (steady.sent + steady.received,), "bytes", note=_WIRE),
        Figure(
            PART,
            "on the wire a day",
            (day / 1e6,),
            "MB",
            at_most(0.7),
            f"extrapolated: one start, {REPORTS_A_DAY:.0f} report intervals, {BEATS_A_DAY:.0f} heartbeats, "
            f"{INVENTORIES_A_DAY} unchanged inventories",
        ),
    ]


_WIRE = (
    "both ways, as counted by the kernel for the TLS connection (ss -i), with 52 bytes of IP and TCP "
    "header for each segment of at most 1,448 bytes"
)
