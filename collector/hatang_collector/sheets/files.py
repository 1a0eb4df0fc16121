"""Opens what people upload: XLSX and CSV become tables of plain cells, everything else is refused by name.

A file is looked at before it is unpacked: what it would unpack to, whether it holds macros, is another
format under this name or is locked by a password. Nothing in it is ever run.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hatang_collector.sheets import xlsx
from hatang_collector.sheets.cells import Cell
from hatang_collector.sheets.limits import (
    MAX_CELLS_IN_ROW,
    MAX_FILE_BYTES,
    MAX_ROWS,
    too_large,
    too_many_rows,
)
from hatang_collector.sheets.said import Refused, RowProblem, Said
from hatang_collector.sheets.text import decode

Progress = Callable[[str, int], None]
"""Told now and then how many rows of which table were read."""

EVERY_ROWS: Final = 500
_OLE: Final = bytes.fromhex("d0cf11e0a1b11ae1")
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
_AS_XLSX: Final = Said("mở bằng Excel rồi lưu dạng .xlsx", "open it in Excel and save it as .xlsx")


@dataclass(frozen=True, slots=True)
class Source:
    """A file by its name and content."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of one tab or CSV file. ``lines`` are (row number from 1, cells) without blank rows.

    ``unsaved`` are the cells (row, column from 0) with a formula whose value nobody saved, ``merged``
    the (first row, last row, name) of merged ranges. ``title`` is '' for a CSV file.
    """

    file: str
    title: str
    lines: Sequence[tuple[int, Sequence[Cell]]]
    unsaved: frozenset[tuple[int, int]] = frozenset()
    merged: Sequence[tuple[int, int, str]] = field(default=())


def open_source(source: Path | Source, progress: Progress | None = None) -> list[Table] | RowProblem:
    """The tables of a file, or the one reason why it cannot be read. Raises OSError for a missing file."""
    if isinstance(source, Path):
        if source.stat().st_size > MAX_FILE_BYTES:
            return too_large().at(source.name)
        source = Source(source.name, source.read_bytes())
    try:
        return _tables(source, progress or (lambda _title, _rows: None))
    except Refused as refused:
        return refused.at(source.name)


def _tables(source: Source, progress: Progress) -> list[Table]:
    content = source.content
    _refuse_other_formats(source)
    if content.startswith(b"PK"):
        return [
            Table(source.name, title, lines, unsaved, merged)
            for title, lines, unsaved, merged in xlsx.read(content, progress)
        ]
    if Path(source.name).suffix.lower() in {".xlsx", ".xls", ".xlsm"}:
        raise Refused(
            Said("không phải tệp Excel, hoặc tệp bị hỏng", "is no Excel file, or it is damaged"), _AS_XLSX
        )
    return [Table(source.name, "", _csv(source, progress))]


def _refuse_other_formats(source: Source) -> None:
    content = source.content
    if len(content) > MAX_FILE_BYTES:
        raise too_large()
    if not content.strip():
        raise Refused(
            Said("tệp rỗng", "is empty"),
            Said(
                "chọn đúng tệp, hoặc tạo mẫu: hatang-collector import --template",
                "choose another file, or make one: hatang-collector import --template",
            ),
        )
    if content.startswith(_OLE):
        if _ENCRYPTED in content:
            raise Refused(
                Said("được bảo vệ bằng mật khẩu", "is protected by a password"),
                Said(
                    "mở bằng Excel, bỏ mật khẩu rồi lưu lại",
                    "open it in Excel, remove the password and save it",
                ),
            )
        raise Refused(Said("là tệp Excel cũ (.xls)", "is an old Excel file (.xls)"), _AS_XLSX)
    start = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<table", b"<?xml", b"<head", b"<meta", b"<style")):
        raise Refused(
            Said(
                "là trang web hoặc XML đổi đuôi, không phải bảng tính",
                "is a web page or XML under another name, no workbook",
            ),
            _AS_XLSX,
        )
    if content.startswith((b"%PDF", b"{\\rtf", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b")):
        raise Refused(Said("không phải bảng tính", "is no table"), _AS_XLSX)


def _csv(source: Source, progress: Progress) -> list[tuple[int, list[Cell]]]:
    text = decode(source.content)
    first, _, rest = text.partition("\n")
    skipped = 0
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:
        delimiter, text, skipped = first.strip()[4], rest, 1
    else:
        delimiter = _delimiter(text)
    lines: list[tuple[int, list[Cell]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for number, fields in enumerate(reader, 1 + skipped):
            if not any(part.strip() for part in fields):
                continue
            if len(lines) > MAX_ROWS or len(fields) > MAX_CELLS_IN_ROW:
                raise too_many_rows("")
            lines.append((number, [_unescaped(part) for part in fields]))
            if number % EVERY_ROWS == 0:
                progress(source.name, number)
    except csv.Error as error:
        raise Refused(
            Said(
                f"dòng {reader.line_num} không đọc được ({error})",
                f"line {reader.line_num} cannot be read ({error})",
            ),
            Said("kiểm tra dấu ngoặc kép ở dòng này", "check the quotes of that line"),
        ) from None
    return lines


def _delimiter(text: str) -> str:
    """The mark that divides most of the first lines; a Vietnamese Excel writes a semicolon."""
    head = "\n".join(text.splitlines()[:5])
    return max(";\t,", key=head.count)


def _unescaped(text: str) -> str:
    """A text without the apostrophe that keeps Excel from taking it for a formula."""
    return text[1:] if text.startswith("'") and text.lstrip("'")[:1] in set("=+-@") else text
