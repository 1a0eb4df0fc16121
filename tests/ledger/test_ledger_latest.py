"""The latest facts of machines for figures: which are read, as of when, who reported; on both databases."""

from __future__ import annotations

from hatang_agent.wire.report import Fact, Status
from hatang_collector.ledger import latest, machines
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.machines import Machine
from ledger.fake_agent import BOOT_AT, FakeAgent
from ledger.projecting import apply

A, B = "a" * 16, "b" * 16
PROBES, KINDS = ("firewall", "networks"), ("firewall", "network_reach")


def wall(state: str) -> Fact:
    """The fact of a firewall."""
    return Fact("firewall", "", {"state": state})


def states(ledger: Ledger, *agents: str, at_ms: int | None = None) -> list[tuple[str, object, int]]:
    """Agent, state and when it was confirmed, of every fact that is read."""
    with ledger.read() as c:
        found = (
            latest.facts(c, PROBES, KINDS, agents)
            if at_ms is None
            else latest.facts_at(c, PROBES, KINDS, at_ms, agents)
        )
        return sorted((one.agent, one.fields["state"], one.seen_ms - BOOT_AT) for one in found)


def test_facts_of_some_agents_with_their_latest_confirmation(ledger: Ledger) -> None:
    """Only the agents asked for, only these probes and kinds; confirmed by the latest run that says so."""
    first, second = FakeAgent(A), FakeAgent(B, "2" * 16)
    for one in (first, second):
        one.run(1_000, "firewall", facts=[wall("on"), Fact("other", "", {"state": "x"})])
        one.run(1_000, "else", facts=[wall("of another probe")])
    first.run(5_000, "firewall", facts=[wall("on"), Fact("other", "", {"state": "x"})])
    apply(ledger, [first.seal(6_000), second.seal(6_000)])
    assert states(ledger, A) == [(A, "on", 5_000)]
    assert states(ledger, A, B, "nobody") == [(A, "on", 5_000), (B, "on", 1_000)]
    assert states(ledger) == []


def test_facts_as_they_were(ledger: Ledger) -> None:
    """At a moment exactly one version holds: from the run that told it until the one that replaced it."""
    agent = FakeAgent(A)
    agent.run(1_000, "firewall", facts=[wall("on")])
    agent.run(3_000, "firewall", facts=[wall("off")])
    apply(ledger, [agent.seal(4_000)])
    for at_ms, wanted in ((999, []), (1_000, ["on"]), (2_999, ["on"]), (3_000, ["off"]), (9_000, ["off"])):
        assert [state for _, state, _ in states(ledger, A, at_ms=BOOT_AT + at_ms)] == wanted, at_ms


def test_reports_rise_with_every_report_and_runs_end(ledger: Ledger) -> None:
    """The number of reports is what says that facts may have changed; a failed run is told as such."""
    agent = FakeAgent(A)
    agent.run(1_000, "firewall", facts=[wall("on")])
    apply(ledger, [agent.seal(1_500)])
    with ledger.read() as c:
        assert latest.reports(c) == {A: 1}
    agent.run(2_000, "firewall", status=Status.TIMEOUT)
    apply(ledger, [agent.seal(2_500)])
    with ledger.read() as c:
        assert latest.reports(c) == {A: 2}
        assert list(latest.ended(c, PROBES, [A, B])) == [(A, "firewall", "timeout", BOOT_AT + 2_000)]
    assert states(ledger, A) == [(A, "on", 1_000)], "a run that failed confirms nothing"


def test_machines_by_agent(ledger: Ledger) -> None:
    """More than one statement's worth of them; who is unknown is missing."""
    agents = [f"{number:016d}" for number in range(1_200)]
    with ledger.write() as c:
        for number, agent in enumerate(agents):
            machines.add(c, Machine(agent, f"Máy {number}", "", "pc", 1))
    with ledger.read() as c:
        found = latest.machines(c, [*agents, "nobody"])
    assert sorted(found) == agents
    assert found[agents[7]].label == "Máy 7"
