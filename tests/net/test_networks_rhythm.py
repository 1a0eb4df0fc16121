"""When facts travel, what a run costs, and what is refused: the networks probe over many runs."""

from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path

import pytest

from hatang_agent import config, registry
from hatang_agent.net.answer import Echoes
from hatang_agent.probes import networks
from hatang_agent.runner import Runner
from hatang_agent.sampling import Changes, News
from hatang_agent.strictconfig import ConfigError
from hatang_agent.system_replay import ReplaySystem
from hatang_agent.wire import codec
from hatang_agent.wire.report import SCHEMA, Fact, Report, Run, Status
from net.staged import HOUR_MS, Machine, Net, Runs, echo, fact, plug, runs

PROBE = registry.probes()["networks"]


def changing(net: Net, rtt_ms: float) -> None:
    """The network answers by one card in so many milliseconds."""
    net.replies = {("eth0", "icmp 10.0.0.1"): echo(rtt_ms, rtt_ms + 1)}


def execute(run: Runs, runner: Runner) -> Run:
    """The probe through the agent's runner."""
    return runner.execute(PROBE, run.settings)


def test_facts_travel_when_the_reach_changes_and_once_an_hour(machine: Machine, net: Net) -> None:
    """Numbers that differ each minute are samples; the agent sees a change only where there is one."""
    runner, changes = Runner(machine, lambda: "0" * 16 + "-1"), Changes()
    run = runs(machine, "cpnet icmp 10.0.0.1")
    told: list[News] = []
    for rtt_ms, after_ms in (
        (1.0, 0),
        (9.0, 60_000),
        (0.0, 60_000),
        (3.0, 60_000),
        (4.0, HOUR_MS),
        (5.0, 60_000),
    ):
        net.boot_ms += after_ms
        changing(net, rtt_ms) if rtt_ms else net.replies.clear()
        done = execute(run, runner)
        assert done.status is Status.OK
        told.append(changes.news(done))
    assert told == [News.FIRST, News.SAME, News.CHANGED, News.CHANGED, News.CHANGED, News.SAME]
    assert done.facts[0].fields["rtt_ms"] == 4.5, "of the run that told it"
    assert [one.value for one in done.samples if one.name == "networks.rtt_ms"] == [5.5]


def test_a_new_reason_is_told(machine: Machine, net: Net, tmp_path: Path) -> None:
    """No link, then no address: both are not tested, and what a person has to do differs."""
    run = runs(machine, "cpnet icmp 10.0.0.1")
    plug(tmp_path, eth0=False, eth1=True)
    assert fact(run(), "cpnet eth0")["how"] == "no link"
    plug(tmp_path, eth0=True, eth1=True)
    (tmp_path / "ip.txt").write_text("")
    assert fact(run(), "cpnet eth0")["how"] == "no address"


def test_runs_begin_at_different_times(machine: Machine) -> None:
    """By chance up to the spread."""
    runs(machine, "cpnet icmp 10.0.0.1", spread_s=4.0)()
    assert machine.waited == [2.0]


def test_a_fault_of_ours_fails_the_run(machine: Machine, net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is never left out in silence."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def broken(*_: object, **__: object) -> Echoes:
        raise ZeroDivisionError

    monkeypatch.setattr(net, "ping", broken)
    with pytest.raises(RuntimeError, match="ended in a fault"):
        runs(machine, "cpnet icmp 10.0.0.1")()


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (["cpnet ping 10.0.0.1"], "'cpnet ping 10.0.0.1': 'ping' is no method"),
        (["cpnet icmp 10.0.0.1", "cpnet"], "'cpnet': write 'network method address'"),
        ([f"a icmp 10.0.0.{number}" for number in range(33)], "33 targets; give at most 32"),
        ("cpnet icmp 10.0.0.1", "put it in square brackets"),
        ([1], "text in quotes"),
    ],
)
def test_a_wrong_target_is_named(targets: object, said: str) -> None:
    """In the agent's own file with its line, in a signed configuration as the reason of the refusal."""
    probes = {"networks": PROBE}
    text = f"[probes.networks]\ntargets = {json.dumps(targets)}\n"
    with pytest.raises(ConfigError, match=r"agent\.toml:\d: ") as caught:
        config.load(text, "agent.toml", {}, probes)
    assert said in str(caught.value)
    content = {"probes": {"networks": {"targets": targets}}}
    with pytest.raises(ConfigError, match="signed configuration: ") as caught:
        config.with_remote(config.AgentConfig(), content, probes)
    assert said in str(caught.value)


