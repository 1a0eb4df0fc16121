"""InfluxDB refusing points, being away, being wiped: bad points are told apart from a store that is away."""

from __future__ import annotations

import json
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from hatang_collector.clock import now_ms
from hatang_collector.journal.projection import StoreUnavailable
from hatang_collector.store.contract import Point, Resolution, Retention, SeriesStore
from hatang_collector.store.dialects import Dialect, InfluxSettings
from hatang_collector.store.influx import InfluxStore
from store.making import AGENT, RETENTION, days_ago, point, recent, rollup
from support.servers import Influx, free_port, http

MakeStore = Callable[[Retention], SeriesStore]


def statement(settings: InfluxSettings, query: str) -> object:
    """Result of one InfluxQL statement, as an administrator would run it."""
    parameters = urllib.parse.urlencode({"db": settings.database, "q": query, "epoch": "ms"})
    status, body = http(f"{settings.url}/query?{parameters}", b"")
    assert status == 200
    return json.loads(body)["results"][0].get("series")


def foreign_text(settings: InfluxSettings, field: str, at_ms: int) -> None:
    """Another program has written text where we write numbers."""
    query = f"db={settings.database}&rp=raw&precision=ms"
    body = f'usage,agent=other {field}="text" {at_ms}'.encode()
    assert http(f"{settings.url}/write?{query}", body)[0] == 204


@pytest.mark.parametrize("kind", ["make_influx1", "make_influx2", "make_influx3"])
def test_a_field_that_is_text_on_the_server(
    request: pytest.FixtureRequest, kind: str, influx_settings: InfluxSettings
) -> None:
    """A type conflict names its field as bad; the other fields of the same points are stored."""
    make: MakeStore = request.getfixturevalue(kind)
    store, at = make(RETENTION), recent()
    store.write([point(at - 60_000, 1.0, field="other")])
    database = {"make_influx1": "", "make_influx2": "_hatang_raw", "make_influx3": "_hatang_raw"}[kind]
    where = replace(influx_settings, database=influx_settings.database + database)
    parameters = f"db={where.database}&precision=ms"
    body = f'usage,agent=other cpu_percent="text" {at}'.encode()
    assert http(f"{where.url}/write?{parameters}", body)[0] == 204
    fields = (("cpu_percent", 1.0), ("memory_percent", 2.0))
    good = [point(at + index, field="memory_percent") for index in range(50)]
    mixed = [Point("usage", AGENT, (("mount", str(index)),), at, fields) for index in range(50)]

    bad = store.write([*good, *mixed])

    assert {one.reason for one in bad} == {"type_conflict"}
    assert {one.point.fields for one in bad} == {(("cpu_percent", 1.0),)}
    assert len(bad) == 50
    totals = store.totals()
    assert totals["usage.memory_percent"] == (100, 150.0)
    assert "usage.cpu_percent" not in totals
    assert store.query("other", "usage", "cpu_percent", 0, at + 1, Resolution.RAW) == []
    assert store.latest(["other"], "usage", ["cpu_percent"]) == []


def test_two_conflicting_fields_of_one_point(
    make_influx1: MakeStore, influx_settings: InfluxSettings
) -> None:
    """Each conflicting field comes back; what is left of the point is stored."""
    store, at = make_influx1(RETENTION), recent()
    store.write([point(at, field="good")])
    foreign_text(influx_settings, "one", at)
    foreign_text(influx_settings, "two", at)

    bad = store.write([Point("usage", AGENT, (), at, (("one", 1.0), ("good", 5.0), ("two", 2.0)))])

    assert sorted(one.point.fields for one in bad) == [(("one", 1.0),), (("two", 2.0),)]
    (found,) = store.query(AGENT, "usage", "good", at, at + 1, Resolution.RAW)
    assert found.buckets[0].sum == 5.0


