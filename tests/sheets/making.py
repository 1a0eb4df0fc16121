"""Workbooks and CSV files for tests, good and bad ones."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from openpyxl import Workbook

Rows = Sequence[Sequence[object]]

OLE: Final = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504)
SHEET_1: Final = "xl/worksheets/sheet1.xml"
UNITS: Final[Rows] = (
    ("Mã đơn vị", "Tên đơn vị", "Loại", "Trực thuộc"),
    ("46", "Thành phố Huế", "thành phố", None),
    ("20161", "UBND xã Khe Tre", "xã", "46"),
)


def book(tabs: Mapping[str, Rows], merged: Sequence[str] = ()) -> bytes:
    """A workbook with these tabs; ``merged`` ranges are of the first one."""
    made = Workbook()
    made.remove(made.worksheets[0])
    for title, rows in tabs.items():
        tab = made.create_sheet(title)
        for row in rows:
            tab.append(list(row))
    for one in merged:
        made.worksheets[0].merge_cells(one)
    target = io.BytesIO()
    made.save(target)
    return target.getvalue()


def csv_text(rows: Rows, delimiter: str = ";") -> str:
    """Rows as the text of a CSV file."""
    return "".join(delimiter.join("" if cell is None else str(cell) for cell in row) + "\r\n" for row in rows)


def repacked(content: bytes, replaced: Mapping[str, bytes | None]) -> bytes:
    """A ZIP file with parts added, replaced or (None) left out."""
    target = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for part in source.infolist():
            if part.filename not in replaced:
                packed.writestr(part.filename, source.read(part.filename))
        for name, bytes_of in replaced.items():
            if bytes_of is not None:
                packed.writestr(name, bytes_of)
    return target.getvalue()


def part(content: bytes, name: str) -> bytes:
    """One part of a ZIP file."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        return packed.read(name)


def many_rows(count: int) -> bytes:
    """A workbook whose units go on for so many rows."""
    content = book({"Đơn vị": UNITS})
    start, _, end = part(content, SHEET_1).partition(b"</sheetData>")
    more = "".join(
        f'<row r="{row}"><c r="A{row}"><v>{row}</v></c><c r="B{row}"><v>{row}</v></c></row>'
        for row in range(4, count + 4)
    )
    return repacked(content, {SHEET_1: start + more.encode() + b"</sheetData>" + end})


def bomb() -> bytes:
    """A small file that unpacks to more than anybody has."""
    content = book({"Đơn vị": UNITS})
    start, _, end = part(content, SHEET_1).partition(b"</sheetData>")
    return repacked(content, {SHEET_1: start + b" " * 70_000_000 + b"</sheetData>" + end})


def entities() -> bytes:
    """A workbook whose sheet declares entities that multiply."""
    content = book({"Đơn vị": UNITS})
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    raw = part(content, SHEET_1)
    start = raw.index(b"<worksheet")
    return repacked(content, {SHEET_1: raw[:start] + laughs + raw[start:]})


def encrypted_zip() -> bytes:
    """A workbook whose parts say that they are encrypted."""
    content = bytearray(book({"Đơn vị": UNITS}))
    at = 0
    while (at := content.find(b"PK\x01\x02", at)) >= 0:
        content[at + 8] |= 1
        at += 4
    return bytes(content)


def damaged_sheet() -> bytes:
    """A workbook whose ZIP is whole and whose sheet is not."""
    content = book({"Đơn vị": UNITS})
    return repacked(content, {SHEET_1: part(content, SHEET_1)[:-200]})


def macro() -> bytes:
    """A workbook with a macro, under whatever name."""
    return repacked(book({"Đơn vị": UNITS}), {"xl/vbaProject.bin": b"\xd0\xcf\x11\xe0"})


def macro_type() -> bytes:
    """A workbook that says it is of the kind that may hold macros."""
    content = book({"Đơn vị": UNITS})
    types = part(content, "[Content_Types].xml")
    plain = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    enabled = types.replace(plain, b"application/vnd.ms-excel.sheet.macroEnabled.main+xml")
    return repacked(content, {"[Content_Types].xml": enabled})


