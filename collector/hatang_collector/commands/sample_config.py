"""Print collector.toml with every setting, its default and what it means.

Examples:
  hatang-collector sample-config > /etc/hatang/collector.toml
"""

from __future__ import annotations

import argparse

from hatang_agent import strictconfig
from hatang_collector.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""
    del parser


def run(_args: argparse.Namespace) -> int:
    """Print the sample."""
    print(strictconfig.sample(Settings), end="")
    return 0
