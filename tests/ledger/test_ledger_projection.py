"""The ledger projection: what reports, births and clocks leave in the ledger, on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from hatang_agent.wire import codec
from hatang_agent.wire.codec import WireError
from hatang_agent.wire.report import Gap, RunError, Status
from hatang_collector.domain.ranges import Ranges
from hatang_collector.journal.projection import Projection, StoreUnavailable
from hatang_collector.journal.segments import Entry
from hatang_collector.ledger import clocks, facts, findings, machines, receipts, runs, states
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.machines import Machine
from hatang_collector.ledger.projection import LedgerProjection
from hatang_collector.ledger.receipts import Summary
from hatang_collector.ledger.tables import CURSORS, DERIVED, FINDINGS
from ledger.fake_agent import ARRIVED, BOOT_AT, FakeAgent, disk, other
from ledger.projecting import apply, opened

A = "a" * 16
ONE, TWO, THREE = "1" * 16, "2" * 16, "3" * 16


def _tables(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    with ledger.read() as c:
        return {
            table.name: sorted(tuple(row) for row in c.execute(sa.select(table)))
            for table in (*DERIVED, CURSORS, FINDINGS)
        }


def test_it_is_a_projection(ledger: Ledger) -> None:
    """The worker knows it only by its protocol."""
    projection: Projection = LedgerProjection(ledger)

    assert projection.name == "ledger"
    assert projection.cursor("pc") == 0


def test_a_report_is_received_and_counted_once(ledger: Ledger) -> None:
    """Journaled twice (a resend), even across batches: one receipt, each run once."""
    agent = FakeAgent()
    agent.run(1_000)
    agent.run(2_000)
    first = agent.seal(3_000)
    agent.run(4_000)
    second = agent.seal(5_000, arrived_ms=ARRIVED + 5)
    apply(ledger, [first, first, second])
    projection = apply(ledger, [second, first])

    with ledger.read() as c:
        assert receipts.of(c, A) == Summary(reports=2, runs=3, first_ms=ARRIVED, last_ms=ARRIVED + 5, gaps=0)
        assert receipts.totals(c) == receipts.of(c, A)
        assert receipts.pairs(c, A, ONE) == [(1, first.header["digest"]), (2, second.header["digest"])]
        assert runs.of(c, A) == {ONE: Ranges(((1, 3),))}
        assert receipts.of(c, "b" * 16) == Summary(0, 0, 0, 0, 0)
    assert projection.cursor("pc") == 5


def test_runs_sealed_again_by_a_restored_folder_count_once(ledger: Ledger) -> None:
    """The same runs in a report of another epoch are received, not counted."""
    agent = FakeAgent()
    taken = [agent.run(at_ms) for at_ms in (1_000, 2_000)]
    first = agent.seal(3_000)
    restored = FakeAgent(epoch=TWO)
    restored.waiting = [*taken, restored.run(9_000)]
    apply(ledger, [first, restored.seal(10_000)])

    with ledger.read() as c:
        found = receipts.of(c, A)
        assert runs.of(c, A) == {ONE: Ranges(((1, 2),)), TWO: Ranges(((1, 1),))}

    assert (found.reports, found.runs) == (2, 3)


def test_the_latest_run_of_each_probe_is_kept(ledger: Ledger) -> None:
    """A late run changes nothing; an error is kept with its hint, made storable."""
    agent = FakeAgent()
    agent.run(5_000, "disk", status=Status.FAILED, error=RunError("smart\0ctl", "install it"))
    new = agent.seal(6_000)
    late = FakeAgent(epoch=TWO)
    late.run(4_000, "disk")
    late.run(4_000, "usage")
    apply(ledger, [new, late.seal(4_500)])

    with ledger.read() as c:
        found = {state.probe: state for state in states.probes(c)}
        assert states.probes(c, "b" * 16) == []

    assert found["disk"] == states.ProbeState(
        A, "disk", "failed", BOOT_AT + 5_000, f"{ONE}-1", True, "smart\ufffdctl", "install it"
    )
    assert (found["usage"].status, found["usage"].at_ms) == ("ok", BOOT_AT + 4_000)


def test_the_version_is_that_of_the_latest_report(ledger: Ledger) -> None:
    """A backlog of the version before an upgrade does not turn it back; a live birth tells it at once."""
    old, new = FakeAgent(version="1.0"), FakeAgent(version="1.1", epoch=TWO)
    backlog = old.seal(1_000)
    apply(ledger, [new.seal(9_000), backlog])
    with ledger.read() as c:
        assert states.get(c, A).version == "1.1"  # type: ignore[union-attr]
    newest = FakeAgent(version="1.2", epoch=THREE)
    apply(ledger, [newest.birth(20_000, live=False)])
    with ledger.read() as c:
        assert states.get(c, A).version == "1.1"  # type: ignore[union-attr]
    apply(ledger, [newest.birth(20_000)])
    with ledger.read() as c:
        (state,) = states.every(c)

    assert (state.version, state.epoch, state.report_ms) == ("1.2", THREE, BOOT_AT + 9_000)


def test_gap_records_are_counted_once(ledger: Ledger) -> None:
    """Dropped runs are visible; a restored folder that tells a gap again adds nothing."""
    gap = Gap("usage", 7, BOOT_AT, BOOT_AT + 9, "outbox_full")
    agent, restored = FakeAgent(), FakeAgent(epoch=TWO)
    apply(ledger, [agent.seal(1_000, gaps=[gap]), restored.seal(2_000, gaps=[gap, replace(gap, runs=1)])])

    with ledger.read() as c:
        assert receipts.of(c, A).gaps == 8
        assert [(one.probe, one.runs, one.reason) for one in runs.gaps(c, A)] == [
            ("usage", 1, "outbox_full"),
            ("usage", 7, "outbox_full"),
        ]


def test_clock_segments_are_taken_over(ledger: Ledger) -> None:
    """What ingest learnt of a boot is known again at the next start."""
    header = {"boot_id": "b1", "offset_ms": 123, "from_boot_ms": 5}
    ignored = [other("presence", A, {"path": "main"}), other("beats", A, {"path": "main", "state": "lost"})]
    apply(ledger, [other("clock", A, header), *ignored])

    with ledger.read() as c:
        assert clocks.every(c) == [clocks.Segment(A, "b1", 5, 123)]


def _busy_life() -> list[Entry]:
    """A bit of everything."""
    agent = FakeAgent()
    entries = [agent.birth(0), other("clock", A, {"boot_id": "b", "offset_ms": 1, "from_boot_ms": 0})]
    for number in range(1, 20):
        agent.run(number * 1_000)
        if number % 3 == 0:
            agent.run(number * 1_000, "hardware", facts=[disk("sda", size=number), disk("sdb")])
        if number % 5 == 0:
            agent.run(number * 1_000, "hardware", unchanged="f" * 64)
        if number % 7 == 0:
            agent.run(number * 1_000, "disk", status=Status.FAILED, error=RunError("x"))
        gaps = [Gap("usage", 1, number, number, "outbox_full")] if number % 4 == 0 else []
        entries.append(agent.seal(number * 1_000 + 1, arrived_ms=ARRIVED + number * 600_000, gaps=gaps))
    copy = FakeAgent(epoch=TWO, last=agent.last)
    entries += [copy.birth(50_000), copy.seal(51_000), agent.seal(60_000), copy.seal(61_000)]
    entries += [entries[3], entries[5], agent.birth(80_000)]
    image = FakeAgent(agent="b" * 16, epoch=THREE)
    return [*entries, image.seal(1_000), FakeAgent(agent="b" * 16, epoch=ONE).seal(900_000)]


@pytest.mark.parametrize("batch", [1, 4, 500])
def test_a_replay_gives_the_same_tables(ledger: Ledger, batch: int) -> None:
    """However the journal was cut into batches then and is now."""
    entries = _busy_life()
    projection = apply(ledger, entries, batch=7)
    before = _tables(ledger)
    projection.reset()
    emptied = _tables(ledger)
    apply(ledger, entries, batch=batch)

    assert all(not rows for rows in emptied.values())
    assert {"clone", "state_lost", "inventory_missing"} <= {row[1] for row in before["findings"]}
    assert _tables(ledger) == before


def test_a_reset_leaves_what_is_not_derived(ledger: Ledger) -> None:
    """Machines and people's decisions stay; a finding that a person closed does not come back."""
    entries = _busy_life()
    projection = apply(ledger, entries)
    with ledger.write() as c:
        machines.add(c, Machine(A, "Máy 1", "", "pc", 1))
        chosen = next(one for one in findings.every(c) if one.kind == "clone")
        findings.close(c, chosen.id, 5, "lan")
    before = _tables(ledger)
    projection.reset()

    with ledger.read() as c:
        assert machines.get(c, A) is not None
        assert [(one.id, one.closed_by) for one in findings.every(c, open_only=False)] == [(chosen.id, "lan")]
    apply(ledger, entries)
    assert _tables(ledger) == before


