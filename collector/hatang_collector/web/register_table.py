"""A register as rows of texts: what a page shows, a form proposes and a person looks for. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from urllib.parse import quote, urlencode

from hatang_collector.domain.dated import holds
from hatang_collector.domain.difference import identity
from hatang_collector.domain.edits import KEYS, Key
from hatang_collector.domain.estate import Estate
from hatang_collector.domain.tree import Tree, vietnamese_order
from hatang_collector.sheets.cells import as_text, write_cell
from hatang_collector.sheets.contract import Column, Kind, Sheet
from hatang_collector.web.format import Language

_PAGES: Final = {"units": "/units/", "sites": "/sites/"}
"""Nouns with a page of their own for each thing."""

_NOUNS: Final = {"unit": "units", "site": "sites"}
_NUMBERS: Final = frozenset({Kind.INTEGER, Kind.DECIMAL})
_MARKS: Final = re.compile("[\u0300-\u036f]+")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, and for what refers to something its name and the address of its page."""

    text: str
    name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One version of one thing. ``key`` names it, ``past`` when it does not hold on the day asked for."""

    key: Key
    cells: tuple[Cell, ...]
    past: bool

    @property
    def query(self) -> str:
        """The key as the query of an address; it survives every sign a code may have."""
        return query_of(self.key)


@dataclass(frozen=True, slots=True)
class Table:
    """Some rows of a register. Columns in which none of them has anything are left out."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Names:
    """What codes stand for, as of a day."""

    by_noun: Mapping[str, Mapping[str, str]]
    tree: Tree
    day: date

    def of(self, column: Column, value: object) -> str:
        """The name of what a cell refers to, '' when it has none or refers to nothing."""
        noun, code = referred(column, value)
        if not code:
            return ""
        name = self.tree.name_of(code, self.day) if noun == "units" else self.by_noun[noun].get(code, "")
        return "" if name == code else name


def query_of(key: Key) -> str:
    """A key as the query of an address."""
    return urlencode([("key", part) for part in key])


def referred(column: Column, value: object) -> tuple[str, str]:
    """The noun and the code that a cell refers to; two empty texts when it refers to nothing."""
    if not isinstance(value, str) or not value:
        return "", ""
    if column.kind is Kind.REFERENCE:
        return column.refers, value
    if column.kind is Kind.SCOPE:
        what, _, code = value.partition(":")
        return (_NOUNS[what], code) if what in _NOUNS else ("", "")
    return "", ""


def names_of(estate: Estate, tree: Tree, day: date) -> Names:
    """The names of everything that other things refer to."""
    nouns = ("sites", "services", "staff_groups")
    return Names({noun: _latest_names(getattr(estate, noun), day) for noun in nouns}, tree, day)


def _latest_names(rows: Sequence[Any], day: date) -> dict[str, str]:
    """The name that each code has on the day, else the last one it had."""
    found: dict[str, str] = {}
    certain: set[str] = set()
    for row in sorted(rows, key=lambda one: getattr(one, "valid_from", date.min)):
        if row.code not in certain:
            found[row.code] = row.name
            if hasattr(row, "valid_from") and holds(row, day):
                certain.add(row.code)
    return found


def chosen(
    sheet: Sheet,
    estate: Estate,
    names: Names,
    language: Language,
    *,
    query: str = "",
    every_version: bool = False,
) -> list[Any]:
    """The rows of a register that hold on the day of ``names``, or all versions ever, in a steady order.

    ``query``: words that a row must all have somewhere, in any case and with or without marks.
    """
    rows = list(getattr(estate, sheet.noun))
    if sheet.dated and not every_version:
        rows = [row for row in rows if holds(row, names.day)]
    wanted = _plain(query).split()
    if wanted:
        # Taking the marks off all of them together is many times quicker than one by one.
        texts = _plain("\n".join(_text(sheet, row, names, language) for row in rows)).split("\n")
        found = zip(rows, texts, strict=True)
        rows = [row for row, text in found if all(word in text for word in wanted)]
    return sorted(rows, key=_order)


def table_of(sheet: Sheet, rows: Sequence[Any], names: Names, language: Language) -> Table:
    """Rows as a page shows them."""
    columns = tuple(
        column
        for column in sheet.columns
        if column.required or any(getattr(row, column.field) not in (None, "") for row in rows)
    )
    return Table(
        columns,
        tuple(
            Row(
                identity(row),
                tuple(_cell(column, getattr(row, column.field), names, language) for column in columns),
                sheet.dated and not holds(row, names.day),
            )
            for row in rows
        ),
    )


def is_number(column: Column) -> bool:
    """Whether the cells of a column are set to the right."""
    return column.kind in _NUMBERS


def _cell(column: Column, value: Any, names: Names, language: Language) -> Cell:
    text = as_text(write_cell(column, value, language))
    noun, code = referred(column, value)
    address = _PAGES[noun] + quote(code) if noun in _PAGES else ""
    return Cell(text, names.of(column, value), address)


def _plain(text: str) -> str:
    """Lower case, without marks: people look for things in a hurry."""
    return _MARKS.sub("", unicodedata.normalize("NFD", text.casefold()).replace("đ", "d"))


def _text(sheet: Sheet, row: Any, names: Names, language: Language) -> str:
    """Everything a person may look for in a row, in one line."""
    parts = []
    for column in sheet.columns:
        value = getattr(row, column.field)
        if value is None or value == "":
            continue
        if column.kind in (Kind.TEXT, Kind.CODE):
            parts.append(value)
        else:
            parts.append(as_text(write_cell(column, value, language)))
            parts.append(names.of(column, value))
    return " ".join(" ".join(parts).split())


def _order(row: Any) -> tuple[Any, ...]:
    key = KEYS[type(row)](row)
    since = getattr(row, "valid_from", date.min)
    return (getattr(row, "position", 0), *(vietnamese_order(part) for part in key), since)


def find(sheet: Sheet, estate: Estate, key: Sequence[str]) -> Any | None:
    """The row that a key of :class:`Row` names, None when it is gone."""
    return next((row for row in getattr(estate, sheet.noun) if identity(row) == tuple(key)), None)


def versions_of(sheet: Sheet, estate: Estate, row: Any) -> list[Any]:
    """Every version of the thing that a row is one of, oldest first."""
    key_of = KEYS[sheet.row]
    key = key_of(row)
    found = [one for one in getattr(estate, sheet.noun) if key_of(one) == key]
    return sorted(found, key=lambda one: one.valid_from) if sheet.dated else found


def shown(sheet: Sheet, row: Any | None, language: Language) -> dict[str, str]:
    """What a form starts with: the texts of a row, or what a blank row means."""
    return {
        column.field: as_text(write_cell(column, getattr(row, column.field), language))
        if row is not None
        else _blank(sheet, column, language)
        for column in sheet.columns
    }


def _blank(sheet: Sheet, column: Column, language: Language) -> str:
    if column.kind in (Kind.CHOICE, Kind.YES_NO) and column.field in sheet.defaults:
        return as_text(write_cell(column, sheet.defaults[column.field], language))
    return ""
