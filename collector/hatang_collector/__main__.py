"""hatang-collector: takes what agents report, keeps it, shows it.

Commands are found by package scan in :mod:`hatang_collector.commands`.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from hatang_agent.registry import modules
from hatang_collector import __version__

NEEDED = ("alembic", "cryptography", "fastapi", "jinja2", "msgspec", "sqlalchemy", "uvicorn")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 ok, 1 it failed, 2 bad usage or configuration."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(
            f"hatang-collector: {missing[0]} is not installed; install the collector with: "
            "pip install 'hatang[collector]'",
            file=sys.stderr,
        )
        return 2
    args = build_parser().parse_args(argv)
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    from hatang_collector.failures import exit_code, known_failures

    try:
        code: int = args.run(args)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except known_failures() as error:
        print(f"hatang-collector {args.command}: {error}", file=sys.stderr)
        return exit_code(error)
    return code


def build_parser() -> argparse.ArgumentParser:
    """The parser with every command found."""
    parser = argparse.ArgumentParser(
        prog="hatang-collector",
        description="Takes what agents report, keeps it, shows it.",
        epilog="examples:\n  hatang-collector serve --data /var/lib/hatang\n  hatang-collector users list",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"hatang-collector {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in modules("hatang_collector.commands").items():
        doc = (module.__doc__ or "").strip()
        command = commands.add_parser(
            name.rstrip("_").replace("_", "-"),  # "import" is a keyword, so its module is import_
            help=doc.splitlines()[0].rstrip("."),
            description=doc,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument(
            "--data", type=Path, default=Path("data"), metavar="DIR", help="data folder (default: ./data)"
        )
        command.add_argument(
            "--config",
            type=Path,
            metavar="FILE",
            help="settings file (default: collector.toml in the data folder)",
        )
        module.add_arguments(command)
        _repeat_options(command)
        command.set_defaults(run=module.run)
    return parser


def _repeat_options(command: argparse.ArgumentParser) -> None:
    """Let the options of a command also stand behind its action: ``tokens create --json --data DIR``."""
    options = [
        action
        for action in command._actions
        if action.option_strings and "--help" not in action.option_strings
    ]
    for action in command._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        for nested in {id(parser): parser for parser in action.choices.values()}.values():
            for option in options:
                again = copy.copy(option)
                again.default = argparse.SUPPRESS
                nested._add_action(again)


if __name__ == "__main__":
    sys.exit(main())