def test_a_conflict_is_found_in_few_writes(
    influx_settings: InfluxSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole measurement in conflict costs a handful of writes, not one for every point."""
    store, at = InfluxStore(influx_settings, RETENTION, now_ms), recent()
    store.write([point(at, field="good")])
    foreign_text(influx_settings, "cpu_percent", at)
    sent: list[int] = []
    plain = store._post

    def counted(resolution: Resolution, body: bytes) -> tuple[int, str]:
        sent.append(len(body))
        return plain(resolution, body)

    monkeypatch.setattr(store, "_post", counted)
    fields = (("cpu_percent", 1.0), ("good", 2.0))
    bad = store.write([Point("usage", AGENT, (), at + index, fields) for index in range(4_000)])
    store.close()

    assert len(bad) == 4_000
    assert len(sent) <= 3


def test_points_the_server_alone_finds_too_old(influx_settings: InfluxSettings) -> None:
    """With a server that keeps less than we think, old points come back and the rest is stored."""
    generous = Retention(raw_days=300, m5_days=400, h1_days=1100)
    store = InfluxStore(influx_settings, generous, now_ms)
    store.prepare()
    policy = f'ALTER RETENTION POLICY "raw" ON "{influx_settings.database}" DURATION 10d'
    statement(influx_settings, policy)
    old = [point(days_ago(40) + index) for index in range(30)]
    new = [point(recent() + index) for index in range(30)]

    bad = store.write([mixed for pair in zip(old, new, strict=True) for mixed in pair])
    totals = store.totals()
    store.close()

    assert [one.reason for one in bad] == ["beyond_retention"] * 30
    assert {one.point for one in bad} == set(old)
    assert totals == {"usage.cpu_percent": (30, 30.0)}


def test_policies_are_made_and_kept_to_the_settings(influx_settings: InfluxSettings) -> None:
    """The first write makes database and policies; other retention settings change them later."""
    for retention in (RETENTION, Retention(raw_days=20, m5_days=0, h1_days=900)):
        store = InfluxStore(influx_settings, retention, now_ms)
        store.write([point(recent())])
        store.close()
        series = statement(influx_settings, f'SHOW RETENTION POLICIES ON "{influx_settings.database}"')
        assert isinstance(series, list)
        found = {row[0]: (row[1], row[4]) for row in series[0]["values"]}
        assert found == {
            "raw": (f"{retention.raw_days * 24}h0m0s", True),
            "m5": (f"{retention.m5_days * 24}h0m0s" if retention.m5_days else "0s", False),
            "h1": (f"{retention.h1_days * 24}h0m0s", False),
        }


def test_a_database_that_vanished_is_made_again(
    make_influx1: MakeStore, influx_settings: InfluxSettings
) -> None:
    """Dropping the database, or one policy, under a running collector costs no later point."""
    store, at = make_influx1(RETENTION), recent()
    store.write([point(at)])

    statement(influx_settings, f'DROP DATABASE "{influx_settings.database}"')
    assert store.write([point(at, 2.0)]) == []
    statement(influx_settings, f'DROP RETENTION POLICY "m5" ON "{influx_settings.database}"')
    assert store.write_rollups(Resolution.M5, [rollup(at // 300_000 * 300_000, 1, 1.0)]) == []

    assert store.totals() == {"usage.cpu_percent": (1, 2.0)}


def test_a_database_we_may_not_make(influxdb: Influx) -> None:
    """With creation switched off a missing database is told with the next step, and is no bad point."""
    settings = InfluxSettings(influxdb.url, database="nobody_made_it", create_missing=False)
    store = InfluxStore(settings, RETENTION, now_ms)

    with pytest.raises(StoreUnavailable, match="database not found") as caught:
        store.write([point(recent())])
    store.close()

    assert "create the database 'nobody_made_it'" in caught.value.hint


def test_an_influxdb_1_without_the_v2_route(influxdb: Influx) -> None:
    """The wrong dialect is told as such."""
    settings = InfluxSettings(influxdb.url, Dialect.V2, create_missing=False)
    store = InfluxStore(settings, RETENTION, now_ms)

    with pytest.raises(StoreUnavailable) as caught:
        store.write([point(recent())])
    store.close()

    assert "dialect" in caught.value.hint


def test_nobody_listens() -> None:
    """A refused connection is a store that is away, with a hint, on every call."""
    store = InfluxStore(InfluxSettings(f"http://127.0.0.1:{free_port()}"), RETENTION, now_ms)

    calls: list[Callable[[], object]] = [
        store.ping,
        store.totals,
        lambda: store.write([point(recent())]),
        lambda: store.latest([AGENT], "usage", ["cpu_percent"]),
        lambda: store.clear(Resolution.RAW),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert "running" in caught.value.hint
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.ping()


def test_a_server_that_accepts_and_never_answers() -> None:
    """Silence ends after the timeout as a store that is away."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = InfluxSettings(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_ms=100)
        store = InfluxStore(settings, RETENTION, now_ms)

        with pytest.raises(StoreUnavailable):
            store.write([point(recent())])
        store.close()


def test_a_killed_server_comes_back(tmp_path_factory: pytest.TempPathFactory, influxdb: Influx) -> None:
    """Through kill -9 and a restart the same store object goes on, and what it confirmed is there."""
    server = Influx.make(tmp_path_factory.mktemp("killed"))
    server.start()
    store = InfluxStore(InfluxSettings(server.url), RETENTION, now_ms)
    try:
        at = recent()
        store.write([point(at, 1.0)])
        server.kill()
        with pytest.raises(StoreUnavailable):
            store.write([point(at + 1, 2.0)])
        server.start()
        assert store.write([point(at + 1, 2.0)]) == []
        assert store.totals() == {"usage.cpu_percent": (2, 3.0)}
    finally:
        store.close()
        server.stop()


@pytest.fixture
def answering() -> Iterator[Callable[[int, str], str]]:
    """Starts a server that answers every request with one status and body; gives its address."""
    with ExitStack() as stack:

        def start(status: int, body: str) -> str:
            class Answer(BaseHTTPRequestHandler):
                def do_POST(self) -> None:
                    self.rfile.read(int(self.headers["Content-Length"]))
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body.encode())

                def log_message(self, format: str, *args: object) -> None:
                    pass

            server = stack.enter_context(HTTPServer(("127.0.0.1", 0), Answer))
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_address[1]}"

        yield start


