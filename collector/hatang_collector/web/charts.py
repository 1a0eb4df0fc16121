"""Charts as SVG text. Pure: points in, markup out; colours come from the style sheet by class.

A line is never drawn over missing data: where two neighbours are further apart than
:func:`gap_after` allows, the line stops, starts again, and the hole is shaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

from markupsafe import Markup, escape

from hatang_collector.store.contract import STEP_MS, Resolution

_NOTHING: Final = 1e-9
_RAW_FLOOR_MS: Final = 90_000
_RAW_CEILING_MS: Final = 900_000


@dataclass(frozen=True, slots=True)
class Dot:
    """One value to draw, with the extremes it stands for."""

    at_ms: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Line:
    """One named line. ``kind`` is a class of the style sheet: ``a`` or ``b``."""

    name: str
    kind: str
    dots: Sequence[Dot]
    gap_ms: int


@dataclass(frozen=True, slots=True)
class Tick:
    """One mark of an axis: its place in data terms and its text."""

    at: float
    text: str


def gap_after(times_ms: Sequence[int], resolution: Resolution) -> int:
    """The longest distance between two neighbours that still counts as unbroken, in milliseconds.

    Rollups have a fixed step. Raw data have the rhythm of their agent, so three times the median
    distance, kept between 90 s and 15 min so that two lonely points do not bridge an outage.
    """
    if step := STEP_MS[resolution]:
        return step * 2 - 1
    distances = [later - earlier for earlier, later in pairwise(times_ms)]
    usual = median(distances) * 3 if distances else 0
    return int(min(max(usual, _RAW_FLOOR_MS), _RAW_CEILING_MS))


def pieces(dots: Sequence[Dot], gap_ms: int) -> list[list[Dot]]:
    """The dots cut into unbroken runs, in order of time."""
    runs: list[list[Dot]] = []
    for dot in sorted(dots, key=lambda dot: dot.at_ms):
        if runs and dot.at_ms - runs[-1][-1].at_ms <= gap_ms:
            runs[-1].append(dot)
        else:
            runs.append([dot])
    return runs


def thin(dots: Sequence[Dot], start_ms: int, end_ms: int, buckets: int) -> list[Dot]:
    """At most ``buckets`` dots: mean, lowest and highest of each equal part of the time span."""
    width = max(1, (end_ms - start_ms) // buckets)
    parts: dict[int, list[Dot]] = {}
    for dot in dots:
        if start_ms <= dot.at_ms <= end_ms:
            parts.setdefault((dot.at_ms - start_ms) // width, []).append(dot)
    return [
        Dot(
            at_ms=sum(dot.at_ms for dot in part) // len(part),
            value=sum(dot.value for dot in part) / len(part),
            low=min(dot.low for dot in part),
            high=max(dot.high for dot in part),
        )
        for _, part in sorted(parts.items())
    ]


def nice_ceiling(value: float) -> float:
    """The smallest of 1, 2, 2.5, 5 times a power of ten that is not below ``value``; 1 for nothing."""
    if not value > _NOTHING:
        return 1.0
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * power >= value * 0.999999)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where data land in the picture."""

    start_ms: int
    end_ms: int
    top: float
    left: float
    width: float
    upper: float
    height: float

    def x(self, at_ms: float) -> float:
        share = (at_ms - self.start_ms) / max(1, self.end_ms - self.start_ms)
        return self.left + min(max(share, 0.0), 1.0) * self.width

    def y(self, value: float) -> float:
        share = min(max(value / self.top, 0.0), 1.0)
        return self.upper + (1.0 - share) * self.height


def _stroke(frame: _Frame, runs: Sequence[Sequence[Dot]], kind: str) -> str:
    """The line of all runs; a value that stands alone becomes a round point."""
    lines: list[str] = []
    points: list[str] = []
    for run in runs:
        places = [f"{frame.x(dot.at_ms):.1f} {frame.y(dot.value):.1f}" for dot in run]
        if len(places) == 1:
            points.append(f"M{places[0]}h0")
        else:
            lines.append(f"M{places[0]}L" + " ".join(places[1:]))
    shapes = (("line", "".join(lines)), ("line point", "".join(points)))
    return "".join(f'<path class="{shape} {escape(kind)}" d="{data}"/>' for shape, data in shapes if data)


