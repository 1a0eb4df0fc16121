"""Values of cells in every habit, in and out; sheets that fit their rows; texts that are no Unicode."""

from __future__ import annotations

import dataclasses
import enum
import json
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.domain import edits, estate
from hatang_collector.domain.dated import BEGINNING
from hatang_collector.domain.estate import AssetKind, LinkKind
from hatang_collector.sheets.cells import Cell, Value, as_text, read_cell, write_cell
from hatang_collector.sheets.contract import Column, Kind, Sheet, sheet_of, sheets
from hatang_collector.sheets.export import example_row
from hatang_collector.sheets.labels import LABELS, label, labels, value_of
from hatang_collector.sheets.said import LANGUAGES, Language, Refused
from hatang_collector.sheets.text import clean

CATALOGUE = Path(__file__).parents[2] / "collector/hatang_collector/web/catalogue"
EVERY = pytest.mark.parametrize("sheet", sheets().values(), ids=list(sheets()))
ENUMS = [
    each
    for each in vars(estate).values()
    if isinstance(each, type) and issubclass(each, enum.StrEnum) and list(each)
]


def column(kind: Kind, field: str = "x") -> Column:
    """A column of a kind."""
    choices = AssetKind if kind is Kind.CHOICE else None
    return Column(field, "Cột", "Column", kind, choices=choices)


@EVERY
def test_a_sheet_has_a_column_for_every_field_of_its_row(sheet: Sheet) -> None:
    """Nothing of an estate is left behind by an export, and what is required has no default."""
    fields = {field.name: field for field in dataclasses.fields(sheet.row)}

    assert [one.field for one in sheet.columns] == list(fields)
    assert sheet_of(sheet.row) is sheet
    for one in sheet.columns:
        has_default = fields[one.field].default is not dataclasses.MISSING
        assert one.required is not (has_default or one.kind is Kind.SCOPE)
        assert (one.choices is not None) is (one.kind is Kind.CHOICE)
        assert bool(one.refers) is (one.kind is Kind.REFERENCE)
        assert all(one.help(language) for language in LANGUAGES), one.field
    assert sheet.dated is (sheet.row in edits.DATED)


def test_every_noun_has_a_sheet() -> None:
    """In the order people fill them in."""
    assert set(sheets()) == set(edits.NOUNS)
    assert next(iter(sheets())) == "units"


@EVERY
@pytest.mark.parametrize("language", LANGUAGES)
def test_headings_and_names_are_told_apart(sheet: Sheet, language: Language) -> None:
    """No two columns of a sheet and no two sheets share a heading."""
    titles = [one.title(language) for one in sheet.columns]

    assert len(set(titles)) == len(titles)
    assert len({one.title(language) for one in sheets().values()}) == len(sheets())


@EVERY
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_example_of_a_sheet_can_be_read(sheet: Sheet, language: Language) -> None:
    """Without its mark it would be taken; with it nobody takes it."""
    row = example_row(sheet, language)
    mark, _, first = str(row[0]).partition(": ")

    assert mark in ("Ví dụ", "Example")
    for one, cell in zip(sheet.columns, [first, *row[1:]], strict=True):
        if one.required or cell != "":
            assert read_cell(one, cell) is not None


