"""The audit log in words, days as people type them, the lists of places: pure."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.domain.estate import Estate, Site, SiteUnit, StaffGroup, Unit
from hatang_collector.domain.hours import Calendar
from hatang_collector.domain.tree import Tree
from hatang_collector.ledger.audit import COMMAND_LINE, Change
from hatang_collector.sheets.contract import sheets
from hatang_collector.web import places
from hatang_collector.web.days import read_day, write_day
from hatang_collector.web.downloads import csv_text
from hatang_collector.web.estate import EstateNow
from hatang_collector.web.i18n import Texts, texts
from hatang_collector.web.log_words import action_words, change_words, words

VI, EN = texts("vi"), texts("en")
TODAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("action", "detail", "expected"),
    [
        ("user.role", '{"role":["viewer","admin"]}', ["Quyền: Người xem → Quản trị viên"]),
        ("token.create", '{"role":"pc","uses":3}', ["Vai trò: Máy tính", "Số máy: 3"]),
        ("machine.move", '{"from_ms":1795137960000}', ["Từ lúc: 20/11/2026 08:26:00"]),
        ("machine.move", '{"site":["","KT"]}', ["Trụ sở: – → KT"]),
        ("link.change", '{"down_mbps":["100.5","200"]}', ["Tải xuống (Mbit/s): 100,5 → 200"]),
        ("link.change", '{"up_mbps":["100.0",null]}', ["Tải lên (Mbit/s): 100 → –"]),
        ("finding.close", '{"kind":"clone"}', ["Loại: Nghi hai máy dùng chung một danh tính"]),
        ("link.change", '{"essential":["true","false"]}', ["Thiết yếu: có → không"]),
        ("link.change", '{"kind":["ftth","cpnet"]}', None),
        ("asset.change", '{"valid_to":[null,"2026-01-31"]}', ["Đến ngày: – → 31/01/2026"]),
        ("asset.add", '{"room":[null,""],"year":[null,"2020"]}', None),
        ("unit.add", '{"valid_from":[null,"1900-01-01"]}', []),
        ("x.y", '{"new_field":["a","b"],"n":1.5,"yes":true,"o":{"a":1}}', None),
        ("token.create", "pc, 1 uses, 7 days", ["pc, 1 uses, 7 days"]),
        ("x", "[1, 2]", ["[1, 2]"]),
        ("x", "", []),
    ],
)
def test_changes_in_words(action: str, detail: str, expected: list[str] | None) -> None:
    """Fields as their sheet calls them, values as people write them, unknown things as they are."""
    whole = {
        '{"kind":["ftth","cpnet"]}': ["Loại: Cáp quang (FTTH) → Truyền số liệu chuyên dùng (CPNet)"],
        '{"room":[null,""],"year":[null,"2020"]}': [
            f"{sheets()['assets'].column('year').vi}: 2020",
        ],
        '{"new_field":["a","b"],"n":1.5,"yes":true,"o":{"a":1}}': [
            "new_field: a → b",
            "n: 1,5",
            "yes: có",
            'o: {"a": 1}',
        ],
    }
    assert change_words(action, detail, VI) == (whole[detail] if expected is None else expected)


@pytest.mark.parametrize(
    ("action", "vi", "en"),
    [
        ("machine.move", "Chuyển máy", "Move machine"),
        ("link.add", "Thêm đường truyền", "Add link"),
        ("asset.remove", "Bỏ tài sản", "Remove asset"),
        ("link.frobnicate", "link.frobnicate", "link.frobnicate"),
        ("future.act", "future.act", "future.act"),
    ],
)
def test_acts_in_words(action: str, vi: str, en: str) -> None:
    """Acts on what is declared are named after its sheet; an unknown act reads as itself."""
    assert (action_words(action, VI), action_words(action, EN)) == (vi, en)


def test_every_noun_of_the_estate_has_its_acts() -> None:
    """Whatever can be declared, the log has words for adding, changing and removing it."""
    for noun in sheets():
        for verb in ("add", "change", "remove"):
            action = f"{noun.removesuffix('s')}.{verb}"
            assert action_words(action, VI) != action


def test_a_whole_act() -> None:
    """The command line has no role; what has always been so has no day in its name."""
    change = Change(7, 5, COMMAND_LINE, "", "unit.add", "20161/1900-01-01", "")
    told = words(change, VI)
    assert (told.who, told.role, told.subject) == ("dòng lệnh trên máy chủ", "", "20161")


@given(st.text(), st.text(), st.sampled_from([VI, EN]))
def test_any_detail_can_be_shown(action: str, detail: str, t: Texts) -> None:
    """Whatever another version wrote, the log opens."""
    change_words(action, detail, t)
    action_words(action, t)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["role", "kind", "at_ms", "valid_to", "essential", "x"]), JSON))
def test_any_fields_can_be_shown(fields: dict[str, object]) -> None:
    """Fields of any type, known or not."""
    for action in ("link.add", "user.role", "asset.change"):
        change_words(action, json.dumps(fields), VI)


@given(st.dates())
def test_days_are_read_as_they_are_written(day: date) -> None:
    """dd/mm/yyyy there and back, over all years."""
    assert read_day(write_day(day)) == day


@pytest.mark.parametrize(
    "text", ["31/02/2026", "2026-11-20", "20/11/26", "hôm nay", "0/1/2026", "20/11/2026 x"]
)
def test_what_is_no_day(text: str) -> None:
    """Anything else is an error and never another day."""
    with pytest.raises(ValueError, match=r"."):
        read_day(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [("", None), ("  ", None), ("1/2/2026", date(2026, 2, 1)), (" 01.02.2026 ", date(2026, 2, 1))],
)
def test_days_are_read_kindly(text: str, day: date | None) -> None:
    """Spaces, one digit, dots and dashes are understood; nothing means no day."""
    assert read_day(text) == day


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1), max_size=5))
def test_no_cell_is_a_formula(rows: list[list[str]]) -> None:
    """However a text begins, the cell read back does not begin a formula and has lost nothing."""
    text = csv_text(rows)
    back = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    for row, given_row in zip(back, rows, strict=True):
        for cell, wanted in zip(row or [""], given_row, strict=True):
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
            assert cell.removeprefix("'") == wanted.removeprefix("'") or cell == wanted


ESTATE = Estate(
    units=(
        Unit("B", "Ban B", parent="A", position=2),
        Unit("A", "UBND xã A"),
        Unit("C", "Ban C", parent="A", position=1),
        Unit("X", "Đã giải thể", valid_to=date(2025, 7, 1)),
    ),
    sites=(
        Site("S1", "Trụ sở 1"),
        Site("S2", "Điểm cũ", valid_to=date(2026, 1, 1)),
        Site("S3", "Tên cũ", valid_to=date(2026, 1, 1)),
        Site("S3", "Tên mới", valid_from=date(2026, 1, 1)),
    ),
    site_units=(
        SiteUnit("S1", "A"),
        SiteUnit("S1", "B", valid_to=date(2026, 1, 1)),
        SiteUnit("S3", "A"),
        SiteUnit("S3", "B"),
    ),
    staff_groups=(StaffGroup("z", "Nhóm Z", 1), StaffGroup("a", "Nhóm A", 2)),
)
TREE = Tree(ESTATE.units, ESTATE.successions)
NOW = EstateNow(1, ESTATE, TREE, Calendar(ESTATE, TREE), TODAY, {}, ())


def test_lists_have_what_is_there_today_in_order() -> None:
    """Units under their parent by position, sites by name, groups by position; nothing that ended."""
    found = places.options(NOW)
    assert [one.code for one in found.units] == ["A", "C", "B"]
    assert found.units[1].text.endswith("Ban C (C)")
    assert found.units[1].text != found.units[1].text.strip()
    assert [one.code for one in found.sites] == ["S3", "S1"]
    assert [one.code for one in found.staff_groups] == ["z", "a"]


@pytest.mark.parametrize(
    ("unit", "site", "group", "reason"),
    [
        ("", "", "", ""),
        ("A", "S1", "z", ""),
        ("", "S1", "", ""),
        ("", "S3", "", "which_unit"),
        ("B", "S3", "", ""),
        ("X", "", "", "no_unit"),
        ("", "S2", "", "no_site"),
        ("", "", "b", "no_group"),
    ],
)
def test_what_goes_together(unit: str, site: str, group: str, reason: str) -> None:
    """A site that two units share needs the unit said; what ended cannot be chosen."""
    assert places.refusal(NOW, unit, site, group) == reason


@pytest.mark.parametrize(
    ("day", "name"), [(date(2025, 5, 5), "Tên cũ"), (date(2026, 1, 1), "Tên mới"), (TODAY, "Tên mới")]
)
def test_a_site_is_called_as_it_was(day: date, name: str) -> None:
    """The name of that day; an unknown site by its code."""
    assert places.site_name(ESTATE, "S3", day) == name
    assert places.site_name(ESTATE, "nowhere", day) == "nowhere"
