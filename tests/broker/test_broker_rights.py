"""What each account may do at a real broker."""

from __future__ import annotations

from typing import Final

import pytest

from broker.lab import NOW_MS, Installation, Peers
from hatang_agent.wire import codec, topics
from hatang_agent.wire.messages import EnrolReply, SignedConfig
from hatang_agent.wire.secrets import config_key
from hatang_collector.broker.dynsec import CONTROL_TOPIC, RESPONSE_TOPIC
from support.wait import until

OK: Final = "Success"
NO_READER: Final = "No matching subscribers"
DENIED: Final = "Not authorized"
GRANTED: Final = "Granted QoS 1"


def test_an_agent_sends_on_its_own_topics_and_on_no_other(installation: Installation, peers: Peers) -> None:
    """The four kinds of its own are taken; others' topics, acks, configurations and control are not."""
    other = installation.enrol("một").agent
    reply = installation.enrol("hai")
    peer = installation.connect(peers, reply)
    mine = reply.agent
    allowed = [
        topics.report(mine),
        topics.beat(mine, "main"),
        topics.birth(mine, "backup-4g"),
        topics.presence(mine, "main"),
    ]
    refused = [
        topics.report(other),
        topics.beat(other, "main"),
        topics.birth(other, "main"),
        topics.presence(other, "main"),
        topics.ack(mine),
        topics.ack(other),
        topics.config(mine),
        topics.config(other),
        topics.COLLECTOR,
        topics.CANARY,
        topics.beat(mine, "main") + "/deeper",
        topics.report(mine) + "/deeper",
        "anything",
        "$SYS/broker/version",
        CONTROL_TOPIC,
    ]

    answers = {topic: peer.publish(topic) for topic in allowed + refused}

    assert {topic: answers[topic] for topic in allowed} == dict.fromkeys(allowed, NO_READER)
    assert {topic: answers[topic] for topic in refused} == dict.fromkeys(refused, DENIED)


def test_an_agent_reads_its_own_three_topics_and_no_other(installation: Installation, peers: Peers) -> None:
    """Acknowledgements, configuration and the collector's hello are granted; wildcards never."""
    other = installation.enrol("một").agent
    reply = installation.enrol("hai")
    mine = reply.agent
    peer = installation.connect(peers, reply)
    granted = [topics.ack(mine), topics.config(mine), topics.COLLECTOR]
    refused = [
        topics.ack(other),
        topics.config(other),
        topics.report(mine),
        topics.report(other),
        topics.birth(other, "main"),
        topics.birth(mine, "main"),
        topics.CANARY,
        "#",
        "+/+/+/+/ack",
        f"{topics.ROOT}/#",
        f"$share/group/{topics.ack(other)}",
        "$SYS/#",
        RESPONSE_TOPIC,
        "$CONTROL/#",
    ]

    answers = {topic: peer.subscribe(topic) for topic in granted + refused}

    assert {topic: answers[topic] for topic in granted} == dict.fromkeys(granted, GRANTED)
    assert {topic: answers[topic] for topic in refused} == dict.fromkeys(refused, DENIED)


def test_the_collector_reads_reports_and_writes_acks_but_cannot_report(
    installation: Installation, peers: Peers
) -> None:
    """The collector's own account is held to its part, and the rest of an agent's way works with it."""
    reply = installation.enrol()
    login = installation.broker.own_login()
    collector = peers.connect(login.port, login.username, login.password)
    agent = installation.connect(peers, reply)
    wanted = [*topics.subscriptions(), *topics.subscriptions(range(7, 9)), topics.CANARY, topics.COLLECTOR]

    assert {topic: collector.subscribe(topic) for topic in wanted} == dict.fromkeys(wanted, GRANTED)
    assert agent.subscribe(topics.ack(reply.agent)) == GRANTED
    assert agent.publish(topics.report(reply.agent), b"report") == OK
    assert collector.publish(topics.ack(reply.agent), b"ack") == OK
    assert agent.received.get(timeout=5) == (topics.ack(reply.agent), b"ack")
    assert collector.received.get(timeout=5) == (topics.report(reply.agent), b"report")
    assert collector.publish(topics.CANARY) == OK
    assert collector.publish(topics.COLLECTOR) == OK
    assert collector.publish(topics.report(reply.agent)) == DENIED
    assert collector.publish(CONTROL_TOPIC) == DENIED
    assert collector.subscribe("#") == DENIED


