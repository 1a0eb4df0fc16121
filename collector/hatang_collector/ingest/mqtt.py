"""Ingest at the broker: MQTT 5, clean start, manual acknowledgement (MQTT 5 sections 3.1.2.4, 4.4).

The network thread only queues. One worker thread drains small batches, has them made durable, tells
the agents by digest, and only then sends the broker its PUBACKs. While the disk fails nothing is
acknowledged, so the broker stops delivering after ``RECEIVE_MAXIMUM`` messages: back-pressure instead
of memory. Acknowledgements go out with QoS 0; a lost one costs the agent a resend.
"""

from __future__ import annotations

import gc
import logging
import random
import ssl
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from hatang_agent.wire import codec, topics
from hatang_agent.wire.messages import CollectorHello
from hatang_collector import clock
from hatang_collector.broker.contract import BrokerLogin
from hatang_collector.clock import NowMs
from hatang_collector.ingest.pipeline import Pipeline
from hatang_collector.ingest.plan import Incoming, Outcome, Plan, ack_bytes
from hatang_collector.ingest.pressure import Pressure

RECEIVE_MAXIMUM: Final = 1_000
BATCH: Final = 500
GATHER_S: Final = 0.02
TICK_MS: Final = 1_000
MAX_QUEUED_BEATS: Final = 10_000
KEEPALIVE_S: Final = 30

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Received:
    """A message with what is needed to acknowledge it on the connection it came by."""

    message: Incoming
    mid: int
    qos: int
    connection: int


