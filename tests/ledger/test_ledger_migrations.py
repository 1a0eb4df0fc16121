"""Databases that older programs wrote: nothing of them is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from hatang_collector.domain.estate import STAFF_GROUPS, Estate, Placement, StaffGroup
from hatang_collector.ledger import machines, placements, tokens
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.estate_tables import NOUNS
from hatang_collector.ledger.machines import Machine
from hatang_collector.ledger.migrate import upgrade

MACHINES = [
    ("a" * 16, "Máy 1", "TS-1", "Văn phòng Đảng ủy", "pc", 100, None),
    ("b" * 16, "Máy 2", "", "Viên chức", "pc", 200, 900),
    ("c" * 16, "Máy 3", "", "cbcc", "pc", 300, None),
    ("d" * 16, "Máy 4", "", "", "probe", 400, None),
    ("e" * 16, "Máy 5", "", "Văn phòng Đảng ủy", "pc", 500, None),
]
COLUMNS = ("agent", "label", "asset_code", "staff_group", "role", "enrolled_ms", "retired_ms")


@pytest.fixture
def old(database: str) -> Iterator[Ledger]:
    """A ledger of the first schema, with machines and an enrolment token."""
    ledger = Ledger(database)
    with ledger.write() as c:
        upgrade(c, "0001")
        table = sa.table("machines", *(sa.column(name) for name in COLUMNS))
        c.execute(sa.insert(table), [dict(zip(COLUMNS, row, strict=True)) for row in MACHINES])
        made = "INSERT INTO tokens VALUES ('abc', 'h', 'pc', 3, 1, 999, 5, NULL, 'tầng 2')"
        c.execute(sa.text(made))
    yield ledger
    ledger.close()


def test_staff_groups_of_machines_become_their_first_placements(old: Ledger) -> None:
    """A free text becomes a group of its own, a known name its code, nothing remains nothing."""
    old.migrate()

    with old.read() as c:
        assert machines.get(c, "b" * 16) == Machine("b" * 16, "Máy 2", "", "pc", 200, 900)
        assert len(machines.every(c)) == len(MACHINES)
        groups = {agent[0]: one.staff_group for agent, one in placements.current(c).items()}
        first = placements.history(c, "a" * 16)
    assert groups == {"a": "Văn phòng Đảng ủy", "b": "vien_chuc", "c": "cbcc", "e": "Văn phòng Đảng ủy"}
    assert first == [Placement("a" * 16, 100, staff_group="Văn phòng Đảng ủy")]


def test_every_staff_group_in_use_is_known_afterwards(old: Ledger) -> None:
    """The groups every installation starts with, and behind them what this one called its own."""
    old.migrate()

    own = StaffGroup("Văn phòng Đảng ủy", "Văn phòng Đảng ủy", 5)
    assert sorted(_rows(old)["staff_groups"], key=lambda row: row.position) == [*STAFF_GROUPS, own]


def test_tokens_go_on_without_a_place(old: Ledger) -> None:
    """A token that was handed out keeps its right."""
    old.migrate()

    with old.read() as c:
        (token,) = tokens.every(c)
    assert (token.id, token.uses, token.used, token.note) == ("abc", 3, 1, "tầng 2")
    assert (token.unit, token.site, token.staff_group) == ("", "", "")


def test_a_new_ledger_has_an_empty_estate(ledger: Ledger) -> None:
    """Only the staff groups are there from the start."""
    rows = _rows(ledger)

    assert sorted(rows.pop("staff_groups"), key=lambda row: row.position) == list(STAFF_GROUPS)
    assert rows == {name: () for name in Estate.__slots__ if name != "staff_groups"}


def _rows(ledger: Ledger) -> dict[str, tuple[StaffGroup, ...]]:
    with ledger.read() as c:
        return {noun.name: noun.load(c) for noun in NOUNS}
