"""Everything that manages a running broker: account commands, configurations, and who keeps them right."""

from __future__ import annotations

from hatang_collector.broker.accounts import Accounts
from hatang_collector.broker.configs import ConfigPublisher
from hatang_collector.broker.contract import BrokerLogin
from hatang_collector.broker.control import TIMEOUT_S, BrokerLink, DynamicSecurity
from hatang_collector.broker.keeper import Keeper
from hatang_collector.broker.vault import Vault
from hatang_collector.ledger.engine import Ledger


class Management:
    """Two connections and a thread. ``admin`` None: the broker's accounts are kept by somebody else."""

    def __init__(
        self,
        ledger: Ledger,
        vault: Vault,
        own: BrokerLogin,
        admin: BrokerLogin | None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._control = DynamicSecurity(admin, timeout_s) if admin is not None else None
        self._link = BrokerLink(own, "configs", on_connected=lambda: self._keeper.wake(), timeout_s=timeout_s)
        self.accounts = Accounts(ledger, vault, self._control)
        self.configs = ConfigPublisher(ledger, vault, self._link)
        self._keeper = Keeper(self.accounts, self.configs)

    @property
    def rounds(self) -> int:
        """How often the broker was brought to the ledger; rises after each connection."""
        return self._keeper.rounds

    @property
    def connected(self) -> bool:
        """Whether the broker takes our messages right now."""
        return self._link.connected

    @property
    def trouble(self) -> str:
        """What is wrong with the connection, for a person."""
        return self._link.trouble

    def start(self) -> None:
        """Connect, and return once the broker takes our commands.

        Raises BrokerUnavailable when it did not within some seconds; the attempts go on until
        :meth:`stop`. Raises BrokerError when the login cannot be used at all.
        """
        self._keeper.start()
        if self._control is not None:
            self._control.start()
        self._link.start()
        if self._control is not None:
            self._control.wait()
        self._link.wait()

    def stop(self) -> None:
        """End thread and connections."""
        self._keeper.end()
        self._link.stop()
        if self._control is not None:
            self._control.stop()
