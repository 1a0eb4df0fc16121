"""Connections to the brokers: the only file of the agent that speaks MQTT (version 5, by paho).

One connection for each broker address, which is one *path*. Every connection has a will, announces
its birth, and listens to this agent's acknowledgements and configuration and to the collector's
hello. What happens on a path is posted as an event; decisions are made elsewhere.

paho resends on its own after a reconnect and waits up to two minutes before it. Both are ours to
decide, so each connection is a new client and the pause is 1 to 5 s.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from hatang_agent.publish_events import (
    Account,
    Answered,
    Connected,
    Disconnected,
    Event,
    Kind,
    LoginTrial,
    Receipt,
    Received,
)
from hatang_agent.runner import clock
from hatang_agent.system import System
from hatang_agent.wire import codec, topics
from hatang_agent.wire.messages import Beat, Birth, BrokerAddress, Farewell, Presence
from hatang_agent.wire.report import SCHEMA

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 10.0
RECONNECT_FROM_S: Final = 1.0
RECONNECT_TO_S: Final = 5.0
GOODBYE_TIMEOUT_S: Final = 1.0
"""How long all paths together may take to say goodbye, and as long again to end."""
_NO_SUBSCRIBERS: Final = 0x10
_UNANSWERED_DATA_MS: Final = 30_000
_LARGEST_INCOMING: Final = 64 * 1024


class Publisher:
    """All paths together. Methods are called from one thread; events are posted from others."""

    def __init__(
        self,
        brokers: Sequence[BrokerAddress],
        account: Account,
        keepalive_s: int,
        system: System,
        post: Callable[[Event], None],
    ) -> None:
        self._account = account
        self._links = [PathLink(broker, account, keepalive_s, system, post) for broker in brokers]
        self._sent: dict[tuple[str, int, int], str] = {}

    def start(self) -> None:
        """Begin connecting, in the background."""
        for link in self._links:
            link.start()

    @property
    def reporting_path(self) -> str | None:
        """The first connected path that may carry reports."""
        return next((link.broker.path for link in self._links if link.up and link.broker.reports), None)

    def publish_report(self, digest: str, wire: bytes) -> bool:
        """Hand a sealed report to the reporting path; False when it could not even be queued."""
        for link in self._links:
            if link.up and link.broker.reports:
                topic = topics.report(self._account.agent)
                sent = link.publish(topic, wire)
                if sent is not None:
                    self._sent[(link.broker.path, *sent)] = digest
                return sent is not None
        return False

    def digest_of(self, answer: Answered) -> str | None:
        """The report an answer is for; None for other messages."""
        return self._sent.pop((answer.path, answer.connection, answer.mid), None)

    def lost(self, gone: Disconnected) -> None:
        """No answers will come any more for what was sent on a connection."""
        for key in [key for key in self._sent if key[:2] == (gone.path, gone.connection)]:
            del self._sent[key]

    def beat(self) -> None:
        """Send a heartbeat on every connected path that may carry them."""
        for link in self._links:
            if link.up and link.broker.beats:
                link.beat()

    def set_keepalive(self, keepalive_s: int) -> None:
        """Use another keepalive from the next connection on."""
        for link in self._links:
            link.keepalive_s = keepalive_s

    def close(self, reason: Farewell, return_wall_ms: int | None = None) -> None:
        """Say goodbye on every path and disconnect; takes at most 2 s, raises nothing."""
        for link in self._links:
            link.say_goodbye(reason, return_wall_ms)
        for link in self._links:
            link.close(GOODBYE_TIMEOUT_S / len(self._links))


class PathLink:
    """One path: keeps one connection, and a new one after it broke."""

    def __init__(
        self,
        broker: BrokerAddress,
        account: Account,
        keepalive_s: int,
        system: System,
        post: Callable[[Event], None],
    ) -> None:
        self.broker = broker
        self.keepalive_s = keepalive_s
        self._account = account
        self._system = system
        self._post = post
        self._client: mqtt.Client | None = None
        self._connection = 0
        self._beats = 0
        self._goodbye: mqtt.MQTTMessageInfo | None = None
        self._closing = threading.Event()
        self._settled = threading.Event()
        self._over = threading.Event()
        self._up = threading.Event()
        self._told = ""
        self._thread = threading.Thread(target=self._keep_connected, name=f"path-{broker.path}", daemon=True)

    @property
    def up(self) -> bool:
        """Whether the broker has accepted the connection and it still stands."""
        return self._up.is_set()

    def start(self) -> None:
        """Begin connecting, in the background."""
        self._thread.start()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> Any:
        """Queue a message: (connection, message id), or None when the connection is gone."""
        client, connection = self._client, self._connection
        if client is None:
            return None
        info = client.publish(topic, payload, qos=qos, retain=retain)
        return None if info.rc != mqtt.MQTT_ERR_SUCCESS else (connection, info.mid)

    def beat(self) -> None:
        """Send a heartbeat (QoS 0)."""
        self._beats += 1
        now = clock(self._system)
        message = Beat(self._account.epoch, self._beats, now.boot_ms, now.boot_id)
        self.publish(topics.beat(self._account.agent, self.broker.path), codec.encode(message), qos=0)

    def say_goodbye(self, reason: Farewell, return_wall_ms: int | None) -> None:
        """Queue the goodbye; :meth:`close` waits for it."""
        client = self._client
        if client is not None and self.up:
            message = Presence(
                self._account.epoch, self.broker.path, self._connection, reason, return_wall_ms
            )
            topic = topics.presence(self._account.agent, self.broker.path)
            self._goodbye = client.publish(topic, codec.encode(message), qos=1)

    def close(self, timeout_s: float) -> None:
        """Disconnect cleanly and end the thread; one that hangs in a connection attempt is left behind."""
        self._closing.set()
        client = self._client
        if client is not None:
            if self._goodbye is not None:
                with contextlib.suppress(RuntimeError, ValueError):  # the connection broke meanwhile
                    self._goodbye.wait_for_publish(timeout_s)
            client.disconnect()
        self._settled.set()
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _keep_connected(self) -> None:
        while not self._closing.is_set():
            self._connection += 1
            self._settled.clear()
            self._over.clear()
            try:
                self._hold_connection()
            except (OSError, ValueError) as error:  # ssl.SSLError and socket.gaierror are OSError
                self._tell(f"cannot connect to {self._address}: {error}")
            pause = RECONNECT_FROM_S + (RECONNECT_TO_S - RECONNECT_FROM_S) * self._system.random()
            self._closing.wait(pause)

    def _hold_connection(self) -> None:
        """Connect and stay until the connection is over. Raises OSError or ValueError."""
        client = self._new_client()
        try:
            self._client = client
            client.connect(
                self.broker.host,
                self.broker.port,
                self.keepalive_s,
                clean_start=True,
                properties=_connect_properties(),
            )
            client.loop_start()
            if not self._settled.wait(CONNECT_TIMEOUT_S):
                raise TimeoutError("the broker did not answer the login")
            self._over.wait()
        finally:
            was_up = self.up
            self._up.clear()
            self._client = None
            client.disconnect()
            client.loop_stop()
            if was_up:
                self._post(Disconnected(self.broker.path, self._connection))

    def _new_client(self) -> mqtt.Client:
        account, path = self._account, self.broker.path
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{account.agent}-{account.epoch[:8]}-{path}",
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.username_pw_set(account.agent, account.password)
        if self.broker.tls:
            client.tls_set_context(_tls_context(account.ca_pem))
        will = Presence(account.epoch, path, self._connection, Farewell.LOST)
        client.will_set(topics.presence(account.agent, path), codec.encode(will), qos=1)
        client.on_socket_open = _tune_socket
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        return client

    # Called by paho on its own thread: queue and return, never wait.

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: Any, reason: ReasonCode, _more: Any
    ) -> None:
        if reason.is_failure:
            self._tell(
                f"{self._address} refused the login: {reason}; if it stays so, enrol again with "
                "hatang-agent enroll --again"
            )
            self._settled.set()
            self._over.set()
            return
        account, path = self._account, self.broker.path
        own = [topics.ack(account.agent), topics.config(account.agent), topics.COLLECTOR]
        client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in own])
        now = clock(self._system)
        birth = Birth(
            SCHEMA, account.agent, account.epoch, path, self._connection, now, account.role, account.version
        )
        client.publish(topics.birth(account.agent, path), codec.encode(birth), qos=1, retain=True)
        self._tell("")
        self._up.set()
        self._settled.set()
        self._post(Connected(path, self._connection))

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _more: Any) -> None:
        if not self._closing.is_set() and self.up:
            self._tell(f"the connection to {self._address} broke: {reason}")
        self._settled.set()
        self._over.set()

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        agent = self._account.agent
        kinds = {topics.ack(agent): Kind.ACK, topics.config(agent): Kind.CONFIG, topics.COLLECTOR: Kind.HELLO}
        kind = kinds.get(message.topic)
        if kind is not None:
            self._post(Received(kind, bytes(message.payload)))

    def _on_publish(self, _client: Any, _data: Any, mid: int, reason: ReasonCode, _more: Any) -> None:
        receipt = Receipt.REFUSED if reason.is_failure else Receipt.TAKEN
        if reason.value == _NO_SUBSCRIBERS:
            receipt = Receipt.NO_SUBSCRIBERS
        self._post(Answered(self.broker.path, self._connection, mid, receipt, str(reason)))

    def _on_subscribe(
        self, _client: Any, _data: Any, _mid: int, reasons: list[ReasonCode], _more: Any
    ) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            log.error("path %s: the broker refuses our topics: %s", self.broker.path, refused[0])

    @property
    def _address(self) -> str:
        return f"{self.broker.host}:{self.broker.port}"

    def _tell(self, trouble: str) -> None:
        """Log when a path breaks and when it recovers, not at every attempt. Empty means it works."""
        if trouble and trouble != self._told:
            log.warning("path %s: %s; trying again", self.broker.path, trouble)
        elif not trouble:
            log.info("path %s: connected to %s", self.broker.path, self._address)
        self._told = trouble


def _connect_properties() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = _LARGEST_INCOMING
    return properties


class _ClosedOnFailure(ssl.SSLSocket):
    """paho leaves a socket open whose handshake failed; this one closes itself."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


