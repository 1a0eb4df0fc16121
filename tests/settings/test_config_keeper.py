"""Configurations follow the tree: who gets a new one, who none, and what happens while somebody is away."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pytest

from hatang_agent.wire import codec, topics
from hatang_agent.wire.messages import SignedConfig
from hatang_agent.wire.secrets import config_key
from hatang_collector.broker.configs import ConfigPublisher
from hatang_collector.broker.contract import BrokerUnavailable
from hatang_collector.broker.vault import Vault
from hatang_collector.configkeeper import ConfigKeeper
from hatang_collector.domain.estate import Placement, SuccessionKind
from hatang_collector.domain.estate import Succession as Step
from hatang_collector.domain.localtime import midnight_ms
from hatang_collector.domain.settings import Delivery
from hatang_collector.ledger import config_numbers, credentials, deliveries, machines
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.errors import LedgerUnavailable
from settings.province import COMMUNE, ESTATE, NOW_MS, WARD, drop, found, place, put
from support.wait import until
from web.webkit import TestClock, agent_id

SECRET = "ab" * 32


@dataclass
class Link:
    """Stands for the connection to the broker: keeps what is retained, or is away."""

    retained: dict[str, bytes] = field(default_factory=dict)
    published: list[list[str]] = field(default_factory=list)
    away: bool = False

    def publish(self, messages: Iterable[tuple[str, bytes]], *, retain: bool) -> None:
        """Take them all, or none."""
        assert retain
        if self.away:
            raise BrokerUnavailable("the broker is away")
        sent = dict(messages)
        self.published.append(list(sent))
        self.retained |= sent


@dataclass
class Office:
    """A ledger with machines, a keeper, and what the broker has."""

    ledger: Ledger
    vault: Vault
    link: Link = field(default_factory=Link)
    clock: TestClock = field(default_factory=lambda: TestClock(NOW_MS))

    def __post_init__(self) -> None:
        self.configs = ConfigPublisher(self.ledger, self.vault, self.link)
        self.keeper = ConfigKeeper(self.ledger, self.configs, self.clock)

    def add(self, count: int, *, first: int = 1, role: str = "pc", site: str = "qd1") -> list[str]:
        """Machines as enrolment leaves them: with a secret, number 1 and a place."""
        agents = [agent_id(number) for number in range(first, first + count)]
        with self.ledger.write() as c:
            for agent in agents:
                machines.add(c, machines.Machine(agent, agent, "", role, NOW_MS))
                credentials.put(c, agent, self.vault.seal(agent, SECRET), NOW_MS)
                config_numbers.next_number(c, agent, "{}")
        for agent in agents if site else []:
            place(self.ledger, agent, site)
        return agents

    def config(self, agent: str) -> SignedConfig:
        """What the broker holds for an agent; its signature is right."""
        found = codec.decode_small(SignedConfig, self.link.retained[topics.config(agent)])
        assert codec.genuine(config_key(SECRET), agent, found)
        return found

    def numbers(self) -> dict[str, int]:
        """The last number of each agent in the ledger."""
        with self.ledger.read() as c:
            return {agent: number for agent, (number, _) in deliveries.stored(c).items()}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office with the small estate."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.migrate()
    found(ledger)
    yield Office(ledger, Vault(tmp_path / "vault.key"))
    ledger.close()


def test_a_setting_reaches_exactly_the_machines_below(office: Office) -> None:
    """A value at a unit comes to its machines; a value of a role to that role; nobody else is touched."""
    (pc,) = office.add(1)
    (probe,) = office.add(1, first=2, role="probe")
    (far,) = office.add(1, first=3, site="th1")
    put(office.ledger, "unit:20014", "reporting.report_s", 60, "pc")
    put(office.ledger, "unit:20014", "schedule.sample_s", 30)

    assert office.keeper.round() == 2
    assert office.config(pc).content == {"reporting": {"report_s": 60}, "schedule": {"sample_s": 30}}
    assert office.config(probe).content == {"schedule": {"sample_s": 30}}
    assert topics.config(far) not in office.link.retained
    assert office.numbers() == {pc: 2, probe: 2, far: 1}


def test_nobody_is_told_twice(office: Office) -> None:
    """A change that does not change a machine's content signs and publishes nothing for it."""
    agents = office.add(3)
    put(office.ledger, "all", "reporting.report_s", 60)
    assert office.keeper.round() == 3
    before = list(office.link.published)

    put(office.ledger, "unit:46", "reporting.report_s", 60)  # the same value from nearer
    put(office.ledger, "unit:20015", "reporting.report_s", 30)  # of others
    place(office.ledger, agents[0], "", "20014")  # elsewhere, under the same unit
    assert office.keeper.round() == 0
    assert office.keeper.round() == 0
    assert office.link.published == before
    assert set(office.numbers().values()) == {2}


