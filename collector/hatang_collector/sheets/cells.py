"""One value of a column, from a cell or a form field and back. Pure, and the inverse of each other.

Numbers and days are taken as people of both habits write them (92,5 and 98.5; 1.572.760; 05/02/2026;
"ngày 05 tháng 02 năm 2026") and always written in one way. What two habits read differently (1,000) is
refused, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

from hatang_collector.domain.dated import BEGINNING
from hatang_collector.domain.folding import bare
from hatang_collector.sheets.contract import Column, Kind
from hatang_collector.sheets.labels import label, labels, value_of
from hatang_collector.sheets.said import Language, Refused, Said
from hatang_collector.sheets.text import clean

Cell: TypeAlias = str | int | float | bool | date | None
Value: TypeAlias = str | int | float | bool | date | StrEnum | None

DASH: Final = "–"
"""Written for "always so"; a blank cell means that nobody said."""

_DASHES: Final = frozenset({"–", "-", "—"})
_ERRORS: Final = frozenset({"#REF!", "#N/A", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"})
_DAY: Final = re.compile(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})")
_ISO_DAY: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]00:00(?::00)?)?")
_LONG_DAY: Final = re.compile(r"(?:ngay )?(\d{1,2}) thang (\d{1,2}) nam (\d{4})")
_RATE_UNIT: Final = re.compile(r"\s*(?:mbit/s|mbps|mb/s|mb)\s*$", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[+-]?[\d.,]*\d")
_LEVELS: Final = {"don vi": "unit", "unit": "unit", "tru so": "site", "site": "site"}
_YES: Final = frozenset({"co", "x", "yes", "y", "true", "1", "dung", "✓"})
_NO: Final = frozenset({"khong", "no", "n", "false", "0", "sai"})


def read_cell(column: Column, cell: Cell) -> Value:
    """What a cell of a column means; None for a blank one ('' for a SCOPE: everywhere).

    A REFERENCE is the text that was written (a code or a name), a SCOPE is '' or ``unit:TEXT`` or
    ``site:TEXT`` or the bare text: whoever has the estate resolves them.

    Raises:
        Refused: with the cause and the next step.
    """
    if isinstance(cell, str):
        cell = clean(cell) or None
    if cell is None:
        if column.required:
            raise Refused(Said("bị trống", "is blank"), Said("điền giá trị", "fill it in"))
        return "" if column.kind is Kind.SCOPE else None
    if cell in _ERRORS:
        raise Refused(
            Said(f"công thức bị lỗi {cell}", f"the formula gives {cell}"),
            Said("thay công thức bằng giá trị", "replace the formula by its value"),
        )
    return _READERS[column.kind](column, cell)


def write_cell(column: Column, value: Value, language: Language = "vi") -> str | int | float | date:
    """A value as it is written into a cell of the column; '' for a blank one."""
    if value is None or value == "":
        return ""
    if column.kind is Kind.CHOICE and isinstance(value, StrEnum):
        return label(value, language)
    if column.kind is Kind.YES_NO:
        yes, no = ("có", "không") if language == "vi" else ("yes", "no")
        return yes if value else no
    if column.kind is Kind.SCOPE and isinstance(value, str):
        what, _, code = value.partition(":")
        names = {"unit": "đơn vị", "site": "trụ sở"} if language == "vi" else {}
        return f"{names.get(what, what)}: {code}"
    if value == BEGINNING:
        return DASH
    return value


def as_text(value: str | int | float | date) -> str:
    """What :func:`write_cell` gave as a text for CSV and form fields: dd/mm/yyyy, decimal comma."""
    if isinstance(value, date):
        return value.strftime("%d/%m/%Y") if value.year >= 1000 else value.isoformat()
    if isinstance(value, float):
        whole, _, part = format(Decimal(repr(value)), "f").partition(".")
        part = part.rstrip("0")
        # Three decimals could be read as thousands; a zero behind them is never wrong.
        return whole + (f",{part}0" if len(part) == 3 else f",{part}" if part else "")
    return str(value)


def _text(_column: Column, cell: Cell) -> str:
    if isinstance(cell, bool):
        return "có" if cell else "không"
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, str | int):
        return str(cell)
    return as_text(_plain_day(cell) if isinstance(cell, date) else cell) if cell is not None else ""


def _code(column: Column, cell: Cell) -> str:
    if isinstance(cell, date) or (isinstance(cell, float) and not cell.is_integer()):
        raise Refused(
            Said(f"là {as_text(cell)}, không phải mã", f"is {as_text(cell)}, no code"),
            Said("định dạng ô là Văn bản rồi gõ lại mã", "format the cell as text and type the code again"),
        )
    return _text(column, cell)


def _scope(column: Column, cell: Cell) -> str:
    what, colon, name = _text(column, cell).partition(":")
    level = _LEVELS.get(bare(what)) if colon else None
    return f"{level}:{name.strip()}" if level else _text(column, cell)


def _number(column: Column, cell: Cell) -> float | int:
    if cell is None or isinstance(cell, bool | date):
        raise _not_a_number(as_text(cell) if cell is not None else "")
    if isinstance(cell, str):
        cell = _parse_number(_RATE_UNIT.sub("", cell) if column.kind is Kind.DECIMAL else cell)
    if not column.low <= cell <= column.high:  # NaN fails too
        raise Refused(
            Said(
                f"{as_text(cell)} nằm ngoài khoảng {column.low}–{column.high}",
                f"{as_text(cell)} is not between {column.low} and {column.high}",
            ),
            Said("sửa lại số", "correct the number"),
        )
    return cell


def _integer(column: Column, cell: Cell) -> int:
    number = _number(column, cell)
    if number != int(number):
        raise Refused(
            Said(f"{as_text(number)} không phải số nguyên", f"{as_text(number)} is no whole number"),
            Said("ghi số nguyên", "write a whole number"),
        )
    return int(number)


def _decimal(column: Column, cell: Cell) -> float:
    return float(_number(column, cell))


def _parse_number(text: str) -> float:
    """A number in either habit; see the module. Raises Refused for what is none or could be two."""
    written, text = text, text.replace(" ", "")
    if not _NUMBER.fullmatch(text):
        raise _not_a_number(written)
    marks = [c for c in text if c in ",."]
    if len(set(marks)) == 2:
        whole, _, part = text.rpartition(marks[-1])
        return float(f"{_grouped(whole, marks[0])}.{part}")
    if len(marks) != 1:
        return float(_grouped(text, marks[0]) if marks else text)
    whole, mark, part = text.partition(marks[0])
    if len(part) == 3 and len(whole.strip("+-")) <= 3 and whole.strip("+-0"):
        if mark == ".":
            return float(whole + part)
        raise Refused(
            Said(f"“{text}” có thể là hai số khác nhau", f"“{text}” can be two numbers"),
            Said(f"ghi {whole}{part} hoặc {text}0", f"write {whole}{part} or {text}0"),
        )
    return float(f"{whole or '0'}.{part}")


def _grouped(text: str, mark: str) -> str:
    """A whole number without its thousands marks. Raises Refused when they stand at wrong places."""
    first, *groups = text.split(mark)
    if any(len(group) != 3 or not group.isdigit() for group in groups) or (
        groups and len(first.strip("+-")) > 3
    ):
        raise _not_a_number(text)
    return first + "".join(groups)


def _not_a_number(text: object) -> Refused:
    return Refused(
        Said(f"“{text}” không phải là số", f"“{text}” is no number"),
        Said("ghi số, ví dụ 1250 hoặc 92,5", "write a number, such as 1250 or 92,5"),
    )


def _yes_no(column: Column, cell: Cell) -> bool:
    word = bare(_text(column, cell))
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise Refused(
        Said(f"“{cell}” không phải có hay không", f"“{cell}” is neither yes nor no"),
        Said("ghi có hoặc không", "write có or không"),
    )


def _day(column: Column, cell: Cell) -> date:
    if isinstance(cell, date):
        day = _plain_day(cell)
    elif isinstance(cell, str):
        if cell in _DASHES and column.field == "valid_from":
            return BEGINNING
        day = _parse_day(cell)
    else:
        raise _not_a_day(cell)
    if not BEGINNING <= day <= date(2200, 1, 1):
        raise _not_a_day(cell)
    return day


def _parse_day(text: str) -> date:
    if found := _ISO_DAY.fullmatch(text):
        year, month, day = (int(part) for part in found.groups())
    elif found := (_DAY.fullmatch(text) or _LONG_DAY.fullmatch(bare(text))):
        day, month, year = (int(part) for part in found.groups())
    else:
        raise _not_a_day(text)
    try:
        return date(year, month, day)
    except ValueError:
        raise _not_a_day(text) from None


def _plain_day(cell: date) -> date:
    return cell.date() if isinstance(cell, datetime) else cell


def _not_a_day(cell: object) -> Refused:
    shown = as_text(cell) if isinstance(cell, date) else cell
    return Refused(
        Said(f"“{shown}” không phải là ngày", f"“{shown}” is no day"),
        Said("ghi ngày/tháng/năm, ví dụ 05/02/2026", "write dd/mm/yyyy, such as 05/02/2026"),
    )


def _choice(column: Column, cell: Cell) -> StrEnum:
    if column.choices is None:
        raise TypeError(f"column {column.field} is a choice without choices; name them in its sheet")
    text = _text(column, cell)
    value = value_of(column.choices, text)
    if value is None:
        raise Refused(
            Said(f"không có giá trị “{text}”", f"there is no “{text}”"),
            Said(
                f"chọn một trong: {', '.join(labels(column.choices, 'vi'))}",
                f"choose one of: {', '.join(labels(column.choices, 'en'))}",
            ),
        )
    return value


_READERS: Final[Mapping[Kind, Callable[[Column, Cell], Value]]] = {
    Kind.TEXT: _text,
    Kind.CODE: _code,
    Kind.REFERENCE: _text,
    Kind.SCOPE: _scope,
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.YES_NO: _yes_no,
    Kind.DAY: _day,
    Kind.CHOICE: _choice,
}
