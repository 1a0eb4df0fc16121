"""What a value may be, which setting wins, and what an agent's word about its configuration means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.domain.estate import Estate, Placement, SiteUnit, Succession, SuccessionKind, Unit
from hatang_collector.domain.settings import (
    BadValue,
    Delivery,
    Effective,
    Fault,
    Key,
    Kind,
    Scopes,
    Told,
    check,
    complete,
    content,
    delivery,
    effective,
    read,
    report_interval_ms,
    scopes_of,
)
from hatang_collector.domain.tree import Tree
from settings.province import COMMUNE, DAY, ESTATE

PACE = Key("a.pace_s", Kind.FLOAT, "", {"pc": 60, "probe": 5}, minimum=1, maximum=100)
COUNT = Key("a.count", Kind.INT, "", {}, minimum=0)
SWITCH = Key("a.on", Kind.BOOL, "", {})
WORD = Key("a.word", Kind.TEXT, "", {})
WAY = Key("a.way", Kind.CHOICE, "", {}, choices=("icmp", "tcp"))
MANY = Key("a.many", Kind.LIST, "", {}, items=Kind.INT)
CHAIN = ["machine:m", "site:s", "unit:u", "unit:top", "all"]


@dataclass(frozen=True)
class Put:
    """A setting."""

    scope: str
    key: str
    value: Any
    role: str = ""


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        (PACE, "60", 60),
        (PACE, " 1,5 ", 1.5),
        (PACE, "1.5", 1.5),
        (PACE, "100", 100),
        (COUNT, "8,0", 8),
        (SWITCH, "true", True),
        (SWITCH, "Không", False),
        (WORD, " một cửa ", "một cửa"),
        (WAY, "tcp", "tcp"),
        (MANY, "1; 2;;3", [1, 2, 3]),
        (MANY, "", []),
    ],
)
def test_what_people_type_is_read(key: Key, text: str, value: Any) -> None:
    """Decimal commas, yes and no in both languages, lists with semicolons."""
    assert read(key, text) == value


@pytest.mark.parametrize(
    ("key", "text", "fault"),
    [
        (PACE, "0,9", Fault.TOO_SMALL),
        (PACE, "101", Fault.TOO_LARGE),
        (PACE, "sáu mươi", Fault.NOT_NUMBER),
        (PACE, "", Fault.NOT_NUMBER),
        (PACE, "nan", Fault.NOT_NUMBER),
        (PACE, "inf", Fault.NOT_NUMBER),
        (PACE, "1_0", Fault.NOT_NUMBER),
        (PACE, "١٠", Fault.NOT_NUMBER),
        (COUNT, "8,5", Fault.NOT_INT),
        (COUNT, "1e300", Fault.TOO_LARGE),
        (SWITCH, "maybe", Fault.NOT_BOOL),
        (WORD, "hai\ndòng", Fault.NOT_TEXT),
        (WORD, "x" * 501, Fault.TOO_LONG),
        (WAY, "smtp", Fault.NOT_CHOICE),
        (MANY, "1; hai", Fault.NOT_NUMBER),
        (MANY, ";".join(["1"] * 65), Fault.TOO_LONG),
    ],
)
def test_what_an_agent_would_refuse_is_refused_here(key: Key, text: str, fault: Fault) -> None:
    """Each refusal has its own name and says key and advice in one line."""
    with pytest.raises(BadValue) as refused:
        read(key, text)
    assert refused.value.fault is fault
    assert str(refused.value).startswith(f"{key.name}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        (SWITCH, 1, Fault.NOT_BOOL),
        (PACE, True, Fault.NOT_NUMBER),
        (PACE, "60", Fault.NOT_NUMBER),
        (WORD, 5, Fault.NOT_TEXT),
        (MANY, "1;2", Fault.NOT_LIST),
    ],
)
def test_values_of_another_type_are_refused(key: Key, value: Any, fault: Fault) -> None:
    """A truth is no number and a text is no list."""
    with pytest.raises(BadValue) as refused:
        check(key, value)
    assert refused.value.fault is fault


def test_the_nearest_wins_and_at_one_place_the_role() -> None:
    """Machine before site before unit before all; a role's own value before that of both."""
    everywhere = [Put("all", "k", 1), Put("unit:top", "k", 2, "probe"), Put("unit:other", "k", 9)]
    assert effective(everywhere, CHAIN, "pc") == {"k": Effective(1, "all")}
    assert effective(everywhere, CHAIN, "probe") == {"k": Effective(2, "unit:top")}
    nearer = [*everywhere, Put("unit:u", "k", 3), Put("unit:u", "k", 4, "pc")]
    assert effective(nearer, CHAIN, "pc") == {"k": Effective(4, "unit:u")}
    assert effective(nearer, CHAIN, "probe") == {"k": Effective(3, "unit:u")}
    assert effective([*nearer, Put("machine:m", "k", 5)], CHAIN, "pc") == {"k": Effective(5, "machine:m")}


