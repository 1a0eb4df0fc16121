"""The pure parts of the series store: points, checks, line protocol, replies, buckets."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.wire.report import Sample
from hatang_collector.store import lines, replies
from hatang_collector.store.buckets import gather, rolled_up, start_of
from hatang_collector.store.check import fault, oldest_ms, sift
from hatang_collector.store.contract import (
    HOUR_MS,
    STEP_MS,
    Point,
    Resolution,
    Retention,
    RollupRow,
)
from hatang_collector.store.dialects import (
    Dialect,
    InfluxSettings,
    authorization,
    literal,
    query_parameters,
    quoted,
    write_route,
)
from hatang_collector.store.points import report_points, run_number
from store.making import AGENT, BOOT, EPOCH, RETENTION, point, report, run

names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name not in {"time", "agent"}
)
texts = st.text(min_size=1, max_size=40).filter(str.isprintable)
tag_sets = st.dictionaries(names, texts, max_size=3).map(lambda tags: tuple(sorted(tags.items())))
numbers = st.floats(allow_nan=False, allow_infinity=False)
points = st.builds(
    Point,
    measurement=names,
    agent=texts,
    tags=tag_sets,
    at_ms=st.integers(0, 4_000_000_000_000),
    fields=st.dictionaries(names, numbers, min_size=1, max_size=4).map(lambda fields: tuple(fields.items())),
)

pairs = st.builds(
    Point,
    measurement=names,
    agent=texts,
    tags=tag_sets,
    at_ms=st.integers(0, 4_000_000_000_000),
    fields=st.lists(names, min_size=2, max_size=5, unique=True).map(
        lambda fields: tuple((name, 1.0) for name in fields)
    ),
)


def parsed(line: str) -> tuple[str, dict[str, str], dict[str, float], int]:
    """A line read as the servers read it: a backslash escapes the comma, equals sign or space behind it."""
    head, values, at = re.split(r"(?<!\\) ", line)
    measurement, *tags = re.split(r"(?<!\\),", head)
    pairs = [re.split(r"(?<!\\)=", tag) for tag in tags]
    texts = {key: re.sub(r"\\([,= ])", r"\1", text) for key, text in pairs}
    fields = dict(pair.split("=") for pair in values.split(","))
    return measurement, texts, {name: float(value) for name, value in fields.items()}, int(at)


@given(points)
def test_a_line_says_what_the_point_says(one: Point) -> None:
    """Every point that passes the check is one line that reads back as the same point."""
    assert fault(one, 0) is None

    text = lines.line(one)

    assert "\n" not in text
    measurement, tags, fields, at_ms = parsed(text)
    meant = {key: lines.tag_text(stored) for key, stored in tags.items()}
    assert (measurement, meant.pop("agent"), at_ms) == (one.measurement, one.agent, one.at_ms)
    assert meant == dict(one.tags)
    assert fields == dict(one.fields)


@given(texts)
def test_a_tag_never_ends_with_a_backslash_on_the_server(text: str) -> None:
    """What is stored never ends with a backslash, and the text that was meant comes back."""
    stored = lines.stored_tag(text)

    assert not stored.endswith("\\")
    assert lines.tag_text(stored) == text


@given(st.lists(points, max_size=20), st.integers(0, 4_000_000_000_000))
def test_sifting_loses_no_point(some: list[Point], oldest: int) -> None:
    """Each point is either good or bad, in order, and old ones are bad for being old."""
    good, bad = sift(some, oldest)

    assert good == [one for one in some if one.at_ms >= oldest]
    assert [one.point for one in bad] == [one for one in some if one.at_ms < oldest]
    assert {one.reason for one in bad} <= {"beyond_retention"}


@given(st.lists(points, min_size=2, max_size=20) | pairs.map(lambda one: [one]))
def test_halves_lose_nothing_and_get_smaller(some: list[Point]) -> None:
    """Splitting a refused write keeps every value and always ends."""
    first, second = lines.halves(some)

    def values(part: Sequence[Point]) -> list[tuple[str, int, tuple[str, float]]]:
        return [(one.measurement, one.at_ms, field) for one in part for field in one.fields]

    assert first
    assert second
    assert values(first) + values(second) == values(some)


@given(st.lists(points, max_size=10), names, names)
def test_taking_a_field_apart_loses_nothing(some: list[Point], measurement: str, field: str) -> None:
    """The named field is alone, everything else is left, together they are what was."""
    rest, alone = lines.apart(some, measurement, field)

    assert all(one.measurement == measurement and len(one.fields) == 1 for one in alone)
    assert not any(one.measurement == measurement and field in dict(one.fields) for one in rest)
    assert sum(len(one.fields) for one in [*rest, *alone]) == sum(len(one.fields) for one in some)
    assert all(one.fields for one in rest)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (204, "", replies.Stored()),
        (200, "{}", replies.Stored()),
        (413, '{"error":"Request Entity Too Large"}', replies.TooLarge()),
        (
            400,
            '{"error":"partial write: unable to parse \'link,site= bad=1\': missing tag value dropped=0"}',
            replies.SomeBad(
                "unparseable",
                "400 partial write: unable to parse 'link,site= bad=1': missing tag value dropped=0",
                0,
            ),
        ),
        (
            400,
            '{"error":"partial write: points beyond retention policy dropped=2"}',
            replies.SomeBad(
                "beyond_retention", "400 partial write: points beyond retention policy dropped=2", 2
            ),
        ),
        (400, '{"error":"invalid number"}', replies.SomeBad("unparseable", "400 invalid number", 0)),
        (
            422,
            '{"code":"unprocessable entity","message":"partial write: field type conflict dropped=1"}',
            replies.SomeBad("type_conflict", "422 partial write: field type conflict dropped=1", 1),
        ),
        (
            400,
            '{"error":"partial write: max-series-per-database limit exceeded: (100) dropped=7"}',
            replies.SomeBad(
                "refused", "400 partial write: max-series-per-database limit exceeded: (100) dropped=7", 7
            ),
        ),
        (
            404,
            '{"error":"database not found: \\"nodb\\""}',
            replies.Missing('404 database not found: "nodb"'),
        ),
        (
            500,
            '{"error":"retention policy not found: raw"}',
            replies.Missing("500 retention policy not found: raw"),
        ),
        (
            404,
            '{"code":"not found","message":"bucket \\"hatang_raw\\" not found"}',
            replies.Missing('404 bucket "hatang_raw" not found'),
        ),
        (
            404,
            "404 page not found\n",
            replies.Unavailable("404 404 page not found", replies.hint(404)),
        ),
        (503, "[1]", replies.Unavailable("503 [1]", replies.hint(503))),
        (500, '{"error":"timeout"}', replies.Unavailable("500 timeout", replies.hint(500))),
    ],
)
def test_what_a_reply_means(status: int, body: str, expected: replies.WriteOutcome) -> None:
    """Each documented or measured answer to a write is read as what it is."""
    assert replies.write_outcome(status, body) == expected


def test_the_conflicting_field_is_read_from_the_reply() -> None:
    """InfluxDB 1 and 2 name measurement and field; other words name nothing."""
    detail = 'input field "v" on measurement "t" is type string, already exists as type float dropped=2'

    assert replies.conflicting(detail) == ("t", "v")
    assert replies.conflicting("field type conflict") is None


@given(st.integers(0, 4_000_000_000_000))
def test_buckets_are_aligned(at_ms: int) -> None:
    """A time lies in exactly one bucket, and the hour of a time is the hour of its five minutes."""
    for resolution in (Resolution.M5, Resolution.H1):
        start = start_of(at_ms, resolution)
        assert start <= at_ms < start + STEP_MS[resolution]
        assert start % STEP_MS[resolution] == 0
    assert start_of(at_ms, Resolution.H1) == start_of(start_of(at_ms, Resolution.M5), Resolution.H1)


@given(st.lists(st.tuples(st.integers(0, 10 * HOUR_MS), st.integers(-1000, 1000)), min_size=1, max_size=50))
def test_gathering_counts_every_value_once(some: list[tuple[int, int]]) -> None:
    """Counts and sums of both resolutions are those of the values; min and max are of the bucket."""
    found = gather([(point(at, float(value)), (1,)) for at, value in some])

    for resolution in (Resolution.M5, Resolution.H1):
        buckets = found[resolution]
        assert sum(sums.count for sums in buckets.values()) == len(some)
        assert sum(sums.sum for sums in buckets.values()) == sum(value for _, value in some)
        for (start, _), sums in buckets.items():
            mine = [value for at, value in some if start_of(at, resolution) == start]
            assert (sums.min, sums.max) == (min(mine), max(mine))


def test_which_fields_have_no_rollups() -> None:
    """Byte counters have none; sizes that are called total are values like any other."""
    assert [name for name in ("rx_bytes", "tx_bytes", "memory_total", "rx_errors") if rolled_up(name)] == [
        "memory_total",
        "rx_errors",
    ]


def test_samples_become_points() -> None:
    """Samples of one run with the same measurement and tags are one point; tags are sorted."""
    one = run(7, 1_000, {"usage.cpu_percent": 1.0, "usage.load1": 2.0, "interfaces.rx_bps": 3.0})
    tagged = run(8, 2_000, {"usage.cpu_percent": 4.0}, tags={"z": "1", "a": "2"})

    found = list(report_points(report([one, run(9, 1, {}), tagged]), {BOOT: 500}))

    assert [(each.epoch, each.number, each.certain) for each in found] == [(EPOCH, 7, True), (EPOCH, 8, True)]
    assert found[0].points == (
        Point("usage", AGENT, (), 1_500, (("cpu_percent", 1.0), ("load1", 2.0))),
        Point("interfaces", AGENT, (), 1_500, (("rx_bps", 3.0),)),
    )
    assert found[1].points == (
        Point("usage", AGENT, (("a", "2"), ("z", "1")), 2_500, (("cpu_percent", 4.0),)),
    )


def test_a_boot_without_an_offset_is_uncertain() -> None:
    """Without an offset the agent's own clock is used, and said to be uncertain."""
    (found,) = report_points(report([run(1, 1_000, {"usage.load1": 1.0})]), {})

    assert (found.certain, found.points[0].at_ms) == (False, 1_000)


