"""A collector's broker side for tests, and MQTT peers that are agents or pretend to be."""

from __future__ import annotations

import queue
import shutil
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from hatang_agent.wire.messages import EnrolReply, EnrolRequest
from hatang_agent.wire.secrets import broker_password
from hatang_collector.broker.embedded import EmbeddedBroker
from hatang_collector.broker.enrol import Enroller, Offer
from hatang_collector.broker.vault import Vault
from hatang_collector.domain.estate import Placement
from hatang_collector.ledger import tokens
from hatang_collector.ledger.engine import Ledger

NOW_MS = 1_795_000_000_000
DAY_MS = 86_400_000
HARDWARE = {
    "smbios_uuid": "4c4c4544-0042-3510-8052-b4c04f4e4d32",
    "board_serial": "/7BNQ5N2/CNFCW0097A00DF/",
    "mac": "d4:81:d7:aa:0b:1c",
}


@dataclass
class Peer:
    """An MQTT 5 client; ``refused`` is why it was not let in, empty when it was."""

    client: paho.Client
    refused: str = "no answer"
    answers: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    received: queue.SimpleQueue[tuple[str, bytes]] = field(default_factory=queue.SimpleQueue)
    thrown_out: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)

    def publish(self, topic: str, payload: bytes = b"x") -> str:
        """The broker's answer to a QoS 1 publish."""
        self.client.publish(topic, payload, qos=1)
        return self.answers.get(timeout=10)

    def break_off(self) -> None:
        """Lose the connection without a goodbye."""
        connection = self.client.socket()
        assert isinstance(connection, socket.socket)
        connection.shutdown(socket.SHUT_RDWR)

    def subscribe(self, topic: str) -> str:
        """The broker's answer to a subscription."""
        self.client.subscribe(topic, qos=1)
        return self.answers.get(timeout=10)


@dataclass
class Peers:
    """Makes peers of one test and closes them at its end."""

    made: list[Peer] = field(default_factory=list)

    def connect(
        self,
        port: int,
        username: str | None,
        password: str,
        ca_pem: str = "",
        will: str = "",
        host: str = "127.0.0.1",
        tls: tuple[ssl.TLSVersion, ssl.TLSVersion] | None = None,
    ) -> Peer:
        """A peer that was let in, or knows why not. Raises ssl.SSLError when it does not trust."""
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, reconnect_on_failure=False)
        peer = Peer(client)
        arrived: queue.SimpleQueue[str] = queue.SimpleQueue()
        if username is not None:
            client.username_pw_set(username, password)
        if ca_pem:
            context = ssl.create_default_context(cadata=ca_pem)
            if tls is not None:
                context.minimum_version, context.maximum_version = tls
            client.tls_set_context(context)
        if will:
            client.will_set(will, b"lost", qos=1)

        def connected(_c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
            arrived.put(str(reason) if reason.is_failure else "")

        def disconnected(_c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
            arrived.put(f"disconnected: {reason}")
            peer.thrown_out.put(str(reason))

        def subscribed(_c: Any, _u: Any, _m: Any, reasons: Any, _p: Any) -> None:
            peer.answers.put(str(reasons[0]))

        def published(_c: Any, _u: Any, _m: Any, reason: Any, _p: Any) -> None:
            peer.answers.put(str(reason))

        client.on_connect, client.on_disconnect = connected, disconnected
        client.on_subscribe, client.on_publish = subscribed, published
        client.on_message = lambda _c, _u, message: peer.received.put((message.topic, bytes(message.payload)))
        client.connect(host, port)
        client.loop_start()
        self.made.append(peer)
        peer.refused = arrived.get(timeout=10)
        return peer

    def close(self) -> None:
        """End every peer."""
        for peer in self.made:
            peer.client.disconnect()
            peer.client.loop_stop()


@dataclass
class Installation:
    """A collector's broker side: what a test restarts, wipes and enrols at."""

    folder: Path
    keys: Path
    ledger: Ledger
    vault: Vault
    port: int
    broker: EmbeddedBroker = field(init=False)
    live: set[str] = field(default_factory=set)
    placed: list[Placement] = field(default_factory=list)

    def start(self) -> EmbeddedBroker:
        """A new collector process would do this."""
        self.broker = EmbeddedBroker(
            self.folder,
            self.keys,
            self.ledger,
            self.vault,
            agents_listener=("127.0.0.1", self.port),
            now_ms=lambda: NOW_MS,
        )
        self.broker.start()
        return self.broker

    def wipe(self) -> None:
        """Stop, and lose everything in the broker's own folder."""
        self.broker.stop()
        shutil.rmtree(self.folder)

    @property
    def enroller(self) -> Enroller:
        """Gives identities at the broker of the moment."""
        return Enroller(
            self.ledger,
            self.broker.accounts,
            self.broker.configs,
            self.vault,
            offer=lambda: Offer(self.broker.agent_addresses(), self.broker.ca_pem()),
            live=self.live.__contains__,
            first_config=self.first_config,
        )

    def first_config(self, role: str, placement: Placement) -> dict[str, Any]:
        """Stands for the keeper of configurations; notes where the machine was said to be."""
        self.placed.append(placement)
        return {"role": role}

    def token(
        self,
        role: str = "pc",
        uses: int = 1,
        expires_ms: int = NOW_MS + DAY_MS,
        place: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """A new enrolment token, perhaps for a ``unit``, ``site`` and ``staff_group``."""
        with self.ledger.write() as c:
            return tokens.create(c, role=role, uses=uses, expires_ms=expires_ms, now_ms=NOW_MS, **place)

    def enrol(self, label: str = "Máy văn thư", **given: Any) -> EnrolReply:
        """An identity, with a token of its own unless one is given."""
        token = given.pop("token", None) or self.token(given.pop("role", "pc"))
        return self.enroller.enrol(EnrolRequest(token, "0.1.0", label, **given), NOW_MS)

    def connect(self, peers: Peers, reply: EnrolReply, **given: Any) -> Peer:
        """Connect as the agent would."""
        (address,) = reply.brokers
        return peers.connect(
            address.port, reply.agent, broker_password(reply.secret), reply.ca_pem, host=address.host, **given
        )