def test_clearing_gives_the_default_back(office: Office) -> None:
    """An emptied configuration is a new one too: the agent falls back to its own values."""
    (agent,) = office.add(1)
    put(office.ledger, "site:qd1", "probes.usage.enabled", False)
    office.keeper.round()
    assert office.config(agent).content == {"probes": {"usage": {"enabled": False}}}
    drop(office.ledger, "site:qd1", "probes.usage.enabled")
    assert office.keeper.round() == 1
    assert (office.config(agent).number, office.config(agent).content) == (3, {})


def test_a_moved_machine_gets_its_new_places_settings(office: Office) -> None:
    """Placing it elsewhere is enough."""
    (agent,) = office.add(1)
    put(office.ledger, "unit:20014", "reporting.report_s", 60)
    put(office.ledger, "site:th1", "reporting.report_s", 30)
    office.keeper.round()
    place(office.ledger, agent, "th1")
    assert office.keeper.round() == 1
    assert office.config(agent).content == {"reporting": {"report_s": 30}}


def test_a_merger_that_was_entered_before_takes_effect_at_midnight(office: Office) -> None:
    """On the day itself machines inherit from the successor, without anybody touching anything."""
    (agent,) = office.add(1)
    on = date(2026, 11, 21)
    merged = replace(
        ESTATE,
        units=(ESTATE.units[0], replace(COMMUNE, valid_to=on), WARD),
        successions=(Step("20014", "20015", on, SuccessionKind.MERGE),),
        site_units=(),
    )
    found(office.ledger, merged)
    place(office.ledger, agent, "", "20014")
    put(office.ledger, "unit:20015", "reporting.report_s", 60)
    assert office.keeper.round() == 0
    office.clock.ms = midnight_ms(on)
    assert office.keeper.round() == 1
    assert office.config(agent).content == {"reporting": {"report_s": 60}}


def test_retired_machines_and_forgotten_keys_are_left_alone(office: Office) -> None:
    """A retired machine gets nothing more, and a key that this program does not know is not sent."""
    stays, goes = office.add(2)
    with office.ledger.write() as c:
        machines.retire(c, goes, NOW_MS)
    put(office.ledger, "all", "reporting.report_s", 60)
    put(office.ledger, "all", "reporting.of_yesterday", 1)
    assert office.keeper.round() == 1
    assert list(office.link.retained) == [topics.config(stays)]
    assert office.config(stays).content == {"reporting": {"report_s": 60}}


def test_the_first_configuration_is_the_one_the_keeper_would_make(office: Office) -> None:
    """A machine that enrols has its place's settings at once, and no second number follows."""
    put(office.ledger, "unit:46", "reporting.report_s", 60)
    put(office.ledger, "site:qd1", "schedule.sample_s", 10, "probe")
    agent = agent_id(7)
    first = office.keeper.first_config("pc", Placement(agent, NOW_MS, "", "qd1"))
    assert first == {"reporting": {"report_s": 60}}
    assert office.keeper.first_config("pc", Placement(agent, NOW_MS)) == {}
    office.add(1, first=7)
    with office.ledger.write() as c:
        config_numbers.next_number(c, agent, json.dumps(first))
    assert office.keeper.round() == 0


