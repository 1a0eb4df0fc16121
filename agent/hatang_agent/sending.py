"""When which sealed report is sent: pure bookkeeping on a clock that is handed in. No I/O.

The rules, in order:

1. Nothing is sent while no path is connected, nor in the short random pause after the collector
   came back.
2. At most 8 reports are unacknowledged at a time, of which backlog takes at most 6: a fresh report
   never waits behind a backlog.
3. Fresh reports go newest first. Backlog goes oldest first, after a random delay, under a byte rate.
4. A report without acknowledgement is sent again after 30 s, then at doubling intervals up to
   15 minutes.
5. When nobody listens (the broker says so), or when nothing at all is acknowledged, everything
   stops but one probing report at the same doubling intervals, until an acknowledgement, a new
   collector epoch or a new connection.

All times are milliseconds of one clock that never goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

WINDOW: Final = 8
RESERVED_FOR_FRESH: Final = 2
ACK_WAIT_MS: Final = 30_000
LONGEST_WAIT_MS: Final = 15 * 60_000
BACKLOG_BYTES_PER_S: Final = 64 * 1024
BACKLOG_DELAY_MS: Final = 30_000
RETURN_PAUSE_MS: Final = 10_000
_JITTER: Final = 0.25


class Flow(StrEnum):
    """How it goes: reports flow, nobody listens, or nothing is acknowledged."""

    FLOWING = "flowing"
    HELD = "held"
    STALLED = "stalled"


@dataclass(frozen=True, slots=True)
class Policy:
    """Figures of the rules above. ``backlog_bytes_per_s`` 0 lifts the cap.

    ``fresh_for_ms``: a report older than this counts as backlog.
    """

    fresh_for_ms: int = 600_000
    backlog_bytes_per_s: int = BACKLOG_BYTES_PER_S
    backlog_delay_ms: int = BACKLOG_DELAY_MS
    return_pause_ms: int = RETURN_PAUSE_MS


@dataclass(slots=True)
class _Entry:
    digest: str
    number: int
    size: int
    fresh_until_ms: int
    due_ms: int
    sends: int = 0
    sent_ms: int | None = None
    """When it was sent, while its acknowledgement is awaited."""

    def fresh(self, now_ms: int) -> bool:
        return now_ms < self.fresh_until_ms

    @property
    def in_flight(self) -> bool:
        return self.sent_ms is not None


class Sender:
    """Decides on the reports it was told of; see the module for the rules. Not thread-safe."""

    def __init__(self, random: Callable[[], float], policy: Policy | None = None) -> None:
        self._random = random
        self._policy = policy or Policy()
        self._entries: dict[str, _Entry] = {}
        self._connected = False
        self._epoch: str | None = None
        self._flow = Flow.FLOWING
        self._tries = 0
        self._probe_due_ms = 0
        self._quiet_until_ms = 0
        self._backlog_from_ms = 0
        self._last_ack_ms = -1
        self._tokens = float(self._burst)
        self._tokens_ms: int | None = None

    @property
    def flow(self) -> Flow:
        """How it goes at the moment."""
        return self._flow

    @property
    def known(self) -> int:
        """How many reports are looked after."""
        return len(self._entries)

    @property
    def in_flight(self) -> int:
        """How many reports wait for their acknowledgement."""
        return sum(entry.in_flight for entry in self._entries.values())

    def offer(self, digest: str, number: int, size: int, now_ms: int, *, fresh: bool) -> None:
        """Look after a sealed report. ``number`` rises in the order of sealing."""
        until = now_ms + self._policy.fresh_for_ms if fresh else now_ms
        self._entries.setdefault(digest, _Entry(digest, number, size, until, now_ms))

    def gone(self, digests: Iterable[str]) -> None:
        """Forget reports that are no longer in the outbox."""
        for digest in digests:
            self._entries.pop(digest, None)

    def acknowledged(self, digests: Iterable[str], now_ms: int) -> None:
        """The collector answered for these reports, whether it took or refused them."""
        self.gone(digests)
        self._last_ack_ms = now_ms
        self._set_flowing()

    def refused(self, digest: str, now_ms: int) -> None:
        """The broker answered that it has nobody to give the report to, or that it may not take it."""
        entry = self._entries.get(digest)
        if entry is None or not entry.in_flight:
            return
        entry.sent_ms = None
        entry.due_ms = now_ms
        entry.sends -= 1
        if self._flow is not Flow.HELD:
            self._flow, self._tries = Flow.HELD, 0
            self._plan_probe(now_ms)

    def connected(self, now_ms: int) -> None:
        """A path that may carry reports is there; what was in flight before may never have arrived."""
        self._connected = True
        self._backlog_from_ms = now_ms + int(self._random() * self._policy.backlog_delay_ms)
        self._begin_again(now_ms)

    def disconnected(self) -> None:
        """No path is left that may carry reports."""
        self._connected = False
        for entry in self._entries.values():
            entry.sent_ms = None

    def hello(self, epoch: str, now_ms: int) -> None:
        """The collector's epoch as it announces it.

        Another one than before, or any while nothing flowed, means that it came back.
        """
        returned = self._epoch not in (None, epoch) or self._flow is not Flow.FLOWING
        self._epoch = epoch
        if returned:
            self._quiet_until_ms = now_ms + int(self._random() * self._policy.return_pause_ms)
            self._backlog_from_ms = self._quiet_until_ms + int(self._random() * self._policy.backlog_delay_ms)
            self._begin_again(now_ms)

    def wants_fresh(self, now_ms: int) -> bool:
        """Whether a fresh report would be sent if it were sealed now."""
        self._expire(now_ms)
        if not self._may_send(now_ms):
            return False
        if self._flow is not Flow.FLOWING:
            return self.in_flight == 0
        return self.in_flight < WINDOW

    def wants_backlog(self, now_ms: int) -> bool:
        """Whether another backlog report would be sent if it were offered now."""
        self._expire(now_ms)
        if self._flow is not Flow.FLOWING or not self._may_send(now_ms) or now_ms < self._backlog_from_ms:
            return False
        waiting = any(not entry.in_flight and entry.due_ms <= now_ms for entry in self._entries.values())
        return not waiting and self._backlog_room(now_ms) and self._has_tokens(now_ms)

    def choose(self, now_ms: int) -> list[str]:
        """Digests to send now, in this order. They count as sent."""
        self._expire(now_ms)
        if not self._may_send(now_ms):
            return []
        ready = [e for e in self._entries.values() if not e.in_flight and e.due_ms <= now_ms]
        fresh = sorted((e for e in ready if e.fresh(now_ms)), key=lambda e: -e.number)
        backlog = sorted((e for e in ready if not e.fresh(now_ms)), key=lambda e: e.number)
        if self._flow is not Flow.FLOWING:
            return self._probe([*fresh, *backlog], now_ms)
        chosen = []
        for entry in fresh:
            if self.in_flight < WINDOW:
                chosen.append(self._send(entry, now_ms))
        if now_ms >= self._backlog_from_ms:
            for entry in backlog:
                if not self._backlog_room(now_ms) or not self._has_tokens(now_ms):
                    break
                self._tokens -= entry.size
                chosen.append(self._send(entry, now_ms))
        return chosen

    def next_ms(self, now_ms: int) -> int | None:
        """The earliest time at which another answer is possible without an event; None for never."""
        if not self._connected:
            return None
        times = [self._quiet_until_ms, self._backlog_from_ms]
        if self._flow is not Flow.FLOWING:
            times.append(self._probe_due_ms)
        for entry in self._entries.values():
            times.append(entry.due_ms if entry.sent_ms is None else entry.sent_ms + ACK_WAIT_MS)
        if self._tokens <= 0 and self._policy.backlog_bytes_per_s:
            times.append(now_ms + 1 + int(-self._tokens * 1000 / self._policy.backlog_bytes_per_s))
        return min((time for time in times if time > now_ms), default=None)

    @property
    def _burst(self) -> int:
        return max(self._policy.backlog_bytes_per_s, 1)

    def _may_send(self, now_ms: int) -> bool:
        if not self._connected or now_ms < self._quiet_until_ms:
            return False
        return self._flow is Flow.FLOWING or now_ms >= self._probe_due_ms

    def _backlog_room(self, now_ms: int) -> bool:
        backlog = sum(entry.in_flight and not entry.fresh(now_ms) for entry in self._entries.values())
        return backlog < WINDOW - RESERVED_FOR_FRESH and self.in_flight < WINDOW

    def _has_tokens(self, now_ms: int) -> bool:
        """Whether the byte rate lets another backlog report go. A report may overdraw once."""
        rate = self._policy.backlog_bytes_per_s
        if rate == 0:
            return True
        if self._tokens_ms is not None:
            self._tokens = min(self._burst, self._tokens + (now_ms - self._tokens_ms) * rate / 1000)
        self._tokens_ms = now_ms
        return self._tokens > 0

    def _probe(self, candidates: list[_Entry], now_ms: int) -> list[str]:
        if self.in_flight or not candidates:
            return []
        self._plan_probe(now_ms)
        return [self._send(candidates[0], now_ms)]

    def _plan_probe(self, now_ms: int) -> None:
        self._tries += 1
        self._probe_due_ms = now_ms + self._wait_ms(self._tries)

    def _send(self, entry: _Entry, now_ms: int) -> str:
        entry.sends += 1
        entry.sent_ms = now_ms
        entry.due_ms = now_ms + self._wait_ms(entry.sends)
        return entry.digest

    def _wait_ms(self, attempt: int) -> int:
        """30 s, doubled with each attempt, a little random, at most 15 minutes."""
        longer = 1 + _JITTER * self._random()
        doubled = ACK_WAIT_MS << min(attempt - 1, 16)
        return int(min(doubled * longer, LONGEST_WAIT_MS / (1 + _JITTER) * longer))

    def _expire(self, now_ms: int) -> None:
        """Reports whose acknowledgement did not come in time leave the window."""
        for entry in self._entries.values():
            if entry.sent_ms is None or now_ms < entry.sent_ms + ACK_WAIT_MS:
                continue
            silent = self._last_ack_ms < entry.sent_ms
            entry.sent_ms = None
            if silent and self._flow is Flow.FLOWING:
                self._flow, self._tries, self._probe_due_ms = Flow.STALLED, 1, now_ms
                for other in self._entries.values():
                    other.due_ms = min(other.due_ms, now_ms)

    def _set_flowing(self) -> None:
        if self._flow is not Flow.FLOWING:
            for entry in self._entries.values():
                entry.due_ms = 0 if not entry.in_flight else entry.due_ms
        self._flow, self._tries = Flow.FLOWING, 0

    def _begin_again(self, now_ms: int) -> None:
        self._flow, self._tries = Flow.FLOWING, 0
        for entry in self._entries.values():
            entry.sent_ms, entry.sends, entry.due_ms = None, 0, now_ms
