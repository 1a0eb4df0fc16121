"""What facts answer: networks by paths, antivirus, firewall; unknown is neither yes nor no."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.domain import protection, reach
from hatang_collector.domain.figures import Coverage, FigureState, Method, Observed, Window
from hatang_collector.domain.localtime import DAY_MS, midnight_ms
from hatang_collector.domain.protection import (
    ANTIVIRUS,
    FIREWALL,
    RULES,
    UNTOLD,
    Answer,
    Ended,
    Machine,
    Topic,
    count,
)

NOW = 1_795_137_960_000
TODAY = date(2026, 11, 20)
WINDOW = Window(TODAY)
MINUTE = 60_000


@dataclass(frozen=True)
class Told:
    """A fact."""

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    seen_ms: int = NOW


def way(reached: str, source: str = "eth0", network: str = "cpnet", **fields: Any) -> Told:
    """What one path says of a network."""
    said = {"network": network, "source": source, "reached": reached, **fields}
    return Told("network_reach", said)


@pytest.mark.parametrize(
    ("state", "value"),
    [
        ("protected", True),
        ("off", False),
        ("out_of_date", False),
        ("absent", False),
        ("unreadable", None),
        ("a word of tomorrow", None),
        ("", None),
    ],
)
def test_antivirus(state: str, value: bool | None) -> None:
    """Protected is yes; what could not be read, or is not understood, is unknown."""
    told = [Told("antivirus_summary", {"state": state, "why": "so", "product": "X"})]
    found = protection.antivirus(told)
    assert (found.value, found.state, found.why, found.product) == (value, state, "so", "X")
    assert protection.firewall(told) == UNTOLD


@pytest.mark.parametrize(
    ("state", "value"), [("on", True), ("partial", False), ("off", False), ("unreadable", None)]
)
def test_firewall(state: str, value: bool | None) -> None:
    """Partly on is not on; not read is not off."""
    assert protection.firewall([Told("firewall", {"state": state})]).value is value


def test_the_summary_decides_and_not_a_product() -> None:
    """That Defender is off beside another product says nothing."""
    told = [Told("antivirus", {"state": "off"}), Told("antivirus_summary", {"state": "protected"})]
    assert protection.antivirus(told).value is True
    assert protection.antivirus(told[:1]) == UNTOLD


def test_fields_of_the_wrong_type_are_unknown() -> None:
    """Whatever an agent sends, a number is no state."""
    assert protection.firewall([Told("firewall", {"state": True, "why": 3})]).value is None
    assert reach.answers([Told("network_reach", {"network": 7, "reached": "yes"})]) == {}
    assert reach.paths([way("yes", rtt_ms=True, loss="x")])["cpnet"][0].rtt_ms is None


@pytest.mark.parametrize(
    ("ways", "value", "state"),
    [
        (["yes"], True, "yes"),
        (["no"], False, "no"),
        (["not_tested"], None, "not_tested"),
        (["no", "yes"], True, "yes"),
        (["not_tested", "yes"], True, "yes"),
        (["not_tested", "no"], False, "no"),
        (["no", "no"], False, "no"),
        (["not_tested", "strange"], None, "not_tested"),
    ],
)
def test_a_network_is_reached_by_any_path(ways: list[str], value: bool | None, state: str) -> None:
    """One path that reaches it suffices; a tested one that does not is no; none tested is unknown."""
    told = [way(word, f"eth{number}") for number, word in enumerate(ways)]
    found = reach.answers(told)["cpnet"]
    assert (found.value, found.state) == (value, state)


def test_a_dead_path_is_not_hidden() -> None:
    """Every path stays in the list, the ones that reach it first."""
    told = [way("no", "wlan0", how="no answer"), way("yes", "eth0", rtt_ms=2, loss=0.5, jitter_ms=1.5)]
    found = reach.paths(told)["cpnet"]
    assert [(one.source, one.reached, one.rtt_ms) for one in found] == [
        ("eth0", True, 2.0),
        ("wlan0", False, None),
    ]
    assert reach.answers(told[:1])["cpnet"].why == "wlan0: no answer"


def test_networks_in_their_order_and_not_without_end() -> None:
    """CPNet, the Internet, then names; of a machine that sends hundreds only so many are looked at."""
    told = [way("yes", network=name) for name in ("zebra", "internet", "alpha", "cpnet")]
    assert list(reach.answers(told)) == ["cpnet", "internet", "alpha", "zebra"]
    many = [way("yes", network=f"n{number}") for number in range(300)]
    assert len(reach.answers([*many, way("no")])) == reach.MOST
    assert "cpnet" in reach.answers([*many, way("no")])


@pytest.mark.parametrize(
    ("told", "networks"),
    [
        ([("cpnet", "yes"), ("internet", "yes")], ("cpnet", "internet")),
        ([("cpnet", "yes"), ("internet", "yes"), ("mail", "yes")], ("cpnet", "internet", "mail")),
        ([("cpnet", "yes"), ("internet", "no")], ()),
        ([("cpnet", "not_tested"), ("internet", "yes")], ()),
        ([("mail", "yes"), ("internet", "yes")], ()),
        ([], ()),
    ],
)
def test_both_networks_at_once(told: list[tuple[str, str]], networks: tuple[str, ...]) -> None:
    """Told when CPNet and the Internet are reached at the same time, by whichever path."""
    facts = [way(word, f"eth{number}", name) for number, (name, word) in enumerate(told)]
    assert reach.at_once(reach.paths(facts)) == networks


LIMIT = RULES[Topic.FIREWALL].stands_ms


@pytest.mark.parametrize(
    ("ended", "current"),
    [
        (None, True),
        (Ended("ok", NOW), True),
        (Ended("no_data", NOW + LIMIT), True),
        (Ended("failed", NOW + LIMIT - 1), True),
        (Ended("failed", NOW + LIMIT), False),
        (Ended("timeout", NOW + LIMIT), False),
        (Ended("disabled", NOW + 1), False),
        (Ended("disabled", NOW), True),
        (Ended("disabled", NOW - 1), True),
    ],
)
def test_an_answer_of_a_probe_that_fails_is_old_after_a_while(ended: Ended | None, current: bool) -> None:
    """One failed run says nothing; for long, or switched off, it is unknown now but still the latest."""
    found = protection.firewall([Told("firewall", {"state": "on"})], ended)
    assert (found.value, found.now, found.current) == (True, True if current else None, current)


def machine(
    name: str, value: bool | None, *, age_ms: int = 0, seen_ms: int | None = NOW, current: bool = True
) -> Machine:
    """A machine that reported so long ago and was seen today."""
    answer = Answer(value, "x", seen_ms=seen_ms, current=current)
    return Machine(Observed(name, 300_000, NOW - age_ms, (TODAY,)), answer)


def told_of(machines: list[Machine], declared: int | None = None) -> tuple[Any, ...]:
    """a/b now, a/b of the window, a/b of the declared, and both coverages."""
    found = count(ANTIVIRUS, machines, WINDOW, NOW, declared)
    assert found.now
    figures = (found.now, found.window, found.official)
    covered = tuple((one.coverage.a, one.coverage.b) for one in figures if one.coverage)
    return *((one.a, one.b) for one in figures), covered


def test_the_seed_case() -> None:
    """Thirteen machines of which ten reach it: 10/13, and of the fifteen declared 10/15."""
    machines = [machine(f"m{number}", number < 10) for number in range(13)]
    assert told_of(machines, 15) == ((10, 13), (10, 13), (10, 15), ((13, 13), (13, 13), (13, 15)))


def test_unknown_lowers_the_coverage_and_is_neither_yes_nor_no() -> None:
    """Not read, never told, told before the window, silent now: each in its own way."""
    before_ms = midnight_ms(WINDOW.first) - 1
    machines = [
        machine("yes", True),
        machine("no", False),
        machine("unreadable", None),
        Machine(machine("untold", None).seen, UNTOLD),
        machine("long ago", True, seen_ms=before_ms),
        machine("first day", True, seen_ms=before_ms + 1),
        machine("silent", True, age_ms=400_000),
        machine("switched off", True, current=False),
    ]
    now, window, official, covered = told_of(machines)
    assert (now, window, official) == ((2, 8), (4, 8), (4, None))
    assert covered == ((3, 8), (5, 8))


def test_a_blank_is_never_zero() -> None:
    """Machines of whom none can tell, no machine at all, and a site probe, are not zero of something."""
    nobody = count(FIREWALL, [], WINDOW, NOW)
    mute = count(FIREWALL, [machine("a", None)], WINDOW, NOW)
    probe = count(FIREWALL, [machine("", True)], WINDOW, NOW)
    for one, b in ((nobody, 0), (mute, 1), (probe, 0)):
        assert one.now
        for figure in (one.now, one.window):
            assert (figure.a, figure.b, figure.state) == (None, b, FigureState.NOT_MEASURED)
    gone = count(FIREWALL, [machine("a", True, age_ms=DAY_MS)], WINDOW, NOW)
    assert gone.now
    assert (gone.now.a, gone.now.coverage) == (0, Coverage(0, 1))
    assert count(FIREWALL, [machine("a", True)], WINDOW, None).now is None


def test_methods_tell_measured_from_declared() -> None:
    """A denominator that was counted is no declaration."""
    found = count(FIREWALL, [machine("a", True)], WINDOW, NOW, 3)
    assert found.now
    assert (found.now.method, found.window.method) == (Method.MEASURED, Method.MEASURED)
    assert found.official.method is Method.BOTH


ANSWERS = st.sampled_from([True, False, None])


@given(st.lists(st.tuples(st.integers(0, 6), ANSWERS, st.booleans(), st.booleans())))
def test_figures_stay_within_their_bounds(rows: list[tuple[int, bool | None, bool, bool]]) -> None:
    """Yes is never more than known, known never more than all, now never more than in the window."""
    machines = [
        machine(f"m{name}", value, age_ms=0 if fresh else DAY_MS, current=current)
        for name, value, fresh, current in rows
    ]
    found = count(ANTIVIRUS, machines, WINDOW, NOW)
    assert found.now
    assert found.now.coverage
    assert found.window.coverage
    everyone = len({name for name, *_ in rows})
    assert (found.now.b, found.window.b) == (everyone, everyone)
    assert (found.now.a or 0) <= found.now.coverage.a <= found.window.coverage.a <= everyone
    assert (found.now.a or 0) <= (found.window.a or 0) <= found.window.coverage.a


@given(st.permutations([way("yes", "a"), way("no", "b"), way("not_tested", "c"), way("no", "d", "internet")]))
def test_the_order_of_facts_is_no_matter(told: list[Told]) -> None:
    """Facts come in any order."""
    first = reach.paths([way("yes", "a"), way("no", "b"), way("not_tested", "c"), way("no", "d", "internet")])
    assert reach.paths(told) == first


def test_machines_with_one_gist_answer_alike() -> None:
    """What is not in it does not change a figure; what decides is in it."""
    one = way("yes", rtt_ms=1.0)
    assert protection.gist(one, {}) == protection.gist(way("yes", "wlan9", rtt_ms=9.0, how="x"), {})
    others = [
        way("no"),
        way("yes", network="internet"),
        replace(one, seen_ms=NOW - DAY_MS),
        Told("firewall", {"state": "yes"}),
    ]
    assert all(protection.gist(one, {}) != protection.gist(other, {}) for other in others)
    off = {"networks": Ended("disabled", NOW + 1)}
    assert protection.gist(one, {}) != protection.gist(one, off)