@given(
    st.lists(
        st.builds(
            Put,
            st.sampled_from([*CHAIN, "unit:other"]),
            st.sampled_from(["a.b", "a.c", "d.e.f"]),
            st.integers(),
            st.sampled_from(["", "pc", "probe"]),
        ),
        unique_by=lambda one: (one.scope, one.key, one.role),
    ),
    st.randoms(),
)
def test_the_winner_does_not_depend_on_order(settings: list[Put], random: Any) -> None:
    """Shuffled settings give the same, and no other setting on the chain is nearer than the winner."""
    found = effective(settings, CHAIN, "pc")
    mixed = list(settings)
    random.shuffle(mixed)

    assert effective(mixed, CHAIN, "pc") == found
    for one in settings:
        if one.scope in CHAIN and one.role in ("", "pc"):
            assert CHAIN.index(found[one.key].scope) <= CHAIN.index(one.scope)


def test_only_what_was_set_travels() -> None:
    """Defaults stay with the agent; the rest is nested as its file is."""
    keys = [Key("a.b", Kind.INT, "", {"pc": 1}), Key("a.c.d", Kind.INT, "", {"pc": 2})]
    found = effective([Put("all", "a.c.d", 7), Put("all", "a.x", 8)], CHAIN, "pc")
    assert content(found) == {"a": {"c": {"d": 7}, "x": 8}}
    whole = complete(keys, found, "pc")
    assert whole == {"a.b": Effective(1), "a.c.d": Effective(7, "all")}
    assert content(whole) == {"a": {"c": {"d": 7}}}


def test_a_default_that_follows_another_key() -> None:
    """A sampling probe goes along when the rhythm of samples changes, unless it has its own."""
    follower = replace(PACE, name="probes.x.interval_s", follows="schedule.sample_s")
    found = effective([Put("all", "schedule.sample_s", 10)], CHAIN, "pc")
    assert complete([follower], found, "pc")[follower.name] == Effective(10)
    own = effective([Put("all", "schedule.sample_s", 10), Put("all", follower.name, 30)], CHAIN, "pc")
    assert complete([follower], own, "pc")[follower.name] == Effective(30, "all")


@pytest.mark.parametrize(
    ("value", "role", "expected"), [(None, "pc", 300_000), (None, "probe", 15_000), (1.5, "pc", 1_500)]
)
def test_the_report_interval_follows_the_settings(value: float | None, role: str, expected: int) -> None:
    """What counts as fresh is what is set, else the role's default."""
    found = {} if value is None else {"reporting.report_s": Effective(value, "all")}
    assert report_interval_ms(found, role) == expected


# Scopes.


def scopes(placement: Placement | None, estate: Estate = ESTATE, day: date = DAY) -> list[str]:
    """The scopes of machine m."""
    return scopes_of("m", placement, estate, Tree(estate.units, estate.successions), day)


