"""A row in a form: shown, read, put in, ended, removed. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hatang_collector.domain import edits
from hatang_collector.domain.checks import problems
from hatang_collector.domain.dated import BEGINNING
from hatang_collector.domain.difference import identity
from hatang_collector.domain.estate import (
    Asset,
    AssetKind,
    Estate,
    Link,
    LinkKind,
    Site,
    Unit,
)
from hatang_collector.domain.tree import Tree
from hatang_collector.sheets.contract import Kind, sheet_of, sheets
from hatang_collector.web.format import Language
from hatang_collector.web.register_edit import (
    RowRefused,
    before_it,
    ended,
    key_fields,
    mark_of,
    put,
    read_day,
    read_form,
    without,
)
from hatang_collector.web.register_form import SCOPES, fields_of, proposals
from hatang_collector.web.register_table import (
    chosen,
    find,
    names_of,
    shown,
    table_of,
    versions_of,
)
from support.registers import sound_estates

TODAY = date(2026, 11, 20)
D1, D2, D3 = date(2024, 1, 1), date(2025, 1, 1), date(2026, 1, 1)
BASE = edits.put_all(
    Estate(),
    [
        Unit("u", "UBND xã Hương Hòa"),
        Unit("v", "UBND xã Thượng Lộ", parent="u", valid_from=D1),
        Site("s", "Trụ sở Hương Hòa"),
        Link("l", "s", LinkKind.FTTH, "VNPT", 20.0, 20.0),
        Link("l", "s", LinkKind.FTTH, "Viettel", 50.0, 50.0, valid_from=D2),
        Asset("x", AssetKind.NAS, "u", serial="S1"),
    ],
)
LINKS, UNITS, ASSETS = sheets()["links"], sheets()["units"], sheets()["assets"]


def typed(estate: Estate, row: edits.Row, **changed: str) -> Estate:
    """The estate after the form of a row was sent with some fields changed."""
    sheet = sheet_of(type(row))
    texts = {**shown(sheet, row, "vi"), **changed}
    return put(read_form(sheet, texts, estate), estate, TODAY, new=False).estate


def added(estate: Estate, row_type: type[edits.Row], **texts: str) -> Estate:
    """The estate after a blank form was filled in."""
    sheet = sheet_of(row_type)
    return put(
        read_form(sheet, {**shown(sheet, None, "vi"), **texts}, estate), estate, TODAY, new=True
    ).estate


def refused(error: pytest.ExceptionInfo[RowRefused]) -> list[tuple[str, str]]:
    """The fields and what was told in Vietnamese."""
    return [(one.field, one.line("vi")) for one in error.value.wrong]


@settings(max_examples=60, deadline=None)
@given(sound_estates(), st.sampled_from(["vi", "en"]))
def test_a_row_that_is_saved_as_it_is_shown_changes_nothing(estate: Estate, language: Language) -> None:
    """For every noun, version, language and sign."""
    assert problems(estate) == []
    for noun, sheet in sheets().items():
        rows = getattr(estate, noun)
        assert rows, noun
        for row in rows:
            line = read_form(sheet, shown(sheet, row, language), estate)
            assert put(line, estate, TODAY, new=False).estate == estate
            assert find(sheet, estate, identity(row)) == row


@settings(max_examples=30, deadline=None)
@given(sound_estates(), st.sampled_from(["vi", "en"]), st.data())
def test_any_row_can_be_typed_anew(estate: Estate, language: Language, data: st.DataObject) -> None:
    """What stands in the fields of a version is enough to put it back after it was taken out."""
    sheet = sheets()[
        data.draw(st.sampled_from(["assets", "links", "special_days", "staff_counts", "targets"]))
    ]
    row = data.draw(st.sampled_from(getattr(estate, sheet.noun)))
    less = edits.remove(estate, row)
    line = read_form(sheet, shown(sheet, row, language), estate)
    again = put(line, less, TODAY, new=True).estate
    assert set(getattr(again, sheet.noun)) == set(getattr(estate, sheet.noun))


def test_the_first_day_decides_between_a_correction_and_a_version() -> None:
    """The same day corrects, another one begins a version, a blank one begins it today."""
    old, new = BASE.links
    corrected = typed(BASE, new, down_mbps="80")
    assert corrected.links == (old, replace(new, down_mbps=80.0))
    later = typed(BASE, new, down_mbps="100", valid_from="01/01/2026")
    assert later.links == (old, replace(new, valid_to=D3), replace(new, down_mbps=100.0, valid_from=D3))
    now = typed(BASE, new, down_mbps="100", valid_from="")
    assert now.links[-1] == replace(new, down_mbps=100.0, valid_from=TODAY)


def test_everything_wrong_with_a_form_is_told_at_once_and_at_its_field() -> None:
    """What cannot be read and what refers to nothing, together."""
    with pytest.raises(RowRefused) as error:
        added(BASE, Link, code="", site="không có", kind="", down_mbps="1x", valid_from="31/02/2026")
    assert [one for one, _ in refused(error)] == ["code", "kind", "down_mbps", "valid_from", "site"]
    assert "không phải là số; ghi số" in dict(refused(error))["down_mbps"]
    assert "không có trụ sở “không có”" in dict(refused(error))["site"]


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        ({"code": "l", "valid_from": ""}, "code"),
        ({"code": "l", "valid_from": "–"}, "code"),
        ({"code": "l", "valid_from": "01/01/2020", "valid_to": "01/01/2030"}, "code"),
    ],
)
def test_a_new_row_never_changes_a_thing_there_is(texts: dict[str, str], field: str) -> None:
    """A code that is taken is told, and nothing is silently turned into a version."""
    with pytest.raises(RowRefused) as error:
        added(BASE, Link, site="s", kind="Cáp quang (FTTH)", **texts)
    assert refused(error) == [(field, "đường truyền này đã có trong sổ; mở dòng đó để sửa, hoặc ghi mã khác")]


def test_a_thing_that_ended_can_come_back() -> None:
    """When nothing of it holds on the days of the new row."""
    estate = edits.end(BASE, Link, "l", D3)
    again = added(estate, Link, code="l", site="s", kind="Di động 4G/5G", valid_from="20/11/2026")
    assert [(one.valid_from, one.valid_to) for one in again.links] == [
        (BEGINNING, D2),
        (D2, D3),
        (TODAY, None),
    ]


def test_a_name_does_for_a_code() -> None:
    """Spelled as people spell it."""
    estate = added(BASE, Asset, code="y", kind="Máy in", unit="ubnd xã hương hoà", site="trụ sở hương hoà")
    assert (estate.assets[-1].unit, estate.assets[-1].site) == ("u", "s")


def test_a_contradiction_stands_at_the_field_or_names_the_other_row() -> None:
    """An end before the beginning is at its field; a child that would lose its parent is named."""
    new = BASE.links[-1]
    with pytest.raises(RowRefused) as error:
        typed(BASE, new, valid_to="01/01/2024")
    assert refused(error) == [
        ("valid_to", "“Đến ngày” 01/01/2024 không sau “Từ ngày” 01/01/2025; sửa một trong hai ngày")
    ]
    with pytest.raises(RowRefused) as error:
        typed(BASE, BASE.units[0], valid_to="01/01/2026")
    assert refused(error) == [
        (
            "",
            "đơn vị v: “Trực thuộc” đơn vị cấp trên u không có hiệu lực suốt từ 01/01/2024 "
            "đến không thời hạn; sửa dòng ấy trước",
        )
    ]


def test_probable_slips_are_told_and_hinder_nothing() -> None:
    """One serial number twice, a year to come."""
    nas = shown(ASSETS, BASE.assets[0], "vi")["kind"]
    typed_texts = {"code": "y", "kind": nas, "unit": "u", "serial": "s1", "year": "2090"}
    texts = {**shown(ASSETS, None, "vi"), **typed_texts}
    done = put(read_form(ASSETS, texts, BASE), BASE, TODAY, new=True)
    assert len(done.estate.assets) == 2
    assert [one.cause.vi for one in done.warnings] == [
        "số sê-ri S1 có ở nhiều tài sản: x, y",
        "năm 2090 ở tương lai",
    ]


def test_an_end_keeps_the_history() -> None:
    """The newest version is closed; what was before stays."""
    old, new = BASE.links
    assert ended(BASE, new, TODAY).links == (old, replace(new, valid_to=TODAY))


@pytest.mark.parametrize(
    ("row", "day", "told"),
    [
        (BASE.links[0], D3, "đã có phiên bản từ 01/01/2025; mở phiên bản cuối để kết thúc"),
        (BASE.links[1], D2, "01/01/2025 không sau “Từ ngày” 01/01/2025; ghi ngày sau đó"),
        (BASE.units[0], BEGINNING, "– không sau “Từ ngày” –"),
        (replace(BASE.links[1], valid_to=D3), D3, "đã hết hiệu lực từ 01/01/2026; ghi ngày trước đó"),
    ],
)
def test_an_end_that_would_lose_something_is_refused(row: Link | Unit, day: date, told: str) -> None:
    """No version disappears because somebody mistyped a day."""
    estate = typed(BASE, BASE.links[1], valid_to="01/01/2026") if row.valid_to == D3 else BASE
    with pytest.raises(RowRefused) as error:
        ended(estate, row, day)
    assert refused(error)[0][0] == "end_day"
    assert told in refused(error)[0][1]


def test_the_day_of_an_end() -> None:
    """Today when it is blank; what is no day is told."""
    assert read_day("", TODAY) == TODAY
    assert read_day("1/2/2026", TODAY) == date(2026, 2, 1)
    for text in ("hôm nay", "31/02/2026"):
        with pytest.raises(RowRefused) as error:
            read_day(text, TODAY)
        assert refused(error)[0][0] == "end_day"


def test_a_mistaken_version_gives_way_to_the_one_before() -> None:
    """When that is wanted; else there is a gap."""
    old, new = BASE.links
    assert before_it(BASE, new) == old
    assert before_it(BASE, old) is None
    assert without(BASE, new, reopen=True).links == (replace(old, valid_to=None),)
    assert without(BASE, new, reopen=False).links == (old,)


def test_what_others_need_cannot_be_removed() -> None:
    """Every row that would be left without it is named with its column."""
    with pytest.raises(RowRefused) as error:
        without(BASE, BASE.sites[0], reopen=True)
    assert (
        refused(error)
        == [("", "đường truyền l: “Trụ sở” không có “s” trong “Trụ sở”; sửa dòng ấy trước")] * 2
    )


def test_a_mark_changes_with_every_field() -> None:
    """So that a form knows that somebody was quicker."""
    link = BASE.links[0]
    others = [replace(link, purpose="họp"), replace(link, metered=True)]
    assert len({mark_of(one) for one in (link, *others)}) == 3


@pytest.mark.parametrize("noun", list(sheets()))
def test_what_names_a_row_is_in_its_form(noun: str) -> None:
    """The fields that cannot be changed are those of the key; every column has a text that helps."""
    sheet = sheets()[noun]
    fields = {column.field for column in sheet.columns}
    assert set(key_fields(sheet)) <= fields
    names = names_of(BASE, Tree(BASE.units, BASE.successions), TODAY)
    shown_fields = fields_of(sheet, shown(sheet, None, "vi"), None, names, "vi")
    assert [one.name for one in shown_fields] == [column.field for column in sheet.columns]
    assert not any(one.fixed for one in shown_fields)
    lists = proposals(sheet, BASE, names, "vi")
    assert {one.proposals for one in shown_fields} - {""} == set(lists)


def test_lists_propose_codes_with_their_names() -> None:
    """Also for a scope, where the level is written before the code."""
    names = names_of(BASE, Tree(BASE.units, BASE.successions), TODAY)
    units = proposals(ASSETS, BASE, names, "vi")["units"]
    assert [(one.text, one.name) for one in units] == [("u", "UBND xã Hương Hòa"), ("v", "UBND xã Thượng Lộ")]
    scopes = proposals(sheets()["special_days"], BASE, names, "vi")[SCOPES]
    assert ("đơn vị: u", "UBND xã Hương Hòa") in [(one.text, one.name) for one in scopes]


def test_a_register_as_of_a_day_and_with_its_history() -> None:
    """What does not hold is left out, or marked."""
    names = names_of(BASE, Tree(BASE.units, BASE.successions), TODAY)
    assert chosen(LINKS, BASE, names, "vi") == [BASE.links[1]]
    every = chosen(LINKS, BASE, names, "vi", every_version=True)
    assert every == list(BASE.links)
    table = table_of(LINKS, every, names, "vi")
    assert [row.past for row in table.rows] == [True, False]
    assert versions_of(LINKS, BASE, BASE.links[1]) == list(BASE.links)
    assert "contract" not in {column.field for column in table.columns}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", 1),
        ("VIETTEL", 1),
        ("tru so huong hoa", 1),
        ("cáp quang 50", 1),
        ("hòa hương viettel", 1),
        ("vnpt", 0),
        ("51", 0),
    ],
)
def test_words_are_looked_for_in_texts_labels_and_names(query: str, found: int) -> None:
    """Any order, any case, with or without marks; every word must be there."""
    names = names_of(BASE, Tree(BASE.units, BASE.successions), TODAY)
    assert len(chosen(LINKS, BASE, names, "vi", query=query)) == found


def test_a_name_is_that_of_the_day() -> None:
    """Of a site that was renamed, and the last one of a site that is gone."""
    estate = edits.put_all(BASE, [Site("s", "Nhà mới", valid_from=D3), Site("t", "Cũ", valid_to=D1)])
    tree = Tree(estate.units, estate.successions)
    site = LINKS.column("site")
    assert site.kind is Kind.REFERENCE
    assert names_of(estate, tree, TODAY).of(site, "s") == "Nhà mới"
    assert names_of(estate, tree, D2).of(site, "s") == "Trụ sở Hương Hòa"
    assert names_of(estate, tree, TODAY).of(site, "t") == "Cũ"
