"""What is known about a machine right now, as one word. Pure: data and ``now_ms`` in, a state out."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

GRACE_MS: Final = 90_000
"""How much later than its interval a newest report may be and still count as current."""

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
    """Whether the newest report is no older than its interval and the grace.

    A time ahead of ``now_ms`` is fresh: it only says that two clocks differ.
    """
    if report_ms is None:
        return False
    allowed = (interval_ms or INTERVAL_MS.get(role, INTERVAL_MS["pc"])) + GRACE_MS
    return now_ms - report_ms <= allowed


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
