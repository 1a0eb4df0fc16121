"""The probe as a whole: how often and how spread it asks, its deadline, its settings, recorded machines."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from hatang_agent import config, registry
from hatang_agent.net.answer import Answer, Outcome
from hatang_agent.net.path import NetPath
from hatang_agent.net.targets import parse
from hatang_agent.probes import _paths, _service_asking, services
from hatang_agent.probes._paths import Ways
from hatang_agent.probes._service_asking import PAUSE_S, SPREAD_S, Asking, ask_program
from hatang_agent.probes.services import ASK_EVERY_MS, Config
from hatang_agent.registry import Context, NoData, Result
from hatang_agent.runner import Runner
from hatang_agent.strictconfig import ConfigError
from hatang_agent.system_replay import ReplaySystem
from hatang_agent.wire import codec
from services.service_asking import LO, Clock, Named, Office, Silent
from services.service_servers import HOST, page, program

PROBE = registry.probes()["services"]
CASES = Path(__file__).parents[1] / "agent_measure/cases"


def targets(count: int) -> tuple[str, ...]:
    """So many programs at addresses of nobody."""
    return tuple(f"p{number} tcp 192.0.2.{number + 1}:80" for number in range(count))


@pytest.fixture(autouse=True)
def on_the_loopback(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The only path of this machine is the loopback, unless a recorded one is looked at."""
    if "case" not in request.fixturenames:
        monkeypatch.setattr(_paths, "read", lambda *_: Ways((LO,)))


def measure(system: Office, memory: dict[str, Any], *lines: str, within_s: float = 60) -> Result:
    """One run."""
    until_ms = system.clock() + int(within_s * 1000)
    return services.measure(Context(system, Config(targets=lines), until_ms, memory))


def test_a_program_is_asked_once_in_five_minutes() -> None:
    """A run that comes sooner repeats the facts without asking; one in the probe's rhythm always asks."""
    clock = Clock()
    memory: dict[str, Any] = {}
    with program(page()) as server:
        system = Office(Named(), clock)
        line = f"web http http://{HOST}:{server.port}/"
        first = measure(system, memory, line)
        clock.pass_s(services.INTERVAL_S - 40)
        soon = measure(system, memory, line)
        once = len(server.heard)
        clock.pass_s(40)
        later = measure(system, memory, line)

    assert (once, len(server.heard)) == (1, 2)
    assert first.facts == soon.facts == later.facts
    assert [len(run.samples) for run in (first, soon, later)] == [1, 0, 1]
    assert ASK_EVERY_MS < services.INTERVAL_S * 1000


def test_another_address_is_asked_at_once_and_a_program_that_is_gone_is_forgotten() -> None:
    """A new configuration does not wait for five minutes; what is no longer asked for is no longer told."""
    memory: dict[str, Any] = {}
    network = Silent(Clock(), answer=Answer(Outcome.ANSWERED, rtt_ms=1.0))
    system = Office(network, network.clock)
    measure(system, memory, "a tcp 192.0.2.1:80", "b tcp 192.0.2.2:80")
    changed = measure(system, memory, "b tcp 192.0.2.3:80")

    assert network.asked == ["a", "b", "b"]
    assert [fact.fields["service"] for fact in changed.facts] == ["b"]
    assert list(memory["asked"]) == ["b"]


def test_requests_of_a_run_are_spread() -> None:
    """One is begun after the other with a pause, shorter when there are many."""
    for count, pause in ((3, PAUSE_S), (64, SPREAD_S / 64)):
        network = Silent(Clock(), answer=Answer(Outcome.ANSWERED, rtt_ms=1.0))
        system = Office(network, network.clock)
        measure(system, {}, *targets(count))
        assert system.waits == [pause] * (count - 1)
        assert len(network.asked) == count


