"""Seconds measured on the way, printed at the end of the run; never a reason to fail by themselves."""

from __future__ import annotations

from collections.abc import Callable

Figure = Callable[[str, float], None]

measured: dict[str, float] = {}


def note(what: str, seconds: float) -> None:
    """Remember a figure for the summary."""
    measured[what] = seconds
