"""Plugs pulled under way: broker, collector, series store. Everything comes back without hands."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from urllib.error import HTTPError

import pytest

from e2e.e2e_books import agree, nothing_lost
from e2e.e2e_figures import Figure
from e2e.e2e_witness import Witnessed, settle
from support.servers import Influx, Postgres, http
from support.stack import Stack, broker_pid, now_ms
from support.wait import until


def start_two(stack: Stack) -> tuple[list[Witnessed], list[str]]:
    """Two agents that are heard."""
    agents = [Witnessed(stack, f"agent{index}", index) for index in (1, 2)]
    ids = [agent.enrol() for agent in agents]
    for agent in agents:
        agent.start()
    until(lambda: all(stack.receipts(one).runs >= 3 for one in ids), 30, "both are heard")
    return agents, ids


def flows_again(stack: Stack, ids: list[str], why: str) -> float:
    """Wait until each agent's newest runs are in again; the seconds that took."""
    began = now_ms()

    def fresh() -> bool:
        found = [stack.receipts(one) for one in ids]
        return all(one.last_ms > began for one in found)

    until(fresh, 30, f"reports flow again after {why}", every_s=0.1)
    return (now_ms() - began) / 1000


def test_broker_and_collector_come_back_without_hands(stack: Stack, figure: Figure) -> None:
    """The broker's folder wiped, the broker killed, the collector stopped and killed: nothing is lost."""
    agents, ids = start_two(stack)

    pid = broker_pid(stack.data)
    assert pid is not None
    shutil.rmtree(stack.data / "broker")
    os.kill(pid, signal.SIGKILL)
    figure("seconds to reports after the broker was killed and wiped", flows_again(stack, ids, "the wipe"))
    assert broker_pid(stack.data) not in (None, pid)

    late = Witnessed(stack, "late", 3)
    ids.append(late.enrol())
    late.start()
    flows_again(stack, ids, "an enrolment behind the wipe")
    pid = broker_pid(stack.data)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    figure("seconds to reports after the broker was killed", flows_again(stack, ids, "the kill"))

    assert stack.collector.stop() == 0
    stack.start()
    figure("seconds to reports after the collector's restart", flows_again(stack, ids, "the restart"))

    stack.collector.kill()
    stack.start()
    figure("seconds to reports after the collector was killed", flows_again(stack, ids, "kill -9"))
    assert broker_pid(stack.data) is not None

    settle([*agents, late])
    stack.collector.stop()
    with stack.opened() as data:
        for agent, one in zip([*agents, late], ids, strict=True):
            nothing_lost(data, one, agent.witness)
        agree(data, now_ms())


def test_a_store_that_is_away_stops_its_projection_alone(
    mosquitto: None, influxdb: Influx, tmp_path: Path
) -> None:
    """InfluxDB down: acks, receipts, rollups and pages go on and health says why; then all of it arrives."""
    database = influxdb.database()
    stack = Stack(
        tmp_path,
        HATANG_STORE_KIND="influxdb",
        HATANG_STORE_URL=influxdb.url,
        HATANG_STORE_DATABASE=database,
    )
    stack.start()
    try:
        agents, ids = start_two(stack)
        until(lambda: stack.health()["projection series"]["condition"] == "ok", 10, "the store is used")
        influxdb.stop()
        try:
            _outage(stack, agents, ids)
        finally:
            influxdb.start()
        until(lambda: stack.health()["projection series"]["condition"] == "ok", 30, "it goes on by itself")
        settle(agents)
        stack.collector.stop()
        with stack.opened() as data:
            for agent, one in zip(agents, ids, strict=True):
                nothing_lost(data, one, agent.witness)
            agree(data, now_ms())
            assert data.series.refused().counts == {}
    finally:
        stack.stop()
    assert "Traceback" not in stack.collector.said()


def _outage(stack: Stack, agents: list[Witnessed], ids: list[str]) -> None:
    until(lambda: stack.health()["projection series"]["condition"] == "degraded", 20, "health says so")
    part = stack.health()["projection series"]
    assert stack.settings["HATANG_STORE_URL"] in part["detail"]
    assert stack.api("/api/v1/health")["condition"] == "degraded"
    assert {name for name, one in stack.health().items() if one["condition"] != "ok"} == {"projection series"}

    before = [agent.taken() for agent in agents]
    runs = [stack.receipts(one).runs for one in ids]
    projected = _projected(stack)

    def goes_on() -> bool:
        taken = all(agent.taken() >= then + 5 for agent, then in zip(agents, before, strict=True))
        received = all(stack.receipts(one).runs >= then + 5 for one, then in zip(ids, runs, strict=True))
        emptied = all(sum(agent.waiting()) <= 6 for agent in agents)
        return taken and received and emptied

    until(goes_on, 20, "reports are acknowledged and counted while the store is away", every_s=0.2)
    now = _projected(stack)
    assert now["rollup"] > projected["rollup"]
    assert now["ledger"] > projected["ledger"]
    assert now["series"] == projected["series"]
    assert stack.api("/api/v1/machines")["states"]["up"] == len(ids)


def test_a_ledger_that_is_away_stops_no_ack(mosquitto: None, postgres: Postgres, tmp_path: Path) -> None:
    """PostgreSQL down: agents are acknowledged, series go on, pages say what to do; then it catches up."""
    stack = Stack(tmp_path, HATANG_LEDGER_URL=postgres.database())
    stack.start()
    try:
        agents, ids = start_two(stack)
        series = _projected(stack)["series"]
        assert stack.api("/api/v1/machines")["total"] == len(ids)
        postgres.stop()
        try:
            before = [agent.taken() for agent in agents]
            until(
                lambda: all(
                    agent.taken() >= then + 6 and sum(agent.waiting()) <= 6
                    for agent, then in zip(agents, before, strict=True)
                ),
                20,
                "reports are acknowledged without the ledger",
                every_s=0.2,
            )
            assert _projected(stack)["series"] > series
            status, body = http(f"{stack.url}/api/v1/health")
            assert (status, json.loads(body)["condition"]) == (200, "degraded")
            with pytest.raises(HTTPError, match="503") as refused:
                stack.api("/api/v1/machines")
            with refused.value as answer:
                assert json.load(answer)["next_step"]
        finally:
            postgres.resume()
        until(lambda: stack.health()["projection ledger"]["condition"] == "ok", 30, "it goes on by itself")
        settle(agents)
        stack.collector.stop()
        with stack.opened() as data:
            for agent, one in zip(agents, ids, strict=True):
                nothing_lost(data, one, agent.witness)
            agree(data, now_ms())
            assert list(data.deadletters.every()) == []
    finally:
        stack.stop()
    assert "Traceback" not in stack.collector.said()


def _projected(stack: Stack) -> dict[str, float]:
    """Entries applied by each projection, from the metrics."""
    text = http(f"{stack.url}/metrics")[1].decode()
    found = {}
    for line in text.splitlines():
        if line.startswith("hatang_projected_total{"):
            name = line.partition('projection="')[2].partition('"')[0]
            found[name] = float(line.split()[-1])
    return found
