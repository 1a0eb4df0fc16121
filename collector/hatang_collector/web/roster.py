"""All machines with their current figures, read from the ledger and the live state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hatang_collector.domain.estate import Placement
from hatang_collector.ledger import facts, findings, machines, placements, receipts
from hatang_collector.ledger.facts import FactRow
from hatang_collector.ledger.findings import Finding
from hatang_collector.ledger.machines import Machine
from hatang_collector.live import MachineNow
from hatang_collector.web import names
from hatang_collector.web.services import Services
from hatang_collector.web.summary import Summary, summarise


@dataclass(frozen=True, slots=True)
class Book:
    """What the ledger says about the machines in use; ``known`` names the retired ones too."""

    machines: Sequence[Machine]
    os_facts: dict[str, FactRow]
    findings: Counter[str]
    known: frozenset[str]
    placements: dict[str, Placement]


@dataclass(frozen=True, slots=True)
class MachineDetail:
    """One machine with everything a page about it shows."""

    machine: Machine
    summary: Summary
    live: MachineNow | None
    facts: Sequence[FactRow]
    receipts: receipts.Summary
    findings: Sequence[Finding]
    placement: Placement | None


def read_book(services: Services) -> Book:
    """The ledger's part, in one transaction."""
    with services.ledger.read() as c:
        everyone = machines.every(c)
        os_facts = {fact.agent: fact for fact in facts.every(c, names.OS_KIND)}
        opened = Counter(finding.agent for finding in findings.every(c))
        placed = placements.current(c)
    rows = [machine for machine in everyone if machine.retired_ms is None]
    return Book(rows, os_facts, opened, frozenset(machine.agent for machine in everyone), placed)


def summaries(
    services: Services, book: Book | None = None, intervals: Mapping[str, int] | None = None
) -> list[Summary]:
    """Every machine in use, worst state first, then by name.

    ``intervals``: how far apart the reports of machines are, where it is not the role's default.
    """
    intervals = intervals or {}
    book = book or read_book(services)
    live = services.live.machines()
    now_ms = services.now_ms()
    found = [
        summarise(
            row,
            live.get(row.agent),
            book.os_facts.get(row.agent),
            book.findings[row.agent],
            now_ms,
            _staff_group(book.placements.get(row.agent)),
            intervals.get(row.agent),
        )
        for row in book.machines
    ]
    return sorted(found, key=lambda summary: summary.sort)


def detail(services: Services, agent: str, interval_ms: int | None = None) -> MachineDetail | None:
    """One machine, retired or not; None when nobody enrolled under this id.

    ``interval_ms``: how far apart its reports are, None for its role's default.
    """
    with services.ledger.read() as c:
        machine = machines.get(c, agent)
        if machine is None:
            return None
        rows = facts.of(c, agent)
        counted = receipts.of(c, agent)
        opened = findings.of(c, agent)
        placement = placements.of(c, agent)
    live = services.live.get(agent)
    os_fact = next((row for row in rows if row.kind == names.OS_KIND), None)
    summary = summarise(
        machine, live, os_fact, len(opened), services.now_ms(), _staff_group(placement), interval_ms
    )
    return MachineDetail(machine, summary, live, rows, counted, opened, placement)


def _staff_group(placement: Placement | None) -> str:
    return placement.staff_group if placement is not None else ""