class MqttIngest:
    """Connects a pipeline with a broker. ``start`` returns at once and keeps trying for ever.

    ``collector`` names this collector's store for good, ``epoch`` this process: agents read both.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        login: BrokerLogin,
        *,
        collector: str,
        epoch: str,
        now_ms: NowMs = clock.now_ms,
        receive_maximum: int = RECEIVE_MAXIMUM,
        reconnect_s: tuple[int, int] = (1, 5),
    ) -> None:
        self._login = login
        self._pipeline = pipeline
        self._hello = CollectorHello(collector, epoch)
        self._now_ms = now_ms
        self._receive_maximum = receive_maximum
        self._reconnect_s = reconnect_s
        self._queue: deque[_Received] = deque()
        self._filled = threading.Condition()
        self._connection_lock = threading.Lock()
        self._connection = 0
        self._stopping = threading.Event()
        self.pressure = Pressure()
        self._trouble: str | None = None
        self._ticked_ms = 0
        self._client = self._make_client()
        self._worker = threading.Thread(target=self._work, name="ingest", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._client.is_connected()

    def start(self) -> None:
        """Begin to connect and to work."""
        _tune_garbage_collector()
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = self._receive_maximum
        self._client.connect_async(
            self._login.host, self._login.port, KEEPALIVE_S, clean_start=True, properties=properties
        )
        self._worker.start()
        self._client.loop_start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Finish the batch at hand and leave; what was not acknowledged comes again."""
        self._stopping.set()
        with self._filled:
            self._filled.notify_all()
        self._worker.join(timeout_s)
        self._client.disconnect()
        self._client.loop_stop()

    def _make_client(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"hatang-collector-{self._hello.collector}",
            protocol=paho.MQTTv5,
            manual_ack=True,
        )
        if self._login.username:
            client.username_pw_set(self._login.username, self._login.password)
        if self._login.tls or self._login.ca_file:
            context = ssl.create_default_context(cafile=self._login.ca_file)
            client.tls_set_context(context)
        client.max_queued_messages_set(0)
        self._draw_delay(client)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _draw_delay(self, client: paho.Client) -> None:
        """A constant delay drawn anew each time, in place of the client's doubling up to two minutes."""
        delay_s = random.randint(*self._reconnect_s)  # noqa: S311 - jitter
        client.reconnect_delay_set(delay_s, delay_s)

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any
    ) -> None:
        if code.is_failure:
            self._tell_trouble(f"the broker refuses the collector: {code}; check its user name and password")
            return
        with self._connection_lock:
            self._connection += 1
        self._pipeline.reconnected(self._now_ms())
        client.subscribe([(topic, 1) for topic in topics.subscriptions()])
        self._pipeline.metrics.connected.set(1)
        if self._trouble:
            log.info("connected to the broker at %s:%d again", self._login.host, self._login.port)
        self._trouble = None

    def _on_subscribe(
        self, client: paho.Client, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any
    ) -> None:
        """Say hello only now: agents answer it with reports, which must find a subscriber."""
        if any(code.is_failure for code in codes):
            log.error(
                "broker %s:%d does not let the collector read what agents send; give its account that right",
                self._login.host,
                self._login.port,
            )
            return
        client.publish(topics.COLLECTOR, codec.encode(self._hello), qos=1, retain=True)

    def _on_connect_fail(self, client: paho.Client, _data: Any) -> None:
        self._draw_delay(client)
        self._tell_trouble("the broker is not there")

    def _on_disconnect(
        self, client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any
    ) -> None:
        with self._connection_lock:
            self._connection += 1  # nothing of the old connection may be acknowledged on a new one
        self._pipeline.metrics.connected.set(0)
        self._draw_delay(client)
        if not self._stopping.is_set():
            self._tell_trouble(f"connection lost ({code})")

    def _tell_trouble(self, what: str) -> None:
        if self._trouble is None:
            host, port = self._login.host, self._login.port
            log.warning("broker %s:%d: %s; trying again every few seconds", host, port, what)
        self._trouble = what

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        incoming = Incoming(_topic_text(message), bytes(message.payload), message.retain, self._now_ms())
        received = _Received(incoming, message.mid, message.qos, self._connection)
        with self._filled:
            # With QoS 1 the broker stops at ReceiveMaximum; only QoS 0 (beats) needs a bound here.
            if message.qos == 0 and len(self._queue) >= MAX_QUEUED_BEATS:
                self._pipeline.metrics.beats_dropped.inc()
                return
            self._queue.append(received)
            if len(self._queue) in (1, BATCH):
                self._filled.notify()

    def _work(self) -> None:
        while not self._stopping.is_set():
            batch = self._gather()
            try:
                self._tick()
                if batch:
                    self._take(batch)
            except Exception:  # the worker must outlive its bugs: unacknowledged messages come again
                log.exception("ingest failed on a batch of %d messages; none was acknowledged", len(batch))

    def _gather(self) -> list[_Received]:
        """The next messages: up to ``BATCH``, or what came within ``GATHER_S`` of the first."""
        with self._filled:
            if not self._queue:
                self._filled.wait(TICK_MS / 1000)
            if self._queue and len(self._queue) < BATCH:
                self._filled.wait(GATHER_S)
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH))]
            self._pipeline.metrics.queue_depth.set(len(self._queue))
            self.pressure.note(len(self._queue))
        return batch

    def _take(self, batch: Sequence[_Received]) -> None:
        self._pipeline.metrics.batch_size.observe(len(batch))
        for plan in self._plans([received.message for received in batch]):
            outcome = self._commit(plan)
            if outcome is None:
                return
            self._answer(outcome)
            self._pipeline.show(outcome)
        with self._pipeline.metrics.stage("puback"):
            self._acknowledge(batch)

    def _plans(self, batch: Sequence[Incoming]) -> list[Plan]:
        """One plan; when a message breaks this program, one for each message, the bad one a dead letter."""
        try:
            return [self._pipeline.plan(batch)]
        except Exception as error:
            if len(batch) == 1:
                log.exception(
                    "ingest cannot take a message on %s; kept as a dead letter", batch[0].topic[:200]
                )
                return [self._pipeline.refuse(batch[0], f"{type(error).__name__}: {error}")]
        return [plan for message in batch for plan in self._plans([message])]

    def _commit(self, plan: Plan) -> Outcome | None:
        """Make a plan durable, however long the disk takes to come back; None when stopped before."""
        failing = False
        while True:
            try:
                outcome = self._pipeline.commit(plan)
            except OSError as error:
                if not failing:
                    log.error(  # noqa: TRY400 - one line for a person
                        "cannot journal (%s): nothing is acknowledged and agents keep their reports; "
                        "free or repair the disk of the data folder",
                        error,
                    )
                failing = True
                if self._stopping.wait(random.uniform(1, 3)):  # noqa: S311 - jitter
                    return None
            else:
                if failing:
                    log.warning("journaling again; nothing was lost")
                    self._pipeline.reconnected(self._now_ms())
                return outcome

    def _answer(self, outcome: Outcome) -> None:
        metrics = self._pipeline.metrics
        with metrics.stage("ack"):
            for agent, ack in outcome.acks:
                self._client.publish(topics.ack(agent), ack_bytes(ack), qos=0)
                metrics.acked.inc(len(ack.journaled))
                metrics.rejected.inc(len(ack.rejected))

    def _acknowledge(self, batch: Sequence[_Received]) -> None:
        """PUBACKs, on the connection that delivered the messages only: identifiers are used again."""
        with self._connection_lock:
            for received in batch:
                if received.qos and received.connection == self._connection:
                    self._client.ack(received.mid, received.qos)

    def _tick(self) -> None:
        now_ms = self._now_ms()
        if not self.connected or abs(now_ms - self._ticked_ms) < TICK_MS:
            return
        self._ticked_ms = now_ms
        plan = self._pipeline.tick(now_ms)
        if plan.entries and (outcome := self._commit(plan)) is not None:
            self._pipeline.show(outcome)


def _tune_garbage_collector() -> None:
    """Look for cycles less often: a batch holds tens of thousands of objects that die by themselves.

    Measured: with the defaults a third of ingest's CPU goes into walking over them.
    """
    gc.set_threshold(50_000, 20, 50)


def _topic_text(message: paho.MQTTMessage) -> str:
    """The topic, also when it is no valid UTF-8 (which MQTT forbids and a broker may still let through)."""
    try:
        return message.topic
    except UnicodeDecodeError:
        return repr(message)
