"""Projections emptied and built anew from the journal say the same; late data reaches the rollups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.e2e_books import Snapshot, agree, same, snapshot
from e2e.e2e_client import JOURNALED, AgentClient
from e2e.e2e_reports import Sealer
from hatang_collector.store.contract import Resolution
from support.servers import Influx, http
from support.stack import DAY_MS, Stack, command, now_ms
from support.wait import until

HOUR_MS = 3_600_000
LATE_RUNS = 30
RECENT_RUNS = 60
QUICK = """
[schedule]
sample_s = 1
first_spread_s = 0.3
[reporting]
report_s = 2
beat_s = 1
"""


@pytest.fixture(params=["embedded", "influxdb"])
def kept(request: pytest.FixtureRequest, mosquitto: None, tmp_path: Path) -> Iterator[Stack]:
    """A started collector on each kind of store."""
    settings = {}
    if request.param == "influxdb":
        server: Influx = request.getfixturevalue("influxdb")
        settings = {"HATANG_STORE_URL": server.url, "HATANG_STORE_DATABASE": server.database()}
    stack = Stack(tmp_path, HATANG_STORE_KIND=request.param, **settings)
    stack.start()
    yield stack
    stack.stop()
    assert "Traceback" not in stack.collector.said()


def fill(stack: Stack, agent: str) -> int:
    """Runs of 40 days ago and of today, some of them sealed twice; when the late ones began."""
    late_ms = (now_ms() - 40 * DAY_MS) // HOUR_MS * HOUR_MS
    today_ms = now_ms() - 2 * HOUR_MS
    first = Sealer(agent)
    late = [first.run(late_ms + 60_000 * at, float(at)) for at in range(LATE_RUNS)]
    recent = [first.run(today_ms + 60_000 * at, 100.0 + at) for at in range(RECENT_RUNS)]
    again = Sealer(agent)  # another process start that found the same runs in its restored outbox
    wires = [
        *(first.seal(now_ms(), late[at : at + 10]) for at in range(0, LATE_RUNS, 10)),
        *(first.seal(now_ms(), recent[at : at + 7]) for at in range(0, RECENT_RUNS, 7)),
        again.seal(now_ms(), [*late[5:15], *recent[-5:], again.run(today_ms + 30_000, 7.0)]),
    ]
    with AgentClient(stack.credential(stack.folder / "made")) as client:
        assert set(client.send_all(wires)) == {JOURNALED}
    until(lambda: stack.receipts(agent).runs == LATE_RUNS + RECENT_RUNS + 1, 20, "every run is counted once")
    return late_ms


def looked_at(stack: Stack) -> Snapshot:
    """All projections of the stopped collector, with what the store serves of the made-up probe."""
    with stack.opened() as data:
        agree(data, now_ms())
        return snapshot(data, "made", "number")


def test_a_replay_says_the_same(kept: Stack) -> None:
    """`replay --all` gives the same everywhere; runs of 40 days ago are in the rollups."""
    (kept.folder / "made").mkdir()
    (kept.folder / "real").mkdir()
    made = kept.enrol(kept.folder / "made", kept.token(), "made").agent
    real = kept.enrol(kept.folder / "real", kept.token(), "real").agent
    agent = kept.agent(kept.folder / "real", QUICK)
    late_ms = fill(kept, made)
    until(lambda: kept.receipts(real).runs >= 12, 30, "the real agent measured")
    span = f"from={late_ms}&to={late_ms + HOUR_MS}"
    series = f"/api/v1/machines/{made}/series?measurement=made&field=number&{span}"
    if kept.settings["HATANG_STORE_KIND"] == "embedded":  # a server is brought its rollups every 30 s
        hourly = until(lambda: kept.api(f"{series}&resolution=1h")["tracks"], 10, "the late hour is served")
        assert [bucket["count"] for bucket in hourly[0]["buckets"]] == [LATE_RUNS]
    refused = f'hatang_bad_points_total{{reason="beyond_retention"}} {3 * LATE_RUNS}.0'
    until(lambda: refused in http(f"{kept.url}/metrics")[1].decode(), 10, "refused points are counted")
    assert agent.stop() == 0
    assert kept.collector.stop() == 0

    before = looked_at(kept)
    replayed = kept.run("replay", "--all")
    after = looked_at(kept)

    same(before, after)
    for name in ("ledger", "series", "rollup"):
        assert f"{name}: " in replayed.stdout
    assert before.receipts[made].runs == LATE_RUNS + RECENT_RUNS + 1
    assert before.receipts[real].runs >= 12
    assert before.facts[real], "the real agent's facts"
    assert before.raw["made.number"][0] == RECENT_RUNS + 1, "raw keeps 30 days"
    assert before.refused == {"beyond_retention": 3 * LATE_RUNS}, "what raw no longer keeps is counted"
    for resolution, wide in ((Resolution.M5, 5), (Resolution.H1, LATE_RUNS)):
        (tags, buckets) = before.served[f"{made} {resolution}"][0]
        late = [bucket for bucket in buckets if bucket.at_ms < late_ms + HOUR_MS]
        assert tags == ()
        assert sum(bucket.count for bucket in late) == LATE_RUNS
        assert sum(bucket.sum for bucket in late) == sum(range(LATE_RUNS))
        assert {bucket.count for bucket in late} == {wide}
        assert (late[0].at_ms, late[0].min, late[0].max) == (late_ms, 0.0, wide - 1.0)


def test_a_replay_of_one_projection_leaves_the_others(stack: Stack) -> None:
    """`replay series` rebuilds one; a wrong name and a running collector are refused in a line."""
    (stack.folder / "made").mkdir()
    made = stack.enrol(stack.folder / "made", stack.token(), "made").agent
    fill(stack, made)
    locked = command("collector", "replay", "--all", "--data", str(stack.data), **stack.settings)
    stack.collector.stop()
    before = looked_at(stack)
    wrong = command("collector", "replay", "nothing", "--data", str(stack.data), **stack.settings)
    done = stack.run("replay", "series")

    assert (locked.returncode, wrong.returncode) == (1, 2)
    assert len(locked.stderr.splitlines()) == 1
    assert "in use by another collector" in locked.stderr
    assert "ledger, series, rollup" in wrong.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["series"]
    same(before, looked_at(stack))
