"""Retention: once an hour, everything that is older than it may be goes."""

from __future__ import annotations

import logging
import threading

from hatang_collector import clock
from hatang_collector.app import Data
from hatang_collector.journal.projection import StoreUnavailable
from hatang_collector.ledger import facts, receipts
from hatang_collector.ledger.errors import LedgerUnavailable
from hatang_collector.store.contract import DAY_MS

log = logging.getLogger(__name__)

EVERY_S = 3600.0
FIRST_AFTER_S = 60.0


class Housekeeping(threading.Thread):
    """Applies the retention settings to journal, series, rollups and run ids."""

    def __init__(self, data: Data) -> None:
        super().__init__(name="housekeeping", daemon=True)
        self._data = data
        self._stopping = threading.Event()

    def run(self) -> None:
        """Loop until :meth:`stop`."""
        pause = FIRST_AFTER_S
        while not self._stopping.wait(pause):
            try:
                self.tidy(clock.now_ms())
            except (StoreUnavailable, LedgerUnavailable, OSError) as error:
                log.warning("retention is put off by an hour: %s", error)
            pause = EVERY_S

    def tidy(self, now_ms: int) -> None:
        """Remove what is past its retention; journal entries only when every projection has them.

        Raises StoreUnavailable, LedgerUnavailable or OSError.
        """
        data, keep = self._data, self._data.settings.retention
        for stream, days in (("pc", keep.journal_pc_days), ("probe", keep.journal_probe_days)):
            needed_from = min(projection.cursor(stream) for projection in data.projections)
            if dropped := data.journal.stream(stream).retain(now_ms - days * DAY_MS, needed_from):
                log.info("journal %s: %d segments were past %d days", stream, len(dropped), days)
        data.store.retain(now_ms)
        data.book.retain(now_ms)
        with data.ledger.write() as c:
            receipts.retain(c, now_ms - keep.receipts_days * DAY_MS)
            facts.retain(c, now_ms - keep.old_facts_days * DAY_MS)
        data.series.retain(now_ms - 2 * max(keep.journal_pc_days, keep.journal_probe_days) * DAY_MS)

    def stop(self) -> None:
        """End the loop and wait for it."""
        self._stopping.set()
        if self.is_alive():
            self.join()
