"""Facts through the ledger projection: replaced, confirmed, closed, missing; on both databases."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from hatang_agent.wire.report import Status
from hatang_collector.ledger import facts
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.tables import FACT_SETS
from ledger.fake_agent import ARRIVED, BOOT_AT, FakeAgent, disk
from ledger.projecting import apply, opened

A = "a" * 16
ONE, TWO = "1" * 16, "2" * 16


def test_facts_of_a_newer_run_replace_those_of_the_probe(ledger: Ledger) -> None:
    """What stays keeps its beginning, what changed begins anew, what went is closed."""
    agent = FakeAgent()
    agent.run(1_000, "hardware", facts=[disk("sda", size=1), disk("sdb", size=2), disk("sdc", size=3)])
    agent.run(1_000, "other", facts=[disk("sda", of="another probe")])
    agent.run(2_000, "hardware", facts=[disk("sdc", size=3), disk("sda", size=9), disk("new", size=4)])
    apply(ledger, [agent.seal(3_000)])

    with ledger.read() as c:
        found = facts.of(c, A)
        assert facts.every(c, "disk") == found
        assert facts.every(c, "none") == []
        gone = [(row.key, row.since_ms, row.closed_ms, row.fields) for row in facts.closed(c, A)]
    seen = {
        (row.probe, row.key): (row.fields, row.since_ms - BOOT_AT, row.seen_ms - BOOT_AT) for row in found
    }

    assert seen == {
        ("hardware", "new"): ({"size": 4}, 2_000, 2_000),
        ("hardware", "sda"): ({"size": 9}, 2_000, 2_000),
        ("hardware", "sdc"): ({"size": 3}, 1_000, 2_000),
        ("other", "sda"): ({"of": "another probe"}, 1_000, 1_000),
    }
    assert {row.run_id for row in found if row.probe == "hardware"} == {f"{ONE}-3"}
    assert sorted(gone) == [
        ("sda", BOOT_AT + 1_000, BOOT_AT + 2_000, {"size": 1}),
        ("sdb", BOOT_AT + 1_000, BOOT_AT + 2_000, {"size": 2}),
    ]


def test_an_older_run_never_overwrites_a_newer_fact(ledger: Ledger) -> None:
    """Newest first, then the backlog: the newest stays."""
    agent = FakeAgent()
    agent.run(1_000, "hardware", facts=[disk("old")])
    old = agent.seal(1_500)
    agent.run(2_000, "hardware", facts=[disk("new")])
    apply(ledger, [agent.seal(2_500), old])

    with ledger.read() as c:
        assert [(row.key, row.seen_ms) for row in facts.of(c, A)] == [("new", BOOT_AT + 2_000)]


def test_a_wrong_clock_does_not_outlive_true_runs(ledger: Ledger) -> None:
    """A run that claims to be of next year, on a clock nobody knows, counts as of its arrival at most."""
    future = FakeAgent(epoch=TWO, certain=False)
    future.run(10**12, "hardware", facts=[disk("future")])
    agent = FakeAgent(epoch=ONE)
    agent.run(ARRIVED - BOOT_AT + 60_000, "hardware", facts=[disk("true")])
    apply(ledger, [future.seal(10**12), agent.seal(ARRIVED - BOOT_AT + 61_000)])

    with ledger.read() as c:
        assert [(row.key, row.certain) for row in facts.of(c, A)] == [("true", True)]


@pytest.mark.parametrize("status", [Status.OK, Status.NO_DATA])
def test_a_run_that_finds_nothing_closes_the_facts(ledger: Ledger, status: Status) -> None:
    """The last disk was pulled: nothing is in force any more."""
    agent = FakeAgent()
    agent.run(1_000, "hardware", facts=[disk("sda")])
    agent.run(2_000, "hardware", status=status)
    apply(ledger, [agent.seal(3_000)])

    with ledger.read() as c:
        assert facts.of(c, A) == []
        assert [row.key for row in facts.closed(c, A)] == ["sda"]


@pytest.mark.parametrize("status", [Status.FAILED, Status.TIMEOUT, Status.DISABLED])
def test_a_run_that_failed_leaves_the_facts(ledger: Ledger, status: Status) -> None:
    """Not measured is not gone."""
    agent = FakeAgent()
    agent.run(1_000, "hardware", facts=[disk("sda")])
    agent.run(2_000, "hardware", status=status)
    apply(ledger, [agent.seal(3_000)])

    with ledger.read() as c:
        assert [(row.key, row.seen_ms) for row in facts.of(c, A)] == [("sda", BOOT_AT + 1_000)]


def test_an_unchanged_inventory_is_confirmed(ledger: Ledger) -> None:
    """A few bytes a day keep the facts fresh; a late confirmation moves nothing back."""
    agent = FakeAgent()
    full = agent.run(1_000, "hardware", facts=[disk("sda")])
    agent.run(5_000, "hardware", unchanged=full.facts_digest)
    agent.run(4_000, "hardware", unchanged=full.facts_digest, run_id=f"{TWO}-1")
    apply(ledger, [agent.seal(6_000)])

    with ledger.read() as c:
        (row,) = facts.of(c, A)

    assert (row.since_ms, row.seen_ms, row.run_id) == (BOOT_AT + 1_000, BOOT_AT + 5_000, f"{ONE}-1")
    assert opened(ledger) == set()


def test_an_unchanged_inventory_that_came_before_comes_back(ledger: Ledger) -> None:
    """Two copies of one identity may take turns: the set meant is put in force by its digest."""
    agent = FakeAgent()
    first = agent.run(1_000, "hardware", facts=[disk("sda")])
    apply(ledger, [agent.seal(1_500)])
    agent.run(2_000, "hardware", facts=[disk("sdb")])
    apply(ledger, [agent.seal(2_500)])
    agent.run(3_000, "hardware", unchanged=first.facts_digest)
    apply(ledger, [agent.seal(3_500)])

    with ledger.read() as c:
        (row,) = facts.of(c, A)

    assert (row.key, row.run_id) == ("sda", f"{ONE}-1")
    assert opened(ledger) == set()


def test_an_unchanged_inventory_that_never_came_is_told(ledger: Ledger) -> None:
    """The facts held stay as they are, dated as they are; the finding ends when the set arrives."""
    agent = FakeAgent()
    agent.run(1_000, "hardware", facts=[disk("sda")])
    shown = agent.run(2_000, "hardware", facts=[disk("sdb")])
    kept, lost = agent.waiting
    agent.waiting = [kept]
    first = agent.seal(2_500)
    agent.run(3_000, "hardware", unchanged=shown.facts_digest)
    apply(ledger, [first, agent.seal(3_500)])

    with ledger.read() as c:
        before = [(row.key, row.seen_ms - BOOT_AT) for row in facts.of(c, A)]
    assert before == [("sda", 1_000)]
    assert opened(ledger) == {("inventory_missing", f"hardware:{shown.facts_digest[:12]}")}

    agent.waiting = [lost]
    apply(ledger, [agent.seal(4_000)])

    with ledger.read() as c:
        after = [(row.key, row.since_ms - BOOT_AT, row.seen_ms - BOOT_AT) for row in facts.of(c, A)]
    assert after == [("sdb", 3_000, 3_000)]
    assert opened(ledger) == set()


def test_only_the_latest_sets_are_remembered(ledger: Ledger) -> None:
    """A probe whose facts change all the time does not fill the ledger."""
    agent = FakeAgent()
    for number in range(1, 9):
        agent.run(number * 1_000, "hardware", facts=[disk("sda", size=number)])
        apply(ledger, [agent.seal(number * 1_000 + 500)])

    with ledger.read() as c:
        assert len(c.execute(sa.select(FACT_SETS)).all()) == 4
    with ledger.write() as c:
        assert facts.retain(c, BOOT_AT + 4_000) == 2
        assert len(facts.closed(c, A)) == 5