@pytest.mark.parametrize("case", ["wrong password", "no such agent", "nobody", "the secret itself"])
def test_who_is_not_enrolled_is_not_let_in(installation: Installation, peers: Peers, case: str) -> None:
    """Neither a wrong or missing password nor an unknown name gets a connection."""
    reply = installation.enrol()
    username, password = {
        "wrong password": (reply.agent, "0" * 64),
        "no such agent": ("a" * 16, "0" * 64),
        "nobody": (None, ""),
        "the secret itself": (reply.agent, reply.secret),
    }[case]

    peer = peers.connect(installation.port, username, password, reply.ca_pem)

    assert peer.refused in ("Not authorized", "Bad user name or password")


def test_a_will_on_anothers_topic_says_nothing(installation: Installation, peers: Peers) -> None:
    """Nobody can have the broker say that another agent is lost; an agent's own will is passed on."""
    other = installation.enrol("một").agent
    reply = installation.enrol("hai")
    login = installation.broker.own_login()
    collector = peers.connect(login.port, login.username, login.password)
    assert [collector.subscribe(topic) for topic in topics.subscriptions()] == [GRANTED] * 4
    for will in (topics.presence(other, "main"), topics.presence(reply.agent, "main")):
        peer = installation.connect(peers, reply, will=will)
        peer.break_off()
        assert peer.thrown_out.get(timeout=5)

    assert collector.received.get(timeout=5) == (topics.presence(reply.agent, "main"), b"lost")
    assert collector.received.empty()


def test_a_retired_machine_is_thrown_out_and_stays_out(installation: Installation, peers: Peers) -> None:
    """Retiring ends the connection of the moment, every later one, and over a restart of the broker."""
    reply = installation.enrol()
    kept = installation.enrol("ở lại")
    peer = installation.connect(peers, reply)

    installation.enroller.retire(reply.agent, NOW_MS)

    assert peer.thrown_out.get(timeout=5)
    assert installation.connect(peers, reply).refused == DENIED
    installation.broker.stop()
    installation.start()
    assert installation.connect(peers, reply).refused == DENIED
    assert installation.connect(peers, kept).refused == ""


def config_of(installation: Installation, peers: Peers, reply: EnrolReply) -> SignedConfig:
    """What an agent finds as its configuration when it connects; it must be genuine."""
    peer = installation.connect(peers, reply)
    assert peer.subscribe(topics.config(reply.agent)) == GRANTED
    _, payload = peer.received.get(timeout=5)
    config = codec.decode_small(SignedConfig, payload)
    assert codec.genuine(config_key(reply.secret), reply.agent, config)
    return config


def test_an_agent_finds_its_signed_configuration(installation: Installation, peers: Peers) -> None:
    """It is retained and genuine; a change has a higher number; it outlives the broker's folder."""
    reply = installation.enrol(role="probe")

    first = config_of(installation, peers, reply)
    number = installation.broker.configs.change(reply.agent, {"role": "probe", "beat_s": 2})
    second = config_of(installation, peers, reply)

    assert (first.number, dict(first.content)) == (1, {"role": "probe"})
    assert (second.number, dict(second.content)) == (number, {"role": "probe", "beat_s": 2})
    installation.wipe()
    installation.start()
    until(lambda: installation.broker.rounds > 0, what="configurations published")
    assert config_of(installation, peers, reply) == second


def test_a_configuration_too_large_for_an_agent_is_not_stored(installation: Installation) -> None:
    """What every agent would refuse is refused here, before it has a number."""
    reply = installation.enrol()

    with pytest.raises(ValueError, match="too large"):
        installation.broker.configs.change(reply.agent, {"text": "x" * 20_000})

    assert installation.broker.configs.change(reply.agent, {}) == 2