def test_a_name_given_twice_counts_once() -> None:
    """Of two samples with the same name and tags in one run, the last is the value."""
    one = run(1, 1_000, {"usage.load1": 1.0})
    doubled = replace(one, samples=(*one.samples, Sample("usage.load1", 9.0, "")))

    (found,) = report_points(report([doubled]), {})

    assert found.points[0].fields == (("load1", 9.0),)


def test_the_number_of_a_run() -> None:
    """A run id is its process start and its number there."""
    assert run_number("00000000000000aa-42") == ("00000000000000aa", 42)


def test_rollup_rows_become_points() -> None:
    """Rows of one series and bucket are one point; count, sum, min and max are its fields."""
    rows = [RollupRow("a", "m", name, (("k", "v"),), 300_000, 2, 3.0, 1.0, 2.0) for name in ("x", "x_count")]

    (found,) = lines.rollup_points(rows)

    assert dict(found.fields) == {
        "x_count": 2.0,
        "x_sum": 3.0,
        "x_min": 1.0,
        "x_max": 2.0,
        "x_count_count": 2.0,
        "x_count_sum": 3.0,
        "x_count_min": 1.0,
        "x_count_max": 2.0,
    }


def test_an_overflown_sum_is_not_sent() -> None:
    """A sum that ran over the largest float is a bad point of its own, the rest of the row is sent."""
    (one,) = lines.rollup_points([RollupRow("a", "m", "x", (), 0, 2, math.inf, 1.0, 2.0)])

    ((good,), (bad,)) = sift([one], 0)

    assert bad.point.fields == (("x_sum", math.inf),)
    assert dict(good.fields) == {"x_count": 2.0, "x_min": 1.0, "x_max": 2.0}


