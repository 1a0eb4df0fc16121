"""Check a settings file without touching the network; says where it is wrong.

Examples:
  hatang-agent check-config /etc/hatang/agent.toml
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hatang_agent import config, registry
from hatang_agent.commands import CommandFailed
from hatang_agent.system import LocalSystem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``check-config``."""
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="the file (or --config FILE)")


def run(args: argparse.Namespace) -> int:
    """Read the file and say that it is right. ConfigError ends the command with 2."""
    path = args.file or args.config
    if path is None:
        raise CommandFailed("no file named; give one: hatang-agent check-config FILE", 2)
    config.load_file(path, LocalSystem(), registry.probes())
    print(f"{path}: ok")
    return 0