@pytest.mark.parametrize("kind", ENUMS, ids=[kind.__name__ for kind in ENUMS])
def test_every_value_has_a_label_that_leads_back(kind: type[enum.StrEnum]) -> None:
    """In both languages and by its code."""
    assert list(LABELS[kind]) == list(kind)
    for language in LANGUAGES:
        assert len(set(labels(kind, language))) == len(kind)
        for member in kind:
            assert value_of(kind, label(member, language)) is member
            assert value_of(kind, label(member, language).upper()) is member
            assert value_of(kind, member.value) is member


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        (Kind.TEXT, "  Hương\u00a0 Hoà\n", "Hương Hoà"),
        (Kind.TEXT, 12.0, "12"),
        (Kind.TEXT, 12.5, "12,5"),
        (Kind.TEXT, True, "có"),
        (Kind.TEXT, date(2020, 2, 1), "01/02/2020"),
        (Kind.CODE, 20161, "20161"),
        (Kind.CODE, "00123", "00123"),
        (Kind.INTEGER, "1.572.760", 1_572_760),
        (Kind.INTEGER, "1,572,760", 1_572_760),
        (Kind.INTEGER, "1.000", 1000),
        (Kind.INTEGER, "22,0", 22),
        (Kind.INTEGER, 22.0, 22),
        (Kind.DECIMAL, "92,5", 92.5),
        (Kind.DECIMAL, "98.5", 98.5),
        (Kind.DECIMAL, "1.234,5", 1234.5),
        (Kind.DECIMAL, "1,234.5", 1234.5),
        (Kind.DECIMAL, "1.234.567,125", 1234567.125),
        (Kind.DECIMAL, "0,125", 0.125),
        (Kind.DECIMAL, "0.125", 0.125),
        (Kind.DECIMAL, "1 250", 1250.0),
        (Kind.DECIMAL, "35Mb", 35.0),
        (Kind.DECIMAL, "35,5 Mbit/s", 35.5),
        (Kind.DECIMAL, ",5", 0.5),
        (Kind.YES_NO, "Có", True),
        (Kind.YES_NO, "x", True),
        (Kind.YES_NO, "không", False),
        (Kind.YES_NO, 0, False),
        (Kind.YES_NO, True, True),
        (Kind.DAY, "05/02/2026", date(2026, 2, 5)),
        (Kind.DAY, "5.2.2026", date(2026, 2, 5)),
        (Kind.DAY, "2026-02-05", date(2026, 2, 5)),
        (Kind.DAY, "ngày 05 tháng 02 năm 2026", date(2026, 2, 5)),
        (Kind.DAY, datetime.fromisoformat("2026-02-05T07:30:00"), date(2026, 2, 5)),
        (Kind.CHOICE, "máy tính xách tay", AssetKind.LAPTOP),
        (Kind.CHOICE, "May tinh de ban", AssetKind.DESKTOP),
        (Kind.CHOICE, "Máy Scan", AssetKind.SCANNER),
        (Kind.SCOPE, None, ""),
        (Kind.SCOPE, "Đơn vị: 20161", "unit:20161"),
        (Kind.SCOPE, "site: TS-1", "site:TS-1"),
        (Kind.SCOPE, "Khe Tre", "Khe Tre"),
        (Kind.INTEGER, " ", None),
        (Kind.DAY, None, None),
    ],
)
def test_a_cell_is_read_in_every_habit(kind: Kind, cell: Cell, value: Value) -> None:
    """Decimal comma and dot, thousands, days, yes and no, names of values."""
    assert read_cell(column(kind), cell) == value


@pytest.mark.parametrize(
    ("kind", "cell", "told"),
    [
        (Kind.DECIMAL, "1,000", "can be two numbers; write 1000 or 1,0000"),
        (Kind.DECIMAL, "1.00.000", "is no number"),
        (Kind.DECIMAL, "12,34,567", "is no number"),
        (Kind.DECIMAL, "nan", "is no number"),
        (Kind.DECIMAL, float("nan"), "is not between"),
        (Kind.DECIMAL, "-3", "is not between 0"),
        (Kind.INTEGER, "2,5", "is no whole number"),
        (Kind.INTEGER, "hai", "is no number"),
        (Kind.INTEGER, date(2018, 1, 1), "is no number"),
        (Kind.INTEGER, True, "is no number"),
        (Kind.CODE, 1.5, "is 1,5, no code"),
        (Kind.YES_NO, "có thể", "neither yes nor no"),
        (Kind.DAY, "02/13/2026", "is no day; write dd/mm/yyyy"),
        (Kind.DAY, "30/02/2026", "is no day"),
        (Kind.DAY, "5/2/26", "is no day"),
        (Kind.DAY, "–", "is no day"),
        (Kind.DAY, 46000, "is no day"),
        (Kind.DAY, "01/01/0026", "is no day"),
        (Kind.CHOICE, "máy bay", "choose one of: Desktop computer, Laptop"),
        (Kind.TEXT, "#N/A", "the formula gives #N/A"),
        (Kind.TEXT, "x" * 1001, "at most 1000"),
        (Kind.TEXT, "Hµ Néi", "TCVN3"),
        (Kind.TEXT, "Höông Hoøa", "VNI"),
        (Kind.TEXT, "Huáº¿", "wrong encoding"),
        (Kind.TEXT, "Hu\ufffd", "wrong encoding"),
    ],
)  # fmt: skip
def test_a_cell_that_cannot_be_read_says_why(kind: Kind, cell: Cell, told: str) -> None:
    """The cause and the next step; nothing is guessed."""
    with pytest.raises(Refused) as refused:
        read_cell(column(kind), cell)

    assert told in str(refused.value)
    assert refused.value.next_step.vi
    assert refused.value.cause.vi


