"""List, show, retry, export or delete what could not be taken.

Everything that was refused is kept with its reason. After an upgrade, `retry` takes in what the new
program understands; the collector must be stopped for it. The other actions work while it runs.

Examples:
  hatang-collector deadletters list --reason future_schema
  hatang-collector deadletters show 17
  hatang-collector deadletters retry --reason future_schema
  hatang-collector deadletters export letters.jsonl
  hatang-collector deadletters delete 17 18
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from hatang_agent.wire import codec
from hatang_collector import clock
from hatang_collector.app import Data, make_data_dir, open_data
from hatang_collector.domain.clocksync import Clocks, Segment
from hatang_collector.ingest.deadletter import DeadLetters, Letter, export_line
from hatang_collector.ingest.pipeline import Pipeline
from hatang_collector.ingest.retry import retry
from hatang_collector.journal.projection import Advance, StoreUnavailable
from hatang_collector.ledger import clocks as ledger_clocks
from hatang_collector.metrics import Metrics
from hatang_collector.registry import Registry

SHOWN_BYTES = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Actions of the command."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listed = actions.add_parser("list", help="one line a letter")
    shown = actions.add_parser("show", help="one letter with its bytes")
    retried = actions.add_parser("retry", help="take letters in again")
    exported = actions.add_parser("export", help="write letters as JSON lines")
    deleted = actions.add_parser("delete", help="remove letters for good")
    for parser_of in (listed, retried, exported):
        parser_of.add_argument("--reason", help="only letters refused for this reason")
    for parser_of in (listed, exported):
        parser_of.add_argument("--resolved", action="store_true", help="those dealt with, too")
    shown.add_argument("id", type=int)
    retried.add_argument("id", type=int, nargs="*", help="letters to take in (default: all open ones)")
    exported.add_argument("file", nargs="?", type=Path, help="file to write (default: standard output)")
    deleted.add_argument("id", type=int, nargs="+")


def run(args: argparse.Namespace) -> int:
    """Do one action."""
    if args.action == "retry":
        with open_data(args) as data:
            return _retry(data, _chosen(data.deadletters, args.id, args.reason))
    with contextlib.closing(DeadLetters(make_data_dir(args.data) / "deadletters.sqlite")) as deadletters:
        if args.action == "list":
            return _list(deadletters, args)
        if args.action == "show":
            return _show(deadletters, args.id)
        if args.action == "export":
            return _export(deadletters, args)
        print(f"{deadletters.delete(args.id)} letters deleted")
    return 0


def _list(deadletters: DeadLetters, args: argparse.Namespace) -> int:
    for letter in deadletters.every(reason=args.reason, resolved=args.resolved):
        mark = letter.resolution or letter.reason
        when = _when(letter.last_ms)
        seen = f"{letter.times} times, last {when}" if letter.times > 1 else when
        size = f"{len(letter.payload):8} bytes"
        print(f"{letter.id:6} {mark:20} {size}  {seen}  {letter.topic}  {letter.detail[:100]}")
    totals = deadletters.totals()
    print(f"{sum(totals.open.values())} open letters, {totals.bytes / 1e6:.1f} MB", end="")
    print(
        "".join(
            f"; {number} {reason} dropped by the bounds" for reason, number in sorted(totals.dropped.items())
        )
    )
    return 0


def _show(deadletters: DeadLetters, number: int) -> int:
    letter = deadletters.get(number)
    if letter is None:
        print(
            f"hatang-collector deadletters: there is no letter {number}; see: deadletters list",
            file=sys.stderr,
        )
        return 1
    for name in ("id", "topic", "agent", "reason", "detail", "digest", "times", "resolution"):
        print(f"{name:11} {getattr(letter, name)}")
    print(f"{'arrived':11} {_when(letter.arrived_ms)}\n{'last':11} {_when(letter.last_ms)}")
    print(_readable(letter.payload))
    return 0


def _export(deadletters: DeadLetters, args: argparse.Namespace) -> int:
    lines = (export_line(letter) for letter in deadletters.every(reason=args.reason, resolved=args.resolved))
    if args.file is None:
        for line in lines:
            print(line)
        return 0
    with args.file.open("w", encoding="utf-8") as target:
        count = sum(1 for line in lines if target.write(line + "\n"))
    print(f"{count} letters in {args.file}")
    return 0


def _retry(data: Data, letters: Iterable[Letter]) -> int:
    with data.ledger.read() as c:
        clocks = Clocks()
        for one in sorted(ledger_clocks.every(c), key=lambda segment: segment.from_boot_ms):
            clocks.restore(one.agent, one.boot_id, Segment(one.from_boot_ms, one.offset_ms))
    metrics = Metrics()
    pipeline = Pipeline(
        data.journal, data.deadletters, Registry(data.ledger).stream, clocks=clocks, metrics=metrics
    )
    pipeline.recover(clock.now_ms())
    projections = {
        one.name: Advance(data.journal, one, data.deadletters, metrics, clock.now_ms)
        for one in data.projections
    }
    taken = refused = 0
    try:
        for result in retry(letters, data.deadletters, pipeline, projections, clock.now_ms):
            if result.refused:
                refused += 1
                print(f"{result.letter.id:6} still refused: {result.refused}")
            else:
                taken += 1
    except StoreUnavailable as error:
        print(f"hatang-collector deadletters: {error}; {taken} letters were taken in", file=sys.stderr)
        return 1
    print(f"{taken} letters taken in, {refused} still refused")
    return 0


def _chosen(deadletters: DeadLetters, numbers: list[int], reason: str | None) -> Iterator[Letter]:
    if not numbers:
        yield from deadletters.every(reason=reason)
        return
    for number in numbers:
        letter = deadletters.get(number)
        if letter is None or letter.resolved_ms is not None:
            print(f"{number:6} is not an open letter")
        elif reason is None or letter.reason == reason:
            yield letter


def _readable(payload: bytes) -> str:
    """The text in the bytes where there is one, else hexadecimal; the beginning of it."""
    try:
        text = codec.inflate(payload).decode()
    except (codec.WireError, UnicodeDecodeError):
        text = payload[: SHOWN_BYTES // 2].hex(" ")
    return text if len(text) <= SHOWN_BYTES else text[:SHOWN_BYTES] + f"… ({len(payload)} bytes in all)"


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
