"""What every series store promises: the embedded one, InfluxDB 1, and 2 and 3 by their protocol."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from hatang_collector.store.contract import (
    Bucket,
    Latest,
    Point,
    Resolution,
    Retention,
    SeriesStore,
    Track,
)
from store.making import AGENT, RETENTION, days_ago, point, recent, rollup

MakeStore = Callable[[Retention], SeriesStore]
FOREVER = Retention(raw_days=0, m5_days=0, h1_days=0)


def values(
    store: SeriesStore, start_ms: int, end_ms: int, field: str = "cpu_percent"
) -> list[tuple[int, float]]:
    """Times and values of the only track of a field."""
    tracks = store.query(AGENT, "usage", field, start_ms, end_ms, Resolution.RAW)
    assert len(tracks) <= 1
    return [(bucket.at_ms, bucket.sum) for track in tracks for bucket in track.buckets]


def test_a_value_comes_back(store: SeriesStore) -> None:
    """What was written is read back with its time and tags, as a bucket of one value."""
    at = recent()

    assert store.write([point(at, 12.5, mount="/"), point(at, 40, field="memory_percent")]) == []

    expected = [Track((("mount", "/"),), [Bucket(at, 1, 12.5, 12.5, 12.5)])]
    assert store.query(AGENT, "usage", "cpu_percent", at, at + 1, Resolution.RAW) == expected
    assert store.query(AGENT, "usage", "cpu_percent", at + 1, at + 2, Resolution.RAW) == []
    assert store.query("b" * 16, "usage", "cpu_percent", at, at + 1, Resolution.RAW) == []
    assert store.query(AGENT, "usage", "nothing", at, at + 1, Resolution.RAW) == []
    assert store.query(AGENT, "nothing", "cpu_percent", at, at + 1, Resolution.RAW) == []


def test_an_empty_store_answers(store: SeriesStore) -> None:
    """Reading before the first write gives nothing and no error, and the store answers."""
    store.ping()

    assert store.query(AGENT, "usage", "cpu_percent", 0, recent(), Resolution.RAW) == []
    assert store.query(AGENT, "usage", "cpu_percent", 0, recent(), Resolution.H1) == []
    assert store.latest([AGENT], "usage", ["cpu_percent"]) == []
    assert store.totals() == {}
    assert store.write([]) == []


def test_writing_again_overwrites(store: SeriesStore) -> None:
    """The same point written twice is there once, with the later value."""
    at = recent()

    store.write([point(at, 1.0), point(at, 2.0)])
    store.write([point(at, 3.0)])

    assert values(store, at, at + 1) == [(at, 3.0)]
    assert store.totals() == {"usage.cpu_percent": (1, 3.0)}


def test_any_order_and_ninety_days_back(make_store: MakeStore) -> None:
    """Points may come in any order and months late; a range is read oldest first."""
    store = make_store(FOREVER)
    times = [recent(5), days_ago(90), recent(60), days_ago(89), recent(1), days_ago(45)]

    assert store.write([point(at, index) for index, at in enumerate(times)]) == []

    expected = sorted((at, float(index)) for index, at in enumerate(times))
    assert values(store, 0, recent(0) + 1) == expected
    assert values(store, expected[1][0], expected[4][0]) == expected[1:4]


def test_a_time_far_ahead_harms_nothing(store: SeriesStore) -> None:
    """A clock that is centuries ahead is stored as it says, and other reads stay as quick as they are."""
    at, ahead = recent(), 9_000_000_000_000

    assert store.write([point(at, 1.0), point(ahead, 2.0), point(at, 3.0, field="load1")]) == []

    assert values(store, 0, ahead + 1) == [(at, 1.0), (ahead, 2.0)]
    assert values(store, 0, ahead) == [(at, 1.0)]
    assert [one.value for one in store.latest([AGENT], "usage", ["load1", "cpu_percent"])] == [3.0, 2.0]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_before_it_is_sent(store: SeriesStore, value: float) -> None:
    """NaN and infinity come back as bad points; the good points beside them are stored."""
    at = recent()

    bad = store.write([point(at, 1.0), point(at + 1, value), point(at + 2, 3.0)])

    assert [(one.reason, one.point.at_ms) for one in bad] == [("unparseable", at + 1)]
    assert values(store, at, at + 9) == [(at, 1.0), (at + 2, 3.0)]


def test_a_field_that_is_no_number_costs_only_itself(store: SeriesStore) -> None:
    """Of a point with one NaN among its fields, the other fields are stored."""
    at = recent()
    mixed = Point("usage", AGENT, (), at, (("load1", 5.0), ("cpu_percent", math.nan), ("swap_percent", 6.0)))

    (bad,) = store.write([mixed])

    assert [name for name, _ in bad.point.fields] == ["cpu_percent"]
    assert store.totals() == {"usage.load1": (1, 5.0), "usage.swap_percent": (1, 6.0)}


def test_beyond_retention_is_told_apart(store: SeriesStore) -> None:
    """Of a batch, points older than raw values are kept come back so named; the rest is stored."""
    at, old = recent(), days_ago(40)

    bad = store.write([point(old), point(at, 2.0), point(old + 1)])

    assert [(one.reason, one.point.at_ms) for one in bad] == [
        ("beyond_retention", old),
        ("beyond_retention", old + 1),
    ]
    assert store.totals() == {"usage.cpu_percent": (1, 2.0)}


@pytest.mark.parametrize(
    ("bad_point", "reason"),
    [
        (Point("Usage", AGENT, (), recent(), (("x", 1.0),)), "unparseable"),
        (Point("usage", AGENT, (), recent(), (("x y", 1.0),)), "unparseable"),
        (Point("usage", AGENT, (), recent(), ()), "unparseable"),
        (Point("usage", "", (), recent(), (("x", 1.0),)), "unparseable"),
        (Point("usage", AGENT, (("mount", ""),), recent(), (("x", 1.0),)), "unparseable"),
        (Point("usage", AGENT, (("mount", "a\nusage,agent=b x=1"),), recent(), (("x", 1.0),)), "unparseable"),
        (Point("usage", AGENT, (("mount", "x" * 70_000),), recent(), (("x", 1.0),)), "unparseable"),
        (Point("usage", AGENT, (), -1, (("x", 1.0),)), "unparseable"),
        (Point("usage", AGENT, (), 1 << 53, (("x", 1.0),)), "unparseable"),
        (Point("usage", AGENT, (("agent", "b"),), recent(), (("x", 1.0),)), "refused"),
        (Point("usage", AGENT, (), recent(), (("time", 1.0),)), "refused"),
    ],
)
def test_a_point_that_no_server_may_see(store: SeriesStore, bad_point: Point, reason: str) -> None:
    """Names, tags and times that a server would misread never leave; their neighbours are stored."""
    at = recent()

    bad = store.write([bad_point, point(at)])

    assert [(one.reason, one.point) for one in bad] == [(reason, bad_point)]
    assert store.totals() == {"usage.cpu_percent": (1, 1.0)}


TEXTS = [
    "C:\\",
    "C:\\ ",
    "C:\\\\",
    "C:\\a,b=c d",
    "Xã Ấm Đồng, tầng 2",
    'a "quoted" one',
    "it's",
    "a=b,c=d",
    "\\\\máy\\chia sẻ",
    " leading",
    "trailing ",
    "#",
    "😀",
]


def test_tag_texts_come_back_as_they_were(store: SeriesStore) -> None:
    """Spaces, commas, equals signs, quotes, Vietnamese and backslashes survive, also at the end."""
    at = recent()

    assert store.write([point(at, index, mount=text) for index, text in enumerate(TEXTS)]) == []

    tracks = store.query(AGENT, "usage", "cpu_percent", at, at + 1, Resolution.RAW)
    found = {dict(track.tags)["mount"]: track.buckets[0].sum for track in tracks}
    assert found == {text: float(index) for index, text in enumerate(TEXTS)}
    assert [track.tags for track in tracks] == sorted(track.tags for track in tracks)
    newest = store.latest([AGENT], "usage", ["cpu_percent"])
    assert {dict(one.tags)["mount"] for one in newest} == set(TEXTS)


def test_the_newest_value_of_each_series(store: SeriesStore) -> None:
    """Latest gives the newest raw value by series of the agents asked for, however old it is."""
    at, old, other = recent(3), days_ago(20), "c" * 16
    store.write([point(at - 60_000, 1.0), point(at, 2.0), point(old, 7.0, field="memory_percent")])
    store.write([point(at - 120_000, 0.5), point(at, 9.0, agent=other), point(at, 8.0, agent="d" * 16)])

    found = store.latest([AGENT, other], "usage", ["cpu_percent", "memory_percent"])

    assert sorted(found, key=lambda one: (one.agent, one.field)) == [
        Latest(AGENT, (), "cpu_percent", at, 2.0),
        Latest(AGENT, (), "memory_percent", old, 7.0),
        Latest(other, (), "cpu_percent", at, 9.0),
    ]


def test_totals_count_every_raw_value(store: SeriesStore) -> None:
    """Totals are counts and sums by measurement and field over all agents and tags."""
    at = recent()
    interface = Point("interfaces", AGENT, (("interface", "eth0"),), at, (("rx_bps", 10.0), ("tx_bps", 1.5)))

    store.write([point(at, 1.0), point(at, 2.0, agent="b" * 16), point(at + 1, 4.0, mount="/"), interface])

    assert store.totals() == {
        "usage.cpu_percent": (3, 7.0),
        "interfaces.rx_bps": (1, 10.0),
        "interfaces.tx_bps": (1, 1.5),
    }


@pytest.mark.parametrize(("resolution", "step"), [(Resolution.M5, 300_000), (Resolution.H1, 3_600_000)])
def test_rollups_are_kept_by_resolution(store: SeriesStore, resolution: Resolution, step: int) -> None:
    """Rollup rows come back from their own resolution only, and overwrite themselves."""
    first = days_ago(60) // step * step
    rows = [rollup(first + index * step, 5, 10.0 + index, mount="/") for index in range(3)]

    assert store.write_rollups(resolution, rows) == []
    assert store.write_rollups(resolution, [rollup(first, 6, 20.0, mount="/")]) == []

    (track,) = store.query(AGENT, "usage", "cpu_percent", first, first + 2 * step, resolution)
    assert track.tags == (("mount", "/"),)
    assert track.buckets == [Bucket(first, 6, 20.0, 1.0, 9.0), Bucket(first + step, 5, 11.0, 1.0, 9.0)]
    other = Resolution.H1 if resolution is Resolution.M5 else Resolution.M5
    assert store.query(AGENT, "usage", "cpu_percent", first, first + 9 * step, other) == []
    assert store.query(AGENT, "usage", "cpu_percent", first, first + 9 * step, Resolution.RAW) == []
    assert store.totals() == {}


def test_clear_empties_one_resolution(store: SeriesStore) -> None:
    """Clear removes one resolution and leaves the others; the store can be written again."""
    at = recent() // 3_600_000 * 3_600_000
    store.write([point(at)])
    for resolution in (Resolution.M5, Resolution.H1):
        store.write_rollups(resolution, [rollup(at, 1, 1.0)])

    store.clear(Resolution.RAW)
    store.clear(Resolution.M5)

    assert store.totals() == {}
    assert store.query(AGENT, "usage", "cpu_percent", at, at + 1, Resolution.M5) == []
    assert len(store.query(AGENT, "usage", "cpu_percent", at, at + 1, Resolution.H1)) == 1
    assert store.write([point(at, 5.0)]) == []
    assert store.totals() == {"usage.cpu_percent": (1, 5.0)}


def test_a_store_opened_again_has_everything(make_store: MakeStore) -> None:
    """Closing and opening loses nothing; closing twice does no harm."""
    at = recent()
    first = make_store(RETENTION)
    first.write([point(at, 4.0)])
    first.close()
    first.close()

    assert make_store(RETENTION).totals() == {"usage.cpu_percent": (1, 4.0)}


def test_thousands_of_points_in_one_call(store: SeriesStore) -> None:
    """More points than fit one write, bad ones among them: every good one is stored."""
    at = recent(600)
    many = [point(at + index, float(index), mount=f"/{index % 7}") for index in range(12_000)]
    many[100] = point(at + 100, math.nan)
    many[11_999] = point(days_ago(40))

    bad = store.write(many)

    assert sorted(one.reason for one in bad) == ["beyond_retention", "unparseable"]
    assert store.totals()["usage.cpu_percent"][0] == 11_998