def test_what_is_kept_for_ever_is_never_too_old() -> None:
    """A retention of 0 days keeps everything."""
    assert oldest_ms(Retention(0, 0, 0), Resolution.RAW, 10**13) == 0
    assert oldest_ms(RETENTION, Resolution.RAW, 10**13) == 10**13 - 30 * 24 * HOUR_MS
    assert oldest_ms(RETENTION, Resolution.RAW, 5) == 0


def test_routes_of_each_generation() -> None:
    """Write routes, read parameters and credentials are those of the documentation."""
    v1 = InfluxSettings("http://x", Dialect.V1, user="u", password="p")
    v2 = InfluxSettings("http://x", Dialect.V2, org="ub", token="t")
    v3 = InfluxSettings("http://x", Dialect.V3, token="t")

    assert write_route(v1, Resolution.RAW) == ("/write", {"db": "hatang", "rp": "raw", "precision": "ms"})
    assert write_route(v2, Resolution.M5) == (
        "/api/v2/write",
        {"bucket": "hatang_m5", "org": "ub", "precision": "ms"},
    )
    assert write_route(v3, Resolution.H1) == ("/api/v2/write", {"bucket": "hatang_h1", "precision": "ms"})
    assert query_parameters(v2, Resolution.H1, "q") == {"db": "hatang", "rp": "h1", "q": "q", "epoch": "ms"}
    assert query_parameters(v3, Resolution.H1, "q") == {"db": "hatang_h1", "q": "q", "epoch": "ms"}
    assert authorization(v1) == {"Authorization": "Basic dTpw"}
    assert authorization(v2) == {"Authorization": "Token t"}
    assert authorization(v3) == {"Authorization": "Bearer t"}
    assert authorization(InfluxSettings("http://x")) == {}


def test_influxql_texts_cannot_break_out() -> None:
    """Quotes and backslashes in names and texts stay inside their quotes."""
    assert literal("a' OR '1'='1\\") == r"'a\' OR \'1\'=\'1\\'"
    assert quoted('a"b\\') == r'"a\"b\\"'
