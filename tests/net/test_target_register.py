"""The register of targets becomes the lines that each machine is given, and nothing an agent would refuse."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent import config, registry
from hatang_agent.net.targets import parse
from hatang_agent.probes import networks, services
from hatang_agent.wire import codec
from hatang_agent.wire.messages import SignedConfig
from hatang_collector.broker.configs import ConfigPublisher
from hatang_collector.broker.vault import Vault
from hatang_collector.configkeeper import ConfigKeeper
from hatang_collector.domain import targets as register
from hatang_collector.domain.estate import (
    Estate,
    Method,
    Network,
    Placement,
    Service,
    Succession,
    SuccessionKind,
    Target,
    Unit,
)
from hatang_collector.domain.targets import Refused, Targets, fault
from hatang_collector.domain.tree import Tree
from hatang_collector.ledger import config_numbers, credentials, machines
from hatang_collector.ledger import estate as estates
from hatang_collector.ledger.engine import Ledger
from hatang_collector.settings_keys import keys, registers
from settings.province import COMMUNE, DAY, ESTATE, NOW_MS, WARD, found, place, put
from web.webkit import TestClock, agent_id

ROWS = (
    Target("b-all", Network.CPNET, Method.ICMP, "10.0.0.1"),
    Target("a-commune", Network.CPNET, Method.TCP, "10.1.0.1:443", unit="20014"),
    Target("c-province", Network.INTERNET, Method.HTTP, "https://example.vn/", unit="46"),
    Target("d-ward", Network.CPNET, Method.ICMP, "10.2.0.1", unit="20015"),
    Target("e-mc", Network.SERVICE, Method.HTTP, "https://mc.example.vn/", service="mot-cua"),
    Target("f-dns", Network.INTERNET, Method.DNS, "example.vn"),
    Target("g-old", Network.CPNET, Method.ICMP, "10.9.0.1", valid_to=date(2026, 1, 1)),
)
SERVICES = (Service("mot-cua", "Một cửa"),)
WITH_TARGETS = replace(ESTATE, targets=ROWS, services=SERVICES)


def of(estate: Estate, *units: str, day: date = DAY) -> dict[str, tuple[str, ...]]:
    """What a machine of these units is given, the nearest first."""
    tree = Tree(estate.units, estate.successions)
    return dict(Targets(estate, tree, day).of(["machine:x", *(f"unit:{one}" for one in units), "all"]))


def test_the_nearest_targets_come_first() -> None:
    """Of the own unit, of those above it, of everybody; not of others, and not what has ended."""
    assert of(WITH_TARGETS, "20014", "46") == {
        "networks": (
            "cpnet tcp 10.1.0.1:443",
            "internet http https://example.vn/",
            "cpnet icmp 10.0.0.1",
            "internet dns example.vn",
        ),
        "services": ("mot-cua http https://mc.example.vn/",),
    }
    assert of(WITH_TARGETS)["networks"] == ("cpnet icmp 10.0.0.1", "internet dns example.vn")
    assert of(ESTATE, "20014", "46") == {}


def test_a_target_of_a_merged_unit_goes_on_with_its_successor() -> None:
    """From the day of the merger."""
    step = Succession("20014", "20015", date(2026, 12, 1), SuccessionKind.MERGE)
    merged = replace(
        WITH_TARGETS,
        units=(ESTATE.units[0], replace(COMMUNE, valid_to=step.on), WARD),
        successions=(step,),
    )
    assert "cpnet tcp 10.1.0.1:443" not in of(merged, "20015", "46")["networks"]
    assert "cpnet tcp 10.1.0.1:443" in of(merged, "20015", "46", day=date(2026, 12, 1))["networks"]


def test_targets_of_a_service_end_with_it() -> None:
    """And one that nobody knows is not asked."""
    ended = replace(WITH_TARGETS, services=(replace(SERVICES[0], valid_to=date(2026, 11, 1)),))
    assert "services" not in of(ended)
    assert "services" not in of(replace(WITH_TARGETS, services=()))


@pytest.mark.parametrize(
    ("method", "address", "said"),
    [
        (Method.TCP, "10.0.0.1", "give host:port"),
        (Method.ICMP, "http://10.0.0.1", "neither a host name nor an IP address"),
        (Method.HTTP, "https://me:pw@a.vn", "nothing ever logs in"),
        (Method.DNS, "", "write 'network method address'"),
        (Method.ICMP, "two words", "no method"),
    ],
)
def test_a_slip_in_the_register_is_named_and_left_out(method: Method, address: str, said: str) -> None:
    """The others are still asked; the password in one is not repeated."""
    bad = Target("z-bad", Network.CPNET, method, address)
    assert said in fault(bad)
    assert "pw" not in fault(bad)
    estate = replace(WITH_TARGETS, targets=(*ROWS, bad))
    made = Targets(estate, Tree(estate.units), DAY)
    assert made.refused == (Refused("z-bad", fault(bad)),)
    assert made.of(["all"]) == Targets(WITH_TARGETS, Tree(ESTATE.units), DAY).of(["all"])


def test_both_sides_have_one_limit() -> None:
    """An agent refuses more than it takes, with everything else in that configuration."""
    limits = {"networks": networks.MAX_TARGETS, "services": services.MAX_TARGETS}
    assert dict(register.MOST) == limits


def test_no_machine_is_given_more_than_its_agent_takes() -> None:
    """The nearest ones, each once."""
    near = tuple(
        Target(f"n{n:03}", Network.CPNET, Method.ICMP, f"10.0.1.{n}", unit="20014") for n in range(20)
    )
    far = tuple(Target(f"a{n:03}", Network.CPNET, Method.ICMP, f"10.0.{n % 2}.{n}") for n in range(40))
    found = of(replace(ESTATE, targets=near + far), "20014", "46")["networks"]
    assert len(found) == len(set(found)) == register.MOST["networks"]
    assert found[:20] == tuple(f"cpnet icmp 10.0.1.{n}" for n in range(20))


@given(
    st.builds(
        Target,
        code=st.text(min_size=1, max_size=8),
        network=st.sampled_from(Network),
        method=st.sampled_from(Method),
        address=st.text(max_size=40)
        | st.sampled_from(["10.0.0.1", "a.vn:80", "https://a.vn/", "a.vn", "::1"]),
        service=st.sampled_from(["mot-cua", "Một cửa", "", "a b", "x\ny"]),
    )
)
def test_whatever_is_registered_agents_can_read_what_they_get(target: Target) -> None:
    """A line is read back as the same target; everything else is refused here."""
    estate = Estate(targets=(target,), services=(Service(target.service, "x"),))
    given_out = Targets(estate, Tree(()), DAY)
    lines = [line for of_probe in given_out.of(["all"]).values() for line in of_probe]
    assert len(lines) + len(given_out.refused) == 1
    for line in lines:
        read = parse(line)
        assert (str(read.method), read.address) == (str(target.method), target.address.strip())


def test_the_keys_are_nobodys_settings() -> None:
    """They travel, but no page lists them; both are taken by the agent."""
    assert registers() == {"networks": "probes.networks.targets", "services": "probes.services.targets"}
    assert not set(registers().values()) & set(keys())
    probes = registry.probes()
    content = {"probes": {name: {"targets": ["x icmp 10.0.0.1"]} for name in registers()}}
    taken = config.with_remote(config.AgentConfig(), content, probes)
    for name in registers():
        assert config.plan(taken, probes[name], "pc").config.targets == ("x icmp 10.0.0.1",)


@dataclass
class Retained:
    """Stands for the broker: keeps the newest message of each topic."""

    messages: dict[str, bytes] = field(default_factory=dict)

    def publish(self, messages: Iterable[tuple[str, bytes]], *, retain: bool) -> None:
        assert retain
        self.messages |= dict(messages)

    def content(self) -> dict[str, object]:
        """The content of the only configuration there is."""
        (payload,) = self.messages.values()
        return dict(codec.decode_small(SignedConfig, payload).content)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with the estate and one machine in the commune."""
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    made.migrate()
    found(made, WITH_TARGETS)
    vault = Vault(tmp_path / "vault.key")
    agent = agent_id(1)
    with made.write() as c:
        machines.add(c, machines.Machine(agent, agent, "", "pc", NOW_MS))
        credentials.put(c, agent, vault.seal(agent, "ab" * 32), NOW_MS)
        config_numbers.next_number(c, agent, "{}")
    place(made, agent)
    yield made
    made.close()


