"""The journal as seen by the ledger: receipts, counts, facts, epochs, findings, clock segments.

A batch is decoded, applied to small books in memory and written in one transaction together with the
cursor, so a crash leaves either all of it or nothing. Everything depends on the entries and their
order alone, never on the clock, so that a replay gives the same tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from hatang_agent.wire.messages import Birth
from hatang_agent.wire.report import Clock, Report, Run
from hatang_collector.domain.epochs import Opening
from hatang_collector.domain.inventory import Seen
from hatang_collector.domain.timeline import run_utc_ms
from hatang_collector.ingest.decode import decode_small, read_report
from hatang_collector.journal.projection import StoreUnavailable
from hatang_collector.journal.segments import Entry
from hatang_collector.ledger import clocks, cursors, findings
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.epochs import Arrival, EpochBook
from hatang_collector.ledger.errors import LedgerError
from hatang_collector.ledger.inventories import InventoryBook
from hatang_collector.ledger.receipts import ReceiptBook
from hatang_collector.ledger.runs import RunBook, parts
from hatang_collector.ledger.seen import SeenBook, SeenMemory
from hatang_collector.ledger.states import StateBook
from hatang_collector.ledger.tables import DERIVED

NAME: Final = "ledger"


class LedgerProjection:
    """Keeps the derived tables of a ledger up to the journal. Primary tables are never touched."""

    name = NAME

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._memory = SeenMemory()

    def cursor(self, stream: str) -> int:
        """Index of the next entry wanted of a stream. Raises StoreUnavailable."""
        with _call_again(), self._ledger.read() as c:
            return cursors.get(c, NAME, stream)

    def apply(self, stream: str, entries: Sequence[Entry], next_index: int) -> None:
        """Take entries in; effect and cursor are durable together on return. Raises StoreUnavailable.

        An entry that cannot be decoded raises its own error and nothing of the batch is kept.
        """
        batch = [(entry, read_report(entry.payload) if entry.kind == "report" else None) for entry in entries]
        with _call_again(), self._ledger.write() as c:
            seen = SeenBook(c, self._memory)
            _Batch(c, batch, seen).apply()
            cursors.put(c, NAME, stream, next_index)
        self._memory.learn(seen.written)

    def reset(self) -> None:
        """Empty what a replay makes anew and set the cursors to the start. Raises StoreUnavailable."""
        with _call_again(), self._ledger.write() as c:
            for table in DERIVED:
                c.execute(sa.delete(table))
            findings.forget_derived(c)
            cursors.clear(c, NAME)
        self._memory.forget()


@contextmanager
def _call_again() -> Iterator[None]:
    """Whatever is wrong with the database itself must not make single entries look guilty."""
    try:
        yield
    except LedgerError as error:
        raise StoreUnavailable(str(error), error.hint) from error
    except OperationalError as error:
        raise StoreUnavailable(f"the ledger cannot be used: {error.orig}") from error


class _Batch:
    """One batch: what it needs is read with a few statements, changed in memory, written with a few."""

    def __init__(self, c: Connection, entries: Sequence[tuple[Entry, Report | None]], seen: SeenBook) -> None:
        self._c = c
        self._seen = seen
        self._entries = entries
        self._births = {
            entry.index: decode_small(Birth, entry.payload)
            for entry, _ in entries
            if entry.kind == "birth" and entry.header.get("live")
        }
        reports = [report for _, report in entries if report is not None]
        births = self._births.values()
        agents = {entry.agent for entry, _ in entries if entry.kind in ("report", "birth")}
        carrying = {one.agent for one in reports if any(run.facts for run in one.runs)}
        taken = {parts(run.id)[0] for report in reports for run in report.runs}
        self._states = StateBook(c, agents)
        self._receipts = ReceiptBook(c)
        self._runs = RunBook(c, taken)
        self._inventories = InventoryBook(c, agents, carrying)
        spoken = {report.epoch for report in reports} | {birth.epoch for birth in births}
        self._epochs = EpochBook(c, spoken, self._states, self._receipts)

    def apply(self) -> None:
        for entry, report in self._entries:
            if report is not None:
                self._report(entry, report)
            elif entry.index in self._births:
                self._birth(entry, self._births[entry.index])
            elif entry.kind == "clock":
                header = entry.header
                clocks.put(
                    self._c,
                    clocks.Segment(
                        entry.agent, header["boot_id"], header["from_boot_ms"], header["offset_ms"]
                    ),
                )
        for book in (self._receipts, self._runs, self._inventories, self._epochs, self._states, self._seen):
            book.flush()

    def _birth(self, entry: Entry, birth: Birth) -> None:
        self._states.speaks(entry.agent, birth.role, birth.version, entry.arrived_ms)
        self._epochs.heard_live(entry.agent, birth.epoch, entry.arrived_ms)

    def _report(self, entry: Entry, report: Report) -> None:
        agent, digest = entry.agent, entry.header["digest"]
        arrival = self._epochs.arrival(agent, report.epoch, report.seq, digest)
        if arrival is Arrival.REPEATED:
            return
        offsets: Mapping[str, int] = entry.header.get("clocks", {})
        sealed_ms = _utc_ms(report.clock, offsets)
        report_ms = min(report.clock.wall_ms, entry.arrived_ms) if sealed_ms is None else sealed_ms
        self._receipts.add(agent, report.epoch, report.seq, digest, entry.arrived_ms)
        self._states.reported(agent, report_ms, entry.arrived_ms)
        self._states.speaks(agent, report.role, report.version, report_ms)
        new = [(run, _seen(run, offsets, entry.arrived_ms)) for run in self._runs.count(agent, report.runs)]
        self._states.ran(agent, new)
        self._seen.ran(agent, new)
        for run, seen in new:
            self._inventories.run(agent, run, seen, entry.arrived_ms)
        for gap in report.gaps:
            self._states.of(agent).dropped += self._runs.drop(agent, gap, entry.arrived_ms)
        self._epochs.report(
            agent,
            report.epoch,
            report.seq,
            sealed_ms=sealed_ms,
            opening=_opening(report),
            arrival=arrival,
            arrived_ms=entry.arrived_ms,
        )


def _utc_ms(clock: Clock, offsets: Mapping[str, int]) -> int | None:
    offset_ms = offsets.get(clock.boot_id)
    return None if offset_ms is None else clock.boot_ms + offset_ms


def _seen(run: Run, offsets: Mapping[str, int], arrived_ms: int) -> Seen:
    at_ms, certain = run_utc_ms(run, offsets)
    # A run cannot be taken after it arrived: a clock set to next year must not outlive true runs.
    return Seen(run.id, at_ms if certain else min(at_ms, arrived_ms), certain)


def _opening(report: Report) -> Opening | None:
    before = report.predecessor
    if before is None:
        return Opening()
    return Opening(before.epoch, before.seq) if before.epoch != report.epoch else None
