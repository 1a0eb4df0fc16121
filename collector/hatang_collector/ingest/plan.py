"""What is to be done with a batch of messages, before anything of it is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hatang_agent.wire import codec
from hatang_agent.wire.messages import Ack, Rejection
from hatang_agent.wire.report import Report
from hatang_collector.ingest.deadletter import NewLetter
from hatang_collector.journal.segments import Entry, NewEntry

DIGESTS_PER_ACK: Final = 60


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message of the broker, with the time it arrived at the collector."""

    topic: str
    payload: bytes
    retained: bool
    arrived_ms: int


@dataclass(frozen=True, slots=True)
class LiveBeat:
    """A heartbeat for the live state."""

    agent: str
    path: str
    at_ms: int


@dataclass(slots=True)
class Plan:
    """Entries by stream, dead letters, and the answers that may leave when those are durable."""

    entries: dict[str, list[NewEntry]] = field(default_factory=dict)
    reports: dict[str, Report] = field(default_factory=dict)
    letters: list[NewLetter] = field(default_factory=list)
    keys: set[bytes] = field(default_factory=set)
    journaled: dict[str, list[str]] = field(default_factory=dict)
    rejected: dict[str, list[Rejection]] = field(default_factory=dict)
    beats: list[LiveBeat] = field(default_factory=list)
    written: list[Entry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def write(
        self, stream: str, kind: str, agent: str, arrived_ms: int, header: Mapping[str, Any], payload: bytes
    ) -> None:
        """One entry to be journaled."""
        self.entries.setdefault(stream, []).append(NewEntry(kind, agent, arrived_ms, header, payload))

    def confirm(self, agent: str, digest: str) -> None:
        """A digest to be acknowledged as journaled."""
        self.journaled.setdefault(agent, []).append(digest)

    def reject(self, agent: str, digest: str, reason: str) -> None:
        """A digest to be told as refused."""
        self.rejected.setdefault(agent, []).append(Rejection(digest, reason))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became durable, and the answers that may leave now. ``acks`` are (agent, answer)."""

    acks: list[tuple[str, Ack]]
    entries: list[Entry]
    reports: Mapping[str, Report]
    beats: list[LiveBeat]
    counts: Mapping[str, int]


def acks(plan: Plan) -> Iterator[tuple[str, Ack]]:
    """The answers by agent, each small enough for one message."""
    for agent in {**plan.journaled, **plan.rejected}:
        journaled = plan.journaled.get(agent, [])
        rejected = plan.rejected.get(agent, [])
        for at in range(0, len(journaled), DIGESTS_PER_ACK):
            yield agent, Ack(journaled=tuple(journaled[at : at + DIGESTS_PER_ACK]))
        for at in range(0, len(rejected), DIGESTS_PER_ACK):
            yield agent, Ack(rejected=tuple(rejected[at : at + DIGESTS_PER_ACK]))


def ack_bytes(ack: Ack) -> bytes:
    """Wire bytes of an answer; the common one (a digest or two) without the detour of the encoder."""
    if not ack.rejected and 0 < len(ack.journaled) <= 5:
        return ('{"journaled":["' + '","'.join(ack.journaled) + '"]}').encode()
    return codec.encode(ack)
