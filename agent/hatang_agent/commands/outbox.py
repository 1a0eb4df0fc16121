"""Show what waits in the outbox. Reads only; the agent may be running.

Examples:
  hatang-agent outbox
  hatang-agent outbox --json
"""

from __future__ import annotations

import argparse
import json

from hatang_agent import config, registry
from hatang_agent.commands import CommandFailed
from hatang_agent.outbox_reading import OutboxUnreadable, look_into
from hatang_agent.outbox_rows import Counts
from hatang_agent.system import LocalSystem
from hatang_agent.wire import codec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``outbox``."""
    parser.add_argument("--json", action="store_true", help="as JSON; times in milliseconds, sizes in bytes")


def run(args: argparse.Namespace) -> int:
    """Print the counts."""
    system = LocalSystem()
    settings = config.load_file(args.config, system, registry.probes())
    folder = config.state_dir(settings, system, args.state)
    try:
        counts = look_into(folder)
    except OutboxUnreadable as error:
        raise CommandFailed(str(error)) from error
    if counts is None:
        raise CommandFailed(f"{folder}: no outbox here yet; it is made by hatang-agent run")
    if args.json:
        print(json.dumps(codec.plain(counts), indent=2))
        return 0
    for line in lines(counts, system.wall_ms()):
        print(line)
    return 0


def lines(counts: Counts, now_ms: int) -> list[str]:
    """The counts for people."""
    oldest = "nothing waits" if counts.oldest_ms is None else _age(now_ms - counts.oldest_ms)
    shown = [
        f"runs not sealed yet     {counts.runs} ({counts.run_bytes} bytes)",
        f"reports not acknowledged {counts.reports} ({counts.report_bytes} bytes)",
        f"oldest                  {oldest}",
        f"file in use             {counts.used_bytes} bytes",
    ]
    shown += [f"gap: {gap.runs} runs of {gap.probe} lost, {gap.reason}" for gap in counts.gaps]
    return shown


def _age(age_ms: int) -> str:
    minutes = max(age_ms, 0) // 60_000
    if minutes < 120:
        return f"{minutes} min old"
    return f"{minutes // 60} h old"
