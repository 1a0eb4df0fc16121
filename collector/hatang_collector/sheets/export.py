"""Writes sheets: a workbook or CSV files, filled from an estate or empty with an example to show how.

What is written reads back to the same rows (:mod:`.plan` then finds no difference).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell import Cell, MergedCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from hatang_collector.domain.edits import KEYS
from hatang_collector.domain.estate import Estate
from hatang_collector.sheets.cells import as_text, write_cell
from hatang_collector.sheets.contract import Column, Kind, Sheet, sheets
from hatang_collector.sheets.guide import guide_rows
from hatang_collector.sheets.labels import LABELS, labels
from hatang_collector.sheets.lines import EXAMPLE_EN, EXAMPLE_VI
from hatang_collector.sheets.recognise import GUIDE_EN, GUIDE_VI, LISTS
from hatang_collector.sheets.said import Language

Written = str | int | float | date

DELIMITER: Final = ";"
_DROP_DOWN_ROWS: Final = 5_000
_HEADING: Final = Font(bold=True)
_FILL: Final = PatternFill("solid", fgColor="DDE7F0")
_EXAMPLE: Final = Font(italic=True, color="808080")
_FORMATS: Final = {Kind.CODE: "@", Kind.REFERENCE: "@", Kind.DAY: "DD/MM/YYYY"}
"""Codes are text, or Excel would drop the zeros in front of them."""


def workbook(estate: Estate, names: Collection[str] | None = None, language: Language = "vi") -> bytes:
    """An XLSX workbook of an estate.

    Args:
        estate: what to write.
        names: the nouns wanted (fields of the estate); None for all.
        language: of headings and values. Both are read back.

    Returns:
        The bytes of the file.
    """
    return _workbook(estate, names, language, example=False)


def template(names: Collection[str] | None = None, language: Language = "vi") -> bytes:
    """An empty XLSX workbook with a guide, help at every heading, drop-down lists and example rows."""
    return _workbook(Estate(), names, language, example=True)


def csv_files(
    estate: Estate, names: Collection[str] | None = None, language: Language = "vi"
) -> dict[str, bytes]:
    """One CSV file for each sheet, by its name: semicolons and UTF-8 with a mark, for a Vietnamese Excel."""
    return {
        f"{sheet.name}.csv": _csv(sheet, _rows(estate, sheet, language), language) for sheet in _chosen(names)
    }


def csv_templates(names: Collection[str] | None = None, language: Language = "vi") -> dict[str, bytes]:
    """One empty CSV file with an example row for each sheet, by its name."""
    return {
        f"{sheet.name}.csv": _csv(sheet, iter([example_row(sheet, language)]), language)
        for sheet in _chosen(names)
    }


def example_row(sheet: Sheet, language: Language) -> list[Written]:
    """A row that shows how it is done; marked, so that it is skipped when it is left in."""
    cells: list[Written] = []
    for column in sheet.columns:
        value = column.example
        if isinstance(value, str) and column.choices is not None and value:
            value = labels(column.choices, language)[labels(column.choices, "vi").index(value)]
        elif column.kind is Kind.YES_NO and value:
            value = write_cell(column, value == "có", language)
        cells.append(value)
    mark = EXAMPLE_VI if language == "vi" else EXAMPLE_EN
    return [f"{mark}: {cells[0]}", *cells[1:]]


def _chosen(names: Collection[str] | None) -> list[Sheet]:
    return [sheet for noun, sheet in sheets().items() if names is None or noun in names]


def _rows(estate: Estate, sheet: Sheet, language: Language) -> Iterator[list[Written]]:
    rows: Sequence[Any] = getattr(estate, sheet.noun)
    for row in sorted(rows, key=lambda one: _order(sheet, one)):
        yield [write_cell(column, getattr(row, column.field), language) for column in sheet.columns]


def _order(sheet: Sheet, row: Any) -> tuple[Any, ...]:
    return (getattr(row, "position", 0), *KEYS[sheet.row](row), getattr(row, "valid_from", None) or date.min)


# ---- CSV


def _csv(sheet: Sheet, rows: Iterator[list[Written]], language: Language) -> bytes:
    target = io.StringIO(newline="")
    writer = csv.writer(target, delimiter=DELIMITER, lineterminator="\r\n")
    writer.writerow([column.title(language) for column in sheet.columns])
    for row in rows:
        writer.writerow([_escaped(as_text(cell)) for cell in row])
    return target.getvalue().encode("utf-8-sig")


def _escaped(text: str) -> str:
    """A text that Excel does not take for a formula; reading takes the apostrophe away again."""
    return f"'{text}" if text.lstrip("'")[:1] in set("=+-@") else text


# ---- XLSX


def _workbook(estate: Estate, names: Collection[str] | None, language: Language, *, example: bool) -> bytes:
    book = Workbook()
    guide = book.active
    if not isinstance(guide, Worksheet):
        raise TypeError("a new workbook has no sheet; the installed openpyxl is not the one that is needed")
    guide.title = GUIDE_VI if language == "vi" else GUIDE_EN
    _fill_guide(guide, _chosen(names), language)
    lists = book.create_sheet(LISTS)
    lists.sheet_state = "hidden"
    ranges = _fill_lists(lists, language)
    for sheet in _chosen(names):
        tab = book.create_sheet(sheet.title(language))
        _fill_headings(tab, sheet, language, ranges)
        if example:
            _put_row(tab, 2, sheet, example_row(sheet, language), _EXAMPLE)
        for number, row in enumerate(_rows(estate, sheet, language), 2):
            _put_row(tab, number, sheet, row)
    book.move_sheet(lists, len(book.sheetnames))
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _fill_headings(tab: Worksheet, sheet: Sheet, language: Language, ranges: dict[type[Any], str]) -> None:
    for number, column in enumerate(sheet.columns, 1):
        letter = get_column_letter(number)
        cell = tab.cell(1, number, column.title(language))
        cell.font, cell.fill = _HEADING, _FILL
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        comment = Comment(_help(column, language), "hatang")
        comment.width, comment.height = 320, 120
        cell.comment = comment
        dimension = tab.column_dimensions[letter]
        dimension.width = column.width
        if column.kind in _FORMATS:
            dimension.number_format = _FORMATS[column.kind]
        values = _drop_down(column, language, ranges)
        if values:
            validation = DataValidation(type="list", formula1=values, allow_blank=True, errorStyle="warning")
            validation.add(f"{letter}2:{letter}{_DROP_DOWN_ROWS}")
            tab.add_data_validation(validation)
    tab.freeze_panes = "A2"


def _help(column: Column, language: Language) -> str:
    must = ("Bắt buộc. ", "Required. ")[language == "en"] if column.required else ""
    return must + column.help(language)


def _drop_down(column: Column, language: Language, ranges: dict[type[Any], str]) -> str:
    if column.choices is not None:
        return ranges[column.choices]
    if column.kind is Kind.YES_NO:
        return '"có,không"' if language == "vi" else '"yes,no"'
    return ""


def _fill_lists(tab: Worksheet, language: Language) -> dict[type[Any], str]:
    """The values of every enumeration in a column of the hidden tab, and where each one is."""
    ranges: dict[type[Any], str] = {}
    for number, kind in enumerate(LABELS, 1):
        letter = get_column_letter(number)
        values = labels(kind, language)
        for row, value in enumerate(values, 1):
            tab.cell(row, number, value)
        ranges[kind] = f"'{LISTS}'!${letter}$1:${letter}${len(values)}"
    return ranges


def _put_row(
    tab: Worksheet, number: int, sheet: Sheet, row: Sequence[Written], font: Font | None = None
) -> None:
    for place, (column, value) in enumerate(zip(sheet.columns, row, strict=True), 1):
        if value == "":
            continue
        cell = tab.cell(number, place)
        _put(cell, value)
        if column.kind in _FORMATS:
            cell.number_format = _FORMATS[column.kind]
        if font is not None:
            cell.font = font


def _put(cell: Cell | MergedCell, value: Written) -> None:
    if isinstance(value, str):
        cell.value = ILLEGAL_CHARACTERS_RE.sub("", value)
        cell.data_type = "s"  # a text that begins with "=" is no formula
    elif isinstance(value, date) and value.year <= 1900:
        cell.value = as_text(value)  # Excel counts the days of 1900 wrongly
    elif isinstance(value, float) and float(f"{value:.16g}") != value:
        cell.value = as_text(value)  # a workbook keeps sixteen digits
    else:
        cell.value = value


def _fill_guide(tab: Worksheet, chosen: Sequence[Sheet], language: Language) -> None:
    for number, (style, cells) in enumerate(guide_rows(chosen, language), 1):
        for place, text in enumerate(cells, 1):
            cell = tab.cell(number, place, text)
            cell.alignment = Alignment(wrap_text=len(cells) > 1, vertical="top")
            if style == "title":
                cell.font = Font(bold=True, size=14)
            elif style == "heading":
                cell.font, cell.fill = _HEADING, _FILL
    for letter, width in zip("ABCD", (20, 24, 12, 90), strict=True):
        tab.column_dimensions[letter].width = width
