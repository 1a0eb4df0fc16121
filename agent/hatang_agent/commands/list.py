"""List the probes: name, interval, roles and what each measures.

Examples:
  hatang-agent list
  hatang-agent list --json
"""

from __future__ import annotations

import argparse
import json

from hatang_agent import registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``list``."""
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    """Print one line per probe."""
    found = registry.probes()
    rows = [
        {
            "name": probe.name,
            "interval_s": probe.interval_s,
            "deadline_s": probe.deadline_s,
            "roles": sorted(probe.roles),
            "description": probe.doc.splitlines()[0] if probe.doc else "",
        }
        for probe in found.values()
    ]
    if args.json:
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return 0
    width = max(len(name) for name in found)
    for row in rows:
        roles = ",".join(row["roles"]) if isinstance(row["roles"], list) else ""
        print(f"{row['name']:<{width}}  {row['interval_s']:>6g} s  {roles:<9}  {row['description']}")
    return 0