def archive(*names: str) -> bytes:
    """A ZIP file that is no workbook."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as packed:
        for name in names:
            packed.writestr(name, b"<x/>")
    return target.getvalue()


def units(*rows: Sequence[object]) -> bytes:
    """A workbook of units with these rows."""
    return book({"Đơn vị": (UNITS[0], *rows)})


@dataclass(frozen=True, slots=True)
class Bad:
    """A file that must be refused, and what the one English line about it must say."""

    name: str
    make: Callable[[], bytes]
    told: tuple[str, ...]


TCVN3: Final = "M· ®¬n vÞ;Tªn ®¬n vÞ\r\n46;Thµnh phè HuÕ\r\n"
VNI: Final = "Maõ ñôn vò;Teân ñôn vò\r\n46;Thaønh phoá Hueá\r\n"
WINDOWS_1258: Final = "Ma\u0303;Tên\r\n46;Tha\u0300nh phô\u0301\r\n"
WORKBOOK: Final = book({"Đơn vị": UNITS})

BAD: Final[Mapping[str, Bad]] = {
    "empty file": Bad("a.xlsx", lambda: b"", ("is empty",)),
    "blank file": Bad("a.csv", lambda: b"\r\n \r\n", ("is empty",)),
    "empty workbook": Bad("a.xlsx", lambda: book({"Sheet1": ()}), ("no sheet that is known", "--template")),
    "other workbook": Bad(
        "a.xlsx", lambda: book({"Sheet1": (("x", "y"), (1, 2))}), ("no sheet that is known",)
    ),
    "truncated": Bad("a.xlsx", lambda: WORKBOOK[: len(WORKBOOK) // 2], ("damaged or was cut off",)),
    "broken in the middle": Bad("a.xlsx", damaged_sheet, ("damaged or was cut off",)),
    "not a zip": Bad("a.xlsx", lambda: b"hello", ("no Excel file",)),
    "another zip": Bad("a.xlsx", lambda: archive("x.txt"), ("is an archive",)),
    "word": Bad("a.xlsx", lambda: archive("[Content_Types].xml", "word/document.xml"), ("is no workbook",)),
    "open document": Bad("a.ods", lambda: archive("mimetype", "content.xml"), (".ods",)),
    "binary workbook": Bad("a.xlsb", lambda: archive("[Content_Types].xml", "xl/workbook.bin"), (".xlsb",)),
    "macro": Bad("a.xlsx", macro, ("holds macros", "Excel Workbook")),
    "macro type": Bad("a.xlsm", macro_type, ("holds macros",)),
    "bomb": Bad("a.xlsx", bomb, ("too large", "64 MB")),
    "entities": Bad("a.xlsx", entities, ("unsafe XML",)),
    "100,000 rows": Bad("a.xlsx", lambda: many_rows(100_000), ("“Đơn vị”", "more than 50,000 rows", "split")),
    "100,000 lines": Bad("a.csv", lambda: b"a;b\r\n" * 100_000, ("more than 50,000 rows",)),
    "html": Bad("a.xls", lambda: b"<html><table><tr><td>1</td></tr></table></html>", ("web page",)),
    "html xlsx": Bad("a.xlsx", lambda: b"\r\n<!DOCTYPE html><html></html>", ("web page",)),
    "xml 2003": Bad("a.xls", lambda: b"<?xml version='1.0'?><Workbook/>", ("web page or XML",)),
    "old xls": Bad("a.xls", lambda: OLE + b"Workbook", ("old Excel file", "save it as .xlsx")),
    "password": Bad(
        "a.xlsx", lambda: OLE + "EncryptedPackage".encode("utf-16-le"), ("password", "remove the password")
    ),
    "encrypted zip": Bad("a.xlsx", encrypted_zip, ("password",)),
    "pdf": Bad("a.pdf", lambda: b"%PDF-1.7 ...", ("is no table",)),
    "tcvn3 bytes": Bad("don-vi.csv", lambda: TCVN3.encode("latin-1"), ("TCVN3", "UniKey")),
    "vni bytes": Bad("don-vi.csv", lambda: VNI.encode("latin-1"), ("VNI", "UniKey")),
    "windows-1258": Bad("don-vi.csv", lambda: WINDOWS_1258.encode("cp1258"), ("not UTF-8", "CSV UTF-8")),
    "binary": Bad("don-vi.csv", lambda: b"a;b\x00\x00;c\r\n" * 10, ("no text file",)),
    "tcvn3 text": Bad(
        "a.xlsx", lambda: units(("46", "Thµnh phè HuÕ", None, None)), ("row 2", "“Tên đơn vị”", "TCVN3")
    ),
    "vni text": Bad(
        "a.xlsx", lambda: units(("46", "Höông Hoøa", None, None)), ("row 2", "“Tên đơn vị”", "VNI")
    ),
    "tcvn3 headings": Bad("a.xlsx", lambda: book({"§¬n vÞ": (("M· ®¬n vÞ",), ("46",))}), ("row 1", "TCVN3")),
    "vni csv as utf-8": Bad("a.csv", VNI.encode, ("row 1", "VNI")),
    "mojibake": Bad("a.xlsx", lambda: units(("46", "Quáº£ng Thá»", None, None)), ("row 2", "wrong encoding")),
    "missing column": Bad(
        "a.xlsx", lambda: book({"Đơn vị": (("Mã đơn vị",), ("46",))}), ("“Đơn vị”", "lacks the column “Name”")
    ),
    "column twice": Bad(
        "a.xlsx",
        lambda: book({"Đơn vị": (("Mã đơn vị", "Tên đơn vị", "Tên"), ("46", "x", "y"))}),
        ("row 1", "“Tên”", "there twice"),
    ),
    "merged cells": Bad(
        "a.xlsx", lambda: book({"Đơn vị": UNITS}, ["D2:D3"]), ("row 2", "D2:D3 are merged", "unmerge")
    ),
    "formula without value": Bad(
        "a.xlsx",
        lambda: units(("46", '="Thành phố "&"Huế"', None, None)),
        ("row 2", "“Tên đơn vị”", "no saved value"),
    ),
    "formula error": Bad("a.xlsx", lambda: units(("46", "#REF!", None, None)), ("row 2", "#REF!")),
    "duplicate code": Bad(
        "a.xlsx",
        lambda: units(("46", "Huế", None, None), ("47", "Y", None, None), ("46", "Huế", None, None)),
        ("row 4", "“Mã đơn vị”", "46 is already in row 2", "delete one"),
    ),
    "cycle": Bad(
        "a.xlsx",
        lambda: units(("a", "A", None, "b"), ("b", "B", None, "c"), ("c", "C", None, "a")),
        ("row", "“Trực thuộc”", "circle", "correct one parent"),
    ),
    "own parent": Bad("a.xlsx", lambda: units(("a", "A", None, "a")), ("row 2", "“Trực thuộc”", "circle")),
    "unknown parent": Bad(
        "a.xlsx", lambda: units(("20161", "Khe Tre", None, "Huế")), ("row 2", "“Trực thuộc”", "no unit “Huế”")
    ),
    "blank code": Bad(
        "a.xlsx", lambda: units((None, "Khe Tre", None, None)), ("row 2", "“Mã đơn vị”", "is blank")
    ),
}
