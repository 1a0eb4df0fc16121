"""Ingest at a real broker: everything acked is journaled, whatever breaks in between."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from hatang_agent.wire import codec, topics
from hatang_agent.wire.messages import Ack, CollectorHello, Farewell, Rejection
from hatang_collector.broker.contract import BrokerLogin
from hatang_collector.ingest.mqtt import MqttIngest
from ingest.ingest_support import NOW_MS, PC, PROBE, Bench, beat, birth, presence, sealed
from ingest.test_pipeline import BROKEN
from support.servers import Mosquitto
from support.wait import until


class Sender:
    """An agent's connection: publishes, and collects what comes on its ack topic."""

    def __init__(self, mosquitto: Mosquitto, agents: tuple[str, ...] = (PC, PROBE)) -> None:
        self.acks: dict[str, list[Ack]] = {agent: [] for agent in agents}
        self.hellos: list[CollectorHello] = []
        self.client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self.client.on_message = self._on_message
        self.client.reconnect_delay_set(1, 1)
        self._subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        wanted = [(topics.ack(agent), 1) for agent in agents] + [(topics.COLLECTOR, 1)]
        self.client.on_connect = lambda client, *_: client.subscribe(wanted)
        self.client.connect(mosquitto.host, mosquitto.port)
        self.client.loop_start()
        assert self._subscribed.wait(10)

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        if message.topic == topics.COLLECTOR:
            self.hellos.append(codec.decode_small(CollectorHello, bytes(message.payload)))
            return
        agent = message.topic.split("/")[3]
        self.acks[agent].append(codec.decode_small(Ack, bytes(message.payload)))

    def journaled(self, agent: str = PC) -> set[str]:
        return {digest for ack in self.acks[agent] for digest in ack.journaled}

    def rejected(self, agent: str = PC) -> set[Rejection]:
        return {one for ack in self.acks[agent] for one in ack.rejected}

    def has(self, answer: str | Rejection) -> bool:
        return answer in self.journaled() or answer in self.rejected()

    def send(
        self, payload: bytes, topic: str = topics.report(PC), *, qos: int = 1, retain: bool = False
    ) -> None:
        self.client.publish(topic, payload, qos=qos, retain=retain)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def make_ingest(bench: Bench, mosquitto: Mosquitto) -> Iterator[Callable[..., MqttIngest]]:
    """Starts ingest at the broker of this test; stopped at the end."""
    started: list[MqttIngest] = []

    def make(epoch: str = "e1", now_ms: Callable[[], int] = lambda: NOW_MS, **given: Any) -> MqttIngest:
        login = BrokerLogin(mosquitto.host, mosquitto.port, "", "")
        ingest = MqttIngest(
            bench.pipeline, login, collector="c1", epoch=epoch, now_ms=now_ms, reconnect_s=(1, 1), **given
        )
        ingest.start()
        until(lambda: ingest.connected, what="connected")
        started.append(ingest)
        return ingest

    yield make
    for ingest in started:
        ingest.stop()


@pytest.fixture
def sender(mosquitto: Mosquitto) -> Iterator[Sender]:
    """An agent."""
    made = Sender(mosquitto)
    yield made
    made.close()


def test_reports_are_journaled_and_acked(
    bench: Bench, make_ingest: Callable[..., MqttIngest], sender: Sender
) -> None:
    """Every report sent is acknowledged by its digest and is in the journal, in the order of sending."""
    make_ingest()
    until(lambda: sender.hellos == [CollectorHello("c1", "e1")], what="the hello of the collector")
    wires = [sealed(seq) for seq in range(1, 1_201)]
    for wire in wires:
        sender.send(wire)
    until(lambda: len(sender.journaled()) == 1_200, 30, "all acks")
    assert sender.journaled() == {codec.digest(wire) for wire in wires}
    assert [entry.payload for entry in bench.entries()] == wires


def test_every_kind_of_broken_message(
    bench: Bench, make_ingest: Callable[..., MqttIngest], sender: Sender
) -> None:
    """Each ends as a dead letter with its reason and a rejection, and the next good report is journaled."""
    make_ingest()
    for seq, (reason, wire) in enumerate(BROKEN.items(), start=1):
        good = sealed(seq)
        sender.send(wire)
        sender.send(good)
        until(partial(sender.has, codec.digest(good)), what=f"the good one behind {reason}")
        until(partial(sender.has, Rejection(codec.digest(wire), reason)), what=f"rejection of {reason}")
    assert bench.reasons() == list(BROKEN)
    assert [letter.payload for letter in bench.deadletters.letters()] == list(BROKEN.values())
    assert len(bench.entries()) == len(BROKEN)


def test_wrong_topics_and_strangers(
    bench: Bench, make_ingest: Callable[..., MqttIngest], sender: Sender
) -> None:
    """A wrong shard, a strange id, an unknown agent are kept apart, and the next report is taken."""
    make_ingest()
    shard = (topics.shard(PC) + 1) % topics.SHARDS
    sender.send(sealed(1), f"{topics.ROOT}/{shard}/{PC}/report")
    sender.send(sealed(1), f"{topics.ROOT}/1/Not-An-Agent/report")
    sender.send(sealed(1, agent="d" * 16), topics.report("d" * 16))
    sender.send(sealed(2))
    until(lambda: sender.journaled() == {codec.digest(sealed(2))}, what="the good report")
    assert bench.reasons() == ["unknown_topic", "unknown_topic", "unknown_agent"]


