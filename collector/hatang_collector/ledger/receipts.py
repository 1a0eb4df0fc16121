"""Which reports were taken in: (sequence, digest) by agent, epoch and hour of arrival, and the counts.

A report takes 40 bytes here, in one blob an hour, so that a year of proof stays small.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hatang_collector.ledger.tables import AGENT_STATES, RECEIPTS, ROWS_PER_STATEMENT, upsert

HOUR_MS: Final = 3_600_000
_PAIR: Final = 8 + 32


@dataclass(frozen=True, slots=True)
class Summary:
    """Reports and runs taken in, each counted once; arrival of the first and the last report, 0 for none.

    ``gaps`` is the number of runs that agents say they had to drop.
    """

    reports: int
    runs: int
    first_ms: int
    last_ms: int
    gaps: int


def of(c: Connection, agent: str) -> Summary:
    """What was taken in of one agent."""
    return _summary(c, agent)


def totals(c: Connection) -> Summary:
    """What was taken in of all agents."""
    return _summary(c, None)


def _summary(c: Connection, agent: str | None) -> Summary:
    table = AGENT_STATES.c
    chosen = sa.select(
        sa.func.coalesce(sa.func.sum(table.reports), 0),
        sa.func.coalesce(sa.func.sum(table.runs), 0),
        sa.func.coalesce(sa.func.min(table.first_ms), 0),
        sa.func.coalesce(sa.func.max(table.last_ms), 0),
        sa.func.coalesce(sa.func.sum(table.dropped), 0),
    )
    if agent is not None:
        chosen = chosen.where(table.agent == agent)
    return Summary(*(int(value) for value in c.execute(chosen).one()))


def pack(pairs: Iterable[tuple[int, str]]) -> bytes:
    """Receipts as bytes: 8 of the sequence (big-endian), 32 of the digest, each."""
    return b"".join(seq.to_bytes(8, "big") + bytes.fromhex(digest) for seq, digest in pairs)


def unpack(blob: bytes) -> list[tuple[int, str]]:
    """The inverse of :func:`pack`."""
    starts = range(0, len(blob), _PAIR)
    return [(int.from_bytes(blob[at : at + 8], "big"), blob[at + 8 : at + _PAIR].hex()) for at in starts]


def pairs(c: Connection, agent: str, epoch: str) -> list[tuple[int, str]]:
    """(sequence, digest) of every report taken in of an epoch, by sequence."""
    chosen = sa.select(RECEIPTS.c.pairs).where(RECEIPTS.c.agent == agent, RECEIPTS.c.epoch == epoch)
    return sorted(pair for blob in c.execute(chosen).scalars() for pair in unpack(bytes(blob)))


def retain(c: Connection, before_ms: int) -> int:
    """Drop the hours that ended before; the counts stay. Returns how many rows went."""
    return int(c.execute(sa.delete(RECEIPTS).where(RECEIPTS.c.hour_ms + HOUR_MS <= before_ms)).rowcount)


class ReceiptBook:
    """The receipts of one batch, gathered in memory and written at its end."""

    def __init__(self, c: Connection) -> None:
        self._c = c
        self._new: dict[tuple[str, int, str], list[tuple[int, str]]] = {}
        self._held: dict[tuple[str, str], dict[int, set[str]]] = {}

    def digests(self, agent: str, epoch: str, seq: int) -> set[str]:
        """The digests under which that report was taken in, this batch included."""
        if (agent, epoch) not in self._held:
            held: dict[int, set[str]] = {}
            earlier = pairs(self._c, agent, epoch)
            new = [
                pair for (of, _, by), hour in self._new.items() if (by, of) == (agent, epoch) for pair in hour
            ]
            for number, digest in (*earlier, *new):
                held.setdefault(number, set()).add(digest)
            self._held[(agent, epoch)] = held
        return self._held[(agent, epoch)].get(seq, set())

    def add(self, agent: str, epoch: str, seq: int, digest: str, arrived_ms: int) -> None:
        """Take a report in."""
        hour_ms = arrived_ms - arrived_ms % HOUR_MS
        self._new.setdefault((epoch, hour_ms, agent), []).append((seq, digest))
        if (agent, epoch) in self._held:
            self._held[(agent, epoch)].setdefault(seq, set()).add(digest)

    def flush(self) -> None:
        """Write them, behind those of the same hour."""
        epochs = sorted({epoch for epoch, _, _ in self._new})
        hours = sorted({hour_ms for _, hour_ms, _ in self._new})
        blobs: dict[tuple[str, int, str], bytes] = {}
        for at in range(0, len(epochs), ROWS_PER_STATEMENT):
            some = RECEIPTS.c.epoch.in_(epochs[at : at + ROWS_PER_STATEMENT])
            chosen = sa.select(RECEIPTS).where(some, RECEIPTS.c.hour_ms.in_(hours))
            for row in self._c.execute(chosen):
                blobs[(row.epoch, row.hour_ms, row.agent)] = bytes(row.pairs)
        rows = []
        for key, new in self._new.items():
            epoch, hour_ms, agent = key
            blob = blobs.get(key, b"") + pack(new)
            count = len(blob) // _PAIR
            rows.append({"epoch": epoch, "hour_ms": hour_ms, "agent": agent, "reports": count, "pairs": blob})
        upsert(self._c, RECEIPTS, rows)