def test_a_broker_that_is_away_gets_it_later(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    """What changed meanwhile is stored under one number, sent once it is back, and told once each way."""
    agents = office.add(2)
    office.link.away = True
    put(office.ledger, "all", "reporting.report_s", 60)
    with caplog.at_level(logging.WARNING):
        office.keeper.start()
        until(lambda: caplog.messages, what="the warning")
        until(lambda: set(office.numbers().values()) == {2}, what="the numbers")
        for _ in range(3):
            office.keeper.poke()
        office.link.away = False
        until(lambda: len(office.link.retained) == 2, what="both configurations")
        until(lambda: len(caplog.messages) == 2, what="the all-clear")
        office.keeper.end()
    assert caplog.messages == [
        "changed settings wait: the broker is away",
        "changed settings are sent again",
    ]
    assert {office.config(agent).number for agent in agents} == {2}


def test_a_ledger_that_is_away_stops_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The keeper goes on once the ledger answers again, and says so once each way."""
    (agent,) = office.add(1)
    put(office.ledger, "all", "reporting.report_s", 60)

    def away() -> None:
        raise LedgerUnavailable("connection refused")

    with caplog.at_level(logging.WARNING), monkeypatch.context() as patched:
        patched.setattr(office.ledger, "read", away)
        office.keeper.start()
        until(lambda: caplog.messages, what="the warning")
        patched.undo()
        office.keeper.poke()
        until(lambda: topics.config(agent) in office.link.retained, what="the configuration")
        until(lambda: len(caplog.messages) == 2, what="the all-clear")
        office.keeper.end()
    assert office.config(agent).content == {"reporting": {"report_s": 60}}
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "changed settings wait",
        "changed settings are sent again",
    ]


def test_a_machine_that_retired_before_it_was_sent_stays_off_the_broker(office: Office) -> None:
    """Nothing is retained again for a machine whose configuration was taken off."""
    (agent,) = office.add(1)
    office.link.away = True
    put(office.ledger, "all", "reporting.report_s", 60)
    with pytest.raises(BrokerUnavailable):
        office.keeper.round()
    with office.ledger.write() as c:
        machines.retire(c, agent, NOW_MS)
    office.link.away = False
    office.keeper.round()
    assert office.link.retained == {}


def test_a_configuration_that_is_too_large_is_kept_back_once(
    office: Office, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One machine's texts do not stop the others, and the log says it once."""
    small, large = office.add(2)
    put(office.ledger, "all", "reporting.report_s", 60)
    put(office.ledger, f"machine:{large}", "reporting.report_s", 61)

    def as_json(content: object) -> str:
        if "61" in str(content):
            raise ValueError("too large")
        return json.dumps(content)

    monkeypatch.setattr("hatang_collector.configkeeper.as_json", as_json)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            put(office.ledger, "unit:20015", "reporting.report_s", 60)
            office.keeper.round()
    assert list(office.link.retained) == [topics.config(small)]
    assert len(caplog.messages) == 1


def test_a_burst_is_cut_so_that_others_get_in_between(office: Office) -> None:
    """250 machines are three transactions and three sendings, each machine once."""
    agents = office.add(250, site="")
    put(office.ledger, "all", "reporting.report_s", 60)
    assert office.keeper.round() == 250
    assert [len(batch) for batch in office.link.published] == [100, 100, 50]
    assert set(office.numbers().values()) == {2}
    assert len(office.link.retained) == len(agents)


def test_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    """The same on the other database: changed ones only, and what agents said beside what was sent."""
    ledger = Ledger(postgres_url)
    try:
        ledger.migrate()
        found(ledger)
        office = Office(ledger, Vault(tmp_path / "vault.key"))
        near, far = office.add(1)[0], office.add(1, first=2, site="th1")[0]
        put(ledger, "unit:20014", "reporting.report_s", 60)
        assert office.keeper.round() == 1
        assert office.keeper.round() == 0
        assert office.config(near).content == {"reporting": {"report_s": 60}}
        with ledger.read() as c:
            known = deliveries.reports(c, [near, far, "unknown"])
    finally:
        ledger.close()
    assert {agent: (one.state, one.sent) for agent, one in known.items()} == {
        near: (Delivery.WAITING, 2),
        far: (Delivery.WAITING, 1),
        "unknown": (Delivery.NOTHING, None),
    }
