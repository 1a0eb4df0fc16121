"""A broker that somebody else runs; ours are only the agents' accounts, where it lets us."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from hatang_agent.wire.messages import BrokerAddress
from hatang_collector.broker.accounts import Accounts
from hatang_collector.broker.configs import ConfigPublisher
from hatang_collector.broker.contract import BrokerError, BrokerHealth, BrokerLogin, BrokerUnavailable
from hatang_collector.broker.control import TIMEOUT_S
from hatang_collector.broker.management import Management
from hatang_collector.broker.vault import Vault
from hatang_collector.ledger.engine import Ledger

log = logging.getLogger(__name__)


class ExternalBroker:
    """A broker given by its address.

    ``own`` is the collector's account there, made by the broker's administrator with the rights of
    :func:`.accounts.collector_account`. ``admin`` is an account that may use Mosquitto's
    dynamic-security plugin; None where the broker has none: then accounts for agents are made by its
    administrator. An answer is waited for ``timeout_s``. The first reconciliation of an empty broker
    takes 18 s for 1,200 agents.
    """

    def __init__(
        self,
        ledger: Ledger,
        vault: Vault,
        *,
        own: BrokerLogin,
        admin: BrokerLogin | None,
        addresses: Sequence[BrokerAddress],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._own = own
        self._addresses = tuple(addresses)
        self._management = Management(ledger, vault, own, admin, timeout_s)
        self._started = False

    @property
    def accounts(self) -> Accounts:
        """Who may connect."""
        return self._management.accounts

    @property
    def configs(self) -> ConfigPublisher:
        """Publishes each agent's signed configuration."""
        return self._management.configs

    def start(self) -> None:
        """Return once it answers, or after some seconds with a warning: it may come back later.

        Its accounts and configurations are brought to the ledger in the background, at this
        connection and at every later one. Raises BrokerError when a setting cannot be used.
        """
        self._started = True
        try:
            self._management.start()
        except BrokerUnavailable as error:
            log.warning("%s; trying on, see [broker] in collector.toml", error)
        except BaseException:
            self.stop()
            raise

    @property
    def rounds(self) -> int:
        """How often its accounts and configurations were compared with the ledger since the start."""
        return self._management.rounds

    def stop(self) -> None:
        """Close our connections. May be called twice, and without a start."""
        if self._started:
            self._management.stop()
            self._started = False

    def own_login(self) -> BrokerLogin:
        """The collector's own account."""
        return self._own

    def agent_addresses(self) -> tuple[BrokerAddress, ...]:
        """What an enrolled agent is told to connect to."""
        return self._addresses

    def ca_pem(self) -> str:
        """The CA of the settings; empty when the system's CAs do. Raises BrokerError."""
        if self._own.ca_file is None:
            return ""
        try:
            return Path(self._own.ca_file).read_text(encoding="ascii")
        except (OSError, ValueError) as error:
            raise BrokerError(
                f"{self._own.ca_file} cannot be read ({error}); set [broker] ca_file"
            ) from error

    def health(self) -> BrokerHealth:
        """Answers at once."""
        connected = self._started and self._management.connected
        return BrokerHealth(running=connected, detail="" if connected else self._management.trouble)
