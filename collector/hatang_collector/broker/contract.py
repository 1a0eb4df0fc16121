"""What the rest of the collector needs to know about a broker, whoever runs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hatang_agent.wire.messages import BrokerAddress

if TYPE_CHECKING:
    from hatang_collector.broker.accounts import Accounts
    from hatang_collector.broker.configs import ConfigPublisher


class BrokerError(Exception):
    """The broker cannot run or be used as asked; the text is one line for a person."""


class BrokerUnavailable(BrokerError):  # noqa: N818 - a condition, like LedgerUnavailable
    """The broker does not answer right now; trying again later helps."""


@dataclass(frozen=True, slots=True)
class BrokerLogin:
    """Where and as whom one of our own clients connects. ``ca_file`` None: the system's CAs."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    tls: bool = False
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class BrokerHealth:
    """``running`` tells the present, ``restarts`` how often our child died under us since the start.

    ``certificate_days_left`` is None where the certificate is not ours to watch.
    """

    running: bool
    restarts: int = 0
    certificate_days_left: int | None = None
    detail: str = ""


class Broker(Protocol):
    """An MQTT broker with its accounts."""

    @property
    def accounts(self) -> Accounts:
        """Who may connect. Usable after :meth:`start`."""
        ...

    @property
    def configs(self) -> ConfigPublisher:
        """Publishes each agent's signed configuration. Usable after :meth:`start`."""
        ...

    def start(self) -> None:
        """Return once it takes connections and its accounts equal the ledger. Raises BrokerError."""
        ...

    def stop(self) -> None:
        """Stop what we started. May be called twice, and without a start."""
        ...

    def own_login(self) -> BrokerLogin:
        """The collector's own account: reads what agents send, writes acks, configurations, canaries."""
        ...

    def agent_addresses(self) -> tuple[BrokerAddress, ...]:
        """What an enrolled agent is told to connect to."""
        ...

    def ca_pem(self) -> str:
        """The CA that agents must trust for those addresses; empty when the system's CAs do."""
        ...

    def health(self) -> BrokerHealth:
        """Answers at once."""
        ...
