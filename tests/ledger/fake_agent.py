"""An agent whose journal entries are made by hand: its clocks, runs and reports are the test's to choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hatang_agent.runner import facts_digest
from hatang_agent.wire import codec
from hatang_agent.wire.messages import Birth
from hatang_agent.wire.report import (
    SCHEMA,
    Clock,
    Fact,
    Gap,
    Predecessor,
    Report,
    Run,
    RunError,
    Sample,
    Status,
)
from hatang_collector.journal.segments import Entry

BOOT_AT = 1_700_000_000_000
"""UTC of the boot: a run at ``at_ms`` of these tests was taken at ``BOOT_AT + at_ms``."""
ARRIVED = BOOT_AT + 1_000_000_000


@dataclass(slots=True)
class FakeAgent:
    """One agent process on a state folder. ``certain``: the collector knows its boot clock."""

    agent: str = "a" * 16
    epoch: str = "1" * 16
    certain: bool = True
    version: str = "1.0"
    seq: int = 0
    runs: int = 0
    last: Predecessor | None = None
    waiting: list[Run] = field(default_factory=list)

    def restart(self, epoch: str) -> FakeAgent:
        """The next process start on the same folder."""
        return FakeAgent(self.agent, epoch, self.certain, self.version, last=self.last)

    def clock(self, at_ms: int) -> Clock:
        """Both clocks at that time."""
        return Clock(BOOT_AT + at_ms, at_ms, f"boot-{self.agent}")

    def run(
        self,
        at_ms: int,
        probe: str = "usage",
        *,
        facts: Sequence[Fact] = (),
        status: Status = Status.OK,
        error: RunError | None = None,
        unchanged: str = "",
        run_id: str = "",
    ) -> Run:
        """Take a run; it waits for the next report. ``unchanged``: digest of the facts left out."""
        self.runs += 1
        run = Run(
            id=run_id or f"{self.epoch}-{self.runs}",
            probe=probe,
            clock=self.clock(at_ms),
            took_ms=3,
            status=status,
            samples=(Sample("usage.cpu_percent", 12.5, "%"),) if probe == "usage" else (),
            facts=tuple(facts),
            error=error,
            facts_digest=unchanged or facts_digest(facts),
            unchanged=bool(unchanged),
        )
        self.waiting.append(run)
        return run

    def seal(self, at_ms: int, *, arrived_ms: int = ARRIVED, gaps: Sequence[Gap] = ()) -> Entry:
        """Seal what waits into a report and journal it."""
        self.seq += 1
        report = Report(
            schema=SCHEMA,
            agent=self.agent,
            epoch=self.epoch,
            seq=self.seq,
            predecessor=self.last,
            clock=self.clock(at_ms),
            role="pc",
            version=self.version,
            runs=tuple(self.waiting),
            gaps=tuple(gaps),
        )
        self.waiting = []
        wire = codec.encode(report)
        digest = codec.digest(wire)
        self.last = Predecessor(self.epoch, self.seq, digest)
        clocks = {f"boot-{self.agent}": BOOT_AT} if self.certain else {}
        header = {"epoch": self.epoch, "seq": self.seq, "digest": digest, "clocks": clocks}
        return Entry(0, "report", self.agent, arrived_ms, header, wire)

    def birth(self, at_ms: int, *, live: bool = True) -> Entry:
        """Connect."""
        birth = Birth(SCHEMA, self.agent, self.epoch, "main", 1, self.clock(at_ms), "pc", self.version)
        header = {"path": "main", "live": live}
        return Entry(0, "birth", self.agent, BOOT_AT + at_ms, header, codec.encode(birth))


def disk(key: str, **fields: str | int) -> Fact:
    """A fact."""
    return Fact("disk", key, fields)


def other(kind: str, agent: str, header: Mapping[str, object], payload: bytes = b"") -> Entry:
    """An entry that is not a report or birth."""
    return Entry(0, kind, agent, ARRIVED, header, payload)
