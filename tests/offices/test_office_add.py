"""An office is written as a whole or not at all, with tokens that place its machines, and no secret kept."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest

from hatang_collector.broker.enrol import RE_ENROLLED
from hatang_collector.domain.dated import BEGINNING, on
from hatang_collector.domain.estate import Estate, Link, LinkKind, Placement, SiteUnit, Unit
from hatang_collector.domain.localtime import day_of
from hatang_collector.domain.tree import Tree
from hatang_collector.ledger import audit, findings, machines, placements, tokens
from hatang_collector.ledger import estate as estates
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.machines import Machine
from hatang_collector.offices import gather
from hatang_collector.offices.add import OfficeAdded, OfficeRefused, add, end_link, invite, put_link
from hatang_collector.offices.arrivals import Arrivals, Stage
from hatang_collector.offices.request import NewLink, NewUnit, OfficeRequest, Wanted

NOW = 1_795_137_960_000
TODAY = day_of(NOW)
DAY_MS = 86_400_000
OFFICE = OfficeRequest(
    "20161",
    "UBND xã Khe Tre",
    NewUnit("20161", "UBND xã Khe Tre"),
    address="Thôn 1",
    links=(NewLink(LinkKind.CPNET, "VNPT", 20.0, 20.0), NewLink(LinkKind.FTTH, "Viettel", 150.0)),
    wanted=Wanted({"cbcc": 12, "chung": 2}, probe=True, days=14),
)


def added(ledger: Ledger, request: OfficeRequest = OFFICE, now_ms: int = NOW) -> OfficeAdded:
    """The office, written by an administrator."""
    return add(ledger, request, who="lan", role="admin", now_ms=now_ms)


def estate(ledger: Ledger) -> Estate:
    """All that is declared."""
    with ledger.read() as c:
        return estates.load(c)


def acts(ledger: Ledger) -> list[tuple[str, str]]:
    """(action, subject) of every act, oldest first."""
    with ledger.read() as c:
        return [(one.action, one.subject) for one in reversed(audit.latest(c))]


def checklist(ledger: Ledger, site: str = "20161", now_ms: int = NOW) -> Arrivals:
    """What the page shows."""
    declared = estate(ledger)
    tree = Tree(declared.units, declared.successions)
    with ledger.read() as c:
        here = gather.agents_at(declared, tree, placements.current(c), site, TODAY)
        links = [link for link in on(declared.links, TODAY) if link.site == site]
        return gather.gather(c, site, here, links, ["cbcc", "chung"], now_ms)


def enrolled(ledger: Ledger, token: str, agent: str, group: str = "") -> None:
    """What an enrolment does in the ledger."""
    with ledger.write() as c:
        claimed = tokens.claim(c, token, NOW)
        assert isinstance(claimed, tokens.EnrolToken)
        machines.add(c, Machine(agent, f"Máy {agent}", "", claimed.role, NOW))
        group = group or claimed.staff_group
        placements.put(c, Placement(agent, NOW, claimed.unit, claimed.site, group, "enrolment"))


def test_an_office_is_written_with_its_tokens(ledger: Ledger) -> None:
    """Unit, site, links, one token for the probe and one for the PCs, each act in the log."""
    done = added(ledger)
    found = estate(ledger)
    assert found.units == (Unit("20161", "UBND xã Khe Tre"),)
    assert found.site_units == (SiteUnit("20161", "20161"),)
    assert [(one.code, one.name, one.address, one.hours) for one in found.sites] == [
        ("20161", "UBND xã Khe Tre", "Thôn 1", "")
    ]
    assert {(one.code, one.provider, one.down_mbps, one.up_mbps) for one in found.links} == {
        ("20161-cpnet", "VNPT", 20.0, 20.0),
        ("20161-ftth", "Viettel", 150.0, None),
    }
    probe, pcs = done.invitations
    assert (probe.role, probe.uses, dict(probe.machines)) == ("probe", 1, {})
    assert (pcs.role, pcs.uses, dict(pcs.machines)) == ("pc", 14, {"cbcc": 12, "chung": 2})
    assert {one.expires_ms for one in done.invitations} == {NOW + 14 * DAY_MS}
    with ledger.read() as c:
        stored = {one.id: one for one in tokens.every(c)}
    assert {(one.unit, one.site, one.staff_group) for one in stored.values()} == {("20161", "20161", "")}
    assert [action for action, _ in acts(ledger)][-2:] == ["token.create", "token.create"]
    assert ("unit.add", "20161") in acts(ledger)


def test_no_secret_is_kept(ledger: Ledger) -> None:
    """The texts of the tokens are in no row of the log and in no row of the tokens."""
    done = added(ledger)
    with ledger.read() as c:
        kept = str(audit.latest(c)) + str(tokens.every(c))
    for one in done.invitations:
        public, _, secret = one.token.partition("-")
        assert public in kept
        assert secret not in kept


def test_a_single_group_is_known_to_the_token(ledger: Ledger) -> None:
    """Then the line needs no option, and nobody can forget it."""
    done = added(ledger, replace(OFFICE, wanted=Wanted({"chung": 3}, probe=False)))
    with ledger.read() as c:
        (token,) = tokens.every(c)
    assert (token.staff_group, token.uses) == ("chung", 3)
    assert [one.role for one in done.invitations] == ["pc"]


def test_an_office_without_machines_has_no_tokens(ledger: Ledger) -> None:
    """Declared now, machines later."""
    assert added(ledger, replace(OFFICE, wanted=Wanted(probe=False))).invitations == ()
    assert len(estate(ledger).sites) == 1


def test_the_same_office_twice_is_refused(ledger: Ledger) -> None:
    """A second click changes nothing and makes no token."""
    added(ledger)
    before = acts(ledger)
    with pytest.raises(OfficeRefused) as refused:
        added(ledger)
    assert {name: one.code for name, one in refused.value.faults.items()} == {
        "unit_code": "code_taken",
        "unit_name": "unit_exists",
        "site_name": "site_exists",
    }
    assert acts(ledger) == before


def test_of_two_at_once_one_wins(ledger: Ledger) -> None:
    """Two administrators with the same office: one office, one set of tokens."""

    def attempt(_: int) -> bool:
        try:
            added(ledger)
        except OfficeRefused:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == [False, False, False, True]
    with ledger.read() as c:
        assert len(tokens.every(c)) == 2


def test_arrivals_follow_the_ledger(ledger: Ledger) -> None:
    """Who enrols with the tokens appears, with group and stage; what is missing goes down."""
    probe, pcs = added(ledger).invitations
    assert (checklist(ledger).probe, checklist(ledger).missing) == (Stage.WAITING, 14)
    enrolled(ledger, probe.token, "p" * 16)
    enrolled(ledger, pcs.token, "a" * 16, "cbcc")
    found = checklist(ledger)
    assert (found.probe, found.pcs, found.missing) == (Stage.ENROLLED, 1, 13)
    assert [(one.staff_group, one.here, one.wanted) for one in found.groups] == [
        ("cbcc", 1, 12),
        ("chung", 0, 2),
    ]
    assert [(one.name, one.complete) for one in found.contracts] == [
        ("CPNET VNPT", True),
        ("FTTH Viettel", True),
    ]


def test_a_retired_or_moved_machine_is_not_here(ledger: Ledger) -> None:
    """Only what stands here today is counted."""
    _, pcs = added(ledger).invitations
    for agent in ("a" * 16, "b" * 16, "c" * 16):
        enrolled(ledger, pcs.token, agent)
    with ledger.write() as c:
        machines.retire(c, "a" * 16, NOW)
        placements.put(c, Placement("b" * 16, NOW + 1, "", "elsewhere"))
    assert [one.agent for one in checklist(ledger).members] == ["c" * 16]


def test_a_machine_placed_by_its_unit_stands_at_its_only_site(ledger: Ledger) -> None:
    """Where a unit has one site, its machines are there."""
    added(ledger)
    with ledger.write() as c:
        machines.add(c, Machine("a" * 16, "", "TS-1", "pc", NOW))
        placements.put(c, Placement("a" * 16, NOW, "20161"))
    assert [one.name for one in checklist(ledger).members] == ["TS-1"]


def test_a_recognised_machine_counts_as_come(ledger: Ledger) -> None:
    """A wiped probe that got its identity back with the new token is not waited for."""
    probe, _ = added(ledger).invitations
    enrolled(ledger, probe.token, "p" * 16)
    later = NOW + 1000
    invite(ledger, "20161", "20161", Wanted(), who="lan", role="admin", now_ms=later)
    assert checklist(ledger, now_ms=later).deadline_ms is not None
    with ledger.write() as c:
        findings.open_finding(c, RE_ENROLLED, "p" * 16, "1", later + 1, "")
        (finding,) = findings.every(c)
        findings.close(c, finding.id, later + 2, "lan")
    found = checklist(ledger, now_ms=later + 2)
    assert [one.step for one in found.todo if one.step.startswith("probe")] == []


def test_new_tokens_replace_those_that_were_lost(ledger: Ledger) -> None:
    """Old ones of the same role give no right any more, others do; what is missing is not counted twice."""
    probe, pcs = added(ledger).invitations
    enrolled(ledger, pcs.token, "a" * 16, "cbcc")
    wanted = Wanted({"cbcc": 11}, probe=False, days=3)
    (new,) = invite(ledger, "20161", "20161", wanted, who="lan", role="admin", now_ms=NOW + 1).invitations
    with ledger.read() as c:
        assert tokens.peek(c, pcs.token, NOW + 2) is tokens.TokenRefusal.REVOKED
        assert isinstance(tokens.peek(c, probe.token, NOW + 2), tokens.EnrolToken)
        assert isinstance(tokens.peek(c, new.token, NOW + 2), tokens.EnrolToken)
    assert checklist(ledger).missing == 11
    assert [action for action, _ in acts(ledger)][-2:] == ["token.revoke", "token.create"]


@pytest.mark.parametrize(("site", "unit"), [("nowhere", ""), ("20161", "46")])
def test_tokens_for_what_is_not_declared_are_refused(ledger: Ledger, site: str, unit: str) -> None:
    """No machine is ever placed nowhere."""
    added(ledger)
    with pytest.raises(OfficeRefused):
        invite(ledger, site, unit, Wanted(), who="lan", role="admin", now_ms=NOW)


def contracts(ledger: Ledger, code: str) -> Sequence[tuple[float | None, date, date | None]]:
    """The versions of a link."""
    found = [one for one in estate(ledger).links if one.code == code]
    return [
        (one.down_mbps, one.valid_from, one.valid_to) for one in sorted(found, key=lambda one: one.valid_from)
    ]


def test_a_contract_changes_from_a_day_on(ledger: Ledger) -> None:
    """The old one stays in the history, a second change of the same day corrects the first."""
    added(ledger)
    for mbps in (5.0, 50.0):
        link = NewLink(LinkKind.CPNET, "VNPT", mbps, 50.0)
        put_link(ledger, "20161", "20161-cpnet", link, TODAY, who="lan", role="admin", now_ms=NOW)
    assert contracts(ledger, "20161-cpnet") == [(20.0, BEGINNING, TODAY), (50.0, TODAY, None)]


def test_what_the_form_does_not_ask_stays(ledger: Ledger) -> None:
    """Number of the contract and purpose came from a register and are not lost."""
    added(ledger)
    number = Link("20161-ftth", "20161", LinkKind.FTTH, "Viettel", contract="HD-14", purpose="một cửa")

    def change(before: Estate) -> Estate:
        kept = tuple(one for one in before.links if one.code != number.code)
        return replace(before, links=(*kept, number))

    estates.edit(ledger, change, who="lan", role="admin", now_ms=NOW)
    link = NewLink(LinkKind.FTTH, "FPT", 300.0)
    put_link(ledger, "20161", "20161-ftth", link, TODAY, who="lan", role="admin", now_ms=NOW)
    (newest,) = [one for one in on(estate(ledger).links, TODAY) if one.code == "20161-ftth"]
    assert (newest.provider, newest.contract, newest.purpose) == ("FPT", "HD-14", "một cửa")


def test_a_link_is_added_and_ends(ledger: Ledger) -> None:
    """A second FTTH line has a code of its own; an ended one is kept as what was."""
    added(ledger)
    link = NewLink(LinkKind.FTTH, "FPT", 100.0)
    code = put_link(ledger, "20161", "", link, TODAY, who="lan", role="admin", now_ms=NOW)
    assert code == "20161-ftth-2"
    end = TODAY + timedelta(days=30)
    end_link(ledger, "20161", code, end, who="lan", role="admin", now_ms=NOW)
    assert contracts(ledger, code) == [(100.0, TODAY, end)]


def test_links_of_others_are_out_of_reach(ledger: Ledger) -> None:
    """The page of a site changes the links of this site."""
    added(ledger)
    link = NewLink(LinkKind.FTTH)
    for site, code in (("20161", "other"), ("nowhere", ""), ("nowhere", "20161-ftth")):
        with pytest.raises(OfficeRefused):
            put_link(ledger, site, code, link, TODAY, who="lan", role="admin", now_ms=NOW)
    with pytest.raises(OfficeRefused):
        end_link(ledger, "20161", "other", TODAY, who="lan", role="admin", now_ms=NOW)
