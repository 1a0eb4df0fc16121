"""``hatang-agent``: builds the parser from the commands found and turns known errors into one line."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import logging
import os
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path

from hatang_agent import __version__, commands
from hatang_agent.commands import CommandFailed
from hatang_agent.strictconfig import ConfigError

INTERRUPTED = 130

EXAMPLES = """examples:
  hatang-agent once usage              measure now and show it
  hatang-agent once usage --json       the same as it travels
  hatang-agent fields                  everything that leaves this machine
  hatang-agent sample-config > agent.toml
  hatang-agent check-config agent.toml
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        args = build_parser(given).parse_args(given)
    except SystemExit as end:  # argparse has said why
        return end.code if isinstance(end.code, int) else 2
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough, as in `… | head`
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ConfigError as error:
        return _failed(args.command, str(error), 2)
    except CommandFailed as error:
        return _failed(args.command, str(error), error.exit_code)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _failed(args.command, f"{place}{error.strerror or error}", 1)
    return code


def _failed(command: str, message: str, code: int) -> int:
    print(f"hatang-agent {command}: {message}", file=sys.stderr)
    return code


def command_names() -> list[str]:
    """Names of the commands as typed, found by scan without importing them."""
    found = (one.name for one in pkgutil.iter_modules(commands.__path__) if not one.name.startswith("_"))
    return sorted(name.replace("_", "-") for name in found)


def build_parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for a command line.

    When the command is known from its first word, only that command's module is imported: the
    resident agent must not carry what other commands need.
    """
    parser = argparse.ArgumentParser(
        prog="hatang-agent",
        description="Measures this machine and owns each measurement until a collector has journaled it.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hatang-agent {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    names = command_names()
    wanted = [argv[0]] if argv and argv[0] in names else names
    for name in wanted:
        module = importlib.import_module(f"hatang_agent.commands.{name.replace('-', '_')}")
        doc = (module.__doc__ or "").strip()
        command = subparsers.add_parser(
            name,
            help=doc.splitlines()[0].rstrip(".") if doc else "",
            description=doc,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            conflict_handler="resolve",
        )
        command.add_argument("--config", type=Path, metavar="FILE", help="settings file")
        command.add_argument("--state", type=Path, metavar="DIR", help="folder of identity and outbox")
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
