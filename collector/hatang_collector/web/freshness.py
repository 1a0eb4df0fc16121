"""What is known about a machine right now, as one word. Pure: data and ``now_ms`` in, a state out."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from hatang_collector.domain import figures
from hatang_collector.domain.figures import GRACE_MS

__all__ = ["GRACE_MS", "INTERVAL_MS", "RANKS", "SYMBOLS", "State", "is_fresh", "state_of"]

INTERVAL_MS: Final = {"pc": 300_000, "probe": 15_000}
"""The default distance of two reports by role, used where no other is known."""

_ORDERLY: Final = frozenset({"shutdown", "sleep", "update", "stop"})


class State(StrEnum):
    """The states of a machine, worst first: this is also the order on the page."""

    SILENT = "silent"
    NO_DATA = "no_data"
    OFF = "off"
    UP = "up"


SYMBOLS: Final = {State.SILENT: "✕", State.NO_DATA: "?", State.OFF: "■", State.UP: "●"}
RANKS: Final = {state: rank for rank, state in enumerate(State)}


def is_fresh(report_ms: int | None, role: str, now_ms: int, interval_ms: int | None = None) -> bool:
    """Whether the newest report is fresh (:func:`.figures.is_fresh`), by default at its role's interval."""
    return figures.is_fresh(report_ms, interval_ms or INTERVAL_MS.get(role, INTERVAL_MS["pc"]), now_ms)


def state_of(
    report_ms: int | None, role: str, farewell: str | None, now_ms: int, interval_ms: int | None = None
) -> State:
    """The state of a machine from its newest report and its last goodbye.

    An orderly goodbye counts at once, even while the last report is still fresh; a will
    (``lost``) does not: the report's age decides.
    """
    if farewell in _ORDERLY:
        return State.OFF
    if report_ms is None:
        return State.NO_DATA
    return State.UP if is_fresh(report_ms, role, now_ms, interval_ms) else State.SILENT
