"""Run the collector: broker, ingest, projections, pages.

The data folder is made when it is missing. Settings come from collector.toml in it (see
sample-config) and from the environment, e.g. HATANG_WEB_PORT=8081. Ctrl-C stops everything.

Examples:
  hatang-collector serve
  hatang-collector serve --data /var/lib/hatang --config /etc/hatang/collector.toml
"""

from __future__ import annotations

import argparse
import logging
import sys

from hatang_collector.app import open_data
from hatang_collector.server import Server


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""
    del parser


def run(args: argparse.Namespace) -> int:
    """Serve until a signal."""
    with open_data(args) as data:
        logging.getLogger("hatang_collector").setLevel(data.settings.log_level.upper())
        Server(data).run(_announce)
    return 0


def _announce(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
