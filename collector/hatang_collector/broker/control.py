"""Our own MQTT 5 connections for managing a broker: a link that publishes, and the account commands.

The only use of paho in this package.
"""

from __future__ import annotations

import json
import logging
import queue
import secrets
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from hatang_collector.broker.accounts import Acl, AclType, Command, FoundAccount
from hatang_collector.broker.contract import BrokerError, BrokerLogin, BrokerUnavailable
from hatang_collector.broker.dynsec import CONTROL_TOPIC, RESPONSE_TOPIC

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 5.0
BATCH: Final = 100
_PAGE: Final = 500
_RETRY_S: Final = 2


class BrokerLink:
    """One connection that comes back by itself. Thread-safe.

    ``subscribe`` is subscribed at every connect, before ``on_connected`` is called; both callbacks
    run in the link's own thread and must not block.
    """

    def __init__(
        self,
        login: BrokerLogin,
        purpose: str,
        *,
        subscribe: str | None = None,
        on_message: Callable[[bytes], None] | None = None,
        on_connected: Callable[[], None] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.login = login
        self._timeout_s = timeout_s
        self._purpose = purpose
        self._subscribe = subscribe
        self._on_message = on_message
        self._on_connected = on_connected
        self._ready = threading.Event()
        self._trouble = "no answer yet"
        self._refused: dict[int, str] = {}
        self._client: paho.Client | None = None

    def start(self) -> None:
        """Begin connecting; does not wait. Raises BrokerError when the CA file cannot be used."""
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{self.login.username}-{self._purpose}-{secrets.token_hex(4)}",
            protocol=paho.MQTTv5,
            reconnect_on_failure=True,
        )
        client.username_pw_set(self.login.username, self.login.password)
        client.reconnect_delay_set(1, _RETRY_S)
        if self.login.tls:
            client.tls_set_context(tls_context(self.login))
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        client.on_message = self._message
        client.on_publish = self._published
        client.connect_async(self.login.host, self.login.port, keepalive=30)
        client.loop_start()
        self._client = client

    def stop(self) -> None:
        """Disconnect and end the thread."""
        client, self._client = self._client, None
        self._ready.clear()
        if client is not None:
            client.disconnect()
            client.loop_stop()

    @property
    def connected(self) -> bool:
        """Whether it is connected and subscribed right now."""
        return self._ready.is_set()

    @property
    def trouble(self) -> str:
        """What is wrong with the connection, in one line."""
        return f"the broker at {self.login.host}:{self.login.port} cannot be used: {self._trouble}"

    def wait(self) -> None:
        """Return once connected and subscribed. Raises BrokerUnavailable."""
        if not self._ready.wait(self._timeout_s):
            raise BrokerUnavailable(self.trouble)

    def publish(self, messages: Iterable[tuple[str, bytes]], *, retain: bool) -> None:
        """Publish with QoS 1; on return the broker has every message. Raises BrokerUnavailable."""
        self.wait()
        client = self._client
        if client is None:
            raise BrokerUnavailable("the link to the broker is closed")
        sent = [client.publish(topic, payload, qos=1, retain=retain) for topic, payload in messages]
        for info in sent:
            try:
                info.wait_for_publish(self._timeout_s)
            except (RuntimeError, ValueError) as error:
                raise BrokerUnavailable(f"the broker did not take a message: {error}") from error
            if not info.is_published():
                raise BrokerUnavailable(f"the broker did not confirm a message within {self._timeout_s:g} s")
            if (reason := self._refused.pop(info.mid, None)) is not None:
                raise BrokerUnavailable(f"the broker refused a message of {self.login.username}: {reason}")

    def _connected(self, client: paho.Client, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
        if reason.is_failure:
            self._say(f"{self.login.username} was refused: {reason}")
        elif self._subscribe is not None:
            client.subscribe(self._subscribe, qos=1)
        else:
            self._is_ready()

    def _subscribed(self, _c: paho.Client, _u: Any, _m: int, reasons: list[ReasonCode], _p: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._say(f"{self.login.username} may not manage accounts: {reasons[0]}")
        else:
            self._is_ready()

    def _is_ready(self) -> None:
        self._trouble = "no answer yet"
        self._ready.set()
        if self._on_connected is not None:
            self._on_connected()

    def _disconnected(self, _c: paho.Client, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:
        if self._ready.is_set():
            self._say(f"disconnected: {reason}")
        self._ready.clear()

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.debug("broker link for %s: %s", self._purpose, trouble)
        self._trouble = trouble

    def _message(self, _c: paho.Client, _u: Any, message: paho.MQTTMessage) -> None:
        if self._on_message is not None:
            self._on_message(bytes(message.payload))

    def _published(self, _c: paho.Client, _u: Any, mid: int, reason: ReasonCode, _p: Any) -> None:
        if reason.is_failure:
            self._refused[mid] = str(reason)


def tls_context(login: BrokerLogin) -> ssl.SSLContext:
    """TLS 1.2 or newer, verified against the login's CA. Raises BrokerError."""
    try:
        context = ssl.create_default_context(cafile=str(login.ca_file) if login.ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise BrokerError(
            f"{login.ca_file} is not a usable CA file ({error}); set [broker] ca_file"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class DynamicSecurity:
    """The account commands of Mosquitto's dynamic-security plugin. One request at a time."""

    def __init__(self, login: BrokerLogin, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._link = BrokerLink(
            login, "accounts", subscribe=RESPONSE_TOPIC, on_message=self._answers.put, timeout_s=timeout_s
        )
        self._asking = threading.Lock()

    def start(self) -> None:
        """Begin connecting; every request waits for the connection."""
        self._link.start()

    def stop(self) -> None:
        """Close the connection."""
        self._link.stop()

    def wait(self) -> None:
        """Return once account commands can be given. Raises BrokerUnavailable."""
        self._link.wait()

    def execute(self, commands: Sequence[Command]) -> list[str]:
        """Error text of each command, empty when it was done. Raises BrokerUnavailable."""
        problems = []
        for start in range(0, len(commands), BATCH):
            batch = commands[start : start + BATCH]
            # each command rewrites the plugin's whole file: 40 ms at 1,200 agents
            answers = self._ask(batch, self._timeout_s + 0.2 * len(batch))
            problems += [str(answer.get("error", "")) for answer in answers]
        return problems

    def accounts(self) -> dict[str, FoundAccount]:
        """Every account of the broker. Raises BrokerUnavailable."""
        return {
            client["username"]: FoundAccount(
                client["username"],
                client.get("textdescription", ""),
                tuple(role["rolename"] for role in client.get("roles", [])),
                bool(client.get("disabled", False)),
            )
            for client in self._list("listClients", "clients")
        }

    def roles(self) -> dict[str, frozenset[Acl]]:
        """Every role with the permissions that this program uses. Raises BrokerUnavailable."""
        return {role["rolename"]: _acls(role.get("acls", [])) for role in self._list("listRoles", "roles")}

    def _list(self, command: str, key: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            ask = {"command": command, "verbose": True, "count": _PAGE, "offset": len(found)}
            (answer,) = self._ask([ask], self._timeout_s)
            if "error" in answer:
                raise BrokerUnavailable(f"the broker refused {command}: {answer['error']}")
            page = answer["data"][key]
            found += page
            if not page or len(found) >= answer["data"]["totalCount"]:
                return found

    def _ask(self, commands: Sequence[Command], timeout_s: float) -> list[dict[str, Any]]:
        """Answers in the order of the commands; told from an old request's by a random number."""
        number = secrets.token_hex(8)
        text = json.dumps({"commands": [{**command, "correlationData": number} for command in commands]})
        with self._asking:
            while not self._answers.empty():
                self._answers.get()
            self._link.publish([(CONTROL_TOPIC, text.encode())], retain=False)
            while True:
                try:
                    answers = json.loads(self._answers.get(timeout=timeout_s))["responses"]
                except queue.Empty:
                    raise BrokerUnavailable(f"the broker did not answer within {timeout_s:g} s") from None
                if len(answers) == len(commands) and answers[0].get("correlationData") == number:
                    return list(answers)


def _acls(listed: list[dict[str, Any]]) -> frozenset[Acl]:
    """What a role allows. One that denies, or of an unknown kind, counts as a difference."""
    found = set()
    for acl in listed:
        kind = acl["acltype"] if acl.get("allow") else ""
        found.add(Acl(AclType(kind), acl["topic"]) if kind in set(AclType) else Acl(AclType.RECEIVE, "?"))
    return frozenset(found)