def test_a_dead_network_does_not_cost_more_than_the_time_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be asked any more says so, comes first the next time, and is not made up."""
    monkeypatch.setattr(_service_asking, "AT_ONCE", 1)  # one after the other, so that the times add up
    network = Silent(Clock())
    system = Office(network, network.clock)
    memory: dict[str, Any] = {}
    began = network.clock()
    first = measure(system, memory, *targets(20), within_s=30)
    took_ms = network.clock() - began
    left_out = [fact.fields["service"] for fact in first.facts if fact.fields["reached"] == "not_tested"]
    asked = len(network.asked)
    network.clock.pass_s(10)
    measure(system, memory, *targets(20), within_s=30)

    assert took_ms <= 30_000
    assert 0 < len(left_out) < 20
    assert {fact.fields["how"] for fact in first.facts if fact.fields["reached"] != "no"} == {
        "no time was left"
    }
    assert set(network.asked[asked:]) <= set(left_out)
    assert [fact.fields["service"] for fact in first.facts] == [f"p{number}" for number in range(20)]


def test_without_a_way_out_nothing_is_asked() -> None:
    """No card, or none with a link: not tested, with the reason, and the name server is left alone."""
    network = Named()
    system = Office(network, Clock())
    for ways, why in (
        (Ways(()), "no network interface"),
        (Ways((NetPath("eth0", "eth0", unusable="no link"),)), "no link"),
    ):
        found = ask_program(
            Asking(network, ways, 1, system.boot_ms() + 9_000, system.boot_ms, 0),
            [parse(f"web http http://{HOST}/")],
        )
        assert [(one.reached, one.how) for _, one in found] == [("not_tested", why)]
    assert network.asked == []


def test_the_gateway_that_the_routes_do_not_take_is_not_tested() -> None:
    """A TCP connection would leave by the other one: its result would be that of another path."""
    network = Named()
    clock = Clock()
    far = dataclasses.replace(LO, name="eth0 via 192.0.2.254", gateway="192.0.2.254", straight=True)

    class Straight(Ways):
        """Ways that take another gateway."""

        def toward(self, path: NetPath, address: str) -> NetPath:
            assert address
            return path

    found = ask_program(
        Asking(network, Straight((far,)), 1, clock() + 9_000, clock, 0),
        [parse(f"web http http://{HOST}/")],
    )

    assert found[0][1].reached == "not_tested"
    assert "another gateway than 192.0.2.254" in found[0][1].how
    assert network.asked == []


def test_nothing_configured_is_no_data() -> None:
    """Nothing to ask is nothing to tell, with where it is entered."""
    with pytest.raises(NoData, match="register of targets"):
        measure(Office(Named(), Clock()), {})


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["qlvb"], "write 'network method address'"),
        (["qlvb ftp example.vn"], "'ftp' is no method"),
        (["qlvb http https://an:mat-khau@example.vn/"], "nothing ever logs in"),
        (["qlvb http ftp://example.vn/"], "'ftp' is no address of the web"),
        (["qlvb tcp example.vn"], "give host:port"),
        ([f"p{number} tcp 192.0.2.1:80" for number in range(65)], "65 targets; give at most 64"),
    ],
)
def test_a_target_that_is_none_is_refused_with_its_place(lines: list[str], message: str) -> None:
    """By name, before anything is asked."""
    given = config.AgentConfig(probes={"services": {"targets": lines}})
    with pytest.raises(ConfigError, match="services") as refused:
        config.plan(given, PROBE, "pc")
    assert message in str(refused.value)


RECORDED = sorted(CASES.glob("services-*"))


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case.name)
def test_recorded_offices(case: Path) -> None:
    """What people could reach on a recorded machine, program by program and path by path."""
    told = json.loads((case / "services.json").read_text(encoding="utf-8"))
    run = Runner(ReplaySystem(case), lambda: "0" * 16 + "-1").execute(PROBE, Config(tuple(told["targets"])))

    assert {fact.key: dict(fact.fields) for fact in run.facts} == told["facts"]
    assert [codec.plain(sample) for sample in run.samples] == told["samples"]


def test_there_are_recorded_offices() -> None:
    """The test above looks at something."""
    assert RECORDED
