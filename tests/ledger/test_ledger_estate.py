"""The estate in the ledger: what is saved comes back, is noted, and contradicts nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import count
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatang_collector.domain import edits
from hatang_collector.domain.checks import EstateRefused
from hatang_collector.domain.difference import Kind
from hatang_collector.domain.estate import (
    STAFF_GROUPS,
    Asset,
    AssetKind,
    AssetState,
    DayKind,
    Estate,
    Link,
    LinkKind,
    Method,
    Network,
    Service,
    Site,
    SiteUnit,
    SpecialDay,
    StaffCount,
    StaffGroup,
    Succession,
    SuccessionKind,
    Target,
    Unit,
)
from hatang_collector.ledger import audit, estate
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.estate_tables import NOUNS, Noun
from ledger.together import together

NOW = 1_800_000_000_000
MERGED = date(2025, 7, 1)
FULL = Estate(
    units=(
        Unit("02", "Xã Đông Hải", "xã", "08", 7, date(2020, 1, 1), MERGED),
        Unit("02", "Xã Đông Hải mới", "xã", "08", 7, MERGED),
        Unit("03", "Xã cũ", "xã", "08", valid_to=MERGED),
        Unit("08", "Tỉnh", "tỉnh"),
    ),
    successions=(Succession("03", "02", MERGED, SuccessionKind.MERGE, "NQ 1687"),),
    sites=(Site("T1", "Trụ sở 1", "Ấp 3", "T2-T6 07:00-11:00"), Site("T2", "Trụ sở 2", valid_to=MERGED)),
    site_units=(SiteUnit("T1", "02", date(2020, 1, 1)),),
    special_days=(SpecialDay("", date(2026, 1, 2), DayKind.CLOSED, "Nghỉ bù"),),
    links=(
        Link("L1", "T1", LinkKind.CPNET, "VNPT", 20.5, 10.0, "HĐ 1", "chính", metered=True, reports=False),
        Link("L2", "T1", LinkKind.LTE, valid_from=MERGED, valid_to=date(2027, 1, 1)),
    ),
    services=(Service("mc", "Một cửa", "Sở KHCN"),),
    targets=(
        Target("t1", Network.SERVICE, Method.HTTP, "https://motcua.example.vn/", "mc", "08"),
        Target("t2", Network.INTERNET, Method.ICMP, "1.1.1.1"),
    ),
    staff_groups=tuple(sorted(STAFF_GROUPS, key=lambda group: group.code)),
    staff_counts=(StaffCount("02", "cbcc", 22, "BC 7", date(2020, 1, 1)),),
    assets=(
        Asset("TS-1", AssetKind.LAPTOP, "02", "T1", "cbcc", "PC1", "Dell", "SN", "101", 2021, note="ghi chú"),
        Asset("TS-2", AssetKind.SWITCH, "02", state=AssetState.BROKEN, valid_from=date(2020, 1, 1)),
    ),
)


def edit(
    ledger: Ledger, change: Callable[[Estate], Estate], why: str = ""
) -> tuple[Estate, list[tuple[str, str]]]:
    """Edit as a user called lan; the estate, and the (action, subject) that the log then has."""
    with ledger.read() as c:
        before = audit.latest(c, 1)
    now, found = estate.edit(ledger, change, who="lan", role="admin", now_ms=NOW, why=why)
    with ledger.read() as c:
        acts = [act for act in audit.latest(c) if not before or act.id > before[0].id]
    assert len(acts) == len(found)
    assert {(act.who, act.role, act.at_ms) for act in acts} <= {("lan", "admin", NOW)}
    return now, [(act.action, act.subject) for act in reversed(acts)]


def loaded(ledger: Ledger) -> tuple[int, Estate]:
    """The number and the estate."""
    with ledger.read() as c:
        return estate.number(c), estate.load(c)


def test_every_field_of_every_noun_comes_back(ledger: Ledger) -> None:
    """Types, days, open ends and unknown numbers too."""
    assert all(getattr(FULL, name) for name in Estate.__slots__)
    now, _ = edit(ledger, lambda _: FULL)

    assert now == FULL
    assert loaded(ledger)[1] == FULL


def test_the_order_of_rows_is_no_content(ledger: Ledger) -> None:
    """Rows come back by their key, whatever the order in which they were given."""
    turned = Estate(**{name: getattr(FULL, name)[::-1] for name in Estate.__slots__})
    edit(ledger, lambda _: turned)
    number = loaded(ledger)[0]
    _, acts = edit(ledger, lambda _: turned)

    assert acts == []
    assert loaded(ledger) == (number, FULL)


def test_every_change_is_noted_row_by_row(ledger: Ledger) -> None:
    """What came, what changed and what went, each with its own name and first day."""
    edit(ledger, lambda _: FULL)

    def change(before: Estate) -> Estate:
        after = edits.put(before, replace(FULL.assets[1], state=AssetState.DISPOSED))
        after = edits.put(after, replace(FULL.sites[0], name="Trụ sở mới", valid_from=MERGED))
        after = edits.remove(after, FULL.links[1])
        return edits.put(after, StaffGroup("hd", "Hợp đồng", 5))

    now, acts = edit(ledger, change, "QĐ 12")

    assert acts == [
        ("site.change", "T1"),
        ("site.add", "T1/2025-07-01"),
        ("link.remove", "L2/2025-07-01"),
        ("staff_group.add", "hd"),
        ("asset.change", "TS-2/2020-01-01"),
    ]
    assert now.links == FULL.links[:1]
    assert [site.name for site in now.sites] == ["Trụ sở 1", "Trụ sở mới", "Trụ sở 2"]


def test_a_note_tells_old_and_new_values_and_the_reason(ledger: Ledger) -> None:
    """Readable JSON; what has no value is left out of a new row."""
    edit(ledger, lambda before: edits.put(before, Unit("08", "Tỉnh Cũ")), "QĐ 1")
    edit(ledger, lambda before: edits.put(before, Unit("08", "Tỉnh Mới", "tỉnh")), "QĐ 2")
    edit(ledger, lambda before: edits.remove(before, before.units[0]))

    with ledger.read() as c:
        removed, changed, added = (act.detail for act in audit.latest(c, 3))
    assert changed == '{"why":"QĐ 2","name":["Tỉnh Cũ","Tỉnh Mới"],"kind":["","tỉnh"]}'
    assert json.loads(added) == {
        "why": "QĐ 1",
        "code": [None, "08"],
        "name": [None, "Tỉnh Cũ"],
        "position": [None, "0"],
        "valid_from": [None, "1900-01-01"],
    }
    assert json.loads(removed)["name"] == ["Tỉnh Mới", None]
    assert "why" not in json.loads(removed)


def test_the_number_rises_with_a_change_and_only_then(ledger: Ledger) -> None:
    """An edit that changes nothing is not noted and makes nobody read again."""
    before = loaded(ledger)[0]
    edit(ledger, lambda _: FULL)
    after = loaded(ledger)[0]
    _, acts = edit(ledger, replace)

    assert after == before + 1
    assert acts == []
    assert loaded(ledger)[0] == after


def test_what_contradicts_itself_is_refused(ledger: Ledger) -> None:
    """All problems are told, and the ledger is as it was."""
    edit(ledger, lambda _: FULL)
    before = loaded(ledger)
    broken = replace(FULL, units=FULL.units[:3])
    with pytest.raises(EstateRefused, match="08") as caught:
        edit(ledger, lambda _: broken)

    assert len(caught.value.problems) > 1
    assert loaded(ledger) == before


def test_a_change_that_fails_changes_nothing(ledger: Ledger) -> None:
    """An error behind the last row undoes all of it, the log too."""
    before = loaded(ledger)

    def save_and_fail() -> None:
        with ledger.write() as c:
            estate.save(c, before[1], FULL, who="lan", role="admin", now_ms=NOW)
            raise KeyError

    with pytest.raises(KeyError):
        save_and_fail()
    assert loaded(ledger) == before
    with ledger.read() as c:
        assert audit.latest(c) == []


def test_differences_are_handed_back(ledger: Ledger) -> None:
    """The caller can tell the user what happened."""
    unit = Unit("08", "Tỉnh")
    _, (found,) = estate.edit(ledger, lambda now: edits.put(now, unit), who="lan", role="admin", now_ms=NOW)

    assert (found.noun, found.key, found.kind) == ("units", ("08", "1900-01-01"), Kind.ADDED)


def test_edits_at_once_see_each_other(ledger: Ledger) -> None:
    """Each adds a unit below all that are there: none is lost, none is overwritten."""
    numbers = count(1)
    edit(ledger, lambda now: edits.put(now, Unit("0", "Gốc")))

    def add(before: Estate) -> Estate:
        code = str(next(numbers))
        return edits.put(before, Unit(code, f"{len(before.units)}", parent=before.units[-1].code))

    def act() -> None:
        estate.edit(ledger, add, who="lan", role="admin", now_ms=NOW)

    assert together(5, act) == [None] * 5
    _, now = loaded(ledger)
    assert sorted(unit.name for unit in now.units) == ["1", "2", "3", "4", "5", "Gốc"]


def test_ten_thousand_assets_at_once(ledger: Ledger) -> None:
    """An import of a province: every row is stored and noted."""
    units = (Unit("08", "Tỉnh"),)
    assets = tuple(Asset(f"TS-{number:05}", AssetKind.DESKTOP, "08") for number in range(10_000))
    now, found = estate.edit(
        ledger,
        lambda before: replace(before, units=units, assets=assets),
        who="lan",
        role="admin",
        now_ms=NOW,
    )

    assert now.assets == assets
    assert len(found) == 10_001
    with ledger.read() as c:
        assert len(audit.search(c, action="asset.add", limit=20_000)) == 10_000


def test_odd_letters_do_no_harm(ledger: Ledger) -> None:
    """What a database refuses is replaced; everything else comes back."""
    name = "a\0b\ud800 '\"%_ \u202e Đ"
    now, _ = edit(ledger, lambda before: edits.put(before, Unit("08", name)))

    assert [unit.name for unit in now.units] == ["a\ufffdb? '\"%_ \u202e Đ"]
    assert loaded(ledger)[1] == now


def _values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field: texts without what a database refuses, numbers that fit into its columns."""
    if get_args(hint):
        return st.one_of([_values(kind) for kind in get_args(hint)])
    if hint is str:
        return st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
    if hint is int:
        return st.integers(-(2**63), 2**63 - 1)
    return st.floats(allow_nan=False) if hint is float else st.from_type(hint)


def _rows(row_type: type[Any]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(row_type)
    return st.builds(row_type, **{name: _values(hint) for name, hint in hints.items()})


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.name)
def test_any_row_is_stored_as_it_is(ledger: Ledger, noun: Noun) -> None:
    """Whatever the types of its fields allow; removing one row leaves the others."""

    @settings(max_examples=25)
    @given(st.lists(_rows(edits.NOUNS[noun.name]), max_size=3, unique_by=noun.key_of))
    def check(rows: list[Any]) -> None:
        ordered = sorted(rows, key=noun.key_of)
        with ledger.write() as c:
            noun.remove(c, noun.load(c))
            noun.put(c, rows)
            assert noun.load(c) == tuple(ordered)
            noun.remove(c, ordered[:1])
            assert noun.load(c) == tuple(ordered[1:])

    check()