def test_a_batch_with_a_broken_entry_leaves_nothing(ledger: Ledger) -> None:
    """Its error reaches the worker; the others are applied when it calls without that entry."""
    good, bad = (
        FakeAgent().seal(1_000),
        other("report", A, {"epoch": ONE, "seq": 9, "digest": "0" * 64}, b"{"),
    )
    with pytest.raises(WireError):
        apply(ledger, [good, bad])
    with ledger.read() as c:
        assert receipts.totals(c).reports == 0

    projection = apply(ledger, [good])
    projection.apply("pc", [], 2)
    assert projection.cursor("pc") == 2


def test_hostile_texts_are_stored_harmlessly(ledger: Ledger) -> None:
    """NUL, quotes and right-to-left marks in keys and fields come back or are replaced, never refused."""
    agent = FakeAgent()
    nasty = "\0'; DROP TABLE facts; --\u202e%s{}"
    agent.run(1_000, "hardware", facts=[disk(nasty, model=nasty)])
    entry = agent.seal(2_000, gaps=[Gap("usage", 1, 0, 0, nasty)])
    apply(ledger, [entry])

    with ledger.read() as c:
        (row,) = facts.of(c, A)
    assert row.key == nasty.replace("\0", "\ufffd")
    assert row.fields == {"model": nasty}


