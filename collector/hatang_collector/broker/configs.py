"""Signed configurations: retained at the broker, one per agent, under that agent's own key."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

from hatang_agent.wire import codec, topics
from hatang_agent.wire.secrets import config_key
from hatang_collector.broker.vault import Vault, VaultError
from hatang_collector.ledger import config_numbers, credentials, machines
from hatang_collector.ledger.engine import Connection, Ledger

log = logging.getLogger(__name__)


class Link(Protocol):
    """A connection to the broker (:class:`.control.BrokerLink`)."""

    def publish(self, messages: Iterable[tuple[str, bytes]], *, retain: bool) -> None:
        """On return the broker has every message. Raises BrokerUnavailable."""
        ...


class ConfigPublisher:
    """Publishes what the ledger holds. What could not be published is, at the next connection."""

    def __init__(self, ledger: Ledger, vault: Vault, link: Link) -> None:
        self._ledger = ledger
        self._vault = vault
        self._link = link
        self._sending = threading.Lock()
        """Held from reading to the broker's answer, so that an older number never follows a newer one."""

    def change(self, agent: str, content: Mapping[str, Any]) -> int:
        """Give an agent a new configuration; its number. Raises ValueError when it is too large.

        Raises BrokerUnavailable when it is stored but could not be sent yet.
        """
        number = self.store({agent: as_json(content)})[agent]
        self.publish(agent)
        return number

    def store(self, texts: Mapping[str, str]) -> dict[str, int]:
        """Give agents new contents (from :func:`as_json`) in one transaction, to be published after it.

        Returns the new number of each. Raises LedgerUnavailable: nothing is stored.
        """
        with self._ledger.write() as c:
            return {agent: config_numbers.next_number(c, agent, text) for agent, text in texts.items()}

    def publish(self, agent: str) -> None:
        """Publish an agent's configuration as the ledger has it. Raises BrokerUnavailable."""
        self.publish_many([agent])

    def publish_many(self, agents: Collection[str]) -> int:
        """Publish agents' configurations as the ledger has them; how many there were.

        One that is retired or not there is passed over. Raises BrokerUnavailable, LedgerUnavailable.
        """
        with self._sending:
            with self._ledger.read() as c:
                found = [(agent, machines.get(c, agent)) for agent in agents]
                current = [agent for agent, one in found if one is not None and one.retired_ms is None]
                messages = [self._signed(c, agent, credentials.get(c, agent)) for agent in current]
            return self._send(messages)

    def publish_all(self) -> int:
        """Publish every machine's configuration; how many. Raises BrokerUnavailable, LedgerError."""
        with self._sending:
            with self._ledger.read() as c:
                current = {machine.agent for machine in machines.every(c) if machine.retired_ms is None}
                sealed = [(agent, content) for agent, content in credentials.every(c) if agent in current]
                messages = [self._signed(c, agent, content) for agent, content in sealed]
            return self._send(messages)

    def clear(self, agent: str) -> None:
        """Take a retired machine's configuration off the broker. Raises BrokerUnavailable."""
        with self._sending:
            self._link.publish([(topics.config(agent), b"")], retain=True)  # MQTT 5, 3.3.1.3

    def _send(self, messages: Iterable[tuple[str, bytes] | None]) -> int:
        sent = [message for message in messages if message is not None]
        self._link.publish(sent, retain=True)
        return len(sent)

    def _signed(self, c: Connection, agent: str, sealed: bytes | None) -> tuple[str, bytes] | None:
        stored = config_numbers.current(c, agent)
        if stored is None or sealed is None:
            return None
        number, text = stored
        try:
            key = config_key(self._vault.open(agent, sealed))
        except VaultError as error:
            log.debug("no configuration for %s: %s", agent, error)  # told by the accounts already
            return None
        return topics.config(agent), codec.encode(codec.sign(key, agent, number, json.loads(text)))


def as_json(content: Mapping[str, Any]) -> str:
    """Content as the ledger keeps it. Raises ValueError when an agent would refuse it as too large."""
    text = codec.canonical(codec.plain(content))
    if len(text) > codec.MAX_SMALL - 1024:
        raise ValueError(
            f"a configuration of {len(text)} bytes is too large, at most {codec.MAX_SMALL - 1024}"
        )
    return text.decode()
