"""Applies entries to the ledger projection the way its worker does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hatang_collector.journal.segments import Entry
from hatang_collector.ledger import findings
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.projection import LedgerProjection


def apply(ledger: Ledger, entries: Sequence[Entry], *, batch: int = 500) -> LedgerProjection:
    """Append the entries to the stream read so far and apply them in batches."""
    projection = LedgerProjection(ledger)
    start = projection.cursor("pc")
    ordered = [replace(entry, index=start + number) for number, entry in enumerate(entries)]
    for at in range(0, len(ordered), batch):
        some = ordered[at : at + batch]
        projection.apply("pc", some, some[-1].index + 1)
    return projection


def opened(ledger: Ledger) -> set[tuple[str, str]]:
    """(kind, key) of every open finding."""
    with ledger.read() as c:
        return {(finding.kind, finding.key) for finding in findings.every(c)}
