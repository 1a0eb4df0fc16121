"""XLSX workbooks: looked at as a ZIP first, then read as values by openpyxl, streaming.

Only values leave here. Macros, DTDs and entities are refused; formulas are not calculated, their
saved value is taken.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import date, time, timedelta
from typing import Final, TypeAlias
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from openpyxl import Workbook, load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from hatang_collector.sheets.cells import Cell
from hatang_collector.sheets.limits import (
    MAX_PARTS,
    MAX_ROWS,
    MAX_UNPACKED_BYTES,
    too_large,
    too_many_rows,
)
from hatang_collector.sheets.said import Refused, Said

Line: TypeAlias = tuple[int, Sequence[Cell]]
Tab: TypeAlias = tuple[str, list[Line], frozenset[tuple[int, int]], list[tuple[int, int, str]]]

EVERY_ROWS: Final = 500
LAST_ROW: Final = 1_048_576
_DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, ParseError, InvalidFileException, EOFError, NotImplementedError,
    KeyError, ValueError, TypeError, IndexError, AttributeError, OverflowError, OSError, RuntimeError,
)  # fmt: skip
"""What openpyxl raises on a damaged workbook; its parsers have no error of their own."""
_MERGED: Final = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref=\"([A-Z]+(\d+):[A-Z]+(\d+))\"")
_FORMULA: Final = re.compile(rb"<(?:\w+:)?f[\s/>]")
_SAVE_AS: Final = Said("mở bằng Excel rồi lưu dạng .xlsx", "open it in Excel and save it as .xlsx")


def read(content: bytes, progress: Callable[[str, int], None]) -> list[Tab]:
    """The tabs of a workbook: title, lines, formulas without a saved value, merged ranges.

    Raises:
        Refused: it is no workbook, or one that is not taken.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            _look(packed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions that are not read at all
            return _read(content, progress)
    except _DAMAGE as error:
        root = error.__cause__ or error  # openpyxl wraps what it meets
        if isinstance(root, DefusedXmlException):
            raise Refused(
                Said("chứa khai báo XML không an toàn", "holds unsafe XML declarations"), _SAVE_AS
            ) from error
        cause = " ".join(str(root).split())[:80] or type(root).__name__
        raise Refused(
            Said(f"bị hỏng hoặc chưa tải hết ({cause})", f"is damaged or was cut off ({cause})"),
            Said(
                "chép lại tệp, hoặc mở bằng Excel và lưu lại",
                "copy it again, or open it in Excel and save it",
            ),
        ) from error


def _look(packed: zipfile.ZipFile) -> None:
    """Refuse what must not be unpacked or is no workbook. Sizes are those declared; more is never read."""
    parts = packed.infolist()
    names = {part.filename for part in parts}
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED_BYTES:
        raise too_large()
    if any(part.flag_bits & 1 for part in parts):
        raise Refused(Said("được bảo vệ bằng mật khẩu", "is protected by a password"), _SAVE_AS)
    if "xl/workbook.bin" in names or ("xl/workbook.xml" not in names and "mimetype" in names):
        raise Refused(Said("là định dạng khác (.xlsb, .ods)", "has another format (.xlsb, .ods)"), _SAVE_AS)
    if not names & {"xl/workbook.xml", "[Content_Types].xml"}:
        raise Refused(Said("là tệp nén, không phải bảng tính", "is an archive, no workbook"), _SAVE_AS)
    types = packed.read("[Content_Types].xml") if "[Content_Types].xml" in names else b""
    if any(name.lower().endswith("vbaproject.bin") for name in names) or b"macroEnabled" in types:
        raise Refused(
            Said("chứa macro, không nhận", "holds macros and is not taken"),
            Said("lưu lại dạng “Excel Workbook (.xlsx)”", "save it as “Excel Workbook (.xlsx)”"),
        )
    if "xl/workbook.xml" not in names and b"spreadsheetml" not in types:
        raise Refused(Said("không phải bảng tính", "is no workbook"), _SAVE_AS)


def _read(content: bytes, progress: Callable[[str, int], None]) -> list[Tab]:
    book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    formulas: Workbook | None = None
    tabs: list[Tab] = []
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        for sheet in book.worksheets:
            title = sheet.title
            path: str = sheet._worksheet_path  # type: ignore[attr-defined]
            raw = packed.read(path)
            if sum(b"<v" in row or b"<is" in row for row in raw.split(b"</row>")) > MAX_ROWS + 100:
                raise too_many_rows(title)
            merged = [(int(first), int(last), name.decode()) for name, first, last in _MERGED.findall(raw)]
            unsaved: frozenset[tuple[int, int]] = frozenset()
            lines = list(_lines(book, title, progress))
            if _FORMULA.search(raw):
                formulas = formulas or load_workbook(io.BytesIO(content), read_only=True, keep_links=False)
                unsaved = _unsaved(lines, _lines(formulas, title, progress))
            tabs.append((title, lines, unsaved, merged))
    return tabs


def _lines(book: Workbook, title: str, progress: Callable[[str, int], None]) -> Iterator[Line]:
    sheet = book[title]
    sheet.reset_dimensions()
    taken = 0
    for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
        if number > LAST_ROW:
            raise too_many_rows(title)
        if all(cell is None or cell == "" for cell in cells):
            continue
        taken += 1
        if taken > MAX_ROWS + 100:
            raise too_many_rows(title)
        yield number, [_plain(cell) for cell in cells]
        if taken % EVERY_ROWS == 0:
            progress(title, taken)


def _plain(cell: object) -> Cell:
    if cell is None or isinstance(cell, str | int | float | date):
        return cell
    if isinstance(cell, time | timedelta):
        return str(cell)
    return str(cell) or None


def _unsaved(lines: Sequence[Line], formulas: Iterator[Line]) -> frozenset[tuple[int, int]]:
    """The cells with a formula and no value."""
    values = dict(lines)
    return frozenset(
        (number, column)
        for number, cells in formulas
        for column, cell in enumerate(cells)
        if isinstance(cell, str)
        and cell.startswith("=")
        and (column >= len(values.get(number, ())) or values[number][column] is None)
    )
