"""The audit log: searching it."""

from __future__ import annotations

from typing import Any

import pytest

from hatang_collector.ledger import audit
from hatang_collector.ledger.audit import Act
from hatang_collector.ledger.engine import Connection, Ledger

ACTS = [
    ("lan", "unit.add", "00123", '{"name":[null,"Xã Đông Hải"]}'),
    ("lan", "unit.change", "00123/2025-07-01", '{"name":["Xã Đông Hải","Xã Long Vĩnh"]}'),
    ("minh", "unit_kind.add", "00123", ""),
    ("minh", "token.create", "ab_cd", "100% của phòng"),
    ("command line", "user.add", "lan", ""),
]


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    """A ledger with some acts, one a second."""
    with ledger.write() as c:
        for number, (who, action, subject, detail) in enumerate(ACTS):
            audit.append(
                c, who=who, role="admin", action=action, subject=subject, now_ms=number, detail=detail
            )
    return ledger


def _found(c: Connection, **filters: Any) -> list[int]:
    """Which acts of the list above, newest first."""
    return [act.at_ms for act in audit.search(c, **filters)]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [4, 3, 2, 1, 0]),
        ({"who": "lan"}, [1, 0]),
        ({"who": "la"}, []),
        ({"action": "unit.add"}, [0]),
        ({"action": "unit"}, [1, 0]),
        ({"action": "unit."}, []),
        ({"action": "un%"}, []),
        ({"subject": "00123"}, [2, 1, 0]),
        ({"subject": "00123/2025"}, [1]),
        ({"subject": "B_C"}, [3]),
        ({"subject": "_"}, [3]),
        ({"text": "lan"}, [4, 1, 0]),
        ({"text": "long vĩnh"}, [1]),
        ({"text": "XÃ LONG"}, [1]),
        ({"text": "100%"}, [3]),
        ({"text": "%"}, [3]),
        ({"text": "TOKEN"}, [3]),
        ({"text": "vắng mặt"}, []),
        ({"who": "lan", "text": "long", "subject": "00123", "action": "unit"}, [1]),
        ({"who": "minh", "text": "long"}, []),
        ({"limit": 2}, [4, 3]),
        ({"from_ms": 3}, [4, 3]),
        ({"to_ms": 2}, [1, 0]),
        ({"from_ms": 1, "to_ms": 3}, [2, 1]),
        ({"text": "\\0"}, []),
    ],
)
def test_every_filter_narrows_the_search(
    filled: Ledger, filters: dict[str, Any], expected: list[int]
) -> None:
    """All that are given must fit; signs of patterns mean themselves."""
    with filled.read() as c:
        assert _found(c, **filters) == expected


def test_large_letters_beyond_ascii_are_found_by_small_ones(filled: Ledger) -> None:
    """Vietnamese is full of them."""
    with filled.read() as c:
        assert _found(c, text="xã đông") == [1, 0]
        assert _found(c, text="XÃ ĐÔNG") == [1, 0]


def test_the_names_to_choose_from(filled: Ledger) -> None:
    """Each once, in order."""
    with filled.read() as c:
        assert audit.people(c) == ["command line", "lan", "minh"]
        assert audit.actions(c) == ["token.create", "unit.add", "unit.change", "unit_kind.add", "user.add"]


def test_the_newest_act_on_each_subject(filled: Ledger) -> None:
    """Of one kind only; a subject without one is missing."""
    with filled.write() as c:
        assert audit.of_subjects(c, "unit.add", ["00123", "lan", "nobody"])["00123"].at_ms == 0
        audit.append(c, who="x", role="admin", action="unit.add", subject="00123", now_ms=99)
        found = audit.of_subjects(c, "unit.add", ["00123", "lan", "nobody"])

    assert {subject: act.at_ms for subject, act in found.items()} == {"00123": 99}


def test_pages_go_on_where_the_last_one_ended(filled: Ledger) -> None:
    """New acts meanwhile neither repeat nor hide any."""
    with filled.write() as c:
        first = audit.search(c, limit=2)
        audit.append(c, who="x", role="", action="y", subject="", now_ms=99)
        second = audit.search(c, limit=2, before_id=first[-1].id)
        third = audit.search(c, limit=2, before_id=second[-1].id)

    assert [act.at_ms for act in [*first, *second, *third]] == [4, 3, 2, 1, 0]


def test_many_acts_at_once_keep_their_order(ledger: Ledger) -> None:
    """One moment, one person; nothing is noted of nothing."""
    with ledger.write() as c:
        audit.append_all(c, [], who="lan", role="admin", now_ms=7)
        acts = [Act("asset.add", f"TS-{number}", "x\0") for number in range(2_000)]
        audit.append_all(c, acts, who="lan", role="admin", now_ms=7)
        found = audit.latest(c, 5_000)

    assert [act.subject for act in reversed(found)] == [act.subject for act in acts]
    assert {(act.who, act.role, act.at_ms, act.detail) for act in found} == {("lan", "admin", 7, "x\ufffd")}
