"""What epochs tell: clone, restored, state lost, or nothing; whatever the order of arrival."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatang_collector.domain import epochs as domain
from hatang_collector.domain.epochs import TOLERANCE_MS, Epoch, Kind, Opening, Reason

S = 1_000
Evidence = Callable[[dict[str, Epoch]], None]


def live(epoch: str, at_s: float) -> Evidence:
    """A birth heard as it was sent."""

    def take(known: dict[str, Epoch]) -> None:
        known[epoch] = domain.heard_live(known.get(epoch, Epoch(epoch)), int(at_s * S))

    return take


def report(epoch: str, seq: int, at_s: float | None, opening: Opening | None = None) -> Evidence:
    """A report sealed at that time; None: the time is uncertain."""

    def take(known: dict[str, Epoch]) -> None:
        sealed_ms = None if at_s is None else int(at_s * S)
        known[epoch] = domain.sealed(known.get(epoch, Epoch(epoch)), seq, sealed_ms, opening)

    return take


def conflict(epoch: str) -> Evidence:
    """Two digests under one number."""

    def take(known: dict[str, Epoch]) -> None:
        known[epoch] = domain.two_digests(known.get(epoch, Epoch(epoch)))

    return take


def life(
    epoch: str, start_s: float, reports: int, opening: Opening, *, first: int = 1, every_s: float = 10
) -> list[Evidence]:
    """A birth, then reports at a steady pace; the first one says what was before."""
    told: list[Evidence] = [live(epoch, start_s)]
    for number in range(first, first + reports):
        at_s = start_s + 1 + (number - first) * every_s
        told.append(report(epoch, number, at_s, opening if number == first else None))
    return told


def told(evidence: Iterable[Evidence]) -> dict[str, tuple[Kind, Reason]]:
    """The findings by epoch, after everything arrived."""
    known: dict[str, Epoch] = {}
    for take in evidence:
        take(known)
    return {epoch: (one.kind, one.reason) for epoch, one in domain.findings(known).items()}


FRESH = Opening()


def test_restarts_are_nothing() -> None:
    """Each epoch names the last report of the one before: an honest chain, also after a start in vain."""
    chain = [
        *life("a", 0, 5, FRESH),
        *life("b", 100, 5, Opening("a", 5)),
        live("c", 200),
        *life("d", 300, 5, Opening("b", 5)),
    ]

    assert told(chain) == {}


def test_late_reports_of_a_killed_agent_are_nothing() -> None:
    """Reports that the successor named arrive after it began: sent late, sealed before."""
    begin, *reports = life("a", 0, 10, FRESH)
    chain = [begin, *reports[:5], *life("b", 100, 3, Opening("a", 10)), *reports[5:]]

    assert told(chain) == {}


def test_late_reports_with_an_uncertain_clock_are_nothing() -> None:
    """A boot that was never heard live, killed, its reports delivered by the next start."""
    chain = [report("a", number, None, FRESH if number == 1 else None) for number in range(1, 9)]
    chain += life("b", 100, 3, Opening("a", 8))

    assert told(chain) == {}


def test_a_copied_folder_whose_original_goes_on_is_a_clone() -> None:
    """The original seals on behind the report that the copy knows as its last."""
    chain = [*life("a", 0, 30, FRESH), *life("b", 100, 5, Opening("a", 7))]

    assert told(chain) == {"b": (Kind.CLONE, Reason.SEALED_ON)}


def test_two_copies_that_start_from_one_folder_are_a_clone() -> None:
    """Both name the same report and live at the same time."""
    chain = [
        *life("a", 0, 5, FRESH),
        *life("b", 100, 20, Opening("a", 5)),
        *life("c", 110, 20, Opening("a", 5)),
    ]

    assert told(chain) == {"c": (Kind.CLONE, Reason.FORK_OVERLAPS)}


def test_two_that_connect_in_turns_are_a_clone() -> None:
    """The older one is heard again after the younger one was born."""
    chain = [*life("a", 0, 2, FRESH), *life("b", 100, 2, Opening("a", 2)), live("a", 120)]

    assert told(chain) == {"b": (Kind.CLONE, Reason.BOTH_LIVE)}


@pytest.mark.parametrize(("late_ms", "expected"), [(TOLERANCE_MS, {}), (TOLERANCE_MS + 1, {"b"})])
def test_a_birth_delivered_late_is_nothing(late_ms: int, expected: set[str]) -> None:
    """Up to five seconds of delivery the last words of the older one prove no second life."""
    chain = [live("a", 0), live("b", 100), live("a", 100 + late_ms / S)]

    assert set(told(chain)) == set(expected)


def test_two_digests_of_one_number_are_a_clone() -> None:
    """A machine that was copied while it ran goes on twice under one epoch."""
    assert told([*life("a", 0, 5, FRESH), conflict("a")]) == {"a": (Kind.CLONE, Reason.TWO_DIGESTS)}


def test_an_image_set_back_is_restored() -> None:
    """More reports are known than the folder remembers, and nothing overlaps."""
    chain = [*life("a", 0, 10, FRESH), *life("b", 500, 3, Opening("a", 4))]

    assert told(chain) == {"b": (Kind.RESTORED, Reason.SET_BACK)}


def test_a_restore_card_is_told_at_every_start() -> None:
    """Each morning starts from the same report: a fork without overlap, one finding a start."""
    chain = life("a", 0, 3, FRESH)
    for day in range(1, 4):
        chain += life(f"b{day}", day * 86_400, 5, Opening("a", 3))

    assert told(chain) == {"b2": (Kind.RESTORED, Reason.FORK), "b3": (Kind.RESTORED, Reason.FORK)}


def test_an_uncertain_clock_never_claims_an_overlap() -> None:
    """Without a certain time it is at most a fork, however the wall clocks stood."""
    chain = [report("a", number, None, FRESH if number == 1 else None) for number in range(1, 9)]
    chain += [report("b", number, None, Opening("a", 4) if number == 1 else None) for number in range(1, 9)]

    assert told(chain) == {"b": (Kind.RESTORED, Reason.SET_BACK)}


def test_a_wiped_folder_is_state_lost() -> None:
    """No report before it is named, though the agent was heard before."""
    chain = [*life("a", 0, 3, FRESH), *life("b", 100, 3, FRESH), *life("c", 200, 3, Opening("b", 3))]

    assert told(chain) == {"b": (Kind.STATE_LOST, Reason.NO_PREDECESSOR)}


def test_the_first_epoch_of_an_agent_is_nothing() -> None:
    """A new machine names no predecessor and has none, whichever of its epochs arrives first."""
    first, second = life("a", 0, 3, FRESH), life("b", 100, 3, Opening("a", 3))

    assert told([*second, *first]) == {}


def test_a_start_that_ended_before_its_first_report_is_nothing() -> None:
    """There was nothing to name."""
    assert told([live("a", 0), *life("b", 100, 3, FRESH)]) == {}


def test_a_clone_outweighs_what_else_is_true_of_an_epoch() -> None:
    """One finding an epoch: the strongest."""
    chain = [*life("a", 0, 30, FRESH), *life("b", 100, 3, FRESH), live("a", 200)]

    assert told(chain) == {"b": (Kind.CLONE, Reason.BOTH_LIVE)}


@st.composite
def honest(draw: st.DrawFn) -> list[Evidence]:
    """Any honest life: restarts, starts without a report, several connections an epoch."""
    evidence: list[Evidence] = []
    at_s, opening = 0.0, FRESH
    for number in range(draw(st.integers(1, 6))):
        epoch = f"e{number}"
        certain = draw(st.booleans()) or number == 0
        count = draw(st.integers(0, 5))
        if certain:
            evidence.append(live(epoch, at_s))
        for seq in range(1, count + 1):
            at_s += draw(st.floats(0.1, 400))
            evidence.append(report(epoch, seq, at_s if certain else None, opening if seq == 1 else None))
            if certain and draw(st.booleans()):
                evidence.append(live(epoch, at_s))
        if count:
            opening = Opening(epoch, count)
        at_s += draw(st.floats(0.1, 90_000))
    return evidence


@st.composite
def anything(draw: st.DrawFn) -> list[Evidence]:
    """Any evidence at all, true to life or not."""
    epoch = st.sampled_from("abcd")
    at_s = st.integers(0, 60)
    opening = st.none() | st.just(FRESH) | st.builds(Opening, epoch, st.integers(1, 4))
    one = st.one_of(
        st.builds(live, epoch, at_s),
        st.builds(report, epoch, st.integers(1, 6), st.none() | at_s, opening),
        st.builds(conflict, epoch),
    )
    return draw(st.lists(one, max_size=25))


@settings(deadline=None)
@given(honest(), st.randoms(use_true_random=False))
def test_no_honest_life_raises_a_finding(evidence: list[Evidence], order: random.Random) -> None:
    """However late and mixed up its reports arrive."""
    order.shuffle(evidence)

    assert told(evidence) == {}


@settings(deadline=None)
@given(anything(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_no_finding(evidence: list[Evidence], order: random.Random) -> None:
    """The same evidence gives the same findings in any order, also when some of it arrives twice."""
    shuffled = [*evidence, *evidence[:5]]
    order.shuffle(shuffled)

    assert told(shuffled) == told(evidence)


@settings(deadline=None)
@given(anything())
def test_what_is_called_settled_changes_no_finding(evidence: Sequence[Evidence]) -> None:
    """The shortcut for late reports of an old epoch is never taken where it would miss something."""
    known: dict[str, Epoch] = {}
    for take in evidence:
        before = dict(known)
        take(known)
        (changed,) = [epoch for epoch in known if known[epoch] != before.get(epoch)] or [""]
        if changed and domain.settled(before.get(changed), known[changed], known):
            assert domain.findings(known) == domain.findings(before)


@settings(deadline=None)
@given(anything())
def test_what_is_called_routine_changes_no_finding(evidence: Sequence[Evidence]) -> None:
    """The shortcut for the newest epoch going on is never taken where it would miss something."""
    known: dict[str, Epoch] = {}
    newest = ""
    for take in evidence:
        before = dict(known)
        take(known)
        changed = [epoch for epoch in known if known[epoch] != before.get(epoch)]
        for epoch in changed:
            if domain.routine(before.get(epoch), known[epoch], newest):
                assert domain.findings(known) == domain.findings(before)
            else:
                latest = domain.newest(known)
                newest = latest.epoch if latest else ""


@settings(deadline=None)
@given(honest(), st.integers(1, 30))
def test_a_copy_that_goes_on_is_always_found(evidence: list[Evidence], more: int) -> None:
    """Whatever honest life a folder had: a copy of it that runs on beside the original is a clone."""
    known: dict[str, Epoch] = {}
    for take in evidence:
        take(known)
    before = [Opening(epoch.epoch, epoch.max_seq) for epoch in known.values() if epoch.max_seq]
    end_s = max(epoch.sealed_ms or epoch.live_ms or 0 for epoch in known.values()) / S + 100
    original = life("original", end_s, 2, before[-1] if before else FRESH)
    copy = life("copy", end_s + 100, 3, Opening("original", 2))
    going_on = [report("original", 2 + one, end_s + 120 + one) for one in range(1, more + 1)]

    found = told([*evidence, *original, *copy, *going_on])

    assert found == {"copy": (Kind.CLONE, Reason.SEALED_ON)}
