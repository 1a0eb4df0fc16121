"""The checklist of an office says what is here, what is missing, and what to do about it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.offices.arrivals import (
    ENROL_PATIENCE_MS,
    REPORT_PATIENCE_MS,
    Arrivals,
    Contract,
    GroupCount,
    Invited,
    Member,
    Stage,
    Step,
    arrivals,
    news,
)

NOW = 1_795_137_960_000
DAY = 86_400_000
PROBE = Invited("probe", 1, 0, NOW, NOW + 14 * DAY)
PCS = Invited("pc", 3, 0, NOW, NOW + 14 * DAY, {"cbcc": 2, "chung": 1})
DECLARED = Contract("CPNET VNPT", complete=True)


def pc(number: int, group: str = "cbcc", *, reported: bool = True, came_ms: int = NOW) -> Member:
    """A PC that has just come."""
    return Member(f"agent{number}", f"PC {number}", "pc", group, came_ms, came_ms if reported else None)


def probe(*, reported: bool = True) -> Member:
    """The site probe."""
    return Member("probe", "Trạm đo", "probe", "", NOW, NOW if reported else None)


def steps(found: Arrivals) -> list[Step]:
    """What to do next."""
    return [one.step for one in found.todo]


def test_a_new_office_waits() -> None:
    """Everything is missing, nothing is late, and the deadline is told."""
    found = arrivals([], [PROBE, PCS], [DECLARED], NOW)
    assert (found.probe, found.missing, found.pcs, found.complete) == (Stage.WAITING, 3, 0, False)
    assert found.groups == (GroupCount("cbcc", 0, 2), GroupCount("chung", 0, 1))
    assert found.deadline_ms == NOW + 14 * DAY
    assert steps(found) == [Step.WAIT]


def test_the_probe_goes_through_its_stages() -> None:
    """Waiting, enrolled, has reported; no stage where none is wanted."""
    used = replace(PROBE, used=1)
    assert arrivals([], [PROBE], [], NOW).probe is Stage.WAITING
    assert arrivals([probe(reported=False)], [used], [], NOW).probe is Stage.ENROLLED
    assert arrivals([probe()], [used], [], NOW).probe is Stage.REPORTING
    assert arrivals([], [PCS], [], NOW).probe is None


def test_arrived_machines_are_counted_by_group() -> None:
    """A group nobody asked for is shown as it is, without a number to reach."""
    members = [pc(1), pc(2, "vien_chuc", reported=False)]
    found = arrivals(members, [replace(PCS, used=2)], [], NOW)
    assert (found.pcs, found.reporting, found.missing) == (2, 1, 1)
    assert found.groups == (
        GroupCount("cbcc", 1, 2),
        GroupCount("chung", 0, 1),
        GroupCount("vien_chuc", 1, None),
    )


def test_everybody_here_is_done() -> None:
    """Only when all have reported."""
    members = [probe(), pc(1), pc(2), pc(3, "chung")]
    tokens = [replace(PROBE, used=1), replace(PCS, used=3)]
    found = arrivals(members, tokens, [DECLARED], NOW)
    assert found.complete
    assert steps(found) == [Step.DONE]
    assert found.deadline_ms is None
    silent = arrivals([*members[:3], pc(3, "chung", reported=False)], tokens, [DECLARED], NOW)
    assert not silent.complete
    assert steps(silent) == [Step.WAIT]


def test_after_some_minutes_the_next_step_is_told() -> None:
    """Who has not enrolled is to run the line, who has not reported is to be looked at."""
    late = NOW + ENROL_PATIENCE_MS
    assert steps(arrivals([], [PROBE, PCS], [], late - 1)) == [Step.WAIT]
    assert steps(arrivals([], [PROBE, PCS], [], late)) == [Step.PROBE_ENROL, Step.PCS_ENROL]
    found = arrivals([probe(reported=False), pc(1, reported=False)], [], [], NOW + REPORT_PATIENCE_MS)
    assert [(one.step, one.names, one.count) for one in found.todo] == [
        (Step.PROBE_DOCTOR, ("Trạm đo",), 1),
        (Step.PCS_DOCTOR, ("PC 1",), 1),
    ]


def test_nobody_is_hurried_while_machines_arrive() -> None:
    """Somebody walks from machine to machine; each arrival starts the patience again."""
    came = pc(1, came_ms=NOW + ENROL_PATIENCE_MS)
    token = replace(PCS, used=1)
    assert steps(arrivals([came], [token], [], NOW + 2 * ENROL_PATIENCE_MS - 1)) == [Step.WAIT]
    assert steps(arrivals([came], [token], [], NOW + 2 * ENROL_PATIENCE_MS)) == [Step.PCS_ENROL]


def test_expired_tokens_ask_for_new_ones() -> None:
    """The machines are still missing; running the old line would be in vain."""
    found = arrivals([pc(1)], [replace(PCS, used=1)], [], NOW + 14 * DAY)
    assert found.expired
    assert [(one.step, one.count) for one in found.todo] == [(Step.NEW_TOKENS, 2)]


def test_a_machine_that_got_its_identity_back_has_come() -> None:
    """It did not use the token up, and yet nobody waits for it."""
    back = replace(probe(), enrolled_ms=NOW - 90 * DAY, returned_ms=NOW + 1)
    found = arrivals([back], [PROBE], [], NOW + ENROL_PATIENCE_MS)
    assert (found.probe, found.deadline_ms) == (Stage.REPORTING, None)
    assert steps(found) == [Step.DONE]
    earlier = arrivals([replace(back, returned_ms=NOW - 1)], [PROBE], [], NOW + ENROL_PATIENCE_MS)
    assert steps(earlier) == [Step.PROBE_ENROL]


def test_links_without_a_contract_are_named() -> None:
    """The last thing to do, and no reason to wait."""
    found = arrivals([pc(1)], [], [DECLARED, Contract("FTTH", complete=False)], NOW)
    assert [(one.step, one.names) for one in found.todo] == [(Step.CONTRACTS, ("FTTH",)), (Step.DONE, ())]
    assert found.complete


def test_an_office_without_machines_has_nothing_to_wait_for() -> None:
    """Neither done nor late."""
    assert steps(arrivals([], [], [], NOW)) == [Step.NOTHING]


def test_news_are_who_came_further() -> None:
    """Each stage of each machine is told once."""
    first = arrivals([pc(1, reported=False)], [PCS], [], NOW)
    second = arrivals([pc(1), pc(2, reported=False)], [PCS], [], NOW)
    assert [one.agent for one in news(None, first)] == ["agent1"]
    assert [(one.agent, one.stage) for one in news(first, second)] == [
        ("agent1", Stage.REPORTING),
        ("agent2", Stage.ENROLLED),
    ]
    assert news(second, second) == []


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[Member], list[Invited], int]:
    """Members and tokens of any kind."""
    times = st.integers(NOW - DAY, NOW + DAY)
    groups = st.sampled_from(["", "cbcc", "chung"])
    members = [
        Member(
            str(number),
            str(number),
            draw(st.sampled_from(["pc", "probe"])),
            draw(groups),
            draw(times),
            draw(st.none() | times),
            draw(st.none() | times),
        )
        for number in range(draw(st.integers(0, 6)))
    ]
    tokens = []
    for _ in range(draw(st.integers(0, 3))):
        uses = draw(st.integers(1, 9))
        role = draw(st.sampled_from(["pc", "probe"]))
        machines = draw(st.dictionaries(groups, st.integers(1, 9))) if role == "pc" else {}
        used = draw(st.integers(0, uses))
        tokens.append(Invited(role, uses, used, draw(times), draw(times), machines))
    return members, tokens, draw(times)


@given(situations())
def test_the_checklist_never_contradicts_itself(
    situation: tuple[list[Member], list[Invited], int],
) -> None:
    """Something is always said; done is said only when nothing is missing; no count is below zero."""
    members, tokens, now_ms = situation
    found = arrivals(members, tokens, [], now_ms)
    assert found.todo
    assert 0 <= found.missing <= sum(one.uses - one.used for one in tokens if one.role == "pc")
    assert sum(one.here for one in found.groups) == found.pcs
    assert all(one.wanted is None or one.wanted >= one.here for one in found.groups)
    if Step.DONE in steps(found):
        assert found.complete
        assert found.deadline_ms is None
    if found.missing and not found.expired:
        assert {Step.WAIT, Step.PCS_ENROL, Step.PROBE_ENROL, Step.PROBE_DOCTOR, Step.PCS_DOCTOR} & set(
            steps(found)
        )


@pytest.mark.parametrize("order", [1, -1])
def test_the_probe_stands_first_then_who_came_first(order: int) -> None:
    """In whatever order the ledger tells them."""
    members = [pc(2, came_ms=NOW + 1), probe(), pc(1)][::order]
    assert [one.agent for one in arrivals(members, [], [], NOW).members] == ["probe", "agent1", "agent2"]
