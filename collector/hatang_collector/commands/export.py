"""Write units, sites, links, staff and assets, with their history, to a workbook or CSV files.

What is written can be changed and imported again: see `import`.

Examples:
  hatang-collector export khai-bao.xlsx
  hatang-collector export khai-bao-csv --sheets assets units
  hatang-collector export estate.xlsx --language en --force
"""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from pathlib import Path

from hatang_collector.app import open_ledger
from hatang_collector.ledger import estate
from hatang_collector.sheets.contract import ORDER
from hatang_collector.sheets.export import csv_files, workbook
from hatang_collector.sheets.said import LANGUAGES
from hatang_collector.sheets.target import write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``export``."""
    parser.add_argument(
        "target", type=Path, metavar="FILE.xlsx|DIR", help="workbook, or folder for CSV files"
    )
    parser.add_argument(
        "--sheets", nargs="+", choices=ORDER, metavar="SHEET", help=f"only these: {', '.join(ORDER)}"
    )
    parser.add_argument(
        "--language", choices=LANGUAGES, default="vi", help="of headings and values (default: vi)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite files that are there")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Write it. Raises Failure for a file that is there, LedgerError."""
    with closing(open_ledger(args)) as ledger, ledger.read() as c:
        held = estate.load(c)
    written = write(
        args.target,
        lambda: workbook(held, args.sheets, args.language),
        lambda: csv_files(held, args.sheets, args.language),
        force=args.force,
    )
    if args.json:
        print(json.dumps({"written": [str(path) for path in written]}, ensure_ascii=False))
    else:
        print("\n".join(str(path) for path in written))
    return 0
