"""What may be sent to a series store at all; pure, the same for every store.

A server that silently skips a bad line (VictoriaMetrics does) must never be sent one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from math import isfinite

from hatang_collector.store.contract import BadPoint, BadReason, Point, Resolution, Retention, Tags

MAX_AT_MS = 9_223_372_036_854
"""The last millisecond that fits the nanoseconds InfluxDB counts in."""

MAX_TEXT = 1_024
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED = frozenset({"time", "agent"})

Fault = tuple[BadReason, str]


def oldest_ms(retention: Retention, resolution: Resolution, now_ms: int) -> int:
    """The oldest time of which rows of a resolution are kept."""
    span = retention.span_ms(resolution)
    return max(0, now_ms - span) if span else 0


def sift(points: Sequence[Point], oldest: int) -> tuple[list[Point], list[BadPoint]]:
    """Points that may be sent, and those that may not, with the reason.

    Of a point with some fields that are no finite number, the others are sent.
    """
    good: list[Point] = []
    bad: list[BadPoint] = []
    for point in points:
        if found := fault(point, oldest):
            bad.append(BadPoint(point, *found))
            continue
        for _, value in point.fields:
            if not isfinite(value):
                _part(point, good, bad)
                break
        else:
            good.append(point)
    return good, bad


def _part(point: Point, good: list[Point], bad: list[BadPoint]) -> None:
    finite = tuple([pair for pair in point.fields if isfinite(pair[1])])
    rest = tuple([pair for pair in point.fields if not isfinite(pair[1])])
    detail = f"{rest[0][0]}={rest[0][1]} is not a finite number"
    bad.append(BadPoint(replace(point, fields=rest), "unparseable", detail))
    if finite:
        good.append(replace(point, fields=finite))


def fault(point: Point, oldest: int) -> Fault | None:
    """Why no field of this point may be sent, None when those that are finite numbers may."""
    at = point.at_ms
    if at < 0 or at > MAX_AT_MS:
        return "unparseable", f"time {at} is outside 0..{MAX_AT_MS}"
    if at < oldest:
        return "beyond_retention", f"time {at} is older than values are kept ({oldest})"
    if not point.fields:
        return "unparseable", "no field"
    return _series_fault(point.measurement, point.agent, point.tags) or _fields_fault(
        tuple([field for field, _ in point.fields])
    )


@lru_cache(maxsize=65_536)
def _series_fault(measurement: str, agent: str, tags: Tags) -> Fault | None:
    if not _NAME.fullmatch(measurement):
        return "unparseable", f"measurement {measurement[:80]!r} is not a lower-case word"
    if list(tags) != sorted(dict(tags).items()):
        return "unparseable", "tags are not sorted by name, or a name comes twice"
    for key, text in (("agent", agent), *tags):
        if key != "agent" and not _NAME.fullmatch(key):
            return "unparseable", f"tag {key[:80]!r} is not a lower-case word"
        if not text or len(text) > MAX_TEXT or not text.isprintable():
            return "unparseable", f"tag {key}: empty, too long or not printable"
    for key, _ in tags:
        if key in _RESERVED:
            return "refused", f"tag name {key!r} is reserved"
    return None


@lru_cache(maxsize=65_536)
def _fields_fault(names: tuple[str, ...]) -> Fault | None:
    if len(set(names)) != len(names):
        return "unparseable", "a field comes twice"
    for name in names:
        if not _NAME.fullmatch(name):
            return "unparseable", f"field {name[:80]!r} is not a lower-case word"
        if name in _RESERVED:
            return "refused", f"field name {name!r} is reserved"
    return None
