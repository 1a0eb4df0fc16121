"""Check the settings without starting anything.

Examples:
  hatang-collector check-config --config /etc/hatang/collector.toml
"""

from __future__ import annotations

import argparse
import json

from hatang_collector.config import config_path, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--json", action="store_true", help="print where things are as JSON")


def run(args: argparse.Namespace) -> int:
    """Load the settings; an error names file, line, cause and next step."""
    settings = load_settings(args.data, args.config)
    if args.json:
        told = {
            "url": settings.url,
            "host": settings.web.host,
            "port": settings.web.port,
            "store": str(settings.store.kind),
            "data": str(args.data),
        }
        print(json.dumps(told))
    else:
        path = config_path(args.data, args.config)
        print(f"{path}: ok" if path.is_file() else f"{path}: not there, every setting has its default")
    return 0
