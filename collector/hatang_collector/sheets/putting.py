"""Puts lines into an estate: what a blank day means, versions and corrections. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final

from hatang_collector.domain import edits, versions
from hatang_collector.domain.dated import BEGINNING, holds
from hatang_collector.domain.edits import KEYS, Key
from hatang_collector.domain.estate import Estate
from hatang_collector.domain.folding import only_the_tone_moved
from hatang_collector.sheets.contract import Sheet
from hatang_collector.sheets.lines import Line
from hatang_collector.sheets.said import RowProblem, Said

_PERIOD: Final = ("valid_from", "valid_to")


@dataclass(slots=True)
class Putting:
    """The estate with lines in it. ``origins`` are the lines of a thing by (noun, key)."""

    estate: Estate
    origins: dict[tuple[str, Key], list[Line]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[tuple[Line, RowProblem]] = field(default_factory=list)
    warnings: list[RowProblem] = field(default_factory=list)


def put(estate: Estate, lines: Iterable[Line], day: date) -> Putting:
    """The estate with every line put in; ``day`` is from when changes without a day hold."""
    by_sheet: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_sheet[line.sheet.noun].append(line)
    result = Putting(estate)
    new: list[Any] = []
    for noun, ones in by_sheet.items():
        sheet = ones[0].sheet
        key_of = KEYS[sheet.row]
        held: dict[Key, list[Any]] = defaultdict(list)
        for row in getattr(estate, noun):
            held[key_of(row)].append(row)
        for key, group in _by_key(sheet, ones, key_of).items():
            result.origins[noun, key] += group
            put_one = _dated if sheet.dated else _undated
            new += put_one(result, held.get(key, []), group, day)
    result.estate = edits.put_all(estate, new)
    return result


def _by_key(sheet: Sheet, lines: Sequence[Line], key_of: Callable[[Any], Key]) -> Mapping[Key, list[Line]]:
    groups: dict[Key, list[Line]] = defaultdict(list)
    for line in lines:
        groups[key_of(_row(sheet, None, line))].append(line)
    return groups


def _undated(result: Putting, held: Sequence[Any], group: list[Line], _day: date) -> list[Any]:
    first, *again = group
    _twice(result, first, again)
    row = _row(first.sheet, held[0] if held else None, first)
    return [] if held and row == held[0] else [row]


def _dated(result: Putting, held: Sequence[Any], group: list[Line], day: date) -> list[Any]:
    """The new versions of one thing, in the order in which they are put in."""
    known = bool(held)
    key_of = KEYS[group[0].sheet.row]
    starts: dict[date | None, list[Line]] = defaultdict(list)
    for line in group:
        given = line.values.get("valid_from")
        start = given if isinstance(given, date) else None if known else BEGINNING
        starts[start].append(line)
    history = tuple(held)
    new: list[Any] = []
    # A day that was given comes first: a change from today on is a change of what then holds.
    for start in sorted(starts, key=lambda one: (one is None, one or day)):
        line, *again = starts[start]
        _twice(result, line, again)
        row = _given(history, line, start) if start else _changed(result, history, line, day)
        if row is not None and row not in history:
            new.append(row)
            history = versions.put_all(history, (row,), key_of)
    return new


def _given(history: Sequence[Any], line: Line, start: date) -> Any:
    """The version a line with a first day describes: a correction when there is one from that day."""
    same = next((row for row in history if row.valid_from == start), None)
    base = same or next((row for row in history if holds(row, start)), None)
    row = replace(_row(line.sheet, base, line), valid_from=start)
    if "valid_to" not in line.values:
        row = replace(row, valid_to=same.valid_to if same else None)
    return row


def _changed(result: Putting, history: Sequence[Any], line: Line, day: date) -> Any:
    """The version a line without a first day asks for; None when it says what is known already."""
    base = _base(history, day)
    row = _row(line.sheet, base, line)
    if hasattr(row, "name") and only_the_tone_moved(row.name, base.name):
        result.warnings.append(_spelling(line, row.name, base))
        row = replace(row, name=base.name)
    until = line.values.get("valid_to")
    row = replace(row, valid_from=base.valid_from, valid_to=until if until is not None else base.valid_to)
    if replace(row, valid_to=base.valid_to) == base:
        return row
    if holds(base, day):
        return replace(row, valid_from=max(day, base.valid_from))
    return replace(row, valid_from=day, valid_to=until)


def _base(history: Sequence[Any], day: date) -> Any:
    """The version that holds on a day, else the last before it, else the first after it."""
    ordered = sorted(history, key=lambda row: row.valid_from)
    before = [row for row in ordered if row.valid_from <= day]
    return before[-1] if before else ordered[0]


def _row(sheet: Sheet, base: Any, line: Line) -> Any:
    """The row of a line: a blank cell is the default, a column that is not there leaves what there is."""
    values: dict[str, Any] = {}
    for column in sheet.columns:
        name = column.field
        value = line.values.get(name)
        if value is None and name not in line.values and base is not None:
            value = getattr(base, name)
        elif value is None:
            value = sheet.defaults[name]
        values[name] = value
    return sheet.row(**values)


def _twice(result: Putting, first: Line, again: Iterable[Line]) -> None:
    key = " / ".join(part for part in KEYS[first.sheet.row](_row(first.sheet, None, first)) if part)
    for line in again:
        vi = f"dòng {first.row}" + (f" của {first.file}" if first.file != line.file else "")
        en = f"row {first.row}" + (f" of {first.file}" if first.file != line.file else "")
        problem = line.problem(
            line.sheet.columns[0].field,
            Said(f"{key} đã có ở {vi}", f"{key} is already in {en}"),
            Said(
                "xóa một dòng" + (", hoặc ghi “Từ ngày” khác nhau" if line.sheet.dated else ""),
                "delete one of them"
                + (", or give them different days in “From”" if line.sheet.dated else ""),
            ),
        )
        result.wrong.append((line, problem))


def _spelling(line: Line, written: str, base: Any) -> RowProblem:
    since = "–" if base.valid_from == BEGINNING else base.valid_from.strftime("%d/%m/%Y")
    return line.problem(
        "name",
        Said(
            f"“{written}” chỉ khác vị trí dấu, giữ tên chính thức “{base.name}”",
            f"“{written}” differs only in the place of a tone mark; the official name “{base.name}” is kept",
        ),
        Said(
            f"nếu muốn sửa tên thì ghi “Từ ngày” là {since}", f"to correct the name, write {since} in “From”"
        ),
    )
