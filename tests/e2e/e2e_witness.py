"""Real agents whose every number is witnessed outside of their state folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hatang_agent.outbox_reading import look_into
from support.stack import Program, Stack
from support.wait import until

CONFIG = """
[schedule]
sample_s = 1
first_spread_s = 0.3
[reporting]
report_s = 1
beat_s = 1
keepalive_s = 10
[probes.agent]
interval_s = 60
"""


class Witnessed:
    """An agent on a state folder. Its witness file lies in a folder of its own beside it."""

    def __init__(self, stack: Stack, name: str, index: int, state: Path | None = None) -> None:
        self.stack = stack
        self.state = state or stack.folder / name
        self.state.mkdir(exist_ok=True)
        self.outside = stack.folder / f"{name}-outside"
        self.outside.mkdir()
        self.witness = self.outside / "numbers"
        self._index = index
        self.program: Program | None = None

    def enrol(self) -> str:
        """Enrol over the real path; its id."""
        return self.stack.enrol(self.state, self.stack.token(), self.state.name).agent

    def start(self, *words: str, config_text: str = CONFIG) -> None:
        """Start it, for the first time or again."""
        config = self.outside / "agent.toml"
        config.write_text(config_text, encoding="utf-8")
        argv = ["-m", "e2e.e2e_agent", str(self.state), str(config), str(self.witness), str(self._index)]
        self.program = self.stack.program([*argv, *words], self.outside / "agent.log")

    def stop(self) -> None:
        """End it in order."""
        assert self.program is not None
        assert self.program.stop() == 0, self.program.said()

    def kill(self) -> None:
        """End it as kill -9 does."""
        assert self.program is not None
        self.program.kill()

    def waiting(self) -> tuple[int, int]:
        """Sealed reports and unsealed runs in its outbox."""
        counts = look_into(self.state)
        return (counts.reports, counts.runs) if counts is not None else (0, 0)

    def taken(self) -> int:
        """How many numbers it took so far."""
        if not self.witness.exists():
            return 0
        return sum(line.isdigit() for line in self.witness.read_text(encoding="utf-8").splitlines())

    def quiet(self) -> None:
        """End the taking of numbers."""
        (self.outside / "quiet").touch()


def settle(agents: Sequence[Witnessed], deadline_s: float = 40.0) -> None:
    """End the taking, wait until the collector has everything, stop the agents."""

    def runs() -> list[int]:
        return [agent.stack.receipts(agent.stack.credential(agent.state).agent).runs for agent in agents]

    def empty() -> bool:
        moved = all(now > then for now, then in zip(runs(), before, strict=True))
        waiting = [agent.waiting() for agent in agents]
        return moved and all(reports <= 1 and waiting_runs <= 3 for reports, waiting_runs in waiting)

    for agent in agents:
        agent.quiet()
    before = runs()
    until(empty, deadline_s, "the outboxes are empty", every_s=0.2)
    for agent in agents:
        agent.stop()
