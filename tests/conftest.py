"""Fixtures: real servers, counted skips, recorded field data."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from support.namespaces import no_namespaces
from support.servers import PROGRAMS, Influx, Mosquitto, Postgres, Victoria, program

_NEEDS = {
    "mosquitto": "mosquitto",
    "influxdb": "influxdb",
    "victoria": "victoria-metrics",
    "postgres": "postgresql",
    "postgres_url": "postgresql",
    "chromium": "chromium",
    "lab": "iproute2",
}
_FIELD_DATA = Path(os.environ.get("HATANG_FIELD_DATA", Path(__file__).parent.parent.parent / "shared/data"))
_NOT_EVERYWHERE = frozenset({"field_data", "lab"})
_skipped: dict[str, int] = {}


def _missing(fixture: str) -> str | None:
    if fixture == "field_data":
        return None if (_FIELD_DATA / "MANIFEST.md").is_file() else f"no recorded data in {_FIELD_DATA}"
    package = _NEEDS.get(fixture) or (fixture if fixture in PROGRAMS else None)
    if package is None:
        return None
    if program(package):
        return no_namespaces() if fixture == "lab" else None
    return f"{package} is not installed (apt-get install {package})"


def pytest_report_header() -> list[str]:
    """Which servers are here; a missing one means skipped tests, counted below."""
    packages = sorted(set(_NEEDS.values()))
    here = [package for package in packages if program(package)]
    gone = [package for package in packages if not program(package)]
    data = "found" if _missing("field_data") is None else f"absent ({_FIELD_DATA})"
    return [f"servers: {', '.join(here) or 'none'}; missing: {', '.join(gone) or 'none'}; field data: {data}"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip and count what cannot run here; with CI=true a missing server is a failure instead.

    Recorded data and a user who may make network namespaces are not everywhere, in CI neither.
    """
    for item in items:
        for needed in (*getattr(item, "fixturenames", ()), *_marked(item)):
            reason = _missing(needed)
            if reason is None:
                continue
            _skipped[reason] = _skipped.get(reason, 0) + 1
            if os.environ.get("CI") != "true" or needed in _NOT_EVERYWHERE or needed in PROGRAMS:
                item.add_marker(pytest.mark.skip(reason=reason))
                break


def _marked(item: pytest.Item) -> Iterator[str]:
    """What ``@pytest.mark.needs("nftables", "lab")`` names: Debian packages, or a key of the fixtures."""
    for mark in item.iter_markers("needs"):
        yield from mark.args


def pytest_report_collectionfinish() -> list[str]:
    """The count of tests that will not run here, by reason."""
    return _told(_skipped)


def pytest_collection_finish(session: pytest.Session) -> None:
    """The first worker of a run in parallel leaves its counts for the process that reports."""
    given = getattr(session.config, "workerinput", None)
    if given is not None and given["workerid"] == "gw0":
        _counts_file(given).write_text(json.dumps(_skipped), encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any) -> None:
    """The counts of a run in parallel, told before its first test."""
    file = _counts_file(node.workerinput)
    if file.exists():
        reporter = node.config.pluginmanager.get_plugin("terminalreporter")
        for line in _told(json.loads(file.read_text(encoding="utf-8"))):
            reporter.write_line(line)
        file.unlink()


def _counts_file(given: Mapping[str, Any]) -> Path:
    return Path(tempfile.gettempdir()) / f"hatang-{given['testrunuid']}-{given['workerid']}.json"


def _told(counts: Mapping[str, int]) -> list[str]:
    return [f"will not run: {count} tests, {reason}" for reason, count in sorted(counts.items())]


def _require(fixture: str) -> None:
    if reason := _missing(fixture):
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)  # asked for at run time; the others were marked at collection


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """An anonymous broker of this test alone."""
    _require("mosquitto")
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    server = Mosquitto.make(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def influxdb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """One InfluxDB 1.6.7 of this run; take ``.database()`` for a name of your own."""
    _require("influxdb")
    server = Influx.make(tmp_path_factory.mktemp("influx"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def victoria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victoria]:
    """One VictoriaMetrics of this run."""
    _require("victoria")
    server = Victoria.make(tmp_path_factory.mktemp("victoria"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One PostgreSQL of this run, in a folder its own user can reach."""
    _require("postgres")
    with tempfile.TemporaryDirectory(prefix="hatang-postgres-") as folder:
        server = Postgres(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """SQLAlchemy URL of a fresh PostgreSQL database."""
    return postgres.database()


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser."""
    _require("chromium")
    return program("chromium") or ""


@pytest.fixture(scope="session")
def field_data() -> Path:
    """Recorded devices, machines and captures."""
    _require("field_data")
    return _FIELD_DATA
