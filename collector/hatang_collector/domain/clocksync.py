"""What time it was at an agent: UTC = time since boot + offset, the offset taken from live exchanges.

``arrival - boot_ms`` of a live message is the true offset plus the time the message travelled, which
is never negative. So the smallest of several is the best estimate, a lower one is believed at once,
and a higher one only when several in a row say so (a slow line is no moved clock). An estimate that
moved by more than ``MOVED_MS`` begins a new segment; segments already told are never rewritten.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

MOVED_MS: Final = 500
WINDOW_SAMPLES: Final = 8
WINDOW_MS: Final = 600_000
ENOUGH_SAMPLES: Final = 5
MAX_SEGMENTS: Final = 256
MAX_BOOTS: Final = 16


@dataclass(frozen=True, slots=True)
class Segment:
    """From ``from_boot_ms`` of a boot on, UTC is time since boot plus ``offset_ms``."""

    from_boot_ms: int
    offset_ms: int


@dataclass(frozen=True, slots=True)
class BootClock:
    """What is known of one boot: its segments (ascending), and the latest (arrival, offset) seen."""

    segments: tuple[Segment, ...] = ()
    window: tuple[tuple[int, int], ...] = ()

    def offset_at(self, boot_ms: int) -> int | None:
        """The offset in force at that time since boot; None when the boot was never heard live."""
        if not self.segments:
            return None
        at = bisect_right(self.segments, boot_ms, key=lambda segment: segment.from_boot_ms) - 1
        return self.segments[max(at, 0)].offset_ms


def observe(clock: BootClock, arrived_ms: int, boot_ms: int) -> tuple[BootClock, Segment | None]:
    """The boot clock after one more live message, and the segment it began, if it began one."""
    offset = arrived_ms - boot_ms
    recent = tuple(one for one in clock.window if abs(arrived_ms - one[0]) <= WINDOW_MS)
    window = (*recent[-(WINDOW_SAMPLES - 1) :], (arrived_ms, offset))
    estimate = min(candidate for _, candidate in window)
    if clock.segments:
        moved = estimate - clock.segments[-1].offset_ms
        slower = moved > MOVED_MS and len(window) >= ENOUGH_SAMPLES
        if not slower and moved >= -MOVED_MS:
            return replace(clock, window=window), None
        boot_ms = max(boot_ms, clock.segments[-1].from_boot_ms + 1)
    segment = Segment(boot_ms, estimate)
    return BootClock((*clock.segments[-(MAX_SEGMENTS - 1) :], segment), window), segment


class Clocks:
    """The boot clocks of all agents; of each agent the boots heard last, ``MAX_BOOTS`` of them."""

    def __init__(self) -> None:
        self._agents: dict[str, OrderedDict[str, BootClock]] = {}

    def restore(self, agent: str, boot_id: str, segment: Segment) -> None:
        """Take in a segment that was told before; one told for the same time earlier stays."""
        boots = self._agents.setdefault(agent, OrderedDict())
        clock = boots.get(boot_id, BootClock())
        if all(one.from_boot_ms != segment.from_boot_ms for one in clock.segments):
            told = sorted((*clock.segments, segment), key=lambda one: one.from_boot_ms)
            clock = replace(clock, segments=tuple(told[-MAX_SEGMENTS:]))
        boots[boot_id] = clock
        self._bound(boots, boot_id)

    def observe(self, agent: str, boot_id: str, arrived_ms: int, boot_ms: int) -> Segment | None:
        """One live message of the agent; the segment it began, to be journaled, or None."""
        boots = self._agents.setdefault(agent, OrderedDict())
        clock, segment = observe(boots.get(boot_id, BootClock()), arrived_ms, boot_ms)
        boots[boot_id] = clock
        self._bound(boots, boot_id)
        return segment

    def in_force(self, agent: str, times: Iterable[tuple[str, int]]) -> dict[str, int]:
        """Boot id -> offset at the latest given time since boot; unknown boots are left out."""
        latest: dict[str, int] = {}
        for boot_id, boot_ms in times:
            latest[boot_id] = max(boot_ms, latest.get(boot_id, boot_ms))
        boots = self._agents.get(agent, OrderedDict())
        offsets = {}
        for boot_id, boot_ms in latest.items():
            if boot_id in boots and (offset := boots[boot_id].offset_at(boot_ms)) is not None:
                offsets[boot_id] = offset
        return offsets

    @staticmethod
    def _bound(boots: OrderedDict[str, BootClock], boot_id: str) -> None:
        boots.move_to_end(boot_id)
        while len(boots) > MAX_BOOTS:
            boots.popitem(last=False)
