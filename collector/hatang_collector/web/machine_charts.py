"""The large charts of one machine over a chosen span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from markupsafe import Markup

from hatang_collector.store.contract import DAY_MS, HOUR_MS, SeriesStore
from hatang_collector.web import format as fmt
from hatang_collector.web import names
from hatang_collector.web.charts import Line, Tick, nice_ceiling, time_chart
from hatang_collector.web.format import Language
from hatang_collector.web.i18n import texts
from hatang_collector.web.tracks import Drawn, highest, load

MOST_PER_KIND: Final = 12
"""How many disks or interfaces are drawn; the rest is in the API."""


class Span(StrEnum):
    """The spans a page offers."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"


SPAN_MS: Final = {Span.HOUR: HOUR_MS, Span.DAY: DAY_MS, Span.WEEK: 7 * DAY_MS}
_TICK_MS: Final = {Span.HOUR: HOUR_MS // 6, Span.DAY: 3 * HOUR_MS, Span.WEEK: DAY_MS}


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with its heading; ``legend`` pairs a line's class with its name."""

    title: str
    picture: Markup
    legend: Sequence[tuple[str, str]]


def x_ticks(span: Span, start_ms: int, end_ms: int) -> list[Tick]:
    """Marks at whole ten minutes, three hours or midnights in Vietnam."""
    step = _TICK_MS[span]
    write = fmt.day_month if span is Span.WEEK else fmt.clock_time
    at_ms = fmt.midnight_ms(start_ms)
    at_ms += -(-(start_ms - at_ms) // step) * step
    ticks = []
    while at_ms <= end_ms:
        ticks.append(Tick(at_ms, write(at_ms)))
        at_ms += step
    return ticks


@dataclass(frozen=True, slots=True)
class View:
    """What all charts of a page share; ``since_ms`` is when the machine was enrolled."""

    span: Span
    end_ms: int
    since_ms: int
    language: Language

    @property
    def start_ms(self) -> int:
        """Where the charts begin."""
        return self.end_ms - SPAN_MS[self.span]


def _draw(title: str, lines: Sequence[Line], top: float, y: Sequence[Tick], view: View) -> Markup:
    t = texts(view.language)
    label = t("chart.label", title=title, span=t(f"span.{view.span}"))
    x = x_ticks(view.span, view.start_ms, view.end_ms)
    return time_chart(lines, view.start_ms, view.end_ms, top, x, y, label, view.since_ms)


def percent_chart(title: str, line: Line, view: View) -> Chart:
    """Shares of a hundred."""
    y = [Tick(value, fmt.number(value, 0, view.language) + "%") for value in (0, 50, 100)]
    return Chart(title, _draw(title, [line], 100.0, y, view), ())


def rate_chart(title: str, rx: Line | None, tx: Line | None, view: View) -> Chart:
    """Bits per second in and out, against the highest of both."""
    t = texts(view.language)
    named = [
        (line, name) for line, name in ((rx, t("network.rx")), (tx, t("network.tx"))) if line is not None
    ]
    top = nice_ceiling(max(highest([line for line, _ in named]), 1000.0))
    y = [Tick(value, fmt.rate(value, view.language)) for value in (0, top / 2, top)]
    picture = _draw(title, [line for line, _ in named], top, y, view)
    return Chart(title, picture, [(line.kind, name) for line, name in named])


def _by_tag(drawn: Sequence[Drawn], tag: str) -> dict[str, Line]:
    return {one.tag(tag): one.line for one in drawn}


def charts(store: SeriesStore, agent: str, view: View) -> list[Chart]:
    """Processor, memory, each disk, each interface; what was never measured is absent.

    Raises StoreUnavailable.
    """
    t = texts(view.language)

    def read(series: names.Series, kind: str = "a") -> list[Drawn]:
        return load(store, agent, series, view.start_ms, view.end_ms + 1, kind)

    found = [
        percent_chart(title, one.line, view)
        for title, series in ((t("cpu"), names.CPU), (t("memory"), names.MEMORY))
        for one in read(series)[:1]
    ]
    for mount, line in sorted(_by_tag(read(names.DISK), names.DISK_TAG).items())[:MOST_PER_KIND]:
        found.append(percent_chart(f"{t('disk')} {mount}", line, view))
    rx = _by_tag(read(names.RX), names.INTERFACE_TAG)
    tx = _by_tag(read(names.TX, "b"), names.INTERFACE_TAG)
    wanted = sorted((rx.keys() | tx.keys()) - names.LOOPBACKS)
    for name in wanted[:MOST_PER_KIND]:
        found.append(rate_chart(f"{t('network')} {name}", rx.get(name), tx.get(name), view))
    return found
