"""When each probe is due: pure bookkeeping on an injected clock.

The first runs come soon but spread, so that a starting machine is not loaded at one instant. After
that each probe keeps its own beat without drift: late runs do not move the next one. After a sleep
what was missed is run once, not once for every beat missed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class _Beat:
    """One probe's rhythm on the boot clock."""

    interval_ms: int
    due_ms: int


class Schedule:
    """Due times by name. All times are milliseconds of the boot clock, sleep included."""

    def __init__(
        self,
        intervals_s: Mapping[str, float],
        now_ms: int,
        random: Callable[[], float],
        first_spread_s: float = 3.0,
    ) -> None:
        self._random = random
        self._spread_ms = first_spread_s * 1000
        self._beats: dict[str, _Beat] = {}
        self.change(intervals_s, now_ms)

    def change(self, intervals_s: Mapping[str, float], now_ms: int) -> None:
        """Take over new intervals: unchanged probes keep their beat, others start soon, spread."""
        kept = {}
        for name, interval_s in intervals_s.items():
            interval_ms = max(1, round(interval_s * 1000))
            old = self._beats.get(name)
            if old is not None and old.interval_ms == interval_ms:
                kept[name] = old
            else:
                spread = min(self._spread_ms, interval_ms)
                kept[name] = _Beat(interval_ms, now_ms + int(self._random() * spread))
        self._beats = kept

    def due(self, now_ms: int) -> list[str]:
        """Names that are due, the longest waiting first; each is planned anew by this call."""
        found = sorted((beat.due_ms, name) for name, beat in self._beats.items() if beat.due_ms <= now_ms)
        for due_ms, name in found:
            interval_ms = self._beats[name].interval_ms
            missed = (now_ms - due_ms) // interval_ms
            self._beats[name].due_ms = due_ms + (missed + 1) * interval_ms
        return [name for _, name in found]

    def next_ms(self) -> int | None:
        """When the next probe is due, None when there is none."""
        return min((beat.due_ms for beat in self._beats.values()), default=None)

    def run_now(self, name: str, now_ms: int) -> bool:
        """Make a probe due at once; its beat goes on from there. False when it is not scheduled."""
        if name not in self._beats:
            return False
        self._beats[name].due_ms = min(now_ms, self._beats[name].due_ms)
        return True
