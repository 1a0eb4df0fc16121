"""Rebuild what is derived from the journal.

Empties a projection (receipts and facts, series, rollups) and builds it anew from the journal. The
collector must be stopped. Nothing is lost when it is interrupted: the projection goes on from where
it is at the next start.

Examples:
  hatang-collector replay series
  hatang-collector replay --all
"""

from __future__ import annotations

import argparse
import sys

from hatang_collector import clock
from hatang_collector.app import Data, open_data
from hatang_collector.journal.projection import Advance, Projection, StoreUnavailable
from hatang_collector.metrics import Metrics

SHOW_EVERY_MS = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("projection", nargs="?", metavar="PROJECTION", help="the one to rebuild")
    parser.add_argument("--all", action="store_true", help="rebuild every projection")


def run(args: argparse.Namespace) -> int:
    """Reset the projections asked for and run them to the end of the journal."""
    with open_data(args) as data:
        names = [projection.name for projection in data.projections]
        if args.all == bool(args.projection) or (args.projection and args.projection not in names):
            print(f"hatang-collector replay: name one of {', '.join(names)}, or --all", file=sys.stderr)
            return 2
        chosen = [one for one in data.projections if args.all or one.name == args.projection]
        return max(_rebuild(data, projection) for projection in chosen)


def _rebuild(data: Data, projection: Projection) -> int:
    metrics = Metrics()
    advance = Advance(data.journal, projection, data.deadletters, metrics, clock.now_ms)
    applied = 0
    try:
        projection.reset()
        for name, stream in data.journal.streams.items():
            shown_ms = 0
            while moved := advance.step(name):
                applied += moved
                if sys.stderr.isatty() and clock.monotonic_ms() - shown_ms > SHOW_EVERY_MS:
                    shown_ms = clock.monotonic_ms()
                    at = projection.cursor(name) - stream.first
                    print(
                        f"\r{projection.name}: {name} {at:,} of {stream.end - stream.first:,} ",
                        end="",
                        file=sys.stderr,
                    )
            if shown_ms:
                print(file=sys.stderr)
    except StoreUnavailable as error:
        hint = f" ({error.hint})" if error.hint else ""
        print(
            f"hatang-collector replay: {projection.name}: {error}{hint}; {applied} entries were applied, "
            "the rest follows at the next start of the collector",
            file=sys.stderr,
        )
        return 1
    failed = int(metrics.projection_failed.labels(projection.name)._value.get())
    print(f"{projection.name}: {applied} entries applied, {failed} of them set aside as dead letters")
    return 1 if failed else 0
