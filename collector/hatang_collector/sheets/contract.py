"""What a sheet is. Templates, import, export and the forms on pages all come from the same columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any, Final, cast

from hatang_agent.registry import modules
from hatang_collector.sheets.said import Language

ORDER: Final = (
    "units", "successions", "sites", "site_units", "special_days", "links", "services", "targets",
    "staff_groups", "staff_counts", "assets",
)  # fmt: skip
"""Fields of the estate in the order people fill them in."""


class Kind(StrEnum):
    """How a cell is read and written."""

    TEXT = "text"
    CODE = "code"
    REFERENCE = "reference"
    SCOPE = "scope"
    INTEGER = "integer"
    DECIMAL = "decimal"
    YES_NO = "yes_no"
    DAY = "day"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a sheet and one field of its row.

    ``choices`` is the enumeration of a CHOICE, ``refers`` the noun a REFERENCE points at (by code or
    by name), ``low`` and ``high`` the bounds of a number, ``also`` other headings that are understood.
    A blank cell is the default of the row's field.
    """

    field: str
    vi: str
    en: str
    kind: Kind = Kind.TEXT
    required: bool = False
    help_vi: str = ""
    help_en: str = ""
    example: str | int | float | date = ""
    choices: type[StrEnum] | None = None
    refers: str = ""
    low: int = 0
    high: int = 1_000_000_000
    width: int = 18
    also: tuple[str, ...] = ()

    def title(self, language: Language) -> str:
        """The heading in a language."""
        return self.vi if language == "vi" else self.en

    def help(self, language: Language) -> str:
        """What to fill in, in a language."""
        return self.help_vi if language == "vi" else self.help_en


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table: a field of the estate (``noun``), its row type and its columns.

    ``name`` is the file name of its CSV without ending; the titles are what the tab may be called.
    ``one_vi`` and ``one_en`` name a single row in sentences.
    """

    name: str
    noun: str
    row: type[Any]
    title_vi: str
    title_en: str
    one_vi: str
    one_en: str
    help_vi: str
    help_en: str
    columns: tuple[Column, ...]
    also: tuple[str, ...] = ()

    def title(self, language: Language) -> str:
        """What the tab is called in a language."""
        return self.title_vi if language == "vi" else self.title_en

    def one(self, language: Language) -> str:
        """What one row is called in a sentence."""
        return self.one_vi if language == "vi" else self.one_en

    def column(self, field: str) -> Column:
        """The column of a field. KeyError when there is none."""
        return next(column for column in self.columns if column.field == field)

    @property
    def dated(self) -> bool:
        """Whether its rows hold from a day until a day."""
        return any(column.field == "valid_from" for column in self.columns)

    @property
    def defaults(self) -> Mapping[str, Any]:
        """What a blank cell means, by field; fields that must be filled in are missing."""
        return _defaults(cast("Hashable", self.row))


PERIOD: Final = (
    Column(
        "valid_from",
        "Từ ngày",
        "From",
        Kind.DAY,
        help_vi="Ngày bắt đầu có hiệu lực. Để trống: dòng mới là từ trước đến nay; dòng đã có mà thay đổi "
        "thì tính từ ngày nhập. Dấu – nghĩa là từ trước đến nay.",
        help_en="First day it holds. Blank: a new row has always been so; a change of a known row holds "
        "from the day of the import. A dash means always.",
        width=12,
        also=("Hiệu lực từ", "Ngày bắt đầu"),
    ),
    Column(
        "valid_to",
        "Đến ngày",
        "Until",
        Kind.DAY,
        help_vi="Ngày đầu tiên không còn hiệu lực. Để trống: còn hiệu lực.",
        help_en="First day it no longer holds. Blank: it still does.",
        width=12,
        also=("Hết hiệu lực", "Ngày kết thúc"),
    ),
)
"""The last two columns of everything that is dated."""


@cache
def sheets() -> Mapping[str, Sheet]:
    """Every sheet by its noun, in the order people fill them in."""
    found = {module.SHEET.noun: module.SHEET for module in modules("hatang_collector.sheets.nouns").values()}
    return {noun: found[noun] for noun in sorted(found, key=_position)}


def sheet_of(row_type: type[Any]) -> Sheet:
    """The sheet of a row type such as :class:`..domain.estate.Asset`."""
    return next(sheet for sheet in sheets().values() if sheet.row is row_type)


def _position(noun: str) -> int:
    return ORDER.index(noun) if noun in ORDER else len(ORDER)


@cache
def _defaults(row: Hashable) -> Mapping[str, Any]:
    every = dataclasses.fields(cast("Any", row))
    return {one.name: one.default for one in every if one.default is not dataclasses.MISSING}
