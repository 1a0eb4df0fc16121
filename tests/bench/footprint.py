"""Part ``agent``: what a real agent at default intervals costs its PC in memory, CPU and bytes."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, at_most, say, scaled
from bench.installation import metrics
from bench.processes import MemoryWatch, Traffic, cpu_seconds, megabytes, traffic
from support.stack import Program, Stack
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
WITHOUT_INVENTORY = """[schedule]
sample_s = 3
[reporting]
report_s = 3
[probes.hardware]
enabled = false
[probes.system]
enabled = false
"""
WITH_INVENTORY = WITHOUT_INVENTORY.replace(
    "[probes.hardware]\nenabled = false", "[probes.hardware]\ninterval_s = 3"
)


def measure() -> list[Figure]:
    """All figures of the part, from one collector and several agents one after the other."""
    with tempfile.TemporaryDirectory(prefix="hatang-bench-") as name:
        stack = Stack(Path(name))
        stack.start()
        try:
            token = stack.token(uses=10)
            figures = starts(stack, token)
            beat, inventory, found = small_messages(stack, token)
            return [*figures, *found, *default_day(stack, token, beat, inventory)]
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


def small_messages(stack: Stack, token: str) -> tuple[float, float, list[Figure]]:
    """Bytes of a heartbeat and of an unchanged inventory, from agents in a hurry; the same as figures."""
    length = scaled(60)
    say(f"three agents in a hurry for {length:.0f} s: heartbeats, reports with and without inventory")
    configs = {"beats": BEATS_ONLY, "without": WITHOUT_INVENTORY, "with": WITH_INVENTORY}
    agents = {name: stack.agent(enrolled(stack, token, name), config) for name, config in configs.items()}
    pause(12, "so that the first full inventory is through")
    before = {name: (_traffic(stack, agent), _reports(stack, name)) for name, agent in agents.items()}
    pause(length, "a steady time")
    spent: dict[str, float] = {}
    for name, agent in agents.items():
        change = _traffic(stack, agent).since(before[name][0])
        count = length if name == "beats" else _reports(stack, name) - before[name][1]
        spent[name] = change.ip_bytes / count
    for agent in agents.values():
        agent.stop()
    inventory = spent["with"] - spent["without"]
    return (
        spent["beats"],
        inventory,
        [
            Figure(PART, "one heartbeat on the wire", (spent["beats"],), "bytes", note=_WIRE),
            Figure(PART, "unchanged inventory adds to a report", (inventory,), "bytes", at_most(200), _WIRE),
        ],
    )


def _traffic(stack: Stack, agent: Program) -> Traffic:
    assert agent.process is not None
    found = traffic(agent.process.pid, stack.broker_port)
    assert found is not None, f"the agent is not connected, see {agent.log}"
    return found


def _reports(stack: Stack, name: str) -> int:
    return stack.receipts(stack.credential(stack.folder / name).agent).reports


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
