"""Files that must be refused are, by name, quickly, with nothing changed; odd good ones are read."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook

from hatang_collector.domain.estate import Estate, Unit
from hatang_collector.sheets.files import Source
from hatang_collector.sheets.plan import Plan, read_files
from sheets.making import BAD, SHEET_1, UNITS, WORKBOOK, Bad, book, csv_text, part, repacked

DAY = date(2026, 3, 2)
BEFORE = Estate(units=(Unit("1", "Đơn vị có từ trước"),))
WANTED = Estate(
    units=(Unit("46", "Thành phố Huế", "thành phố"), Unit("20161", "UBND xã Khe Tre", "xã", "46"))
)


def read(name: str, content: bytes, before: Estate = BEFORE) -> Plan:
    """What one file would change."""
    return read_files([Source(name, content)], before, DAY)


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_file_gives_one_clear_line_and_changes_nothing(bad: Bad) -> None:
    """File, place, cause and next step in one line, in both languages."""
    made = read(bad.name, bad.make())

    assert made.refused
    assert made.estate_after is BEFORE
    assert made.differences == []
    (problem,) = made.problems
    line = problem.line("en")
    for told in (bad.name, *bad.told):
        assert told in line
    for language in (line, problem.line("vi")):
        assert "\n" not in language
        assert language.count("; ") >= 1
    assert problem.line("vi") != line


@pytest.mark.parametrize("name", ["100,000 rows", "bomb", "100,000 lines", "entities"])
def test_a_file_that_is_too_much_is_refused_quickly(name: str) -> None:
    """Before it is unpacked or read to its end."""
    content = BAD[name].make()
    began = time.process_time()
    made = read(BAD[name].name, content)

    assert made.refused
    assert time.process_time() - began < 3


@pytest.mark.parametrize("name", ["bomb", "truncated", "macro"])
def test_a_bad_file_beside_good_ones_refuses_all(name: str) -> None:
    """Even when bad rows may be skipped: nobody knows what was in it."""
    sources = [Source("good.xlsx", WORKBOOK), Source(BAD[name].name, BAD[name].make())]
    made = read_files(sources, BEFORE, DAY, skip_bad_rows=True)

    assert made.refused
    assert made.estate_after is BEFORE


def test_a_cut_file_is_refused_wherever_it_is_cut() -> None:
    """Every length of a workbook that was not copied to its end."""
    for length in range(1, len(WORKBOOK), 97):
        assert read("a.xlsx", WORKBOOK[:length]).refused


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("don-vi.csv", csv_text(UNITS).encode()),
        ("don-vi.csv", csv_text(UNITS).encode("utf-8-sig")),
        ("don-vi.csv", csv_text(UNITS).encode("utf-16")),
        ("don-vi.csv", csv_text(UNITS).encode("utf-16-le")),
        ("don-vi.csv", csv_text(UNITS).encode("utf-16-be")),
        ("don-vi.csv", csv_text(UNITS, ",").encode()),
        ("don-vi.csv", csv_text(UNITS, "\t").encode()),
        ("don-vi.csv", ("sep=,\r\n" + csv_text(UNITS, ",")).encode()),
        ("don-vi.csv", csv_text(UNITS).replace("\r\n", "\n").encode()),
        ("DON VI.csv", csv_text(UNITS).encode()),
        ("units.csv", csv_text(UNITS).encode()),
        ("bất kỳ.csv", csv_text(UNITS).encode()),
        ("bang.xlsx", WORKBOOK),
        ("tên sai.xls", WORKBOOK),
        ("bang.xlsx", book({"Sheet1": UNITS})),
        ("bang.xlsx", book({"units": UNITS, "Ghi chép": (("gì đó", 1),)})),
        ("bang.xlsx", book({"ĐƠN VỊ": ((), ("DANH SÁCH ĐƠN VỊ",), (), *UNITS)}, ["A2:D2"])),
        ("bang.xlsx", book({"Đơn vị": (("Ma don vi", "TEN DON VI *", "loai", "Parent"), *UNITS[1:])})),
        ("bang.xlsx", book({"Đơn vị": [(no, *row) for no, row in zip(("No", 1, 2), UNITS, strict=True)]})),
        ("bang.xlsx", book({"Đơn vị": (*UNITS, (), (None, "  "), ("Ví dụ: 1", "không nhập dòng này"))})),
        ("bang.xlsx", book({"Đơn vị": (UNITS[0], (46, *UNITS[1][1:]), (20161.0, *UNITS[2][1:3], 46))})),
    ],
)  # fmt: skip
def test_the_same_table_is_read_however_it_comes(name: str, content: bytes) -> None:
    """Encodings, delimiters, titles above, headings without marks, codes typed as numbers."""
    made = read(name, content, Estate())

    assert [one.line("en") for one in made.problems] == []
    assert made.estate_after == WANTED


def test_a_tab_that_is_not_known_is_told_and_left_out() -> None:
    """Its rows are not taken for anything, and nobody believes they were."""
    made = read("bang.xlsx", book({"Đơn vị": UNITS, "Ghi chép": (("gì đó", 1),)}), Estate())

    assert made.estate_after == WANTED
    (warning,) = made.warnings
    assert "“Ghi chép”" in warning.line("en")
    assert "left out" in warning.line("en")


def test_a_column_that_is_not_known_is_told_and_left_out() -> None:
    """A heading with a slip would lose its values in silence."""
    rows = [(*row, extra) for row, extra in zip(UNITS, ("Thứ tựu", 1, 2), strict=True)]
    made = read("bang.xlsx", book({"Đơn vị": rows}), Estate())

    assert made.estate_after == WANTED
    (warning,) = made.warnings
    assert "column “Thứ tựu”" in warning.line("en")


def test_a_formula_with_a_saved_value_is_its_value() -> None:
    """Nothing is calculated here."""
    content = book({"Đơn vị": (*UNITS[:2], ("20161", "=1+1", "xã", "46"))})
    raw = part(content, SHEET_1).replace(b"<f>1+1</f><v/>", b"<f>1+1</f><v>7</v>")
    raw = raw.replace(b"<f>1+1</f><v />", b"<f>1+1</f><v>7</v>")
    made = read("bang.xlsx", repacked(content, {SHEET_1: raw}), Estate())

    assert [unit.name for unit in made.estate_after.units] == ["Thành phố Huế", "7"]


def test_real_days_numbers_and_texts_of_a_workbook_are_read_alike() -> None:
    """A day that Excel knows is a day, and one that somebody typed as text is the same day."""
    heading = ("Mã đơn vị", "Tên đơn vị", "Thứ tự", "Từ ngày", "Đến ngày")
    days = [
        (date(2020, 1, 1), "01/01/2025"),
        ("ngày 1 tháng 1 năm 2020", datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None)),
    ]
    for since, until in days:
        for position in (3, "3", 3.0, "3,0"):
            row = ("a", "A", position, since, until)
            made = read("bang.xlsx", book({"Đơn vị": (heading, row)}), Estate())

            assert made.estate_after.units == (
                Unit("a", "A", position=3, valid_from=date(2020, 1, 1), valid_to=date(2025, 1, 1)),
            )


def test_a_workbook_is_read_from_its_path(tmp_path: Path) -> None:
    """The file's own name stands in what is told."""
    (tmp_path / "khai báo.xlsx").write_bytes(WORKBOOK)
    made = read_files([tmp_path / "khai báo.xlsx"], Estate(), DAY)
    (tmp_path / "khai báo.xlsx").write_bytes(b"")
    refused = read_files([tmp_path / "khai báo.xlsx"], Estate(), DAY)

    assert made.estate_after == WANTED
    assert refused.problems[0].line("vi").startswith("khai báo.xlsx: tệp rỗng; ")


def test_a_hand_made_sheet_of_another_program_is_read(tmp_path: Path) -> None:
    """Text in the cells themselves, no shared strings, no dimension: as LibreOffice and others may write."""
    content = book({"Đơn vị": UNITS})
    cells = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row if cell) + "</row>"
        for row in (UNITS[0], ("46", "Thành phố Huế", "thành phố"), UNITS[2])
    )
    raw = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f"<sheetData>{cells}</sheetData></worksheet>"
    )
    content = repacked(content, {SHEET_1: raw.encode()})
    path = tmp_path / "bang.xlsx"
    path.write_bytes(content)

    assert load_workbook(path).sheetnames == ["Đơn vị"]
    assert read_files([path], Estate(), DAY).estate_after == WANTED
