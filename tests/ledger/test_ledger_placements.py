"""Placements of machines, settings at nodes, places of tokens, and the number that rises with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hatang_collector.domain.estate import Placement
from hatang_collector.ledger import estate_version, node_settings, placements, tokens
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.node_settings import Setting
from hatang_collector.ledger.tokens import EnrolToken
from ledger.together import together

A, B = "a" * 16, "b" * 16
FIRST = Placement(A, 100, "U1", "S1", "cbcc", "lan")
MOVED = Placement(A, 200, "U2", "S2", "chung", "minh")


def test_a_machine_stands_where_it_was_put_last(ledger: Ledger) -> None:
    """Whatever the order in which the moves were entered; the past is kept."""
    with ledger.write() as c:
        for one in (MOVED, FIRST, Placement(B, 150)):
            placements.put(c, one)
    with ledger.read() as c:
        assert placements.current(c) == {A: MOVED, B: Placement(B, 150)}
        assert placements.of(c, A) == MOVED
        assert placements.of(c, "c" * 16) is None
        assert placements.history(c, A) == [FIRST, MOVED]
        assert placements.history(c, "c" * 16) == []


@pytest.mark.parametrize(
    ("at_ms", "expected"), [(99, {}), (100, {A: FIRST}), (199, {A: FIRST}), (200, {A: MOVED})]
)
def test_the_past_can_be_asked(ledger: Ledger, at_ms: int, expected: dict[str, Placement]) -> None:
    """A move holds from its own moment on."""
    with ledger.write() as c:
        placements.put(c, FIRST)
        placements.put(c, MOVED)
        assert placements.at(c, at_ms) == expected


def test_a_placement_can_be_corrected(ledger: Ledger) -> None:
    """The same machine at the same moment has one place; odd letters do no harm."""
    with ledger.write() as c:
        placements.put(c, FIRST)
        placements.put(c, replace(FIRST, unit="U9\0"))
        assert placements.history(c, A) == [replace(FIRST, unit="U9\ufffd")]


def test_the_number_rises_with_every_change(ledger: Ledger) -> None:
    """Placements and settings are part of what others keep copies of."""
    seen = []
    with ledger.write() as c:
        seen.append(estate_version.number(c))
        placements.put(c, FIRST)
        seen.append(estate_version.number(c))
        node_settings.put(c, "all", "", "x.y", 1, who="lan", now_ms=1)
        seen.append(estate_version.number(c))
        assert node_settings.drop(c, "all", "", "x.y")
        seen.append(estate_version.number(c))
        assert not node_settings.drop(c, "all", "", "x.y")
        seen.append(estate_version.number(c))

    assert seen == [seen[0], seen[0] + 1, seen[0] + 2, seen[0] + 3, seen[0] + 3]


def test_changes_at_once_all_count(ledger: Ledger) -> None:
    """No two changes end with the same number."""

    def act() -> int:
        with ledger.write() as c:
            return estate_version.rise(c)

    with ledger.read() as c:
        before = estate_version.number(c)
    assert sorted(map(str, together(4, act))) == [str(before + step) for step in (1, 2, 3, 4)]


@pytest.mark.parametrize("value", [True, 60, 0.5, "văn bản", ["a", "b"], {"a": None}])
def test_a_setting_comes_back_as_it_was_set(ledger: Ledger, value: object) -> None:
    """The newest value of a key at a node, with who set it and when."""
    with ledger.write() as c:
        node_settings.put(c, "unit:U1", "pc", "schedule.sample_s", 1, who="lan", now_ms=1)
        node_settings.put(c, "unit:U1", "pc", "schedule.sample_s", value, who="minh", now_ms=2)
        node_settings.put(c, "all", "", "schedule.sample_s", 7, who="lan", now_ms=3)
    with ledger.read() as c:
        assert node_settings.every(c) == [
            Setting("all", "", "schedule.sample_s", 7, 3, "lan"),
            Setting("unit:U1", "pc", "schedule.sample_s", value, 2, "minh"),
        ]


def test_what_json_cannot_hold_is_no_setting(ledger: Ledger) -> None:
    """Nothing is stored that could not be signed."""
    for value in (float("nan"), {1, 2}):
        with pytest.raises((TypeError, ValueError)), ledger.write() as c:
            node_settings.put(c, "all", "", "x", value, who="lan", now_ms=1)
    with ledger.read() as c:
        assert node_settings.every(c) == []


def test_a_token_knows_where_its_machines_go(ledger: Ledger) -> None:
    """Claimed, peeked at or listed: the place comes along."""
    with ledger.write() as c:
        text = tokens.create(
            c, role="pc", uses=5, expires_ms=99, now_ms=1, unit="U1", site="S1", staff_group="cbcc"
        )
        found = [tokens.peek(c, text, 2), tokens.claim(c, text, 2), *tokens.every(c)]
        plain = tokens.peek(c, tokens.create(c, role="pc", uses=1, expires_ms=99, now_ms=2), 2)

    assert [_place(token) for token in found] == [("U1", "S1", "cbcc")] * 3
    assert _place(plain) == ("", "", "")


def _place(token: object) -> tuple[str, str, str]:
    assert isinstance(token, EnrolToken)
    return token.unit, token.site, token.staff_group
