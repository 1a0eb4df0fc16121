"""An MQTT client that logs in with an enrolled agent's own credential and publishes what it is told to."""

from __future__ import annotations

import ssl
import threading
from types import TracebackType
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from hatang_agent.identity import Credential
from hatang_agent.wire import codec, topics
from hatang_agent.wire.messages import Ack
from hatang_agent.wire.secrets import broker_password
from support.wait import until

JOURNALED = "journaled"


class AgentClient:
    """Connected while its context lasts. ``answers`` maps digests to ``journaled`` or the refusal."""

    def __init__(self, credential: Credential) -> None:
        self.agent = credential.agent
        self.answers: dict[str, str] = {}
        self._broker = credential.brokers[0]
        self._ready = threading.Event()
        self._taken: dict[int, str] = {}
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{credential.agent}-test",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        self._client.username_pw_set(credential.agent, broker_password(credential.secret))
        self._client.tls_set_context(ssl.create_default_context(cadata=credential.ca_pem))
        self._client.on_connect = lambda client, *_: client.subscribe(topics.ack(self.agent), qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish

    def __enter__(self) -> AgentClient:
        self._client.connect(self._broker.host, self._broker.port)
        self._client.loop_start()
        assert self._ready.wait(10), "the broker does not let the agent in"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, wire: bytes) -> str:
        """Publish with QoS 1; what the broker answered, ``Success`` when it took it."""
        sent = self._client.publish(topic, wire, qos=1)
        return until(lambda: self._taken.get(sent.mid, ""), 10, "a PUBACK")

    def send(self, wire: bytes) -> str:
        """Publish on the report topic; what the collector said about these bytes."""
        digest = codec.digest(wire)
        assert self.publish(topics.report(self.agent), wire) == "Success"
        return until(lambda: self.answers.get(digest, ""), 10, f"an answer for {wire[:60]!r}")

    def send_all(self, wires: list[bytes]) -> list[str]:
        """Publish many at once; what the collector said about each, in the same order."""
        digests = [codec.digest(wire) for wire in wires]
        for wire in wires:
            self._client.publish(topics.report(self.agent), wire, qos=1)
        until(lambda: all(digest in self.answers for digest in digests), 20, "an answer for every report")
        return [self.answers[digest] for digest in digests]

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        ack = codec.decode_small(Ack, bytes(message.payload))
        self.answers.update(dict.fromkeys(ack.journaled, JOURNALED))
        self.answers.update({one.digest: one.reason for one in ack.rejected})

    def _on_publish(self, _client: Any, _data: Any, mid: int, reason: ReasonCode, _more: Any) -> None:
        self._taken[mid] = str(reason)