def test_a_required_cell_may_not_be_blank() -> None:
    """A blank is never a zero."""
    must = dataclasses.replace(column(Kind.INTEGER), required=True)

    for blank in (None, "", " \u00a0"):
        with pytest.raises(Refused, match="is blank"):
            read_cell(must, blank)


def test_always_is_a_dash() -> None:
    """Blank and "always so" are two things."""
    since = column(Kind.DAY, "valid_from")

    assert write_cell(since, BEGINNING) == "–"
    assert read_cell(since, "–") == read_cell(since, "-") == BEGINNING


NUMBERS = st.floats(0, 1_000_000_000, allow_nan=False)
DAYS = st.dates(date(1900, 1, 2), date(2200, 1, 1))


@given(NUMBERS | st.integers(0, 10**9).map(lambda number: number / 1000))
def test_a_number_comes_back_from_its_text(number: float) -> None:
    """Whatever number of decimals it has: three of them never look like thousands."""
    again = read_cell(column(Kind.DECIMAL), as_text(number))

    assert again == pytest.approx(number, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("language", LANGUAGES)
@given(DAYS, st.sampled_from(LinkKind), st.booleans(), st.sampled_from(["", "unit:46", "site:TS:1"]))
def test_a_value_comes_back_from_its_cell(
    language: Language, day: date, kind: LinkKind, flag: bool, scope: str
) -> None:
    """Writing and reading are the inverse of each other, as cells and as text."""
    choice = dataclasses.replace(column(Kind.CHOICE), choices=LinkKind)
    values: list[tuple[Column, Value]] = [
        (column(Kind.DAY), day),
        (choice, kind),
        (column(Kind.YES_NO), flag),
        (column(Kind.SCOPE), scope),
    ]
    for one, value in values:
        cell = write_cell(one, value, language)
        assert read_cell(one, cell) == value
        assert read_cell(one, as_text(cell)) == value


@pytest.mark.parametrize(
    "text",
    [
        "Intel® Core™ i5-10400", "Microsoft® Windows", "tụ 10µF", "µTorrent", "Canon LBP 2900", "½ inch",
        "Hoà", "Thuý", "«Dell»",
        "Café Où", "Màn hình 24” · Dell", "Señor", "© 2024 Dell", "«Một cửa»", "Nº 5", "1–2", "in\u00adter",
        "Müller",
        "Xoá", "UBND xã Hoà Quý", "Hà Nội §5", "T2–T6", "naïve", "30°C", "±5%", "n² × m³", "ASUS ROG®",
        "piñata",
    ],
)  # fmt: skip
def test_a_text_that_only_looks_odd_is_taken(text: str) -> None:
    """Trade marks, units, French: no reason to refuse a register."""
    assert clean(text)


def test_no_vietnamese_text_of_the_program_is_taken_for_an_old_font() -> None:
    """Every text of the pages and every label, as it is and letter by letter."""
    texts = [text for kind in LABELS for text in labels(kind, "vi")]
    for file in sorted((CATALOGUE / "vi").glob("*.json")):
        texts += json.loads(file.read_text(encoding="utf-8")).values()
    words = {word for text in texts for word in text.split()}

    assert len(words) > 100
    for word in words:
        assert clean(word) or not word.strip()


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Céng hoµ x· héi chñ nghÜa ViÖt Nam", "TCVN3"),
        ("§¬n vÞ", "TCVN3"),
        ("M¸y tÝnh ®Ó bµn", "TCVN3"),
        ("Qu¶ng Thä", "TCVN3"),
        ("Coäng hoøa xaõ hoäi chuû nghóa Vieät Nam", "VNI"),
        ("Ñôn vò", "VNI"),
        ("Maùy tính ñeå baøn", "VNI"),
        ("Quaûng Thoï", "VNI"),
    ],
)
def test_old_fonts_are_recognised(text: str, encoding: str) -> None:
    """And the tool that converts them is named."""
    with pytest.raises(Refused) as refused:
        clean(text)

    assert encoding in str(refused.value)
    assert "UniKey" in str(refused.value)
