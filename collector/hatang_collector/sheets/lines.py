"""From files to lines: every row of every known sheet with its values read, its references not yet found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hatang_collector.domain.folding import bare
from hatang_collector.sheets.cells import Cell, Value, read_cell
from hatang_collector.sheets.contract import Sheet
from hatang_collector.sheets.files import Progress, Source, open_source
from hatang_collector.sheets.recognise import Recognised, recognise
from hatang_collector.sheets.said import Refused, RowProblem, Said

EXAMPLE_VI: Final = "Ví dụ"
EXAMPLE_EN: Final = "Example"
"""The first cell of a row that only shows how it is done begins with this."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One row of a file: the values of its columns, None where the cell is blank."""

    sheet: Sheet
    file: str
    title: str
    row: int
    values: Mapping[str, Value]
    headings: Mapping[str, str]

    @property
    def spot(self) -> tuple[str, str, int]:
        """Where it stands: file, sheet and row."""
        return self.file, self.title, self.row

    def problem(self, field: str, cause: Said, next_step: Said) -> RowProblem:
        """A problem of this line, at the column of a field ('' for the whole line)."""
        return RowProblem(self.file, self.title, self.row, self.headings.get(field, ""), cause, next_step)


@dataclass(frozen=True, slots=True)
class Reading:
    """What files hold. ``bad`` lines have ``problems``; ``fatal`` ones concern a whole sheet or file."""

    lines: Sequence[Line]
    bad: Sequence[Line]
    fatal: Sequence[RowProblem]
    problems: Sequence[RowProblem]
    warnings: Sequence[RowProblem]


def read_lines(sources: Iterable[Path | Source], progress: Progress | None = None) -> Reading:
    """Read files. Raises OSError for a missing one; everything else is a problem with its place."""
    lines: list[Line] = []
    bad: list[Line] = []
    fatal: list[RowProblem] = []
    problems: list[RowProblem] = []
    warnings: list[RowProblem] = []
    for source in sources:
        tables = open_source(source, progress)
        if isinstance(tables, RowProblem):
            fatal.append(tables)
            continue
        known = 0
        for table in tables:
            recognised, wrong, odd = recognise(table)
            fatal += wrong
            warnings += odd
            known += bool(wrong)
            if recognised is not None:
                known += 1
                more = _read(recognised)
                lines += more.lines
                bad += more.bad
                fatal += more.fatal
                problems += more.problems
        if not known:
            fatal.append(_nothing(source))
            warnings = [one for one in warnings if one.file != source.name]
    return Reading(lines, bad, fatal, problems, warnings)


def _read(recognised: Recognised) -> Reading:
    lines: list[Line] = []
    bad: list[Line] = []
    problems: list[RowProblem] = []
    fatal = _merged(recognised)
    table, columns = recognised.table, recognised.columns
    headings = {columns[place].field: title for place, title in recognised.titles.items()}
    unsaved = {spot for spot in table.unsaved if spot[0] > recognised.heading_row and spot[1] in columns}
    rows: dict[int, Sequence[Cell]] = {row: () for row, _ in unsaved}
    rows |= dict(recognised.rows())
    bare_formulas = {row for row, _ in unsaved}
    for row, cells in sorted(rows.items()):
        if is_example(cells) or (_blank(cells, columns) and row not in bare_formulas):
            continue
        values: dict[str, Value] = {}
        wrong: list[RowProblem] = []
        for place, column in columns.items():
            try:
                if (row, place) in unsaved:
                    raise _unsaved()
                values[column.field] = read_cell(column, cells[place] if place < len(cells) else None)
            except Refused as refused:
                wrong.append(refused.at(table.file, table.title, row, recognised.titles[place]))
        problems += wrong
        line = Line(recognised.sheet, table.file, table.title, row, values, headings)
        (bad if wrong else lines).append(line)
    return Reading(lines, bad, fatal, problems, [])


def is_example(cells: Sequence[Cell]) -> bool:
    """Whether a row is the example of a template."""
    first = next((cell for cell in cells if cell is not None and cell != ""), None)
    return isinstance(first, str) and bare(first).startswith((bare(EXAMPLE_VI), bare(EXAMPLE_EN + ":")))


def _blank(cells: Sequence[Cell], columns: Mapping[int, object]) -> bool:
    """Whether a row holds nothing but what is not read, such as its running number."""
    return all(cell is None or not str(cell).strip() for place, cell in enumerate(cells) if place in columns)


def _merged(recognised: Recognised) -> list[RowProblem]:
    table = recognised.table
    last = max((row for row, _ in table.lines), default=0)
    return [
        RowProblem(
            table.file, table.title, max(first, recognised.heading_row), "",
            Said(f"các ô {name} bị gộp", f"the cells {name} are merged"),
            Said("bỏ gộp ô và điền từng ô", "unmerge them and fill in every cell"),
        )
        for first, end, name in table.merged
        if end >= recognised.heading_row and first <= last
    ]  # fmt: skip


def _unsaved() -> Refused:
    return Refused(
        Said("công thức chưa có giá trị lưu sẵn", "the formula has no saved value"),
        Said(
            "mở bằng Excel rồi lưu lại, hoặc dán giá trị", "open it in Excel and save it, or paste the value"
        ),
    )


def _nothing(source: Path | Source) -> RowProblem:
    return RowProblem(
        source.name, "", 0, "",
        Said("không có bảng nào nhận ra được", "has no sheet that is known"),
        Said(
            "dùng mẫu: hatang-collector import --template khai-bao.xlsx",
            "use the template: hatang-collector import --template khai-bao.xlsx",
        ),
    )  # fmt: skip