def test_targets_of_the_signed_configuration_take_the_place_of_the_files() -> None:
    """And are handed to the probe."""
    probes = {"networks": PROBE}
    own = config.load('[probes.networks]\ntargets = ["a icmp 10.0.0.1"]\n', "x", {}, probes)
    steered = config.with_remote(own, {"probes": {"networks": {"targets": ["b icmp 10.0.0.2"]}}}, probes)
    assert config.plan(own, PROBE, "pc").config.targets == ("a icmp 10.0.0.1",)
    assert config.plan(steered, PROBE, "pc").config.targets == ("b icmp 10.0.0.2",)


def test_a_recorded_machine_is_asked_what_was_recorded(tmp_path: Path) -> None:
    """Answers of network.json; what is not there was not sent, and says so."""
    plug(tmp_path, eth0=True)
    recorded = [
        {"path": "eth0", "asked": "icmp 10.0.0.1", "rtts_ms": [1.0, 3.0, None]},
        {"path": "eth0", "asked": "tcp a.vn:443", "outcome": "refused", "rtt_ms": 2.5},
        {"asked": "name a.vn", "addresses": ["203.0.113.5"]},
    ]
    (tmp_path / "network.json").write_text(json.dumps(recorded))
    settings = networks.Config(
        targets=("cpnet icmp 10.0.0.1", "internet tcp a.vn:443", "other icmp 10.9.9.9"), spread_s=0
    )
    run = Runner(ReplaySystem(tmp_path), lambda: "0" * 16 + "-1").execute(PROBE, settings)
    assert run.status is Status.OK, run.error
    *reached, both = run.facts
    assert {one.key: (one.fields["reached"], one.fields["how"]) for one in reached} == {
        "cpnet eth0": ("yes", "icmp 10.0.0.1"),
        "internet eth0": ("yes", "tcp a.vn:443: refused, so it was reached"),
        "other eth0": ("not_tested", "icmp 10.9.9.9: not recorded"),
    }
    assert both.fields == {"networks": "cpnet,internet", "paths": "eth0"}


def test_five_minutes_of_two_networks_stay_small(machine: Machine, net: Net) -> None:
    """What travels in a usual report beside the envelope: at most 250 bytes for two networks on one path."""

    def sealed(runs_of: list[Run]) -> int:
        head = Report(SCHEMA, "a" * 16, "5e" * 8, 9, None, runs_of[0].clock, "pc", "0.1.0", tuple(runs_of))
        return len(codec.encode(head))

    run = runs(machine, "cpnet icmp 10.0.0.1", "internet icmp 203.0.113.5")
    runner = Runner(machine, lambda: "0" * 16 + "-1")
    done: list[Run] = []
    for minute in range(5):
        net.boot_ms += 60_007
        net.replies = {
            ("eth0", "icmp 10.0.0.1"): echo(*(4.137 + 0.731 * (minute * part % 7) for part in (1, 2, 3))),
            ("eth0", "icmp 203.0.113.5"): echo(*(23.91 + 3.177 * (minute * part % 5) for part in (1, 2, 3))),
        }
        one = execute(run, runner)
        samples = tuple(sample for sample in one.samples if sample.tags["path"] == "eth0")
        assert len(samples) == 6
        steady = {"facts": (), "unchanged": True, "id": f"{'5e' * 8}-{minute * 3}"}
        done.append(dataclasses.replace(one, samples=samples, **steady))  # type: ignore[arg-type]
    empty = [dataclasses.replace(one, samples=(), facts_digest="", unchanged=False) for one in done[:1]]
    assert sealed(done) - sealed(empty) < 250


def test_what_is_declared_is_what_is_sent(machine: Machine, net: Net) -> None:
    """Every field of a run with everything in it stands in FIELDS, and every one of FIELDS is used."""
    net.replies = {
        (path, what): echo(1.0, 2.0)
        for path in ("eth0", "eth1")
        for what in ("icmp 10.0.0.1", "icmp 10.0.0.2")
    }
    result = runs(machine, "cpnet icmp 10.0.0.1", "internet icmp 10.0.0.2")()
    sent = {one.name for one in result.samples} | {
        f"{one.kind}.{name}" for one in result.facts for name in one.fields
    }
    assert sent == {one.name for one in networks.FIELDS}
    assert all(isinstance(one, Fact) for one in result.facts)
