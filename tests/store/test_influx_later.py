"""InfluxDB 2 and 3 by their documented protocol, and the v2 write route on a real server."""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import replace

import pytest

from hatang_collector.clock import now_ms
from hatang_collector.journal.projection import StoreUnavailable
from hatang_collector.store import influx_setup
from hatang_collector.store.contract import DAY_MS, Retention
from hatang_collector.store.dialects import Dialect, InfluxSettings
from hatang_collector.store.influx import InfluxStore
from store.making import RETENTION, days_ago, point, recent
from store.standin import ORG, TOKEN, standin
from support.servers import Victoria, http


def test_credentials_of_version_two(influx_settings: InfluxSettings) -> None:
    """A wrong token, and an organisation that is not there, are told with the next step."""
    with standin(2, influx_settings.url, influx_settings.database) as (url, state):
        good = InfluxSettings(url, Dialect.V2, org=ORG, token=TOKEN)
        for settings in (replace(good, token="wrong"), replace(good, org="other")):
            store = InfluxStore(settings, RETENTION, now_ms)
            with pytest.raises(StoreUnavailable) as caught:
                store.write([point(recent())])
            store.close()
            assert "token" in caught.value.hint
        assert state.buckets == {}


def test_version_two_reads_through_its_mapping(influx_settings: InfluxSettings) -> None:
    """Buckets and DBRP mappings are made once; a mapping that was removed is made again at a start."""
    with standin(2, influx_settings.url, influx_settings.database) as (url, state):
        settings = InfluxSettings(url, Dialect.V2, org=ORG, token=TOKEN)
        for _ in range(2):
            store = InfluxStore(settings, RETENTION, now_ms)
            store.write([point(recent())])
            store.close()
        assert sorted(state.buckets) == ["hatang_h1", "hatang_m5", "hatang_raw"]
        assert [(one["database"], one["retention_policy"], one["default"]) for one in state.mappings] == [
            ("hatang", "raw", True),
            ("hatang", "m5", False),
            ("hatang", "h1", False),
        ]

        state.mappings.clear()
        store = InfluxStore(settings, RETENTION, now_ms)
        store.prepare()

        assert store.totals() == {"usage.cpu_percent": (1, 1.0)}
        store.close()


def test_version_two_keeps_buckets_to_the_settings(influx_settings: InfluxSettings) -> None:
    """Other retention settings change the buckets that are there, once."""
    with standin(2, influx_settings.url, influx_settings.database) as (url, state):
        settings = InfluxSettings(url, Dialect.V2, org=ORG, token=TOKEN)
        for retention in (RETENTION, Retention(raw_days=7, m5_days=400, h1_days=0)):
            store = InfluxStore(settings, retention, now_ms)
            store.prepare()
            store.close()

        assert state.rules["hatang_raw"] == [{"type": "expire", "everySeconds": 7 * 86_400}]
        assert state.rules["hatang_h1"] == []
        assert sum(request.startswith("PATCH") for request in state.requests) == 2


def test_preparing_version_three_is_repeatable(influx_settings: InfluxSettings) -> None:
    """Three databases are made, and being there already is no error."""
    with standin(3, influx_settings.url, influx_settings.database) as (url, state):
        settings = InfluxSettings(url, Dialect.V3, token=TOKEN)
        for _ in range(2):
            store = InfluxStore(settings, RETENTION, now_ms)
            store.prepare()
            store.close()

        assert sorted(state.buckets) == ["hatang_h1", "hatang_m5", "hatang_raw"]


def test_a_reply_that_is_not_json_is_no_crash(influx_settings: InfluxSettings) -> None:
    """A proxy's page instead of InfluxDB's reply is a store that is away."""

    def call(method: str, path: str, parameters: object, body: object = None) -> influx_setup.Reply:
        return influx_setup.Reply(200, "<html>login</html>")

    for dialect in Dialect:
        if dialect is not Dialect.V3:
            with pytest.raises(StoreUnavailable):
                influx_setup.prepare(call, replace(influx_settings, dialect=dialect), RETENTION)


def test_the_v2_write_route_on_a_real_server(victoria: Victoria) -> None:
    """VictoriaMetrics takes our v2 writes, gzip included, three months back; a NaN never reaches it."""
    settings = InfluxSettings(victoria.url, Dialect.V2, org="x", token="t", create_missing=False)
    store = InfluxStore(settings, Retention(0, 0, 0), now_ms)
    agent = "f" * 16
    points = [
        point(days_ago(90) + index * 1_000, index, agent=agent, mount="Ổ C, D=E") for index in range(50)
    ]

    bad = store.write([*points, point(recent(), float("nan"), agent=agent)])
    store.ping()
    store.close()

    assert [one.reason for one in bad] == ["unparseable"]
    http(f"{victoria.url}/internal/force_flush")
    query = urllib.parse.urlencode(
        {
            "match[]": f'usage_cpu_percent{{agent="{agent}"}}',
            "start": (days_ago(91)) // 1000,
            "end": now_ms() // 1000,
        }
    )
    _, body = http(f"{victoria.url}/api/v1/export?{query}")
    (line,) = body.decode().splitlines()
    found = json.loads(line)
    assert found["metric"]["mount"] == "Ổ C, D=E"
    assert found["values"] == list(range(50))
    assert found["timestamps"] == [one.at_ms for one in points]
    assert found["timestamps"][0] < now_ms() - 89 * DAY_MS
