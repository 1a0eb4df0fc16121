"""What changes while a page or a program watches: events, new machines, small charts, stopping."""

from __future__ import annotations

import json
from typing import Any

from hatang_agent.wire.messages import Farewell
from hatang_collector.ledger import machines
from support.wait import until
from web.webkit import START_MS, Site, World, agent_id, running, traffic, usage


def read_event(lines: Any) -> tuple[str, dict[str, Any]]:
    """The next event of a stream: its id and data; comments are passed over."""
    mark = ""
    for line in lines:
        if line.startswith("id: "):
            mark = line[4:]
        if line.startswith("data: "):
            return mark, json.loads(line[6:])
    raise AssertionError("the stream ended")


def test_events_tell_what_changed_and_can_be_resumed(site: Site, world: World) -> None:
    """A report arrives as a summary at once; what a caller missed comes when it returns with its id."""
    first, second = world.add(1, "Máy 1"), world.add(2, "Máy 2")
    api = site.api()
    with api.stream("GET", "/api/v1/events", params={"since": "another-0"}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        world.report(first, usage(33.0))
        seen: dict[str, Any] = {}
        while seen.get(first, {}).get("cpu_percent") != 33.0:
            mark, data = read_event(lines)
            seen.update({one["agent"]: one for one in data["changed"]})
    world.report(second, usage(44.0))
    with api.stream("GET", "/api/v1/events", headers={"last-event-id": mark}) as stream:
        _, data = read_event(stream.iter_lines())
    assert [(one["agent"], one["cpu_percent"]) for one in data["changed"]] == [(second, 44.0)]


def test_silence_and_goodbyes_are_events_too(site: Site, world: World) -> None:
    """A machine changes state by time alone, and by an orderly goodbye."""
    agent = world.add(1, "Máy 1")
    world.connect(agent)
    world.report(agent, usage(1.0))
    with site.api().stream("GET", "/api/v1/events", params={"since": "another-0"}) as stream:
        lines = stream.iter_lines()

        def wait_for(state: str) -> None:
            while not any(one["state"] == state for one in read_event(lines)[1]["changed"]):
                pass

        wait_for("up")
        world.clock.ms += 400_000
        wait_for("silent")
        world.leave(agent, Farewell.SHUTDOWN)
        wait_for("off")


def test_the_server_stops_with_streams_open(world: World) -> None:
    """Stopping ends the streams instead of waiting for them."""
    with running(world) as site:
        api = site.api()
        stream = api.send(api.build_request("GET", "/api/v1/events"), stream=True)
        lines = stream.iter_lines()
        next(lines)
        until(lambda: site.app.state.feed.streams == 1)
        site.ask_to_stop()
        assert all(not line.startswith("event:") for line in lines)
        stream.close()


def test_a_new_machine_and_a_retired_one_reach_open_pages(site: Site, world: World) -> None:
    """Enrolling adds a card, retiring takes it away, without a reload."""
    api = site.api()
    start = site.app.state.feed.mark
    agent = world.add(1, "Máy mới")
    world.report(agent, usage(1.0))
    found = until(
        lambda: [
            one
            for one in api.get("/board/cards", params={"since": start}).json()["cards"]
            if one["agent"] == agent
        ]
    )
    assert "Máy mới" in found[0]["html"]
    with world.ledger.write() as c:
        machines.retire(c, agent, START_MS)
    world.clock.ms += 6_000
    until(lambda: api.get("/board/cards", params={"since": start}).json()["gone"] == [agent])


def test_small_charts_come_for_known_machines_only(site: Site, world: World) -> None:
    """Each slot is a picture with a label; unknown and impossible ids are passed over."""
    agent = world.add(1)
    for minute in range(5):
        world.report(agent, usage(10.0 * minute), at_ms=START_MS - (5 - minute) * 60_000)
        world.report(agent, traffic(1e6, 1e5), probe="interfaces", at_ms=START_MS - (5 - minute) * 60_000)
    api = site.api()
    until(lambda: agent in api.get("/machines").text)
    found = api.get(f"/board/charts?agents={agent},{agent_id(5)},<script>").json()
    assert list(found) == [agent]
    assert set(found[agent]) == {"cpu", "memory", "rx", "tx"}
    assert all('role="img" aria-label=' in picture for picture in found[agent].values())


def test_machines_without_traffic_have_no_traffic_charts(site: Site, world: World) -> None:
    """What was not measured has no picture."""
    agent = world.add(1)
    world.report(agent, usage(10.0))
    api = site.api()
    until(lambda: agent in api.get("/machines").text)
    assert set(api.get(f"/board/charts?agents={agent}").json()[agent]) == {"cpu", "memory"}