@pytest.mark.parametrize(
    ("status", "body", "hint"),
    [
        (401, '{"error":"authorization failed"}', "token"),
        (403, '{"code":"forbidden","message":"insufficient permissions"}', "token"),
        (429, '{"code":"too many requests","message":"limit"}', "slow down"),
        (500, '{"error":"engine is closed"}', "log"),
        (503, "<html>proxy</html>", "log"),
        (302, "", "log"),
    ],
)
def test_answers_that_say_nothing_about_the_points(
    answering: Callable[[int, str], str], status: int, body: str, hint: str
) -> None:
    """Refused credentials, rate limits and server errors keep the batch and say what to do."""
    settings = InfluxSettings(answering(status, body), create_missing=False)
    store = InfluxStore(settings, RETENTION, now_ms)

    with pytest.raises(StoreUnavailable, match=str(status)) as caught:
        store.write([point(recent())])
    store.close()

    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("status", "body"), [(413, '{"code":"request too large"}'), (400, '{"error":"no such luck"}')]
)
def test_a_server_that_takes_nothing_ends_in_bad_points(
    answering: Callable[[int, str], str], status: int, body: str
) -> None:
    """A refusal of the points themselves ends after a bounded number of writes, each point named once."""
    store = InfluxStore(InfluxSettings(answering(status, body), create_missing=False), RETENTION, now_ms)

    points = [point(recent() + index) for index in range(20)]
    bad = store.write(points)
    store.close()

    assert [one.point for one in bad] == points
    assert {one.reason for one in bad} == {"refused"}


@pytest.fixture
def guarded(tmp_path_factory: pytest.TempPathFactory, influxdb: Influx) -> Iterator[Influx]:
    """An InfluxDB 1 that asks for accounts: ``admin``, and ``writer`` who owns nothing."""
    folder = tmp_path_factory.mktemp("guarded")
    server = Influx.make(folder)
    configuration = folder / "influxdb.conf"
    text = configuration.read_text(encoding="utf-8").replace("[http]", "[http]\n  auth-enabled = true")
    configuration.write_text(text, encoding="utf-8")
    server.start()
    create = "CREATE USER admin WITH PASSWORD 'a''b' WITH ALL PRIVILEGES".replace("''", "\\'")
    statement(InfluxSettings(server.url), create)
    yield server
    server.stop()


def test_an_account_that_may_only_write(guarded: Influx, caplog: pytest.LogCaptureFixture) -> None:
    """Without the right to create, a missing database is told; one made by the administrator is used."""
    root = InfluxSettings(guarded.url, user="admin", password="a'b")
    admin = InfluxStore(root, RETENTION, now_ms)
    admin.prepare()
    for query in ("CREATE USER writer WITH PASSWORD 'w'", 'GRANT ALL ON "hatang" TO "writer"'):
        assert admin._call("POST", "/query", {"q": query}).status == 200
    admin.close()

    writer = InfluxStore(replace(root, user="writer", password="w"), RETENTION, now_ms)
    assert writer.write([point(recent())]) == []
    assert writer.totals() == {"usage.cpu_percent": (1, 1.0)}
    writer.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]

    for wrong in (replace(root, password="no"), replace(root, user="writer", password="w", database="none")):
        store = InfluxStore(wrong, RETENTION, now_ms)
        with pytest.raises(StoreUnavailable) as caught:
            store.write([point(recent())])
        store.close()
        assert "password" in caught.value.hint or "create the database" in caught.value.hint
