"""Print a settings file with every key, its meaning and its default.

Examples:
  hatang-agent sample-config > /etc/hatang/agent.toml
"""

from __future__ import annotations

import argparse

from hatang_agent import config, registry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``sample-config`` has no options of its own."""


def run(args: argparse.Namespace) -> int:  # noqa: ARG001 - the same for every command
    """Print the sample."""
    print(config.sample_text(registry.probes()), end="")
    return 0