def test_a_change_of_the_register_reaches_the_machine(ledger: Ledger, tmp_path: Path) -> None:
    """Beside what is set for the same probe; a target that ends is taken back."""
    broker = Retained()
    keeper = ConfigKeeper(
        ledger, ConfigPublisher(ledger, Vault(tmp_path / "vault.key"), broker), TestClock(NOW_MS)
    )
    put(ledger, "all", "probes.networks.echoes", 2)
    assert keeper.round() == 1
    lines = list(of(WITH_TARGETS, "20014", "46")["networks"])
    assert broker.content() == {
        "probes": {
            "networks": {"targets": lines, "echoes": 2},
            "services": {"targets": ["mot-cua http https://mc.example.vn/"]},
        }
    }
    assert keeper.first_config("pc", Placement(agent_id(2), NOW_MS, "", "qd1")) == broker.content()
    assert keeper.round() == 0

    def only_dns(before: Estate) -> Estate:
        return replace(before, targets=ROWS[5:6], services=())

    estates.edit(ledger, only_dns, who="admin", role="admin", now_ms=NOW_MS)
    assert keeper.round() == 1
    assert broker.content() == {"probes": {"networks": {"targets": ["internet dns example.vn"], "echoes": 2}}}
    config.with_remote(config.AgentConfig(), broker.content(), registry.probes())


def test_a_target_that_nobody_can_ask_is_told_once(
    ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With its code, the cause and what to do."""
    configs = ConfigPublisher(ledger, Vault(tmp_path / "vault.key"), Retained())
    keeper = ConfigKeeper(ledger, configs, TestClock(NOW_MS))
    bad = Target("z-bad", Network.CPNET, Method.TCP, "10.0.0.1")
    for unit in (Unit("1", "x"), Unit("2", "y")):

        def change(before: Estate, one: Unit = unit) -> Estate:
            return replace(before, targets=(*ROWS, bad), units=(*before.units, one))

        estates.edit(ledger, change, who="admin", role="admin", now_ms=NOW_MS)
        with caplog.at_level(logging.WARNING):
            keeper.round()
    (told,) = [one.getMessage() for one in caplog.records if "z-bad" in one.getMessage()]
    assert told.startswith("target z-bad is left out: ")
    assert told.endswith("correct it in the register of targets")


def test_the_lines_are_plain_json() -> None:
    """What is signed is text, so equal content is equal bytes."""
    assert json.loads(json.dumps(of(WITH_TARGETS))) == {
        name: list(lines) for name, lines in of(WITH_TARGETS).items()
    }