def test_births_beats_and_goodbyes(
    bench: Bench, make_ingest: Callable[..., MqttIngest], sender: Sender
) -> None:
    """A live birth gives the clock, a beat the live state, a goodbye ends it; a retained one nothing."""
    retained = birth(50, agent=PROBE)
    sender.send(retained.payload, retained.topic, retain=True)
    make_ingest()
    until(lambda: bench.entries("probe"), what="the retained birth")
    for message, qos in ((birth(100), 1), (beat(1, 200, 0), 0), (presence(Farewell.SLEEP), 1)):
        sender.send(message.payload, message.topic, qos=qos)
    until(lambda: bench.entries(kind="presence"), what="the goodbye")
    assert [(one.kind, one.header.get("live")) for one in bench.entries("probe")] == [("birth", False)]
    assert {entry.kind for entry in bench.entries()} == {"birth", "clock", "beats", "presence"}
    machine = bench.live.get(PC)
    assert machine is not None
    assert machine.farewell == "sleep"


def test_a_disk_that_fails_acks_nothing_and_loses_nothing(
    bench: Bench,
    make_ingest: Callable[..., MqttIngest],
    sender: Sender,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While the journal cannot be written no answer leaves; when it can, everything waiting is taken."""
    make_ingest(receive_maximum=50)
    stream = bench.journal.stream("pc")
    append, refused = stream.append, []

    def full(entries: Any) -> int:
        refused.append(len(entries))
        raise OSError(28, "No space left on device")

    with caplog.at_level(logging.WARNING):
        monkeypatch.setattr(stream, "append", full)
        wires = [sealed(seq) for seq in range(1, 301)]
        for wire in wires:
            sender.send(wire)
        until(lambda: len(refused) >= 2, what="two attempts")
        assert sender.journaled() == set()
        monkeypatch.setattr(stream, "append", append)
        until(lambda: len(sender.journaled()) == 300, 20, "all acks")
    assert [entry.payload for entry in bench.entries()] == wires
    told = [record.getMessage() for record in caplog.records if "journal" in record.getMessage()]
    assert len(told) == 2
    assert "No space left on device" in told[0]
    assert told[1] == "journaling again; nothing was lost"


def test_the_broker_killed_and_back(
    bench: Bench, mosquitto: Mosquitto, make_ingest: Callable[..., MqttIngest], sender: Sender
) -> None:
    """Ingest reconnects by itself, says hello again, and takes what comes."""
    ingest = make_ingest()
    sender.send(sealed(1))
    until(lambda: len(sender.journaled()) == 1, what="first ack")
    mosquitto.kill()
    until(lambda: not ingest.connected, what="connection lost")
    hellos = len(sender.hellos)
    mosquitto.start()
    until(lambda: ingest.connected and len(sender.hellos) > hellos, 20, "hello after the restart")
    sender.send(sealed(2))
    until(lambda: len(sender.journaled()) == 2, 20, "second ack")
    assert [entry.header["seq"] for entry in bench.entries()] == [1, 2]


def test_a_message_that_breaks_this_program_is_set_aside(
    bench: Bench,
    make_ingest: Callable[..., MqttIngest],
    sender: Sender,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bug on one report costs that report a dead letter, not the ingest of the others."""
    poison = codec.digest(sealed(3))
    plan_report = bench.pipeline._is_new

    def is_new(plan: Any, key: bytes) -> bool:
        if key.startswith(bytes.fromhex(poison)[:16]):
            raise KeyError("a bug")
        return plan_report(plan, key)

    monkeypatch.setattr(bench.pipeline, "_is_new", is_new)
    make_ingest()
    for seq in range(1, 6):
        sender.send(sealed(seq))
    until(lambda: len(sender.journaled()) == 4 and sender.rejected(), what="all answers")
    assert sender.rejected() == {Rejection(poison, "ingest_failed")}
    assert bench.reasons() == ["ingest_failed"]
    assert json.loads(json.dumps(bench.deadletters.letters()[0].detail)) == "KeyError: 'a bug'"


def test_a_full_queue_of_the_broker_is_no_queue_of_ours(
    bench: Bench, make_ingest: Callable[..., MqttIngest], sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk is slow, no more than the receive maximum waits in memory."""
    gate = threading.Event()
    stream = bench.journal.stream("pc")
    append = stream.append

    def slow(entries: Any) -> int:
        gate.wait(20)
        return append(entries)

    monkeypatch.setattr(stream, "append", slow)
    ingest = make_ingest(receive_maximum=40)
    for seq in range(1, 401):
        sender.send(sealed(seq))
    until(lambda: not sender.client._out_messages, what="all sent to the broker")
    assert len(ingest._queue) <= 40
    gate.set()
    until(lambda: len(sender.journaled()) == 400, 20, "all acks")


def test_a_broker_that_denies_reading_is_told(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """Without the right to read, no hello invites agents to send, and one line says what is wrong."""
    ingest = MqttIngest(bench.pipeline, BrokerLogin("127.0.0.1", 1, "", ""), collector="c1", epoch="e1")
    published: list[str] = []
    client = ingest._client
    client.publish = lambda topic, *_, **__: published.append(topic)  # type: ignore[method-assign,assignment]
    granted, denied = (ReasonCode(PacketTypes.SUBACK, name) for name in ("Granted QoS 1", "Not authorized"))
    with caplog.at_level(logging.ERROR):
        ingest._on_subscribe(client, None, 1, [granted, denied], None)
    assert "does not let the collector read" in caplog.text
    assert published == []
    ingest._on_subscribe(client, None, 2, [granted, granted], None)
    assert published == [topics.COLLECTOR]
