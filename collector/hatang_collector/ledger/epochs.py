"""What is known of the epochs of agents, and the findings that follow from it (domain/epochs.py)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy.engine import Connection

from hatang_collector.domain import epochs as domain
from hatang_collector.domain.epochs import Epoch, Opening, Suspicion
from hatang_collector.domain.ranges import Ranges
from hatang_collector.ledger import findings
from hatang_collector.ledger.receipts import ReceiptBook
from hatang_collector.ledger.states import StateBook
from hatang_collector.ledger.tables import EPOCHS, rows_of, upsert

_KINDS: Final = frozenset(str(kind) for kind in domain.Kind)


class Arrival(StrEnum):
    """What a report is to the ledger."""

    NEW = "new"
    REPEATED = "repeated"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class _Row:
    known: Epoch
    seqs: Ranges


class EpochBook:
    """The epochs of one batch's agents, changed in memory and written at its end.

    Usually only the newest epoch of an agent goes on; then no other epoch of that agent is read.
    """

    def __init__(self, c: Connection, epochs: set[str], states: StateBook, receipts: ReceiptBook) -> None:
        self._c = c
        self._states = states
        self._receipts = receipts
        self._rows: dict[str, dict[str, _Row]] = {}
        self._changed: set[tuple[str, str]] = set()
        self._complete: set[str] = set()
        self._told: dict[str, set[tuple[str, str]]] = {}
        for row in rows_of(c, EPOCHS, epochs, "epoch"):
            self._hold(row)

    def heard_live(self, agent: str, epoch: str, at_ms: int) -> None:
        """A birth or beat of the epoch that came as it was sent."""
        row = self._row(agent, epoch)
        self._change(agent, row, domain.heard_live(_known(row, epoch), at_ms), _seqs(row), at_ms)

    def arrival(self, agent: str, epoch: str, seq: int, digest: str) -> Arrival:
        """Whether a report was taken in before."""
        if seq not in _seqs(self._row(agent, epoch)):
            return Arrival.NEW
        held = self._receipts.digests(agent, epoch, seq)
        # Receipts are kept for a limited time: a known number without its digest is no proof of two.
        return Arrival.REPEATED if digest in held or not held else Arrival.CONFLICT

    def report(
        self,
        agent: str,
        epoch: str,
        seq: int,
        *,
        sealed_ms: int | None,
        opening: Opening | None,
        arrival: Arrival,
        arrived_ms: int,
    ) -> None:
        """A report that is taken in; ``sealed_ms`` None when its time is uncertain."""
        row = self._row(agent, epoch)
        known = domain.sealed(_known(row, epoch), seq, sealed_ms, opening)
        if arrival is Arrival.CONFLICT:
            known = domain.two_digests(known)
        self._change(agent, row, known, _seqs(row).add(seq), arrived_ms)

    def flush(self) -> None:
        """Write what changed."""
        upsert(
            self._c,
            EPOCHS,
            [_values(agent, self._rows[agent][epoch]) for agent, epoch in sorted(self._changed)],
        )

    def _change(self, agent: str, before: _Row | None, known: Epoch, seqs: Ranges, now_ms: int) -> None:
        state = self._states.of(agent)
        former = before.known if before is not None else None
        self._rows.setdefault(agent, {})[known.epoch] = _Row(known, seqs)
        self._changed.add((agent, known.epoch))
        if domain.routine(former, known, state.epoch):
            return
        epochs = self._all(agent)
        if domain.settled(former, known, epochs):
            return
        latest = domain.newest(epochs) or Epoch("")
        state.epoch, state.epoch_ms = latest.epoch, latest.began_ms or 0
        self._tell(agent, domain.findings(epochs), now_ms)

    def _tell(self, agent: str, wanted: dict[str, Suspicion], now_ms: int) -> None:
        """Open what follows from all that is known now, withdraw what no longer does."""
        if agent not in self._told:
            self._told[agent] = {
                (finding.kind, finding.key)
                for finding in findings.of(self._c, agent, open_only=False)
                if finding.kind in _KINDS and finding.closed_by != findings.WITHDRAWN
            }
        told = self._told[agent]
        now = {(str(suspicion.kind), epoch): suspicion for epoch, suspicion in wanted.items()}
        for kind, epoch in sorted(told - now.keys()):
            findings.withdraw(self._c, kind, agent, epoch, now_ms)
            told.discard((kind, epoch))
        for (kind, epoch), suspicion in sorted(now.items()):
            if (kind, epoch) not in told:
                detail = f"{suspicion.reason}: epoch {epoch} against epoch {suspicion.other}"
                findings.open_finding(
                    self._c, kind, agent, epoch, now_ms, detail, origin=findings.Origin.JOURNAL
                )
                told.add((kind, epoch))

    def _all(self, agent: str) -> dict[str, Epoch]:
        if agent not in self._complete:
            for row in rows_of(self._c, EPOCHS, [agent]):
                if row["epoch"] not in self._rows.get(agent, {}):
                    self._hold(row)
            self._complete.add(agent)
        return {epoch: row.known for epoch, row in self._rows.get(agent, {}).items()}

    def _row(self, agent: str, epoch: str) -> _Row | None:
        return self._rows.get(agent, {}).get(epoch)

    def _hold(self, row: dict[str, Any]) -> None:
        self._rows.setdefault(row["agent"], {})[row["epoch"]] = _Row(
            _epoch(row), Ranges.from_text(row["seqs"])
        )


def of(c: Connection, agent: str) -> list[Epoch]:
    """Every epoch of an agent, by its beginning."""
    found = [_epoch(row) for row in rows_of(c, EPOCHS, [agent])]
    return sorted(found, key=lambda epoch: (epoch.began_ms or 0, epoch.epoch))


def _epoch(row: dict[str, Any]) -> Epoch:
    before = row["before_seq"]
    return Epoch(
        epoch=row["epoch"],
        began_ms=row["began_ms"],
        live_ms=row["live_ms"],
        sealed_ms=row["sealed_ms"],
        max_seq=row["max_seq"],
        max_seq_ms=row["max_seq_ms"],
        opening=None if before is None else Opening(row["before_epoch"], before),
        conflict=row["conflict"],
    )


def _known(row: _Row | None, epoch: str) -> Epoch:
    return Epoch(epoch) if row is None else row.known


def _seqs(row: _Row | None) -> Ranges:
    return Ranges() if row is None else row.seqs


def _values(agent: str, row: _Row) -> dict[str, Any]:
    known = row.known
    return {
        "agent": agent,
        "epoch": known.epoch,
        "seqs": row.seqs.to_text(),
        "began_ms": known.began_ms,
        "live_ms": known.live_ms,
        "sealed_ms": known.sealed_ms,
        "max_seq": known.max_seq,
        "max_seq_ms": known.max_seq_ms,
        "before_epoch": known.opening.epoch if known.opening else "",
        "before_seq": known.opening.seq if known.opening else None,
        "conflict": known.conflict,
    }
