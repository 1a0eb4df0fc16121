"""A listener on a broker that keeps the very bytes of every message."""

from __future__ import annotations

import threading
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from hatang_agent.wire import codec
from support.wait import until


class Wiretap:
    """Hears every message on a broker as the bytes that travelled, with its topic."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._ready = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="wiretap", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        until(self._ready.is_set, what="the wiretap listens")

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload)))

    def kinds(self) -> set[str]:
        """The kinds of message an agent sent."""
        parts = [topic.split("/") for topic, _ in self.heard]
        return {one[4] for one in parts if len(one) > 4}

    def text(self) -> str:
        """Everything that was said, inflated, as one text in small letters."""
        told = (topic.encode() + b"\n" + codec.inflate(payload) for topic, payload in self.heard)
        return b"\n".join(told).decode(errors="replace").lower()

    def stop(self) -> None:
        """Listen no more."""
        self._client.disconnect()
        self._client.loop_stop()
