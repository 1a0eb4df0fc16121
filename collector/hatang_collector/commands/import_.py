"""Take units, sites, links, staff and assets from XLSX or CSV files, or make templates for them.

A file is taken whole or not at all: every problem is told with its place, cause and next step, and
nothing is changed. A row with a known code and other values is a new version from the day of the import
(or from --from); with the first day of a known version in "Từ ngày" it corrects that version.

Examples:
  hatang-collector import --template khai-bao.xlsx
  hatang-collector import --template khai-bao-csv
  hatang-collector import khai-bao.xlsx --dry-run
  hatang-collector import khai-bao.xlsx --from 01/07/2026
  hatang-collector import tai-san.csv don-vi.csv --skip-bad-rows --language en
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from hatang_collector import clock
from hatang_collector.app import open_ledger
from hatang_collector.domain.estate import Estate
from hatang_collector.domain.localtime import day_of
from hatang_collector.failures import Failure
from hatang_collector.ledger import audit, estate
from hatang_collector.sheets.export import csv_templates, template
from hatang_collector.sheets.plan import Plan, read_files
from hatang_collector.sheets.said import LANGUAGES, Language, RowProblem, Said
from hatang_collector.sheets.target import write
from hatang_collector.sheets.words import sentence, summary

SHOWN_PROBLEMS: Final = 50
SHOWN_DIFFERENCES: Final = 100
TABLES: Final = frozenset({".xlsx", ".csv", ".txt", ".tsv"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``import``."""
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="XLSX or CSV file, or a folder of them"
    )
    parser.add_argument(
        "--template",
        type=Path,
        metavar="FILE.xlsx|DIR",
        help="write an empty workbook, or a folder of CSV files",
    )
    parser.add_argument("--force", action="store_true", help="let --template overwrite files")
    parser.add_argument("--dry-run", action="store_true", help="say what would change and change nothing")
    parser.add_argument(
        "--from",
        dest="from_day",
        type=_day,
        metavar="dd/mm/yyyy",
        help="day from which changes hold (default: today)",
    )
    parser.add_argument(
        "--skip-bad-rows",
        action="store_true",
        help="take the good rows and list the others (default: all or nothing)",
    )
    parser.add_argument("--language", choices=LANGUAGES, default="vi", help="of what is told (default: vi)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Import or write a template: 0 done, 1 nothing was changed, 2 bad usage."""
    if bool(args.files) == bool(args.template):
        print(
            "hatang-collector import: name files to import or --template to write; see: import --help",
            file=sys.stderr,
        )
        return 2
    if args.template:
        return _template(args)
    files = _files(args.files)
    now_ms = clock.now_ms()
    day = args.from_day or day_of(now_ms)
    with closing(open_ledger(args)) as ledger:
        with ledger.read() as c:
            before = estate.load(c)
        progress = _Progress(args.language)
        made = read_files(files, before, day, skip_bad_rows=args.skip_bad_rows, progress=progress)
        progress.end()
        written = bool(made.differences) and not args.dry_run
        if written:
            names = ", ".join(path.name for path in files)
            change = _Change(before, made.estate_after)
            estate.edit(ledger, change, who=audit.COMMAND_LINE, role="", now_ms=now_ms, why=f"import {names}")
    _tell(args, made, written=written)
    return 1 if made.refused else 0


class _Change:
    """Hands over the planned estate, unless somebody changed what it was planned on."""

    def __init__(self, before: Estate, after: Estate) -> None:
        self._before = before
        self._after = after

    def __call__(self, current: Estate) -> Estate:
        if current != self._before:
            raise Failure(
                "somebody else changed the estate in this moment, nothing was imported; run it again"
            )
        return self._after


class _Progress:
    """One line on a terminal that counts rows; silent everywhere else."""

    def __init__(self, language: Language) -> None:
        self._rows = Said("dòng", "rows").of(language)
        self._shown = False

    def __call__(self, title: str, rows: int) -> None:
        if sys.stderr.isatty():
            self._shown = True
            print(f"\r{title}: {rows} {self._rows}\033[K", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _template(args: argparse.Namespace) -> int:
    language: Language = args.language
    written = write(
        args.template,
        lambda: template(None, language),
        lambda: csv_templates(None, language),
        force=args.force,
    )
    if args.json:
        print(json.dumps({"written": [str(path) for path in written]}, ensure_ascii=False))
    else:
        print("\n".join(str(path) for path in written))
    return 0


def _files(paths: Sequence[Path]) -> list[Path]:
    """The files to read; a folder stands for the tables in it. Raises Failure for what is not there."""
    found: list[Path] = []
    for path in paths:
        inside = (
            sorted(each for each in path.glob("*") if each.suffix.lower() in TABLES)
            if path.is_dir()
            else [path]
        )
        if not inside or not all(each.is_file() for each in inside):
            raise Failure(f"{path}: there is no such file, or no table in that folder; check the name")
        found += inside
    return found


def _tell(args: argparse.Namespace, made: Plan, *, written: bool) -> None:
    language: Language = args.language
    if args.json:
        print(json.dumps(_json(made, language, written=written, dry_run=args.dry_run), ensure_ascii=False))
        return
    _tell_rows(made.problems, "", language)
    _tell_rows(made.warnings, Said("cảnh báo: ", "warning: ").of(language), language)
    if made.refused:
        print(_refusal(made, skipping=args.skip_bad_rows).of(language), file=sys.stderr)
        return
    for one in made.differences[:SHOWN_DIFFERENCES]:
        print(sentence(one, language))
    if (more := len(made.differences) - SHOWN_DIFFERENCES) > 0:
        print(Said(f"… và {more} thay đổi khác", f"… and {more} more changes").of(language))
    print(f"{_outcome(made, written=written).of(language)}: {summary(made.differences, language)}")


def _tell_rows(problems: Sequence[RowProblem], mark: str, language: Language) -> None:
    for one in problems[:SHOWN_PROBLEMS]:
        print(f"{mark}{one.line(language)}", file=sys.stderr)
    if (more := len(problems) - SHOWN_PROBLEMS) > 0:
        print(f"{mark}{Said(f'… và {more} dòng khác', f'… and {more} more').of(language)}", file=sys.stderr)


def _refusal(made: Plan, *, skipping: bool) -> Said:
    number = len(made.problems)
    vi, en = (
        f"không nhập gì: {number} lỗi; sửa rồi nhập lại",
        f"nothing was imported: {number} problems; correct them",
    )
    if skipping:
        return Said(vi, en)
    return Said(
        f"{vi}, hoặc thêm --skip-bad-rows để nhập các dòng đúng",
        f"{en}, or add --skip-bad-rows for the good rows",
    )


def _outcome(made: Plan, *, written: bool) -> Said:
    rows = f"{made.taken}/{made.rows}"
    if written:
        return Said(f"đã nhập {rows} dòng", f"imported {rows} rows")
    if made.differences:
        return Said(f"sẽ nhập {rows} dòng, chưa ghi gì", f"would import {rows} rows, nothing is written")
    return Said(f"đã đọc {rows} dòng", f"read {rows} rows")


def _json(made: Plan, language: Language, *, written: bool, dry_run: bool) -> dict[str, Any]:
    return {
        "written": written,
        "dry_run": dry_run,
        "refused": made.refused,
        "rows": made.rows,
        "taken": made.taken,
        "problems": [_problem(one, language) for one in made.problems],
        "warnings": [_problem(one, language) for one in made.warnings],
        "differences": [{**asdict(one), "text": sentence(one, language)} for one in made.differences],
    }


def _problem(one: RowProblem, language: Language) -> dict[str, str | int]:
    return {
        "file": one.file,
        "sheet": one.sheet,
        "row": one.row,
        "column": one.column,
        "cause": one.cause.of(language),
        "next_step": one.next_step.of(language),
        "line": one.line(language),
    }


def _day(text: str) -> date:
    try:
        return datetime.strptime(text, "%d/%m/%Y").date()  # noqa: DTZ007 - a calendar day has no zone
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write dd/mm/yyyy") from None
