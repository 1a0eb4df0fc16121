"""Every series store that can be run here, behind one fixture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from hatang_collector.clock import now_ms
from hatang_collector.store.book import RollupBook
from hatang_collector.store.contract import Retention, SeriesStore
from hatang_collector.store.dialects import Dialect, InfluxSettings
from hatang_collector.store.embedded import EmbeddedStore
from hatang_collector.store.influx import InfluxStore
from store.making import RETENTION
from store.parts import Parts
from store.standin import ORG, TOKEN, standin
from support.servers import Influx

MakeStore = Callable[[Retention], SeriesStore]


@pytest.fixture
def make_embedded(tmp_path: Path) -> Iterator[MakeStore]:
    """Makes the embedded store, again and again on the same file."""
    with ExitStack() as stack:

        def make(retention: Retention) -> SeriesStore:
            book = RollupBook(tmp_path / "rollup.sqlite", retention)
            stack.callback(book.close)
            store = EmbeddedStore(tmp_path / "series.sqlite", book, retention, now_ms)
            stack.callback(store.close)
            return store

        yield make


def make_influx(settings: InfluxSettings, stack: ExitStack) -> MakeStore:
    """Makes stores with these settings, closed with the stack."""

    def make(retention: Retention) -> SeriesStore:
        store = InfluxStore(settings, retention, now_ms)
        stack.callback(store.close)
        return store

    return make


@pytest.fixture
def influx_settings(influxdb: Influx) -> InfluxSettings:
    """A database of its own on the real InfluxDB 1."""
    return InfluxSettings(influxdb.url, Dialect.V1, database=influxdb.database())


@pytest.fixture
def make_influx1(influx_settings: InfluxSettings) -> Iterator[MakeStore]:
    """Makes stores on the real InfluxDB 1."""
    with ExitStack() as stack:
        yield make_influx(influx_settings, stack)


def _on_standin(version: int, influx_settings: InfluxSettings) -> Iterator[MakeStore]:
    with ExitStack() as stack:
        url, _ = stack.enter_context(standin(version, influx_settings.url, influx_settings.database))
        settings = replace(
            influx_settings,
            url=url,
            dialect=Dialect.V2 if version == 2 else Dialect.V3,
            database="hatang",
            org=ORG if version == 2 else "",
            token=TOKEN,
        )
        yield make_influx(settings, stack)


@pytest.fixture
def make_influx2(influx_settings: InfluxSettings) -> Iterator[MakeStore]:
    """Makes stores that speak to the stand-in for InfluxDB 2."""
    yield from _on_standin(2, influx_settings)


@pytest.fixture
def make_influx3(influx_settings: InfluxSettings) -> Iterator[MakeStore]:
    """Makes stores that speak to the stand-in for InfluxDB 3."""
    yield from _on_standin(3, influx_settings)


@pytest.fixture(params=["embedded", "influx1", "influx2", "influx3"])
def make_store(request: pytest.FixtureRequest) -> MakeStore:
    """Makes a store of each kind; 2 and 3 are stand-ins that follow the documented protocol."""
    made: MakeStore = request.getfixturevalue(f"make_{request.param}")
    return made


@pytest.fixture
def store(make_store: MakeStore) -> SeriesStore:
    """One empty store of each kind."""
    return make_store(RETENTION)


@pytest.fixture(params=["embedded", "influx"])
def parts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Parts]:
    """Projections on the embedded store, and on InfluxDB 1."""
    made = Parts(tmp_path, request.getfixturevalue("influx_settings") if request.param == "influx" else None)
    yield made
    made.close()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Parts]:
    """Projections on the embedded store."""
    made = Parts(tmp_path)
    yield made
    made.close()
