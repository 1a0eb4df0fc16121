"""Made-up agents, reports and a pipeline on a folder of the test's own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from hatang_agent.wire import codec, topics
from hatang_agent.wire.messages import Beat, Birth, Farewell, Presence
from hatang_agent.wire.report import Clock, Fact, Report, Run, RunError, Sample, Status
from hatang_collector.ingest.deadletter import DeadLetters
from hatang_collector.ingest.pipeline import Pipeline
from hatang_collector.ingest.plan import Incoming
from hatang_collector.journal.segments import Entry
from hatang_collector.journal.streams import Journal
from hatang_collector.live import LiveState

PC = "a" * 16
PROBE = "b" * 16
STRANGER = "c" * 16
EPOCH = "0123456789abcdef"
BOOT = "boot-one"
NOW_MS = 1_790_000_000_000


def run(
    number: int = 1, *, boot_ms: int = 60_000, probe: str = "usage", value: float = 12.5, **given: object
) -> Run:
    """One run with one sample."""
    values: dict[str, object] = {
        "samples": (Sample(f"{probe}.cpu_percent", value, "percent"),),
        "status": Status.OK,
        **given,
    }
    clock = Clock(NOW_MS + boot_ms, boot_ms, BOOT)
    return Run(f"{EPOCH}-{number}", probe, clock, 3, **values)  # type: ignore[arg-type]


def report(seq: int = 1, *, agent: str = PC, runs: tuple[Run, ...] | None = None) -> Report:
    """A good report."""
    runs = (run(seq),) if runs is None else runs
    return Report(1, agent, EPOCH, seq, None, Clock(NOW_MS, 60_000, BOOT), "pc", "0.1.0", runs)


def full_report() -> Report:
    """A report that uses every part of the schema."""
    runs = (
        run(
            1,
            facts=(Fact("disk", "sda", {"model": "Đĩa", "size": 5, "ssd": True, "note": None, "part": 0.5}),),
        ),
        run(2, status=Status.FAILED, samples=(), error=RunError("không đọc được", "xem lại quyền")),
        run(3, probe="interfaces", samples=(Sample("interfaces.rx_bps", 1e9, "bps", {"interface": "eth0"}),)),
    )
    return report(7, runs=runs)


def sealed(seq: int = 1, *, agent: str = PC) -> bytes:
    """Wire bytes of a good report."""
    return codec.encode(report(seq, agent=agent))


def changed(**values: object) -> bytes:
    """Wire bytes of a report with some of its fields replaced."""
    return json.dumps({**codec.plain(report()), **values}).encode()


def message(
    payload: bytes, *, agent: str = PC, topic: str = "", at_ms: int = NOW_MS, retained: bool = False
) -> Incoming:
    """A message as the broker delivers it; on the agent's report topic when none is given."""
    return Incoming(topic or topics.report(agent), payload, retained, at_ms)


def birth(
    boot_ms: int,
    *,
    agent: str = PC,
    at_ms: int = NOW_MS,
    connection: int = 1,
    retained: bool = False,
    boot: str = BOOT,
) -> Incoming:
    """A birth on path ``main``."""
    content = Birth(1, agent, EPOCH, "main", connection, Clock(at_ms, boot_ms, boot), "pc", "0.1.0")
    return message(codec.encode(content), topic=topics.birth(agent, "main"), at_ms=at_ms, retained=retained)


def beat(number: int, boot_ms: int, at_ms: int, *, agent: str = PC, boot: str = "") -> Incoming:
    """A heartbeat on path ``main``."""
    content = Beat(EPOCH, number, boot_ms, boot)
    return message(codec.encode(content), topic=topics.beat(agent, "main"), at_ms=at_ms)


def presence(reason: Farewell, *, connection: int = 1, agent: str = PC, at_ms: int = NOW_MS) -> Incoming:
    """A goodbye or will on path ``main``."""
    content = Presence(EPOCH, "main", connection, reason)
    return message(codec.encode(content), topic=topics.presence(agent, "main"), at_ms=at_ms)


@dataclass
class Bench:
    """A pipeline with everything behind it."""

    folder: Path
    streams: dict[str, str] = field(default_factory=lambda: {PC: "pc", PROBE: "probe"})

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """Open the folder, as a new process does."""
        self.journal = Journal.open(self.folder / "journal")
        self.deadletters = DeadLetters(self.folder / "deadletters.sqlite")
        self.live = LiveState()
        self.pipeline = Pipeline(self.journal, self.deadletters, self.streams.get, live=self.live)

    def close(self) -> None:
        """Close it again."""
        self.journal.close()
        self.deadletters.close()

    def entries(self, stream: str = "pc", kind: str = "") -> list[Entry]:
        """What is journaled, of one kind or all."""
        found = self.journal.stream(stream).read(0, 10_000)
        return [entry for entry in found if not kind or entry.kind == kind]

    def reasons(self) -> list[str]:
        """Reasons of the open dead letters, oldest first."""
        return [letter.reason for letter in self.deadletters.letters()]
