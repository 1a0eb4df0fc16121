"""The small charts of the board: four per machine over the last hours, kept for a while."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from hatang_collector.store.contract import SeriesStore
from hatang_collector.web import names
from hatang_collector.web.charts import Line, sparkline, thin
from hatang_collector.web.i18n import Texts
from hatang_collector.web.tracks import Drawn, highest, load

SPAN_MS: Final = 3 * 3_600_000
YOUNG_MS: Final = 15 * 60_000
"""The shortest span: the chart of a machine enrolled today begins with it, not with an empty stretch."""

KEEP_MS: Final = 30_000
MOST_KEPT: Final = 5_000
_DOTS: Final = 60

Lines = dict[str, Line]


class Sparks:
    """Lines by agent, asked from the store at most every half minute however many pages are open."""

    def __init__(self, store: SeriesStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[int, str, Lines]] = {}

    def lines(self, agent: str, interface: str, now_ms: int, since_ms: int) -> Lines:
        """``cpu``, ``memory``, ``rx`` and ``tx`` as far as there are any. Raises StoreUnavailable."""
        start_ms = begin(now_ms, since_ms)
        with self._lock:
            kept = self._kept.get(agent)
        if kept is not None and kept[1] == interface and 0 <= now_ms - kept[0] < KEEP_MS:
            return kept[2]
        found: Lines = {}
        for slot, series in names.SPARKS.items():
            tag = interface if series.measurement == names.RX.measurement else ""
            line = _chosen(load(self._store, agent, series, start_ms, now_ms + 1), tag)
            if line is not None:
                found[slot] = _thinned(line, start_ms, now_ms)
        with self._lock:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            if found:  # the first values of a new machine must not wait for this to grow old
                self._kept[agent] = (now_ms, interface, found)
        return found


def _chosen(drawn: Sequence[Drawn], interface: str) -> Line | None:
    if not interface:
        return drawn[0].line if drawn else None
    return next((one.line for one in drawn if one.tag(names.INTERFACE_TAG) == interface), None)


def begin(now_ms: int, since_ms: int) -> int:
    """Where the chart of a machine enrolled at ``since_ms`` begins."""
    return max(now_ms - SPAN_MS, min(since_ms, now_ms - YOUNG_MS))


def _thinned(line: Line, start_ms: int, now_ms: int) -> Line:
    dots = thin(line.dots, start_ms, now_ms, _DOTS)
    return Line(line.name, line.kind, dots, max(line.gap_ms, 2 * (now_ms - start_ms) // _DOTS))


def pictures(lines: Lines, texts: Texts, now_ms: int, since_ms: int) -> dict[str, str]:
    """One picture per slot; shares are drawn against 100, both rates against their common highest.

    ``since_ms`` is when the machine was enrolled.
    """
    top_rate = highest([line for slot, line in lines.items() if slot in {"rx", "tx"}])
    return {
        slot: str(
            sparkline(
                line,
                begin(now_ms, since_ms),
                now_ms,
                (top_rate or None) if slot in {"rx", "tx"} else 100.0,
                texts(f"spark.{slot}"),
                since_ms,
            )
        )
        for slot, line in lines.items()
    }
