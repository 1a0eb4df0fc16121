"""Sub-commands of ``hatang-agent``, one module each, found by package scan.

A module's docstring is its help (first line) and description; ``add_arguments(parser)`` adds its
own options to the common ``--config`` and ``--state``; ``run(args)`` does it and returns the exit
code: 0 ok, 1 it failed, 2 bad usage or configuration.
"""

from __future__ import annotations


class CommandFailed(Exception):  # noqa: N818 - ends a command, whether it is an error is in the code
    """Ends a command with one line on standard error: the place, the cause, the next step."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
