"""Whether messages pile up in front of ingest, and a way for others to let it go first."""

from __future__ import annotations

import threading
from typing import Final

CALM_BATCHES: Final = 5
"""So many batches in a row that emptied the queue mean that ingest keeps up again."""


class Pressure:
    """Noted by ingest after each batch, waited for by work that can follow later.

    What agents wait for is the acknowledgement; what is derived from the journal may come after it.
    """

    def __init__(self) -> None:
        self._calm = CALM_BATCHES
        self._keeps_up = threading.Event()
        self._keeps_up.set()

    def note(self, waiting: int) -> None:
        """How many messages were left behind when a batch was taken; for the ingest thread alone."""
        self._calm = 0 if waiting else min(self._calm + 1, CALM_BATCHES)
        if self._calm == CALM_BATCHES:
            self._keeps_up.set()
        else:
            self._keeps_up.clear()

    def give_way(self, timeout_s: float) -> bool:
        """Return at once while ingest keeps up, else when it does again or when the time is over.

        True when it keeps up.
        """
        return self._keeps_up.wait(timeout_s)
