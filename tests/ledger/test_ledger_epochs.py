"""Epochs through the ledger projection: clones, restored and wiped folders; on both databases."""

from __future__ import annotations

from dataclasses import replace

from hatang_collector.ledger import epochs, findings, receipts, states
from hatang_collector.ledger.engine import Ledger
from ledger.fake_agent import FakeAgent
from ledger.projecting import apply, opened

A = "a" * 16
ONE, TWO, THREE = "1" * 16, "2" * 16, "3" * 16


def test_a_killed_agent_raises_nothing(ledger: Ledger) -> None:
    """Its sealed reports arrive after its next start: all counted, no finding."""
    agent = FakeAgent()
    entries = [agent.birth(0)]
    old = []
    for number in range(1, 6):
        agent.run(number * 1_000)
        old.append(agent.seal(number * 1_000 + 1))
    again = agent.restart(TWO)
    entries.append(again.birth(60_000))
    again.run(61_000)
    entries.append(again.seal(61_001))
    apply(ledger, [*entries, *reversed(old)], batch=2)

    assert opened(ledger) == set()
    with ledger.read() as c:
        assert receipts.of(c, A).runs == 6
        assert [epoch.epoch for epoch in epochs.of(c, A)] == [ONE, TWO]
        assert states.get(c, A).epoch == TWO  # type: ignore[union-attr]


def test_a_clone_is_found_and_told_once(ledger: Ledger) -> None:
    """The copy starts while the original goes on: one finding, however long both run."""
    agent = FakeAgent()
    entries = [agent.birth(0), agent.seal(1_000)]
    copy = agent.restart(TWO)
    entries += [copy.birth(50_000), copy.seal(51_000)]
    for number in range(1, 5):
        entries += [agent.seal(60_000 + number * 1_000), copy.seal(60_500 + number * 1_000)]
    apply(ledger, entries, batch=3)

    assert opened(ledger) == {("clone", TWO)}


def test_a_copy_of_a_running_machine_is_found_by_two_digests(ledger: Ledger) -> None:
    """Same epoch, same number, other bytes: both reports are received, neither is lost."""
    agent = FakeAgent()
    first = agent.seal(1_000)
    twin = replace(agent, waiting=[])
    agent.run(2_000)
    twin.run(2_100)
    twin.run(2_200)
    mine, theirs = agent.seal(3_000), twin.seal(3_100)
    apply(ledger, [first, mine])
    apply(ledger, [theirs, theirs, mine])

    assert opened(ledger) == {("clone", ONE)}
    with ledger.read() as c:
        expected = [(1, first.header["digest"])]
        expected += sorted((2, entry.header["digest"]) for entry in (mine, theirs))
        assert receipts.pairs(c, A, ONE) == expected


def test_a_restored_and_a_wiped_folder_are_told_apart(ledger: Ledger) -> None:
    """Set back: restored. Wiped: state lost. Normal restarts after either: nothing more."""
    agent = FakeAgent()
    entries = [agent.birth(0), agent.seal(1_000)]
    image = agent.restart(TWO)
    entries += [agent.seal(2_000), agent.seal(3_000), image.birth(100_000), image.seal(101_000)]
    wiped = FakeAgent(epoch=THREE)
    entries += [wiped.birth(200_000), wiped.seal(201_000)]
    normal = wiped.restart("4" * 16)
    entries += [normal.birth(300_000), normal.seal(301_000)]
    apply(ledger, entries)

    assert opened(ledger) == {("restored", TWO), ("state_lost", THREE)}


def test_a_finding_that_turns_out_otherwise_is_withdrawn(ledger: Ledger) -> None:
    """It looked restored until a report showed that the original still runs: then it is a clone."""
    agent = FakeAgent()
    entries = [agent.birth(0), agent.seal(1_000)]
    copy = agent.restart(TWO)
    entries += [agent.seal(2_000), copy.birth(100_000), copy.seal(101_000)]
    apply(ledger, entries)
    assert opened(ledger) == {("restored", TWO)}

    apply(ledger, [agent.seal(150_000)])

    assert opened(ledger) == {("clone", TWO)}
    with ledger.read() as c:
        closed = {one.kind: one.closed_by for one in findings.every(c, open_only=False)}
    assert closed == {"restored": findings.WITHDRAWN, "clone": None}
