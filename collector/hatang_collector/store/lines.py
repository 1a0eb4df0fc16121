r"""InfluxDB line protocol; pure. All values are floats, times in milliseconds.

In tag values a comma, an equals sign and a space are written with a backslash before them, and a
backslash stands for itself. So a value cannot end with a backslash (``C:\``): such a value, and one
that ends with a backslash and spaces, gets one more space behind it here, taken off again by
:func:`tag_text`. Source: InfluxData, line protocol reference, special characters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from hatang_collector.store.contract import Point, RollupRow, Tags

_SPECIAL = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})
_BACKSLASH_END = re.compile(r"\\ *\Z")
_PADDED_END = re.compile(r"\\ +\Z")

ROLLUP_PARTS = ("count", "sum", "min", "max")


def line(point: Point) -> str:
    """One line, without a line break; the point has passed check.sift."""
    values = ",".join([f"{field}={float(value)!r}" for field, value in point.fields])
    return f"{_series(point.measurement, point.agent, point.tags)} {values} {point.at_ms}"


def text(points: Sequence[Point]) -> str:
    """The body of one write."""
    return "\n".join([line(point) for point in points])


def tag_text(stored: str) -> str:
    """The tag value that was meant, from what the server gives back."""
    return stored[:-1] if _PADDED_END.search(stored) else stored


@lru_cache(maxsize=65_536)
def _series(measurement: str, agent: str, tags: Tags) -> str:
    pairs = "".join(f",{key}={stored_tag(value).translate(_SPECIAL)}" for key, value in tags)
    return f"{measurement},agent={stored_tag(agent).translate(_SPECIAL)}{pairs}"


def stored_tag(value: str) -> str:
    """The tag value as the server keeps it; undone by :func:`tag_text`."""
    return f"{value} " if _BACKSLASH_END.search(value) else value


def rollup_points(rows: Sequence[RollupRow]) -> list[Point]:
    """Rollup rows as points: the field ``rx_bps`` becomes ``rx_bps_count``, ``_sum``, ``_min``, ``_max``.

    Rows of one measurement, tag set and bucket become one point. The part is always the last word of
    the name, so no two fields can meet.
    """
    groups: dict[tuple[str, str, Tags, int], list[tuple[str, float]]] = {}
    for row in rows:
        fields = groups.setdefault((row.measurement, row.agent, row.tags, row.at_ms), [])
        name = row.field
        fields += (
            (f"{name}_count", float(row.count)),
            (f"{name}_sum", row.sum),
            (f"{name}_min", row.min),
            (f"{name}_max", row.max),
        )
    return [
        Point(measurement, agent, tags, at_ms, tuple(fields))
        for (measurement, agent, tags, at_ms), fields in groups.items()
    ]


def halves(points: Sequence[Point]) -> tuple[Sequence[Point], Sequence[Point]]:
    """Two smaller writes of one; a single point is split by its fields."""
    if len(points) > 1:
        middle = len(points) // 2
        return points[:middle], points[middle:]
    (point,) = points
    middle = len(point.fields) // 2
    return (replace(point, fields=point.fields[:middle]),), (replace(point, fields=point.fields[middle:]),)


def apart(points: Sequence[Point], measurement: str, field: str) -> tuple[list[Point], list[Point]]:
    """The points with one field taken out, and that field as points of its own."""
    rest: list[Point] = []
    alone: list[Point] = []
    for point in points:
        mine = [pair for pair in point.fields if pair[0] == field]
        if point.measurement != measurement or not mine:
            rest.append(point)
            continue
        alone.append(replace(point, fields=tuple(mine)))
        if others := tuple([pair for pair in point.fields if pair[0] != field]):
            rest.append(replace(point, fields=others))
    return rest, alone
