"""The Grafana dashboard: the committed JSON is the code's, and every query of every panel gives rows."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hatang_agent.registry import probes
from hatang_agent.wire import codec
from hatang_agent.wire.report import SCHEMA, Clock, Report, Run, Sample, Status
from hatang_collector.clock import now_ms
from hatang_collector.journal.segments import Entry
from hatang_collector.store.book import RollupBook
from hatang_collector.store.contract import HOUR_MS, MINUTE_MS, Retention
from hatang_collector.store.dialects import InfluxSettings
from hatang_collector.store.influx import InfluxStore
from hatang_collector.store.projection import SeriesProjection
from hatang_collector.store.rollup import RollupProjection, RollupPusher
from support.servers import Influx, http

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "dashboards/json/hatang-machines.json"
AGENTS = ("a" * 16, "b" * 16)
TAG_VALUES = {
    "battery": ("BAT0",),
    "mount": ("/", "C:\\"),
    "interface": ("enp3s0", "Wi-Fi 2"),
    "network": ("cpnet", "internet"),
    "service": ("qlvb",),
}
HOURS = 4
RETENTION = Retention(raw_days=30, m5_days=400, h1_days=1100)


def panels() -> list[dict[str, Any]]:
    """Panels of the committed JSON that are no rows."""
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries() -> list[tuple[str, str, str]]:
    """(panel title and letter, query, smallest interval) of every target."""
    return [
        (f"{panel['title']} {target['refId']}", target["query"], panel.get("interval", "1m"))
        for panel in panels()
        for target in panel["targets"]
    ]


def run_check(*arguments: str) -> subprocess.CompletedProcess[str]:
    """``python dashboards/build.py`` with arguments."""
    argv = [sys.executable, str(ROOT / "dashboards/build.py"), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def test_the_committed_json_is_what_the_code_says(tmp_path: Path) -> None:
    """--check agrees with the committed file, and tells a changed or missing one from it."""
    assert run_check("--check").returncode == 0

    other = tmp_path / "board.json"
    assert run_check("--check", "--target", str(other)).returncode == 1
    assert run_check("--target", str(other)).returncode == 0
    assert other.read_bytes() == BOARD.read_bytes()
    other.write_text(other.read_text(encoding="utf-8").replace("Bộ nhớ", "Memory"), encoding="utf-8")
    changed = run_check("--check", "--target", str(other))
    assert changed.returncode == 1
    assert "run python dashboards/build.py" in changed.stderr


def test_every_panel_is_complete() -> None:
    """Each panel has a title, a unit, queries, the data source variable, and a kind Grafana itself has."""
    for panel in panels():
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]
        assert panel["datasource"] == {"type": "influxdb", "uid": "${datasource}"}
        assert panel["type"] in {"timeseries", "stat", "table"}
        for target in panel["targets"]:
            assert target["rawQuery"] is True
            assert target["resultFormat"] in {"time_series", "table"}
    identities = [panel["id"] for panel in json.loads(BOARD.read_text(encoding="utf-8"))["panels"]]
    assert len(set(identities)) == len(identities)


def test_panels_do_not_overlap() -> None:
    """No two panels cover the same cell of the grid, and none leaves its 24 columns."""
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(BOARD.read_text(encoding="utf-8"))["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells


def samples_of_every_probe(turn: int) -> list[tuple[str, tuple[Sample, ...]]]:
    """One run of each probe: every sample it declares, for each value of its tags."""
    found = []
    for name, probe in probes().items():
        samples = []
        for field in probe.fields:
            if field.fact:
                continue
            value = (
                float(turn * 10) if "_bytes" in field.name or "seconds" in field.name else float(turn % 50)
            )
            for text in TAG_VALUES[field.tags[0]] if field.tags else ("",):
                samples.append(Sample(field.name, value, field.unit, {field.tags[0]: text} if text else {}))
        if samples:
            found.append((name, tuple(samples)))
    return found


def journal() -> Iterator[Entry]:
    """Four hours of two machines, a run of every probe each minute, a report each five."""
    start = now_ms() // MINUTE_MS * MINUTE_MS - HOURS * HOUR_MS
    for agent in AGENTS:
        number = 0
        for seq in range(1, HOURS * 12 + 1):
            runs = []
            for minute in range((seq - 1) * 5, seq * 5):
                clock = Clock(at := start + (minute + 1) * MINUTE_MS - 1, at, "boot")
                for name, samples in samples_of_every_probe(minute):
                    number += 1
                    runs.append(Run(f"{1:016x}-{number}", name, clock, 5, Status.OK, samples))
            report = Report(SCHEMA, agent, f"{1:016x}", seq, None, runs[-1].clock, "pc", "0.1.0", tuple(runs))
            wire = codec.encode(report)
            yield Entry(seq, "report", agent, clock.wall_ms, {"clocks": {"boot": 0}}, wire)


@pytest.fixture(scope="module")
def filled(influxdb: Influx, tmp_path_factory: pytest.TempPathFactory) -> InfluxSettings:
    """A database filled the way the collector fills it, rollups included."""
    folder = tmp_path_factory.mktemp("dashboards")
    settings = InfluxSettings(influxdb.url, database=influxdb.database())
    with ExitStack() as stack:
        store = InfluxStore(settings, RETENTION, now_ms)
        stack.callback(store.close)
        book = RollupBook(folder / "rollup.sqlite", RETENTION)
        stack.callback(book.close)
        series = SeriesProjection(store, folder / "series-book.sqlite")
        stack.callback(series.close)
        entries = list(journal())
        series.apply("pc", entries, len(entries))
        RollupProjection(book, store, now_ms).apply("pc", entries, len(entries))
        RollupPusher(book, store).push()
        assert series.refused().counts == {}
    return settings


def as_grafana(query: str, interval: str, agents: str) -> str:
    """The query as Grafana sends it: macros and variables put in, a range of the last four hours."""
    since = now_ms() - HOURS * HOUR_MS
    replaced = query.replace("$timeFilter", f"time >= {since}ms and time <= {now_ms()}ms")
    replaced = replaced.replace("$__interval", interval).replace("$agent", agents)
    assert "$" not in replaced.replace("$/", "")
    return replaced


def rows(settings: InfluxSettings, query: str) -> list[dict[str, Any]]:
    """Series that InfluxDB gives for a query."""
    parameters = {"db": settings.database, "q": query, "epoch": "ms"}
    status, body = http(f"{settings.url}/query?{urllib.parse.urlencode(parameters)}")
    assert status == 200, body
    (result,) = json.loads(body)["results"]
    assert "error" not in result, result
    found: list[dict[str, Any]] = result.get("series", [])
    return found


@pytest.mark.parametrize("agents", [".*", f"({AGENTS[0]}|{AGENTS[1]})", AGENTS[0]])
def test_every_query_gives_rows(filled: InfluxSettings, agents: str) -> None:
    """Every query of every panel finds rows: for all machines, for several and for one."""
    empty = []
    for title, query, interval in queries():
        series = rows(filled, as_grafana(query, interval, agents))
        values = [cell for one in series for row in one["values"] for cell in row[1:]]
        if not values or any(value is None for value in values):
            empty.append(title)
        if "agent" in query and "GROUP BY" in query and series and "tags" in series[0]:
            shown = {one["tags"]["agent"] for one in series}
            assert shown == ({AGENTS[0]} if agents == AGENTS[0] else set(AGENTS)), title

    assert empty == []


def test_the_figures_are_right(filled: InfluxSettings) -> None:
    """Both machines are counted, and raw values and hourly rollups have the same highest value."""
    by_title = {title: (query, interval) for title, query, interval in queries()}

    def only_value(title: str) -> float:
        (series,) = rows(filled, as_grafana(*by_title[title], ".*"))
        return float(series["values"][0][1])

    def highest(title: str) -> float:
        series = rows(filled, as_grafana(*by_title[title], ".*"))
        return max(float(row[1]) for one in series for row in one["values"])

    assert only_value("Máy đang báo cáo A") == 2
    assert only_value("Máy có báo cáo trong kỳ đang xem A") == 2
    assert highest("Bộ xử lý A") == highest("Bộ xử lý theo giờ B") == 49
    assert highest("Số lần đo mỗi giờ A") == 60


def test_the_agent_variable_finds_the_machines(filled: InfluxSettings) -> None:
    """The query of the variable gives the ids of the machines."""
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    variables = {one["name"]: one for one in board["templating"]["list"]}

    (series,) = rows(filled, variables["agent"]["query"])

    assert {row[1] for row in series["values"]} == set(AGENTS)
    assert variables["datasource"]["query"] == "influxdb"


def test_every_field_shown_is_one_a_probe_sends() -> None:
    """No panel asks for a measurement or field that no probe declares."""
    declared = {field.name for probe in probes().values() for field in probe.fields if not field.fact}
    measurements = {name.partition(".")[0] for name in declared}
    fields = {name.partition(".")[2] for name in declared}
    own = {"agent", "mount", "interface", "value", "raw", "m5", "h1"}

    for title, query, _ in queries():
        for word in query.split('"')[1::2]:
            base = (
                word.rsplit("_", 1)[0] if word.rsplit("_", 1)[-1] in {"count", "sum", "min", "max"} else word
            )
            assert word in own or word in fields or base in fields or word in measurements, (title, word)
