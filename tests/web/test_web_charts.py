"""Charts: gaps stay gaps, labels are harmless, everything stays within the frame."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_collector.store.contract import Bucket, Resolution, Track
from hatang_collector.web.charts import (
    Dot,
    Line,
    Tick,
    gap_after,
    nice_ceiling,
    pieces,
    sparkline,
    thin,
    time_chart,
)
from hatang_collector.web.machine_charts import SPAN_MS, Span, x_ticks
from hatang_collector.web.tracks import dots_of, resolution_for

MINUTE = 60_000
NOW = 1_795_137_960_000


def dot(at_ms: int, value: float = 1.0) -> Dot:
    """A dot without extremes."""
    return Dot(at_ms, value, value, value)


@pytest.mark.parametrize(
    ("times", "resolution", "gap"),
    [
        ([], Resolution.RAW, 90_000),
        ([0], Resolution.RAW, 90_000),
        ([0, MINUTE, 2 * MINUTE], Resolution.RAW, 3 * MINUTE),
        ([0, 15_000, 30_000], Resolution.RAW, 90_000),
        ([0, 10 * 60 * MINUTE], Resolution.RAW, 900_000),
        ([0, MINUTE], Resolution.M5, 599_999),
        ([0, MINUTE], Resolution.H1, 7_199_999),
    ],
)
def test_gap_depends_on_the_rhythm(times: list[int], resolution: Resolution, gap: int) -> None:
    """Three times the usual distance, within bounds; rollups may not miss a bucket."""
    assert gap_after(times, resolution) == gap


@given(st.lists(st.integers(0, 10**7), unique=True, max_size=60), st.integers(1, 10**6))
def test_pieces_keep_every_dot_and_never_bridge(times: list[int], gap: int) -> None:
    """Cutting loses nothing, and a piece holds no distance above the gap."""
    runs = pieces([dot(at) for at in times], gap)
    assert [one.at_ms for run in runs for one in run] == sorted(times)
    for run in runs:
        assert all(later.at_ms - earlier.at_ms <= gap for earlier, later in pairwise(run))
    for before, after in pairwise(runs):
        assert after[0].at_ms - before[-1].at_ms > gap


@given(st.lists(st.tuples(st.integers(0, 99_999), st.floats(0, 1e6)), max_size=200), st.integers(1, 50))
def test_thinning_keeps_the_extremes(values: list[tuple[int, float]], buckets: int) -> None:
    """However few dots remain, the highest and the lowest value are still told."""
    dots = [dot(at, value) for at, value in values]
    found = thin(dots, 0, 100_000, buckets)
    assert len(found) <= buckets + 1
    if dots:
        assert max(one.high for one in found) == max(value for _, value in values)
        assert min(one.low for one in found) == min(value for _, value in values)
    else:
        assert found == []


@given(st.floats(0, 1e15))
def test_nice_ceiling_is_not_below_and_not_far_above(value: float) -> None:
    """The top of an axis holds the value and wastes at most three fifths."""
    top = nice_ceiling(value)
    assert top >= value * 0.99999
    assert value == 0 or value <= 1e-9 or top <= value * 2.51


def test_a_hole_is_shaded_and_not_crossed() -> None:
    """Two runs with an outage between them are two strokes and one shaded part."""
    times = [0, 1, 2, 3, 10, 11, 12]
    line = Line("cpu", "a", [dot(at * MINUTE, 50) for at in times], 3 * MINUTE)
    picture = sparkline(line, 0, 12 * MINUTE, 100, "x")
    path = re.search(r'<path class="line a" d="([^"]+)"', picture)
    assert path is not None
    assert path[1].count("M") == 2
    assert picture.count('class="hole"') == 1


def test_the_end_of_silence_is_shaded() -> None:
    """A machine that stopped reporting shows a hole up to now."""
    line = Line("cpu", "a", [dot(0), dot(MINUTE)], 3 * MINUTE)
    picture = sparkline(line, 0, 60 * MINUTE, 100, "x")
    hole = re.search(r'<rect class="hole" x="([0-9.]+)" y="2" width="([0-9.]+)"', picture)
    assert hole is not None
    assert float(hole[1]) + float(hole[2]) == pytest.approx(120)


def test_a_lonely_value_is_visible() -> None:
    """One single value is drawn as a dot."""
    assert "h0" in sparkline(Line("cpu", "a", [dot(5)], 10), 0, 10, 100, "x")


@given(st.text(max_size=50))
def test_labels_cannot_leave_their_attribute(label: str) -> None:
    """Any label at all gives well-formed markup with one label attribute."""
    line = Line("cpu", "a", [dot(1), dot(2)], 10)
    root = ElementTree.fromstring(sparkline(line, 0, 10, 100, label))
    assert root.get("role") == "img"
    assert len(root.attrib) == 5


def test_chart_of_two_lines_has_axes_and_names() -> None:
    """Both lines are drawn within the frame, with every tick's text."""
    lines = [
        Line("rx", "a", [dot(0, 5), dot(MINUTE, 9)], 3 * MINUTE),
        Line("tx", "b", [dot(0, 99)], 3 * MINUTE),
    ]
    ticks = [Tick(0, "0 <b>"), Tick(10, "10")]
    picture = time_chart(lines, 0, MINUTE, 10, [Tick(0, "08:00")], ticks, "Mạng")
    root = ElementTree.fromstring(picture)
    assert [text.text for text in root.iter("text")] == ["0 <b>", "10", "08:00"]
    numbers = [float(y) for d in re.findall(r'class="line [ab]" d="M[0-9.]+ ([0-9.]+)', picture) for y in [d]]
    assert all(12 <= y <= 150 for y in numbers)


def test_empty_buckets_are_no_dots() -> None:
    """A bucket without values is missing, never zero."""
    track = Track((), [Bucket(0, 0, 0.0, 0.0, 0.0), Bucket(300_000, 2, 10.0, 4.0, 6.0)])
    assert dots_of(track) == [Dot(300_000, 5.0, 4.0, 6.0)]


@pytest.mark.parametrize(
    ("hours", "resolution"),
    [
        (1, Resolution.RAW),
        (6, Resolution.RAW),
        (24, Resolution.M5),
        (72, Resolution.M5),
        (168, Resolution.H1),
    ],
)
def test_resolution_follows_the_span(hours: int, resolution: Resolution) -> None:
    """Short spans are drawn from raw values, long ones from rollups."""
    assert resolution_for(hours * 3_600_000) is resolution


@pytest.mark.parametrize("span", list(Span))
def test_ticks_are_round_and_inside(span: Span) -> None:
    """Marks lie within the span, evenly, at round Vietnamese times."""
    ticks = x_ticks(span, NOW - SPAN_MS[span], NOW)
    assert 5 <= len(ticks) <= 9
    assert all(NOW - SPAN_MS[span] <= tick.at <= NOW for tick in ticks)
    if span is Span.DAY:
        assert all(tick.text.endswith(":00") for tick in ticks)