def test_a_long_trimmed_ledger_takes_no_resend_for_a_clone(ledger: Ledger) -> None:
    """Receipts are kept for a time; a very late resend whose receipt is gone is still a repetition."""
    first = FakeAgent().seal(1_000)
    apply(ledger, [first])
    with ledger.write() as c:
        assert receipts.retain(c, ARRIVED + 10**9) == 1
    apply(ledger, [first])

    assert opened(ledger) == set()
    with ledger.read() as c:
        assert receipts.of(c, A).reports == 1


def test_an_unreachable_database_asks_to_be_called_again() -> None:
    """The worker waits and repeats the same call; nothing is skipped."""
    ledger = Ledger("postgresql://hatang@127.0.0.1:1/none")
    projection = LedgerProjection(ledger)
    for act in (
        lambda: projection.cursor("pc"),
        lambda: projection.apply("pc", [FakeAgent().seal(1)], 1),
        projection.reset,
    ):
        with pytest.raises(StoreUnavailable) as caught:
            act()
        assert "database running" in caught.value.hint
    ledger.close()


def test_receipts_pack_and_unpack() -> None:
    """Forty bytes a report."""
    pairs = [(1, "0" * 64), (2**53, codec.digest(b"x"))]

    assert receipts.unpack(receipts.pack(pairs)) == pairs
    assert len(receipts.pack(pairs)) == 80
