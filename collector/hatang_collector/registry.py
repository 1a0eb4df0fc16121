"""Which agents are enrolled, and in which journal stream each of them is."""

from __future__ import annotations

import logging
import threading

from hatang_collector import clock
from hatang_collector.ledger import machines
from hatang_collector.ledger.engine import Ledger
from hatang_collector.ledger.errors import LedgerUnavailable

log = logging.getLogger(__name__)

LOOK_AGAIN_MS = 1_000


class Registry:
    """Answers from memory; asks the ledger at most once a second for agents it does not know.

    A ledger that cannot be asked right now changes nothing for the agents known already.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._streams: dict[str, str] = {}
        self._looked_ms = 0
        self._look()

    def stream(self, agent: str) -> str | None:
        """The journal stream of an agent, None when nobody enrolled it."""
        known = self._streams.get(agent)
        if known is None:
            with self._lock:
                if clock.monotonic_ms() - self._looked_ms >= LOOK_AGAIN_MS:
                    self._look()
            known = self._streams.get(agent)
        return known

    def learn(self, agent: str, stream: str) -> None:
        """Know an agent that was enrolled just now: its first message may come before the next look."""
        with self._lock:
            self._streams = {**self._streams, agent: stream}

    def _look(self) -> None:
        self._looked_ms = clock.monotonic_ms()
        try:
            with self._ledger.read() as c:
                found = machines.every(c)
        except LedgerUnavailable as error:
            log.warning("cannot look for newly enrolled agents: %s", error)
            return
        self._streams = {machine.agent: machine.role for machine in found}
