"""Runs, clocks and outboxes for the tests of the agent's sending side."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hatang_agent.outbox import Limits, Order, Origin, Outbox
from hatang_agent.outbox_storage import Disk
from hatang_agent.runner import facts_digest
from hatang_agent.wire import codec
from hatang_agent.wire.report import Clock, Fact, Report, Run, Sample, Status

AGENT = "abcdefgh234567ab"
BOOT = "boot-one"
START_MS = 1_800_000_000_000


@dataclass
class Time:
    """A wall clock and a boot clock that move only when told."""

    boot_ms: int = 60_000
    boot_id: str = BOOT

    def wall_ms(self) -> int:
        return START_MS + self.boot_ms

    def clock(self) -> Clock:
        return Clock(self.wall_ms(), self.boot_ms, self.boot_id)


@dataclass
class Bench:
    """An outbox with what is needed to fill and reopen it."""

    folder: Path
    epoch: str = "0123456789abcdef"
    total: int = 20_000_000
    report: int = 64 * 1024
    role: str = "pc"
    disk: Disk | None = None
    time: Time = field(default_factory=Time)
    taken: int = 0

    def open(self) -> Outbox:
        origin = Origin(AGENT, self.epoch, self.role, "0.1.0")
        return Outbox(self.folder, origin, Limits(self.total, self.report), self.time.wall_ms, self.disk)

    def run(self, probe: str = "usage", facts: tuple[Fact, ...] = (), text: str = "") -> Run:
        """The next run, a minute after the one before."""
        self.taken += 1
        self.time.boot_ms += 60_000
        samples = (Sample("usage.cpu_percent", self.taken + 0.5, "%", {"text": text} if text else {}),)
        return Run(
            f"{self.epoch}-{self.taken}",
            probe,
            self.time.clock(),
            12,
            Status.OK,
            samples,
            facts,
            facts_digest=facts_digest(facts),
        )


def report_of(outbox: Outbox, digest: str) -> Report:
    """A sealed report as a collector would read it."""
    wire = outbox.wire(digest)
    assert wire is not None
    assert codec.digest(wire) == digest
    return codec.decode(wire)


def noisy(bench: Bench, size: int) -> Run:
    """A run of about ``size`` bytes that hardly deflates."""
    digits = "".join(codec.digest(f"{bench.taken}-{at}".encode()) for at in range(size // 64 + 1))
    samples = tuple(
        Sample("usage.cpu_percent", float(at), "%", {"text": digits[at : at + 100]})
        for at in range(0, max(100, size), 100)
    )
    run = bench.run()
    return Run(run.id, run.probe, run.clock, run.took_ms, Status.OK, samples)


def drain(outbox: Outbox, bench: Bench) -> list[str]:
    """Digests of sealing until nothing waits, oldest first."""
    found = []
    while sealed := outbox.seal(bench.time.clock(), Order.OLDEST):
        found.append(sealed.digest)
    return found