def test_a_machine_inherits_from_its_site_unit_and_all_above() -> None:
    """By the unit of its placement, else by the only unit of its site."""
    through_site = ["machine:m", "site:qd1", "unit:20014", "unit:46", "all"]
    assert scopes(Placement("m", 0, site="qd1")) == through_site
    assert scopes(Placement("m", 0, "20014", "qd1")) == through_site
    assert scopes(Placement("m", 0, "20015", "qd1")) == [*through_site[:2], "unit:20015", "unit:46", "all"]
    assert scopes(Placement("m", 0, "20014")) == ["machine:m", "unit:20014", "unit:46", "all"]
    assert scopes(Placement("m", 0, "gone", "nowhere")) == ["machine:m", "site:nowhere", "all"]
    assert scopes(None) == ["machine:m", "all"]


def test_a_shared_site_inherits_what_its_units_have_in_common() -> None:
    """Nobody said whom the machine serves: what is above every unit of the site holds."""
    shared = replace(ESTATE, site_units=(*ESTATE.site_units, SiteUnit("qd1", "20015")))
    assert scopes(Placement("m", 0, site="qd1"), shared) == ["machine:m", "site:qd1", "unit:46", "all"]


def test_a_merged_unit_is_its_successor_from_that_day() -> None:
    """A machine placed before the merger inherits from the new unit, and before it from the old."""
    on = date(2027, 1, 1)
    new = Unit("20099", "Xã mới", "xã", parent="46", valid_from=on)
    units = (ESTATE.units[0], replace(COMMUNE, valid_to=on), ESTATE.units[2], new)
    merged = replace(
        ESTATE, units=units, successions=(Succession("20014", "20099", on, SuccessionKind.RENAME),)
    )
    placement = Placement("m", 0, "20014")
    assert scopes(placement, merged) == ["machine:m", "unit:20014", "unit:46", "all"]
    assert scopes(placement, merged, on) == ["machine:m", "unit:20099", "unit:46", "all"]


def test_scopes_of_nodes() -> None:
    """A node of the tree inherits as a machine right at it would."""
    found = Scopes(ESTATE, Tree(ESTATE.units, ESTATE.successions), DAY)
    assert found.of_scope("all") == ["all"]
    assert found.of_scope("unit:20014") == ["unit:20014", "unit:46", "all"]
    assert found.of_scope("site:th1") == ["site:th1", "unit:20015", "unit:46", "all"]


# The agent's word.


@pytest.mark.parametrize(
    ("sent", "told", "in_force", "state"),
    [
        (None, None, None, Delivery.NOTHING),
        (1, None, None, Delivery.WAITING),
        (2, Told(2, True), None, Delivery.ACCEPTED),
        (3, Told(2, True), None, Delivery.WAITING),
        (3, Told(7, True), None, Delivery.AHEAD),
        (3, Told(3, False, "unknown key"), None, Delivery.REFUSED),
        (3, Told(3, False, "unknown key"), 2, Delivery.REFUSED),
        (3, Told(3, False, "not newer than number 9"), 9, Delivery.AHEAD),
        (4, Told(3, False, "unknown key"), 2, Delivery.WAITING),
        (3, Told(7, False, "its signature"), 3, Delivery.STRANGE),
        (3, Told(2, False, "its signature"), 3, Delivery.STRANGE),
        (3, Told(3, False, "its signature"), 3, Delivery.STRANGE),
        (3, Told(7, False, "its signature"), None, Delivery.STRANGE),
        (3, Told(0, False, "not a configuration"), None, Delivery.STRANGE),
    ],
)
def test_what_an_agents_word_means(
    sent: int | None, told: Told | None, in_force: int | None, state: Delivery
) -> None:
    """Acknowledged, waiting, refused, ahead of us, or met something that is not ours."""
    assert delivery(sent, told, in_force) is state
