"""Sealed reports made by hand, with times of one's choosing."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Sequence

from hatang_agent.wire import codec
from hatang_agent.wire.report import SCHEMA, Clock, Fact, Predecessor, Report, Run, Sample, Status


def measured(run_id: str, wall_ms: int, number: float, *, boot_id: str = "never-heard-live") -> Run:
    """A run of a made-up probe: one tagged and one plain number, one fact."""
    samples = (
        Sample("made.number", number, ""),
        Sample("made.load", number / 10, "%", {"part": "a"}),
        Sample("made.load", number / 20, "%", {"part": "b"}),
    )
    facts = (Fact("made", "", {"number": int(number)}),)
    return Run(run_id, "made", Clock(wall_ms, wall_ms % 10_000_000, boot_id), 1, Status.OK, samples, facts)


class Sealer:
    """Seals reports of one process start in a chain, as an agent does."""

    def __init__(self, agent: str, epoch: str = "") -> None:
        self.agent = agent
        self.epoch = epoch or secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._seqs = itertools.count(1)
        self._before: Predecessor | None = None

    def run(self, wall_ms: int, number: float) -> Run:
        """The next run."""
        return measured(f"{self.epoch}-{next(self._numbers)}", wall_ms, number)

    def seal(self, wall_ms: int, runs: Sequence[Run]) -> bytes:
        """The bytes of the next report."""
        clock = Clock(wall_ms, wall_ms % 10_000_000, "never-heard-live")
        seq = next(self._seqs)
        report = Report(SCHEMA, self.agent, self.epoch, seq, self._before, clock, "pc", "0.1.0", tuple(runs))
        wire = codec.encode(report)
        self._before = Predecessor(self.epoch, seq, codec.digest(wire))
        return wire
