"""Which paths beat: found with the first heartbeat, lost when several in a row did not come.

The rhythm is learnt from the beats themselves (their numbers tell how many were missed), so a
changed configuration needs no word to the collector. Pure: messages and ``now`` in, transitions out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MISSED: Final = 3
SHORTEST_MS: Final = 5_000
LONGEST_MS: Final = 300_000
UNKNOWN_MS: Final = 90_000
CROWD_MS: Final = 500
"""Beats closer together than this are sent at a connect or were held up: they tell no rhythm."""

QUIET_MS: Final = {"pc": 3 * 600_000 + 1_000, "probe": 0}
"""By stream: silence that means nothing. An office computer beats every ten minutes only."""

MAX_PATHS: Final = 16


@dataclass(frozen=True, slots=True)
class Transition:
    """A path began or ceased to beat. ``state`` is ``found`` or ``lost``."""

    agent: str
    path: str
    state: str
    at_ms: int


@dataclass(slots=True)
class _Path:
    heard_ms: int
    number: int
    interval_ms: int | None
    found: bool
    quiet_ms: int = 0

    def deadline_ms(self) -> int:
        """How long after the latest beat the path counts as lost."""
        if self.interval_ms is None:
            return max(UNKNOWN_MS, self.quiet_ms)
        return max(min(max(MISSED * self.interval_ms + 1_000, SHORTEST_MS), LONGEST_MS), self.quiet_ms)


class BeatWatch:
    """The state of every path that ever beat since the start."""

    def __init__(self) -> None:
        self._agents: dict[str, dict[str, _Path]] = {}

    def restore(self, agent: str, path: str, state: str, now_ms: int, quiet_ms: int = 0) -> None:
        """Take in what was journaled before: a path that was found has its deadline from now."""
        self._agents.setdefault(agent, {})[path] = _Path(now_ms, 0, None, state == "found", quiet_ms)

    def beat(self, agent: str, path: str, number: int, at_ms: int, quiet_ms: int = 0) -> Transition | None:
        """One heartbeat; the transition it makes, if it makes one. At most ``MAX_PATHS`` an agent.

        ``quiet_ms`` is the silence that is usual for this agent, whatever rhythm it seems to have.
        """
        paths = self._agents.setdefault(agent, {})
        known = paths.get(path)
        if known is None:
            if len(paths) >= MAX_PATHS:
                return None
            paths[path] = _Path(at_ms, number, None, found=True, quiet_ms=quiet_ms)
            return Transition(agent, path, "found", at_ms)
        if 0 < number - known.number <= 100 and known.number > 0 and at_ms > known.heard_ms:
            interval = (at_ms - known.heard_ms) // (number - known.number)
            if interval >= CROWD_MS:
                # A beat held up on its way is followed by a crowd of others: believe the longer rhythm.
                known.interval_ms = max(interval, (3 * (known.interval_ms or interval) + interval) // 4)
        known.heard_ms, known.number = max(at_ms, known.heard_ms), number
        if known.found:
            return None
        known.found = True
        return Transition(agent, path, "found", at_ms)

    def gone(self, agent: str, path: str) -> None:
        """The agent said goodbye on this path: its silence is no loss."""
        self._agents.get(agent, {}).pop(path, None)

    def overdue(self, now_ms: int) -> list[Transition]:
        """The paths that became lost by now."""
        lost = []
        for agent, paths in self._agents.items():
            for path, known in paths.items():
                if known.found and now_ms - known.heard_ms > known.deadline_ms():
                    known.found = False
                    lost.append(Transition(agent, path, "lost", now_ms))
        return lost

    def deaf_until(self, now_ms: int) -> None:
        """The collector itself heard nothing until now: nobody else is to blame for that."""
        for known in (path for paths in self._agents.values() for path in paths.values()):
            known.heard_ms = max(known.heard_ms, now_ms)