def _band(frame: _Frame, runs: Sequence[Sequence[Dot]]) -> str:
    """Path data of the area between lowest and highest, where they differ at all."""
    parts: list[str] = []
    for run in runs:
        if len(run) < 2 or all(dot.low == dot.high for dot in run):
            continue
        upper = [f"{frame.x(dot.at_ms):.1f} {frame.y(dot.high):.1f}" for dot in run]
        lower = [f"{frame.x(dot.at_ms):.1f} {frame.y(dot.low):.1f}" for dot in reversed(run)]
        parts.append("M" + "L".join(upper + lower) + "Z")
    return "".join(parts)


def _holes(frame: _Frame, runs: Sequence[Sequence[Dot]], gap_ms: int, since_ms: int) -> list[str]:
    """Shaded rectangles where there are no data from ``since_ms`` to the end of the span."""
    edges: list[tuple[int, int]] = []
    if runs:
        edges.append((max(frame.start_ms, since_ms), runs[0][0].at_ms))
        edges.extend((before[-1].at_ms, after[0].at_ms) for before, after in pairwise(runs))
        edges.append((runs[-1][-1].at_ms, frame.end_ms))
    return [
        f'<rect class="hole" x="{frame.x(start):.1f}" y="{frame.upper:.0f}" '
        f'width="{frame.x(end) - frame.x(start):.1f}" height="{frame.height:.0f}"/>'
        for start, end in edges
        if end - start > gap_ms
    ]


def _label(label: str) -> str:
    """An attribute value; control characters would make the markup invalid."""
    return str(escape("".join(sign if sign.isprintable() else " " for sign in label)))


def sparkline(
    line: Line, start_ms: int, end_ms: int, top: float | None, label: str, since_ms: int = 0
) -> Markup:
    """A chart of one line without axes, 120 by 28 units. ``top`` None: the highest value seen.

    Nothing was to be expected before ``since_ms``, so nothing is shaded there.
    """
    highest = max((dot.value for dot in line.dots), default=0.0)
    frame = _Frame(start_ms, end_ms, (top or nice_ceiling(highest)), 0.0, 120.0, 2.0, 24.0)
    runs = pieces([dot for dot in line.dots if start_ms <= dot.at_ms <= end_ms], line.gap_ms)
    body = "".join(_holes(frame, runs, line.gap_ms, since_ms))
    body += _stroke(frame, runs, line.kind)
    return Markup(  # noqa: S704 - every text from outside passes _label or escape
        f'<svg class="spark" viewBox="0 0 120 28" preserveAspectRatio="none" role="img" '
        f'aria-label="{_label(label)}">{body}</svg>'
    )


def time_chart(
    lines: Sequence[Line],
    start_ms: int,
    end_ms: int,
    top: float,
    x_ticks: Sequence[Tick],
    y_ticks: Sequence[Tick],
    label: str,
    since_ms: int = 0,
) -> Markup:
    """A chart with both axes, 640 by 180 units, one or two lines over the same time span."""
    frame = _Frame(start_ms, end_ms, top, 84.0, 532.0, 12.0, 138.0)
    body: list[str] = []
    for tick in y_ticks:
        y = frame.y(tick.at)
        body.append(f'<path class="rule" d="M84 {y:.1f}H616"/>')
        body.append(f'<text class="y" x="78" y="{y + 4:.1f}">{escape(tick.text)}</text>')
    for tick in x_ticks:
        x = frame.x(tick.at)
        body.append(f'<path class="mark" d="M{x:.1f} 150v4"/>')
        body.append(f'<text class="x" x="{x:.1f}" y="168">{escape(tick.text)}</text>')
    everything = [dot for line in lines for dot in line.dots]
    whole = pieces(everything, max((line.gap_ms for line in lines), default=0))
    body.extend(_holes(frame, whole, max((line.gap_ms for line in lines), default=0), since_ms))
    for line in lines:
        runs = pieces(line.dots, line.gap_ms)
        band = _band(frame, runs)
        if band:
            body.append(f'<path class="band {escape(line.kind)}" d="{band}"/>')
        body.append(_stroke(frame, runs, line.kind))
    return Markup(  # noqa: S704 - every text from outside passes _label or escape
        f'<svg class="chart" viewBox="0 0 640 180" role="img" aria-label="{_label(label)}">'
        + "".join(body)
        + "</svg>"
    )
