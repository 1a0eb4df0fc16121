"""Brings a broker to the ledger at every connection: accounts first, then configurations."""

from __future__ import annotations

import logging
import threading
from typing import Final

from hatang_collector.broker.accounts import Accounts
from hatang_collector.broker.configs import ConfigPublisher
from hatang_collector.broker.contract import BrokerUnavailable
from hatang_collector.ledger.errors import LedgerError

log = logging.getLogger(__name__)

RETRY_S: Final = 5.0


class Keeper(threading.Thread):
    """Works when woken, and again every five seconds until it succeeded. Logs on transition."""

    def __init__(self, accounts: Accounts, configs: ConfigPublisher) -> None:
        super().__init__(name="broker-keeper", daemon=True)
        self._accounts = accounts
        self._configs = configs
        self._woken = threading.Event()
        self._ended = threading.Event()
        self.rounds = 0

    def wake(self) -> None:
        """Ask for one round; returns at once."""
        self._woken.set()

    def end(self) -> None:
        """End the thread and wait for it."""
        self._ended.set()
        self._woken.set()
        if self.ident is not None:
            self.join()

    def run(self) -> None:
        """Rounds until ended."""
        broken = False
        while True:
            self._woken.wait()
            self._woken.clear()
            if self._ended.is_set():
                return
            try:
                self._accounts.reconcile()
                count = self._configs.publish_all()
            except (BrokerUnavailable, LedgerError) as error:
                if not broken and not self._ended.is_set():
                    log.warning("broker accounts and configurations wait: %s", error)
                broken = True
                self._ended.wait(RETRY_S)
                self._woken.set()
                continue
            if broken:
                log.warning("broker accounts and configurations are up to date again")
            broken = False
            self.rounds += 1
            log.debug("broker brought to the ledger, %d configurations", count)
