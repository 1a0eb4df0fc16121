"""Which sheet a table is and which column each of its cells, by title, file name or headings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hatang_collector.domain.folding import bare
from hatang_collector.sheets.cells import Cell
from hatang_collector.sheets.contract import Column, Sheet, sheets
from hatang_collector.sheets.files import Table
from hatang_collector.sheets.said import Refused, RowProblem, Said
from hatang_collector.sheets.text import clean

GUIDE_VI: Final = "Hướng dẫn"
GUIDE_EN: Final = "Guide"
LISTS: Final = "Danh mục"
"""Tabs of our own that hold no rows."""

NUMBERING: Final = frozenset({"stt", "tt", "so tt", "so thu tu", "no"})
"""Headings of a running number that nobody misses."""

_HEADINGS_WITHIN: Final = 15
"""Headings stand in one of the first lines; above them may be a title."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """A table whose sheet and columns are known. ``columns`` are by their place in a line."""

    table: Table
    sheet: Sheet
    heading_row: int
    columns: Mapping[int, Column]
    titles: Mapping[int, str]

    def rows(self) -> Iterator[tuple[int, Sequence[Cell]]]:
        """The lines below the headings."""
        return ((number, cells) for number, cells in self.table.lines if number > self.heading_row)


def recognise(table: Table) -> tuple[Recognised | None, list[RowProblem], list[RowProblem]]:
    """The sheet of a table, what is wrong with its headings, and what only should be known.

    None without a problem is a tab that holds no rows: empty, or the guide of a template.
    """
    name = bare(table.title or Path(table.file).stem)
    if not table.lines or (table.title and name in {bare(GUIDE_VI), bare(GUIDE_EN), bare(LISTS)}):
        return None, [], []
    best = _by_name(name) or _by_headings(table)
    lines = table.lines[:_HEADINGS_WITHIN] if best is None else [_heading_line(table, best)]
    if unreadable := _unreadable(table, lines):
        return None, [unreadable], []
    if best is None:
        titles = Said(
            *(", ".join(sheet.title(language) for sheet in sheets().values()) for language in ("vi", "en"))
        )
        return None, [], [
            RowProblem(
                table.file, table.title, 0, "",
                Said("không nhận ra bảng này, bỏ qua", "is no known sheet and was left out"),
                Said(f"nếu cần thì đặt tên là: {titles.vi}", f"if it is needed, call it one of: {titles.en}"),
            )
        ]  # fmt: skip
    row, cells = _heading_line(table, best)
    return _columns(table, best, row, cells)


def _unreadable(table: Table, lines: Sequence[tuple[int, Sequence[Cell]]]) -> RowProblem | None:
    """The first heading that is no Unicode text: it would only be called unknown."""
    for row, cells in lines:
        for cell in cells:
            if isinstance(cell, str):
                try:
                    clean(cell)
                except Refused as refused:
                    return refused.at(table.file, table.title, row)
    return None


def _by_name(name: str) -> Sheet | None:
    found = [
        sheet
        for sheet in sheets().values()
        if name
        in {bare(each) for each in (sheet.name, sheet.noun, sheet.title_vi, sheet.title_en, *sheet.also)}
    ]
    return found[0] if len(found) == 1 else None


def _by_headings(table: Table) -> Sheet | None:
    """The only sheet all of whose required columns are there, with the most columns known."""
    scored = []
    for sheet in sheets().values():
        _, cells = _heading_line(table, sheet)
        fields = {column.field for cell in cells if (column := _column(sheet, cell))}
        if {column.field for column in sheet.columns if column.required} <= fields and len(fields) > 1:
            scored.append((len(fields) / len([c for c in cells if c]), len(fields), sheet))
    scored.sort(key=lambda one: one[:2], reverse=True)
    if not scored or (len(scored) > 1 and scored[0][:2] == scored[1][:2]):
        return None
    return scored[0][2]


def _heading_line(table: Table, sheet: Sheet) -> tuple[int, Sequence[Cell]]:
    """The line among the first ones with the most known headings."""
    return max(
        table.lines[:_HEADINGS_WITHIN],
        key=lambda line: (len({c.field for cell in line[1] if (c := _column(sheet, cell))}), -line[0]),
    )


def _column(sheet: Sheet, cell: Cell) -> Column | None:
    if not isinstance(cell, str):
        return None
    heading = bare(cell.rstrip(" *"))
    by_title = (c for c in sheet.columns if heading in {bare(c.vi), bare(c.en), c.field})
    by_other = (c for c in sheet.columns if heading in {bare(other) for other in c.also})
    return next(by_title, None) or next(by_other, None)


def _columns(
    table: Table, sheet: Sheet, row: int, cells: Sequence[Cell]
) -> tuple[Recognised | None, list[RowProblem], list[RowProblem]]:
    columns: dict[int, Column] = {}
    titles: dict[int, str] = {}
    problems: list[RowProblem] = []
    warnings: list[RowProblem] = []
    for place, cell in enumerate(cells):
        if cell is None or not (title := " ".join(str(cell).split())):
            continue
        column = _column(sheet, cell)
        if column is None and bare(title) not in NUMBERING:
            warnings.append(
                RowProblem(
                    table.file, table.title, row, title,
                    Said("không có cột này, bỏ qua", "is no known column and was left out"),
                    Said(
                        f"các cột: {', '.join(c.vi for c in sheet.columns)}",
                        f"the columns are: {', '.join(c.en for c in sheet.columns)}",
                    ),
                )
            )  # fmt: skip
        elif column is not None and column in columns.values():
            problems.append(
                RowProblem(
                    table.file, table.title, row, title,
                    Said(f"cột “{column.vi}” có hai lần", f"the column “{column.en}” is there twice"),
                    Said("xóa bớt một cột", "delete one of them"),
                )
            )  # fmt: skip
        elif column is not None:
            columns[place], titles[place] = column, title
    missing = [column for column in sheet.columns if column.required and column not in columns.values()]
    if missing:
        vi, en = (", ".join(f"“{c.title(language)}”" for c in missing) for language in ("vi", "en"))
        problems.append(
            RowProblem(
                table.file, table.title, row, "",
                Said(f"thiếu cột {vi}", f"lacks the column {en}"),
                Said(
                    "thêm vào dòng tiêu đề, hoặc dùng mẫu: hatang-collector import --template mau.xlsx",
                    "add it to the headings, or use: hatang-collector import --template new.xlsx",
                ),
            )
        )  # fmt: skip
    return (None if problems else Recognised(table, sheet, row, columns, titles)), problems, warnings
