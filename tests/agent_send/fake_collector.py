"""A collector in memory for the tests of the agent: journals what it gets and acknowledges."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from hatang_agent.wire import codec, topics
from hatang_agent.wire.messages import Ack, Beat, Birth, CollectorHello, Presence, Rejection
from hatang_agent.wire.report import Gap, Report, Run
from support.wait import until


class FakeCollector:
    """Journals reports by digest. ``answers`` off: takes reports but stays silent."""

    def __init__(self, port: int, *, epoch: str = "c" * 16, answers: bool = True) -> None:
        self.journal: dict[str, Report] = {}
        self.deliveries: Counter[str] = Counter()
        self.births: list[Birth] = []
        self.presences: list[Presence] = []
        self.beats: list[Beat] = []
        self.order: list[str] = []
        self.answers = answers
        self.forget_acks = 0
        self.reject: str | None = None
        self._epoch = epoch
        self._lock = threading.Lock()
        self._subscribed = threading.Event()
        self._port = port
        self._client: mqtt.Client | None = None

    def start(self) -> FakeCollector:
        """Connect, say hello and listen."""
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"collector-{self._epoch}",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_socket_open = _send_at_once
        client.reconnect_delay_set(1, 1)
        client.connect("127.0.0.1", self._port, clean_start=True)
        client.loop_start()
        self._client = client
        until(self._subscribed.is_set, what="the fake collector's subscription")
        return self

    def stop(self) -> None:
        """Go away without a trace but the retained hello."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send something to an agent."""
        assert self._client is not None
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(5)

    def runs(self) -> list[Run]:
        """All runs journaled, in the order of arrival."""
        with self._lock:
            return [run for report in self.journal.values() for run in report.runs]

    def gaps(self) -> list[Gap]:
        """All gaps journaled."""
        with self._lock:
            return [gap for report in self.journal.values() for gap in report.gaps]

    def ids(self, probe: str | None = None) -> list[str]:
        """Ids of the journaled runs."""
        return [run.id for run in self.runs() if probe in (None, run.probe)]

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in topics.subscriptions()])
        hello = CollectorHello("store-one", self._epoch)
        client.publish(topics.COLLECTOR, codec.encode(hello), qos=1, retain=True)

    def _on_message(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        topic = topics.parse(message.topic)
        assert topic is not None
        payload = bytes(message.payload)
        if topic.kind == "birth":
            self.births.append(codec.decode_small(Birth, payload))
        elif topic.kind == "presence":
            self.presences.append(codec.decode_small(Presence, payload))
        elif topic.kind == "beat":
            self.beats.append(codec.decode_small(Beat, payload))
        else:
            self._take(client, topic.agent, payload)

    def _take(self, client: mqtt.Client, agent: str, wire: bytes) -> None:
        digest = codec.digest(wire)
        with self._lock:
            self.deliveries[digest] += 1
            self.order.append(digest)
            if not self.answers:
                return
            if self.reject is None:
                self.journal[digest] = codec.decode(wire)
            if self.forget_acks > 0:
                self.forget_acks -= 1
                return
        ack = Ack((digest,)) if self.reject is None else Ack((), (Rejection(digest, self.reject),))
        client.publish(topics.ack(agent), codec.encode(ack), qos=1)


def _send_at_once(_client: Any, _data: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
