"""What files would change: all of it or nothing, decided before anything is written. Pure but for reading."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from hatang_collector.domain.difference import Difference, difference
from hatang_collector.domain.estate import Estate
from hatang_collector.sheets import judging, putting
from hatang_collector.sheets.cells import Value
from hatang_collector.sheets.contract import Kind
from hatang_collector.sheets.files import Progress, Source
from hatang_collector.sheets.lines import Line, Reading, read_lines
from hatang_collector.sheets.references import Found, Names
from hatang_collector.sheets.said import Refused, RowProblem, Said


@dataclass(frozen=True, slots=True)
class Plan:
    """What files ask for. With problems and without leave to skip rows, nothing: ``refused``.

    ``estate_after`` is then the estate as it was. ``rows`` were read, ``taken`` of them are in the
    estate after; ``warnings`` hinder nothing.
    """

    estate_after: Estate
    problems: Sequence[RowProblem]
    warnings: Sequence[RowProblem]
    differences: Sequence[Difference]
    rows: int
    taken: int
    refused: bool


@dataclass(slots=True)
class _Try:
    """One attempt to put lines in, and what came of it."""

    estate: Estate
    good: list[Line] = field(default_factory=list)
    wrong: list[tuple[Line | None, RowProblem]] = field(default_factory=list)
    warnings: list[RowProblem] = field(default_factory=list)


def read_files(
    sources: Iterable[Path | Source],
    estate: Estate,
    today: date,
    *,
    skip_bad_rows: bool = False,
    progress: Progress | None = None,
) -> Plan:
    """Read files and say what they would change.

    Args:
        sources: XLSX or CSV files, or their bytes with a name.
        estate: what there is.
        today: the day from which a change without a day holds.
        skip_bad_rows: take the good rows although others are bad. What concerns a whole sheet or file
            (a column that is missing) still refuses everything.
        progress: told now and then which sheet is being read and how far.

    Returns:
        The plan; nothing is written.

    Raises:
        OSError: a file cannot be opened.
    """
    return plan(read_lines(sources, progress), estate, today, skip_bad_rows=skip_bad_rows)


def plan(reading: Reading, estate: Estate, today: date, *, skip_bad_rows: bool = False) -> Plan:
    """What lines that have been read would change in an estate; see :func:`read_files`."""
    rows = len(reading.lines) + len(reading.bad)
    problems = list(reading.problems)
    files = ", ".join(dict.fromkeys(line.file for line in reading.lines))
    lines = list(reading.lines)
    refused = bool(reading.fatal) or (bool(problems) and not skip_bad_rows)
    while True:
        known = lines if skip_bad_rows else [*reading.lines, *reading.bad]
        attempt = _try(estate, lines, Names(estate, known), today, files, check=not refused)
        problems += [problem for _, problem in attempt.wrong]
        blamed = {line.spot for line, _ in attempt.wrong if line is not None}
        if not attempt.wrong:
            break
        if not skip_bad_rows or len(blamed) == 0:
            refused = True
            break
        lines = [line for line in lines if line.spot not in blamed]
    problems = sorted([*reading.fatal, *dict.fromkeys(problems)], key=_order(reading))
    warnings = [*reading.warnings, *attempt.warnings]
    if refused:
        return Plan(estate, problems, warnings, [], rows, 0, refused=True)
    found = difference(estate, attempt.estate)
    return Plan(
        attempt.estate if found else estate, problems, warnings, found, rows, len(lines), refused=False
    )


def _try(
    estate: Estate, lines: Sequence[Line], names: Names, today: date, files: str, *, check: bool
) -> _Try:
    attempt = _Try(estate)
    moved: dict[tuple[str, str], list[tuple[Line, str]]] = {}
    for line in lines:
        try:
            attempt.good.append(_resolved(line, names, moved))
        except _Unresolved as unresolved:
            attempt.wrong += [(line, problem) for problem in unresolved.problems]
    put = putting.put(estate, attempt.good, today)
    attempt.wrong += put.wrong
    attempt.warnings = [*_spellings(moved), *put.warnings]
    if check and not attempt.wrong:
        attempt.wrong += judging.contradictions(put.estate, put.origins, files)
    if not attempt.wrong:
        attempt.estate = put.estate
        attempt.warnings += judging.oddities(estate, put.estate, put.origins, today)
    return attempt


class _Unresolved(Exception):  # noqa: N818 - carries what a person is told
    """A line refers to what is not there."""

    def __init__(self, problems: list[RowProblem]) -> None:
        super().__init__()
        self.problems = problems


def _resolved(line: Line, names: Names, moved: dict[tuple[str, str], list[tuple[Line, str]]]) -> Line:
    """The line with codes for what was written. Raises _Unresolved."""
    values: dict[str, Value] = {}
    wrong: list[RowProblem] = []
    for column in line.sheet.columns:
        text = line.values.get(column.field)
        if column.kind not in (Kind.REFERENCE, Kind.SCOPE) or not isinstance(text, str) or not text:
            continue
        try:
            found: Found = (
                names.find_scope(text) if column.kind is Kind.SCOPE else names.find(column.refers, text)
            )
        except Refused as refused:
            wrong.append(line.problem(column.field, refused.cause, refused.next_step))
            continue
        values[column.field] = found.code
        if found.official:
            moved.setdefault((text, found.official), []).append((line, column.field))
    if wrong:
        raise _Unresolved(wrong)
    return replace(line, values={**line.values, **values}) if values else line


def _spellings(moved: dict[tuple[str, str], list[tuple[Line, str]]]) -> list[RowProblem]:
    """One warning for each spelling, at the first row that has it."""
    warnings = []
    for (text, official), places in moved.items():
        line, name = places[0]
        more = len(places) - 1
        vi, en = (f" (và {more} dòng khác)", f" (and {more} more rows)") if more else ("", "")
        warnings.append(
            line.problem(
                name,
                Said(
                    f"“{text}” chỉ khác vị trí dấu, hiểu là “{official}”{vi}",
                    f"“{text}” differs only in the place of a tone mark and is taken as “{official}”{en}",
                ),
                Said("nên ghi theo tên chính thức", "write the official name"),
            )
        )
    return warnings


def _order(reading: Reading) -> Callable[[RowProblem], tuple[int, int]]:
    """Sheets in the order they were read, rows in theirs."""
    spots = [(one.file, one.sheet) for one in reading.fatal]
    spots += [(line.file, line.title) for line in (*reading.lines, *reading.bad)]
    places = {spot: number for number, spot in enumerate(dict.fromkeys(spots))}
    return lambda problem: (places.get((problem.file, problem.sheet), len(places)), problem.row)