@cache
def _tls_context(ca_pem: str) -> ssl.SSLContext:
    """Trusts the given authority alone, else those of the system; host names are checked."""
    context = ssl.create_default_context(cadata=ca_pem or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _ClosedOnFailure
    return context


def _tune_socket(_client: Any, _data: Any, sock: Any) -> None:
    """Small messages go at once; unanswered data end a connection long before a slow keepalive would."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if (option := getattr(socket, "TCP_USER_TIMEOUT", None)) is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, _UNANSWERED_DATA_MS)


def try_login(broker: BrokerAddress, account: Account, timeout_s: float) -> LoginTrial:
    """Log in once under a name of its own, publish nothing, and look for the collector's hello.

    Raises OSError or ValueError when not even a connection is possible.
    """
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"{account.agent}-doctor-{broker.path}",
        protocol=MQTTProtocolVersion.MQTTv5,
        reconnect_on_failure=False,
    )
    answers: queue.SimpleQueue[LoginTrial] = queue.SimpleQueue()

    def on_connect(_client: Any, _data: Any, _flags: Any, reason: ReasonCode, _more: Any) -> None:
        if reason.is_failure:
            answers.put(LoginTrial(str(reason), hello=False))
        else:
            client.subscribe(topics.COLLECTOR, qos=1)

    client.on_connect = on_connect
    client.on_message = lambda *_: answers.put(LoginTrial("", hello=True))
    client.username_pw_set(account.agent, account.password)
    if broker.tls:
        client.tls_set_context(_tls_context(account.ca_pem))
    logged_in = threading.Event()
    client.on_subscribe = lambda *_: logged_in.set()
    client.connect(broker.host, broker.port, clean_start=True)
    client.loop_start()
    try:
        return answers.get(timeout=timeout_s)
    except queue.Empty:
        refused = "" if logged_in.is_set() else "no answer to the login"
        return LoginTrial(refused, hello=False)
    finally:
        client.disconnect()
        client.loop_stop()
